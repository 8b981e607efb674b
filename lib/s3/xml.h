/* lib/s3/xml.h
 *
 * What answers of S3 are made of: elements in elements, and text in the innermost. Anything else is refused before it
 * costs anything: document types (and with them entities), depth, long texts, too many elements. */
#ifndef LIB_S3_XML_H
#define LIB_S3_XML_H
#include "lib/base/str.h"

#define XML_DEPTH_MAX    8u
#define XML_TEXT_MAX     KIB(4)
#define XML_ELEMENTS_MAX 50000u

struct xml_reader {
    /* An element begins, or ends; `text` is what stood in it when it had no elements inside. May be NULL. A negative
     * return ends the reading. */
    int (*begin)(void *ctx, const char *name, unsigned depth);
    int (*end)(void *ctx, const char *name, unsigned depth, struct str text);
    void *ctx;
};
/* 0; E_SYNTAX, E_LIMIT, E_NOMEM, or what a callback said. */
MUST_CHECK int xml_read(struct str document, const struct xml_reader *r);
#endif
