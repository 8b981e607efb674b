#include "lib/mailauth/spf_record.h"
#include <arpa/inet.h>

/* ---- macros ---- */

static const char macro_letters[] = "slodiphv", macro_exp_letters[] = "crt", macro_delimiters[] = ".-+,/_=";

static bool in_set(char c, const char *set)
{
    return c && strchr(set, c);
}

struct macro {
    char letter; /* lower case */
    bool escape, reverse;
    unsigned keep;     /* 0: all */
    struct str delims; /* empty: "." */
};

/* "{" letter [digits] ["r"] *delimiter "}", text starting at the brace. Returns bytes used, or E_SYNTAX. */
static ptrdiff_t macro_parse(struct str text, bool explanation, struct macro *out)
{
    struct macro m = { 0 };
    size_t i = 1, start;
    uint64_t keep = 0;
    char c;

    if (text.n < 3 || text.p[0] != '{')
        return E_SYNTAX;
    c = text.p[i++];
    m.letter = ascii_lower(c);
    m.escape = m.letter != c;
    if (!in_set(m.letter, macro_letters) && !(explanation && in_set(m.letter, macro_exp_letters)))
        return E_SYNTAX;
    for (start = i; i < text.n && ascii_digit(text.p[i]); i++)
        keep = keep > 1000 ? keep : keep * 10 + (uint64_t)(text.p[i] - '0');
    if (i > start && keep == 0)
        return E_SYNTAX; /* RFC 7208 7.3: "MUST be greater than zero" */
    m.keep = (unsigned)size_min(keep, 128);
    if (i < text.n && ascii_lower(text.p[i]) == 'r') {
        m.reverse = true;
        i++;
    }
    for (start = i; i < text.n && in_set(text.p[i], macro_delimiters); i++)
        ;
    m.delims = str_slice(text, start, i);
    if (i >= text.n || text.p[i] != '}')
        return E_SYNTAX;
    *out = m;
    return (ptrdiff_t)i + 1;
}

/* Walks a macro-string. *end_out: where the last macro-expand ended, 0 when there was none. */
static bool macro_walk(struct str text, bool explanation, size_t *end_out, bool *p_out)
{
    *end_out = 0;
    *p_out = false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        struct macro m;
        ptrdiff_t used;

        if (c != '%') {
            if (c < 0x21 || c > 0x7e) /* char is signed or not: what is over 0x7f falls out either way */
                if (!(explanation && c == ' '))
                    return false;
            continue;
        }
        c = i + 1 < text.n ? text.p[i + 1] : '\0';
        if (c == '%' || c == '_' || c == '-') {
            i++;
        } else if ((used = macro_parse(str_skip(text, i + 1), explanation, &m)) > 0) {
            i += (size_t)used;
            *p_out = *p_out || m.letter == 'p';
        } else {
            return false;
        }
        *end_out = i + 1;
    }
    return true;
}

bool spf_macro_valid(struct str text, bool explanation)
{
    size_t end;
    bool p;

    return macro_walk(text, explanation, &end, &p);
}

bool spf_macro_needs_p(struct str text)
{
    size_t end;
    bool p;

    return macro_walk(text, true, &end, &p) && p;
}

/* RFC 7208 7.1 toplabel: letters, digits and inner hyphens, not digits only. */
static bool toplabel(struct str s)
{
    bool only_digits = true;

    if (s.n == 0 || s.p[0] == '-' || s.p[s.n - 1] == '-')
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (!ascii_alpha(s.p[i]) && !ascii_digit(s.p[i]) && s.p[i] != '-')
            return false;
        only_digits = only_digits && ascii_digit(s.p[i]);
    }
    return !only_digits;
}

bool spf_domain_spec_valid(struct str text)
{
    struct str tail;
    ptrdiff_t dot;
    size_t end;
    bool p;

    if (text.n == 0 || !macro_walk(text, false, &end, &p))
        return false;
    if (end == text.n)
        return true;
    tail = str_skip(text, end);
    if (tail.p[tail.n - 1] == '.')
        tail.n--;
    dot = str_rchr(tail, '.');
    return dot >= 0 && toplabel(str_skip(tail, (size_t)dot + 1));
}

int spf_reverse_name(struct buf *out, const struct spf_ip *ip)
{
    int r = 0;

    if (!ip->v6)
        return buf_printf(out, "%u.%u.%u.%u.in-addr.arpa", ip->bytes[3], ip->bytes[2], ip->bytes[1],
                          ip->bytes[0]);
    for (int i = 15; i >= 0 && r == 0; i--)
        r = buf_printf(out, "%x.%x.", ip->bytes[i] & 15u, ip->bytes[i] >> 4);
    return r < 0 ? r : buf_putz(out, "ip6.arpa");
}

/* Macro i: dots between octets, or between nibbles (7.3). */
static int put_ip(struct buf *out, const struct spf_ip *ip)
{
    int r = 0;

    if (!ip->v6)
        return buf_printf(out, "%u.%u.%u.%u", ip->bytes[0], ip->bytes[1], ip->bytes[2], ip->bytes[3]);
    for (unsigned i = 0; i < 16 && r == 0; i++)
        r = buf_printf(out, "%s%X.%X", i ? "." : "", ip->bytes[i] >> 4, ip->bytes[i] & 15u);
    return r;
}

static int put_readable_ip(struct buf *out, const struct spf_ip *ip)
{
    char text[INET6_ADDRSTRLEN];

    return inet_ntop(ip->v6 ? AF_INET6 : AF_INET, ip->bytes, text, sizeof text) ? buf_putz(out, text) : E_BUG;
}

static int macro_value(struct buf *out, char letter, const struct spf_macros *m)
{
    switch (letter) {
    case 's': return buf_puts(out, m->sender);
    case 'l': return buf_puts(out, m->local);
    case 'o': return buf_puts(out, m->sender_domain);
    case 'd': return buf_puts(out, m->domain);
    case 'i': return put_ip(out, &m->rq->ip);
    case 'p': return buf_puts(out, m->validated);
    case 'h': return buf_puts(out, m->rq->helo);
    case 'v': return buf_putz(out, m->rq->ip.v6 ? "ip6" : "in-addr");
    case 'c': return put_readable_ip(out, &m->rq->ip);
    case 'r': return buf_puts(out, m->rq->receiver.n ? m->rq->receiver : STR("unknown"));
    case 't': return buf_printf(out, "%lld", (long long)m->rq->now_s);
    default: return E_SYNTAX;
    }
}

static int put_escaped(struct buf *out, struct str s, bool escape)
{
    int r = 0;

    if (!escape)
        return buf_puts(out, s);
    for (size_t i = 0; i < s.n && r == 0; i++) {
        char c = s.p[i];
        bool plain = ascii_alpha(c) || ascii_digit(c) || in_set(c, "-._~");

        r = plain ? buf_putc(out, c) : buf_printf(out, "%%%02X", (unsigned char)c);
    }
    return r;
}

/* Split at delimiters, perhaps reverse, keep parts on the right, join with dots. */
static int put_transformed(struct buf *out, struct str value, const struct macro *m)
{
    struct str parts[128];
    size_t n = 0, start = 0, skip;
    int r = 0;

    for (size_t i = 0; i <= value.n && n < ARRAY_LEN(parts); i++) {
        if (i < value.n && (m->delims.n ? str_chr(m->delims, value.p[i]) < 0 : value.p[i] != '.'))
            continue;
        parts[n++] = str_slice(value, start, i);
        start = i + 1;
    }
    skip = m->keep && m->keep < n ? n - m->keep : 0;
    for (size_t i = skip; i < n && r == 0; i++) {
        if (i > skip)
            r = buf_putc(out, '.');
        if (r == 0)
            r = put_escaped(out, parts[m->reverse ? n - 1 - i : i], m->escape);
    }
    return r;
}

static int put_macro(struct buf *out, const struct macro *macro, const struct spf_macros *m)
{
    CLEANUP(buf_release) struct buf value = { .max = KIB(1) };
    int r = macro_value(&value, macro->letter, m);

    return r < 0 ? r : put_transformed(out, buf_str(&value), macro);
}

int spf_macro_expand(struct buf *out, struct str text, const struct spf_macros *m)
{
    int r = 0;

    for (size_t i = 0; i < text.n && r == 0; i++) {
        struct macro macro;
        ptrdiff_t used;
        char c = text.p[i];

        if (c != '%') {
            r = buf_putc(out, c);
            continue;
        }
        c = i + 1 < text.n ? text.p[i + 1] : '\0';
        if (c == '%' || c == '_' || c == '-') {
            r = buf_putz(out, c == '%' ? "%" : c == '_' ? " " : "%20");
            i++;
        } else if ((used = macro_parse(str_skip(text, i + 1), true, &macro)) > 0) {
            r = put_macro(out, &macro, m);
            i += (size_t)used;
        } else {
            r = E_SYNTAX;
        }
    }
    return r;
}

/* ---- terms ---- */

static bool prefix_parse(struct str s, unsigned max, unsigned *out)
{
    uint32_t v;

    if (s.n == 0 || s.n > 3 || (s.p[0] == '0' && s.n > 1) || !str_to_u32(s, &v) || v > max)
        return false;
    *out = v;
    return true;
}

/* Digits at the end of s; their count. */
static size_t digits_at_end(struct str s)
{
    size_t n = 0;

    while (n < s.n && ascii_digit(s.p[s.n - 1 - n]))
        n++;
    return n;
}

/* Takes "[/n][//n]" off the end. False when a number is out of range. */
static bool cut_prefixes(struct str *s, struct spf_term *t)
{
    size_t n = digits_at_end(*s);

    if (n && n + 2 <= s->n && s->p[s->n - n - 1] == '/' && s->p[s->n - n - 2] == '/') {
        if (!prefix_parse(str_skip(*s, s->n - n), 128, &t->prefix6))
            return false;
        s->n -= n + 2;
        n = digits_at_end(*s);
    }
    if (n && n + 1 <= s->n && s->p[s->n - n - 1] == '/') {
        if (!prefix_parse(str_skip(*s, s->n - n), 32, &t->prefix4))
            return false;
        s->n -= n + 1;
    }
    return true;
}

static bool ip_network(struct str s, int family, struct spf_term *t)
{
    char text[64];
    struct str address, prefix;
    bool has = str_cut(s, '/', &address, &prefix);

    if (has &&
        !prefix_parse(prefix, family == AF_INET ? 32 : 128, family == AF_INET ? &t->prefix4 : &t->prefix6))
        return false;
    if (address.n == 0 || address.n >= sizeof text || str_chr(address, '\0') >= 0)
        return false;
    memcpy(text, address.p, address.n);
    text[address.n] = '\0';
    return inet_pton(family, text, t->ip) == 1;
}

enum { ARG_NONE, ARG_DOMAIN, ARG_DOMAIN_CIDR, ARG_DOMAIN_OPTIONAL, ARG_IP4, ARG_IP6 };
static const struct {
    const char *name;
    int arg;
} mechanisms[] = {
    [SPF_ALL] = { "all", ARG_NONE },
    [SPF_INCLUDE] = { "include", ARG_DOMAIN },
    [SPF_A] = { "a", ARG_DOMAIN_CIDR },
    [SPF_MX] = { "mx", ARG_DOMAIN_CIDR },
    [SPF_PTR] = { "ptr", ARG_DOMAIN_OPTIONAL },
    [SPF_IP4] = { "ip4", ARG_IP4 },
    [SPF_IP6] = { "ip6", ARG_IP6 },
    [SPF_EXISTS] = { "exists", ARG_DOMAIN },
};

/* What follows the mechanism's name: "", ":…" or "/…". */
static bool argument_parse(int arg, struct str rest, struct spf_term *t)
{
    bool colon = rest.n && rest.p[0] == ':';

    if (arg == ARG_NONE)
        return rest.n == 0;
    if (arg == ARG_IP4 || arg == ARG_IP6)
        return colon && ip_network(str_skip(rest, 1), arg == ARG_IP4 ? AF_INET : AF_INET6, t);
    if (arg == ARG_DOMAIN_CIDR && !cut_prefixes(&rest, t))
        return false;
    if (rest.n == 0)
        return arg != ARG_DOMAIN;
    if (!colon)
        return false;
    t->domain = str_skip(rest, 1);
    return spf_domain_spec_valid(t->domain);
}

static int mechanism_parse(struct str word, struct spf_term *t)
{
    size_t n = 0;

    while (n < word.n && word.p[n] != ':' && word.p[n] != '/')
        n++;
    for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++) {
        if (!str_ieq_z(str_slice(word, 0, n), mechanisms[i].name))
            continue;
        t->mechanism = (enum spf_mechanism)i;
        return argument_parse(mechanisms[i].arg, str_skip(word, n), t) ? 0 : E_SYNTAX;
    }
    return E_SYNTAX; /* RFC 7208 5: an unknown mechanism is a syntax error */
}

/* Length of a modifier's name when the word is one ("name=…"), else 0. */
static size_t modifier_name(struct str word)
{
    size_t n = 0;

    if (word.n == 0 || !ascii_alpha(word.p[0]))
        return 0;
    while (n < word.n && (ascii_alpha(word.p[n]) || ascii_digit(word.p[n]) || in_set(word.p[n], "-_.")))
        n++;
    return n < word.n && word.p[n] == '=' ? n : 0;
}

static int modifier_parse(struct str name, struct str value, struct spf_term *t)
{
    t->domain = value;
    t->mechanism = str_ieq_z(name, "redirect") ? SPF_REDIRECT
                   : str_ieq_z(name, "exp")    ? SPF_EXP
                                               : SPF_UNKNOWN_MODIFIER;
    if (t->mechanism == SPF_UNKNOWN_MODIFIER)
        return spf_macro_valid(value, false) ? 0 : E_SYNTAX;
    return spf_domain_spec_valid(value) ? 0 : E_SYNTAX;
}

int spf_term_parse(struct str word, struct spf_term *out)
{
    static const struct {
        char c;
        enum spf_code code;
    } qualifiers[] = { { '+', SPF_PASS }, { '-', SPF_FAIL }, { '~', SPF_SOFTFAIL }, { '?', SPF_NEUTRAL } };
    struct spf_term t = { .qualifier = SPF_PASS, .prefix4 = 32, .prefix6 = 128 };
    size_t name = modifier_name(word);
    int r;

    if (name) {
        r = modifier_parse(str_slice(word, 0, name), str_skip(word, name + 1), &t);
    } else {
        for (size_t i = 0; i < ARRAY_LEN(qualifiers); i++) {
            if (word.n && word.p[0] == qualifiers[i].c) {
                t.qualifier = qualifiers[i].code;
                word = str_skip(word, 1);
                break;
            }
        }
        r = mechanism_parse(word, &t);
    }
    if (r == 0)
        *out = t;
    return r;
}
