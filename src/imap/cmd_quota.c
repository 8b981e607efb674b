/* src/imap/cmd_quota.c: GETQUOTA, GETQUOTAROOT (RFC 9208 4.1), and the word of warning.
 *
 * A mailbox in the store's sense, all folders of an address, is one quota root of its own; where the
 * operator limits its domain or its account there are roots of those names too. All folders have the same roots.
 * Limits are the operator's to set: no SETQUOTA, no QUOTASET. */
#include "src/imap/imap.h"

struct getquota {
    struct str root; /* empty: those of `folder` */
    struct str folder;
};

/* RFC 9208 5.1: STORAGE in units of 1024 octets; what is begun counts. */
static uint64_t units(uint64_t bytes)
{
    return bytes / 1024 + (bytes % 1024 > 0);
}

static void write_root(struct imap_conn *c, const Store__QuotaResponse *m, const Store__QuotaRoot *root)
{
    bool own = str_eq_z(pb_str(root->name), "mailbox");
    const char *sep = "";

    resp_printf(&c->w, "* QUOTA \"%.*s\" (", STR_ARG(pb_str(root->name)));
    if (root->limited) { /* a limit that is no multiple of the unit: rounded down, it is reached no later */
        resp_printf(&c->w, "STORAGE %llu %llu", (unsigned long long)units(root->used),
                    (unsigned long long)(root->limit / 1024));
        sep = " ";
    }
    if (own)
        resp_printf(&c->w, "%sMESSAGE %llu %llu MAILBOX %llu %llu", sep, (unsigned long long)m->messages,
                    (unsigned long long)m->messages_max, (unsigned long long)m->folders,
                    (unsigned long long)m->folders_max);
    resp_z(&c->w, ")\r\n");
}

static void quota_came(struct imap_conn *c, int status, struct str body)
{
    const struct getquota *g = c->step_data;
    Store__QuotaResponse *m = NULL;
    bool any = false;

    if (status == 0 && !(m = RPC_UNPACK(&c->arena, body, store__quota_response)))
        status = E_CORRUPT;
    if (status < 0) {
        imap_fail_status(c, status);
        return;
    }
    if (g->folder.p) {
        resp_z(&c->w, "* QUOTAROOT ");
        resp_mailbox(&c->w, g->folder);
        for (size_t i = 0; i < m->n_roots; i++)
            resp_printf(&c->w, " \"%.*s\"", STR_ARG(pb_str(m->roots[i]->name)));
        resp_crlf(&c->w);
    }
    for (size_t i = 0; i < m->n_roots; i++)
        if (g->folder.p || str_eq(g->root, pb_str(m->roots[i]->name))) {
            write_root(c, m, m->roots[i]);
            any = true;
        }
    if (any)
        imap_ok(c, "Completed");
    else
        imap_no(c, "NONEXISTENT", "There is no such quota root");
}

static int ask(struct imap_conn *c, struct getquota g)
{
    Store__SessionRequest m = STORE__SESSION_REQUEST__INIT;
    struct getquota *kept = ARENA_NEW(&c->arena, struct getquota);

    if (!kept)
        return E_NOMEM;
    *kept = g;
    c->step_data = kept;
    m.session = imap_session(c);
    return imap_ask_store(c, STORE__OP__QUOTA, &m.base, false, quota_came);
}

int imap_cmd_getquota(struct imap_conn *c, struct args *a)
{
    struct getquota g = { .folder = STR_NONE };
    int r;

    if ((r = args_sp(a)) < 0 || (r = args_astring(a, &g.root)) < 0 || (r = args_end(a)) < 0)
        return r;
    return ask(c, g);
}

int imap_cmd_getquotaroot(struct imap_conn *c, struct args *a)
{
    struct getquota g = { .root = STR_NONE };
    int r;

    if ((r = args_sp(a)) < 0 || (r = args_mailbox(a, &g.folder)) < 0 || (r = args_end(a)) < 0)
        return r;
    return ask(c, g);
}

void imap_tell_quota(struct imap_conn *c)
{
    if (!c->quota_percent)
        return;
    resp_printf(&c->w, "* NO [OVERQUOTA] More than %u %% of the space is used\r\n", c->quota_percent);
    c->quota_percent = 0;
}
