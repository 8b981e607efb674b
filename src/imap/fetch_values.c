/* src/imap/fetch_values.c: items of FETCH whose values are in memory. */
#include "src/imap/fetch_private.h"
#include "lib/mime/header.h"
#include "lib/mime/imap_format.h"

const struct fetch_item *fetch_next_item(struct imap_conn *c, struct fetch *f)
{
    const struct fetch_item *i = &f->items.v[f->item];

    resp_z(&c->w, f->item ? " " : "");
    fetch_item_name(&c->w, i);
    resp_z(&c->w, " ");
    return i;
}

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

void fetch_write_value(struct imap_conn *c, const struct fetch *f, enum fetch_kind kind)
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

bool fetch_is_filtered(const struct fetch_item *i)
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

void fetch_write_header(struct imap_conn *c, struct fetch *f, const struct fetch_item *i)
{
    CLEANUP(buf_release) struct buf some = { .max = FETCH_HEADER_MAX + 2 };

    if (!fetch_is_filtered(i)) {
        write_bytes(c, i, buf_str(&f->header));
        return;
    }
    if (c->w.r == 0)
        c->w.r = mime_header_filter(buf_str(&f->header), i->section.fields, i->section.nfields,
                                    i->section.text == FETCH_TEXT_HEADER_FIELDS_NOT, &some);
    write_bytes(c, i, buf_str(&some));
}
