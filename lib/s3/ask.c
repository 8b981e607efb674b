/* lib/s3/ask.c: one request: where it goes, its signature, and as many tries as it takes. The signature is made anew
 * for every try, since it holds the time. */
#include "lib/base/clock.h"
#include "lib/base/hex.h"
#include "lib/base/rand.h"
#include "lib/s3/private.h"
#include <arpa/inet.h>
#include <sodium.h>
#include <stdio.h>

#define URL_MAX       KIB(12)
#define ADDRESSES_MAX 16u
#define ADDRESS_TEXT  KIB(1)
#define TTL_MIN_S     30
#define TTL_MAX_S     600
#define FIELDS_MAX    8u

struct s3 {
    struct loop *loop;
    struct http_client *http;
    struct s3_conf conf;
    struct s3_owner owner;
    struct s3_counts counts;
    struct s3_call *calls;
    char host[330];               /* with the bucket in it, when that is the style */
    char addresses[ADDRESS_TEXT]; /* "" while none are known */
    struct sockaddr_storage v[ADDRESSES_MAX];
    size_t nv;
    int64_t good_until_ms; /* monotonic */
    bool fixed, resolving;
};

struct s3_call {
    struct s3 *s;
    struct s3_call *next, **prev;
    struct s3_ask a;
    struct arena arena; /* the copies */
    struct http_call *http;
    struct timer timer;
    unsigned tries;
    bool waits_for_address;
    int early; /* E_*: it fails as soon as the loop turns */
};

struct loop *s3_loop(struct s3 *s)
{
    return s->loop;
}

const struct s3_conf *s3_conf_of(const struct s3 *s)
{
    return &s->conf;
}

void s3_count_bytes(struct s3 *s, uint64_t sent, uint64_t got)
{
    s->counts.sent_bytes += sent;
    s->counts.got_bytes += got;
}

struct s3_counts s3_counts(const struct s3 *s)
{
    return s->counts;
}

/* ---- the end of a call ---- */

static void call_free(struct s3_call *k)
{
    *k->prev = k->next;
    if (k->next)
        k->next->prev = k->prev;
    if (k->http)
        http_cancel(k->http);
    timer_release(&k->timer);
    arena_release(&k->arena);
    free(k);
}

void s3_call_cancel(struct s3_call *k)
{
    if (k)
        call_free(k);
}

static void finish(struct s3_call *k, const struct s3_result *r)
{
    struct s3_ask a = k->a;
    struct s3 *s = k->s;

    if (r->status < 0 && !(r->status == E_NOTFOUND && a.may_miss)) {
        s->counts.failed++;
        if (s->owner.failed)
            s->owner.failed(s->owner.ctx, a.what, r->status, r->http, r->code);
    }
    call_free(k);
    a.done(a.ctx, r);
}

static void fail(struct s3_call *k, int status)
{
    finish(k, &(struct s3_result){ .status = status });
}

/* ---- what an answer means ---- */

/* The code says more than the number, where there is one. */
static const struct {
    const char *code;
    int status;
} codes[] = {
    { "NoSuchKey", E_NOTFOUND },
    { "NoSuchVersion", E_NOTFOUND },
    { "NoSuchUpload", E_NOTFOUND },
    { "NoSuchBucket", E_GONE },
    { "InternalError", E_UNAVAIL },
    { "SlowDown", E_UNAVAIL },
    { "ServiceUnavailable", E_UNAVAIL },
    { "RequestTimeout", E_UNAVAIL },
    { "OperationAborted", E_UNAVAIL },
    { "XAmzContentSHA256Mismatch", E_UNAVAIL }, /* it was damaged on the way */
    { "BadDigest", E_UNAVAIL },
    { "InvalidAccessKeyId", E_AUTH },
    { "SignatureDoesNotMatch", E_AUTH },
    { "RequestTimeTooSkewed", E_AUTH },
    { "ExpiredToken", E_AUTH },
    { "InvalidToken", E_AUTH },
    { "AccessDenied", E_DENIED },
    { "QuotaExceeded", E_FULL },
    { "StorageFull", E_FULL },
    { "XMinioStorageFull", E_FULL },
    { "NotImplemented", E_UNSUPPORTED },
    { "InvalidRange", E_RANGE },
    { "PreconditionFailed", E_STALE },
};

static int status_of(int http, const char *code)
{
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (code[0] && strcmp(codes[i].code, code) == 0)
            return codes[i].status;
    if (http >= 200 && http < 300)
        return code[0] ? E_UNAVAIL : 0; /* an error that began as a success */
    switch (http) {
    case 401: return E_AUTH;
    case 403: return E_DENIED;
    case 404: return E_NOTFOUND;
    case 412: return E_STALE;
    case 416: return E_RANGE;
    case 301:
    case 307:
    case 405:
    case 501: return E_UNSUPPORTED;
    case 507: return E_FULL;
    case 408:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504: return E_UNAVAIL;
    default: return E_IO;
    }
}

static bool again_helps(int status)
{
    return status == E_UNAVAIL || status == E_TIMEOUT || status == E_CLOSED;
}

/* ---- trying ---- */

static void try_now(struct s3_call *k);

static int64_t pause_ms(const struct s3_call *k, struct str retry_after)
{
    int64_t ms = k->s->conf.backoff_ms;
    uint32_t s = 0;

    for (unsigned i = 1; i < k->tries && ms < S3_BACKOFF_MAX_MS; i++)
        ms *= 2;
    ms = ms > S3_BACKOFF_MAX_MS ? S3_BACKOFF_MAX_MS : ms;
    ms -= (int64_t)(rand_u64() %
                    (uint64_t)(ms / 2 + 1)); /* many that failed together shall not come together */
    if (str_to_u32(retry_after, &s) && (int64_t)s * 1000 > ms)
        ms = (int64_t)s * 1000 < S3_BACKOFF_MAX_MS ? (int64_t)s * 1000 : S3_BACKOFF_MAX_MS;
    return ms;
}

static void timer_fired(struct timer *t)
{
    struct s3_call *k = CONTAINER_OF(t, struct s3_call, timer);

    if (k->early < 0)
        fail(k, k->early);
    else
        try_now(k);
}

static void try_later(struct s3_call *k, struct str retry_after)
{
    k->s->counts.repeated++;
    timer_set(&k->timer, pause_ms(k, retry_after));
}

static void answered(void *ctx, const struct http_answer *h)
{
    struct s3_call *k = ctx;
    struct s3_result r = { .http = h->status > 0 ? h->status : 0,
                           .status = h->status,
                           .body = h->body,
                           .etag = h->got[0],
                           .range = h->got[1],
                           .length = h->got[2],
                           .version = h->got[4] };

    k->http = NULL;
    if (h->status > 0) {
        if (h->body.n && (h->status >= 300 || str_istarts(str_from(h->type), STR("application/xml"))))
            s3_error_code(h->body, r.code);
        r.status = status_of(h->status, r.code);
    }
    if (r.status == E_CLOSED || r.status == E_TIMEOUT)
        k->s->good_until_ms = k->s->fixed ? INT64_MAX : 0; /* perhaps it is elsewhere by now */
    if (again_helps(r.status) && k->tries < k->s->conf.tries)
        try_later(k, h->got[3]);
    else
        finish(k, &r);
}

/* ---- making the request ---- */

struct made {
    char url[URL_MAX], resolve[ADDRESS_TEXT + 400], date[S3_DATE_LEN + 1], host[340], hash[S3_HASH_HEX + 1];
    struct buf lines[FIELDS_MAX];
    const char *fields[FIELDS_MAX + 1];
};

static int line_add(struct made *m, const char *name, const char *value)
{
    size_t n = 0;

    while (m->fields[n])
        n++;
    if (n == FIELDS_MAX)
        return E_LIMIT;
    m->lines[n].max = KIB(8);
    if (buf_printf(&m->lines[n], "%s: %s", name, value) < 0)
        return E_NOMEM;
    return (m->fields[n] = buf_z(&m->lines[n])) ? 0 : E_NOMEM;
}

static bool port_stands(const struct s3_place *p)
{
    return p->port != (strcmp(p->scheme, "https") == 0 ? 443 : 80);
}

static int url_make(const struct s3_call *k, struct str path, struct made *m)
{
    CLEANUP(buf_release) struct buf b = { .max = URL_MAX - 1 };
    const struct s3_place *p = &k->s->conf.place;
    int r;

    snprintf(m->host, sizeof m->host, port_stands(p) ? "%s:%u" : "%s", k->s->host, p->port);
    snprintf(m->resolve, sizeof m->resolve, "%s:%u:%s", k->s->host, p->port, k->s->addresses);
    if ((r = buf_printf(&b, "%s://%s", p->scheme, m->host)) < 0 || (r = s3_encode(path, true, &b)) < 0 ||
        (k->a.nquery && (r = buf_putc(&b, '?')) < 0) || (r = s3_query(k->a.query, k->a.nquery, &b)) < 0)
        return r;
    memcpy(m->url, b.p, b.n);
    m->url[b.n] = '\0';
    return 0;
}

static int sign(const struct s3_call *k, struct str path, struct made *m)
{
    CLEANUP(buf_release) struct buf value = { .max = KIB(4) };
    const struct s3_conf *c = &k->s->conf;
    struct s3_pair fields[5] = { { "host", m->host },
                                 { "x-amz-content-sha256", m->hash },
                                 { "x-amz-date", m->date } };
    struct s3_request q = { .method = k->a.method,
                            .path = path,
                            .query = k->a.query,
                            .nquery = k->a.nquery,
                            .fields = fields,
                            .nfields = 3,
                            .payload_hash = m->hash,
                            .date = m->date,
                            .region = c->region,
                            .service = "s3" };
    const char *z;
    int r;

    if (c->credentials.token[0])
        fields[q.nfields++] = (struct s3_pair){ "x-amz-security-token", c->credentials.token };
    if ((r = s3_sign(&c->credentials, &q, &value)) < 0 || !(z = buf_z(&value)) ||
        (r = line_add(m, "Authorization", z)) < 0)
        return r < 0 ? r : E_NOMEM;
    for (size_t i = 1; i < q.nfields && r == 0; i++)
        r = line_add(m, fields[i].name, fields[i].value);
    return r;
}

static int make(const struct s3_call *k, struct made *m)
{
    CLEANUP(buf_release) struct buf path = { .max = 2 * S3_KEY_MAX };
    const struct s3_place *p = &k->s->conf.place;
    uint8_t hash[crypto_hash_sha256_BYTES];
    int r;

    s3_date(clock_wall_ms(), m->date);
    if (k->a.hash) {
        snprintf(m->hash, sizeof m->hash, "%s", k->a.hash);
    } else {
        crypto_hash_sha256(hash, (const uint8_t *)k->a.body.p, k->a.body.n);
        hex_encode(hash, sizeof hash, m->hash);
    }
    if ((r = k->s->conf.path_style ? buf_printf(&path, "/%s", p->bucket) : 0) < 0 ||
        (r = k->a.name ? buf_printf(&path, "/%s%s", p->prefix, k->a.name) : 0) < 0 ||
        (!path.n && (r = buf_putc(&path, '/')) < 0) || (r = url_make(k, buf_str(&path), m)) < 0 ||
        (r = sign(k, buf_str(&path), m)) < 0 || (k->a.range && (r = line_add(m, "Range", k->a.range)) < 0))
        return r;
    return k->a.if_match ? line_add(m, "If-Match", k->a.if_match) : 0;
}

static int request_send(struct s3_call *k)
{
    static const char *const want[] = { "ETag",        "Content-Range",    "Content-Length",
                                        "Retry-After", "x-amz-version-id", NULL };
    struct made *m = calloc(1, sizeof *m);
    const struct s3_conf *c = &k->s->conf;
    int r = m ? make(k, m) : E_NOMEM;

    if (r == 0) {
        const struct http_request q = { .url = m->url,
                                        .method = k->a.method,
                                        .resolve = k->s->fixed ? NULL : m->resolve,
                                        .allow_plain = strcmp(c->place.scheme, "http") == 0,
                                        .body = k->a.body,
                                        .body_stays = true,
                                        .fields = m->fields,
                                        .want = want,
                                        .answer_max = k->a.answer_max ? k->a.answer_max : S3_ANSWER_MAX,
                                        .deadline_ms = c->request_ms,
                                        .stall_ms = c->stall_ms,
                                        .done = answered,
                                        .ctx = k };

        k->http = http_ask(k->s->http, &q);
        r = k->http ? 0 : E_NOMEM;
    }
    for (size_t i = 0; m && i < FIELDS_MAX; i++)
        buf_release(&m->lines[i]);
    if (m)
        sodium_memzero(m, sizeof *m);
    free(m);
    return r;
}

static void try_now(struct s3_call *k)
{
    struct s3 *s = k->s;
    int r;

    if (clock_mono_ms() >= s->good_until_ms) {
        k->waits_for_address = true;
        if (!s->resolving) {
            s->resolving = true;
            s->owner.resolve(s->owner.ctx, s, s->host);
        }
        return;
    }
    k->tries++;
    s->counts.requests++;
    if ((r = request_send(k)) < 0)
        fail(k, r);
}

/* ---- where it is ---- */

static bool address_parse(struct str text, uint16_t port, struct sockaddr_storage *out)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
    char z[64];

    if (text.n > 2 && text.p[0] == '[')
        text = str_slice(text, 1, text.n - 1);
    snprintf(z, sizeof z, "%.*s", (int)size_min(text.n, 63), text.p);
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, z, &v4.sin_addr) == 1)
        memcpy(out, &v4, sizeof v4);
    else if (inet_pton(AF_INET6, z, &v6.sin6_addr) == 1)
        memcpy(out, &v6, sizeof v6);
    else
        return false;
    return true;
}

static bool addresses_take(struct s3 *s, const char *text)
{
    struct str rest = str_from(text), one;
    bool more = rest.n > 0;

    s->nv = 0;
    while (more && s->nv < ADDRESSES_MAX) {
        more = str_cut(rest, ',', &one, &rest);
        if (!address_parse(one, s->conf.place.port, &s->v[s->nv++]))
            return false;
    }
    snprintf(s->addresses, sizeof s->addresses, "%s", text);
    return s->nv > 0 && strlen(text) < sizeof s->addresses;
}

bool s3_may_dial(const struct s3 *s, const struct sockaddr *sa)
{
    for (size_t i = 0; i < s->nv; i++) {
        if (s->v[i].ss_family != sa->sa_family)
            continue;
        if (sa->sa_family == AF_INET) {
            const struct sockaddr_in *a = (const void *)sa, *b = (const void *)&s->v[i];

            if (a->sin_port == b->sin_port && a->sin_addr.s_addr == b->sin_addr.s_addr)
                return true;
        } else {
            const struct sockaddr_in6 *a = (const void *)sa, *b = (const void *)&s->v[i];

            if (a->sin6_port == b->sin6_port &&
                memcmp(&a->sin6_addr, &b->sin6_addr, sizeof a->sin6_addr) == 0)
                return true;
        }
    }
    return false;
}

/* Those who wait go on when the loop turns: this may be called from inside try_now. */
void s3_resolved(struct s3 *s, int status, const char *addresses, uint32_t ttl_s)
{
    uint32_t keep = ttl_s < TTL_MIN_S ? TTL_MIN_S : ttl_s > TTL_MAX_S ? TTL_MAX_S : ttl_s;
    bool ok = status == 0 && addresses_take(s, addresses);

    s->resolving = false;
    if (ok)
        s->good_until_ms = clock_mono_ms() + (int64_t)keep * 1000;
    for (struct s3_call *k = s->calls; k; k = k->next) {
        if (!k->waits_for_address)
            continue;
        k->waits_for_address = false;
        if (!ok && ++k->tries >= s->conf.tries)
            k->early = status < 0 ? status : E_UNAVAIL;
        if (ok || k->early < 0)
            timer_set(&k->timer, 0);
        else
            try_later(k, STR_NONE);
    }
}

/* ---- beginning ---- */

static int copy(struct arena *a, const char **z)
{
    if (*z && !(*z = arena_dupz(a, str_from(*z))))
        return E_NOMEM;
    return 0;
}

static int copy_all(struct s3_call *k)
{
    int r = copy(&k->arena, &k->a.name);

    for (size_t i = 0; i < k->a.nquery && r == 0; i++)
        r = copy(&k->arena, &k->a.query[i].value);
    return r < 0 || copy(&k->arena, &k->a.range) < 0 || copy(&k->arena, &k->a.if_match) < 0 ||
                   copy(&k->arena, &k->a.hash) < 0
               ? E_NOMEM
               : 0;
}

struct s3_call *s3_ask(struct s3 *s, const struct s3_ask *a)
{
    struct s3_call *k = calloc(1, sizeof *k);

    if (!k)
        return NULL;
    *k =
        (struct s3_call){ .s = s, .next = s->calls, .prev = &s->calls, .a = *a, .arena = { .max = KIB(32) } };
    if (k->next)
        k->next->prev = &k->next;
    s->calls = k;
    if (timer_init(&k->timer, s->loop, timer_fired) < 0 || copy_all(k) < 0) {
        call_free(k);
        return NULL;
    }
    timer_set(&k->timer, 0);
    return k;
}

struct s3 *s3_new(struct loop *l, struct http_client *http, const struct s3_conf *c, const struct s3_owner *o)
{
    struct s3 *s = calloc(1, sizeof *s);
    const struct s3_place *p = &c->place;
    struct sockaddr_storage sa;

    if (!s)
        return NULL;
    *s = (struct s3){ .loop = l, .http = http, .conf = *c, .owner = *o };
    s->conf.tries = c->tries ? c->tries : 1;
    if (address_parse(str_from(p->host), p->port, &sa)) {
        s->conf.path_style = true; /* an address has no names below it */
        s->fixed = addresses_take(s, p->host);
        s->good_until_ms = INT64_MAX;
    }
    snprintf(s->host, sizeof s->host, s->conf.path_style ? "%s%s" : "%s.%s",
             s->conf.path_style ? "" : p->bucket, p->host);
    return s;
}

void s3_free(struct s3 **sp)
{
    struct s3 *s = *sp;

    *sp = NULL;
    if (!s)
        return;
    while (s->calls)
        call_free(s->calls);
    s3_credentials_wipe(&s->conf.credentials);
    free(s);
}
