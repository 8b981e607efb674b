#include "lib/dns/name.h"
#include "lib/base/errors.h"
#include <idn2.h>
#include <netinet/in.h>
#include <sodium.h>

#define LABEL_MAX 63u

/* One byte of a label, "\ddd" and "\x" undone (RFC 1035 5.1). Moves *at. */
static int take_byte(struct str s, size_t *at, uint8_t *out)
{
    unsigned v = 0;

    if (s.p[*at] != '\\') {
        *out = (uint8_t)ascii_lower(s.p[(*at)++]);
        return 0;
    }
    if (*at + 1 >= s.n)
        return E_SYNTAX;
    if (!ascii_digit(s.p[*at + 1])) {
        *out = (uint8_t)ascii_lower(s.p[*at + 1]);
        *at += 2;
        return 0;
    }
    if (*at + 3 >= s.n)
        return E_SYNTAX;
    for (size_t i = 1; i <= 3; i++) {
        if (!ascii_digit(s.p[*at + i]))
            return E_SYNTAX;
        v = v * 10 + (unsigned)(s.p[*at + i] - '0');
    }
    if (v > 255)
        return E_SYNTAX;
    *out = (uint8_t)ascii_lower((char)v);
    *at += 4;
    return 0;
}

static int parse_ascii(struct str s, struct dns_name *out)
{
    struct dns_name r = { .n = 0 };
    size_t at = 0, n = 0, start;
    int e;

    if (s.n == 1 && s.p[0] == '.')
        s.n = 0;
    else if (s.n == 0)
        return E_SYNTAX;
    while (at < s.n) {
        start = n++;
        while (at < s.n && s.p[at] != '.') {
            if (n >= DNS_WIRE_MAX - 1 || n - start > LABEL_MAX)
                return E_LIMIT;
            if ((e = take_byte(s, &at, &r.wire[n])) < 0)
                return e;
            n++;
        }
        if (n - start == 1)
            return E_SYNTAX; /* an empty label */
        r.wire[start] = (uint8_t)(n - start - 1);
        at++; /* the dot; a final one adds nothing */
    }
    r.wire[n++] = 0;
    r.n = (uint8_t)n;
    *out = r;
    return 0;
}

int dns_name_parse(struct str text, struct dns_name *out)
{
    char z[DNS_TEXT_MAX + 1], *ascii = NULL;
    int r;

    if (text.n > DNS_TEXT_MAX)
        return E_LIMIT;
    if (str_is_ascii(text))
        return parse_ascii(text, out);
    if (str_chr(text, '\\') >= 0 || str_chr(text, '\0') >= 0)
        return E_SYNTAX; /* escapes are for bytes that mean nothing; an international name has none */
    memcpy(z, text.p, text.n);
    z[text.n] = '\0';
    r = idn2_to_ascii_8z(z, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    if (r != IDN2_OK)
        return r == IDN2_MALLOC                                      ? E_NOMEM
               : r == IDN2_TOO_BIG_LABEL || r == IDN2_TOO_BIG_DOMAIN ? E_LIMIT
                                                                     : E_SYNTAX;
    r = parse_ascii(str_from(ascii), out);
    idn2_free(ascii);
    return r;
}

int dns_name_from_wire(struct str in, struct dns_name *out)
{
    struct dns_name r = { .n = 0 };
    size_t at = 0;

    if (in.n > DNS_WIRE_MAX)
        return E_LIMIT;
    for (;;) {
        size_t n = at < in.n ? (uint8_t)in.p[at] : LABEL_MAX + 1;

        if (n > LABEL_MAX || at + 1 + n > in.n)
            return E_SYNTAX;
        r.wire[at] = (uint8_t)n;
        for (size_t i = 1; i <= n; i++)
            r.wire[at + i] = (uint8_t)ascii_lower(in.p[at + i]);
        at += 1 + n;
        if (n == 0)
            break;
    }
    if (at != in.n)
        return E_SYNTAX;
    r.n = (uint8_t)at;
    *out = r;
    return 0;
}

int dns_name_print(const struct dns_name *n, struct buf *out)
{
    int r = n->n <= 1 ? buf_putc(out, '.') : 0;

    for (size_t at = 0; r == 0 && at < n->n && n->wire[at] > 0; at += 1u + n->wire[at]) {
        if (at > 0)
            r = buf_putc(out, '.');
        for (size_t i = 1; i <= n->wire[at] && r == 0; i++) {
            uint8_t c = n->wire[at + i];

            /* quotes and semicolons mean something in zone files, spaces everywhere */
            r = c > ' ' && c < 0x7f && !strchr(".\\\"();@$", c) ? buf_putc(out, (char)c)
                                                                : buf_printf(out, "\\%03u", (unsigned)c);
        }
    }
    return r;
}

int dns_name_text(const struct dns_name *n, struct arena *a, struct str *out)
{
    CLEANUP(buf_release) struct buf b = { .max = DNS_TEXT_MAX };
    struct str s;

    if (dns_name_print(n, &b) < 0)
        return E_NOMEM;
    s = arena_dup(a, buf_str(&b));
    if (!s.p)
        return E_NOMEM;
    *out = s;
    return 0;
}

bool dns_name_eq(const struct dns_name *a, const struct dns_name *b)
{
    return a->n == b->n && memcmp(a->wire, b->wire, a->n) == 0;
}

uint64_t dns_name_hash(const struct dns_name *n, uint16_t type, const uint8_t key[DNS_HASH_KEY])
{
    uint8_t in[DNS_WIRE_MAX + 2] = { (uint8_t)(type >> 8), (uint8_t)type }, h[crypto_shorthash_BYTES];
    uint64_t v;

    memcpy(in + 2, n->wire, n->n);
    crypto_shorthash(h, in, n->n + 2u, key);
    memcpy(&v, h, sizeof v);
    return v;
}

bool dns_is_host(struct str s)
{
    size_t start = 0;

    if (s.n == 0 || s.n > 253)
        return false;
    for (size_t i = 0; i <= s.n; i++) {
        if (i < s.n && s.p[i] != '.') {
            if (!ascii_alpha(s.p[i]) && !ascii_digit(s.p[i]) && s.p[i] != '-')
                return false;
            continue;
        }
        if (i == start || i - start > LABEL_MAX || s.p[start] == '-' || s.p[i - 1] == '-')
            return false;
        start = i + 1;
    }
    return true;
}

static int reverse4(const uint8_t *a, struct str suffix, struct buf *out)
{
    return buf_printf(out, "%u.%u.%u.%u.%.*s", a[3], a[2], a[1], a[0], STR_ARG(suffix));
}

static int reverse6(const uint8_t *a, struct str suffix, struct buf *out)
{
    int r = 0;

    for (size_t i = 16; i-- > 0 && r == 0;)
        r = buf_printf(out, "%x.%x.", (unsigned)a[i] & 15, (unsigned)a[i] >> 4);
    return r < 0 ? r : buf_puts(out, suffix);
}

int dns_name_reverse(const struct sockaddr *sa, struct str suffix, struct buf *out)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (sa->sa_family == AF_INET) {
        memcpy(&v4, sa, sizeof v4);
        return reverse4((const uint8_t *)&v4.sin_addr, suffix.n ? suffix : STR("in-addr.arpa"), out);
    }
    if (sa->sa_family != AF_INET6)
        return E_SYNTAX;
    memcpy(&v6, sa, sizeof v6);
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
        return reverse4(v6.sin6_addr.s6_addr + 12, suffix.n ? suffix : STR("in-addr.arpa"), out);
    return reverse6(v6.sin6_addr.s6_addr, suffix.n ? suffix : STR("ip6.arpa"), out);
}
