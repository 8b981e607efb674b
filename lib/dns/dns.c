#include "lib/dns/dns.h"
#include "lib/base/errors.h"
#include "lib/base/hex.h"
#include <arpa/inet.h>

static const struct {
    uint16_t type;
    const char *name;
} types[] = {
    { DNS_A, "A" },       { DNS_AAAA, "AAAA" },   { DNS_MX, "MX" }, { DNS_TXT, "TXT" },
    { DNS_PTR, "PTR" },   { DNS_CNAME, "CNAME" }, { DNS_NS, "NS" }, { DNS_SRV, "SRV" },
    { DNS_TLSA, "TLSA" }, { DNS_CAA, "CAA" },
};

bool dns_status_is_temporary(enum dns_status s)
{
    return s >= DNS_SERVFAIL;
}

const char *dns_status_name(enum dns_status s)
{
    static const char *const names[] = {
        "ok", "nxdomain", "nodata", "badname", "servfail", "bogus", "timeout"
    };

    return (size_t)s < ARRAY_LEN(names) ? names[s] : "?";
}

const char *dns_type_name(uint16_t type, char out[DNS_TYPE_TEXT_MAX])
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (types[i].type == type)
            return types[i].name;
    snprintf(out, DNS_TYPE_TEXT_MAX, "TYPE%u", type);
    return out;
}

bool dns_type_from(struct str text, uint16_t *out)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (str_ieq_z(text, types[i].name)) {
            *out = types[i].type;
            return true;
        }
    return false;
}

bool dns_is_null_mx(const struct dns_answer *a)
{
    return a->status == DNS_OK && a->n == 1 && a->records[0].type == DNS_MX &&
           str_eq_z(a->records[0].mx.host, ".");
}

/* In quotes, pieces of 255 bytes as on the wire. */
static int print_text(struct str s, struct buf *out)
{
    int r = buf_putc(out, '"');

    for (size_t i = 0; i < s.n && r == 0; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (i > 0 && i % 255 == 0)
            r = buf_putz(out, "\" \"");
        if (r == 0)
            r = c == '"' || c == '\\'  ? buf_printf(out, "\\%c", c)
                : c < ' ' || c >= 0x7f ? buf_printf(out, "\\%03u", (unsigned)c)
                                       : buf_putc(out, (char)c);
    }
    return r < 0 ? r : buf_putc(out, '"');
}

static int print_hex(struct str s, struct buf *out)
{
    char *p = buf_reserve(out, 2 * s.n + 1);

    if (!p)
        return E_LIMIT;
    hex_encode(s.p, s.n, p);
    out->n += 2 * s.n;
    return 0;
}

static int print_address(int family, const void *a, struct buf *out)
{
    char text[INET6_ADDRSTRLEN];

    return inet_ntop(family, a, text, sizeof text) ? buf_putz(out, text) : E_BUG;
}

int dns_record_print(const struct dns_record *r, struct buf *out)
{
    int e;

    switch ((enum dns_type)r->type) {
    case DNS_A: return print_address(AF_INET, r->a, out);
    case DNS_AAAA: return print_address(AF_INET6, r->aaaa, out);
    case DNS_CNAME:
    case DNS_PTR:
    case DNS_NS: return buf_puts(out, r->name);
    case DNS_TXT: return print_text(r->txt, out);
    case DNS_MX: return buf_printf(out, "%u %.*s", r->mx.preference, STR_ARG(r->mx.host));
    case DNS_SRV:
        return buf_printf(out, "%u %u %u %.*s", r->srv.priority, r->srv.weight, r->srv.port,
                          STR_ARG(r->srv.target));
    case DNS_TLSA:
        e = buf_printf(out, "%u %u %u ", r->tlsa.usage, r->tlsa.selector, r->tlsa.matching);
        return e < 0 ? e : print_hex(r->tlsa.data, out);
    case DNS_CAA:
        e = buf_printf(out, "%u %.*s ", r->caa.flags, STR_ARG(r->caa.tag));
        return e < 0 ? e : print_text(r->caa.value, out);
    case DNS_SOA: break;
    }
    return E_UNSUPPORTED;
}
