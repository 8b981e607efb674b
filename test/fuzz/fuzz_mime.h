/* test/fuzz/fuzz_mime.h
 *
 * Shared by the MIME targets: input cut into slices by its own bytes, and trees compared. */
#ifndef TEST_FUZZ_FUZZ_MIME_H
#define TEST_FUZZ_FUZZ_MIME_H
#include "lib/base/errors.h"
#include "lib/mime/imap_format.h"
#include "lib/mime/scan.h"
#include "test/fuzz/fuzz.h"

static inline size_t next_slice(struct str in, size_t at)
{
    return 1 + (unsigned char)in.p[at] % 9;
}
#endif
