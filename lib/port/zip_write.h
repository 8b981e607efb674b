/* lib/port/zip_write.h
 *
 * Writes a zip file whose entries are encrypted (WinZip AE-2, AES-256), and goes on with one that was broken off: the sizes stand in
 * front of each entry, so the directory at the end is made by walking through the file, and nothing but the
 * file has to be kept. Memory does not grow with entries or their sizes. Opens the file it is told to; blocks. */
#ifndef LIB_PORT_ZIP_WRITE_H
#define LIB_PORT_ZIP_WRITE_H
#include "lib/port/zip_format.h"

struct zip_writer;
/* again < 0: a new file (E_EXISTS), 0600. Otherwise one that was begun: what stands behind `again`, which is where a mark was or 0,
 * goes. E_AUTH: what stands before that is under another password; E_CORRUPT: it is not as it was left. After either the file is
 * untouched. E_UNSUPPORTED: no cipher. The password is copied, and wiped in the end. */
MUST_CHECK int zip_writer_open(const char *path, struct str password, int64_t again, struct zip_writer **out);
void zip_writer_free(struct zip_writer **z);
/* bytes: how many will come; ms: when it was changed. E_LIMIT: the name. */
MUST_CHECK int zip_entry_begin(struct zip_writer *z, struct str name, uint64_t bytes, int64_t ms);
MUST_CHECK int zip_entry_data(struct zip_writer *z, struct str bytes);
MUST_CHECK int zip_entry_end(struct zip_writer *z);    /* E_CORRUPT: there were more bytes, or fewer */
MUST_CHECK int zip_entry_cancel(struct zip_writer *z); /* it is as if it had not begun */
/* How many there are. */
uint64_t zip_writer_entries(const struct zip_writer *z);
/* Between entries: all of them are on the disk, up to the position that comes back. */
MUST_CHECK int64_t zip_writer_mark(struct zip_writer *z);
MUST_CHECK int zip_writer_finish(struct zip_writer *z);
/* Tests of zip64 need not write 4 GiB. */
void zip_writer_limits(struct zip_writer *z, const struct zip_limits *l);
#endif
