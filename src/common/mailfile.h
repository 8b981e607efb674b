/* src/common/mailfile.h
 *
 * A mailbox as two files, itself and its `.keys`, read with a password where no store runs: a backup that was downloaded.
 * The store's own reading code without its processes (src/store/mailfile.c has the body). Writes nothing to a file that is
 * not its caller's. Blocks; an own password costs an Argon2id. */
#ifndef SRC_COMMON_MAILFILE_H
#define SRC_COMMON_MAILFILE_H
#include "lib/base/buf.h"
#include "proto/store.pb-c.h"

struct mailfile; /* opaque */

/* scratch: a name for a copy (as closed as `path` is, removed by close) that is made when the file is of an earlier program
 * and has to be brought up to date first; NULL: `path` is the caller's own and may be changed in place.
 * E_AUTH: no slot takes the password; E_CORRUPT: one of the two files is damaged, or they are not of the same mailbox;
 * E_VERSION: of a newer program; E_NOTFOUND, E_EXISTS (the scratch), E_FULL. */
MUST_CHECK int mailfile_open(const char *path, const char *keys_path, struct str password,
                             const char *scratch, struct mailfile **out);
void mailfile_free(struct mailfile **m);
/* All folders with counts; good until the mailfile is freed. */
MUST_CHECK int mailfile_folders(struct mailfile *m, Store__FoldersResponse **out);
/* Messages with UIDs from `first` to `last`, as DATA of FETCH (proto/store.proto). want: of Store__Want. Each call of
 * mailfile_more appends some 256 KiB of it, however large a message is: 1; 0: that was all. */
MUST_CHECK int mailfile_begin(struct mailfile *m, uint64_t folder_id, uint32_t first, uint32_t last,
                              uint32_t want);
MUST_CHECK int mailfile_more(struct mailfile *m, struct buf *out /* .max of 4 MiB or more */);
#endif
