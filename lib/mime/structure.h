/* lib/mime/structure.h
 *
 * The scanner's tree as bytes (proto/structure.proto) and back. The bytes may come from another role
 * or a damaged file: they are checked as if a stranger had sent them. */
#ifndef LIB_MIME_STRUCTURE_H
#define LIB_MIME_STRUCTURE_H
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/errors.h"
#include "lib/mime/scan.h"

#define MIME_STRUCTURE_MAX MIB(1) /* packed */

/* Append the packed tree. `scratch` is used while packing, about as much as the tree takes. E_NOMEM,
 * E_LIMIT (over MIME_STRUCTURE_MAX or out->max). */
MUST_CHECK int mime_structure_pack(const struct mime_part *root, struct arena *scratch, struct buf *out);
/* The tree again, in the arena; `packed` is not needed afterwards. E_LIMIT: over
 * MIME_STRUCTURE_MAX, MIME_PARTS_MAX or MIME_DEPTH_MAX; E_CORRUPT: not what pack writes (ranges not
 * nested among it); E_NOMEM: the arena is full. */
MUST_CHECK int mime_structure_unpack(struct arena *a, struct str packed, struct mime_part **root_out);
#endif
