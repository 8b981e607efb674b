/* src/imap/fetch_plan.c: what a FETCH asks the store for, and which way it is done. */
#include "src/imap/fetch_private.h"
#include "src/imap/esearch.h"

enum need fetch_need(const struct fetch_item *i)
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

void fetch_plan(struct fetch *f, bool read_only)
{
    size_t header = 0, whole = 0, range = 0;

    for (size_t k = 0; k < f->items.n; k++) {
        const struct fetch_item *i = &f->items.v[k];
        enum need need = fetch_need(i);

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

/* UID FETCH answers with UID (RFC 9051 6.4.9; UIDFETCH of RFC 9586 begins with it), and what sets \Seen tells the flags (6.4.5). */
int fetch_complete_items(struct imap_conn *c, struct fetch *f)
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

int fetch_take_window(struct fetch *f)
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
