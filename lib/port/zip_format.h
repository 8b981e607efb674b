/* lib/port/zip_format.h
 *
 * The records of a zip file as ours has them (PKWARE's APPNOTE.TXT 4.3, WinZip's AE-2): every entry deflated and encrypted, names in
 * UTF-8, sizes in front of the bytes. Bytes in, bytes out: no file, no key. */
#ifndef LIB_PORT_ZIP_FORMAT_H
#define LIB_PORT_ZIP_FORMAT_H
#include "lib/base/buf.h"

#define ZIP_NAME_MAX  KIB(8)
#define ZIP_LOCAL_MAX (ZIP_NAME_MAX + 128u) /* of a local header */

/* From these on the fields of a zip file do not do, and those of zip64 are there as well. */
struct zip_limits {
    uint64_t bytes, entries;
};
#define ZIP_LIMITS ((struct zip_limits){ .bytes = UINT32_MAX, .entries = UINT16_MAX })

struct zip_entry {
    struct str name;
    uint64_t bytes, packed; /* packed: with salt, verifier and tag */
    int64_t mtime_s;        /* what 32 bits hold */
    bool zip64;             /* the sizes may not fit: before they are known */
};
MUST_CHECK int zip_local_put(const struct zip_entry *e, struct buf *out);
/* Only what zip_local_put makes. How many bytes the header has; 0: `in` is too short to tell. The name is borrowed. E_CORRUPT. */
MUST_CHECK int zip_local_get(struct str in, struct zip_entry *out);
MUST_CHECK int zip_central_put(const struct zip_entry *e, uint64_t offset, const struct zip_limits *l,
                               struct buf *out);
/* What closes the file: `entries` records of `bytes` stand at `offset`. */
MUST_CHECK int zip_end_put(uint64_t entries, uint64_t offset, uint64_t bytes, const struct zip_limits *l,
                           struct buf *out);
#endif
