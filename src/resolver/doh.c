#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/idmap.h"
#include "lib/base/log.h"
#include "lib/http/http.h"
#include "src/resolver/transport.h"
#include <sodium.h>

#define MEDIA_TYPE "application/dns-message"

struct doh {
    struct http_client *http;
    const struct dns_upstreams *upstreams;
    const struct resolver_conf *conf;
    struct idmap calls;
    heard_fn *heard;
    void *ctx;
};

struct doh_call {
    struct doh *doh;
    const struct dns_upstream *upstream;
    uint64_t token;
    struct http_call *http;
    int64_t began_us;
};

/* Whatever libcurl might be talked into: connections go to the addresses that the operator wrote. */
static bool allowed(void *ctx, const struct sockaddr *sa)
{
    const struct doh *d = ctx;

    return dns_upstreams_have(d->upstreams, sa);
}

struct doh *doh_new(struct loop *l, const struct resolver_conf *c, const struct dns_upstreams *u,
                    heard_fn *heard, void *ctx)
{
    struct doh *d = calloc(1, sizeof *d);
    const char *err = NULL;

    if (!d)
        return NULL;
    *d = (struct doh){ .upstreams = u, .conf = c, .heard = heard, .ctx = ctx };
    d->http = http_client_new(l, c->ca_file, allowed, d, &err);
    if (err)
        log_event(LOG_ERROR, "resolver.no_authorities", F_Z("why", err), F_Z("file", c->ca_file));
    if (!d->http)
        doh_free(&d);
    return d;
}

void doh_free(struct doh **dp)
{
    struct doh *d = *dp;
    void *call;

    *dp = NULL;
    if (!d)
        return;
    while ((call = idmap_any(&d->calls, NULL))) {
        idmap_take(&d->calls, ((struct doh_call *)call)->token);
        free(call);
    }
    idmap_release(&d->calls);
    http_client_free(&d->http);
    free(d);
}

static int status_of(const struct http_answer *a)
{
    if (a->status < 0)
        return a->status;
    if (a->status != 200)
        return E_UNAVAIL;
    /* RFC 8484 6; parameters may follow */
    return str_istarts(str_from(a->type), STR(MEDIA_TYPE)) ? 0 : E_SYNTAX;
}

static void answered(void *ctx, const struct http_answer *a)
{
    struct doh_call *k = ctx;
    struct doh *d = k->doh;
    const struct dns_upstream *u = k->upstream;
    uint64_t token = k->token;
    const struct dns_heard h = { .status = status_of(a),
                                 .took_us = clock_mono_us() - k->began_us,
                                 .age_s = a->age_s,
                                 .message = a->body };

    idmap_take(&d->calls, token);
    free(k);
    d->heard(d->ctx, u, token, &h);
}

/* RFC 8484 4.1.1: the question in the URL, without padding of base64. */
static int put_url(const struct dns_upstream *u, struct str query, char *out, size_t cap)
{
    size_t n = strlen(u->url),
           need = sodium_base64_encoded_len(query.n, sodium_base64_VARIANT_URLSAFE_NO_PADDING);

    if (n + sizeof "?dns=" + need > cap)
        return E_LIMIT;
    memcpy(out, u->url, n);
    memcpy(out + n, "?dns=", 5);
    sodium_bin2base64(out + n + 5, cap - n - 5, (const unsigned char *)query.p, query.n,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return 0;
}

int doh_send(struct doh *d, const struct dns_upstream *u, uint64_t token, struct str query)
{
    char url[DNS_URL_MAX + 2 * DNS_QUERY_MAX];
    bool get = d->conf->method == RESOLVER_GET;
    struct http_request r = { .url = get ? url : u->url,
                              .resolve = u->resolve,
                              .type = get ? NULL : MEDIA_TYPE,
                              .body = get ? STR_NONE : query, /* a body would make it a POST */
                              .accept = MEDIA_TYPE,
                              .answer_max = DNS_MESSAGE_MAX,
                              .deadline_ms = (int64_t)d->conf->timeout_ms,
                              .done = answered };
    struct doh_call *k;
    int e;

    if (get && (e = put_url(u, query, url, sizeof url)) < 0)
        return e;
    if (!(k = calloc(1, sizeof *k)))
        return E_NOMEM;
    *k = (struct doh_call){ .doh = d, .upstream = u, .token = token, .began_us = clock_mono_us() };
    r.ctx = k;
    if (idmap_put(&d->calls, token, k) < 0 || !(k->http = http_ask(d->http, &r))) {
        idmap_take(&d->calls, token);
        free(k);
        return E_NOMEM;
    }
    return 0;
}

void doh_cancel(struct doh *d, uint64_t token)
{
    struct doh_call *k = idmap_take(&d->calls, token);

    if (!k)
        return;
    http_cancel(k->http);
    free(k);
}
