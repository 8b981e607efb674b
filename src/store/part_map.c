#include "src/store/part_map.h"
#include "lib/base/errors.h"

#define VARINT_MAX 10u

/* ---- varints (as protobuf's: seven bits a byte, the lowest first) ------------------------------- */

static int varint_put(struct buf *b, uint64_t v)
{
    char bytes[VARINT_MAX];
    size_t n = 0;

    for (; v >= 128; v >>= 7)
        bytes[n++] = (char)(v | 128);
    bytes[n++] = (char)v;
    return buf_append(b, bytes, n);
}

static bool varint_take(struct str *s, uint64_t *out)
{
    uint64_t v = 0;

    for (size_t i = 0; i < s->n && i < VARINT_MAX; i++) {
        uint8_t c = (uint8_t)s->p[i];

        v |= (uint64_t)(c & 127) << (7 * i);
        if (c & 128)
            continue;
        if (i == VARINT_MAX - 1 && c > 1)
            return false;
        *s = str_skip(*s, i + 1);
        *out = v;
        return true;
    }
    return false;
}

/* ---- the map ------------------------------------------------------------------------------------ */

/* 0: raw; else 1 + line / 4 * 2 + (1 with bare LFs). */
static uint64_t form_number(const struct segment *s)
{
    return s->base64 ? 1 + (uint64_t)s->form.line / 4 * 2 + (s->form.eol == 1) : 0;
}

static bool form_of(uint64_t number, struct segment *s)
{
    uint64_t line = number ? (number - 1) / 2 * 4 : 0;

    if (line > BASE64_LINE_MAX || number == 2)
        return false;
    s->base64 = number != 0;
    s->form = (struct base64_form){ (uint32_t)line, 0 };
    if (line)
        s->form.eol = (number - 1) % 2 ? 1 : 2;
    return true;
}

int segment_put(struct buf *map, const struct segment *s)
{
    const uint64_t v[] = { s->gap, s->bytes, (uint64_t)s->part, form_number(s) };
    size_t before = map->n;

    for (size_t i = 0; i < ARRAY_LEN(v); i++) {
        int r = varint_put(map, v[i]);

        if (r < 0) {
            map->n = before;
            return r;
        }
    }
    return 0;
}

int segment_take(struct str *map, struct segment *out)
{
    uint64_t part, form;

    if (map->n == 0)
        return 0;
    if (!varint_take(map, &out->gap) || !varint_take(map, &out->bytes) || !varint_take(map, &part) ||
        !varint_take(map, &form) || out->bytes == 0 || part == 0 || part > INT64_MAX || !form_of(form, out))
        return E_CORRUPT;
    out->part = (int64_t)part;
    return 1;
}

/* ---- leaves ------------------------------------------------------------------------------------- */

enum { WIRE_VARINT, WIRE_BYTES = 2 };
enum { PART_KIND = 2, PART_BODY_START = 4, PART_BODY_END = 5, PART_ENCODING = 11 };

/* One field: a number, or bytes. Other wire types are not used in that file. */
static bool field_take(struct str *s, uint64_t *tag, uint64_t *v, struct str *bytes)
{
    if (!varint_take(s, tag) || !varint_take(s, v))
        return false;
    *bytes = STR_NONE;
    if ((*tag & 7) == WIRE_VARINT)
        return true;
    if ((*tag & 7) != WIRE_BYTES || *v > s->n)
        return false;
    *bytes = str_slice(*s, 0, (size_t)*v);
    *s = str_skip(*s, (size_t)*v);
    return true;
}

static bool leaf_read(struct str part, struct part_leaf *out, uint64_t *kind)
{
    uint64_t tag, v;
    struct str bytes;

    *out = (struct part_leaf){ 0 };
    while (part.n) {
        if (!field_take(&part, &tag, &v, &bytes))
            return false;
        if (tag == (PART_KIND << 3 | WIRE_VARINT))
            *kind = v;
        else if (tag == (PART_BODY_START << 3 | WIRE_VARINT))
            out->start = v;
        else if (tag == (PART_BODY_END << 3 | WIRE_VARINT))
            out->end = v;
        else if (tag == (PART_ENCODING << 3 | WIRE_BYTES))
            out->base64 = str_ieq_z(bytes, "base64");
    }
    return true;
}

int part_leaf_next(struct str *structure, struct part_leaf *out)
{
    while (structure->n) {
        uint64_t tag, n, kind = UINT64_MAX;
        struct str part;

        if (!field_take(structure, &tag, &n, &part) || tag != (1 << 3 | WIRE_BYTES) ||
            !leaf_read(part, out, &kind))
            break;
        if (kind == 0 && out->start < out->end)
            return 1;
    }
    *structure = STR_NONE;
    return 0;
}
