/* lib/spam/attach.h
 *
 * What a file is, by its first bytes and by its name, and what is inside when it is an archive (zip, gzip, tar, in each
 * other), in one pass over slices cut anywhere. Nothing is kept: names go by, contents are looked at as
 * they come. Archives that need their end to be understood (7z, rar) are not opened.
 *
 * Bounded whatever comes: SPAM_ARCHIVE_* below, about 60 KiB for every archive that is open. Over a limit the rest is
 * not looked at, and SPAM_ARCHIVE_LIMIT says so. */
#ifndef LIB_SPAM_ATTACH_H
#define LIB_SPAM_ATTACH_H
#include "lib/spam/rules.h"

#define SPAM_ARCHIVE_DEPTH_MAX   4u
#define SPAM_ARCHIVE_ENTRIES_MAX 1000u   /* of all archives of a letter */
#define SPAM_ARCHIVE_BYTES_MAX   MIB(32) /* unpacked, of all archives of a letter */

struct spam_budget {
    uint64_t entries, bytes; /* used */
};

struct spam_attach; /* opaque */

/* A file begins. name: UTF-8, may be empty; hits and budget are borrowed until the end. NULL: no memory, and the
 * file is not looked at. inline_text: a text of the letter itself, whose first line may be anything. */
struct spam_attach *spam_attach_new(struct str name, bool inline_text, struct spam_hits *hits,
                                    struct spam_budget *budget);
void spam_attach_feed(struct spam_attach *a, struct str bytes);
/* The file has ended: decides what is still open. Frees; NULL is accepted. */
void spam_attach_end(struct spam_attach **a);
/* What a file's name says, alone. */
void spam_name_hits(struct str name, struct spam_hits *hits);
#endif
