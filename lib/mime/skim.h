/* lib/mime/skim.h
 *
 * The inner loop of the scanner: run over body bytes at memory speed, counting lines, and stop where
 * a line begins with '-', the only place where a boundary can be. */
#ifndef LIB_MIME_SKIM_H
#define LIB_MIME_SKIM_H
#include "lib/base/errors.h"
#include "lib/base/str.h"

/* Returns the position of the first '-' that directly follows an LF inside p[0, n), or n. *lines
 * grows by the LFs before it. What stands before p[0] is not considered. */
size_t mime_skim(const char *p, size_t n, uint64_t *lines);
#endif
