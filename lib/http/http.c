/* lib/http/http.c
 *
 * libcurl's multi interface: it tells which descriptors to watch and when to come back, the loop does so.
 * Requests to one server share an HTTP/2 connection. Handles of finished requests are kept for the next ones:
 * making one costs more than a short request. */
#include "lib/http/http.h"
#include "lib/base/buf.h"
#include "lib/base/errors.h"
#include <curl/curl.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <unistd.h>

#define SPARE_MAX       64u
#define CONNECT_MS      4000L
#define UNHEARD_MS      6000 /* what was sent and not acknowledged so long: the connection is dead */
#define CONNECTIONS_MAX 4L   /* to one server */

struct http_call {
    struct http_client *client;
    struct http_call *next, **prev;
    CURL *easy;
    struct curl_slist *headers, *resolve;
    struct buf in;
    char *want[HTTP_WANT_MAX];
    struct http_request r;
    bool over_max;
};

struct http_client {
    struct loop *loop;
    CURLM *multi;
    struct timer timer;
    X509_STORE *trusted;
    bool (*allow)(void *ctx, const struct sockaddr *sa);
    void *ctx;
    struct http_call *calls;
    CURL *spare[SPARE_MAX];
    size_t nspare;
    bool freeing;
};

static void reap(struct http_client *c);

/* ---- what libcurl wants watched ---- */

static void fd_ready(evutil_socket_t fd, short what, void *ctx)
{
    struct http_client *c = ctx;
    int running, flags = (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);

    curl_multi_socket_action(c->multi, fd, flags, &running);
    reap(c);
}

static int watch_fd(CURL *easy UNUSED, curl_socket_t fd, int what, void *ctx, void *of_socket)
{
    struct http_client *c = ctx;
    struct event *ev = of_socket;
    short flags =
        (short)(EV_PERSIST | (what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0));

    if (ev)
        event_free(ev);
    ev = what == CURL_POLL_REMOVE ? NULL : event_new(loop_base(c->loop), fd, flags, fd_ready, c);
    curl_multi_assign(c->multi, fd, ev);
    if (what == CURL_POLL_REMOVE)
        return 0;
    return ev && event_add(ev, NULL) == 0 ? 0 : -1;
}

static int set_timer(CURLM *multi UNUSED, long ms, void *ctx)
{
    struct http_client *c = ctx;

    if (ms < 0)
        timer_clear(&c->timer);
    else
        timer_set(&c->timer, ms);
    return 0;
}

static void timer_fired(struct timer *t)
{
    struct http_client *c = CONTAINER_OF(t, struct http_client, timer);
    int running;

    curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    reap(c);
}

/* ---- connections ---- */

static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
    const struct http_client *c = ctx;
    int fd, on = 1, ms = UNHEARD_MS;

    if (purpose != CURLSOCKTYPE_IPCXN || !c->allow(c->ctx, &a->addr))
        return CURL_SOCKET_BAD;
    fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
    if (fd >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
    }
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

/* One store for all connections: reading the system's 140 certificates takes longer than the rest of a
 * handshake, and inside the sandbox there are no files. */
static CURLcode give_trust(CURL *easy UNUSED, void *ssl, void *ctx)
{
    struct http_client *c = ctx;

    SSL_CTX_set1_cert_store(ssl, c->trusted);
    SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION);
    return CURLE_OK;
}

static X509_STORE *trust_new(const char *ca_file, const char **err)
{
    X509_STORE *s = X509_STORE_new();

    /* a file: a folder of hashed names would be read while connecting, when there are no files */
    if (s && X509_STORE_load_file(s, ca_file[0] ? ca_file : X509_get_default_cert_file()) != 1) {
        *err = "no certificates of authorities";
        ERR_clear_error();
        if (ca_file[0]) {
            X509_STORE_free(s);
            return NULL;
        }
    }
    return s;
}

struct http_client *http_client_new(struct loop *l, const char *ca_file,
                                    bool (*allow)(void *ctx, const struct sockaddr *sa), void *ctx,
                                    const char **err)
{
    struct http_client *c = calloc(1, sizeof *c);

    *err = NULL;
    if (!c)
        return NULL;
    c->loop = l;
    c->allow = allow;
    c->ctx = ctx;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0 || timer_init(&c->timer, l, timer_fired) < 0 ||
        !(c->trusted = trust_new(ca_file, err)) || !(c->multi = curl_multi_init())) {
        http_client_free(&c);
        return NULL;
    }
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, watch_fd);
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
    curl_multi_setopt(c->multi, CURLMOPT_MAX_HOST_CONNECTIONS, CONNECTIONS_MAX);
    return c;
}

/* ---- one request ---- */

static size_t take_body(char *p, size_t size, size_t n, void *ctx)
{
    struct http_call *k = ctx;

    if (buf_append(&k->in, p, size * n) == 0)
        return size * n;
    k->over_max = true;
    return 0;
}

/* The size first: it is copied by that. */
static bool set_body(struct http_call *k)
{
    const char *method = k->r.method;
    bool sends = k->r.type || k->r.body.n || (method && strcmp(method, "POST") == 0), ok = true;

    if (sends)
        ok = curl_easy_setopt(k->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)k->r.body.n) == CURLE_OK &&
             curl_easy_setopt(k->easy, k->r.body_stays ? CURLOPT_POSTFIELDS : CURLOPT_COPYPOSTFIELDS,
                              k->r.body.n ? k->r.body.p : "") == CURLE_OK;
    if (ok && method && strcmp(method, "HEAD") == 0)
        return curl_easy_setopt(k->easy, CURLOPT_NOBODY, 1L) == CURLE_OK;
    return ok && (!method || curl_easy_setopt(k->easy, CURLOPT_CUSTOMREQUEST, method) == CURLE_OK);
}

static int set_options(struct http_call *k)
{
    const struct {
        CURLoption option;
        long value;
    } longs[] = {
        { CURLOPT_NOSIGNAL, 1 },
        { CURLOPT_FOLLOWLOCATION, 0 },
        { CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS },
        { CURLOPT_PIPEWAIT, 1 }, /* rather on a connection that is being made than on one more */
        { CURLOPT_SSL_VERIFYPEER, 1 },
        { CURLOPT_SSL_VERIFYHOST, 2 },
        { CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS },
        { CURLOPT_TIMEOUT_MS, (long)k->r.deadline_ms },
        { CURLOPT_NOPROGRESS, 1 },
        { CURLOPT_HTTP09_ALLOWED, 0 },
        { CURLOPT_LOW_SPEED_LIMIT, k->r.stall_ms ? 1 : 0 },
        { CURLOPT_LOW_SPEED_TIME, (long)((k->r.stall_ms + 999) / 1000) },
    };
    const struct {
        CURLoption option;
        const void *value;
    } pointers[] = {
        { CURLOPT_URL, k->r.url },
        { CURLOPT_PROTOCOLS_STR, k->r.allow_plain ? "https,http" : "https" },
        { CURLOPT_PROXY, "" },
        { CURLOPT_CAINFO, NULL },
        { CURLOPT_CAPATH, NULL },
        { CURLOPT_SSL_CTX_DATA, k->client },
        { CURLOPT_OPENSOCKETDATA, k->client },
        { CURLOPT_WRITEDATA, k },
        { CURLOPT_PRIVATE, k },
        { CURLOPT_HTTPHEADER, k->headers },
        { CURLOPT_RESOLVE, k->resolve },
    };
    bool ok = true;

    for (size_t i = 0; i < ARRAY_LEN(longs); i++)
        ok = ok && curl_easy_setopt(k->easy, longs[i].option, longs[i].value) == CURLE_OK;
    for (size_t i = 0; i < ARRAY_LEN(pointers); i++)
        ok = ok && curl_easy_setopt(k->easy, pointers[i].option, pointers[i].value) == CURLE_OK;
    ok = ok && curl_easy_setopt(k->easy, CURLOPT_SSL_CTX_FUNCTION, give_trust) == CURLE_OK &&
         curl_easy_setopt(k->easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) == CURLE_OK &&
         curl_easy_setopt(k->easy, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK;
    return ok && set_body(k) ? 0 : E_NOMEM;
}

static int add_header(struct http_call *k, const char *name, const char *value)
{
    char line[256];
    struct curl_slist *more;

    if (!value)
        return 0;
    snprintf(line, sizeof line, *value ? "%s: %s" : "%s:", name, value);
    if (!(more = curl_slist_append(k->headers, line)))
        return E_NOMEM;
    k->headers = more;
    return 0;
}

/* libcurl would say that an upload without a type is a form, and ask before it sends a larger one. */
static int add_fields(struct http_call *k)
{
    int r;

    if ((r = add_header(k, "Content-Type",
                        k->r.type     ? k->r.type
                        : k->r.body.n ? ""
                                      : NULL)) < 0 ||
        (r = add_header(k, "Accept", k->r.accept)) < 0 ||
        (r = add_header(k, "Expect", k->r.body.n ? "" : NULL)) < 0)
        return r;
    for (const char *const *f = k->r.fields; f && *f; f++) {
        struct curl_slist *more = curl_slist_append(k->headers, *f);

        if (!more)
            return E_NOMEM;
        k->headers = more;
    }
    return 0;
}

static void call_free(struct http_call *k)
{
    struct http_client *c = k->client;

    *k->prev = k->next;
    if (k->next)
        k->next->prev = k->prev;
    if (k->easy) {
        curl_multi_remove_handle(c->multi, k->easy);
        curl_easy_reset(k->easy);
        if (c->nspare < SPARE_MAX && !c->freeing)
            c->spare[c->nspare++] = k->easy;
        else
            curl_easy_cleanup(k->easy);
    }
    curl_slist_free_all(k->headers);
    curl_slist_free_all(k->resolve);
    buf_release(&k->in);
    for (size_t i = 0; i < HTTP_WANT_MAX; i++)
        free(k->want[i]);
    free(k);
}

/* What the caller's list holds may go when http_ask returns. */
static int want_names(struct http_call *k)
{
    for (size_t i = 0; k->r.want && k->r.want[i] && i < HTTP_WANT_MAX; i++)
        if (!(k->want[i] = strdup(k->r.want[i])))
            return E_NOMEM;
    return 0;
}

struct http_call *http_ask(struct http_client *c, const struct http_request *r)
{
    struct http_call *k = calloc(1, sizeof *k);

    if (!k)
        return NULL;
    *k = (struct http_call){
        .client = c, .next = c->calls, .prev = &c->calls, .r = *r, .in = { .max = r->answer_max }
    };
    if (k->next)
        k->next->prev = &k->next;
    c->calls = k;
    k->easy = c->nspare ? c->spare[--c->nspare] : curl_easy_init();
    k->resolve = r->resolve ? curl_slist_append(NULL, r->resolve) : NULL;
    if (!k->easy || (r->resolve && !k->resolve) || want_names(k) < 0 || add_fields(k) < 0 ||
        set_options(k) < 0 || curl_multi_add_handle(c->multi, k->easy) != CURLM_OK) {
        call_free(k);
        return NULL;
    }
    return k;
}

void http_cancel(struct http_call *k)
{
    call_free(k);
}

/* ---- the end of one ---- */

static int status_of(const struct http_call *k, CURLcode code)
{
    long status = 0;

    switch (code) {
    case CURLE_OK:
        curl_easy_getinfo(k->easy, CURLINFO_RESPONSE_CODE, &status);
        return status >= 100 && status < 600 ? (int)status : E_CLOSED;
    case CURLE_OPERATION_TIMEDOUT: return E_TIMEOUT;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS: return E_AUTH;
    case CURLE_OUT_OF_MEMORY: return E_NOMEM;
    default: return k->over_max ? E_TOO_BIG : E_CLOSED;
    }
}

static uint32_t age_of(CURL *easy)
{
    struct curl_header *h;
    uint32_t s = 0;

    return curl_easy_header(easy, "Age", 0, CURLH_HEADER, -1, &h) == CURLHE_OK &&
                   str_to_u32(str_from(h->value), &s)
               ? s
               : 0;
}

#define FIELD_MAX 512u

/* Copied: the handle is given back before anybody is told. */
static void got_fields(const struct http_call *k, struct http_answer *a, char texts[HTTP_WANT_MAX][FIELD_MAX])
{
    struct curl_header *h;

    for (size_t i = 0; i < HTTP_WANT_MAX && k->want[i]; i++)
        if (curl_easy_header(k->easy, k->want[i], 0, CURLH_HEADER, -1, &h) == CURLHE_OK &&
            strlen(h->value) < FIELD_MAX) {
            memcpy(texts[i], h->value, strlen(h->value) + 1);
            a->got[i] = str_from(texts[i]);
        }
}

static void finish(struct http_call *k, CURLcode code)
{
    char texts[HTTP_WANT_MAX][FIELD_MAX];
    struct http_request r = k->r;
    struct buf in = k->in;
    struct http_answer a = { .status = status_of(k, code), .age_s = age_of(k->easy), .body = buf_str(&in) };
    const char *type = NULL;
    char kept[128];

    curl_easy_getinfo(k->easy, CURLINFO_CONTENT_TYPE, &type);
    snprintf(kept, sizeof kept, "%s", type ? type : "");
    a.type = kept;
    got_fields(k, &a, texts);
    k->in = (struct buf){ .max = 0 };
    call_free(k);
    r.done(r.ctx, &a);
    buf_release(&in);
}

static void reap(struct http_client *c)
{
    CURLMsg *m;
    int left;

    while ((m = curl_multi_info_read(c->multi, &left))) {
        struct http_call *k = NULL;

        if (m->msg == CURLMSG_DONE && curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &k) == CURLE_OK &&
            k)
            finish(k, m->data.result);
    }
}

void http_client_free(struct http_client **cp)
{
    struct http_client *c = *cp;

    *cp = NULL;
    if (!c)
        return;
    c->freeing = true;
    while (c->calls)
        call_free(c->calls);
    while (c->nspare)
        curl_easy_cleanup(c->spare[--c->nspare]);
    if (c->multi)
        curl_multi_cleanup(c->multi);
    timer_release(&c->timer);
    X509_STORE_free(c->trusted);
    free(c);
}
