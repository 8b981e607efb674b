/* lib/s3/private.h: what the files of this folder share: one request, repeated until it is answered. */
#ifndef LIB_S3_PRIVATE_H
#define LIB_S3_PRIVATE_H
#include "lib/base/buf.h"
#include "lib/base/errors.h"
#include "lib/s3/s3.h"

#define S3_QUERY_MAX 8u

/* Of one answer. Bytes are borrowed. */
struct s3_result {
    int status, http;
    char code[S3_CODE_MAX];
    struct str body, etag, range, length, version;
};

struct s3_ask {
    const char *what; /* for the log */
    const char *method;
    const char *name;                   /* without the prefix; NULL: the bucket. Copied */
    struct s3_pair query[S3_QUERY_MAX]; /* values are copied */
    size_t nquery;
    const char *range, *if_match; /* or NULL; copied */
    struct str body;              /* stays the caller's until done */
    const char *hash;             /* of the body, hex; NULL: it is made here. Copied */
    size_t answer_max;
    bool may_miss; /* 404 is no failure to be logged */
    void (*done)(void *ctx, const struct s3_result *r);
    void *ctx;
};

struct s3_call;
struct s3_call *s3_ask(struct s3 *s, const struct s3_ask *a);
/* A call that has done nothing but a later `done`: for what fails before it begins. */
struct loop *s3_loop(struct s3 *s);
const struct s3_conf *s3_conf_of(const struct s3 *s);
void s3_count_bytes(struct s3 *s, uint64_t sent, uint64_t got);
#endif
