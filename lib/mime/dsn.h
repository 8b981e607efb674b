/* lib/mime/dsn.h
 *
 * What a delivery status notification says (RFC 3464 2, RFC 6533 3): the text of its message/delivery-status part, as
 * written by whoever sent it. Nothing of it is true because it stands there. Never fails on bad input: what is not there
 * is empty. */
#ifndef LIB_MIME_DSN_H
#define LIB_MIME_DSN_H
#include "lib/base/arena.h"
#include "lib/base/errors.h"

#define DSN_RECIPIENTS_MAX 200u

/* Values on one line, without the type before ';'. */
struct dsn_recipient {
    struct str final, original, action, status, diagnostic, remote;
};
struct dsn {
    struct str reporter; /* Reporting-MTA */
    struct dsn_recipient *recipients;
    size_t n;
};

/* All of it in the arena. E_NOMEM. */
MUST_CHECK int dsn_parse(struct arena *a, struct str text, struct dsn *out);
#endif
