/* src/store/files.h
 *
 * Where a mailbox's files lie, relative to the data folder, and nothing of what is in them:
 *   mailboxes/ab/<24 hex>.sqlite   .keys   -tmp-<16 hex>.sqlite   *.aside-<YYYYMMDD> */
#ifndef SRC_STORE_FILES_H
#define SRC_STORE_FILES_H
#include "lib/base/str.h"
#include "src/store/mailbox.h"

#define FILES_PATH_MAX   128u
#define FILES_ASIDE_DAYS 30

struct files {
    int dir;            /* the data folder */
    const char *prefix; /* what SQLite puts before a path: "" when the folder is the working folder */
};

enum files_kind {
    FILES_MAILBOX,
    FILES_KEYS,
    FILES_NEXT /* a mailbox under its next key */,
    FILES_RESTORE,
    FILES_BEFORE /* restore.h */
};
void files_path(const uint8_t id[MAILBOX_ID_LEN], enum files_kind kind, char out[FILES_PATH_MAX]);
void files_temp_path(const uint8_t id[MAILBOX_ID_LEN], uint64_t generation, char out[FILES_PATH_MAX]);
/* A path for SQLite. */
void files_full(const struct files *f, const char *path, char *out, size_t n);
/* Make mailboxes/ab. */
MUST_CHECK int files_folder(const struct files *f, const uint8_t id[MAILBOX_ID_LEN]);
/* Generations of the temporary mailboxes there are, oldest first: at most max are written. The number, or E_*. */
MUST_CHECK int files_temp_list(const struct files *f, const uint8_t id[MAILBOX_ID_LEN], uint64_t *out,
                               size_t max);
/* Rename all files of this mailbox so that nobody takes them for live ones. */
MUST_CHECK int files_set_aside(const struct files *f, const uint8_t id[MAILBOX_ID_LEN], int64_t now_ms);
/* Remove all files of this mailbox, aside ones too. */
MUST_CHECK int files_remove(const struct files *f, const uint8_t id[MAILBOX_ID_LEN]);
/* The same in two steps, keys first; `told` (may be NULL) hears of each that is gone. */
typedef void files_told(void *ctx, const char *path, uint64_t bytes);
MUST_CHECK int files_remove_keys(const struct files *f, const uint8_t id[MAILBOX_ID_LEN], files_told *told,
                                 void *ctx);
MUST_CHECK int files_remove_all(const struct files *f, const uint8_t id[MAILBOX_ID_LEN], files_told *told,
                                void *ctx);
/* Each file that it would remove. */
MUST_CHECK int files_each(const struct files *f, const uint8_t id[MAILBOX_ID_LEN], files_told *told,
                          void *ctx);
/* Remove what was set aside FILES_ASIDE_DAYS ago or earlier, everywhere. How many. */
MUST_CHECK int files_remove_old(const struct files *f, int64_t now_ms);
#endif
