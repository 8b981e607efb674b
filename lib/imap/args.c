#include "lib/imap/args.h"
#include "lib/imap/chars.h"
#include "lib/imap/datetime.h"
#include "lib/imap/mboxname.h"
#include <utf8proc.h>

int args_fail(struct args *a, const char *expected)
{
    a->expected = expected;
    return E_SYNTAX;
}

int args_explain(const struct args *a, struct buf *out)
{
    return buf_printf(out, "Expected %s at character %zu", a->expected ? a->expected : "something else",
                      a->at + 1);
}

bool args_skip(struct args *a, char c)
{
    if (a->at >= a->text.n || a->text.p[a->at] != c)
        return false;
    a->at++;
    return true;
}

int args_char(struct args *a, char c, const char *expected)
{
    return args_skip(a, c) ? 0 : args_fail(a, expected);
}

int args_sp(struct args *a)
{
    return args_char(a, ' ', "a space");
}

int args_end(struct args *a)
{
    return a->at == a->text.n ? 0 : args_fail(a, "the end of the command");
}

static int run_of(struct args *a, bool (*want)(char c), struct str *out, const char *expected)
{
    size_t n = a->at;

    while (n < a->text.n && want(a->text.p[n]))
        n++;
    if (n == a->at)
        return args_fail(a, expected);
    *out = str_slice(a->text, a->at, n);
    a->at = n;
    return 0;
}

static bool word_char(char c)
{
    return ascii_alpha(c) || ascii_digit(c) || c == '.' || c == '-' || c == '_';
}

static bool set_char(char c)
{
    return ascii_digit(c) || c == ':' || c == ',' || c == '*';
}

int args_tag(struct args *a, struct str *out)
{
    return run_of(a, imap_tag_char, out, "a tag");
}

int args_atom(struct args *a, struct str *out)
{
    return run_of(a, imap_atom_char, out, "an atom");
}

int args_word(struct args *a, struct str *out)
{
    return run_of(a, word_char, out, "a name");
}

bool args_skip_word(struct args *a, const char *w)
{
    size_t n = strlen(w), end = a->at + n;

    if (end > a->text.n || !str_ieq_z(str_slice(a->text, a->at, end), w) ||
        (end < a->text.n && word_char(a->text.p[end])))
        return false;
    a->at = end;
    return true;
}

int args_set_text(struct args *a, struct str *out)
{
    if (args_peek(a) == '$') {
        *out = str_slice(a->text, a->at, a->at + 1);
        a->at++;
        return 0;
    }
    return run_of(a, set_char, out, "a set of message numbers");
}

static bool utf8_valid(struct str s)
{
    while (s.n) {
        utf8proc_int32_t cp;
        utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)s.p, (utf8proc_ssize_t)s.n, &cp);

        if (n <= 0)
            return false;
        s = str_skip(s, (size_t)n);
    }
    return true;
}

/* quoted = DQUOTE *QUOTED-CHAR DQUOTE; only \" and \\ are escapes */
static int quoted(struct args *a, struct str *out)
{
    size_t i = a->at + 1, escapes = 0, o = 0;
    struct str raw;
    char *copy;

    for (; i < a->text.n && a->text.p[i] != '"'; i++) {
        char c = a->text.p[i];

        if (c == '\\') {
            escapes++;
            c = ++i < a->text.n ? a->text.p[i] : '\0';
            if (c != '"' && c != '\\')
                return args_fail(a, "a quoted string with only \\\" and \\\\ as escapes");
        } else if (c == '\r' || c == '\n') {
            break;
        }
    }
    if (i >= a->text.n || a->text.p[i] != '"')
        return args_fail(a, "a quoted string with its closing quote");
    raw = str_slice(a->text, a->at + 1, i);
    if (!utf8_valid(raw))
        return args_fail(a, "a quoted string of ASCII or UTF-8");
    if (escapes) {
        if (!(copy = arena_alloc(a->arena, raw.n)))
            return E_NOMEM;
        for (size_t k = 0; k < raw.n; k++) {
            k += raw.p[k] == '\\';
            copy[o++] = raw.p[k];
        }
        raw = str_of(copy, o);
    }
    *out = raw;
    a->at = i + 1;
    return 0;
}

/* Where the head's CRLF ends; 0 when there is no head here. */
static size_t literal_head(const struct args *a, struct literal *out)
{
    struct str rest = str_skip(a->text, a->at);
    ptrdiff_t cr = str_chr(rest, '\r');
    size_t at;

    if (cr < 0 || (size_t)cr + 1 >= rest.n || rest.p[cr + 1] != '\n' ||
        !literal_head_at_end(str_slice(rest, 0, (size_t)cr), out, &at) || at != 0)
        return 0;
    return a->at + (size_t)cr + 2;
}

int args_literal_head(struct args *a, struct literal *out)
{
    struct literal lit;
    size_t at = literal_head(a, &lit);

    if (at == 0 || at != a->text.n)
        return args_fail(a, "a message literal");
    *out = lit;
    a->at = at;
    return 0;
}

int args_literal(struct args *a, struct str *out, struct literal *how_out)
{
    struct literal lit;
    size_t at = literal_head(a, &lit);

    if (at == 0 || lit.n > a->text.n - at)
        return args_fail(a, "a literal");
    *out = str_slice(a->text, at, at + (size_t)lit.n);
    *how_out = lit;
    a->at = at + (size_t)lit.n;
    return 0;
}

int args_string(struct args *a, struct str *out)
{
    struct literal how;

    switch (args_peek(a)) {
    case '"': return quoted(a, out);
    case '{': return args_literal(a, out, &how);
    default: return args_fail(a, "a string");
    }
}

int args_astring(struct args *a, struct str *out)
{
    int c = args_peek(a);

    if (c == '"' || c == '{')
        return args_string(a, out);
    return run_of(a, imap_astring_char, out, "an atom or a string");
}

int args_nstring(struct args *a, struct str *out)
{
    if (args_skip_word(a, "NIL")) {
        *out = STR_NONE;
        return 0;
    }
    return args_string(a, out);
}

int args_number64(struct args *a, uint64_t *out)
{
    size_t n = a->at;

    while (n < a->text.n && ascii_digit(a->text.p[n]))
        n++;
    if (!str_to_u64(str_slice(a->text, a->at, n), out) || *out > INT64_MAX)
        return args_fail(a, "a number");
    a->at = n;
    return 0;
}

int args_number(struct args *a, uint32_t *out)
{
    size_t was = a->at;
    uint64_t n;

    if (args_number64(a, &n) < 0 || n > UINT32_MAX) {
        a->at = was;
        return args_fail(a, "a number of 32 bits");
    }
    *out = (uint32_t)n;
    return 0;
}

int args_nz_number(struct args *a, uint32_t *out)
{
    size_t was = a->at;

    if (args_number(a, out) < 0 || *out == 0) {
        a->at = was;
        return args_fail(a, "a number from 1 to 4294967295");
    }
    return 0;
}

int args_mailbox(struct args *a, struct str *out)
{
    size_t was = a->at;
    struct str wire;
    int r = args_astring(a, &wire);

    if (r == 0)
        r = mboxname_from_wire(a->arena, wire, a->utf8, out);
    if (r < 0)
        a->at = was;
    return r;
}

int args_list_pattern(struct args *a, struct str *out)
{
    size_t was = a->at;
    struct str wire;
    int c = args_peek(a), r;

    r = c == '"' || c == '{' ? args_string(a, &wire) : run_of(a, imap_list_char, &wire, "a mailbox pattern");
    if (r == 0)
        r = mboxname_pattern_from_wire(a->arena, wire, a->utf8, out);
    if (r < 0)
        a->at = was;
    return r;
}

int args_date_time(struct args *a, int64_t *ms_out)
{
    size_t was = a->at;
    struct str s;

    if (args_peek(a) != '"' || args_string(a, &s) < 0 || !datetime_parse(s, ms_out)) {
        a->at = was;
        return args_fail(a, "a date and time like \"17-Jul-1996 02:44:25 -0700\"");
    }
    return 0;
}

int args_date(struct args *a, int32_t *day_out)
{
    size_t was = a->at;
    struct str s;
    int r = args_peek(a) == '"' ? args_string(a, &s) : args_atom(a, &s);

    if (r < 0 || !datetime_parse_day(s, day_out)) {
        a->at = was;
        return args_fail(a, "a date like 1-Feb-1994");
    }
    return 0;
}
