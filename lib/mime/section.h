/* lib/mime/section.h
 *
 * IMAP part numbers to byte ranges (RFC 9051 6.4.5.1): "4.2.HEADER" and its kin, already parsed. */
#ifndef LIB_MIME_SECTION_H
#define LIB_MIME_SECTION_H
#include "lib/mime/scan.h"

enum mime_section_kind {
    MIME_SECTION_ALL,    /* BODY[], BODY[1.2] */
    MIME_SECTION_HEADER, /* also of HEADER.FIELDS and .NOT: filter the range's bytes with header.h */
    MIME_SECTION_TEXT,
    MIME_SECTION_MIME,
};

struct mime_section {
    const uint32_t *path; /* part numbers from 1; n 0: the message itself */
    size_t n;
    enum mime_section_kind kind;
};

struct mime_range {
    uint64_t offset, bytes;
};

/* 1 and the range, or 0: no such part, IMAP answers NIL. */
MUST_CHECK int mime_section_find(const struct mime_part *root, const struct mime_section *s,
                                 struct mime_range *range_out);
/* The part that a path names (for BINARY, BODYSTRUCTURE parts); NULL when there is none. */
const struct mime_part *mime_section_part(const struct mime_part *root, const uint32_t *path, size_t n);
#endif
