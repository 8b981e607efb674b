#include "src/common/peers.h"
#include "lib/base/errors.h"
#include "lib/base/rand.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define BUCKETS 1024u

struct entry {
    struct peer_network net;
    uint64_t count;
    struct entry *next;
};
struct peers {
    uint64_t seed; /* so that nobody can choose networks that fall into one bucket */
    struct entry *buckets[BUCKETS];
};

static bool mapped_v4(const struct in6_addr *a)
{
    return IN6_IS_ADDR_V4MAPPED(a);
}

struct peer_network peer_network_of(const struct sockaddr *sa)
{
    struct peer_network n = { .bits = 0 };

    if (sa->sa_family == AF_INET) {
        n.bits = 24;
        memcpy(n.addr, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 3);
    } else if (sa->sa_family == AF_INET6) {
        const struct in6_addr *a = &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;

        n.bits = mapped_v4(a) ? 24 : 64;
        memcpy(n.addr, a->s6_addr + (n.bits == 24 ? 12 : 0), n.bits / 8u);
    }
    return n;
}

bool peer_is_local(const struct sockaddr *sa)
{
    const struct sockaddr_in6 *six = (const void *)sa;

    if (sa->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr) >> 24 == 127;
    if (sa->sa_family != AF_INET6)
        return sa->sa_family == AF_UNIX;
    return IN6_IS_ADDR_LOOPBACK(&six->sin6_addr) ||
           (mapped_v4(&six->sin6_addr) && six->sin6_addr.s6_addr[12] == 127);
}

void peer_text(const struct sockaddr *sa, char out[PEER_TEXT_MAX])
{
    const char *ok = NULL;

    if (sa->sa_family == AF_INET) {
        ok =
            inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, out, PEER_TEXT_MAX);
    } else if (sa->sa_family == AF_INET6) {
        const struct in6_addr *a = &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;

        ok = mapped_v4(a) ? inet_ntop(AF_INET, a->s6_addr + 12, out, PEER_TEXT_MAX)
                          : inet_ntop(AF_INET6, a, out, PEER_TEXT_MAX);
    }
    if (!ok)
        snprintf(out, PEER_TEXT_MAX, "unknown");
}

void peer_network_text(const struct peer_network *n, char out[PEER_TEXT_MAX])
{
    uint8_t full[16] = { 0 };
    char text[INET6_ADDRSTRLEN];

    memcpy(full, n->addr, sizeof(n->addr));
    if (n->bits && inet_ntop(n->bits == 24 ? AF_INET : AF_INET6, full, text, sizeof(text)))
        snprintf(out, PEER_TEXT_MAX, "%s/%u", text, n->bits);
    else
        snprintf(out, PEER_TEXT_MAX, "unknown");
}

void peer_penalty_text(const struct sockaddr *sa, char out[PEER_TEXT_MAX])
{
    struct peer_network n = peer_network_of(sa);

    if (n.bits == 64) {
        n.bits = 56;
        n.addr[7] = 0;
    }
    peer_network_text(&n, out);
}

static struct entry **slot_of(struct peers *p, const struct peer_network *n)
{
    uint64_t h = p->seed ^ n->bits;
    struct entry **e;

    for (size_t i = 0; i < sizeof(n->addr); i++)
        h = (h ^ n->addr[i]) * UINT64_C(0x9e3779b97f4a7c15);
    e = &p->buckets[(h >> 32) % BUCKETS];
    while (*e && ((*e)->net.bits != n->bits || memcmp((*e)->net.addr, n->addr, sizeof(n->addr)) != 0))
        e = &(*e)->next;
    return e;
}

struct peers *peers_new(void)
{
    struct peers *p = calloc(1, sizeof(*p));

    if (p)
        p->seed = rand_u64();
    return p;
}

void peers_free(struct peers **p)
{
    for (size_t i = 0; *p && i < BUCKETS; i++)
        while ((*p)->buckets[i]) {
            struct entry *e = (*p)->buckets[i];

            (*p)->buckets[i] = e->next;
            free(e);
        }
    free(*p);
    *p = NULL;
}

int peers_take(struct peers *p, const struct peer_network *n, uint64_t max)
{
    struct entry **slot = slot_of(p, n);

    if (!*slot) {
        *slot = calloc(1, sizeof(**slot));
        if (!*slot)
            return E_NOMEM;
        (*slot)->net = *n;
    }
    if ((*slot)->count >= max)
        return E_LIMIT; /* max is at least 1, so a new entry never stays empty */
    (*slot)->count++;
    return 0;
}

void peers_give(struct peers *p, const struct peer_network *n)
{
    struct entry **slot = slot_of(p, n), *e = *slot;

    if (!e || --e->count > 0)
        return;
    *slot = e->next;
    free(e);
}
