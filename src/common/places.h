/* src/common/places.h
 *
 * Further places that backups go to, for domains of their own (`storage.places`): a text of sections, one a place.
 *
 *   [example]
 *   target = s3://bucket/prefix         or a folder: /mnt/example
 *   endpoint = https://s3.example.net   of s3://, as are all that follow
 *   region = auto
 *   style = host                        or path
 *   aws_access_key_id = ...
 *   aws_secret_access_key = ...
 *
 * Knows the text alone: no file, no storage. */
#ifndef SRC_COMMON_PLACES_H
#define SRC_COMMON_PLACES_H
#include "lib/base/arena.h"
#include "lib/base/buf.h"

#define PLACES_MAX      32u
#define PLACE_NAME_MAX  24u /* [a-z0-9-] */
#define PLACES_TEXT_MAX KIB(30)
#define PLACE_DEFAULT   "default" /* no place of theirs: the installation's */

struct place_row {
    const char *name, *target, *endpoint, *region;
    bool path_style;
    struct str credentials; /* lines, as lib/s3 reads them */
};
struct places {
    struct place_row rows[PLACES_MAX];
    size_t n;
};
/* Texts are in the arena. E_SYNTAX, E_LIMIT, E_NOMEM; `err` (may be NULL) gets a line that says why. */
MUST_CHECK int places_parse(struct str text, struct arena *a, struct places *out, struct buf *err);
/* The same text without what opens anything, for who does not dial. */
MUST_CHECK int places_public(const struct places *p, struct buf *out);
static inline bool place_is_folder(const struct place_row *p)
{
    return p->target[0] == '/';
}
#endif
