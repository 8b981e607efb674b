/* src/imap/cmd_store.c: STORE (RFC 9051 6.4.6). The store answers with the rows as they are now. */
#include "lib/imap/store_args.h"
#include "src/common/records.h"
#include "src/imap/imap.h"
#include "src/imap/qresync.h"

struct store {
    struct records records;
    bool silent;
    bool current; /* nothing waited to be told when it began, and no keyword is named */
    size_t rows;  /* that came */
};

static void tell_modseq(struct imap_conn *c, const Store__Row *row)
{
    if (!imap_fetch_head(c, row->uid, c->uid || c->qresync))
        return;
    resp_printf(&c->w, "MODSEQ (%llu))\r\n", (unsigned long long)row->modseq);
}

static int on_row(void *ctx, Store__Row *row)
{
    struct imap_conn *c = ctx;
    struct store *s = c->step_data;

    s->rows++;
    if (!s->silent)
        imap_tell_flags(c, row, c->uid);
    else if (c->condstore) /* RFC 7162 3.1.3: the new modseq is told even then */
        tell_modseq(c, row);
    return 0;
}

static int on_data(struct imap_conn *c, struct str data)
{
    struct store *s = c->step_data;

    return records_feed(&s->records, c, data);
}

static void store_release(struct imap_conn *c)
{
    struct store *s = c->step_data;

    records_release(&s->records);
}

/* "[MODIFIED 7,9]": numbers, or UIDs for UID STORE (RFC 7162 3.1.3). */
static int modified(struct imap_conn *c, const struct uidranges *failed)
{
    CLEANUP(uidranges_release) struct uidranges seqs = { 0 };
    CLEANUP(buf_release) struct buf code = { .max = KIB(240) };
    uint32_t uid = 0;
    struct resp w;
    int r = 0;

    while (!c->uid && r == 0 && (uid = uidranges_next(failed, uid)) != 0)
        if (uidranges_has(&c->view->uids, uid))
            r = uidranges_add(&seqs, uidranges_seq(&c->view->uids, uid), uidranges_seq(&c->view->uids, uid));
    if (r < 0 || (r = uidranges_write(c->uid ? failed : &seqs, &code)) < 0)
        return r;
    if (c->limited_uid) { /* a reply has one code: see imap_ok_code */
        resp_printf(&c->w, "* OK [MODIFIED %.*s] Some had changed meanwhile\r\n", STR_ARG(buf_str(&code)));
        return imap_ok(c, "Completed");
    }
    w = imap_final(c);
    resp_printf(&w, "%.*s OK [MODIFIED %.*s] Some had changed meanwhile\r\n", STR_ARG(c->tag),
                STR_ARG(buf_str(&code)));
    c->bad = 0;
    return imap_finish(c);
}

/* Nobody else did anything since this client was told everything, and what we did its rows have told: SYNC has nothing to
 * add. Contexts and NOTIFY live on what SYNC says. */
static bool all_told(const struct imap_conn *c, const Store__FlagStoreResponse *m)
{
    const struct store *s = c->step_data;
    const struct view *v = c->view;

    return s->current && !m->foreign && !m->n_modified_ranges && m->first_modseq == v->modseq &&
           v->called <= m->highest_modseq && !c->sync.call && !c->contexts && !c->notify;
}

static void stored(struct imap_conn *c, int status, struct str body)
{
    const struct store *s = c->step_data;
    Store__FlagStoreResponse *m = NULL;
    struct uidranges failed = { 0 };

    if (status == E_CLOSED && s->rows) { /* rows come after the commit: it is done, SYNC tells the rest */
        uidranges_clear(&c->view->own);
        c->view->stale = true;
        imap_ok(c, "Completed");
        return;
    }
    if (status == 0 && !(m = RPC_UNPACK(&c->arena, body, store__flag_store_response)))
        status = E_CORRUPT;
    if (status == 0)
        status = imap_unpack_ranges(m->modified_ranges, m->n_modified_ranges, &failed);
    if (status == 0 && failed.n && (status = modified(c, &failed)) == 0)
        c->view->stale = true; /* what they are now is told before the reply */
    if (status < 0) {
        imap_fail_status(c, status == E_CLOSED ? E_UNAVAIL : status);
    } else if (all_told(c, m)) {
        c->view->modseq = m->highest_modseq;
        c->view->stale = false;
        imap_ok(c, "Completed");
    } else {
        if (m->highest_modseq > c->view->modseq)
            c->view->stale = true;
        if (!m->foreign || !s->silent) /* else SYNC tells what others changed as well */
            view_own(c->view, m->first_modseq, m->highest_modseq);
        if (!failed.n)
            imap_ok(c, "Completed");
    }
    uidranges_release(&failed);
}

static int ask(struct imap_conn *c, const struct store_args *s, const struct uidranges *uids)
{
    static const Store__FlagStoreRequest__Mode modes[] = {
        [STORE_FLAGS_REPLACE] = STORE__FLAG_STORE_REQUEST__MODE__SET,
        [STORE_FLAGS_ADD] = STORE__FLAG_STORE_REQUEST__MODE__ADD,
        [STORE_FLAGS_REMOVE] = STORE__FLAG_STORE_REQUEST__MODE__REMOVE,
    };
    Store__FlagStoreRequest m = STORE__FLAG_STORE_REQUEST__INIT;
    struct store *state = ARENA_NEW(&c->arena, struct store);
    char **keywords = ARENA_ARRAY(&c->arena, s->flags.nkeywords, char *);
    int r;

    if (!state || !keywords)
        return E_NOMEM;
    for (size_t i = 0; i < s->flags.nkeywords; i++)
        if (!(keywords[i] = arena_dupz(&c->arena, s->flags.keywords[i])))
            return E_NOMEM;
    if ((r = imap_pack_ranges(&c->arena, uids, &m.n_uid_ranges, &m.uid_ranges)) < 0)
        return r;
    m.session = imap_session(c);
    m.folder_id = c->view->folder_id;
    m.mode = modes[s->how];
    m.flags = s->flags.system;
    m.has_unchanged_since = s->has_unchangedsince;
    m.unchanged_since = s->unchangedsince;
    m.known_modseq = c->view->modseq;
    m.n_keywords = s->flags.nkeywords;
    m.keywords = keywords;
    records_init(&state->records);
    state->records.on_row = on_row;
    state->silent = s->silent;
    state->current = !c->view->stale && !s->flags.nkeywords && s->how != STORE_FLAGS_REPLACE;
    c->step_data = state;
    c->cleanup = store_release;
    return imap_ask_down(c, STORE__OP__FLAG_STORE, &m.base, true, on_data, stored);
}

int imap_cmd_store(struct imap_conn *c, struct args *a)
{
    CLEANUP(uidranges_release) struct uidranges uids = { 0 };
    struct store_args s;
    int r;

    if ((r = args_sp(a)) < 0 || (r = imap_pick(c, a, &uids)) < 0 || (r = args_sp(a)) < 0 ||
        (r = store_args_parse(a, &s)) < 0)
        return r;
    if (s.has_unchangedsince)
        condstore_enable(c);
    if (uids.n == 0)
        return imap_ok(c, "None of these is here");
    return (r = imap_limit(c, &uids)) < 0 ? r : ask(c, &s, &uids);
}
