/* src/imap/fetch_pieces.c: FETCH message by message: the row first, then each item's bytes by a request of its own. BINARY
 * (RFC 3516) of an encoded part reads them twice: a literal says its size before its bytes. */
#include "src/imap/fetch_private.h"
#include "src/imap/section.h"

static void asked_piece(struct imap_conn *c, int status, struct str body);

static int ask_piece(struct imap_conn *c, struct fetch *f)
{
    Store__FetchRequest m = STORE__FETCH_REQUEST__INIT;
    uint32_t uid[2] = { f->uid, f->uid };
    bool range = f->phase == PHASE_RANGE;

    m.session = imap_session(c);
    m.folder_id = c->view->folder_id;
    m.n_uid_ranges = 2;
    m.uid_ranges = uid;
    m.want = range ? STORE__WANT__BODY : f->want;
    m.set_seen = f->set_seen && !range;
    m.changed_since = range ? 0 : f->items.changedsince;
    m.offset = range ? f->offset : 0;
    m.length = range ? f->left : 0;
    records_restart(range ? &f->ranges : &f->records);
    return imap_ask_down(c, STORE__OP__FETCH, &m.base, false, fetch_data, asked_piece);
}

/* ---- what is decoded ---- */

/* What has been decoded, as far as it is asked for. */
static void decoded(struct imap_conn *c, struct fetch *f, struct str s)
{
    uint64_t at = f->decoded, end = f->window.offset + f->window.bytes;

    f->decoded += s.n;
    if (f->binary != BINARY_SEND || at >= end || f->decoded <= f->window.offset)
        return;
    if (f->decoded > end)
        s.n -= f->decoded - end;
    if (at < f->window.offset)
        s = str_skip(s, (size_t)(f->window.offset - at));
    resp_raw(&c->w, s);
}

int fetch_decode(struct imap_conn *c, struct fetch *f, struct str bytes)
{
    CLEANUP(buf_release) struct buf out = { .max = bytes.n + KIB(1) };
    int r = mime_decoder_feed(&f->decoder, bytes, &out);

    if (r == 0 && f->left == 0)
        r = mime_decoder_finish(&f->decoder, &out);
    decoded(c, f, buf_str(&out));
    return r;
}

static int read_encoded(struct imap_conn *c, struct fetch *f, enum binary how)
{
    mime_decoder_init(&f->decoder, f->decoder.encoding);
    f->binary = how;
    f->decoded = 0;
    f->offset = f->part.offset;
    f->left = f->part.bytes;
    f->phase = PHASE_RANGE;
    return ask_piece(c, f);
}

static bool knows_encoding(struct str token)
{
    return token.n == 0 || str_ieq_z(token, "7bit") || str_ieq_z(token, "8bit") ||
           str_ieq_z(token, "binary") || mime_encoding_of(token) != MIME_IDENTITY;
}

/* RFC 3516 4.2: 1: written, 0: asked, 2: the bytes are sent as they are. */
static int piece_binary(struct imap_conn *c, struct fetch *f, const struct fetch_item *i,
                        struct mime_range at)
{
    const struct mime_part *p =
        i->section.npath ? mime_section_part(f->root, i->section.path, i->section.npath) : NULL;
    struct str token = p && p->kind == MIME_LEAF ? p->encoding : STR_NONE;

    f->decoder.encoding = mime_encoding_of(token);
    f->part = at;
    f->collecting = false;
    if (!knows_encoding(token)) {
        f->unknown_cte = true; /* said at the end: the other items are good */
        resp_z(&c->w, "NIL");
        return 1;
    }
    if (at.bytes && f->decoder.encoding != MIME_IDENTITY)
        return read_encoded(c, f, BINARY_COUNT);
    if (i->kind == FETCH_BINARY)
        return 2;
    resp_printf(&c->w, "%llu", (unsigned long long)at.bytes);
    return 1;
}

/* The first reading is over: 1: that was all, 0: asked. */
static int binary_counted(struct imap_conn *c, struct fetch *f)
{
    const struct fetch_item *i = &f->items.v[f->item];
    uint64_t n = f->decoded;

    f->binary = BINARY_NONE;
    if (i->kind == FETCH_BINARY_SIZE) {
        resp_printf(&c->w, "%llu", (unsigned long long)n);
        return 1;
    }
    f->window = (struct mime_range){ 0, n };
    if (i->has_partial) {
        f->window.offset = i->partial_off < n ? i->partial_off : n;
        n -= f->window.offset;
        f->window.bytes = i->partial_len < n ? i->partial_len : n;
    }
    resp_literal_head(&c->w, f->window.bytes, true);
    return f->window.bytes ? read_encoded(c, f, BINARY_SEND) : 1;
}

/* ---- an item ---- */

/* Where the item's bytes are in the message. False: there is no such section. */
static bool range_of(const struct fetch *f, const struct fetch_item *i, struct mime_range *out)
{
    struct fetch_section whole = { .text = FETCH_TEXT_ALL };

    if (i->kind == FETCH_RFC822_HEADER)
        whole.text = FETCH_TEXT_HEADER;
    else if (i->kind == FETCH_RFC822_TEXT)
        whole.text = FETCH_TEXT_TEXT;
    return section_range(f->row, f->root, i->section.npath || i->kind == FETCH_BODY ? &i->section : &whole,
                         out);
}

/* The item's bytes: from the message, by another request. 1: written, 0: asked. */
static int piece(struct imap_conn *c, struct fetch *f, const struct fetch_item *i)
{
    struct mime_range at = { 0, 0 };

    if (!range_of(f, i, &at)) {
        resp_z(&c->w, "NIL");
        return 1;
    }
    if (i->kind == FETCH_BINARY || i->kind == FETCH_BINARY_SIZE) {
        int r = piece_binary(c, f, i, at);

        if (r < 2)
            return r;
    }
    f->collecting = fetch_is_filtered(i);
    if (!f->collecting && i->has_partial) {
        uint64_t skip = i->partial_off < at.bytes ? i->partial_off : at.bytes;

        at.offset += skip;
        at.bytes -= skip;
        at.bytes = i->partial_len < at.bytes ? i->partial_len : at.bytes;
    }
    buf_clear(&f->header);
    f->offset = at.offset;
    f->left = f->collecting && at.bytes > FETCH_HEADER_MAX ? FETCH_HEADER_MAX : at.bytes;
    if (!f->collecting)
        resp_literal_head(&c->w, f->left, i->kind == FETCH_BINARY);
    if (f->left == 0) {
        if (f->collecting)
            fetch_write_header(c, f, i);
        return 1;
    }
    f->phase = PHASE_RANGE;
    return ask_piece(c, f);
}

static void asked_piece(struct imap_conn *c, int status, struct str body)
{
    struct fetch *f = c->step_data;

    if (status == 0)
        fetch_note_own(c, f, body);

    if (fetch_may_resume(f, status)) { /* offset and left say what is still missing */
        status = ask_piece(c, f);
        if (status == 0)
            return;
    }
    if (status == 0 && f->phase == PHASE_RANGE && f->left)
        status = E_GONE;
    if (status < 0) {
        c->step = NULL;
        fetch_fail(c, status);
        return;
    }
    if (f->phase == PHASE_RANGE) {
        if (f->binary == BINARY_COUNT && (status = binary_counted(c, f)) <= 0) {
            if (status < 0) {
                c->step = NULL;
                fetch_fail(c, status);
            }
            return;
        }
        f->binary = BINARY_NONE;
        if (f->collecting)
            fetch_write_header(c, f, &f->items.v[f->item]);
        f->item++;
    } else if (f->row && !f->skip) {
        fetch_open(c, f);
    }
    f->phase = PHASE_ITEMS;
}

static int write_pieces(struct imap_conn *c, struct fetch *f)
{
    while (f->item < f->items.n) {
        const struct fetch_item *i = fetch_next_item(c, f);
        int r = 1;

        if (fetch_need(i) == NEED_NOTHING)
            fetch_write_value(c, f, i->kind);
        else if ((r = piece(c, f, i)) <= 0)
            return r;
        f->item++;
    }
    f->phase = PHASE_NEXT;
    return fetch_message_done(c, f);
}

int fetch_step_pieces(struct imap_conn *c)
{
    struct fetch *f = c->step_data;
    int r = 0;

    if (f->phase == PHASE_ITEMS && (!f->row || f->skip)) { /* vanished meanwhile */
        f->phase = PHASE_NEXT;
        r = uidranges_remove(&f->todo, 1, f->uid);
    } else if (f->phase == PHASE_ITEMS) {
        r = write_pieces(c, f);
    } else if (f->todo.n == 0) {
        if (f->unknown_cte)
            imap_no(c, "UNKNOWN-CTE", "A part is encoded in a way that is not known here");
        else
            imap_ok_code(c, f->code, f->text);
        return 1;
    } else {
        f->uid = uidranges_next(&f->todo, 0);
        f->row = NULL;
        r = ask_piece(c, f);
    }
    if (r >= 0)
        return 0;
    fetch_fail(c, r);
    return 1;
}
