#include "lib/conf/value.h"
#include "lib/base/errors.h"
#include <arpa/inet.h>
#include <netinet/in.h>

struct suffix {
    const char *unit, *text;
    uint64_t times;
};
/* Largest first: printing takes the first that divides. */
static const struct suffix suffixes[] = {
    { "bytes", "GiB", UINT64_C(1) << 30 },
    { "bytes", "MiB", UINT64_C(1) << 20 },
    { "bytes", "KiB", UINT64_C(1) << 10 },
    { "ms", "d", 86400000 },
    { "ms", "h", 3600000 },
    { "ms", "m", 60000 },
    { "ms", "s", 1000 },
    { "ms", "ms", 1 },
};

static bool suffix_fits(const struct suffix *s, const struct conf_item *item)
{
    return item->unit && strcmp(item->unit, s->unit) == 0;
}

static int parse_u64(const struct conf_item *item, struct str text, uint64_t *out)
{
    uint64_t v = 0, times = 1;
    struct str tail;
    size_t n = 0;

    while (n < text.n && ascii_digit(text.p[n]))
        n++;
    tail = str_trim(str_skip(text, n));
    if (!str_to_u64(str_slice(text, 0, n), &v))
        return E_SYNTAX;
    if (tail.n > 0) {
        for (size_t i = 0; (times = 0, i < ARRAY_LEN(suffixes)); i++)
            if (suffix_fits(&suffixes[i], item) && str_ieq_z(tail, suffixes[i].text)) {
                times = suffixes[i].times;
                break;
            }
        if (times == 0)
            return E_SYNTAX;
    }
    if (__builtin_mul_overflow(v, times, &v) || v < item->min || v > item->max)
        return E_RANGE;
    *out = v;
    return 0;
}

static int print_u64(const struct conf_item *item, uint64_t v, struct buf *out)
{
    for (size_t i = 0; v > 0 && i < ARRAY_LEN(suffixes); i++)
        if (suffix_fits(&suffixes[i], item) && v % suffixes[i].times == 0)
            return buf_printf(out, "%llu%s", (unsigned long long)(v / suffixes[i].times), suffixes[i].text);
    return buf_printf(out, "%llu", (unsigned long long)v);
}

static int parse_bool(struct str text, bool *out)
{
    static const char *const yes[] = { "yes", "true", "on", "1" }, *const no[] = { "no", "false", "off",
                                                                                   "0" };

    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        bool is_yes = str_ieq_z(text, yes[i]);

        if (is_yes || str_ieq_z(text, no[i])) {
            *out = is_yes;
            return 0;
        }
    }
    return E_SYNTAX;
}

static int parse_enum(const struct conf_item *item, struct str text, uint32_t *out)
{
    struct str rest = str_from(item->choices), one;
    bool more = true;

    for (uint32_t i = 0; more; i++) {
        more = str_cut(rest, '|', &one, &rest);
        if (str_eq(one, text)) {
            *out = i;
            return 0;
        }
    }
    return E_SYNTAX;
}

/* "127.0.0.1:25", "[::1]:25", ":25" (every IPv4 and IPv6 address). */
static int parse_addr(struct str text, struct arena *a, struct conf_addr *out)
{
    ptrdiff_t colon = str_rchr(text, ':');
    struct conf_addr r = { .len = 0 };
    char host[INET6_ADDRSTRLEN] = "::";
    uint32_t port = 0;
    struct str h;

    if (colon < 0 || !str_to_u32(str_skip(text, (size_t)colon + 1), &port) || port > 65535)
        return E_SYNTAX;
    h = str_slice(text, 0, (size_t)colon);
    if (h.n >= 2 && h.p[0] == '[' && h.p[h.n - 1] == ']')
        h = str_slice(h, 1, h.n - 1);
    else if (str_chr(h, ':') >= 0)
        return E_SYNTAX;
    if (h.n >= sizeof host)
        return E_SYNTAX;
    if (h.n > 0) {
        memcpy(host, h.p, h.n);
        host[h.n] = '\0';
    }
    if (strchr(host, ':')) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)&r.sa;

        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons((uint16_t)port);
        r.len = sizeof *in6;
        if (inet_pton(AF_INET6, host, &in6->sin6_addr) != 1)
            return E_SYNTAX;
    } else {
        struct sockaddr_in *in = (struct sockaddr_in *)(void *)&r.sa;

        in->sin_family = AF_INET;
        in->sin_port = htons((uint16_t)port);
        r.len = sizeof *in;
        if (inet_pton(AF_INET, host, &in->sin_addr) != 1)
            return E_SYNTAX;
    }
    if (!(r.text = arena_dupz(a, text)))
        return E_NOMEM;
    *out = r;
    return 0;
}

static int parse_addrs(struct str text, struct arena *a, struct conf_addrs *out)
{
    struct conf_addrs list = { .v = ARENA_ARRAY(a, CONF_ADDRS_MAX, struct conf_addr) };
    bool more = text.n > 0;
    struct str one;
    int r;

    if (!list.v)
        return E_NOMEM;
    while (more) {
        more = str_cut(text, ',', &one, &text);
        if (list.n == CONF_ADDRS_MAX)
            return E_RANGE;
        if ((r = parse_addr(str_trim(one), a, &list.v[list.n])) < 0)
            return r;
        list.n++;
    }
    *out = list;
    return 0;
}

static int parse_path(struct str text, const char *base, struct arena *a, const char **out)
{
    char *p = text.n == 0 || text.p[0] == '/' || !base ? arena_dupz(a, text)
                                                       : arena_printf(a, "%s/%.*s", base, STR_ARG(text));

    if (!p)
        return E_NOMEM;
    *out = p;
    return 0;
}

static int parse_str(const struct conf_item *item, struct str text, struct arena *a, const char **out)
{
    const char *p;

    if (text.n > (item->max ? item->max : 255) || text.n < item->min)
        return E_RANGE;
    if (!(p = arena_dupz(a, text)))
        return E_NOMEM;
    *out = p;
    return 0;
}

int value_parse(const struct conf_item *item, struct str text, const char *base, struct arena *a, void *field)
{
    union {
        uint64_t u;
        bool b;
        uint32_t e;
        const char *s;
        struct conf_addrs addrs;
        struct netset nets;
    } v;
    size_t n = 0;
    int r = E_BUG;

    switch (item->type) {
    case CONF_U64:
        r = parse_u64(item, text, &v.u);
        n = sizeof v.u;
        break;
    case CONF_BOOL:
        r = parse_bool(text, &v.b);
        n = sizeof v.b;
        break;
    case CONF_STR:
        r = parse_str(item, text, a, &v.s);
        n = sizeof v.s;
        break;
    case CONF_PATH:
        r = parse_path(text, base, a, &v.s);
        n = sizeof v.s;
        break;
    case CONF_ENUM:
        r = parse_enum(item, text, &v.e);
        n = sizeof v.e;
        break;
    case CONF_ADDRS:
        r = parse_addrs(text, a, &v.addrs);
        n = sizeof v.addrs;
        break;
    case CONF_NETS:
        r = netset_parse(text, &v.nets);
        r = r == E_LIMIT ? E_RANGE : r;
        n = sizeof v.nets;
        break;
    }
    if (r == 0 && field)
        memcpy(field, &v, n);
    return r;
}

int value_print(const struct conf_item *item, struct str text, const char *base, struct buf *out)
{
    uint64_t u = 0;
    bool b = false;

    if (item->type == CONF_U64)
        return parse_u64(item, text, &u) < 0 ? E_BUG : print_u64(item, u, out);
    if (item->type == CONF_BOOL)
        return parse_bool(text, &b) < 0 ? E_BUG : buf_putz(out, b ? "yes" : "no");
    if (item->type == CONF_PATH && text.n > 0 && text.p[0] != '/' && base)
        return buf_printf(out, "%s/%.*s", base, STR_ARG(text));
    return buf_puts(out, text);
}

int value_default(const struct conf_item *item, struct buf *out)
{
    if (item->type == CONF_U64)
        return print_u64(item, item->def, out);
    if (item->type == CONF_BOOL)
        return buf_putz(out, item->def ? "yes" : "no");
    return buf_putz(out, item->sdef ? item->sdef : "");
}

int value_expected(const struct conf_item *item, struct buf *out)
{
    int r;

    switch (item->type) {
    case CONF_U64:
        if ((r = buf_putz(out, "a number from ")) < 0 || (r = print_u64(item, item->min, out)) < 0 ||
            (r = buf_putz(out, " to ")) < 0 || (r = print_u64(item, item->max, out)) < 0)
            return r;
        if (item->unit && strcmp(item->unit, "bytes") == 0)
            return buf_putz(out, " (bytes, KiB, MiB or GiB)");
        if (item->unit && strcmp(item->unit, "ms") == 0)
            return buf_putz(out, " (ms, s, m, h or d)");
        return item->unit ? buf_printf(out, " (%s)", item->unit) : 0;
    case CONF_BOOL: return buf_putz(out, "yes or no");
    case CONF_STR:
        return buf_printf(out, "a text of %llu to %llu bytes", (unsigned long long)item->min,
                          (unsigned long long)(item->max ? item->max : 255));
    case CONF_PATH: return buf_putz(out, "a path");
    case CONF_ENUM: return buf_printf(out, "one of %s", item->choices);
    case CONF_NETS: return buf_putz(out, "a comma list of hosts and networks, such as 127.0.0.1, 10.0.0.0/8");
    case CONF_ADDRS: return buf_putz(out, "a comma list of address:port, such as 127.0.0.1:25, [::1]:25");
    }
    return E_BUG;
}
