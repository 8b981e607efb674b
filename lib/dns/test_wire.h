/* lib/dns/test_wire.h: answers made by hand, for tests. */
#ifndef LIB_DNS_TEST_WIRE_H
#define LIB_DNS_TEST_WIRE_H
#include "lib/base/test.h"
#include "lib/dns/message.h"

enum { W_QR = 0x80, W_TC = 0x02, W_AD = 0x20 };

struct wire {
    uint8_t b[DNS_MESSAGE_MAX];
    size_t n;
};

static inline void w8(struct wire *w, unsigned v)
{
    w->b[w->n++] = (uint8_t)v;
}

static inline void w16(struct wire *w, unsigned v)
{
    w8(w, v >> 8);
    w8(w, v & 255);
}

static inline void w32(struct wire *w, uint32_t v)
{
    w16(w, v >> 16);
    w16(w, v & 65535);
}

static inline void wname(struct wire *w, const char *name)
{
    struct dns_name n;

    CHECK(dns_name_parse(str_from(name), &n) == 0);
    memcpy(w->b + w->n, n.wire, n.n);
    w->n += n.n;
}

static inline void wbytes(struct wire *w, struct str s)
{
    memcpy(w->b + w->n, s.p, s.n);
    w->n += s.n;
}

/* The head and the question of an answer to (name, type). */
static inline void whead(struct wire *w, const char *name, unsigned type, unsigned rcode, bool ad)
{
    *w = (struct wire){ .n = 0 };
    w16(w, 0);
    w8(w, W_QR | 1);
    w8(w, 0x80 | (ad ? W_AD : 0) | rcode);
    w16(w, 1);
    w16(w, 0);
    w16(w, 0);
    w16(w, 0);
    wname(w, name);
    w16(w, type);
    w16(w, 1);
}

/* section: 1 answer, 2 authority, 3 additional; in this order. */
static inline void wrr(struct wire *w, unsigned section, const char *owner, unsigned type, uint32_t ttl,
                       struct str rdata)
{
    uint8_t *count = w->b + 4 + 2 * section;
    unsigned n = ((unsigned)count[0] << 8 | count[1]) + 1;

    count[0] = (uint8_t)(n >> 8);
    count[1] = (uint8_t)n;
    wname(w, owner);
    w16(w, type);
    w16(w, 1);
    w32(w, ttl);
    w16(w, (unsigned)rdata.n);
    wbytes(w, rdata);
}

static inline struct str wstr(const struct wire *w)
{
    return str_of(w->b, w->n);
}

static inline void wsoa(struct wire *w, const char *zone, uint32_t ttl, uint32_t minimum)
{
    struct wire d = { .n = 0 };

    wname(&d, "ns.example");
    wname(&d, "root.example");
    for (int i = 0; i < 4; i++)
        w32(&d, 1000);
    w32(&d, minimum);
    wrr(w, 2, zone, DNS_SOA, ttl, wstr(&d));
}

static inline void wcname(struct wire *w, const char *owner, uint32_t ttl, const char *target)
{
    struct wire d = { .n = 0 };

    wname(&d, target);
    wrr(w, 1, owner, DNS_CNAME, ttl, wstr(&d));
}
#endif
