#include "lib/base/netset.h"
#include "lib/base/errors.h"
#include <arpa/inet.h>
#include <netinet/in.h>

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static bool bit_set(const uint8_t *p, unsigned i)
{
    return p[i / 8] >> (7 - i % 8) & 1;
}

static int parse_one(struct str text, struct net *out)
{
    char z[INET6_ADDRSTRLEN + 1];
    struct str addr, prefix;
    bool cut = str_cut(text, '/', &addr, &prefix);
    uint32_t bits = 128;
    unsigned base = 0;

    if (addr.n == 0 || addr.n >= sizeof z)
        return E_SYNTAX;
    memcpy(z, addr.p, addr.n);
    z[addr.n] = '\0';
    *out = (struct net){ .bits = 0 };
    if (inet_pton(AF_INET, z, out->addr + 12) == 1) {
        memcpy(out->addr, mapped, sizeof mapped);
        base = 96;
        bits = 32;
    } else if (inet_pton(AF_INET6, z, out->addr) != 1) {
        return E_SYNTAX;
    }
    if (cut) {
        uint32_t most = bits;

        if (!str_to_u32(prefix, &bits))
            return E_SYNTAX;
        if (bits > most)
            return E_RANGE;
    }
    out->bits = (uint8_t)(base + bits);
    for (unsigned i = out->bits; i < 128; i++)
        if (bit_set(out->addr, i))
            return E_RANGE; /* 10.1.2.3/8: which of the two was meant? */
    return 0;
}

int netset_parse(struct str text, struct netset *out)
{
    struct netset s = { .n = 0 };
    struct str item;
    int r;

    text = str_trim(text);
    while (text.n) {
        str_cut(text, ',', &item, &text);
        if (s.n == NETSET_MAX)
            return E_LIMIT;
        if ((r = parse_one(str_trim(item), &s.v[s.n])) < 0)
            return r;
        s.n++;
    }
    *out = s;
    return 0;
}

static bool address_of(const struct sockaddr *sa, uint8_t out[16])
{
    if (sa->sa_family == AF_INET) {
        memcpy(out, mapped, sizeof mapped);
        memcpy(out + 12, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
        return true;
    }
    if (sa->sa_family != AF_INET6)
        return false;
    memcpy(out, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
    return true;
}

bool netset_has(const struct netset *s, const struct sockaddr *sa)
{
    uint8_t addr[16];

    if (!address_of(sa, addr))
        return false;
    for (size_t i = 0; i < s->n; i++) {
        const struct net *n = &s->v[i];
        unsigned whole = n->bits / 8u, rest = n->bits % 8u;

        if (memcmp(addr, n->addr, whole) == 0 && (!rest || (addr[whole] ^ n->addr[whole]) >> (8 - rest) == 0))
            return true;
    }
    return false;
}
