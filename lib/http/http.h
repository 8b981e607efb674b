/* lib/http/http.h
 *
 * Requests to other people's servers: libcurl on the event loop. It asks what it is told to ask, at addresses
 * that the caller names (no name is looked up here), over TLS that is verified, and reads no more of an answer
 * than the caller wants. No redirects, no proxies, no cookies, nothing from the environment. */
#ifndef LIB_HTTP_HTTP_H
#define LIB_HTTP_HTTP_H
#include "lib/base/str.h"
#include "lib/event/loop.h"
#include <sys/socket.h>

struct http_client; /* opaque: connections that are kept, to several servers */
struct http_call;   /* one request under way */

/* Before the sandbox, since it reads files. ca_file: PEM of those who may vouch for servers; "": the
 * system's. `allow` is asked before every connection, with its address; false: it is not made. *err says what
 * is wrong with the certificates, else NULL: without ca_file NULL is returned, without the system's there is
 * a client that trusts nobody. NULL also when memory runs out. */
struct http_client *http_client_new(struct loop *l, const char *ca_file,
                                    bool (*allow)(void *ctx, const struct sockaddr *sa), void *ctx,
                                    const char **err);
/* No call of it is told anything any more. */
void http_client_free(struct http_client **c);

#define HTTP_WANT_MAX 6u

struct http_answer {
    /* Of HTTP, 100 to 599, or E_TIMEOUT, E_CLOSED (no connection, or it broke), E_AUTH (the certificate),
     * E_TOO_BIG, E_NOMEM. */
    int status;
    const char *type; /* Content-Type; "" when it has none */
    uint32_t age_s;   /* how long it lay in caches on the way (RFC 9111 5.1) */
    struct str body;
    struct str got[HTTP_WANT_MAX]; /* values of the fields that `want` named; n is 0 where there is none */
};

struct http_request {
    const char *url;    /* https://host[:port]/path; http:// only with allow_plain */
    const char *method; /* NULL: POST with a type, GET without. HEAD: no body comes */
    bool allow_plain;
    const char
        *resolve; /* "host:port:address[,address…]", IPv6 in brackets: where that is. NULL: the URL says it */
    const char *type; /* Content-Type of what is sent; NULL: nothing says so */
    struct str body;
    bool body_stays;           /* the caller keeps the bytes of `body` until `done`: they are not copied */
    const char *const *fields; /* further fields, "Name: value" each; a NULL ends them. May be NULL */
    const char *const *want;   /* names of fields of the answer, HTTP_WANT_MAX at most, a NULL ends them */
    int64_t stall_ms;          /* nothing moves so long: E_TIMEOUT. 0: only the deadline counts */
    const char *accept;
    size_t answer_max; /* bytes; a longer answer is E_TOO_BIG */
    int64_t deadline_ms;
    /* Exactly once, never from inside http_ask; the call is gone then. The answer is borrowed. */
    void (*done)(void *ctx, const struct http_answer *a);
    void *ctx;
};
/* Copies what it needs. NULL when memory runs out. */
struct http_call *http_ask(struct http_client *c, const struct http_request *r);
void http_cancel(struct http_call *call);
#endif
