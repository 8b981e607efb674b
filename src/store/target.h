/* src/store/target.h
 *
 * Where backups go: objects by name, and six things to do with one. A folder is a target; storage elsewhere can be
 * another. Knows nothing of what the objects are: they are closed before they come here.
 *
 * Names are "folder/rest", of [0-9a-z.-]. Any worker thread; every call blocks. */
#ifndef SRC_STORE_TARGET_H
#define SRC_STORE_TARGET_H
#include "lib/base/buf.h"

#define TARGET_NAME_MAX 128u
#define TARGET_PATH_MAX 4096u

struct target; /* opaque */

/* A folder, made when it is not there (its parent must be). `path` starts at the descriptor `base`; `full` is the same
 * for SQLite. E_DENIED, E_NOTFOUND, E_IO. */
MUST_CHECK int target_folder_open(int base, const char *path, const char *full, struct target **out);
void target_close(struct target **t); /* NULL accepted */

/* Where to make the file that target_put takes: nobody else sees it there. What an earlier try left is gone.
 * *room_out: bytes free there. */
MUST_CHECK int target_stage(struct target *t, const char *name, char path_out[TARGET_PATH_MAX],
                            uint64_t *room_out);
/* The staged file, which was synced, becomes the object: durable, whole or not at all. */
MUST_CHECK int target_put(struct target *t, const char *name);
void target_unstage(struct target *t, const char *name); /* it does not */
/* A small object, made or exchanged: durable, the old one or the new one at every instant. */
MUST_CHECK int target_replace(struct target *t, const char *name, struct str bytes);
/* Append up to `max` bytes of it, from `at` on, to out. How many: fewer than max only at its end. E_NOTFOUND. */
MUST_CHECK int64_t target_get(struct target *t, const char *name, uint64_t at, size_t max, struct buf *out);
/* Gone, and durably so. E_NOTFOUND. */
MUST_CHECK int target_delete(struct target *t, const char *name);
/* A folder without objects is no more. */
MUST_CHECK int target_forget(struct target *t, const char *folder);
/* Every object of a folder, what is staged too (those names end in ".part"); folder "": names of folders. What
 * visit returns when negative ends it. A folder that is not there has none. */
typedef int target_visit(void *ctx, const char *name, uint64_t bytes);
MUST_CHECK int target_list(struct target *t, const char *folder, target_visit *visit, void *ctx);
#endif
