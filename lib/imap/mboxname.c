#include "lib/imap/mboxname.h"
#include <utf8proc.h>

/* ---- modified UTF-7: base64 of UTF-16BE with ',' for '/', no padding, between '&' and '-' ---- */

static const char b64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static int b64_value(char c)
{
    const char *at = c ? strchr(b64, c) : NULL;

    return at ? (int)(at - b64) : -1;
}

static bool direct(uint32_t cp)
{
    return cp >= 0x20 && cp <= 0x7e; /* '&' itself is written "&-" */
}

static int put_cp(struct buf *out, uint32_t cp)
{
    utf8proc_uint8_t u[4];
    utf8proc_ssize_t n = utf8proc_encode_char((utf8proc_int32_t)cp, u);

    return n > 0 ? buf_append(out, u, (size_t)n) : E_SYNTAX;
}

struct units { /* UTF-16 to code points */
    uint32_t high;
};

static int put_unit(struct units *u, uint32_t unit, struct buf *out)
{
    bool high = unit >= 0xd800 && unit < 0xdc00, low = unit >= 0xdc00 && unit < 0xe000;
    uint32_t cp = unit;

    if ((u->high != 0) != low)
        return E_SYNTAX; /* half a pair */
    if (high) {
        u->high = unit;
        return 0;
    }
    if (low)
        cp = 0x10000 + ((u->high - 0xd800) << 10) + (unit - 0xdc00);
    u->high = 0;
    if (direct(cp))
        return E_SYNTAX; /* had to stand for itself: one name, one encoding */
    return put_cp(out, cp);
}

/* What stands between '&' and '-', not empty. */
static int decode_shifted(struct str in, struct buf *out)
{
    struct units u = { 0 };
    uint32_t bits = 0;
    unsigned nbits = 0;
    int r;

    for (size_t i = 0; i < in.n; i++) {
        int v = b64_value(in.p[i]);

        if (v < 0)
            return E_SYNTAX;
        bits = bits << 6 | (uint32_t)v;
        nbits += 6;
        if (nbits >= 16) {
            nbits -= 16;
            if ((r = put_unit(&u, bits >> nbits & 0xffff, out)) < 0)
                return r;
            bits &= (1u << nbits) - 1;
        }
    }
    return nbits >= 6 || bits || u.high ? E_SYNTAX : 0; /* bits left over must be padding, and zero */
}

int mutf7_decode(struct str in, struct buf *out)
{
    bool after_shift = false;
    size_t i = 0;
    int r = 0;

    while (i < in.n && r >= 0) {
        ptrdiff_t end;

        if (in.p[i] != '&') {
            if (!direct((unsigned char)in.p[i]))
                return E_SYNTAX;
            r = buf_putc(out, in.p[i++]);
            after_shift = false;
            continue;
        }
        end = str_chr(str_skip(in, i), '-');
        if (end < 0)
            return E_SYNTAX;
        if (end == 1) {
            r = buf_putc(out, '&');
            after_shift = false;
        } else {
            if (after_shift) /* "&AOk-&AOk-" is to be "&AOkA6Q-": superfluous shift */
                return E_SYNTAX;
            r = decode_shifted(str_slice(in, i + 1, i + (size_t)end), out);
            after_shift = true;
        }
        i += (size_t)end + 1;
    }
    return r;
}

struct shift {
    uint32_t bits;
    unsigned nbits;
    bool open;
};

static int shift_unit(struct shift *s, uint32_t unit, struct buf *out)
{
    int r = s->open ? 0 : buf_putc(out, '&');

    s->open = true;
    s->bits = s->bits << 16 | unit;
    s->nbits += 16;
    while (r >= 0 && s->nbits >= 6) {
        s->nbits -= 6;
        r = buf_putc(out, b64[s->bits >> s->nbits & 63]);
    }
    s->bits &= (1u << s->nbits) - 1;
    return r;
}

static int shift_close(struct shift *s, struct buf *out)
{
    int r = 0;

    if (s->open && s->nbits)
        r = buf_putc(out, b64[s->bits << (6 - s->nbits) & 63]);
    if (r >= 0 && s->open)
        r = buf_putc(out, '-');
    *s = (struct shift){ 0 };
    return r;
}

int mutf7_encode(struct str in, struct buf *out)
{
    struct shift s = { 0 };
    int r = 0;

    while (in.n && r >= 0) {
        utf8proc_int32_t cp;
        utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)in.p, (utf8proc_ssize_t)in.n, &cp);

        if (n <= 0)
            return E_SYNTAX;
        in = str_skip(in, (size_t)n);
        if (direct((uint32_t)cp)) {
            r = shift_close(&s, out);
            if (r >= 0)
                r = cp == '&' ? buf_append(out, "&-", 2) : buf_putc(out, (char)cp);
        } else if (cp < 0x10000) {
            r = shift_unit(&s, (uint32_t)cp, out);
        } else {
            r = shift_unit(&s, 0xd800 + (((uint32_t)cp - 0x10000) >> 10), out);
            if (r >= 0)
                r = shift_unit(&s, 0xdc00 + (((uint32_t)cp - 0x10000) & 0x3ff), out);
        }
    }
    return r < 0 ? r : shift_close(&s, out);
}

/* ---- names ---- */

static bool forbidden(utf8proc_int32_t cp)
{
    return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0x2028 || cp == 0x2029 || cp == 0xfeff ||
           !utf8proc_codepoint_valid(cp);
}

static bool text_valid(struct str s, bool wildcards)
{
    while (s.n) {
        utf8proc_int32_t cp;
        utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)s.p, (utf8proc_ssize_t)s.n, &cp);

        if (n <= 0 || forbidden(cp) || (!wildcards && (cp == '%' || cp == '*')))
            return false;
        s = str_skip(s, (size_t)n);
    }
    return true;
}

bool mboxname_valid(struct str name)
{
    struct str level, rest = name;
    size_t levels = 0;
    bool more = true;

    if (name.n == 0 || name.n > MBOXNAME_MAX || !text_valid(name, false))
        return false;
    while (more) {
        more = str_cut(rest, MBOXNAME_SEP, &level, &rest);
        if (level.n == 0 || level.n > MBOXNAME_LEVEL_MAX || ++levels > MBOXNAME_LEVELS_MAX)
            return false;
    }
    return true;
}

bool mboxname_is_inbox(struct str name)
{
    return str_ieq_z(name, "INBOX");
}

/* To UTF-8 in NFC, in the arena. */
static int to_utf8(struct arena *a, struct str wire, bool utf8, struct str *out)
{
    CLEANUP(buf_release) struct buf b = { .max = 2 * MBOXNAME_MAX };
    utf8proc_uint8_t *nfc = NULL;
    utf8proc_ssize_t n;
    int r;

    if (wire.n > 4 * MBOXNAME_MAX)
        return E_RANGE;
    r = utf8 ? buf_puts(&b, wire) : mutf7_decode(wire, &b);
    if (r < 0)
        return r == E_NOMEM ? r : E_RANGE;
    if (!text_valid(buf_str(&b), true))
        return E_RANGE;
    n = utf8proc_map((const utf8proc_uint8_t *)b.p, (utf8proc_ssize_t)b.n, &nfc,
                     UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (n >= 0)
        *out = arena_dup(a, str_of(nfc, (size_t)n));
    free(nfc);
    if (n < 0)
        return n == UTF8PROC_ERROR_NOMEM ? E_NOMEM : E_RANGE;
    return out->p ? 0 : E_NOMEM;
}

/* "inbox/x" is a child of INBOX whatever the case: two trees that differ in case only would confuse. */
static void capital_inbox(struct str name)
{
    if (name.n >= 5 && mboxname_is_inbox(str_slice(name, 0, 5)) && (name.n == 5 || name.p[5] == MBOXNAME_SEP))
        memcpy((char *)(uintptr_t)name.p, "INBOX", 5);
}

int mboxname_from_wire(struct arena *a, struct str wire, bool utf8, struct str *out)
{
    struct str name;
    int r = to_utf8(a, wire, utf8, &name);

    if (r < 0)
        return r;
    if (name.n > 1 && name.p[name.n - 1] == MBOXNAME_SEP)
        name.n--;
    if (!mboxname_valid(name))
        return E_RANGE;
    capital_inbox(name);
    *out = name;
    return 0;
}

int mboxname_pattern_from_wire(struct arena *a, struct str wire, bool utf8, struct str *out)
{
    struct str pattern;
    int r = to_utf8(a, wire, utf8, &pattern);

    if (r < 0)
        return r;
    if (pattern.n > MBOXNAME_MAX)
        return E_RANGE;
    *out = pattern;
    return 0;
}

bool mboxname_is_child(struct str name, struct str parent)
{
    return name.n > parent.n && str_starts(name, parent) && name.p[parent.n] == MBOXNAME_SEP;
}

/* ---- LIST patterns ----
 * All places of the pattern at which we may stand, advanced by one byte of the name at a time (a
 * nondeterministic automaton): no backtracking, so no pattern is slow. */

static void close_over_wildcards(struct str pattern, bool *at)
{
    for (size_t i = 0; i < pattern.n; i++)
        if (at[i] && (pattern.p[i] == '*' || pattern.p[i] == '%'))
            at[i + 1] = true; /* a wildcard may match nothing */
}

bool mboxname_match(struct str pattern, struct str name)
{
    bool at[MBOXNAME_MAX + 1] = { true }, next[MBOXNAME_MAX + 1];
    size_t fold =
        name.n >= 5 && str_eq_z(str_slice(name, 0, 5), "INBOX") && (name.n == 5 || name.p[5] == MBOXNAME_SEP)
            ? 5
            : 0;

    if (pattern.n > MBOXNAME_MAX)
        return false;
    close_over_wildcards(pattern, at);
    for (size_t k = 0; k < name.n; k++) {
        memset(next, 0, pattern.n + 1);
        for (size_t i = 0; i < pattern.n; i++) {
            char p = pattern.p[i], c = name.p[k];

            if (!at[i])
                continue;
            if (p == '*' || (p == '%' && c != MBOXNAME_SEP))
                next[i] = true;
            else if (p == c || (k < fold && ascii_upper(p) == c))
                next[i + 1] = true;
        }
        close_over_wildcards(pattern, next);
        memcpy(at, next, pattern.n + 1);
    }
    return at[pattern.n];
}
