#include "src/store/keybox.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/statvfs.h>
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

/* VACUUM copies row by row: what it left out would be missing rows. */
int keybox_compare(struct db *of, struct db *copy)
{
    static const char *const sums[] = {
        "SELECT changes + indexed_upto + noted_upto FROM meta",
        "SELECT count(*) FROM sqlite_schema",
        "SELECT count(*) FROM folder",
        "SELECT coalesce(sum(uidnext + modseq + messages + bytes + placed), 0) FROM folder",
        "SELECT count(*) FROM message",
        "SELECT coalesce(sum(uid + modseq + bytes + flags + behind), 0) FROM message",
        "SELECT count(*) FROM email",
        "SELECT coalesce(sum(bytes + header_bytes + coalesce(length(noted), 0) + coalesce(length(top), 0)), 0) FROM email",
        "SELECT count(*) FROM email_head",
        "SELECT count(*) FROM email_body",
        "SELECT count(*) FROM email_text",
        "SELECT count(*) FROM email_words",
        "SELECT count(*) FROM email_top",
        "SELECT count(*) FROM email_raw",
        "SELECT count(*) + coalesce(sum(refs + bytes), 0) FROM part",
        "SELECT count(*) FROM part_row",
        "SELECT count(*) FROM unindexed",
        "SELECT count(*) + coalesce(sum(part + id), 0) FROM dropping",
        "SELECT count(*) + coalesce(sum(email_id + length(bits)), 0) FROM email_grams",
        "SELECT count(*) + coalesce(sum(email_id), 0) FROM email_by_date",
        "SELECT count(*) + coalesce(sum(email_id), 0) FROM email_by_thread",
        "SELECT count(*) FROM vanished",
        "SELECT count(*) FROM operation",
        "SELECT count(*) FROM delivery",
        "SELECT coalesce(sum(seq), 0) FROM drained",
        "SELECT junk + ham + tokens + senders FROM junk_model",
        "SELECT coalesce(sum(token + junk + ham), 0) FROM junk_token",
        "SELECT coalesce(sum(written + junk + ham), 0) FROM junk_sender",
        "SELECT coalesce(sum(class), 0) FROM junk_learnt",
        "SELECT coalesce(sum(wish), 0) FROM junk_queue",
        "SELECT coalesce(sum(score), 0) FROM email_junk",
    };

    for (size_t i = 0; i < ARRAY_LEN(sums); i++) {
        int64_t a = 0, b = 0;
        int r = db_get_i64(of, sums[i], &a);

        if (r == 0)
            r = db_get_i64(copy, sums[i], &b);
        if (r < 0 || a != b)
            return r < 0 ? r : E_CORRUPT;
    }
    return 0;
}

static int copy_verify(const struct files *f, struct mailbox *box, const char *path,
                       const uint8_t key[KEY_BYTES])
{
    struct mailbox_options o = { .cache_kib = 128 };
    struct mailbox *copy = NULL;
    char full[2 * FILES_PATH_MAX];
    int r, c;

    files_full(f, path, full, sizeof full);
    if ((r = mailbox_open(full, key, &o, NULL, &copy)) < 0)
        return r;
    if ((r = db_verify(mailbox_db(copy), NULL)) == 0 &&
        (r = keybox_compare(mailbox_db(box), mailbox_db(copy))) == 0)
        r = db_checkpoint(mailbox_db(copy), DB_TRUNCATE, NULL);
    c = mailbox_close(&copy);
    return r < 0 ? r : c;
}

#define COPY_SPARE_BYTES MIB(1)

/* Better said before than found out in the middle. */
static int copy_fits(const struct files *f, struct mailbox *box)
{
    struct statvfs v;
    int64_t pages = 0;
    int r = db_get_i64(mailbox_db(box), "PRAGMA page_count", &pages);

    if (r < 0 || fstatvfs(f->dir, &v) < 0)
        return r;
    return (uint64_t)v.f_bavail * v.f_frsize < (uint64_t)pages * 4096 + COPY_SPARE_BYTES ? E_FULL : 0;
}

static int copy_make(const struct files *f, struct mailbox *box, const char *next,
                     const uint8_t key[KEY_BYTES], uint64_t *commits_out)
{
    char full[2 * FILES_PATH_MAX];
    uint64_t commits = 0;
    int r = copy_clear(f, next);

    files_full(f, next, full, sizeof full);
    if (r < 0 || (r = copy_fits(f, box)) < 0 || (r = mailbox_settle(box)) < 0 ||
        (r = mailbox_commits(box, &commits)) < 0 || (r = db_copy(mailbox_db(box), full, key)) < 0)
        return r;
    if ((r = copy_verify(f, box, next, key)) == 0)
        *commits_out = commits;
    else if (copy_clear(f, next) < 0)
        return r; /* cleared by the next try */
    return r;
}

/* With its key it is there already: it was exchanged before. */
static int exchanged_before(const struct files *f, const struct keyfile *kf, const struct keyfile_keys *keys)
{
    struct mailbox_options o = { .cache_kib = 128 };
    struct mailbox *box = NULL;
    int r = open_under(f, kf, keys->next_key, &o, &box), c;

    if (r < 0)
        return r;
    r = db_verify(mailbox_db(box), NULL);
    c = mailbox_close(&box);
    return r < 0 ? r : c < 0 ? c : 1;
}

int keybox_copy(const struct files *f, const struct keyfile *kf, const struct keyfile_keys *keys,
                struct mailbox *box, uint64_t *commits_out)
{
    struct mailbox_options o = { .cache_kib = 128 };
    struct mailbox *own = NULL;
    char next[FILES_PATH_MAX];
    int r = 0, c;

    files_path(keyfile_mailbox_id(kf), FILES_NEXT, next);
    if (!box && (r = open_under(f, kf, keys->data_key, &o, &own)) == E_CORRUPT)
        return exchanged_before(f, kf, keys);
    if (r < 0)
        return r;
    r = copy_make(f, box ? box : own, next, keys->next_key, commits_out);
    c = mailbox_close(&own);
    return r < 0 ? r : c;
}

/* Has the old file all that the copy has, and nothing more? It is closed again, and its -wal gone. */
static int swap_check(const struct files *f, const struct keyfile *kf, const struct keyfile_keys *keys,
                      uint64_t commits)
{
    struct mailbox_options o = { .cache_kib = 128 };
    struct mailbox *box = NULL;
    uint64_t now = 0;
    int r = open_under(f, kf, keys->data_key, &o, &box), c;

    if (r == 0)
        r = mailbox_commits(box, &now);
    c = mailbox_close(&box);
    return r < 0 ? r : c < 0 ? c : now != commits ? E_STALE : 0;
}

int keybox_swap(const struct files *f, const struct keyfile *kf, const struct keyfile_keys *keys,
                uint64_t commits)
{
    char next[FILES_PATH_MAX], path[FILES_PATH_MAX], wal[FILES_PATH_MAX + 8];
    int r = swap_check(f, kf, keys, commits);

    files_path(keyfile_mailbox_id(kf), FILES_NEXT, next);
    files_path(keyfile_mailbox_id(kf), FILES_MAILBOX, path);
    if (r < 0)
        return r;
    /* The old file's -wal is gone, and must be so after power loss too before the name changes hands. */
    snprintf(wal, sizeof wal, "%s-wal", path);
    if (faccessat(f->dir, wal, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return E_BUSY;
    if ((r = file_sync_folder_of(f->dir, path)) < 0)
        return r;
    return file_rename(f->dir, next, path);
}

int keybox_exchange(const struct files *f, const struct keyfile *kf, const struct keyfile_keys *keys)
{
    uint64_t commits = 0;
    int r = keybox_copy(f, kf, keys, NULL, &commits);

    return r != 0 ? (r < 0 ? r : 0) : keybox_swap(f, kf, keys, commits);
}
