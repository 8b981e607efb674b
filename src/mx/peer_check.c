#include "src/mx/peer_check.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/dns/name.h"
#include <netinet/in.h>

enum kind { ASK_NAME, ASK_FORWARD, ASK_BLOCK, ASK_ALLOW };

struct lookup {
    struct peer_check *check;
    struct resolve *handle; /* NULL: not under way */
    enum kind kind;
    size_t at; /* which list, which name */
};

struct peer_check {
    const struct peer_check_conf *conf;
    const struct peer_check_io *io;
    void *io_ctx;
    void (*done)(void *ctx, const struct peer_facts *f);
    void *ctx;
    struct sockaddr_storage sa; /* no IPv4-mapped IPv6 */
    int64_t until_ms;
    struct lookup lookups[1 + PEER_NAMES_MAX + 2 * PEER_LISTS_MAX];
    size_t nlookups, waiting;
    char names[PEER_NAMES_MAX][PEER_NAME_MAX];
    uint32_t confirmed, blocked; /* masks of names, of lists */
    bool allowed;
};

int peer_lists_parse(struct str text, struct peer_lists *out)
{
    struct peer_lists r = { .n = 0 };
    struct dns_name n;
    struct str one;

    for (text = str_trim(text); text.n > 0; text = str_trim(text)) {
        str_cut(text, ',', &one, &text);
        one = str_trim(one);
        if (r.n == PEER_LISTS_MAX)
            return E_LIMIT;
        if (!dns_is_host(one) || dns_name_parse(one, &n) < 0)
            return E_SYNTAX;
        r.v[r.n++] = one;
    }
    *out = r;
    return 0;
}

/* ---- the address ---- */

static void keep_address(const struct sockaddr *sa, struct sockaddr_storage *out)
{
    struct sockaddr_in6 v6;
    struct sockaddr_in v4 = { .sin_family = AF_INET };

    memcpy(out, sa, sa->sa_family == AF_INET6 ? sizeof v6 : sizeof v4);
    if (sa->sa_family != AF_INET6)
        return;
    memcpy(&v6, sa, sizeof v6);
    if (!IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
        return;
    memcpy(&v4.sin_addr, v6.sin6_addr.s6_addr + 12, 4);
    *out = (struct sockaddr_storage){ .ss_family = AF_UNSPEC };
    memcpy(out, &v4, sizeof v4);
}

static bool same_address(const struct sockaddr_storage *sa, const struct dns_record *r)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    memcpy(&v4, sa, sizeof v4);
    memcpy(&v6, sa, sizeof v6);
    return sa->ss_family == AF_INET ? r->type == DNS_A && memcmp(&v4.sin_addr, r->a, 4) == 0
                                    : r->type == DNS_AAAA && memcmp(&v6.sin6_addr, r->aaaa, 16) == 0;
}

/* RFC 5782 2.1: somewhere in 127.0.0.0/8 means "listed". 127.255.255.0/24 is how lists say that they do not
 * answer this resolver, and 127.0.0.1 is what a list that was given up, or a captive network, may say (5). */
static bool means_listed(const struct dns_record *r)
{
    static const uint8_t refused[3] = { 127, 255, 255 }, home[4] = { 127, 0, 0, 1 };

    return r->type == DNS_A && r->a[0] == 127 && memcmp(r->a, refused, sizeof refused) != 0 &&
           memcmp(r->a, home, sizeof home) != 0;
}

/* ---- asking ---- */

static void answered(void *ctx, const struct dns_answer *a);

static void ask(struct peer_check *p, enum kind kind, size_t at, struct str name, uint16_t type)
{
    const struct dns_question q = { .name = name, .type = type };
    struct lookup *l = &p->lookups[p->nlookups];
    int64_t left = p->until_ms - clock_mono_ms();

    *l = (struct lookup){ .check = p, .kind = kind, .at = at };
    l->handle = left > 0 ? p->io->ask(p->io_ctx, &q, left, answered, l) : NULL;
    if (!l->handle)
        return;
    p->nlookups++;
    p->waiting++;
}

static void ask_reversed(struct peer_check *p, enum kind kind, size_t at, struct str suffix, uint16_t type)
{
    CLEANUP(buf_release) struct buf name = { .max = DNS_TEXT_MAX };

    if (dns_name_reverse((const struct sockaddr *)(const void *)&p->sa, suffix, &name) == 0)
        ask(p, kind, at, buf_str(&name), type);
}

/* ---- answers ---- */

static void take_names(struct peer_check *p, const struct dns_answer *a)
{
    size_t n = 0;

    for (size_t i = 0; i < a->n && n < PEER_NAMES_MAX; i++) {
        struct str name = a->records[i].name;

        /* what stands in a header must be the name of a host (RFC 1123 2.1) */
        if (!dns_is_host(name) || name.n >= PEER_NAME_MAX)
            continue;
        memcpy(p->names[n], name.p, name.n);
        p->names[n][name.n] = '\0';
        ask(p, ASK_FORWARD, n, name, p->sa.ss_family == AF_INET ? DNS_A : DNS_AAAA);
        n++;
    }
}

static bool any(const struct peer_check *p, const struct dns_answer *a, bool list)
{
    for (size_t i = 0; i < a->n; i++)
        if (list ? means_listed(&a->records[i]) : same_address(&p->sa, &a->records[i]))
            return true;
    return false;
}

static void finish(struct peer_check *p)
{
    struct peer_facts f = { .name = "", .allowed = p->allowed };

    for (size_t i = PEER_NAMES_MAX; i-- > 0;)
        if (p->confirmed & BIT(i))
            memcpy(f.name, p->names[i], sizeof f.name);
    for (size_t i = PEER_LISTS_MAX; i-- > 0;)
        if ((p->blocked & BIT(i)) && !p->allowed)
            f.listed = p->conf->block.v[i];
    p->done(p->ctx, &f);
    free(p);
}

static void answered(void *ctx, const struct dns_answer *a)
{
    struct lookup *l = ctx;
    struct peer_check *p = l->check;

    l->handle = NULL;
    p->waiting--;
    switch (l->kind) {
    case ASK_NAME: take_names(p, a); break;
    case ASK_FORWARD: p->confirmed |= any(p, a, false) ? BIT(l->at) : 0; break;
    case ASK_BLOCK: p->blocked |= any(p, a, true) ? BIT(l->at) : 0; break;
    case ASK_ALLOW: p->allowed |= any(p, a, true); break;
    }
    if (p->waiting == 0)
        finish(p);
}

struct peer_check *peer_check_start(const struct peer_check_conf *c, const struct peer_check_io *io,
                                    void *io_ctx, const struct sockaddr *sa,
                                    void (*done)(void *ctx, const struct peer_facts *f), void *ctx)
{
    struct peer_check *p;

    if ((!c->name && c->block.n == 0 && !(c->want_allowed && c->allow.n)) ||
        (sa->sa_family != AF_INET && sa->sa_family != AF_INET6) || !(p = calloc(1, sizeof *p)))
        return NULL;
    *p = (struct peer_check){ .conf = c, .io = io, .io_ctx = io_ctx, .done = done, .ctx = ctx };
    p->until_ms = clock_mono_ms() + c->timeout_ms;
    keep_address(sa, &p->sa);
    if (c->name)
        ask_reversed(p, ASK_NAME, 0, STR_NONE, DNS_PTR);
    for (size_t i = 0; i < c->block.n; i++)
        ask_reversed(p, ASK_BLOCK, i, c->block.v[i], DNS_A);
    for (size_t i = 0; (c->block.n > 0 || c->want_allowed) && i < c->allow.n; i++)
        ask_reversed(p, ASK_ALLOW, i, c->allow.v[i], DNS_A);
    if (p->waiting > 0)
        return p;
    free(p);
    return NULL;
}

void peer_check_cancel(struct peer_check **pp)
{
    struct peer_check *p = *pp;

    *pp = NULL;
    if (!p)
        return;
    for (size_t i = 0; i < p->nlookups; i++)
        p->io->cancel(p->io_ctx, &p->lookups[i].handle);
    free(p);
}
