/* lib/s3/sign.h
 *
 * Signature version 4 of requests (AWS4-HMAC-SHA256), and the credentials it takes. Pure: no socket, no clock. */
#ifndef LIB_S3_SIGN_H
#define LIB_S3_SIGN_H
#include "lib/base/buf.h"

#define S3_KEY_ID_MAX 128u
#define S3_SECRET_MAX 256u
#define S3_TOKEN_MAX  KIB(4)
#define S3_FILE_MAX   KIB(16)
#define S3_DATE_LEN   16u /* "20130524T000000Z" */
#define S3_HASH_HEX   64u

/* Secrets: wipe with s3_credentials_wipe. */
struct s3_credentials {
    char key_id[S3_KEY_ID_MAX + 1], secret[S3_SECRET_MAX + 1], token[S3_TOKEN_MAX + 1];
};
/* A file as the tools of AWS read it: lines "aws_access_key_id = ...", "aws_secret_access_key = ..." and, where there is
 * one, "aws_session_token = ..."; [sections], empty lines and those that begin with # or ; are passed over. E_SYNTAX:
 * another line, or one of the first two is missing. */
MUST_CHECK int s3_credentials_parse(struct str text, struct s3_credentials *out);
void s3_credentials_wipe(struct s3_credentials *c);

struct s3_pair {
    const char *name, *value;
};
struct s3_request {
    const char *method;
    struct str path;             /* "/bucket/key", as it is; encoded here */
    const struct s3_pair *query; /* as they are, in any order */
    size_t nquery;
    const struct s3_pair *fields; /* to be signed: names in lower case, "host" among them, in any order */
    size_t nfields;
    const char *payload_hash; /* SHA-256 of the body, hex */
    const char *date;         /* S3_DATE_LEN */
    const char *region, *service;
};
/* Value of the Authorization field, appended. E_NOMEM, E_LIMIT. */
MUST_CHECK int s3_sign(const struct s3_credentials *c, const struct s3_request *r, struct buf *out);

/* As it stands in a URL and is signed: everything but unreserved characters as %XX; '/' stays when `path`. */
MUST_CHECK int s3_encode(struct str s, bool path, struct buf *out);
/* "a=b&c=d", encoded and in the order that is signed. */
MUST_CHECK int s3_query(const struct s3_pair *query, size_t n, struct buf *out);
void s3_date(int64_t wall_ms, char out[S3_DATE_LEN + 1]);
#endif
