/* lib/mailauth/authres.h
 *
 * Authentication-Results fields (RFC 8601): read them, write them, and take away those that claim to be ours
 * before we add our own, since anyone can write one (RFC 8601 5). */
#ifndef LIB_MAILAUTH_AUTHRES_H
#define LIB_MAILAUTH_AUTHRES_H
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/errors.h"
#include "lib/mailauth/message.h"

#define AUTHRES_RESULTS_MAX 32u
#define AUTHRES_PROPS_MAX   8u
#define AUTHRES_VALUE_MAX   512u /* of one word; the parser refuses longer ones, the printer cuts */
#define AUTHRES_HELD_MAX    KIB(4)

/* "header.d=example.org" */
struct authres_prop {
    struct str ptype, name, value;
};
/* "dkim=pass (comment) reason="…" header.d=…" */
struct authres_result {
    struct str method, result, comment, reason; /* comment, reason: .p NULL when there is none */
    uint32_t version;                           /* of the method; 0: not written, which means 1 */
    struct authres_prop props[AUTHRES_PROPS_MAX];
    size_t nprops;
};
struct authres {
    struct str id;
    uint32_t version; /* of the field; 0: not written */
    struct authres_result results[AUTHRES_RESULTS_MAX];
    size_t n; /* 0: "none" */
};

/* Read a field's value, folded or not. Comments are dropped but for the first after a result. Strings are in
 * the arena or in `value`. E_SYNTAX, E_LIMIT, E_NOMEM. */
MUST_CHECK int authres_parse(struct arena *a, struct str value, struct authres *out);
/* Write one, folded before each result, without a field name and without CRLF at the end. What does not fit
 * the grammar is quoted, control characters become '?'. Errors of buf; then `out` is as before. */
MUST_CHECK int authres_print(struct buf *out, const struct authres *r);
/* Add a result, and properties to it (ignored beyond the limits, and so are properties of nothing). NULL when full. */
struct authres_result *authres_add(struct authres *r, struct str method, struct str result);
void authres_prop(struct authres_result *r, const char *ptype, const char *name, struct str value);
/* Is a field with this value ours (ASCII case-insensitive), or so broken that a reader might take it for ours? */
bool authres_claims(struct str value, struct str id);
/* All results of fields of `id` in a message as one value, in order. None: "id; none". Errors as above. */
MUST_CHECK int authres_merge(const struct mailauth_message *m, struct str id, struct buf *out);

/* A message without the fields that claim to be from `id`, pushed through in slices. */
struct authres_filter {
    struct str id;   /* borrowed */
    struct buf held; /* a field that is not decided on */
    int state;
    size_t at;      /* bytes in this line so far */
    bool cr, begun; /* the first of them is CR; a field was there before this line */
    unsigned removed;
};
void authres_filter_init(struct authres_filter *f, struct str id);
void authres_filter_release(struct authres_filter *f);
/* Appends what passes to `out`. Errors of buf (out, or memory for what is held). */
MUST_CHECK int authres_filter_feed(struct authres_filter *f, struct str in, struct buf *out);
MUST_CHECK int authres_filter_end(struct authres_filter *f, struct buf *out);
#endif
