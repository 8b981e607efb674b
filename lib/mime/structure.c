#include "lib/mime/structure.h"
#include "proto/structure.pb-c.h"

#define PACK(to, field, from)                                                            \
    do {                                                                                 \
        (to)->has_##field = (from).p != NULL;                                            \
        (to)->field = (ProtobufCBinaryData){ (from).n, (uint8_t *)(uintptr_t)(from).p }; \
    } while (0)
#define UNPACK(to, from, field) ((to) = (from)->has_##field ? str_from_bytes((from)->field) : STR_NONE)

static struct str str_from_bytes(ProtobufCBinaryData b)
{
    return b.data ? str_of(b.data, b.len) : STR("");
}

static int pack_params(struct arena *a, const struct mime_param *list, size_t *n_out,
                       Letterlock__Param ***out)
{
    size_t n = 0;

    for (const struct mime_param *m = list; m; m = m->next)
        n++;
    *n_out = n;
    if (n && !(*out = ARENA_ARRAY(a, n, Letterlock__Param *)))
        return E_NOMEM;
    for (size_t i = 0; i < n; i++, list = list->next) {
        Letterlock__Param *p = ARENA_NEW(a, Letterlock__Param);

        if (!p)
            return E_NOMEM;
        letterlock__param__init(p);
        p->name = (ProtobufCBinaryData){ list->name.n, (uint8_t *)(uintptr_t)list->name.p };
        p->value = (ProtobufCBinaryData){ list->value.n, (uint8_t *)(uintptr_t)list->value.p };
        (*out)[i] = p;
    }
    return 0;
}

static int pack_addresses(struct arena *a, const struct mime_address *list, size_t *n_out,
                          Letterlock__Address ***out)
{
    size_t n = 0;

    for (const struct mime_address *m = list; m; m = m->next)
        n++;
    *n_out = n;
    if (n && !(*out = ARENA_ARRAY(a, n, Letterlock__Address *)))
        return E_NOMEM;
    for (size_t i = 0; i < n; i++, list = list->next) {
        Letterlock__Address *p = ARENA_NEW(a, Letterlock__Address);

        if (!p)
            return E_NOMEM;
        letterlock__address__init(p);
        PACK(p, name, list->name);
        PACK(p, route, list->route);
        PACK(p, mailbox, list->mailbox);
        PACK(p, host, list->host);
        (*out)[i] = p;
    }
    return 0;
}

static int pack_envelope(struct arena *a, const struct mime_envelope *e, Letterlock__Envelope **out)
{
    Letterlock__Envelope *p = ARENA_NEW(a, Letterlock__Envelope);
    int r;

    if (!p)
        return E_NOMEM;
    letterlock__envelope__init(p);
    PACK(p, date, e->date);
    PACK(p, subject, e->subject);
    PACK(p, in_reply_to, e->in_reply_to);
    PACK(p, message_id, e->message_id);
    p->has_sent_ms = p->has_sent_zone_min = e->has_sent;
    p->sent_ms = e->sent.ms;
    p->sent_zone_min = e->sent.zone_min;
    if ((r = pack_addresses(a, e->from, &p->n_from, &p->from)) < 0 ||
        (e->sender != e->from && (r = pack_addresses(a, e->sender, &p->n_sender, &p->sender)) < 0) ||
        (e->reply_to != e->from && (r = pack_addresses(a, e->reply_to, &p->n_reply_to, &p->reply_to)) < 0) ||
        (r = pack_addresses(a, e->to, &p->n_to, &p->to)) < 0 ||
        (r = pack_addresses(a, e->cc, &p->n_cc, &p->cc)) < 0 ||
        (r = pack_addresses(a, e->bcc, &p->n_bcc, &p->bcc)) < 0)
        return r;
    *out = p;
    return 0;
}

static int pack_part(struct arena *a, const struct mime_part *m, uint32_t parent, Letterlock__Part *p)
{
    int r;

    letterlock__part__init(p);
    p->parent = parent;
    p->kind = m->kind;
    p->header_start = m->header_start;
    p->body_start = m->body_start;
    p->body_end = m->body_end;
    p->lines = m->lines;
    p->has_opaque = p->opaque = m->opaque;
    p->has_typed = p->typed = m->typed;
    PACK(p, type, m->type);
    PACK(p, subtype, m->subtype);
    PACK(p, encoding, m->encoding);
    PACK(p, id, m->id);
    PACK(p, description, m->description);
    PACK(p, disposition, m->disposition);
    PACK(p, language, m->language);
    PACK(p, location, m->location);
    PACK(p, md5, m->md5);
    if ((r = pack_params(a, m->params, &p->n_params, &p->params)) < 0 ||
        (r = pack_params(a, m->disposition_params, &p->n_disposition_params, &p->disposition_params)) < 0)
        return r;
    return m->envelope ? pack_envelope(a, m->envelope, &p->envelope) : 0;
}

int mime_structure_pack(const struct mime_part *root, struct arena *scratch, struct buf *out)
{
    Letterlock__Structure s = LETTERLOCK__STRUCTURE__INIT;
    uint32_t numbers[MIME_DEPTH_MAX + 1] = { 0 }; /* number of the latest part at each depth */
    size_t n = 0, bytes;
    uint8_t *at;
    int r;

    for (const struct mime_part *p = root; p; p = mime_part_next(p))
        n++;
    if (!(s.parts = ARENA_ARRAY(scratch, n, Letterlock__Part *)))
        return E_NOMEM;
    for (const struct mime_part *p = root; p; p = mime_part_next(p)) {
        Letterlock__Part *to = ARENA_NEW(scratch, Letterlock__Part);

        if (!to)
            return E_NOMEM;
        if ((r = pack_part(scratch, p, p->depth ? numbers[p->depth - 1] : 0, to)) < 0)
            return r;
        s.parts[s.n_parts++] = to;
        numbers[p->depth] = (uint32_t)s.n_parts;
    }
    bytes = letterlock__structure__get_packed_size(&s);
    if (bytes > MIME_STRUCTURE_MAX || bytes > out->max - out->n)
        return E_LIMIT;
    if (!(at = buf_reserve(out, bytes)))
        return E_NOMEM;
    out->n += letterlock__structure__pack(&s, at);
    return 0;
}

static void *arena_take(void *arena, size_t n)
{
    return arena_alloc(arena, n);
}

static void arena_keep(void *arena, void *p)
{
    (void)arena;
    (void)p;
}

static int unpack_params(struct arena *a, Letterlock__Param **from, size_t n, struct mime_param **tail)
{
    if (n > MIME_PARAMS_MAX)
        return E_LIMIT;
    for (size_t i = 0; i < n; i++, tail = &(*tail)->next) {
        if (!(*tail = ARENA_NEW(a, struct mime_param)))
            return E_NOMEM;
        (*tail)->name = str_from_bytes(from[i]->name);
        (*tail)->value = str_from_bytes(from[i]->value);
    }
    return 0;
}

static int unpack_addresses(struct arena *a, Letterlock__Address **from, size_t n, struct mime_address **tail)
{
    for (size_t i = 0; i < n; i++, tail = &(*tail)->next) {
        if (!(*tail = ARENA_NEW(a, struct mime_address)))
            return E_NOMEM;
        UNPACK((*tail)->name, from[i], name);
        UNPACK((*tail)->route, from[i], route);
        UNPACK((*tail)->mailbox, from[i], mailbox);
        UNPACK((*tail)->host, from[i], host);
    }
    return 0;
}

static int unpack_envelope(struct arena *a, const Letterlock__Envelope *p, struct mime_envelope **out)
{
    struct mime_envelope *e = ARENA_NEW(a, struct mime_envelope);
    int r;

    if (!e)
        return E_NOMEM;
    UNPACK(e->date, p, date);
    UNPACK(e->subject, p, subject);
    UNPACK(e->in_reply_to, p, in_reply_to);
    UNPACK(e->message_id, p, message_id);
    e->has_sent = p->has_sent_ms;
    e->sent = (struct mime_date){ p->sent_ms, p->sent_zone_min };
    if ((r = unpack_addresses(a, p->from, p->n_from, &e->from)) < 0 ||
        (r = unpack_addresses(a, p->sender, p->n_sender, &e->sender)) < 0 ||
        (r = unpack_addresses(a, p->reply_to, p->n_reply_to, &e->reply_to)) < 0 ||
        (r = unpack_addresses(a, p->to, p->n_to, &e->to)) < 0 ||
        (r = unpack_addresses(a, p->cc, p->n_cc, &e->cc)) < 0 ||
        (r = unpack_addresses(a, p->bcc, p->n_bcc, &e->bcc)) < 0)
        return r;
    if (!e->sender)
        e->sender = e->from;
    if (!e->reply_to)
        e->reply_to = e->from;
    *out = e;
    return 0;
}

/* Hang m below its parent; E_CORRUPT when it cannot lie there. */
static int part_link(struct mime_part *m, struct mime_part *parent)
{
    m->parent = parent;
    m->depth = parent->depth + 1;
    if (m->depth >= MIME_DEPTH_MAX)
        return E_LIMIT;
    if (parent->kind == MIME_LEAF || (parent->kind == MIME_MESSAGE && parent->first_child) ||
        m->header_start < parent->body_start || m->body_end > parent->body_end ||
        (parent->last_child && m->header_start < parent->last_child->body_end))
        return E_CORRUPT;
    if (parent->last_child)
        parent->last_child->next = m;
    else
        parent->first_child = m;
    parent->last_child = m;
    parent->nchildren++;
    return 0;
}

static int unpack_part(struct arena *a, const Letterlock__Part *p, struct mime_part *m)
{
    int r;

    if (p->kind > MIME_MESSAGE || p->header_start > p->body_start || p->body_start > p->body_end)
        return E_CORRUPT;
    m->kind = (enum mime_kind)p->kind;
    m->header_start = p->header_start;
    m->body_start = p->body_start;
    m->body_end = p->body_end;
    m->lines = p->lines;
    m->opaque = p->opaque;
    m->typed = p->typed;
    UNPACK(m->type, p, type);
    UNPACK(m->subtype, p, subtype);
    UNPACK(m->encoding, p, encoding);
    UNPACK(m->id, p, id);
    UNPACK(m->description, p, description);
    UNPACK(m->disposition, p, disposition);
    UNPACK(m->language, p, language);
    UNPACK(m->location, p, location);
    UNPACK(m->md5, p, md5);
    if (!m->type.p || !m->subtype.p)
        return E_CORRUPT;
    if ((r = unpack_params(a, p->params, p->n_params, &m->params)) < 0 ||
        (r = unpack_params(a, p->disposition_params, p->n_disposition_params, &m->disposition_params)) < 0)
        return r;
    return p->envelope ? unpack_envelope(a, p->envelope, &m->envelope) : 0;
}

/* Number of parts, before anything is allocated for them; -1 when it is no sequence of fields 1. A
 * field of two bytes would else become a struct of hundreds. */
static int parts_count(struct str s)
{
    int n = 0;

    for (; s.n; n++) {
        uint64_t len = 0;
        size_t i = 1;
        unsigned shift = 0;

        if (s.p[0] != 0x0a)
            return -1;
        for (; i < s.n && shift < 28; i++, shift += 7) {
            len |= (uint64_t)((unsigned char)s.p[i] & 127) << shift;
            if (!((unsigned char)s.p[i] & 128))
                break;
        }
        if (i >= s.n || shift >= 28 || len > s.n - i - 1 || n == (int)MIME_PARTS_MAX)
            return n == (int)MIME_PARTS_MAX ? n + 1 : -1;
        s = str_skip(s, i + 1 + (size_t)len);
    }
    return n;
}

int mime_structure_unpack(struct arena *a, struct str packed, struct mime_part **root_out)
{
    ProtobufCAllocator in_arena = { .alloc = arena_take, .free = arena_keep, .allocator_data = a };
    Letterlock__Structure *s;
    struct mime_part *parts;
    int count, r;

    if (packed.n > MIME_STRUCTURE_MAX || (count = parts_count(packed)) > (int)MIME_PARTS_MAX)
        return E_LIMIT;
    if (count < 1)
        return E_CORRUPT;
    s = letterlock__structure__unpack(&in_arena, packed.n, (const uint8_t *)packed.p);
    if (!s)
        return a->used + KIB(4) > a->max ? E_NOMEM : E_CORRUPT;
    if (!(parts = ARENA_ARRAY(a, s->n_parts, struct mime_part)))
        return E_NOMEM;
    for (size_t i = 0; i < s->n_parts; i++) {
        uint32_t parent = s->parts[i]->parent;

        if ((i == 0) != (parent == 0) || parent > i)
            return E_CORRUPT;
        if ((r = unpack_part(a, s->parts[i], &parts[i])) < 0 ||
            (parent && (r = part_link(&parts[i], &parts[parent - 1])) < 0))
            return r;
    }
    for (size_t i = 0; i < s->n_parts; i++) /* what IMAP's answers are made from must be whole */
        if (parts[i].kind == MIME_MESSAGE && (!parts[i].first_child || !parts[i].first_child->envelope))
            return E_CORRUPT;
    *root_out = parts;
    return parts->envelope ? 0 : E_CORRUPT;
}
