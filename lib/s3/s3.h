/* lib/s3/s3.h
 *
 * Objects in a bucket of storage that speaks S3: AWS, Cloudflare R2 (region "auto"), Ceph, MinIO and others. Signed
 * requests on the event loop (lib/http). Every request is repeated with back-off while that can help; uploads go in
 * parts of one size, each hashed before it is sent, and an upload that fails is called off. Knows nothing of what the objects
 * are; looks up no name by itself: the owner does (`resolve`).
 *
 * One thread: the loop's. No `done` is called from inside the call that begins something. */
#ifndef LIB_S3_S3_H
#define LIB_S3_S3_H
#include "lib/event/loop.h"
#include "lib/http/http.h"
#include "lib/s3/answer.h"
#include "lib/s3/sign.h"

#define S3_KEY_MAX    512u
#define S3_PART_MIN   MIB(5) /* what S3 takes, but for the last one */
#define S3_PARTS_MAX  10000u
#define S3_WINDOW     MIB(4) /* what is asked for at once when an object is read */
#define S3_ANSWER_MAX MIB(2)

struct s3; /* opaque */

/* "s3://bucket/prefix" and "https://host[:port]". */
struct s3_place {
    char bucket[64], prefix[256]; /* the prefix ends in '/', or is empty */
    char scheme[8], host[256];
    uint16_t port;
};
/* E_SYNTAX. The endpoint may be http:// only for an address of this machine: what is sent is sealed, but signatures and
 * names are not. */
MUST_CHECK int s3_place_parse(struct str target, struct str endpoint, struct s3_place *out);

struct s3_conf {
    struct s3_place place;
    char region[64];
    bool path_style; /* host/bucket/key instead of bucket.host/key */
    uint64_t part_bytes;
    unsigned tries;     /* of each request, at least 1 */
    int64_t backoff_ms; /* before the second; doubles, to S3_BACKOFF_MAX_MS; a random part is taken off */
    int64_t request_ms; /* longest that one request may take */
    int64_t stall_ms;   /* longest without a byte */
    struct s3_credentials credentials; /* copied; wiped by s3_free */
};
#define S3_BACKOFF_MAX_MS 30000

struct s3_owner {
    /* Where `host` is: calls s3_resolved(), now or later, with "addr,addr" (IPv6 in brackets) and for how long that
     * holds, or an E_*. Not asked when the endpoint is an address. */
    void (*resolve)(void *ctx, struct s3 *s, const char *host);
    /* A request failed for good: for the log. `code` is S3's, or "". */
    void (*failed)(void *ctx, const char *what, int status, int http, const char *code);
    void *ctx;
};
struct s3 *s3_new(struct loop *l, struct http_client *http, const struct s3_conf *c,
                  const struct s3_owner *o);
/* Whoever waits is told E_CANCELED nothing any more: call off first. */
void s3_free(struct s3 **s);
void s3_resolved(struct s3 *s, int status, const char *addresses, uint32_t ttl_s);
/* Is this one of the addresses that the endpoint has? For http_client's `allow`. */
bool s3_may_dial(const struct s3 *s, const struct sockaddr *sa);
/* Requests that were repeated, and those that failed for good, since the start. */
struct s3_counts {
    uint64_t requests, repeated, failed, sent_bytes, got_bytes;
};
struct s3_counts s3_counts(const struct s3 *s);

/* Names of objects are without the prefix.
 *
 * Status of all: E_NOTFOUND; E_AUTH (the credentials are refused); E_DENIED (they may not do this); E_UNSUPPORTED (this
 * storage does not know the request, or the region is another); E_FULL; E_UNAVAIL, E_TIMEOUT, E_CLOSED (tried often enough);
 * E_CORRUPT (it contradicts itself); E_CANCELED; E_NOMEM; E_IO. */
typedef void s3_done(void *ctx, int status);

/* ---- writing ---- */

struct s3_put; /* opaque; gone when done was called */
/* `bytes` will come, exactly so many. on_room: s3_put_room() is more than 0 again. NULL: no memory. */
typedef void s3_put_done(void *ctx, int status, struct str version); /* of a versioned bucket, else empty */
struct s3_put *s3_put_new(struct s3 *s, const char *name, uint64_t bytes, void (*on_room)(void *ctx),
                          s3_put_done *done, void *ctx);
size_t s3_put_room(const struct s3_put *p);
/* At most s3_put_room() bytes. */
void s3_put_data(struct s3_put *p, struct str bytes);
/* Ends with E_CANCELED, once what was begun is called off there. */
void s3_put_cancel(struct s3_put *p);

/* ---- reading ---- */

struct s3_get; /* opaque; gone when done was called */
/* Up to `max` bytes from `at` on, in windows: `window` gets one (borrowed), and the next is asked for after s3_get_next().
 * The object may not change meanwhile: E_STALE. */
struct s3_get *s3_get_new(struct s3 *s, const char *name, uint64_t at, uint64_t max,
                          void (*window)(void *ctx, struct str bytes), s3_done *done, void *ctx);
void s3_get_next(struct s3_get *g);
void s3_get_cancel(struct s3_get *g); /* done is not called */

/* ---- the rest: one request each ---- */

struct s3_call; /* gone when done was called */
/* A page of what begins with `prefix`; folders (up to the next '/') as such when `by_folder`. `after`, `after_version`:
 * next and next_version of the page before, or "". The page lives for the call of `done`; keys are without the
 * prefix of the place, others are left out. */
struct s3_call *s3_list(struct s3 *s, enum s3_listed kind, const char *prefix, bool by_folder,
                        const char *after, const char *after_version,
                        void (*done)(void *ctx, int status, const struct s3_page *page), void *ctx);
/* kind S3_OBJECTS: the object (a versioned bucket keeps the version); S3_VERSIONS: that version; S3_UPLOADS: that upload. What
 * is not there is gone: 0. */
struct s3_call *s3_delete(struct s3 *s, enum s3_listed kind, const char *name, const char *version,
                          s3_done *done, void *ctx);
void s3_call_cancel(struct s3_call *k); /* done is not called */
#endif
