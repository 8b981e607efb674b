#include "src/store/keybox.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include <fcntl.h>
#include <unistd.h>

static int open_under(const struct files *f, const struct keyfile *kf, const uint8_t key[KEY_BYTES],
                      const struct mailbox_options *o, struct mailbox **out)
{
    char path[FILES_PATH_MAX], full[2 * FILES_PATH_MAX];

    files_path(keyfile_mailbox_id(kf), FILES_MAILBOX, path);
    files_full(f, path, full, sizeof full);
    return mailbox_open(full, key, o, NULL, out);
}

int keybox_open(const struct files *f, const struct keyfile *kf, const struct keyfile_keys *keys,
                const struct mailbox_options *o, struct mailbox **out, uint32_t *generation_out)
{
    int r = open_under(f, kf, keys->data_key, o, out);

    *generation_out = keys->generation;
    if (r == E_CORRUPT && keys->next_generation) {
        r = open_under(f, kf, keys->next_key, o, out);
        *generation_out = keys->next_generation;
    }
    return r;
}

int keybox_note(struct mailbox *box, uint64_t generation, const uint8_t state[KEYSTATE_BYTES])
{
    int r;

    if ((r = mailbox_begin(box)) < 0 ||
        (r = mailbox_meta_set(box, generation, str_of(state, KEYSTATE_BYTES))) < 0 ||
        (r = mailbox_commit(box)) < 0)
        mailbox_rollback(box);
    return r;
}

int keybox_settle(struct mailbox *box, const struct keyfile *kf, uint32_t generation,
                  const uint8_t mac_key[KEY_BYTES])
{
    struct mailbox_meta m = { .key_state = { .max = KIB(4) } };
    uint8_t state[KEYSTATE_BYTES];
    struct keystate known, found;
    int r = mailbox_meta_get(box, &m);

    keystate_of(kf, &found);
    if (r == 0)
        r = keystate_open(buf_str(&m.key_state), mac_key, &known);
    buf_release(&m.key_state);
    if (r < 0)
        return r;
    r = keystate_compare(&known, &found);
    if (r == E_CORRUPT && memcmp(known.mailbox, found.mailbox, sizeof found.mailbox) == 0 &&
        found.seq > known.seq && found.generation > known.generation &&
        found.mailbox_key_generation > known.mailbox_key_generation)
        r = KEYSTATE_NEWER;
    if (r != KEYSTATE_NEWER)
        return r;
    keystate_seal(&found, mac_key, state);
    return keybox_note(box, generation, state);
}

/* ---- another key ------------------------------------------------------------------------------- */

static int copy_verify(const struct files *f, const char *path, const uint8_t key[KEY_BYTES])
{
    struct db *db = NULL;
    char full[2 * FILES_PATH_MAX];
    int r, c;

    files_full(f, path, full, sizeof full);
    if ((r = db_open(full, key, &(struct db_options){ 0 }, &db)) < 0)
        return r;
    if ((r = db_verify(db, NULL)) == 0)
        r = db_checkpoint(db, DB_TRUNCATE, NULL);
    c = db_close(&db);
    return r < 0 ? r : c;
}

/* What an earlier try left; a -wal of it would be taken for the new file's. */
static int copy_clear(const struct files *f, const char *path)
{
    static const char *const ends[] = { "", "-wal", "-shm", "-journal" };
    int r = 0;

    for (size_t i = 0; i < ARRAY_LEN(ends) && r == 0; i++) {
        char name[FILES_PATH_MAX + 16];

        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        if ((r = file_remove(f->dir, name)) == E_NOTFOUND)
            r = 0;
    }
    return r;
}

static int copy_make(const struct files *f, struct mailbox *box, const char *next,
                     const uint8_t key[KEY_BYTES])
{
    char full[2 * FILES_PATH_MAX];
    int r = copy_clear(f, next);

    files_full(f, next, full, sizeof full);
    if (r == 0 && (r = db_copy(mailbox_db(box), full, key)) == 0)
        r = copy_verify(f, next, key);
    return r;
}

int keybox_exchange(const struct files *f, const struct keyfile *kf, const struct keyfile_keys *keys)
{
    struct mailbox_options o = { .cache_kib = 128 };
    char next[FILES_PATH_MAX], path[FILES_PATH_MAX], wal[FILES_PATH_MAX + 8];
    struct mailbox *box = NULL;
    int r, c;

    files_path(keyfile_mailbox_id(kf), FILES_NEXT, next);
    files_path(keyfile_mailbox_id(kf), FILES_MAILBOX, path);
    if ((r = open_under(f, kf, keys->data_key, &o, &box)) == E_CORRUPT)
        return copy_verify(f, path, keys->next_key); /* it was exchanged already */
    if (r < 0)
        return r;
    r = copy_make(f, box, next, keys->next_key);
    c = mailbox_close(&box);
    if (r < 0 || c < 0)
        return r < 0 ? r : c;
    /* The old file's -wal is gone, and must be so after power loss too before the name changes hands. */
    snprintf(wal, sizeof wal, "%s-wal", path);
    if (faccessat(f->dir, wal, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return E_BUSY;
    if ((r = file_sync_folder_of(f->dir, path)) < 0)
        return r;
    return file_rename(f->dir, next, path);
}
