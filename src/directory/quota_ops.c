/* src/directory/quota_ops.c: requests about limits and leases, to rows and back. */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/rpc/rpc.h"
#include "src/directory/leases.h"
#include "src/directory/ops.h"

Directory__Quota *directory_quota(struct arena *a, const struct quota *q)
{
    Directory__Quota *m = directory_message(a, &directory__quota__descriptor);

    if (!m)
        return NULL;
    m->limited = q->limited;
    m->limit = q->limit;
    m->used = q->used;
    m->leased = q->leased;
    m->account = str_pb(q->account);
    return m;
}

/* ---- leases ---- */

static int parts_of(struct arena *a, const Directory__LeaseRequest *q, struct lease_want *w)
{
    struct lease_part *v = ARENA_ARRAY(a, q->n_parts + 1, struct lease_part);

    if (!v)
        return E_NOMEM;
    for (size_t i = 0; i < q->n_parts; i++)
        v[i] = (struct lease_part){ q->parts[i]->generation, q->parts[i]->leased, q->parts[i]->used,
                                    q->parts[i]->messages };
    *w = (struct lease_want){ pb_str(q->mailbox_id), v, q->n_parts, q->only, q->need };
    return 0;
}

static int scopes_of(struct arena *a, const struct lease_grant *g, Directory__LeaseResponse *m)
{
    if (!(m->scopes = ARENA_ARRAY(a, LIMIT_KINDS, Directory__LeaseScope *)))
        return E_NOMEM;
    for (int i = 0; i < LIMIT_KINDS; i++) {
        Directory__LeaseScope *s;

        if (!g->scopes[i].limited)
            continue;
        if (!(s = directory_message(a, &directory__lease_scope__descriptor)))
            return E_NOMEM;
        s->kind = (Directory__LeaseScope__Kind)i;
        s->limit = g->scopes[i].limit;
        s->taken = g->scopes[i].taken;
        m->scopes[m->n_scopes++] = s;
    }
    return 0;
}

int directory_run_lease(struct db *db, struct arena *a, const void *request, struct directory_answer *out)
{
    const Directory__LeaseRequest *q = request;
    Directory__LeaseResponse *m = directory_message(a, &directory__lease_response__descriptor);
    struct lease_grant *g = ARENA_NEW(a, struct lease_grant);
    struct lease_want w;
    int r;

    if (!m || !g)
        return E_NOMEM;
    if (q->mailbox_id.len != MAILBOX_ID_LEN)
        return E_SYNTAX;
    if ((r = parts_of(a, q, &w)) < 0 || (r = lease_set(db, a, &w, g)) < 0 || (r = scopes_of(a, g, m)) < 0)
        return r;
    m->limited = g->limited;
    m->leased = g->leased;
    m->never = g->never;
    if (!(m->unused = ARENA_ARRAY(a, g->nunused + 1, ProtobufCBinaryData)))
        return E_NOMEM;
    for (; m->n_unused < g->nunused; m->n_unused++)
        m->unused[m->n_unused] = str_pb(g->unused[m->n_unused]);
    out->body = &m->base;
    return 0;
}

/* ---- limits and accounts ---- */

static int empty(struct arena *a, struct directory_answer *out)
{
    out->body = directory_message(a, &directory__empty__descriptor);
    return out->body ? 0 : E_NOMEM;
}

int directory_run_limit(struct db *db, struct arena *a, const void *request, struct directory_answer *out)
{
    const Directory__LimitRequest *q = request;
    struct address addr = { .local = STR_NONE };
    struct str name = pb_str(q->name);
    int r = 0;

    if (q->kind == DIRECTORY__LEASE_SCOPE__KIND__DOMAIN)
        r = address_domain(a, name, &name);
    else if (q->kind == DIRECTORY__LEASE_SCOPE__KIND__ALIAS)
        r = address_parse(a, name, &addr);
    else if (q->kind != DIRECTORY__LEASE_SCOPE__KIND__ACCOUNT)
        r = E_SYNTAX;
    if (r == 0 && q->limit > INT64_MAX / 4)
        r = E_RANGE;
    if (r < 0 || (r = limit_set(db, (enum limit_kind)q->kind, name, &addr, q->limited, q->limit)) < 0)
        return r;
    return empty(a, out);
}

int directory_run_account_add(struct db *db, struct arena *a, const void *request,
                              struct directory_answer *out)
{
    const Directory__AccountRequest *q = request;
    int r = account_add(db, pb_str(q->name), clock_wall_ms());

    return r < 0 ? r : empty(a, out);
}

int directory_run_account_remove(struct db *db, struct arena *a, const void *request,
                                 struct directory_answer *out)
{
    const Directory__AccountRequest *q = request;
    int r = account_remove(db, pb_str(q->name));

    return r < 0 ? r : empty(a, out);
}

int directory_run_account_give(struct db *db, struct arena *a, const void *request,
                               struct directory_answer *out)
{
    const Directory__AccountRequest *q = request;
    struct str member = pb_str(q->member), domain = STR_NONE;
    bool is_address = member.n && memchr(member.p, '@', member.n);
    struct address addr;
    int r = is_address ? address_parse(a, member, &addr) : address_domain(a, member, &domain);

    if (r < 0 || (r = account_give(db, pb_str(q->name), domain, is_address ? &addr : NULL)) < 0)
        return r;
    return empty(a, out);
}

int directory_run_account_list(struct db *db, struct arena *a, const void *request,
                               struct directory_answer *out)
{
    const Directory__ListRequest *q = request;
    Directory__AccountListResponse *m = directory_message(a, &directory__account_list_response__descriptor);
    struct account_row *rows = NULL;
    size_t n = 0;
    bool more = false;
    int r =
        m ? account_list(db, a, pb_str(q->after), pb_str(q->domain), q->limit, &rows, &n, &more) : E_NOMEM;

    if (r < 0)
        return r;
    if (!(m->accounts = ARENA_ARRAY(a, n + 1, Directory__Account *)))
        return E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        Directory__Account *row = directory_message(a, &directory__account__descriptor);

        if (!row || !(row->quota = directory_quota(a, &rows[i].quota)))
            return E_NOMEM;
        row->name = str_pb(rows[i].name);
        row->created_ms = rows[i].created_ms;
        row->domains = rows[i].domains;
        row->aliases = rows[i].aliases;
        row->messages = rows[i].messages;
        m->accounts[m->n_accounts++] = row;
    }
    m->more = more;
    out->body = &m->base;
    return 0;
}
