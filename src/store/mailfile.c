/* src/store/mailfile.c: a mailbox file outside its store. A file of this program's schema is only read; one of an earlier
 * program is copied, byte by byte and so as closed as it was, and the copy goes through the migrations. */
#include "src/common/mailfile.h"
#include "lib/base/file.h"
#include "lib/crypto/keyfile.h"
#include "src/store/mailbox_private.h"
#include "src/store/sql_mailbox.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define CACHE_KIB 8192
#define SLICE     KIB(256)

struct mailfile {
    struct mailbox *box;
    struct arena arena;
    struct fetch fetch;
    char *scratch; /* what close removes; NULL: nothing */
};

/* ---- keys ---- */

static int keys_of(const char *path, struct str password, struct keyfile **kf, struct keyfile_keys *keys)
{
    CLEANUP(buf_release) struct buf bytes = { .max = KEYFILE_BYTES_MAX };
    struct password p;
    unsigned damage = 0;
    int r;

    if ((r = file_read(AT_FDCWD, path, &bytes)) < 0)
        return r == E_TOO_BIG ? E_CORRUPT : r;
    if ((r = keyfile_parse(buf_str(&bytes), kf, &damage)) < 0)
        return r == E_LIMIT ? E_CORRUPT : r;
    if ((r = password_parse(password, &p)) == 0)
        r = keyfile_open(*kf, &p, keys);
    password_release(&p);
    return r == E_LIMIT ? E_AUTH : r;
}

/* Key number i that the file may be under: that of today, the next one, then earlier ones, the latest first. 1; 0: no more. */
static int key_at(const struct keyfile *kf, const struct keyfile_keys *keys, size_t i, uint8_t out[KEY_BYTES])
{
    size_t n = 0;

    if (i == 0 || (i == 1 && keys->next_generation)) {
        memcpy(out, i ? keys->next_key : keys->data_key, KEY_BYTES);
        return 1;
    }
    i -= keys->next_generation ? 2 : 1;
    while (keyfile_earlier_at(kf, n))
        n++;
    if (i >= n)
        return 0;
    return keyfile_data_key(kf, keys, keyfile_earlier_at(kf, n - 1 - i), out) < 0 ? E_CORRUPT : 1;
}

/* ---- opening ---- */

/* A file that lies in WAL mode, or is of an earlier program, cannot be read without writing beside it. 1: it can. */
static int as_it_is(const char *path, const uint8_t key[KEY_BYTES])
{
    struct db_options o = { .flags = DB_READONLY, .cache_kib = 128, .statements = 4 };
    CLEANUP(stmt_release) struct stmt *st = NULL;
    struct db *db = NULL;
    int64_t version = 0;
    bool wal = true;
    int r, c;

    if ((r = db_open(path, key, &o, &db)) < 0)
        return r;
    r = db_get_i64(db, "PRAGMA user_version", &version);
    if (r == 0 && (r = stmt_get(db, "PRAGMA journal_mode", &st)) == 0 && (r = stmt_step(st)) > 0)
        wal = str_ieq_z(stmt_str(st, 0), "wal");
    stmt_release(&st);
    c = db_close(&db);
    if (r < 0 || c < 0)
        return r < 0 ? r : c;
    if (version > (int64_t)sql_mailbox.n)
        return E_VERSION;
    return version == (int64_t)sql_mailbox.n && !wal;
}

static int copy(const char *from, const char *to)
{
    CLEANUP(fd_close) int in = open(from, O_RDONLY | O_CLOEXEC);
    CLEANUP(fd_close) int out = -1;
    ssize_t n;

    if (in < 0)
        return error_from_errno(errno);
    if ((out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)) < 0)
        return error_from_errno(errno);
    while ((n = copy_file_range(in, NULL, out, NULL, MIB(64), 0)) > 0)
        ;
    if (n == 0)
        return 0;
    unlink(to);
    return error_from_errno(errno);
}

static int open_under(struct mailfile *m, const char *path, const uint8_t key[KEY_BYTES], const char *scratch)
{
    struct mailbox_options o = { .flags = MAILBOX_READER, .cache_kib = CACHE_KIB };
    int r = as_it_is(path, key);

    if (r < 0)
        return r;
    if (r == 0 && scratch) {
        if (!(m->scratch = strdup(scratch)))
            return E_NOMEM;
        if ((r = copy(path, scratch)) < 0) {
            free(m->scratch);
            m->scratch = NULL;
            return r;
        }
    }
    if (r == 0)
        o.flags = 0;
    return mailbox_open(m->scratch ? m->scratch : path, key, &o, NULL, &m->box);
}

static int is_of(struct mailfile *m, const struct keyfile *kf)
{
    struct mailbox_meta meta = { .key_state = { .max = KIB(4) } };
    int r = mailbox_meta_get(m->box, &meta);

    buf_release(&meta.key_state);
    return r < 0 ? r : memcmp(meta.id, keyfile_mailbox_id(kf), MAILBOX_ID_LEN) == 0 ? 0 : E_CORRUPT;
}

int mailfile_open(const char *path, const char *keys_path, struct str password, const char *scratch,
                  struct mailfile **out)
{
    struct keyfile_keys keys = { 0 };
    struct keyfile *kf = NULL;
    struct mailfile *m = calloc(1, sizeof *m);
    uint8_t key[KEY_BYTES];
    int r = m ? keys_of(keys_path, password, &kf, &keys) : E_NOMEM, more;

    if (m)
        m->arena.max = MIB(16);
    if (r == 0)
        r = E_CORRUPT;
    for (size_t i = 0;
         m && kf && r == E_CORRUPT && keys.generation && (more = key_at(kf, &keys, i, key)) != 0; i++)
        r = more < 0 ? E_CORRUPT : open_under(m, path, key, scratch);
    if (r == 0)
        r = is_of(m, kf);
    explicit_bzero(key, sizeof key);
    keyfile_keys_release(&keys);
    keyfile_free(&kf);
    if (r < 0) {
        mailfile_free(&m);
        return r;
    }
    *out = m;
    return 0;
}

void mailfile_free(struct mailfile **mp)
{
    static const char *const ends[] = { "", "-wal", "-shm", "-journal" };
    struct mailfile *m = *mp;

    *mp = NULL;
    if (!m)
        return;
    fetch_release(&m->fetch);
    (void)!mailbox_close(&m->box); /* nothing of it was to be kept */
    for (size_t i = 0; m->scratch && i < ARRAY_LEN(ends); i++) {
        CLEANUP(buf_release) struct buf name = { .max = KIB(8) };

        if (buf_printf(&name, "%s%s", m->scratch, ends[i]) == 0 && buf_z(&name))
            unlink(buf_z(&name));
    }
    arena_release(&m->arena);
    free(m->scratch);
    free(m);
}

/* ---- reading ---- */

int mailfile_folders(struct mailfile *m, Store__FoldersResponse **out)
{
    Store__FoldersRequest q = STORE__FOLDERS_REQUEST__INIT;
    Store__FoldersResponse *r = arena_array(&m->arena, 1, sizeof *r);
    int e;

    if (!r)
        return E_NOMEM;
    store__folders_response__init(r);
    q.counts = true;
    if ((e = mailbox_folders(m->box, &m->arena, &q, r)) == 0)
        *out = r;
    return e;
}

int mailfile_begin(struct mailfile *m, uint64_t folder_id, uint32_t first, uint32_t last, uint32_t want)
{
    uint32_t range[2] = { first, last };
    Store__FetchRequest q = STORE__FETCH_REQUEST__INIT;

    q.folder_id = folder_id;
    q.uid_ranges = range;
    q.n_uid_ranges = first > last ? 0 : 2;
    q.want = want;
    fetch_release(&m->fetch);
    return fetch_init(&m->fetch, &q);
}

int mailfile_more(struct mailfile *m, struct buf *out)
{
    return mailbox_fetch(m->box, &m->fetch, out->n + SLICE, out);
}
