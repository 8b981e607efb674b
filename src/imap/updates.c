/* src/imap/updates.c
 *
 * What others did to the selected folder, told at the moments when it may be told: before a tagged
 * reply and while the client idles. The store says that there is news (CHANGED); here it is fetched
 * (SYNC) and written at once, so nothing piles up for a client that does not listen. What vanished but
 * must not be told yet (RFC 9051 7.5.1) waits as ranges in the view. */
#include "src/imap/imap.h"
#include "src/imap/context.h"
#include "src/imap/fetch.h"
#include "src/imap/news.h"
#include "src/imap/notify.h"

#define EXPUNGES_AT_ONCE 500
#define ROWS_AT_ONCE     500

/* A client that wants to hear nothing of its folder (RFC 5465 3.1) keeps what it knows. */
static bool must_sync(const struct imap_conn *c)
{
    return c->view && c->state == IMAP_ST_SELECTED && c->view->stale && !c->sync_failed && notify_selected(c);
}

bool imap_updates_due(const struct imap_conn *c)
{
    const struct view *v = c->view;

    if (imap_news_due(c) || notify_due(c))
        return true;
    if (!v || c->state != IMAP_ST_SELECTED)
        return false;
    return c->sync.call || must_sync(c) || v->fresh.n || contexts_due(c) ||
           (v->vanished.n && !imap_holds_expunges(c));
}

void imap_tell_exists(struct imap_conn *c)
{
    resp_printf(&c->w, "* %u EXISTS\r\n", uidranges_count(&c->view->uids));
    if (!c->rev2)
        resp_printf(&c->w, "* %u RECENT\r\n", uidranges_count(&c->view->recent));
}

void imap_write_flags(struct imap_conn *c, const Store__Row *row)
{
    uint32_t system = row->flags & IMAP_FLAGS_SETTABLE;
    const char *sep = "";

    if (!c->rev2 && uidranges_has(&c->view->recent, row->uid))
        system |= IMAP_FLAG_RECENT;
    resp_z(&c->w, "(");
    for (uint32_t bit = 1; bit <= IMAP_FLAG_RECENT; bit <<= 1) {
        if (system & bit) {
            resp_printf(&c->w, "%s%s", sep, imap_flag_name(bit));
            sep = " ";
        }
    }
    for (size_t i = 0; i < row->n_keywords; i++) {
        resp_printf(&c->w, "%s%s", sep, row->keywords[i]);
        sep = " ";
    }
    resp_z(&c->w, ")");
}

bool imap_fetch_head(struct imap_conn *c, uint32_t uid, bool with_uid)
{
    uint32_t seq = uidranges_seq(&c->view->uids, uid);

    if (!seq)
        return false;
    if (c->uidonly) {
        resp_printf(&c->w, "* %u UIDFETCH (", uid);
        return true;
    }
    resp_printf(&c->w, "* %u FETCH (", seq);
    if (with_uid)
        resp_printf(&c->w, "UID %u ", uid);
    return true;
}

void imap_tell_flags(struct imap_conn *c, const Store__Row *row, bool with_uid)
{
    if (uidranges_has(&c->view->vanished, row->uid) ||
        !imap_fetch_head(c, row->uid, with_uid || c->qresync || c->rev2)) /* RFC 9051 7.5.2 */
        return;
    resp_z(&c->w, "FLAGS ");
    imap_write_flags(c, row);
    if (c->condstore) /* RFC 7162 3.1: with every change that is told */
        resp_printf(&c->w, " MODSEQ (%llu)", (unsigned long long)row->modseq);
    resp_z(&c->w, ")\r\n");
}

/* From the end to the front: then no number that was told changes the next one. All at once from the
 * view: one by one would be quadratic. */
static int tell_expunges(struct imap_conn *c)
{
    struct view *v = c->view;
    CLEANUP(uidranges_release) struct uidranges some = { 0 };
    uint32_t left = uidranges_count(&v->vanished);
    int r = 0;

    contexts_vanished(c);
    if (c->qresync || c->uidonly) { /* RFC 7162 3.2.10, RFC 9586 3: one VANISHED instead */
        resp_z(&c->w, "* VANISHED ");
        if (c->w.r == 0)
            c->w.r = uidranges_write(&v->vanished, &c->out);
        resp_crlf(&c->w);
        r = uidranges_copy(&some, &v->vanished);
        left = 0;
    }
    for (int n = 0; left && n < EXPUNGES_AT_ONCE && r == 0; n++, left--) {
        uint32_t uid = uidranges_uid(&v->vanished, left), seq = uidranges_seq(&v->uids, uid);

        r = uidranges_add(&some, uid, uid);
        if (seq)
            resp_printf(&c->w, "* %u EXPUNGE\r\n", seq);
    }
    if (r < 0 || (r = uidranges_subtract(&v->vanished, &some)) < 0 ||
        (r = uidranges_subtract(&v->recent, &some)) < 0)
        return r;
    return uidranges_subtract(&v->uids, &some);
}

/* RFC 7162 3.2.10 and errata 1810: were this client cut off now, it would take the highest modseq that
 * it saw for what it knows, and never hear of what is held back. */
void imap_tell_held_back(struct imap_conn *c)
{
    const struct view *v = c->view;

    if (v && c->qresync && c->state == IMAP_ST_SELECTED && v->vanished.n && v->modseq > v->all_told)
        resp_printf(&c->w, "* OK [HIGHESTMODSEQ %llu] Some have gone, which is not told yet\r\n",
                    (unsigned long long)v->all_told);
}

static int add_ranges(struct uidranges *to, const uint32_t *v, size_t n)
{
    struct uidranges u = { 0 };
    int r = imap_unpack_ranges(v, n, &u);

    for (size_t i = 0; i < u.n && r == 0; i++)
        r = uidranges_add(to, u.r[i].lo, u.r[i].hi);
    uidranges_release(&u);
    return r;
}

/* New UIDs are larger than all that were: else sequence numbers of others would move. */
static int add_new(struct imap_conn *c, const Store__SyncResponse *m)
{
    struct view *v = c->view;
    struct uidranges u = { 0 };
    uint32_t last = uidranges_last(&v->uids);
    int r = imap_unpack_ranges(m->added_ranges, m->n_added_ranges, &u);

    if (r == 0 && last)
        r = uidranges_remove(&u, 1, last);
    for (size_t i = 0; i < u.n && r == 0; i++)
        r = uidranges_add(&v->uids, u.r[i].lo, u.r[i].hi);
    for (size_t i = 0; i < u.n && r == 0; i++)
        contexts_changed(c, u.r[i].lo, u.r[i].hi, true);
    if (r == 0 && notify_fetch(c).n && (r = uidranges_subtract(&u, &v->mine)) == 0)
        for (size_t i = 0; i < u.n && r == 0; i++)
            r = uidranges_add(&v->fresh, u.r[i].lo, u.r[i].hi);
    uidranges_clear(&v->mine);
    uidranges_release(&u);
    return r < 0 ? r : add_ranges(&v->recent, m->recent_ranges, m->n_recent_ranges);
}

/* Of what vanished only what the client knows is news to it. */
int imap_vanish(struct imap_conn *c, const uint32_t *ranges, size_t n)
{
    CLEANUP(uidranges_release) struct uidranges gone = { 0 };
    struct view *v = c->view;
    bool first = v->vanished.n == 0;
    int r = imap_unpack_ranges(ranges, n, &gone);

    for (size_t i = 0; i < gone.n && r == 0; i++) {
        uint32_t uid = uidranges_next(&v->uids, gone.r[i].lo - 1);

        while (uid && uid <= gone.r[i].hi && r == 0) {
            uint32_t last = uidranges_run(&v->uids, uid);

            last = last < gone.r[i].hi ? last : gone.r[i].hi;
            r = uidranges_add(&v->vanished, uid, last);
            uid = uidranges_next(&v->uids, last);
        }
    }
    if (first && v->vanished.n)
        v->all_told = v->modseq;
    return r;
}

void imap_came(struct imap_conn *c, uint32_t uidvalidity, const uint32_t *ranges, size_t n)
{
    struct view *v = c->view;

    if (!v || v->uidvalidity != uidvalidity ||
        !notify_fetch(c).n) /* no two folders of a mailbox have the same */
        return;
    if (add_ranges(&v->mine, ranges, n) < 0)
        uidranges_clear(&v->mine); /* then they are told */
}

static void tell_keywords(struct imap_conn *c, struct arena *a, const Store__SyncResponse *m)
{
    struct str *keywords = ARENA_ARRAY(a, m->n_keywords, struct str);
    struct imap_flags f = { .system = IMAP_FLAGS_SETTABLE, .keywords = keywords };

    if (!view_new_keywords(c->view, m->keywords, m->n_keywords) || !keywords)
        return;
    for (; f.nkeywords < m->n_keywords; f.nkeywords++)
        keywords[f.nkeywords] = str_from(m->keywords[f.nkeywords]);
    resp_z(&c->w, "* FLAGS ");
    resp_flags(&c->w, &f);
    resp_crlf(&c->w);
}

static int take(struct imap_conn *c, struct arena *a, const Store__SyncResponse *m)
{
    struct view *v = c->view;
    uint32_t last = uidranges_last(&v->uids);
    int r = imap_vanish(c, m->vanished_ranges, m->n_vanished_ranges);

    contexts_vanished(c); /* at once, also when EXPUNGE must wait (RFC 5267 A.3) */
    while (v->vanished.n && r == 0 && !imap_holds_expunges(c))
        r = tell_expunges(c);
    if (r == 0)
        r = add_new(c, m);
    if (r < 0)
        return r;
    if (uidranges_last(&v->uids) > last)
        imap_tell_exists(c);
    tell_keywords(c, a, m);
    for (size_t i = 0; i < m->n_changed; i++) {
        if (uidranges_has(&v->uids, m->changed[i]->uid))
            contexts_changed(c, m->changed[i]->uid, m->changed[i]->uid, false);
        if (!view_is_own(v, m->changed[i]->modseq) && (notify_selected(c) & NOTIFY_FLAGS))
            imap_tell_flags(c, m->changed[i], c->uid || c->notify); /* RFC 5465 5.1: with UID */
    }
    v->gone = m->gone;
    v->stale = m->more;
    if (m->highest_modseq > v->modseq)
        v->modseq = m->highest_modseq;
    if (!m->more)
        uidranges_clear(&v->own);
    return 0;
}

static void taken(struct imap_conn *c, int status)
{
    c->sync_failed = status < 0;
    if (status == 0 && c->view->gone)
        imap_bye(c, NULL, "The selected mailbox has been deleted");
    if (status == E_NOTFOUND || status == E_GONE)
        imap_bye(c, NULL, "The selected mailbox has been deleted");
}

void imap_updates_take(struct imap_conn *c, struct arena *a, const Store__SyncResponse *m)
{
    taken(c, take(c, a, m));
}

static void synced(struct imap_conn *c, int status, struct str body)
{
    struct arena own = { .max = MIB(16) };
    Store__SyncResponse *m;

    if (!c->view)
        return;
    if (status == 0) {
        m = RPC_UNPACK(&own, body, store__sync_response);
        status = m ? take(c, &own, m) : E_CORRUPT;
    }
    arena_release(&own);
    taken(c, status);
}

/* RFC 5465 5.2: after EXISTS, what the client wants of new messages. */
static bool tell_fresh(struct imap_conn *c)
{
    CLEANUP(uidranges_release) struct uidranges some = { 0 };
    CLEANUP(buf_release) struct buf atts = { .max = MIB(1) };
    struct str copy;
    uint32_t uid;
    int r;

    if (!c->view || c->state != IMAP_ST_SELECTED || !c->view->fresh.n)
        return false;
    uid = uidranges_next(&c->view->fresh, 0);
    if (contexts_fetch(c, uid, notify_fetch(c),
                       &atts)) { /* this one with the items of both, in one response */
        r = uidranges_add(&some, uid, uid);
        r = r < 0 ? r : uidranges_remove(&c->view->fresh, uid, uid);
    } else {
        some = c->view->fresh;
        c->view->fresh = (struct uidranges){ 0 };
        r = buf_puts(&atts, notify_fetch(c));
    }
    if (r < 0 || imap_aside(c) < 0) {
        uidranges_clear(&c->view->fresh);
        return true;
    }
    copy = arena_dup(&c->arena, buf_str(&atts));
    if (!copy.p || (r = fetch_aside(c, copy, &some)) < 0)
        imap_fail_status(c, copy.p ? r : E_NOMEM); /* to nobody */
    return true;
}

int imap_updates_step(struct imap_conn *c)
{
    Store__SyncRequest m = STORE__SYNC_REQUEST__INIT;

    if (c->sync.call)
        return 0;
    if (imap_news_due(c))
        return imap_news_step(c);
    if (c->view && c->view->vanished.n && !imap_holds_expunges(c)) {
        if (tell_expunges(c) < 0)
            imap_bye(c, "UNAVAILABLE", "Out of memory");
        return 1;
    }
    if (!must_sync(c))
        return contexts_due(c) ? contexts_step(c) : tell_fresh(c) ? 1 : notify_step(c);
    m.session = imap_session(c);
    m.folder_id = c->view->folder_id;
    m.since_modseq = c->view->modseq;
    m.limit = ROWS_AT_ONCE;
    if (imap_ask_sync(c, &m.base, synced) < 0) {
        c->sync_failed = true;
        return 1;
    }
    return 0;
}
