#include "lib/mailauth/tags.h"

static bool name_valid(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_alpha(s.p[i]) && !(i && (ascii_digit(s.p[i]) || s.p[i] == '_')))
            return false;
    return s.n > 0;
}

static bool value_valid(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if ((c < ' ' && c != '\t' && c != '\r' && c != '\n') || c == 0x7f) /* UTF-8 by RFC 8616 */
            return false;
    }
    return true;
}

static int tag_add(struct tags *t, struct str text)
{
    struct tag tag;

    if (!str_cut(text, '=', &tag.name, &tag.value))
        return E_SYNTAX;
    tag.name = str_trim(tag.name);
    tag.value = str_trim(tag.value);
    if (!name_valid(tag.name) || !value_valid(tag.value))
        return E_SYNTAX;
    for (size_t i = 0; i < t->n; i++)
        if (str_eq(t->tag[i].name, tag.name))
            return E_SYNTAX;
    if (t->n == TAGS_MAX)
        return E_LIMIT;
    t->tag[t->n++] = tag;
    return 0;
}

int tags_parse(struct str text, struct tags *out)
{
    struct str one;
    bool more = true;

    out->n = 0;
    while (more) {
        int r;

        more = str_cut(text, ';', &one, &text);
        if (!more && str_trim(one).n == 0 && out->n)
            return 0; /* after the last semicolon */
        if ((r = tag_add(out, one)) < 0)
            return r;
    }
    return 0;
}

void tags_parse_lenient(struct str text, struct tags *out)
{
    struct str one;
    bool more = true;

    out->n = 0;
    while (more) {
        more = str_cut(text, ';', &one, &text);
        if (tag_add(out, one) < 0)
            continue;
    }
}

struct str tags_get(const struct tags *t, const char *name)
{
    for (size_t i = 0; i < t->n; i++)
        if (str_eq_z(t->tag[i].name, name))
            return t->tag[i].value;
    return STR_NONE;
}

bool tags_list_next(struct str *list, struct str *item_out)
{
    if (!list->p)
        return false;
    if (!str_cut(*list, ':', item_out, list))
        *list = STR_NONE;
    *item_out = str_trim(*item_out);
    return true;
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int base64_decode(struct arena *a, struct str text, struct str *out)
{
    char *p = arena_alloc(a, text.n / 4 * 3 + 3);
    uint32_t bits = 0;
    size_t n = 0, chars = 0, pads = 0;

    if (!p)
        return E_NOMEM;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        int v = base64_value(c);

        if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
            continue;
        if (c == '=' && ++pads <= 2)
            continue;
        if (v < 0 || pads)
            return E_SYNTAX;
        bits = bits << 6 | (uint32_t)v;
        if (++chars % 4 != 1)
            p[n++] = (char)(bits >> (6 - 2 * ((chars - 1) % 4)) & 0xff);
    }
    if (n == 0 || chars % 4 == 1 || (pads && (chars + pads) % 4))
        return E_SYNTAX;
    *out = str_of(p, n);
    return 0;
}

bool tags_time(struct str s, int64_t *out)
{
    uint64_t v;

    if (s.n > 12 || !str_to_u64(s, &v))
        return false;
    *out = (int64_t)v;
    return true;
}
