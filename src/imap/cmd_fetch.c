/* src/imap/cmd_fetch.c: FETCH (RFC 9051 6.4.5). Bytes of messages stream from the store to the client;
 * at most a window of them is here.
 *
 * Most requests need one pass: rows, or rows with their header blocks, or whole messages, of all UIDs
 * in one request ("plain"). What asks for places inside of messages, or for several, is done message
 * by message: the row with the structure first, then each range ("piecewise").
 *
 * A store that dies in between is asked again from where we are: (uid, offset). */
#include "src/imap/fetch.h"
#include "src/imap/fetch_private.h"
#include "src/imap/qresync.h"

#define RESUMES_MAX 20u

/* ---- a message ---- */

static void unpack_root(struct fetch *f)
{
    struct str packed = pb_str(f->row->structure);

    if (!packed.n || mime_structure_unpack(&f->records.arena, packed, &f->root) < 0)
        f->root = NULL;
}

static int begin_message(struct imap_conn *c, struct fetch *f, Store__Row *row)
{
    uint32_t seq = uidranges_seq(&c->view->uids, row->uid);

    f->row = row;
    f->uid = row->uid;
    f->skip = seq == 0 || !uidranges_has(&f->todo, row->uid);
    f->item = 0;
    f->sent = 0;
    f->root = NULL;
    buf_clear(&f->header);
    f->header.max = FETCH_HEADER_MAX;
    if (f->skip)
        return 0;
    if (row->modseq >
        c->view->modseq) /* who is told this modseq must be told all before it, in this command */
        c->view->stale = true;
    unpack_root(f);
    return 0;
}

void fetch_open(struct imap_conn *c, struct fetch *f)
{
    imap_fetch_head(c, f->uid, false);
    f->open = c->mid_response = true;
}

int fetch_message_done(struct imap_conn *c, struct fetch *f)
{
    if (f->open)
        resp_z(&c->w, ")\r\n");
    f->open = c->mid_response = false;
    f->resumes = 0;
    return uidranges_remove(&f->todo, 1, f->uid); /* they come in ascending order */
}

/* Plain: items until the one that streams, or the end. */
static int write_plain(struct imap_conn *c, struct fetch *f)
{
    for (; f->item < f->items.n; f->item++) {
        const struct fetch_item *i = fetch_next_item(c, f);

        switch (fetch_need(i)) {
        case NEED_NOTHING: fetch_write_value(c, f, i->kind); break;
        case NEED_HEADER: fetch_write_header(c, f, i); break;
        case NEED_WHOLE:
        case NEED_RANGE:
            f->left = f->row->data_bytes;
            resp_literal_head(&c->w, f->left, false);
            if (f->left)
                return 0;
            break;
        }
    }
    return fetch_message_done(c, f);
}

static int on_row(void *ctx, Store__Row *row)
{
    struct imap_conn *c = ctx;
    struct fetch *f = c->step_data;

    if (f->open) { /* resumed: the literal was announced, its bytes must be there still */
        f->row = row;
        unpack_root(f);
        return row->uid == f->uid && row->data_bytes == f->left ? 0 : E_GONE;
    }
    begin_message(c, f, row);
    if (f->piecewise || f->skip)
        return 0;
    if (f->collecting && row->data_bytes) {
        f->left = row->data_bytes;
        return 0;
    }
    fetch_open(c, f);
    return write_plain(c, f);
}

static int on_range_row(void *ctx, Store__Row *row)
{
    struct imap_conn *c = ctx;
    struct fetch *f = c->step_data;

    return row->uid == f->uid && row->data_bytes == f->left ? 0 : E_GONE;
}

static int on_bytes(void *ctx, struct str bytes)
{
    struct imap_conn *c = ctx;
    struct fetch *f = c->step_data;

    if (f->skip)
        return 0;
    if (bytes.n > f->left)
        return E_CORRUPT;
    f->left -= bytes.n;
    f->offset += bytes.n;
    f->sent += bytes.n;
    if (f->binary)
        return fetch_decode(c, f, bytes);
    if (f->collecting) { /* what is beyond the limit of a header is not looked at */
        size_t n = size_min(bytes.n, f->header.max - f->header.n);
        int r = buf_append(&f->header, bytes.p, n);

        if (r < 0 || f->left || f->piecewise)
            return r;
        fetch_open(c, f);
        return write_plain(c, f);
    }
    resp_raw(&c->w, bytes);
    if (f->left || f->piecewise)
        return 0;
    f->item++;
    return write_plain(c, f);
}

int fetch_data(struct imap_conn *c, struct str data)
{
    struct fetch *f = c->step_data;

    return records_feed(f->phase == PHASE_RANGE ? &f->ranges : &f->records, c, data);
}

/* ---- requests ---- */

static void asked_plain(struct imap_conn *c, int status, struct str body);

static int ask_plain(struct imap_conn *c, struct fetch *f)
{
    Store__FetchRequest m = STORE__FETCH_REQUEST__INIT;
    int r = imap_pack_ranges(&c->arena, &f->todo, &m.n_uid_ranges, &m.uid_ranges);

    if (r < 0)
        return r;
    m.session = imap_session(c);
    m.folder_id = c->view->folder_id;
    m.want = f->want;
    m.set_seen = f->set_seen;
    m.changed_since = f->items.changedsince;
    for (size_t k = 0; k < f->items.n; k++) {
        const struct fetch_item *i = &f->items.v[k];

        if (fetch_need(i) == NEED_WHOLE && i->has_partial) {
            m.offset = i->partial_off;
            m.length = i->partial_len;
        }
    }
    if (f->open)
        m.first_offset = f->sent;
    records_restart(&f->records);
    return imap_ask_down(c, STORE__OP__FETCH, &m.base, false, fetch_data, asked_plain);
}

void fetch_fail(struct imap_conn *c, int status)
{
    if (c->mid_response) {
        conn_abort(c->io, E_CLOSED);
        c->closing = true;
        return;
    }
    imap_fail_status(c, status == E_CLOSED ? E_UNAVAIL : status);
}

bool fetch_may_resume(struct fetch *f, int status)
{
    return status == E_CLOSED && f->resumes++ < RESUMES_MAX;
}

void fetch_note_own(struct imap_conn *c, const struct fetch *f, struct str body)
{
    struct arena a = { .max = KIB(4) };
    Store__FetchResponse *m = f->set_seen && body.n ? RPC_UNPACK(&a, body, store__fetch_response) : NULL;

    if (m)
        view_own(c->view, m->first_modseq, m->highest_modseq);
    arena_release(&a);
}

static void asked_plain(struct imap_conn *c, int status, struct str body)
{
    struct fetch *f = c->step_data;

    if (status == 0)
        fetch_note_own(c, f, body);

    if (fetch_may_resume(f, status)) {
        if (f->collecting || !f->open) /* nothing of this message is out: once more from its start */
            buf_clear(&f->header);
        status = ask_plain(c, f);
        if (status == 0)
            return;
    }
    if (status == 0 && f->open)
        status = E_CORRUPT;
    if (status < 0)
        fetch_fail(c, status);
    else
        imap_ok_code(c, f->code, f->text);
}

/* ---- the command ---- */

static void fetch_release(struct imap_conn *c)
{
    struct fetch *f = c->step_data;

    uidranges_release(&f->todo);
    records_release(&f->records);
    records_release(&f->ranges);
    buf_release(&f->header);
}

static struct fetch *fetch_new(struct imap_conn *c)
{
    struct fetch *f = ARENA_NEW(&c->arena, struct fetch);

    if (!f)
        return NULL;
    records_init(&f->records);
    f->records.on_row = on_row;
    f->records.on_bytes = on_bytes;
    records_init(&f->ranges);
    f->ranges.on_row = on_range_row;
    f->ranges.on_bytes = on_bytes;
    f->text = "Completed";
    c->step_data = f;
    c->cleanup = fetch_release;
    return f;
}

static uint32_t how_far(const struct imap_conn *c)
{
    const struct fetch *f = c->step_data;

    return c->progress_goal - uidranges_count(&f->todo);
}

static int fetch_begin(struct imap_conn *c)
{
    struct fetch *f = c->step_data;

    if (f->todo.n == 0)
        return imap_ok_code(c, f->code, f->text);
    if (!c->aside) {
        c->how_far = how_far;
        c->progress_goal = uidranges_count(&f->todo);
    }
    if (!f->piecewise)
        return ask_plain(c, f);
    c->step = fetch_step_pieces;
    return 0;
}

int fetch_changed(struct imap_conn *c, const struct uidranges *uids, uint64_t since, const char *code,
                  const char *text)
{
    static const struct fetch_item items[] = { { .kind = FETCH_UID, .peek = true },
                                               { .kind = FETCH_FLAGS, .peek = true },
                                               { .kind = FETCH_MODSEQ, .peek = true } };
    struct fetch *f = fetch_new(c);
    int r = f ? uidranges_copy(&f->todo, uids) : E_NOMEM;

    if (r < 0)
        return r;
    f->items = (struct fetch_items){ items, ARRAY_LEN(items), true, false, since };
    if (c->uidonly) { /* UIDFETCH begins with it */
        f->items.v++;
        f->items.n--;
    }
    f->code = code;
    f->text = text;
    return fetch_begin(c);
}

int fetch_aside(struct imap_conn *c, struct str atts, const struct uidranges *uids)
{
    struct fetch *f = fetch_new(c);
    struct args a = args_of(&c->arena, atts, c->w.utf8);
    int r = f ? fetch_atts_parse(&a, &f->items) : E_NOMEM;

    for (size_t i = 0; i < uids->n && r == 0; i++)
        for (uint32_t uid = uidranges_next(&c->view->uids, uids->r[i].lo - 1), last;
             uid && uid <= uids->r[i].hi && r == 0; uid = uidranges_next(&c->view->uids, last)) {
            last = uidranges_run(&c->view->uids, uid);
            last = last < uids->r[i].hi ? last : uids->r[i].hi;
            r = uidranges_add(&f->todo, uid, last);
        }
    if (r < 0)
        return r;
    fetch_plan(f, true);
    return (r = fetch_complete_items(c, f)) < 0 ? r : fetch_begin(c);
}

/* UID FETCH … (CHANGEDSINCE n VANISHED) (RFC 7162 3.2.6): what went of the UIDs that were named, whether
 * or not they were ever in this view. '*' reaches to the end, where what went last may be. */
static int ask_vanished(struct imap_conn *c, const struct fetch *f, struct str set)
{
    CLEANUP(uidranges_release) struct uidranges all = { 0 };
    const struct seqset *uids = NULL;
    uint32_t *v;
    size_t n;
    int r = str_eq_z(set, "$") ? imap_pick_saved(c, &all) : seqset_parse(&c->arena, set, UINT32_MAX, &uids);

    for (size_t i = 0; r == 0 && uids && i < seqset_ranges(uids); i++)
        r = uidranges_add(&all, seqset_range(uids, i).lo, seqset_range(uids, i).hi);
    if (r < 0 || (r = imap_pack_ranges(&c->arena, &all, &n, &v)) < 0)
        return r;
    return qresync_vanished(c, f->items.changedsince, v, n, NULL, fetch_begin);
}

int imap_cmd_fetch(struct imap_conn *c, struct args *a)
{
    struct fetch *f = fetch_new(c);
    struct args set;
    struct str text = STR_NONE;
    int r;

    if (!f)
        return E_NOMEM;
    if ((r = args_sp(a)) < 0)
        return r;
    set = *a;
    if ((r = args_set_text(&set, &text)) < 0 || (r = imap_pick(c, a, &f->todo)) < 0 || (r = args_sp(a)) < 0 ||
        (r = fetch_items_parse(a, &f->items)) < 0)
        return r;
    if (f->items.has_changedsince && f->items.changedsince == 0)
        return imap_bad_code(c, "CLIENTBUG", "CHANGEDSINCE wants a mod-sequence above zero");
    if (f->items.vanished && !(c->uid && c->qresync && f->items.has_changedsince))
        return imap_bad_code(
            c, "CLIENTBUG",
            "VANISHED wants UID FETCH, CHANGEDSINCE, and QRESYNC enabled"); /* RFC 7162 3.2.6 */
    if (f->items.has_partial && !c->uid)
        return imap_bad_code(c, "CLIENTBUG", "PARTIAL wants UID FETCH");
    if ((f->items.has_partial && (r = fetch_take_window(f)) < 0) || (r = imap_limit(c, &f->todo)) < 0)
        return r;
    if (f->items.has_changedsince || fetch_items_have(&f->items, FETCH_MODSEQ))
        condstore_enable(c);
    fetch_plan(f, c->view->read_only);
    if ((r = fetch_complete_items(c, f)) < 0)
        return r;
    if (f->items.vanished)
        return ask_vanished(c, f, text);
    if (f->todo.n == 0)
        return imap_ok(c, "None of these is here");
    return fetch_begin(c);
}
