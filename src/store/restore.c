#include "src/store/restore.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/hex.h"
#include "lib/db/page_copy.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define NOTE_MAX    KIB(1)
#define SPARE_BYTES MIB(1)
#define FOLDER      "restores"
#define NOTE_PATH   64u
#define FIRST_LINE  "letterlock restore 1"

/* ---- the note ---------------------------------------------------------------------------------- */

static const char *const step_names[] = { "none", "placing", "placed", "renewed", "undoing" };

static void note_path(const uint8_t mailbox[MAILBOX_ID_LEN], char out[NOTE_PATH])
{
    char hex[2 * MAILBOX_ID_LEN + 1];

    hex_encode(mailbox, MAILBOX_ID_LEN, hex);
    snprintf(out, NOTE_PATH, FOLDER "/%s", hex);
}

int restore_note_put(const struct files *f, const uint8_t mailbox[MAILBOX_ID_LEN],
                     const struct restore_note *n)
{
    CLEANUP(buf_release) struct buf text = { .max = NOTE_MAX };
    char path[NOTE_PATH], hex[2 * BACKUP_ID_LEN + 1], at[CLOCK_ISO_LEN + 1];
    int r = file_mkdir(f->dir, FOLDER);

    note_path(mailbox, path);
    hex_encode(n->backup, BACKUP_ID_LEN, hex);
    clock_iso(n->at_ms, at);
    if (r == 0)
        r = buf_printf(&text, FIRST_LINE "\nstep %s\nbackup %s\nat %s\ngeneration %u\n", step_names[n->step],
                       hex, at, n->generation);
    return r < 0 ? r : file_replace(f->dir, path, buf_str(&text));
}

static bool take(struct str *text, const char *name, struct str *value)
{
    struct str line, word;

    return str_cut(*text, '\n', &line, text) && str_cut(line, ' ', &word, value) && str_eq_z(word, name);
}

static int note_parse(struct str text, struct restore_note *out)
{
    struct str first, v;

    *out = (struct restore_note){ .step = RESTORE_NONE };
    if (!str_cut(text, '\n', &first, &text) || !str_eq_z(first, FIRST_LINE) || !take(&text, "step", &v))
        return E_CORRUPT;
    for (size_t i = 1; i < ARRAY_LEN(step_names); i++)
        if (str_eq_z(v, step_names[i]))
            out->step = (enum restore_step)i;
    return out->step != RESTORE_NONE && take(&text, "backup", &v) &&
                   hex_decode(v, out->backup, BACKUP_ID_LEN) && take(&text, "at", &v) &&
                   clock_from_iso(v.p, v.n, &out->at_ms) && take(&text, "generation", &v) &&
                   str_to_u32(v, &out->generation)
               ? 1
               : E_CORRUPT;
}

int restore_note_get(const struct files *f, const uint8_t mailbox[MAILBOX_ID_LEN], struct restore_note *out)
{
    CLEANUP(buf_release) struct buf text = { .max = NOTE_MAX };
    char path[NOTE_PATH];
    int r;

    note_path(mailbox, path);
    if ((r = file_read(f->dir, path, &text)) < 0)
        return r == E_NOTFOUND ? 0 : r;
    return note_parse(buf_str(&text), out);
}

static int note_remove(const struct files *f, const uint8_t mailbox[MAILBOX_ID_LEN])
{
    char path[NOTE_PATH];
    int r;

    note_path(mailbox, path);
    return (r = file_remove(f->dir, path)) == E_NOTFOUND ? 0 : r;
}

/* ---- names ------------------------------------------------------------------------------------- */

struct names {
    char live[FILES_PATH_MAX], next[FILES_PATH_MAX], before[FILES_PATH_MAX];
};

static void names_of(const uint8_t mailbox[MAILBOX_ID_LEN], struct names *n)
{
    files_path(mailbox, FILES_MAILBOX, n->live);
    files_path(mailbox, FILES_RESTORE, n->next);
    files_path(mailbox, FILES_BEFORE, n->before);
}

static bool there(const struct files *f, const char *path)
{
    return faccessat(f->dir, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int remove_with(const struct files *f, const char *path)
{
    static const char *const ends[] = { "-wal", "-shm", "-journal", "" };
    int r = 0;

    for (size_t i = 0; i < ARRAY_LEN(ends) && r == 0; i++) {
        char name[FILES_PATH_MAX + 16];

        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        if ((r = file_remove(f->dir, name)) == E_NOTFOUND)
            r = 0;
    }
    return r;
}

/* A database and its -wal, in this order: in between nobody opens it. */
static int move_with(const struct files *f, const char *from, const char *to)
{
    static const char *const ends[] = { "", "-wal" };
    char a[FILES_PATH_MAX + 16], b[FILES_PATH_MAX + 40];
    int r = 0;

    for (size_t i = 0; i < ARRAY_LEN(ends) && r == 0; i++) {
        snprintf(a, sizeof a, "%s%s", from, ends[i]);
        snprintf(b, sizeof b, "%s%s", to, ends[i]);
        r = there(f, a) ? file_rename(f->dir, a, b) : 0;
    }
    snprintf(a, sizeof a, "%s-shm", from);
    if (r == 0 && (r = file_remove(f->dir, a)) == E_NOTFOUND)
        r = 0;
    return r;
}

/* ---- bringing it here -------------------------------------------------------------------------- */

struct fetching {
    struct filehash hash;
    const struct backup_stop *stop;
    uint64_t max, got;
    int fd;
};

static int fetch_take(void *ctx, struct str slice)
{
    struct fetching *f = ctx;

    if (f->stop->stop)
        return E_CANCELED;
    if ((f->got += slice.n) > f->max)
        return E_CORRUPT;
    filehash_add(&f->hash, slice);
    return file_write(f->fd, slice);
}

static int fetch_to(struct target *t, const struct backup_info *info, int fd, struct backup_stop *stop)
{
    struct fetching f = { .stop = stop, .max = info->bytes, .fd = fd };
    uint8_t hash[HASH_BYTES];
    char name[TARGET_NAME_MAX];
    int64_t n;

    backup_name(info->mailbox, info->id, ".sqlite", name);
    filehash_begin(&f.hash, info->hashed);
    n = target_read(t, name, 0, UINT64_MAX, fetch_take, &f);
    filehash_end(&f.hash, hash);
    if (n < 0)
        return (int)n;
    if (f.got != info->bytes || memcmp(hash, info->hash, HASH_BYTES) != 0)
        return E_CORRUPT;
    return file_ops()->fsync(fd) < 0 ? error_from_errno(errno) : 0;
}

int restore_fetch(const struct files *f, struct target *t, const struct backup_info *info,
                  struct backup_stop *stop)
{
    CLEANUP(fd_close) int fd = -1;
    struct statvfs v;
    struct names n;
    int r;

    names_of(info->mailbox, &n);
    if ((r = files_folder(f, info->mailbox)) < 0 || (r = remove_with(f, n.next)) < 0)
        return r;
    if (info->bytes > INT64_MAX - SPARE_BYTES ||
        (fstatvfs(f->dir, &v) == 0 && (uint64_t)v.f_bavail * v.f_frsize < info->bytes + SPARE_BYTES))
        return E_FULL;
    fd = file_ops()->openat(f->dir, n.next, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_from_errno(errno);
    if ((r = fetch_to(t, info, fd, stop)) == 0)
        r = file_sync_folder_of(f->dir, n.next);
    if (r < 0)
        restore_drop(f, info->mailbox);
    return r;
}

void restore_drop(const struct files *f, const uint8_t mailbox[MAILBOX_ID_LEN])
{
    struct names n;

    names_of(mailbox, &n);
    if (remove_with(f, n.next) < 0)
        return; /* the next one finds it and removes it */
}

static int mailbox_is(struct db *db, const uint8_t mailbox[MAILBOX_ID_LEN])
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    uint8_t id[MAILBOX_ID_LEN];
    int r;

    if ((r = stmt_get(db, "SELECT mailbox_id FROM meta", &st)) < 0 || (r = stmt_step(st)) < 0)
        return r;
    return r > 0 && stmt_bytes(st, 0, id, sizeof id) && memcmp(id, mailbox, sizeof id) == 0 ? 0 : E_CORRUPT;
}

static int verified(const char *full, const uint8_t key[KEY_BYTES], const uint8_t mailbox[MAILBOX_ID_LEN],
                    struct db **out)
{
    struct db_options o = { .cache_kib = 2048, .statements = 8 };
    struct db *db = NULL;
    int r;

    if ((r = db_open(full, key, &o, &db)) < 0)
        return r;
    if ((r = db_verify(db, NULL)) < 0 || (r = mailbox_is(db, mailbox)) < 0) {
        db_close(&db);
        return r;
    }
    *out = db;
    return 0;
}

int restore_check_same(const struct files *f, const uint8_t mailbox[MAILBOX_ID_LEN],
                       const uint8_t key[KEY_BYTES], const struct backup_stop *stop)
{
    struct db_options o = { .flags = DB_READONLY, .statements = 4 };
    char path[FILES_PATH_MAX], full[2 * FILES_PATH_MAX];
    struct db *db = NULL;
    int r, c;

    files_path(mailbox, FILES_RESTORE, path);
    files_full(f, path, full, sizeof full);
    if ((r = page_copy_check(full, key, &stop->stop)) < 0 || (r = db_open(full, key, &o, &db)) < 0)
        return r;
    r = mailbox_is(db, mailbox);
    c = db_close(&db);
    return r < 0 ? r : c;
}

int restore_check(const struct files *f, const uint8_t mailbox[MAILBOX_ID_LEN], enum files_kind kind,
                  const uint8_t key[KEY_BYTES], const uint8_t *next)
{
    char path[FILES_PATH_MAX], anew[FILES_PATH_MAX], full[2 * FILES_PATH_MAX], full_anew[2 * FILES_PATH_MAX];
    struct db *db = NULL, *copy = NULL;
    int r, c;

    files_path(mailbox, kind, path);
    files_path(mailbox, FILES_NEXT, anew);
    files_full(f, path, full, sizeof full);
    files_full(f, anew, full_anew, sizeof full_anew);
    if ((r = verified(full, key, mailbox, &db)) < 0)
        return r;
    if (next && (r = remove_with(f, anew)) == 0 && (r = db_copy(db, full_anew, next)) == 0 &&
        (r = verified(full_anew, next, mailbox, &copy)) == 0)
        r = db_checkpoint(copy, DB_TRUNCATE, NULL);
    c = db_close(&copy);
    r = r == 0 ? c : r;
    c = db_close(&db);
    r = r == 0 ? c : r;
    return r < 0 || !next ? r : file_rename(f->dir, anew, path);
}

/* ---- names change hands ------------------------------------------------------------------------ */

/* What waited at the moment that is restored waits again. */
static int temps_forward(const struct files *f, const uint8_t mailbox[MAILBOX_ID_LEN])
{
    char hex[2 * MAILBOX_ID_LEN + 1], folder[32], prefix[64], live[FILES_PATH_MAX];
    const struct dirent *e;
    uint8_t raw[8];
    int r = 0, fd;
    DIR *d;

    hex_encode(mailbox, MAILBOX_ID_LEN, hex);
    snprintf(folder, sizeof folder, "mailboxes/%.2s", hex);
    snprintf(prefix, sizeof prefix, "%s-restore-", hex);
    fd = openat(f->dir, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (!(d = fd >= 0 ? fdopendir(fd) : NULL)) {
        fd_close(&fd);
        return E_IO;
    }
    while (r == 0 && (e = readdir(d)) != NULL) {
        struct str s = str_from(e->d_name);
        uint64_t generation = 0;

        if (!str_starts(s, str_from(prefix)) || s.n != strlen(prefix) + 16 + 7 ||
            !str_ends(s, STR(".sqlite")) ||
            !hex_decode(str_slice(s, strlen(prefix), strlen(prefix) + 16), raw, sizeof raw))
            continue;
        for (size_t i = 0; i < sizeof raw; i++)
            generation = generation << 8 | raw[i];
        files_temp_path(mailbox, generation, live);
        if (!there(f, live) && renameat(dirfd(d), e->d_name, f->dir, live) < 0)
            r = error_from_errno(errno);
    }
    closedir(d);
    snprintf(live, sizeof live, "%s/.", folder);
    return r < 0 ? r : file_sync_folder_of(f->dir, live);
}

static int place_forward(const struct files *f, const uint8_t mailbox[MAILBOX_ID_LEN],
                         struct restore_note *note)
{
    struct names n;
    int r = 0;

    names_of(mailbox, &n);
    if (there(f, n.next) &&
        ((r = move_with(f, n.live, n.before)) < 0 || (r = file_rename(f->dir, n.next, n.live)) < 0))
        return r;
    if ((r = temps_forward(f, mailbox)) < 0)
        return r;
    note->step = RESTORE_PLACED;
    return restore_note_put(f, mailbox, note);
}

/* Named after the moment that the restored one came: it is never there twice. */
static void undone_path(const char *live, const char *end, const struct restore_note *note, int64_t now_ms,
                        char out[FILES_PATH_MAX + 64])
{
    char iso[CLOCK_ISO_LEN + 1];

    clock_iso(now_ms, iso);
    snprintf(out, FILES_PATH_MAX + 64, "%.*s-undone-%llx.sqlite%s.aside-%.4s%.2s%.2s",
             (int)(strlen(live) - strlen(".sqlite")), live, (unsigned long long)note->at_ms, end, iso,
             iso + 5, iso + 8);
}

static int undo_forward(const struct files *f, const uint8_t mailbox[MAILBOX_ID_LEN],
                        const struct restore_note *note, int64_t now_ms)
{
    char undone[FILES_PATH_MAX + 64], wal[FILES_PATH_MAX + 16];
    struct names n;
    int r = 0;

    names_of(mailbox, &n);
    snprintf(wal, sizeof wal, "%s-wal", n.live);
    if (there(f, n.before) && there(f, n.live)) {
        undone_path(n.live, "", note, now_ms, undone);
        r = file_rename(f->dir, n.live, undone);
    }
    if (r == 0 && there(f, n.before) && there(f, wal)) { /* only its key could empty it */
        undone_path(n.live, "-wal", note, now_ms, undone);
        r = file_rename(f->dir, wal, undone);
    }
    if (r == 0)
        r = move_with(f, n.before, n.live);
    return r < 0 ? r : note_remove(f, mailbox);
}

int restore_place(const struct files *f, const uint8_t mailbox[MAILBOX_ID_LEN],
                  const struct restore_note *note)
{
    struct restore_note n, was;
    int r = restore_note_get(f, mailbox, &was);

    if (r != 0)
        return r < 0 ? r : E_EXISTS;
    n = *note;
    n.step = RESTORE_PLACING;
    return (r = restore_note_put(f, mailbox, &n)) < 0 ? r : place_forward(f, mailbox, &n);
}

int restore_undo(const struct files *f, const uint8_t mailbox[MAILBOX_ID_LEN], int64_t now_ms)
{
    struct restore_note note;
    struct names n;
    int r = restore_note_get(f, mailbox, &note);

    names_of(mailbox, &n);
    if (r <= 0 || !there(f, n.before))
        return r < 0 ? r : E_NOTFOUND;
    note.step = RESTORE_UNDOING;
    return (r = restore_note_put(f, mailbox, &note)) < 0 ? r : undo_forward(f, mailbox, &note, now_ms);
}

bool restore_kept(const struct files *f, const uint8_t mailbox[MAILBOX_ID_LEN])
{
    struct names n;

    names_of(mailbox, &n);
    return there(f, n.before);
}

/* The note goes last: without it nobody would look for the file. */
int restore_confirm(const struct files *f, const uint8_t mailbox[MAILBOX_ID_LEN])
{
    struct restore_note note;
    struct names n;
    int r = restore_note_get(f, mailbox, &note);

    names_of(mailbox, &n);
    if (r <= 0)
        return r < 0 ? r : E_NOTFOUND;
    if (note.step == RESTORE_PLACED) /* the next one to open it needs to know */
        return E_BUSY;
    return (r = remove_with(f, n.before)) < 0 ? r : note_remove(f, mailbox);
}

void restore_forget(const struct files *f, const uint8_t mailbox[MAILBOX_ID_LEN])
{
    if (note_remove(f, mailbox) < 0)
        return; /* the next start finds that there is nothing to do for it */
}

/* ---- after a crash ----------------------------------------------------------------------------- */

#define NOTES_MAX 100000u

static int notes_read(const struct files *f, uint8_t (**out)[MAILBOX_ID_LEN], size_t *n_out)
{
    int fd = openat(f->dir, FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *e;
    uint8_t id[MAILBOX_ID_LEN];
    size_t cap = 0;

    *n_out = 0;
    if (!d) {
        int r = error_from_errno(errno);

        fd_close(&fd);
        return r == E_NOTFOUND ? 0 : r;
    }
    while ((e = readdir(d)) != NULL && *n_out < NOTES_MAX) {
        if (!hex_decode(str_from(e->d_name), id, sizeof id))
            continue;
        if (*n_out == cap) {
            void *p = realloc(*out, (cap = cap ? 2 * cap : 64) * MAILBOX_ID_LEN);

            if (!p)
                break;
            *out = p;
        }
        memcpy((*out)[(*n_out)++], id, sizeof id);
    }
    closedir(d);
    return 0;
}

int restore_forward_all(const struct files *f, int64_t now_ms,
                        void (*found)(void *ctx, const uint8_t mailbox[MAILBOX_ID_LEN],
                                      const struct restore_note *n, bool went_on),
                        void *ctx)
{
    uint8_t(*ids)[MAILBOX_ID_LEN] = NULL;
    size_t n = 0;
    int r = notes_read(f, &ids, &n), went = 0;

    for (size_t i = 0; i < n && r >= 0; i++) {
        struct restore_note note;
        enum restore_step was;

        if ((r = restore_note_get(f, ids[i], &note)) <= 0)
            continue;
        was = note.step;
        if (was == RESTORE_PLACING)
            r = place_forward(f, ids[i], &note);
        else if (was == RESTORE_UNDOING)
            r = undo_forward(f, ids[i], &note, now_ms);
        if (r < 0)
            break;
        went += was == RESTORE_PLACING || was == RESTORE_UNDOING;
        found(ctx, ids[i], &note, was == RESTORE_PLACING || was == RESTORE_UNDOING);
    }
    free(ids);
    return r < 0 ? r : went;
}
