/* src/store/target.h
 *
 * Where backups go: objects by name, and what can be done with one. A folder is a target (target_folder.c), storage that
 * speaks S3 another (target_remote.c). Knows nothing of what the objects are: they are closed before they come here.
 *
 * Names are "folder/rest", of [0-9a-z.-]. Any worker thread; every call blocks, on storage elsewhere for as long as its
 * patience says. Everything that is there in several versions goes whole: no call leaves an old version behind. */
#ifndef SRC_STORE_TARGET_H
#define SRC_STORE_TARGET_H
#include "lib/base/buf.h"

#define TARGET_NAME_MAX 128u
#define TARGET_PATH_MAX 4096u

struct target; /* opaque */

/* Somebody on another thread wants us to end. NULL: nobody will. */
static inline bool target_stopped(const bool *stop)
{
    return stop && __atomic_load_n(stop, __ATOMIC_RELAXED);
}

/* A folder, made when it is not there (its parent must be). `path` starts at the descriptor `base`; `full` is the same
 * for SQLite. E_DENIED, E_NOTFOUND, E_IO. */
MUST_CHECK int target_folder_open(int base, const char *path, const char *full, struct target **out);
void target_close(struct target **t); /* NULL accepted */
/* Of a folder: what is staged under that name, opened to be read. E_NOTFOUND. */
MUST_CHECK int target_folder_staged(struct target *t, const char *name, int *fd_out);

/* Where to make the file that target_put takes: nobody else sees it there. What an earlier try left is gone.
 * *room_out: bytes free there. */
MUST_CHECK int target_stage(struct target *t, const char *name, char path_out[TARGET_PATH_MAX],
                            uint64_t *room_out);
/* The staged file, which was synced, becomes the object: durable, whole or not at all. E_CANCELED when *stop (may be
 * NULL) becomes true. */
MUST_CHECK int target_put(struct target *t, const char *name, const bool *stop);
void target_unstage(struct target *t, const char *name); /* it does not */
/* The first `bytes` of an open file become the object, streamed; the file stays. As target_put. */
MUST_CHECK int target_put_file(struct target *t, const char *name, int fd, uint64_t bytes, const bool *stop);
/* A small object, made or exchanged: durable, the old one or the new one at every instant, and then no version of the
 * old one. At most TARGET_SMALL_MAX. */
#define TARGET_SMALL_MAX MIB(4)
MUST_CHECK int target_replace(struct target *t, const char *name, struct str bytes);
/* Up to `max` bytes of it, from `at` on, in slices. How many: fewer than max only at its end. E_NOTFOUND; what `take`
 * returns when negative ends it. */
typedef int target_take(void *ctx, struct str slice);
MUST_CHECK int64_t target_read(struct target *t, const char *name, uint64_t at, uint64_t max,
                               target_take *take, void *ctx);
/* The same, appended to out. */
MUST_CHECK int64_t target_get(struct target *t, const char *name, uint64_t at, size_t max, struct buf *out);

/* What target_list and target_purge tell. What a visitor returns when negative ends the listing. */
typedef int target_visit(void *ctx, const char *name, uint64_t bytes);
/* Gone, in every version, and durably so. E_NOTFOUND. */
MUST_CHECK int target_delete(struct target *t, const char *name);
/* Every object of a folder, in no order, what is staged too (those names end in ".part"); folder "": names of folders.
 * The visitor may delete. A folder that is not there has none. */
MUST_CHECK int target_list(struct target *t, const char *folder, target_visit *visit, void *ctx);
/* What was begun in a folder and never ended goes: who began it was killed. Nobody else may be writing there. */
MUST_CHECK int target_sweep(struct target *t, const char *folder);
/* All of a folder goes: every object, those in the making too, and every version, also of what was deleted before.
 * `told` (may be NULL) hears of each that is gone. How many. */
typedef void target_told(void *ctx, const char *name, uint64_t bytes);
MUST_CHECK int target_purge(struct target *t, const char *folder, target_told *told, void *ctx);

/* ---- for those who make one ---------------------------------------------------------------------- */

struct target_ops {
    void (*close)(struct target *t);
    int (*stage)(struct target *t, const char *name, char path_out[TARGET_PATH_MAX], uint64_t *room_out);
    int (*put)(struct target *t, const char *name, const bool *stop);
    void (*unstage)(struct target *t, const char *name);
    int (*put_file)(struct target *t, const char *name, int fd, uint64_t bytes, const bool *stop);
    int (*replace)(struct target *t, const char *name, struct str bytes);
    int64_t (*read)(struct target *t, const char *name, uint64_t at, uint64_t max, target_take *take,
                    void *ctx);
    int (*delete)(struct target *t, const char *name);
    int (*list)(struct target *t, const char *folder, target_visit *visit, void *ctx);
    int (*sweep)(struct target *t, const char *folder); /* NULL: nothing is left there */
    int (*purge)(struct target *t, const char *folder, target_told *told, void *ctx);
};
struct target { /* the first member of theirs */
    const struct target_ops *ops;
};
#endif
