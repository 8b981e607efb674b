#include "lib/smtp/path.h"
#include "lib/base/errors.h"
#include <arpa/inet.h>

/* Length of the well-formed UTF-8 sequence at s.p, its code point in *cp_out; 0 when there is none. */
static size_t utf8_step(struct str s, uint32_t *cp_out)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    unsigned char c = (unsigned char)s.p[0];
    size_t n = c < 0x80 ? 1 : c >= 0xf0 && c < 0xf5 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 0;
    uint32_t cp = n == 1 ? c : c & (0xffu >> (n + 1));

    if (n == 0 || n > s.n || c >= 0xf5)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if (((unsigned char)s.p[i] & 0xc0) != 0x80)
            return 0;
        cp = cp << 6 | ((unsigned char)s.p[i] & 0x3f);
    }
    if (cp < least[n] || cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000))
        return 0;
    *cp_out = cp;
    return n;
}

bool smtp_utf8_clean(struct str s)
{
    uint32_t cp;
    size_t n;

    for (; s.n; s = str_skip(s, n))
        if (!(n = utf8_step(s, &cp)) || cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0x2028 ||
            cp == 0x2029)
            return false;
    return true;
}

static bool has_high(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] > 127)
            return true;
    return false;
}

static bool is_atext(char c)
{
    return ascii_alpha(c) || ascii_digit(c) || (unsigned char)c > 127 ||
           (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* Dot-string = Atom *("." Atom) */
static bool is_dot_string(struct str s)
{
    bool atom = false;

    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '.' ? !atom : !is_atext(s.p[i]))
            return false;
        atom = s.p[i] != '.';
    }
    return atom;
}

/* Length of the local part at the start of `in`; its content in *p. 0: not well-formed. */
static size_t take_local(struct str in, struct smtp_path *p)
{
    size_t i = 0;

    if (in.n && in.p[0] == '"') {
        for (i = 1; i < in.n && in.p[i] != '"'; i++) {
            bool pair = in.p[i] == '\\';

            i += pair; /* quoted-pairSMTP = "\" %d32-126 */
            if (i == in.n || (unsigned char)in.p[i] < 32 || in.p[i] == 127 ||
                (pair && (unsigned char)in.p[i] > 126))
                return 0;
        }
        if (i >= in.n)
            return 0;
        p->quoted = true;
        p->local = str_slice(in, 1, i);
        return i + 1;
    }
    while (i < in.n && (is_atext(in.p[i]) || in.p[i] == '.'))
        i++;
    p->local = str_slice(in, 0, i);
    return is_dot_string(p->local) ? i : 0;
}

static bool literal_valid(struct str s)
{
    char z[INET6_ADDRSTRLEN + 1] = "";
    unsigned char addr[16];
    bool v6 = str_istarts(s, STR("IPv6:"));

    s = v6 ? str_skip(s, 5) : s;
    if (s.n == 0 || s.n >= sizeof(z) || memchr(s.p, '\0', s.n))
        return false;
    memcpy(z, s.p, s.n);
    return inet_pton(v6 ? AF_INET6 : AF_INET, z, addr) == 1;
}

/* One label of let-dig, '-', '_' and UTF-8, neither starting nor ending in '-'. */
static bool label_valid(struct str s)
{
    if (s.n == 0 || s.n > SMTP_LABEL_MAX || s.p[0] == '-' || s.p[s.n - 1] == '-')
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (!ascii_alpha(c) && !ascii_digit(c) && c != '-' && c != '_' && (unsigned char)c <= 127)
            return false;
    }
    return true;
}

bool smtp_domain_valid(struct str domain, bool *literal_out, bool *utf8_out)
{
    struct str label, rest = domain;
    bool more = true;

    *literal_out = domain.n > 2 && domain.p[0] == '[' && domain.p[domain.n - 1] == ']';
    *utf8_out = has_high(domain);
    if (domain.n == 0 || domain.n > SMTP_DOMAIN_MAX || (*utf8_out && !smtp_utf8_clean(domain)))
        return false;
    if (*literal_out)
        return literal_valid(str_slice(domain, 1, domain.n - 1));
    while (more) {
        more = str_cut(rest, '.', &label, &rest);
        if (!label_valid(label))
            return false;
    }
    return true;
}

bool smtp_domain_public(struct str domain)
{
    ptrdiff_t dot = str_rchr(domain, '.');
    struct str last = str_skip(domain, (size_t)(dot + 1));

    for (size_t i = 0; dot > 0 && i < last.n; i++)
        if (!ascii_digit(last.p[i]))
            return true;
    return false;
}

/* Where the domain at the start of `in` ends. */
static size_t domain_extent(struct str in)
{
    size_t i = 0;

    if (in.n && in.p[0] == '[')
        return (size_t)(str_chr(in, ']') + 1);
    while (i < in.n && in.p[i] != '>' && in.p[i] != ',' && in.p[i] != ':' && in.p[i] != ' ')
        i++;
    return i;
}

/* A-d-l = At-domain *( "," At-domain ), then ":". Its length, 0 when there is none, -1 when broken. */
static ptrdiff_t source_route(struct str in)
{
    bool literal, utf8;
    size_t i = 0, n;

    if (in.n == 0 || in.p[0] != '@')
        return 0;
    while (i < in.n && in.p[i] == '@') {
        n = domain_extent(str_skip(in, i + 1));
        if (!smtp_domain_valid(str_slice(in, i + 1, i + 1 + n), &literal, &utf8) || i + 1 + n >= in.n)
            return -1;
        i += 1 + n + 1;
        if (in.p[i - 1] == ':')
            return (ptrdiff_t)i;
        if (in.p[i - 1] != ',')
            return -1;
    }
    return -1;
}

/* local@domain at the start of `in`; *used_out is its length. */
static int take_mailbox(struct str in, uint32_t allow, struct smtp_path *p, size_t *used_out)
{
    size_t n = take_local(in, p), d;

    if (n == 0)
        return E_SYNTAX;
    if (n == in.n || in.p[n] != '@') {
        /* RFC 5321 4.1.1.3: "RCPT TO:<Postmaster>" is understood without a domain */
        if (!(allow & SMTP_PATH_FORWARD) || p->quoted || !str_ieq(p->local, STR("postmaster")))
            return E_SYNTAX;
        *used_out = n;
        return 0;
    }
    d = domain_extent(str_skip(in, n + 1));
    p->domain = str_slice(in, n + 1, n + 1 + d);
    if (p->domain.n > SMTP_DOMAIN_MAX || n + 1 + d > SMTP_PATH_MAX - 2 ||
        (!(allow & SMTP_PATH_REVERSE) && p->local.n > SMTP_LOCAL_MAX))
        return E_LIMIT;
    if (!smtp_domain_valid(p->domain, &p->literal, &p->utf8))
        return E_SYNTAX;
    if (has_high(p->local)) {
        if (!smtp_utf8_clean(p->local))
            return E_SYNTAX;
        p->utf8 = true;
    }
    *used_out = n + 1 + d;
    return 0;
}

int smtp_mailbox_parse(struct str in, uint32_t allow, struct smtp_path *out)
{
    struct smtp_path p = { 0 };
    size_t used = 0;
    int r = take_mailbox(in, allow, &p, &used);

    if (r < 0)
        return r;
    if (used != in.n)
        return E_SYNTAX;
    *out = p;
    return 0;
}

int smtp_path_parse(struct str in, uint32_t allow, struct smtp_path *out, size_t *used_out)
{
    struct smtp_path p = { 0 };
    ptrdiff_t route;
    size_t at = 1, used = 0;
    int r;

    if (in.n < 2 || in.p[0] != '<')
        return E_SYNTAX;
    if (in.p[1] == '>' && (allow & SMTP_PATH_REVERSE)) {
        *out = p;
        *used_out = 2;
        return 0;
    }
    if ((route = source_route(str_skip(in, 1))) < 0)
        return E_SYNTAX;
    at += (size_t)route;
    if ((r = take_mailbox(str_skip(in, at), allow, &p, &used)) < 0)
        return r;
    at += used;
    if (at >= in.n || in.p[at] != '>')
        return E_SYNTAX;
    *out = p;
    *used_out = at + 1;
    return 0;
}

int smtp_path_local(const struct smtp_path *p, struct buf *out)
{
    int r = 0;

    if (!p->quoted)
        return buf_puts(out, p->local);
    for (size_t i = 0; i < p->local.n && r == 0; i++) {
        if (p->local.p[i] == '\\')
            i++; /* the parser made sure that something follows */
        r = buf_putc(out, p->local.p[i]);
    }
    return r;
}

static int put_quoted(struct str s, struct buf *out)
{
    int r = buf_putc(out, '"');

    for (size_t i = 0; i < s.n && r == 0; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\')
            r = buf_putc(out, '\\');
        if (r == 0)
            r = buf_putc(out, s.p[i]);
    }
    return r < 0 ? r : buf_putc(out, '"');
}

int smtp_path_print(const struct smtp_path *p, struct buf *out)
{
    CLEANUP(buf_release) struct buf local = { .max = SMTP_PATH_MAX };
    size_t was = out->n;
    int r = 0;

    if (smtp_path_is_null(p))
        return 0;
    if ((r = smtp_path_local(p, &local)) < 0)
        return r;
    r = is_dot_string(buf_str(&local)) ? buf_puts(out, buf_str(&local)) : put_quoted(buf_str(&local), out);
    if (r == 0 && p->domain.n)
        r = buf_putc(out, '@');
    for (size_t i = 0; i < p->domain.n && r == 0; i++)
        r = buf_putc(out, ascii_lower(p->domain.p[i]));
    if (r < 0)
        out->n = was;
    return r;
}
