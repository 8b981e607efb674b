#include "src/directory/ops.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/rpc/rpc.h"
#include "lib/smtp/path.h"
#include "src/directory/leases.h"
#include "src/directory/recipients.h"

void *directory_message(struct arena *a, const ProtobufCMessageDescriptor *d)
{
    ProtobufCMessage *m = arena_alloc(a, d->sizeof_message);

    if (m)
        protobuf_c_message_init(d, m);
    return m;
}

static int answer(struct directory_answer *out, void *message)
{
    out->body = message;
    return message ? 0 : E_NOMEM;
}

static int answer_empty(struct arena *a, struct directory_answer *out)
{
    return answer(out, directory_message(a, &directory__empty__descriptor));
}

int directory_states(struct arena *a, const struct account *acc, ProtobufCBinaryData **out)
{
    if (!(*out = ARENA_ARRAY(a, acc->nstates + 1, ProtobufCBinaryData)))
        return E_NOMEM;
    for (size_t i = 0; i < acc->nstates; i++)
        (*out)[i] = str_pb(acc->states[i]);
    return 0;
}

int directory_alias(struct db *db, struct arena *a, const struct account *acc, Directory__Alias **out)
{
    Directory__Alias *m = directory_message(a, &directory__alias__descriptor);

    if (!m || directory_states(a, acc, &m->key_states) < 0)
        return E_NOMEM;
    m->n_key_states = acc->nstates;
    m->alias_id = acc->alias_id;
    m->address = str_pb(acc->address);
    m->mailbox_id = str_pb(acc->mailbox_id);
    m->created_ms = acc->created_ms;
    m->answer = acc->answer;
    m->no_mailbox = !acc->to_mailbox;
    m->backup_place = str_pb(acc->backup_place);
    if (!(m->quota = directory_quota(a, &acc->quota)))
        return E_NOMEM;
    *out = m;
    return directory_targets(db, a, acc, m);
}

static int answer_alias(struct db *db, struct arena *a, const struct account *acc,
                        struct directory_answer *out)
{
    Directory__Alias *m = NULL;
    int r = directory_alias(db, a, acc, &m);

    return r < 0 ? r : answer(out, m);
}

/* ---- reading ---- */

#define DELIVERS DIRECTORY__RESOLVE_REQUEST__PURPOSE__DELIVER

static int run_status(struct db *db, struct arena *a, const void *request UNUSED,
                      struct directory_answer *out)
{
    Directory__StatusResponse *m = directory_message(a, &directory__status_response__descriptor);
    int r = m ? accounts_count(db, &m->domains, &m->aliases) : E_NOMEM;

    return r < 0 ? r : answer(out, m);
}

/* The one recipient that every server has (RFC 5321 4.5.1), and that comes without a domain. */
static bool is_postmaster(const Directory__ResolveRequest *q)
{
    return str_ieq_z(pb_str(q->address), "postmaster");
}

struct str resolve_cache_key(struct arena *a, const void *request)
{
    const Directory__ResolveRequest *q = request;
    struct address addr;
    struct str key;
    char *z;

    if (is_postmaster(q))
        addr = (struct address){ .local = STR("postmaster") };
    else if (address_parse(a, pb_str(q->address), &addr) < 0)
        return STR_NONE;
    if (!(z = arena_printf(a, "%s%.*s@%.*s", q->purpose == DELIVERS ? "to " : "", STR_ARG(addr.local),
                           STR_ARG(addr.domain))))
        return STR_NONE;
    key = str_from(z);
    return key;
}

static int resolve_missing(struct db *db, struct str domain, Directory__ResolveResponse *m)
{
    int r = domain.n ? domain_is_ours(db, domain) : E_NOTFOUND;

    if (r < 0 && r != E_NOTFOUND)
        return r;
    m->result = r == 0 ? DIRECTORY__RESOLVE_RESPONSE__RESULT__NO_ALIAS
                       : DIRECTORY__RESOLVE_RESPONSE__RESULT__NO_DOMAIN;
    return 0;
}

/* Who logs in may call the domain by any of its names. */
static int real_domain(struct db *db, struct arena *a, struct address *addr)
{
    struct recipient_domain d;
    int r = recipient_domain_find(db, a, addr->domain, &d);

    if (r == 0)
        addr->domain = d.name;
    return r == E_NOTFOUND ? 0 : r;
}

static int run_resolve(struct db *db, struct arena *a, const void *request, struct directory_answer *out)
{
    const Directory__ResolveRequest *q = request;
    Directory__ResolveResponse *m = directory_message(a, &directory__resolve_response__descriptor);
    struct account acc = { .alias_id = 0 };
    struct address addr = { .domain = STR_NONE };
    struct lease_room room;
    int r;

    if (!m)
        return E_NOMEM;
    if (q->purpose == DELIVERS)
        return directory_run_deliver(db, a, request, out);
    if (is_postmaster(q))
        r = alias_postmaster(db, a, &acc);
    else if ((r = address_parse(a, pb_str(q->address), &addr)) == 0 && (r = real_domain(db, a, &addr)) == 0)
        r = alias_get(db, a, &addr, &acc);
    if (r == E_NOTFOUND && is_postmaster(q)) {
        m->result = DIRECTORY__RESOLVE_RESPONSE__RESULT__NO_ALIAS;
        return answer(out, m);
    }
    if (r == E_NOTFOUND || r == E_SYNTAX || r == E_LIMIT) {
        if ((r = resolve_missing(db, addr.domain, m)) < 0)
            return r;
        return answer(out, m);
    }
    if (r < 0 || (r = directory_states(a, &acc, &m->key_states)) < 0)
        return r;
    m->n_key_states = acc.nstates;
    m->alias_id = acc.alias_id;
    m->address = str_pb(acc.address);
    m->mailbox_id = str_pb(acc.mailbox_id);
    m->result = acc.mailbox_id.n ? DIRECTORY__RESOLVE_RESPONSE__RESULT__OK
                                 : DIRECTORY__RESOLVE_RESPONSE__RESULT__NOT_READY;
    if ((r = lease_room(db, acc.alias_id, &room)) < 0)
        return r;
    m->limited = room.limited;
    m->room = room.room;
    m->limit = room.limit;
    if (acc.mailbox_id.n && !room.limited) /* how much is left changes without our being told */
        out->cache_as = resolve_cache_key(a, request);
    return answer(out, m);
}

static int run_domain_list(struct db *db, struct arena *a, const void *request, struct directory_answer *out)
{
    const Directory__ListRequest *q = request;
    Directory__DomainListResponse *m = directory_message(a, &directory__domain_list_response__descriptor);
    struct domain_row *rows = NULL;
    bool more = false;
    size_t n = 0;
    int r = m ? domain_list(db, a, pb_str(q->after), q->limit, &rows, &n, &more) : E_NOMEM;

    if (r < 0)
        return r;
    if (!(m->domains = ARENA_ARRAY(a, n + 1, Directory__Domain *)))
        return E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        if (!(m->domains[i] = directory_message(a, &directory__domain__descriptor)))
            return E_NOMEM;
        m->domains[i]->domain = str_pb(rows[i].name);
        m->domains[i]->created_ms = rows[i].created_ms;
        m->domains[i]->aliases = rows[i].aliases;
        m->domains[i]->alias_of = str_pb(rows[i].alias_of);
        m->domains[i]->catch_all = str_pb(rows[i].catch_all);
        m->domains[i]->separators = str_pb(rows[i].separators);
        m->domains[i]->patterns = rows[i].patterns;
        m->domains[i]->backup_place = str_pb(rows[i].backup_place);
        if (!(m->domains[i]->quota = directory_quota(a, &rows[i].quota)))
            return E_NOMEM;
    }
    m->n_domains = n;
    m->more = more;
    return answer(out, m);
}

static int run_alias_list(struct db *db, struct arena *a, const void *request, struct directory_answer *out)
{
    const Directory__ListRequest *q = request;
    Directory__AliasListResponse *m = directory_message(a, &directory__alias_list_response__descriptor);
    struct address after;
    struct account *rows = NULL;
    struct str domain = STR_NONE;
    bool more = false;
    size_t n = 0;
    int r = 0;

    if (!m)
        return E_NOMEM;
    if ((q->domain.len && (r = address_domain(a, pb_str(q->domain), &domain)) < 0) ||
        (q->after.len && (r = address_parse(a, pb_str(q->after), &after)) < 0) ||
        (r = alias_list(db, a, domain, q->after.len ? &after : NULL, q->limit, &rows, &n, &more)) < 0)
        return r;
    if (!(m->aliases = ARENA_ARRAY(a, n + 1, Directory__Alias *)))
        return E_NOMEM;
    for (size_t i = 0; i < n; i++)
        if ((r = directory_alias(db, a, &rows[i], &m->aliases[i])) < 0)
            return r;
    m->n_aliases = n;
    m->more = more;
    return answer(out, m);
}

static int run_alias_show(struct db *db, struct arena *a, const void *request, struct directory_answer *out)
{
    const Directory__AliasRequest *q = request;
    struct account acc;
    struct address addr;
    int r;

    if ((r = address_parse(a, pb_str(q->address), &addr)) < 0 || (r = alias_get(db, a, &addr, &acc)) < 0)
        return r;
    return answer_alias(db, a, &acc, out);
}

/* ---- changing ---- */

static int run_domain_add(struct db *db, struct arena *a, const void *request, struct directory_answer *out)
{
    const Directory__DomainRequest *q = request;
    struct str name;
    int r;

    if ((r = address_domain(a, pb_str(q->domain), &name)) < 0)
        return r;
    if (!smtp_domain_public(name))
        return E_RANGE;
    if ((r = domain_add(db, name, clock_wall_ms())) < 0)
        return r;
    return answer_empty(a, out);
}

static int run_domain_remove(struct db *db, struct arena *a, const void *request,
                             struct directory_answer *out)
{
    const Directory__DomainRequest *q = request;
    struct str name;
    int r;

    if ((r = address_domain(a, pb_str(q->domain), &name)) < 0 || (r = domain_remove(db, name)) < 0)
        return r;
    return answer_empty(a, out);
}

static int run_alias_add(struct db *db, struct arena *a, const void *request, struct directory_answer *out)
{
    const Directory__AliasRequest *q = request;
    struct account acc;
    struct address addr;
    int r;

    if ((r = address_parse(a, pb_str(q->address), &addr)) < 0 ||
        (r = alias_add(db, a, &addr, clock_wall_ms(), &acc)) < 0)
        return r;
    return answer_alias(db, a, &acc, out);
}

static int run_alias_remove(struct db *db, struct arena *a, const void *request, struct directory_answer *out)
{
    const Directory__AliasRequest *q = request;
    struct account acc;
    struct address addr;
    int r;

    if ((r = address_parse(a, pb_str(q->address), &addr)) < 0 || (r = alias_remove(db, a, &addr, &acc)) < 0)
        return r;
    return answer_alias(db, a, &acc, out);
}

static bool keystate_is_sane(ProtobufCBinaryData mailbox_id, ProtobufCBinaryData state)
{
    return mailbox_id.len == MAILBOX_ID_LEN && state.len >= KEY_STATE_MIN && state.len <= KEY_STATE_MAX;
}

static int run_prepare(struct db *db, struct arena *a, const void *request, struct directory_answer *out)
{
    const Directory__KeystateRequest *q = request;
    int r = keystate_is_sane(q->mailbox_id, q->key_state)
                ? keystate_prepare(db, pb_str(q->mailbox_id), pb_str(q->key_state))
                : E_SYNTAX;

    return r < 0 ? r : answer_empty(a, out);
}

static int run_commit(struct db *db, struct arena *a, const void *request, struct directory_answer *out)
{
    const Directory__KeystateRequest *q = request;
    int r = keystate_is_sane(q->mailbox_id, q->key_state)
                ? keystate_commit(db, pb_str(q->mailbox_id), pb_str(q->key_state))
                : E_SYNTAX;

    return r < 0 ? r : answer_empty(a, out);
}

static int run_bind(struct db *db, struct arena *a, const void *request, struct directory_answer *out)
{
    const Directory__BindRequest *q = request;
    int r = keystate_is_sane(q->mailbox_id, q->key_state)
                ? mailbox_bind(db, q->alias_id, pb_str(q->mailbox_id), pb_str(q->key_state),
                               pb_str(q->replaces_mailbox_id))
                : E_SYNTAX;

    return r < 0 ? r : answer_empty(a, out);
}

const struct directory_op *directory_op_of(uint32_t op)
{
    static const struct directory_op ops[] = {
        [DIRECTORY__OP__STATUS] = { "status", &directory__status_request__descriptor, run_status, false },
        [DIRECTORY__OP__RESOLVE] = { "resolve", &directory__resolve_request__descriptor, run_resolve, false },
        [DIRECTORY__OP__DOMAIN_ADD] = { "domain_add", &directory__domain_request__descriptor, run_domain_add,
                                        true },
        [DIRECTORY__OP__DOMAIN_LIST] = { "domain_list", &directory__list_request__descriptor, run_domain_list,
                                         false },
        [DIRECTORY__OP__DOMAIN_REMOVE] = { "domain_remove", &directory__domain_request__descriptor,
                                           run_domain_remove, true },
        [DIRECTORY__OP__ALIAS_ADD] = { "alias_add", &directory__alias_request__descriptor, run_alias_add,
                                       true },
        [DIRECTORY__OP__ALIAS_LIST] = { "alias_list", &directory__list_request__descriptor, run_alias_list,
                                        false },
        [DIRECTORY__OP__ALIAS_SHOW] = { "alias_show", &directory__alias_request__descriptor, run_alias_show,
                                        false },
        [DIRECTORY__OP__ALIAS_REMOVE] = { "alias_remove", &directory__alias_request__descriptor,
                                          run_alias_remove, true },
        [DIRECTORY__OP__KEYSTATE_PREPARE] = { "keystate_prepare", &directory__keystate_request__descriptor,
                                              run_prepare, true },
        [DIRECTORY__OP__KEYSTATE_COMMIT] = { "keystate_commit", &directory__keystate_request__descriptor,
                                             run_commit, true },
        [DIRECTORY__OP__MAILBOX_BIND] = { "mailbox_bind", &directory__bind_request__descriptor, run_bind,
                                          true },
        [DIRECTORY__OP__LEASE] = { "lease", &directory__lease_request__descriptor, directory_run_lease,
                                   false },
        [DIRECTORY__OP__LIMIT_SET] = { "limit_set", &directory__limit_request__descriptor,
                                       directory_run_limit, true, true },
        [DIRECTORY__OP__ACCOUNT_ADD] = { "account_add", &directory__account_request__descriptor,
                                         directory_run_account_add, true },
        [DIRECTORY__OP__ACCOUNT_LIST] = { "account_list", &directory__list_request__descriptor,
                                          directory_run_account_list, false },
        [DIRECTORY__OP__ACCOUNT_REMOVE] = { "account_remove", &directory__account_request__descriptor,
                                            directory_run_account_remove, true },
        [DIRECTORY__OP__ACCOUNT_GIVE] = { "account_give", &directory__account_request__descriptor,
                                          directory_run_account_give, true, true },
        [DIRECTORY__OP__SENDER] = { "sender", &directory__sender_request__descriptor, directory_run_sender,
                                    false },
        [DIRECTORY__OP__SENDING_SET] = { "sending_set", &directory__sending_request__descriptor,
                                         directory_run_sending, false },
        [DIRECTORY__OP__DOMAIN_SET] = { "domain_set", &directory__domain_set_request__descriptor,
                                        directory_run_domain_set, true },
        [DIRECTORY__OP__ALIAS_SET] = { "alias_set", &directory__alias_set_request__descriptor,
                                       directory_run_alias_set, true },
        [DIRECTORY__OP__TARGET_SET] = { "target_set", &directory__target_request__descriptor,
                                        directory_run_target_set, true },
        [DIRECTORY__OP__PATTERN_SET] = { "pattern_set", &directory__pattern_request__descriptor,
                                         directory_run_pattern_set, true },
        [DIRECTORY__OP__PATTERN_LIST] = { "pattern_list", &directory__domain_request__descriptor,
                                          directory_run_pattern_list, false },
        [DIRECTORY__OP__ACCESS_SET] = { "access_set", &directory__access_request__descriptor,
                                        directory_run_access_set, true },
        [DIRECTORY__OP__ACCESS_LIST] = { "access_list", &directory__access_request__descriptor,
                                         directory_run_access_list, false },
        [DIRECTORY__OP__SPAM_SET] = { "spam_set", &directory__spam_request__descriptor,
                                      directory_run_spam_set, true },
        [DIRECTORY__OP__VACATION] = { "vacation", &directory__vacation_request__descriptor,
                                      directory_run_vacation, true },
    };

    return op < ARRAY_LEN(ops) && ops[op].run ? &ops[op] : NULL;
}
