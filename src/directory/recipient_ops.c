/* src/directory/recipient_ops.c: requests about recipients, to rows and back. */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/rpc/rpc.h"
#include "lib/smtp/path.h"
#include "src/directory/expand.h"
#include "src/directory/ops.h"
#include "src/directory/patterns.h"
#include "src/directory/spam_points.h"

static int empty(struct arena *a, struct directory_answer *out)
{
    out->body = directory_message(a, &directory__empty__descriptor);
    return out->body ? 0 : E_NOMEM;
}

/* ---- RESOLVE, for delivery ---- */

static const Directory__ResolveResponse__Result results[] = {
    [EXPAND_OK] = DIRECTORY__RESOLVE_RESPONSE__RESULT__OK,
    [EXPAND_NO_DOMAIN] = DIRECTORY__RESOLVE_RESPONSE__RESULT__NO_DOMAIN,
    [EXPAND_NO_ALIAS] = DIRECTORY__RESOLVE_RESPONSE__RESULT__NO_ALIAS,
    [EXPAND_NOT_READY] = DIRECTORY__RESOLVE_RESPONSE__RESULT__NOT_READY,
    [EXPAND_DISABLED] = DIRECTORY__RESOLVE_RESPONSE__RESULT__DISABLED,
    [EXPAND_REFUSED] = DIRECTORY__RESOLVE_RESPONSE__RESULT__REFUSED,
    [EXPAND_LOOP] = DIRECTORY__RESOLVE_RESPONSE__RESULT__LOOP,
};

static Directory__ResolvedMailbox *mailbox_message(struct arena *a, const struct expand_box *b)
{
    Directory__ResolvedMailbox *m = directory_message(a, &directory__resolved_mailbox__descriptor);

    if (!m || directory_states(a, &b->account, &m->key_states) < 0)
        return NULL;
    m->n_key_states = b->account.nstates;
    m->mailbox_id = str_pb(b->account.mailbox_id);
    m->address = str_pb(b->account.address);
    m->limited = b->room.limited;
    m->room = b->room.room;
    m->limit = b->room.limit;
    return m;
}

static int put_boxes(struct arena *a, const struct expansion *e, Directory__ResolveResponse *m)
{
    const Directory__ResolvedMailbox *first;

    if (!(m->more = ARENA_ARRAY(a, e->nboxes + 1, Directory__ResolvedMailbox *)))
        return E_NOMEM;
    for (size_t i = 0; i < e->nboxes; i++)
        if (!(m->more[i] = mailbox_message(a, &e->boxes[i])))
            return E_NOMEM;
    if (!e->nboxes)
        return 0;
    first = *m->more++;
    m->n_more = e->nboxes - 1;
    m->alias_id = e->boxes[0].account.alias_id;
    m->mailbox_id = first->mailbox_id;
    m->key_states = first->key_states;
    m->n_key_states = first->n_key_states;
    m->address = first->address;
    m->limited = first->limited;
    m->room = first->room;
    m->limit = first->limit;
    return 0;
}

static int put_spam(struct arena *a, const struct spam_points *p, Directory__SpamPoints **out)
{
    Directory__SpamPoints *m = directory_message(a, &directory__spam_points__descriptor);

    if (!m)
        return E_NOMEM;
    m->header = p->v[SPAM_POINTS_HEADER];
    m->junk = p->v[SPAM_POINTS_JUNK];
    m->reject = p->v[SPAM_POINTS_REJECT];
    *out = m;
    return 0;
}

static int put_alias_spam(struct db *db, struct arena *a, Directory__ResolveResponse *m)
{
    struct spam_points p;
    int r = m->alias_id ? spam_points_of_alias(db, m->alias_id, &p) : 0;

    return r < 0 || !m->alias_id ? r : put_spam(a, &p, &m->spam);
}

static int put_forwards(struct arena *a, const struct expansion *e, Directory__ResolveResponse *m)
{
    if (!(m->forwards = ARENA_ARRAY(a, e->nforwards + 1, Directory__ResolvedForward *)))
        return E_NOMEM;
    for (size_t i = 0; i < e->nforwards; i++) {
        const struct expand_forward *f = &e->forwards[i];
        Directory__ResolvedForward *one = directory_message(a, &directory__resolved_forward__descriptor);

        if (!one)
            return E_NOMEM;
        one->kind = (Directory__AliasTarget__Kind)f->target.kind;
        one->to = str_pb(f->target.to);
        one->alias = str_pb(f->alias);
        one->domain = str_pb(f->domain);
        m->forwards[m->n_forwards++] = one;
    }
    return 0;
}

#define VACATIONS_MAX 8u

static int put_vacations(struct db *db, struct arena *a, const struct expansion *e,
                         Directory__ResolveResponse *m)
{
    int r;

    if (!(m->vacations = ARENA_ARRAY(a, VACATIONS_MAX, Directory__Vacation *)))
        return E_NOMEM;
    for (size_t i = 0; i < e->ntaken && m->n_vacations < VACATIONS_MAX; i++) {
        if ((r = directory_vacation(db, a, e->taken[i], e->taken_as[i], &m->vacations[m->n_vacations])) < 0)
            return r;
        if (r > 0)
            m->vacations[m->n_vacations++]->direct = i == 0 && e->named;
    }
    return 0;
}

static int expand(struct db *db, struct arena *a, const Directory__ResolveRequest *q, struct expansion *e)
{
    struct access_peer peer;
    struct account acc;
    struct address addr;
    struct str text = pb_str(q->address);
    int r;

    *e = (struct expansion){ .result = EXPAND_NO_DOMAIN };
    if (str_ieq_z(text, "postmaster")) { /* RFC 5321 4.5.1 */
        if ((r = alias_postmaster(db, a, &acc)) < 0) {
            e->result = EXPAND_NO_ALIAS;
            return r == E_NOTFOUND ? 0 : r;
        }
        text = acc.address;
    }
    if ((r = address_parse(a, text, &addr)) < 0)
        return r == E_NOMEM ? r : 0;
    if (q->has_sender && (r = access_peer_of(a, pb_str(q->sender), pb_str(q->peer_ip), &peer)) < 0)
        return r;
    return recipient_expand(db, a, &addr, q->has_sender ? &peer : NULL, e);
}

int directory_run_deliver(struct db *db, struct arena *a, const void *request, struct directory_answer *out)
{
    Directory__ResolveResponse *m = directory_message(a, &directory__resolve_response__descriptor);
    struct expansion e;
    int r;

    if (!m)
        return E_NOMEM;
    if ((r = expand(db, a, request, &e)) < 0)
        return r;
    m->result = results[e.result];
    m->answer = e.answer;
    m->address = str_pb(e.address);
    if (e.result == EXPAND_OK && ((r = put_boxes(a, &e, m)) < 0 || (r = put_alias_spam(db, a, m)) < 0 ||
                                  (r = put_forwards(a, &e, m)) < 0 || (r = put_vacations(db, a, &e, m)) < 0))
        return r;
    if (e.fixed && (e.result == EXPAND_OK || e.result == EXPAND_DISABLED))
        out->cache_as = resolve_cache_key(a, request);
    out->body = &m->base;
    return 0;
}

/* ---- aliases and their targets ---- */

int directory_targets(struct db *db, struct arena *a, const struct account *acc, Directory__Alias *m)
{
    struct target *v = NULL;
    size_t n = 0;
    int r = alias_target_list(db, a, acc->alias_id, &v, &n);

    if (r < 0)
        return r;
    if (!(m->targets = ARENA_ARRAY(a, n + 1, Directory__AliasTarget *)))
        return E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        Directory__AliasTarget *t = directory_message(a, &directory__alias_target__descriptor);

        if (!t)
            return E_NOMEM;
        t->kind = (Directory__AliasTarget__Kind)v[i].kind;
        t->to = str_pb(v[i].to);
        m->targets[m->n_targets++] = t;
    }
    return 0;
}

static int answer_alias(struct db *db, struct arena *a, const struct address *addr,
                        struct directory_answer *out)
{
    Directory__Alias *m = NULL;
    struct account acc;
    int r;

    if ((r = alias_get(db, a, addr, &acc)) < 0 || (r = directory_alias(db, a, &acc, &m)) < 0)
        return r;
    out->body = &m->base;
    return 0;
}

int directory_run_alias_set(struct db *db, struct arena *a, const void *request, struct directory_answer *out)
{
    const Directory__AliasSetRequest *q = request;
    struct address addr;
    int r;

    if ((r = address_parse(a, pb_str(q->address), &addr)) < 0 ||
        (q->set_answer && (r = alias_set_answer(db, a, &addr, q->answer)) < 0))
        return r;
    return answer_alias(db, a, &addr, out);
}

int directory_run_target_set(struct db *db, struct arena *a, const void *request,
                             struct directory_answer *out)
{
    const Directory__TargetRequest *q = request;
    struct target t = { TARGET_MAILBOX, STR_NONE }, clean;
    struct address addr;
    int r;

    if (!q->target)
        return E_SYNTAX;
    t = (struct target){ (enum target_kind)q->target->kind, pb_str(q->target->to) };
    if ((r = address_parse(a, pb_str(q->address), &addr)) < 0)
        return r;
    r = alias_target_clean(a, &t, &clean);
    if (r == E_DENIED && q->remove) /* allowed once, no longer: it can still be taken away */
        clean = t;
    else if (r < 0)
        return r;
    if ((r = q->remove ? alias_target_remove(db, a, &addr, &clean)
                       : alias_target_add(db, a, &addr, &clean, clock_wall_ms())) < 0)
        return r;
    return answer_alias(db, a, &addr, out);
}

/* ---- domains ---- */

static int set_catch_all(struct db *db, struct arena *a, struct str domain, struct str to)
{
    struct address addr;
    int r = to.n ? address_parse(a, to, &addr) : 0;

    return r < 0 ? r : domain_set_catch_all(db, a, domain, to.n ? &addr : NULL);
}

static int set_alias_of(struct db *db, struct arena *a, struct str domain, struct str of)
{
    int r = of.n ? address_domain(a, of, &of) : 0;

    return r < 0 ? r : domain_set_alias(db, domain, of);
}

int directory_run_domain_set(struct db *db, struct arena *a, const void *request,
                             struct directory_answer *out)
{
    const Directory__DomainSetRequest *q = request;
    struct str name;
    int r;

    if ((r = address_domain(a, pb_str(q->domain), &name)) < 0 ||
        (q->set_alias_of && (r = set_alias_of(db, a, name, pb_str(q->alias_of))) < 0) ||
        (q->set_catch_all && (r = set_catch_all(db, a, name, pb_str(q->catch_all))) < 0) ||
        (q->set_separators && (r = domain_set_separators(db, name, pb_str(q->separators))) < 0) ||
        (q->set_backup_place && (r = domain_set_backup_place(db, name, pb_str(q->backup_place))) < 0))
        return r;
    return empty(a, out);
}

int directory_run_pattern_set(struct db *db, struct arena *a, const void *request,
                              struct directory_answer *out)
{
    Directory__PatternResponse *m = directory_message(a, &directory__pattern_response__descriptor);
    CLEANUP(buf_release) struct buf why = { .max = 300 };
    const Directory__PatternRequest *q = request;
    struct pattern p;
    struct str name;
    int r;

    if (!m)
        return E_NOMEM;
    if (!q->pattern || q->pattern->position > PATTERN_POSITION_MAX)
        return E_RANGE;
    p = (struct pattern){ q->pattern->position, pb_str(q->pattern->pattern), pb_str(q->pattern->target) };
    if ((r = address_domain(a, pb_str(q->domain), &name)) < 0)
        return r;
    if (q->remove) {
        r = pattern_remove(db, name, p.position);
    } else if ((r = pattern_check(p.pattern, p.target, &why)) == E_SYNTAX) {
        m->why = str_pb(arena_dup(a, buf_str(&why)));
        r = m->why.data ? 0 : E_NOMEM;
    } else if (r == 0) {
        r = pattern_add(db, name, &p, clock_wall_ms(), &m->position);
    }
    out->body = &m->base;
    return r;
}

int directory_run_pattern_list(struct db *db, struct arena *a, const void *request,
                               struct directory_answer *out)
{
    Directory__PatternListResponse *m = directory_message(a, &directory__pattern_list_response__descriptor);
    const Directory__DomainRequest *q = request;
    struct pattern *v = NULL;
    struct str name;
    size_t n = 0;
    int r;

    if (!m)
        return E_NOMEM;
    if ((r = address_domain(a, pb_str(q->domain), &name)) < 0 || (r = pattern_list(db, a, name, &v, &n)) < 0)
        return r;
    if (!(m->patterns = ARENA_ARRAY(a, n + 1, Directory__Pattern *)))
        return E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        Directory__Pattern *p = directory_message(a, &directory__pattern__descriptor);

        if (!p)
            return E_NOMEM;
        p->position = v[i].position;
        p->pattern = str_pb(v[i].pattern);
        p->target = str_pb(v[i].target);
        m->patterns[m->n_patterns++] = p;
    }
    out->body = &m->base;
    return 0;
}

/* ---- allow and deny ---- */

/* Whose list: "example.org", or "ann@example.org". */
static int owner_of(struct arena *a, struct str name, struct str *domain, struct address *addr,
                    bool *is_address)
{
    *is_address = str_chr(name, '@') >= 0;
    return *is_address ? address_parse(a, name, addr) : address_domain(a, name, domain);
}

int directory_run_access_set(struct db *db, struct arena *a, const void *request,
                             struct directory_answer *out)
{
    const Directory__AccessRequest *q = request;
    struct address addr;
    struct str domain = STR_NONE, who;
    bool is_address;
    int r;

    if (!q->rule)
        return E_SYNTAX;
    if ((r = owner_of(a, pb_str(q->name), &domain, &addr, &is_address)) < 0 ||
        (r = access_who(a, pb_str(q->rule->who), &who)) < 0)
        return r;
    r = q->remove
            ? access_remove(db, a, domain, is_address ? &addr : NULL, who, q->rule->allow)
            : access_add(db, a, domain, is_address ? &addr : NULL, who, q->rule->allow, clock_wall_ms());
    return r < 0 ? r : empty(a, out);
}

int directory_run_spam_set(struct db *db, struct arena *a, const void *request, struct directory_answer *out)
{
    const Directory__SpamRequest *q = request;
    struct spam_points p = { .v = { 0 } }, now;
    Directory__SpamPoints *m = NULL;
    struct account acc = { .alias_id = 0 };
    struct str domain = STR_NONE;
    struct address addr;
    int64_t domain_id = 0;
    bool is_address;
    int r;

    if (q->points)
        p = (struct spam_points){ .v = { q->points->header, q->points->junk, q->points->reject } };
    if ((r = owner_of(a, pb_str(q->name), &domain, &addr, &is_address)) < 0 ||
        (r = is_address ? alias_get(db, a, &addr, &acc) : recipient_domain_id(db, domain, &domain_id)) < 0 ||
        (r = spam_points_set(db, domain_id, acc.alias_id, q->which, &p)) < 0 ||
        (r = is_address ? spam_points_of_alias(db, acc.alias_id, &now)
                        : spam_points_of_domain(db, domain_id, &now)) < 0 ||
        (r = put_spam(a, &now, &m)) < 0)
        return r;
    out->body = &m->base;
    return 0;
}

struct listing {
    struct arena *a;
    Directory__AccessListResponse *m;
    size_t cap;
};

static int list_row(void *ctx, struct str who, bool allow)
{
    struct listing *l = ctx;
    Directory__AccessRule *one = directory_message(l->a, &directory__access_rule__descriptor);

    if (!one)
        return E_NOMEM;
    if (l->m->n_rules == l->cap) {
        Directory__AccessRule **more = ARENA_ARRAY(l->a, 2 * l->cap + 64, Directory__AccessRule *);

        if (!more)
            return E_NOMEM;
        if (l->cap)
            memcpy(more, l->m->rules, l->cap * sizeof(*more));
        l->m->rules = more;
        l->cap = 2 * l->cap + 64;
    }
    one->who = str_pb(arena_dup(l->a, who));
    one->allow = allow;
    l->m->rules[l->m->n_rules++] = one;
    return one->who.data ? 0 : E_NOMEM;
}

int directory_run_access_list(struct db *db, struct arena *a, const void *request,
                              struct directory_answer *out)
{
    Directory__AccessListResponse *m = directory_message(a, &directory__access_list_response__descriptor);
    struct listing l = { a, m, 0 };
    const Directory__AccessRequest *q = request;
    struct account acc = { .alias_id = 0 };
    struct address addr;
    struct str domain;
    bool is_address;
    int64_t id = 0;
    int r;

    if (!m)
        return E_NOMEM;
    if ((r = owner_of(a, pb_str(q->name), &domain, &addr, &is_address)) < 0 ||
        (r = is_address ? alias_get(db, a, &addr, &acc) : recipient_domain_id(db, domain, &id)) < 0 ||
        (r = access_rows(db, id, acc.alias_id, list_row, &l)) < 0)
        return r;
    out->body = &m->base;
    return 0;
}
