/* src/relay/dane.c: TLSA records of a mail server (RFC 7672). Asked for only where the MX records and the server's addresses
 * are authenticated; what is not authenticated here counts as if it were not there. */
#include "src/relay/relay.h"

#define ASK_MS 20000

struct dane_find {
    struct resolve *q;
    struct timer none;
    struct arena *arena;
    struct str bases[2]; /* the name that aliases led to, then the one that they began with */
    size_t n, at;
    uint16_t port;
    dane_fn *done;
    void *ctx;
};

static void end(struct dane_find *f, const struct dane *d)
{
    dane_fn *done = f->done;
    void *ctx = f->ctx;

    timer_release(&f->none);
    free(f);
    done(ctx, d);
}

static void ask(struct dane_find *f);

static void take(const struct dns_answer *a, struct arena *arena, struct dane *d)
{
    if (!(d->v = ARENA_ARRAY(arena, a->n, struct tls_tlsa))) {
        d->state = DANE_TROUBLE;
        return;
    }
    for (size_t i = 0; i < a->n && d->n < TLS_TLSA_MAX; i++) {
        const struct dns_record *r = &a->records[i];
        struct tls_tlsa t = { r->tlsa.usage, r->tlsa.selector, r->tlsa.matching, r->tlsa.data };

        if (r->type != DNS_TLSA || !tls_tlsa_usable(&t) || !(t.data = arena_dup(arena, t.data)).p)
            continue;
        d->v[d->n++] = t;
    }
    d->state = d->n ? DANE_USABLE : DANE_UNUSABLE;
}

static void came(void *ctx, const struct dns_answer *a)
{
    struct dane_find *f = ctx;
    struct dane d = { .base = f->bases[f->at] };

    f->q = NULL;
    if (dns_status_is_temporary(a->status)) {
        d.state = DANE_TROUBLE; /* RFC 7672 2.1: somebody may want us not to know */
    } else if (a->status == DNS_OK && a->ad) {
        take(a, f->arena, &d);
    } else if (++f->at < f->n) {
        ask(f);
        return;
    }
    end(f, &d);
}

static void ask(struct dane_find *f)
{
    const char *name = arena_printf(f->arena, "_%u._tcp.%.*s", (unsigned)f->port, STR_ARG(f->bases[f->at]));
    struct dns_question q = { str_from(name), DNS_TLSA };

    if (!name || !(f->q = resolve_ask(role_link(relay.role, ROLE_RESOLVER), &q, ASK_MS, came, f)))
        timer_set(&f->none, 0);
}

static void no_memory(struct timer *t)
{
    struct dane d = { .state = DANE_TROUBLE };

    end(CONTAINER_OF(t, struct dane_find, none), &d);
}

struct dane_find *relay_dane_find(struct arena *a, struct str host, struct str led_to, uint16_t port,
                                  dane_fn *done, void *ctx)
{
    struct dane_find *f = calloc(1, sizeof *f);

    if (!f)
        return NULL;
    *f = (struct dane_find){ .arena = a, .port = port, .done = done, .ctx = ctx };
    if (timer_init(&f->none, role_loop(relay.role), no_memory) < 0) {
        free(f);
        return NULL;
    }
    if (led_to.n && !str_ieq(led_to, host))
        f->bases[f->n++] = led_to;
    f->bases[f->n++] = host;
    ask(f);
    return f;
}

void relay_dane_cancel(struct dane_find **f)
{
    if (*f) {
        resolve_cancel(&(*f)->q);
        timer_release(&(*f)->none);
        free(*f);
    }
    *f = NULL;
}
