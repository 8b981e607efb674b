/* lib/s3/answer.h
 *
 * What the answers say. Pure; the texts are a server's and are believed as far as they are well-formed. */
#ifndef LIB_S3_ANSWER_H
#define LIB_S3_ANSWER_H
#include "lib/base/arena.h"
#include "lib/base/str.h"

#define S3_CODE_MAX  64u
#define S3_TOKEN_LEN KIB(4)

/* What is listed: objects, every version of them (with delete markers), or uploads under way. */
enum s3_listed { S3_OBJECTS, S3_VERSIONS, S3_UPLOADS };

struct s3_entry {
    struct s3_entry *next;
    struct str key;     /* whole; with `is_folder` up to and with its last '/' */
    struct str version; /* S3_VERSIONS: "null" where it has none; S3_UPLOADS: of the upload */
    uint64_t bytes;
    bool is_folder, is_marker;
};
struct s3_page {
    struct s3_entry *list; /* in the order of the answer */
    size_t n;
    bool more;
    struct str next, next_version; /* where the next page begins */
};
/* Everything lives in the arena. E_SYNTAX, E_LIMIT, E_NOMEM; E_CORRUPT: there is more and it does not say where. */
MUST_CHECK int s3_page_parse(struct str xml, enum s3_listed kind, struct arena *a, struct s3_page *out);

/* The code of an error ("NoSuchKey"); "" when it is none. An answer of 200 can be one. */
void s3_error_code(struct str xml, char out[S3_CODE_MAX]);
/* Text of the first element of that name, in the arena; E_NOTFOUND. */
MUST_CHECK int s3_element(struct str xml, const char *name, struct arena *a, struct str *out);
#endif
