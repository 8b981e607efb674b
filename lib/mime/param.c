#include "lib/mime/param.h"
#include "lib/mime/charset.h"
#include "lib/mime/header.h"
#include "lib/mime/word.h"

#define SEGMENTS_MAX 100u /* RFC 2231 3 continuations of one parameter */

static bool is_token(char c)
{
    return (unsigned char)c > ' ' && c != 127 && !strchr("()<>@,;:\\\"/[]?=", c);
}

/* Skip white space and comments (RFC 5322 3.2.2). */
static struct str skip_cfws(struct str s)
{
    size_t depth = 0, i = 0;

    for (; i < s.n; i++) {
        char c = s.p[i];

        if (c == '\\' && depth && i + 1 < s.n)
            i++;
        else if (c == '(')
            depth++;
        else if (c == ')' && depth)
            depth--;
        else if (!depth && c != ' ' && c != '\t' && c != '\r' && c != '\n')
            break;
    }
    return str_skip(s, i);
}

static struct str take_token(struct str *s)
{
    struct str from = skip_cfws(*s);
    size_t n = 0;

    while (n < from.n && is_token(from.p[n]))
        n++;
    *s = skip_cfws(str_skip(from, n));
    return str_slice(from, 0, n);
}

struct str mime_token(struct str value)
{
    return take_token(&value);
}

static struct str take_quoted(struct arena *a, struct str *s)
{
    char *p = arena_alloc(a, s->n);
    size_t n = 0, i = 1;

    for (; p && i < s->n && s->p[i] != '"'; i++) {
        if (s->p[i] == '\\' && i + 1 < s->n)
            i++;
        if (s->p[i] != '\r' && s->p[i] != '\n')
            p[n++] = s->p[i];
    }
    *s = str_skip(*s, i + 1);
    return str_of(p, p ? n : 0);
}

static bool parameter_follows(struct str s)
{
    struct str name = take_token(&s);

    return name.n && s.n && s.p[0] == '=';
}

/* An unquoted value: to the ';' at most, and beyond spaces only when no parameter or comment follows
 * ("name=my holiday.jpg; …" is common and has one meaning only). */
static struct str take_bare(struct arena *a, struct str *s)
{
    size_t n = 0, end = 0;

    while (n < s->n && s->p[n] != ';') {
        bool space = s->p[n] == ' ' || s->p[n] == '\t' || s->p[n] == '\r' || s->p[n] == '\n';
        struct str next = str_skip(*s, n + 1);

        n++;
        if (!space)
            end = n;
        else if (next.n && (next.p[0] == '(' || (end == n - 1 && parameter_follows(next))))
            break;
    }
    struct str raw = str_slice(*s, 0, end);
    *s = str_skip(*s, n);
    return mime_unfold(a, raw);
}

static struct mime_param *params_parse(struct arena *a, struct str s)
{
    struct mime_param *first = NULL, **tail = &first, *m;

    for (size_t count = 0; count < MIME_PARAMS_MAX;) {
        struct str name, value;

        for (s = skip_cfws(s); s.n && s.p[0] == ';';)
            s = skip_cfws(str_skip(s, 1));
        if (!s.n)
            break;
        name = take_token(&s);
        if (!name.n || !s.n || s.p[0] != '=') { /* no parameter: go on behind the next ';' */
            ptrdiff_t semi = str_chr(s, ';');

            s = str_skip(s, semi < 0 ? s.n : (size_t)semi);
            continue;
        }
        s = skip_cfws(str_skip(s, 1));
        value = s.n && s.p[0] == '"' ? take_quoted(a, &s) : take_bare(a, &s);
        if (!(m = ARENA_NEW(a, struct mime_param)))
            break;
        m->name = arena_dup(a, name);
        m->value = value;
        if (!m->name.p || !m->value.p)
            break;
        *tail = m;
        tail = &m->next;
        count++;
    }
    return first;
}

bool mime_type_parse(struct arena *a, struct str value, struct str *type_out, struct str *subtype_out,
                     struct mime_param **params_out)
{
    struct str s = value, type = take_token(&s), subtype;

    if (!type.n || !s.n || s.p[0] != '/')
        return false;
    s = str_skip(s, 1);
    subtype = take_token(&s);
    if (!subtype.n)
        return false;
    type = arena_dup(a, type);
    subtype = arena_dup(a, subtype);
    if (!type.p || !subtype.p)
        return false;
    *type_out = type;
    *subtype_out = subtype;
    *params_out = params_parse(a, s);
    return true;
}

bool mime_disposition_parse(struct arena *a, struct str value, struct str *token_out,
                            struct mime_param **params_out)
{
    struct str s = value, token = take_token(&s);

    if (!token.n || !(token = arena_dup(a, token)).p)
        return false;
    *token_out = token;
    *params_out = params_parse(a, s);
    return true;
}

struct str mime_param_raw(const struct mime_param *list, struct str name)
{
    for (; list; list = list->next)
        if (str_ieq(list->name, name))
            return list->value;
    return STR_NONE;
}

static int hex_digit(char c)
{
    if (ascii_digit(c))
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int append_percent(struct str s, struct buf *out)
{
    int r = 0;

    for (size_t i = 0; i < s.n && r >= 0; i++) {
        int hi = s.p[i] == '%' && i + 2 < s.n ? hex_digit(s.p[i + 1]) : -1;
        int lo = hi >= 0 ? hex_digit(s.p[i + 2]) : -1;

        if (lo >= 0) {
            r = buf_putc(out, (char)(hi * 16 + lo));
            i += 2;
        } else {
            r = buf_putc(out, s.p[i]);
        }
    }
    return r;
}

/* charset'language'value (RFC 2231 4); a value without the quotes is taken as it is. */
static struct str cut_charset(struct str s, struct str *charset_out)
{
    struct str charset, language, rest;

    if (!str_cut(s, '\'', &charset, &rest) || !str_cut(rest, '\'', &language, &rest))
        return s;
    *charset_out = charset;
    return rest;
}

static const struct mime_param *segment_find(const struct mime_param *list, struct str name, unsigned index,
                                             bool *encoded_out)
{
    char plain[16];
    int n = snprintf(plain, sizeof plain, "*%u", index);

    for (; list; list = list->next) {
        struct str tail = str_skip(list->name, name.n);

        if (list->name.n <= name.n || !str_ieq(str_slice(list->name, 0, name.n), name))
            continue;
        *encoded_out = str_ends(tail, STR("*"));
        if (*encoded_out)
            tail.n--;
        if (str_eq(tail, str_of(plain, (size_t)n)))
            return list;
    }
    return NULL;
}

/* RFC 2231 3: name*0, name*1*, … joined; 0 when there is no first one. */
static int append_segments(const struct mime_param *list, struct str name, struct str *charset_out,
                           struct buf *raw)
{
    int r = 0;
    unsigned i = 0;

    for (; i < SEGMENTS_MAX && r >= 0; i++) {
        bool encoded = false;
        const struct mime_param *m = segment_find(list, name, i, &encoded);

        if (!m)
            break;
        if (!encoded)
            r = buf_puts(raw, m->value);
        else
            r = append_percent(i == 0 ? cut_charset(m->value, charset_out) : m->value, raw);
    }
    return r < 0 ? r : i > 0;
}

int mime_param_text(const struct mime_param *list, struct str name, struct buf *out)
{
    CLEANUP(buf_release) struct buf raw = { .max = KIB(16) };
    struct str charset = STR_NONE, value;
    int r;

    for (const struct mime_param *m = list; m; m = m->next)
        if (m->name.n == name.n + 1 && str_ends(m->name, STR("*")) &&
            str_ieq(str_slice(m->name, 0, name.n), name)) {
            r = append_percent(cut_charset(m->value, &charset), &raw);
            return r < 0 || (r = mime_charset_append(charset, buf_str(&raw), out)) < 0 ? r : 1;
        }
    if ((r = append_segments(list, name, &charset, &raw)) != 0)
        return r < 0 || (r = mime_charset_append(charset, buf_str(&raw), out)) < 0 ? r : 1;
    value = mime_param_raw(list, name);
    if (!value.p)
        return 0;
    return (r = mime_word_decode(value, out)) < 0 ? r : 1;
}
