/* src/imap/cmd_fetch.c: FETCH (RFC 9051 6.4.5). Bytes of messages stream from the store to the client;
 * at most a window of them is here.
 *
 * Most requests need one pass: rows, or rows with their header blocks, or whole messages, of all UIDs
 * in one request ("plain"). What asks for places inside of messages, or for several, is done message
 * by message: the row with the structure first, then each range ("piecewise").
 *
 * A store that dies in between is asked again from where we are: (uid, offset). */
#include "lib/imap/fetch_items.h"
#include "lib/mime/decode.h"
#include "lib/mime/header.h"
#include "lib/mime/imap_format.h"
#include "lib/mime/section.h"
#include "lib/mime/structure.h"
#include "src/common/records.h"
#include "src/imap/esearch.h"
#include "src/imap/fetch.h"
#include "src/imap/qresync.h"
#include "src/imap/section.h"

#define HEADER_BYTES_MAX KIB(256) /* of a header block that is filtered or partly sent */
#define RESUMES_MAX      20u

enum need { NEED_NOTHING, NEED_HEADER, NEED_WHOLE, NEED_RANGE };

enum phase { PHASE_NEXT, PHASE_ITEMS, PHASE_RANGE };

/* BINARY (RFC 3516) of an encoded part reads it twice: a literal says its size before its bytes. */
enum binary { BINARY_NONE, BINARY_COUNT, BINARY_SEND };

struct fetch {
    struct fetch_items items;
    struct uidranges todo;  /* not complete yet */
    struct records records; /* of rows; its arena holds the row and root of the message at hand */
    struct records ranges;  /* of the requests for bytes in it */
    uint32_t want;
    bool set_seen, piecewise;
    unsigned resumes;
    /* the message at hand */
    Store__Row *row;
    struct mime_part *root; /* in the records' arena */
    uint32_t uid;
    bool open;         /* "* n FETCH (" has been written */
    bool skip;         /* not in this client's view */
    size_t item;       /* the next to write */
    struct buf header; /* collected: NEED_HEADER, and ranges that are filtered */
    bool collecting;
    uint64_t left, offset; /* of the literal that streams: to come, and where the next byte is */
    uint64_t sent;         /* of the literal, when plain */
    enum binary binary;
    struct mime_decoder decoder;
    struct mime_range part;   /* of the encoded bytes */
    uint64_t decoded;         /* so far */
    struct mime_range window; /* of the decoded bytes: what is sent */
    bool unknown_cte;         /* something could not be decoded: RFC 3516 4.3 */
    enum phase phase;
    const char *code, *text; /* of the tagged OK; code may be NULL */
};

static enum need need_of(const struct fetch_item *i)
{
    switch (i->kind) {
    case FETCH_RFC822: return NEED_WHOLE;
    case FETCH_RFC822_HEADER: return NEED_HEADER;
    case FETCH_RFC822_TEXT:
    case FETCH_BINARY:
    case FETCH_BINARY_SIZE: return NEED_RANGE;
    case FETCH_BODY:
        if (i->section.npath)
            return NEED_RANGE;
        switch (i->section.text) {
        case FETCH_TEXT_ALL: return NEED_WHOLE;
        case FETCH_TEXT_HEADER:
        case FETCH_TEXT_HEADER_FIELDS:
        case FETCH_TEXT_HEADER_FIELDS_NOT: return NEED_HEADER;
        case FETCH_TEXT_TEXT:
        case FETCH_TEXT_MIME: break;
        }
        return NEED_RANGE;
    default: return NEED_NOTHING;
    }
}

static bool wants_structure(const struct fetch_item *i)
{
    return i->kind == FETCH_ENVELOPE || i->kind == FETCH_BODYSTRUCTURE || i->kind == FETCH_BODY_STRUCTURE ||
           i->section.npath > 0;
}

static bool wants_meta(const struct fetch_item *i)
{
    return i->kind == FETCH_INTERNALDATE || i->kind == FETCH_RFC822_SIZE || i->kind == FETCH_EMAILID ||
           i->kind == FETCH_THREADID || i->kind == FETCH_SAVEDATE;
}

/* Which way, and what to ask for. */
static void plan(struct fetch *f, bool read_only)
{
    size_t header = 0, whole = 0, range = 0;

    for (size_t k = 0; k < f->items.n; k++) {
        const struct fetch_item *i = &f->items.v[k];
        enum need need = need_of(i);

        header += need == NEED_HEADER;
        whole += need == NEED_WHOLE;
        range += need == NEED_RANGE;
        f->set_seen |= !i->peek && !read_only;
        f->want |= (wants_structure(i) ? STORE__WANT__STRUCTURE : 0) |
                   (wants_meta(i) ? STORE__WANT__META : 0) |
                   (i->kind == FETCH_PREVIEW ? STORE__WANT__PREVIEW : 0);
    }
    f->piecewise = range || whole > 1 || (whole && header);
    if (f->piecewise)
        f->want |= STORE__WANT__META;
    else if (header)
        f->want |= STORE__WANT__HEADER;
    else if (whole)
        f->want |= STORE__WANT__BODY;
    f->collecting = !f->piecewise && header;
}

/* ---- single items ---- */

static void write_structure(struct imap_conn *c, const struct fetch *f, enum fetch_kind kind)
{
    if (c->w.r < 0)
        return;
    if (!f->root) { /* never parsed, or damaged: a text, so that the client can at least ask for BODY[] */
        resp_printf(&c->w,
                    kind == FETCH_ENVELOPE ? "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"
                                           : "(\"TEXT\" \"PLAIN\" NIL NIL NIL \"8BIT\" %llu 0)",
                    (unsigned long long)f->row->bytes);
        return;
    }
    c->w.r = kind == FETCH_ENVELOPE
                 ? mime_imap_envelope(f->root->envelope, c->w.utf8, &c->out)
                 : mime_imap_body(f->root, kind == FETCH_BODYSTRUCTURE, c->w.utf8, &c->out);
}

/* RFC 8970 3.2: who does not ask lazily is never told NIL. */
static void write_preview(struct imap_conn *c, const struct fetch *f)
{
    const struct fetch_item *i = &f->items.v[f->item];

    if (f->row->no_preview && i->lazy)
        resp_z(&c->w, "NIL");
    else
        resp_string(&c->w, pb_str(f->row->preview));
}

static void write_value(struct imap_conn *c, const struct fetch *f, enum fetch_kind kind)
{
    const Store__Row *row = f->row;

    switch (kind) {
    case FETCH_FLAGS: imap_write_flags(c, row); return;
    case FETCH_UID: resp_printf(&c->w, "%u", row->uid); return;
    case FETCH_INTERNALDATE: resp_date_time(&c->w, row->internal_date_ms); return;
    case FETCH_RFC822_SIZE: resp_printf(&c->w, "%llu", (unsigned long long)row->bytes); return;
    case FETCH_MODSEQ: resp_printf(&c->w, "(%llu)", (unsigned long long)row->modseq); return;
    case FETCH_EMAILID: resp_printf(&c->w, "(%.*s)", STR_ARG(pb_str(row->email_id))); return;
    case FETCH_THREADID:
        if (row->thread_id.len)
            resp_printf(&c->w, "(%.*s)", STR_ARG(pb_str(row->thread_id)));
        else
            resp_z(&c->w, "NIL");
        return;
    case FETCH_PREVIEW: write_preview(c, f); return;
    case FETCH_SAVEDATE: resp_date_time(&c->w, row->saved_ms); return;
    case FETCH_ENVELOPE:
    case FETCH_BODYSTRUCTURE:
    case FETCH_BODY_STRUCTURE: write_structure(c, f, kind); return;
    default: resp_z(&c->w, "NIL"); return;
    }
}

static bool is_filtered(const struct fetch_item *i)
{
    return i->section.text == FETCH_TEXT_HEADER_FIELDS || i->section.text == FETCH_TEXT_HEADER_FIELDS_NOT;
}

/* A value that is in memory, as far as the partial asks for it. */
static void write_bytes(struct imap_conn *c, const struct fetch_item *i, struct str s)
{
    if (i->has_partial) {
        s = str_skip(s, i->partial_off < s.n ? (size_t)i->partial_off : s.n);
        s.n = i->partial_len < s.n ? (size_t)i->partial_len : s.n;
    }
    resp_literal_head(&c->w, s.n, false);
    resp_raw(&c->w, s);
}

static void write_header(struct imap_conn *c, struct fetch *f, const struct fetch_item *i)
{
    CLEANUP(buf_release) struct buf some = { .max = HEADER_BYTES_MAX + 2 };

    if (!is_filtered(i)) {
        write_bytes(c, i, buf_str(&f->header));
        return;
    }
    if (c->w.r == 0)
        c->w.r = mime_header_filter(buf_str(&f->header), i->section.fields, i->section.nfields,
                                    i->section.text == FETCH_TEXT_HEADER_FIELDS_NOT, &some);
    write_bytes(c, i, buf_str(&some));
}

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
    f->header.max = HEADER_BYTES_MAX;
    if (f->skip)
        return 0;
    if (row->modseq >
        c->view->modseq) /* who is told this modseq must be told all before it, in this command */
        c->view->stale = true;
    unpack_root(f);
    return 0;
}

static void open_response(struct imap_conn *c, struct fetch *f)
{
    imap_fetch_head(c, f->uid, false);
    f->open = c->mid_response = true;
}

static int message_done(struct imap_conn *c, struct fetch *f)
{
    if (f->open)
        resp_z(&c->w, ")\r\n");
    f->open = c->mid_response = false;
    f->resumes = 0;
    return uidranges_remove(&f->todo, 1, f->uid); /* they come in ascending order */
}

/* Name of the next item, with the space before it. */
static const struct fetch_item *next_item(struct imap_conn *c, struct fetch *f)
{
    const struct fetch_item *i = &f->items.v[f->item];

    resp_z(&c->w, f->item ? " " : "");
    fetch_item_name(&c->w, i);
    resp_z(&c->w, " ");
    return i;
}

/* Plain: items until the one that streams, or the end. */
static int write_plain(struct imap_conn *c, struct fetch *f)
{
    for (; f->item < f->items.n; f->item++) {
        const struct fetch_item *i = next_item(c, f);

        switch (need_of(i)) {
        case NEED_NOTHING: write_value(c, f, i->kind); break;
        case NEED_HEADER: write_header(c, f, i); break;
        case NEED_WHOLE:
        case NEED_RANGE:
            f->left = f->row->data_bytes;
            resp_literal_head(&c->w, f->left, false);
            if (f->left)
                return 0;
            break;
        }
    }
    return message_done(c, f);
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
    open_response(c, f);
    return write_plain(c, f);
}

static int on_range_row(void *ctx, Store__Row *row)
{
    struct imap_conn *c = ctx;
    struct fetch *f = c->step_data;

    return row->uid == f->uid && row->data_bytes == f->left ? 0 : E_GONE;
}

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

static int decode(struct imap_conn *c, struct fetch *f, struct str bytes)
{
    CLEANUP(buf_release) struct buf out = { .max = bytes.n + KIB(1) };
    int r = mime_decoder_feed(&f->decoder, bytes, &out);

    if (r == 0 && f->left == 0)
        r = mime_decoder_finish(&f->decoder, &out);
    decoded(c, f, buf_str(&out));
    return r;
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
        return decode(c, f, bytes);
    if (f->collecting) { /* what is beyond the limit of a header is not looked at */
        size_t n = size_min(bytes.n, f->header.max - f->header.n);
        int r = buf_append(&f->header, bytes.p, n);

        if (r < 0 || f->left || f->piecewise)
            return r;
        open_response(c, f);
        return write_plain(c, f);
    }
    resp_raw(&c->w, bytes);
    if (f->left || f->piecewise)
        return 0;
    f->item++;
    return write_plain(c, f);
}

static int on_data(struct imap_conn *c, struct str data)
{
    struct fetch *f = c->step_data;

    return records_feed(f->phase == PHASE_RANGE ? &f->ranges : &f->records, c, data);
}

/* ---- requests ---- */

static void asked_plain(struct imap_conn *c, int status, struct str body);
static void asked_piece(struct imap_conn *c, int status, struct str body);

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

        if (need_of(i) == NEED_WHOLE && i->has_partial) {
            m.offset = i->partial_off;
            m.length = i->partial_len;
        }
    }
    if (f->open)
        m.first_offset = f->sent;
    records_restart(&f->records);
    return imap_ask_down(c, STORE__OP__FETCH, &m.base, false, on_data, asked_plain);
}

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
    return imap_ask_down(c, STORE__OP__FETCH, &m.base, false, on_data, asked_piece);
}

/* Nothing more can be had. Inside a response there is no way to say so but to hang up. */
static void fail(struct imap_conn *c, int status)
{
    if (c->mid_response) {
        conn_abort(c->io, E_CLOSED);
        c->closing = true;
        return;
    }
    imap_fail_status(c, status == E_CLOSED ? E_UNAVAIL : status);
}

static bool may_resume(struct fetch *f, int status)
{
    return status == E_CLOSED && f->resumes++ < RESUMES_MAX;
}

/* What we set \Seen on has been told with its flags. */
static void note_own(struct imap_conn *c, const struct fetch *f, struct str body)
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
        note_own(c, f, body);

    if (may_resume(f, status)) {
        if (f->collecting || !f->open) /* nothing of this message is out: once more from its start */
            buf_clear(&f->header);
        status = ask_plain(c, f);
        if (status == 0)
            return;
    }
    if (status == 0 && f->open)
        status = E_CORRUPT;
    if (status < 0)
        fail(c, status);
    else
        imap_ok_code(c, f->code, f->text);
}

/* ---- piecewise: a step of imap_continue ---- */

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
    f->collecting = is_filtered(i);
    if (!f->collecting && i->has_partial) {
        uint64_t skip = i->partial_off < at.bytes ? i->partial_off : at.bytes;

        at.offset += skip;
        at.bytes -= skip;
        at.bytes = i->partial_len < at.bytes ? i->partial_len : at.bytes;
    }
    buf_clear(&f->header);
    f->offset = at.offset;
    f->left = f->collecting && at.bytes > HEADER_BYTES_MAX ? HEADER_BYTES_MAX : at.bytes;
    if (!f->collecting)
        resp_literal_head(&c->w, f->left, i->kind == FETCH_BINARY);
    if (f->left == 0) {
        if (f->collecting)
            write_header(c, f, i);
        return 1;
    }
    f->phase = PHASE_RANGE;
    return ask_piece(c, f);
}

static void asked_piece(struct imap_conn *c, int status, struct str body)
{
    struct fetch *f = c->step_data;

    if (status == 0)
        note_own(c, f, body);

    if (may_resume(f, status)) { /* offset and left say what is still missing */
        status = ask_piece(c, f);
        if (status == 0)
            return;
    }
    if (status == 0 && f->phase == PHASE_RANGE && f->left)
        status = E_GONE;
    if (status < 0) {
        c->step = NULL;
        fail(c, status);
        return;
    }
    if (f->phase == PHASE_RANGE) {
        if (f->binary == BINARY_COUNT && (status = binary_counted(c, f)) <= 0) {
            if (status < 0) {
                c->step = NULL;
                fail(c, status);
            }
            return;
        }
        f->binary = BINARY_NONE;
        if (f->collecting)
            write_header(c, f, &f->items.v[f->item]);
        f->item++;
    } else if (f->row && !f->skip) {
        open_response(c, f);
    }
    f->phase = PHASE_ITEMS;
}

static int write_pieces(struct imap_conn *c, struct fetch *f)
{
    while (f->item < f->items.n) {
        const struct fetch_item *i = next_item(c, f);
        int r = 1;

        if (need_of(i) == NEED_NOTHING)
            write_value(c, f, i->kind);
        else if ((r = piece(c, f, i)) <= 0)
            return r;
        f->item++;
    }
    f->phase = PHASE_NEXT;
    return message_done(c, f);
}

static int step_pieces(struct imap_conn *c)
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
    fail(c, r);
    return 1;
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

/* UID FETCH answers with UID (RFC 9051 6.4.9; UIDFETCH of RFC 9586 begins with it), and what sets \Seen tells the flags (6.4.5). */
static int complete_items(struct imap_conn *c, struct fetch *f)
{
    struct fetch_item *v = ARENA_ARRAY(&c->arena, f->items.n + 3, struct fetch_item);
    bool flags = f->set_seen || fetch_items_have(&f->items, FETCH_FLAGS);
    size_t n = 0;

    if (!v)
        return E_NOMEM;
    if (c->uid && !c->uidonly && !fetch_items_have(&f->items, FETCH_UID))
        v[n++] = (struct fetch_item){ .kind = FETCH_UID, .peek = true };
    for (size_t i = 0; i < f->items.n; i++)
        v[n++] = f->items.v[i];
    if (f->set_seen && !fetch_items_have(&f->items, FETCH_FLAGS))
        v[n++] = (struct fetch_item){ .kind = FETCH_FLAGS, .peek = true };
    if (!fetch_items_have(&f->items, FETCH_MODSEQ) && (f->items.has_changedsince || (c->condstore && flags)))
        v[n++] = (struct fetch_item){ .kind = FETCH_MODSEQ, .peek = true };
    f->items.v = v;
    f->items.n = n;
    return 0;
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
    c->step = step_pieces;
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
    plan(f, true);
    return (r = complete_items(c, f)) < 0 ? r : fetch_begin(c);
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

/* RFC 9394 3.3: of the messages that are named, so many from one end. */
static int take_window(struct fetch *f)
{
    CLEANUP(uidranges_release) struct uidranges some = { 0 };
    size_t from, to;
    int r = 0;

    esearch_window(uidranges_count(&f->todo), f->items.partial_from, f->items.partial_to, &from, &to);
    for (size_t i = from; i < to && r == 0; i++) {
        uint32_t uid = uidranges_uid(&f->todo, (uint32_t)i + 1);

        r = uidranges_add(&some, uid, uid);
    }
    uidranges_clear(&f->todo);
    return r < 0 ? r : uidranges_copy(&f->todo, &some);
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
    if ((f->items.has_partial && (r = take_window(f)) < 0) || (r = imap_limit(c, &f->todo)) < 0)
        return r;
    if (f->items.has_changedsince || fetch_items_have(&f->items, FETCH_MODSEQ))
        condstore_enable(c);
    plan(f, c->view->read_only);
    if ((r = complete_items(c, f)) < 0)
        return r;
    if (f->items.vanished)
        return ask_vanished(c, f, text);
    if (f->todo.n == 0)
        return imap_ok(c, "None of these is here");
    return fetch_begin(c);
}
