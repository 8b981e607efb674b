#include "lib/smtp/xclient.h"
#include "lib/base/errors.h"
#include "lib/smtp/path.h"
#include <arpa/inet.h>
#include <netinet/in.h>

typedef int attr_fn(struct str v, struct smtp_xclient *x);

static int attr_name(struct str v, struct smtp_xclient *x)
{
    bool literal, utf8;

    if (v.n && (!smtp_domain_valid(v, &literal, &utf8) || literal || utf8))
        return E_SYNTAX;
    x->name = v;
    return 0;
}

/* "192.0.2.1", "IPV6:2001:db8::1" */
static int address(struct str v, struct sockaddr_storage *out)
{
    bool six = str_istarts(v, STR("IPV6:"));
    char z[INET6_ADDRSTRLEN] = "";
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

    v = six ? str_skip(v, 5) : v;
    if (v.n == 0)
        return six ? E_SYNTAX : 0; /* unavailable */
    if (v.n >= sizeof z)
        return E_SYNTAX;
    memcpy(z, v.p, v.n);
    if (inet_pton(six ? AF_INET6 : AF_INET, z, six ? (void *)&v6.sin6_addr : (void *)&v4.sin_addr) != 1)
        return E_SYNTAX;
    *out = (struct sockaddr_storage){ .ss_family = AF_UNSPEC };
    memcpy(out, six ? (void *)&v6 : (void *)&v4, six ? sizeof v6 : sizeof v4);
    return 0;
}

static int attr_addr(struct str v, struct smtp_xclient *x)
{
    return address(v, &x->addr);
}

static int attr_destaddr(struct str v, struct smtp_xclient *x)
{
    return address(v, &x->destaddr);
}

static int port(struct str v, uint16_t *out)
{
    uint32_t n = 0;

    if (v.n && (!str_to_u32(v, &n) || n > 65535))
        return E_SYNTAX;
    *out = (uint16_t)n;
    return 0;
}

static int attr_port(struct str v, struct smtp_xclient *x)
{
    return port(v, &x->port);
}

static int attr_destport(struct str v, struct smtp_xclient *x)
{
    return port(v, &x->destport);
}

static int attr_proto(struct str v, struct smtp_xclient *x)
{
    x->esmtp = str_ieq(v, STR("ESMTP"));
    return x->esmtp || str_ieq(v, STR("SMTP")) ? 0 : E_SYNTAX;
}

static int attr_helo(struct str v, struct smtp_xclient *x)
{
    if (v.n > SMTP_DOMAIN_MAX || str_chr(v, ' ') >= 0 || !smtp_utf8_clean(v))
        return E_SYNTAX;
    x->helo = v;
    return 0;
}

static int attr_login(struct str v, struct smtp_xclient *x)
{
    if (v.n > SMTP_PATH_MAX || !smtp_utf8_clean(v))
        return E_SYNTAX;
    x->login = v;
    return 0;
}

static const struct attr {
    struct str name;
    attr_fn *take;
} attrs[] = {
    /* in the order of SMTP_XC_* */
    { { "NAME", 4 }, attr_name },         { { "ADDR", 4 }, attr_addr },
    { { "PORT", 4 }, attr_port },         { { "PROTO", 5 }, attr_proto },
    { { "HELO", 4 }, attr_helo },         { { "LOGIN", 5 }, attr_login },
    { { "DESTADDR", 8 }, attr_destaddr }, { { "DESTPORT", 8 }, attr_destport },
};

static int hex_digit(char c)
{
    return ascii_digit(c) ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* RFC 3461 4: "+" and two upper-case digits stand for a byte. Postfix also sends unencoded '='; a bare '+' is kept
 * nowhere. */
static int xtext(struct arena *a, struct str v, struct str *out)
{
    char *p = arena_alloc(a, v.n + 1);
    size_t n = 0;

    if (!p)
        return E_NOMEM;
    for (size_t i = 0; i < v.n; i++) {
        int high = -1, low = -1;

        if (v.p[i] != '+') {
            p[n++] = v.p[i];
            continue;
        }
        if (i + 2 < v.n) {
            high = hex_digit(v.p[i + 1]);
            low = hex_digit(v.p[i + 2]);
        }
        if (high < 0 || low < 0)
            return E_SYNTAX;
        p[n++] = (char)(high * 16 + low);
        i += 2;
    }
    *out = str_of(p, n);
    return 0;
}

static int parse_one(struct arena *a, struct str text, struct smtp_xclient *x)
{
    struct str name, value;
    int r;

    if (!str_cut(text, '=', &name, &value))
        return E_SYNTAX;
    if (str_ieq(value, STR("[UNAVAILABLE]")) || str_ieq(value, STR("[TEMPUNAVAIL]")))
        value = STR("");
    else if ((r = xtext(a, value, &value)) < 0)
        return r;
    for (unsigned i = 0; i < ARRAY_LEN(attrs); i++) {
        if (!str_ieq(name, attrs[i].name))
            continue;
        if (x->given & BIT(i))
            return E_SYNTAX;
        x->given |= BIT(i);
        return attrs[i].take(value, x);
    }
    return E_SYNTAX;
}

int smtp_xclient_parse(struct arena *a, struct str args, struct smtp_xclient *out)
{
    struct smtp_xclient x = { .given = 0 };
    struct str one;
    int r;

    while (args.n) {
        str_cut(args, ' ', &one, &args);
        if (one.n && (r = parse_one(a, one, &x)) < 0)
            return r;
    }
    if (x.given == 0)
        return E_SYNTAX;
    *out = x;
    return 0;
}
