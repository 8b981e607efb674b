#include "src/store/shipbase.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLICE_BYTES KIB(256)
#define SPARE_BYTES MIB(1)
#define TRIES       3

/* To the end of the file as it is when we get there. */
static int copy(int from, int to, const bool *stop, struct ship_base *b)
{
    crypto_generichash_state state;
    uint8_t *slice = malloc(SLICE_BYTES);
    int64_t n = slice ? 1 : 0;
    int r = slice ? 0 : E_NOMEM;

    crypto_generichash_init(&state, NULL, 0, HASH_BYTES);
    b->bytes = 0;
    while (r == 0 && n > 0) {
        n = file_read_at(from, slice, SLICE_BYTES, b->bytes);
        if (n < 0)
            r = (int)n;
        if (n > 0) {
            crypto_generichash_update(&state, slice, (size_t)n);
            b->bytes += (uint64_t)n;
            r = target_stopped(stop) ? E_CANCELED : file_write(to, str_of(slice, (size_t)n));
        }
    }
    crypto_generichash_final(&state, b->hash, HASH_BYTES);
    free(slice);
    return r == 0 && file_ops()->fsync(to) < 0 ? error_from_errno(errno) : r;
}

static int stage(struct ship *s, struct target *t, const char *name, uint64_t inode, const bool *stop,
                 struct ship_base *b)
{
    char path[FILES_PATH_MAX], to_path[TARGET_PATH_MAX];
    CLEANUP(fd_close) int from = -1;
    CLEANUP(fd_close) int to = -1;
    uint64_t room = 0;
    struct stat st;
    int r;

    files_path(b->mailbox, FILES_MAILBOX, path);
    from = openat(ship_files(s)->dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (from < 0 || fstat(from, &st) < 0)
        return error_from_errno(errno);
    if (st.st_ino != inode)
        return E_STALE;
    if ((r = target_stage(t, name, to_path, &room)) < 0)
        return r;
    if (room < (uint64_t)st.st_size + SPARE_BYTES)
        return E_FULL;
    to = file_ops()->openat(AT_FDCWD, to_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    return to < 0 ? error_from_errno(errno) : copy(from, to, stop, b);
}

static bool same(const struct ship_at *a, const struct ship_at *b)
{
    return a->chain == b->chain && a->cuts == b->cuts && a->inode == b->inode;
}

static int take_once(struct ship *s, struct target *t, const uint8_t mailbox[MAILBOX_ID_LEN],
                     const bool *stop, struct ship_base *b)
{
    char name[TARGET_NAME_MAX], info[TARGET_NAME_MAX];
    uint8_t bytes[SHIP_BASE_BYTES];
    struct ship_at at, now;
    int r = ship_where(s, mailbox, &at);

    if (r < 0)
        return r;
    *b = (struct ship_base){ .chain = at.chain, .seq = at.wal_seq };
    memcpy(b->mailbox, mailbox, MAILBOX_ID_LEN);
    ship_base_name(b, ".base", name);
    ship_base_name(b, ".info", info);
    r = stage(s, t, name, at.inode, stop, b);
    b->valid_ms = clock_wall_ms();
    if (r == 0 && (r = ship_where(s, mailbox, &now)) == 0 && !same(&at, &now))
        r = E_STALE;
    if (r == 0 && (r = ship_settle(s, mailbox)) == 0) /* all that is replayed on it is confirmed */
        r = target_put(t, name, stop);
    if (r < 0) {
        target_unstage(t, name);
        return r;
    }
    ship_base_put(ship_key(s), b, bytes);
    return target_replace(t, info, str_of(bytes, sizeof bytes));
}

int ship_base_take(struct ship *s, struct target *t, const uint8_t mailbox[MAILBOX_ID_LEN], const bool *stop,
                   uint64_t *bytes_out)
{
    char folder[TARGET_NAME_MAX];
    struct ship_base b;
    int r;

    ship_folder_of(mailbox, folder);
    if ((r = target_sweep(t, folder)) < 0)
        return r;
    r = E_STALE;
    for (int i = 0; i < TRIES && r == E_STALE; i++)
        r = take_once(s, t, mailbox, stop, &b);
    if (r == E_STALE || r == E_NOTFOUND)
        return 0;
    if (r < 0)
        return r;
    ship_based(s, mailbox, b.chain, b.valid_ms);
    *bytes_out = b.bytes;
    return 1;
}
