#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/hex.h"
#include "lib/db/db_private.h"
#include "lib/db/page_cipher.h"
#include "lib/db/wal_gather.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define STATEMENTS_KEPT   64u
#define CACHE_KIB_DEFAULT 512u
#define CONNECTION_BYTES  KIB(120)
#define SALT_BYTES        128u

/* ---- memory: what SQLite gives back is wiped. It held letters and, in a codec, keys. ---- */

static atomic_int fail_in; /* tests: 0 never, n the nth allocation from now */

bool db_test_fail_allocation(int nth)
{
    return atomic_exchange(&fail_in, nth) <= 0;
}

/* SQLite3MultipleCiphers (2.3.5) does not survive a failing allocation in sqlite3_open: with no memory for
 * its copy of the ciphers' parameters sqlite3mcCloneCodecParameterTable writes through NULL, and when
 * sqlite3_set_clientdata fails, its destructor has freed the table that mcRegisterCodecExtensions goes on
 * to use. So whoever opens holds as much as a connection takes: the first allocation that fails gives it
 * back and tries again, and what is still missing then is taken from what was freed. It is a mapping that nobody
 * touches: a block of malloc's would be wiped at every open, page after page. */
static _Thread_local void *reserve;

static bool reserve_take(void)
{
    reserve = mmap(NULL, CONNECTION_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (reserve == MAP_FAILED)
        reserve = NULL;
    return reserve != NULL;
}

static void reserve_give(void)
{
    if (reserve)
        munmap(reserve, CONNECTION_BYTES);
    reserve = NULL;
}

static void *from_reserve(size_t n)
{
    if (!reserve)
        return NULL;
    reserve_give();
    return malloc(n);
}

/* SQLite3MultipleCiphers keeps room for a page of 64 KiB with each key, and writes zeros to all of it, though
 * our pages have 4: sixteen pages of memory a handle. While one is opened the block is noted here. */
#define CODEC_BYTES_MIN KIB(64)
#define CODEC_BYTES_MAX KIB(80)
#define CODEC_USED      KIB(8) /* at its beginning: a page of ours, and what stands before it */
#define MEMORY_PAGE     KIB(4)
static _Thread_local struct {
    bool wanted;
    char *p;
    size_t n;
} codec_room;

static void *mem_take(int n)
{
    bool fail =
        atomic_load_explicit(&fail_in, memory_order_relaxed) > 0 && atomic_fetch_sub(&fail_in, 1) == 1;
    char *p = fail ? NULL : malloc((size_t)n);

    if (!p && !(p = from_reserve((size_t)n)))
        return NULL;
    if (codec_room.wanted && (size_t)n > CODEC_BYTES_MIN && (size_t)n < CODEC_BYTES_MAX) {
        codec_room.p = p;
        codec_room.n = (size_t)n;
    }
    return p;
}

static bool all_zero(const char *p, size_t n)
{
    return p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

/* What is zero gives its memory back to the kernel: it reads as zero then as well, whatever it is for. */
static void codec_room_give(void)
{
    uintptr_t from = ((uintptr_t)codec_room.p + CODEC_USED + MEMORY_PAGE - 1) & ~(uintptr_t)(MEMORY_PAGE - 1);
    uintptr_t to = ((uintptr_t)codec_room.p + codec_room.n) & ~(uintptr_t)(MEMORY_PAGE - 1);

    while (codec_room.p && to > from && !all_zero((const char *)to - MEMORY_PAGE, MEMORY_PAGE))
        to -= MEMORY_PAGE; /* what stands behind the room */
    if (codec_room.p && to > from && all_zero((const char *)from, to - from))
        (void)madvise((void *)from, to - from, MADV_DONTNEED);
    codec_room.p = NULL;
    codec_room.wanted = false;
}

/* What malloc says: a schema is a thousand small pieces, and a size before each would be an eighth of them. */
static int mem_size(void *p)
{
    return (int)malloc_usable_size(p);
}

static void mem_give(void *p)
{
    if (!p)
        return;
    if (p == codec_room.p)
        codec_room.p = NULL;
    explicit_bzero(p, (size_t)mem_size(p));
    free(p);
}

static void *mem_resize(void *p, int n)
{
    void *q = mem_take(n);
    int had = mem_size(p);

    if (!q)
        return NULL;
    memcpy(q, p, (size_t)(had < n ? had : n));
    mem_give(p);
    return q;
}

static int mem_round(int n)
{
    return (n + 7) & ~7;
}

static int mem_init(void *arg)
{
    (void)arg;
    return SQLITE_OK;
}

static void mem_shutdown(void *arg)
{
    (void)arg;
}

static pthread_once_t init_once = PTHREAD_ONCE_INIT;
static int init_result = E_BUG;

static void init(void)
{
    static const sqlite3_mem_methods methods = {
        .xMalloc = mem_take,
        .xFree = mem_give,
        .xRealloc = mem_resize,
        .xSize = mem_size,
        .xRoundup = mem_round,
        .xInit = mem_init,
        .xShutdown = mem_shutdown,
    };

    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) != SQLITE_OK ||
        sqlite3_config(SQLITE_CONFIG_MULTITHREAD) != SQLITE_OK ||
        sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) != SQLITE_OK || sqlite3_initialize() != SQLITE_OK)
        init_result = E_BUG; /* someone used SQLite before us */
    else if ((init_result = page_cipher_register()) == 0)
        init_result = wal_gather_register();
}

int db_init(void)
{
    pthread_once(&init_once, init);
    return init_result;
}

/* ---- errors ---- */

int db_error_from_sqlite(int code)
{
    static const struct {
        int code, e;
    } rows[] = {
        { SQLITE_OK, 0 },
        { SQLITE_ROW, 0 },
        { SQLITE_DONE, 0 },
        { SQLITE_CONSTRAINT_UNIQUE, E_EXISTS },
        { SQLITE_CONSTRAINT_PRIMARYKEY, E_EXISTS },
        { SQLITE_CONSTRAINT_ROWID, E_EXISTS },
        { SQLITE_CONSTRAINT_FOREIGNKEY, E_NOTFOUND },
        { SQLITE_IOERR_NOMEM, E_NOMEM },
        { SQLITE_CONSTRAINT, E_RANGE },
        { SQLITE_FULL, E_FULL },
        { SQLITE_BUSY, E_BUSY },
        { SQLITE_LOCKED, E_BUSY },
        { SQLITE_PROTOCOL, E_BUSY },
        { SQLITE_SCHEMA, E_BUSY },
        { SQLITE_NOMEM, E_NOMEM },
        { SQLITE_NOTADB, E_CORRUPT },
        { SQLITE_CORRUPT, E_CORRUPT },
        { SQLITE_IOERR, E_IO },
        { SQLITE_CANTOPEN, E_IO },
        { SQLITE_READONLY, E_DENIED },
        { SQLITE_PERM, E_DENIED },
        { SQLITE_AUTH, E_DENIED },
        { SQLITE_TOOBIG, E_TOO_BIG },
        { SQLITE_INTERRUPT, E_CANCELED },
        { SQLITE_ABORT, E_CANCELED },
        { SQLITE_RANGE, E_BUG },
    };

    for (int round = 0; round < 2; round++) /* the extended code, then its class */
        for (size_t i = 0; i < ARRAY_LEN(rows); i++)
            if (rows[i].code == (round ? code & 0xff : code))
                return rows[i].e;
    return E_BUG;
}

void db_error_note(struct db_error *err, sqlite3 *s, int code, const char *sql)
{
    int class = code & 0xff;
    /* SQLite's message may quote a value (FTS5 quotes the query), so it is kept only where it names
     * parts of our own schema. */
    bool own_words = s && (class == SQLITE_CONSTRAINT || class == SQLITE_SCHEMA);

    err->code = code;
    err->sql = sql;
    snprintf(err->text, sizeof err->text, "%s", own_words ? sqlite3_errmsg(s) : sqlite3_errstr(code));
}

int db_fail(struct db *db, int code, const char *sql)
{
    int extended = sqlite3_extended_errcode(db->s), e;

    if ((extended & 0xff) == (code & 0xff))
        code = extended;
    db_error_note(&db->error, db->s, code, sql);
    e = db_error_from_sqlite(code);
    if (e == E_IO && (sqlite3_system_errno(db->s) == ENOSPC || sqlite3_system_errno(db->s) == EDQUOT))
        e = E_FULL; /* a -shm that cannot grow says I/O error */
    if (e == E_DENIED && !(db->flags & DB_READONLY))
        e = E_IO; /* a disk that was remounted, a wrong owner: the operator's to mend, so "try later" */
    return e;
}

int db_fail_other(struct db *db, int e, const char *doing)
{
    db->error.code = 0;
    db->error.sql = doing;
    snprintf(db->error.text, sizeof db->error.text, "%s", error_text(e));
    return e;
}

const struct db_error *db_error_detail(const struct db *db)
{
    return &db->error;
}

/* ---- opening ---- */

int db_exec_literal(struct db *db, const char *sql)
{
    int r = page_cipher_thread_ready(), rc;

    if (r < 0)
        return db_fail_other(db, r, sql);
    rc = sqlite3_exec(db->s, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : db_fail(db, rc, sql);
}

/* The only place that sets a key. SQLite3MultipleCiphers takes an empty key for "no encryption" and
 * a raw key of another length for a passphrase, silently: here the length is a constant, and the
 * codec is asked afterwards whether it is there. */
static int set_key(struct db *db, const uint8_t key[DB_KEY_BYTES])
{
    static const char doing[] = "set the key";
    char raw[4 + DB_KEY_BYTES] = { 'r', 'a', 'w', ':' };
    unsigned char *salt;
    int rc;

    _Static_assert(DB_KEY_BYTES == PAGE_KEY_BYTES, "a raw key of this cipher");
    memcpy(raw + 4, key, DB_KEY_BYTES);
    codec_room.wanted = true;
    rc = sqlite3_key(db->s, raw, sizeof raw);
    explicit_bzero(raw, sizeof raw);
    codec_room_give();
    if (rc != SQLITE_OK)
        return db_fail(db, rc, doing);
    if (!(reserve =
              malloc(SALT_BYTES))) /* the salt is written whether there was memory for it or not: see above */
        return db_fail_other(db, E_NOMEM, doing);
    salt = sqlite3mc_codec_data(db->s, "main", "cipher_salt");
    free(reserve);
    reserve = NULL;
    if (!salt)
        return db_fail_other(db, E_BUG, doing);
    sqlite3_free(salt);
    return 0;
}

static int count_wal(void *ctx, sqlite3 *s UNUSED, const char *name UNUSED, int frames)
{
    struct db *db = ctx;

    db->wal_frames = frames > 0 ? (uint32_t)frames : 0;
    return SQLITE_OK;
}

uint32_t db_wal_frames(const struct db *db)
{
    return db->wal_frames;
}

uint32_t db_pages_written(struct db *db)
{
    int n = 0, ignored = 0;

    return sqlite3_db_status(db->s, SQLITE_DBSTATUS_CACHE_WRITE, &n, &ignored, 0) == SQLITE_OK ? (uint32_t)n
                                                                                               : 0;
}

int db_cache_flush(struct db *db)
{
    int rc = sqlite3_db_cacheflush(db->s);

    return rc == SQLITE_OK || rc == SQLITE_BUSY ? 0 : db_fail(db, rc, "write the cache");
}

static int set_limits(struct db *db, uint32_t flags)
{
    static const struct {
        int op, on;
    } config[] = {
        { SQLITE_DBCONFIG_DEFENSIVE, 1 },   { SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
        { SQLITE_DBCONFIG_ENABLE_FKEY, 1 }, { SQLITE_DBCONFIG_DQS_DML, 0 },
        { SQLITE_DBCONFIG_DQS_DDL, 0 },     { SQLITE_DBCONFIG_WRITABLE_SCHEMA, 0 },
        { SQLITE_DBCONFIG_ENABLE_QPSG, 1 }, /* else "LIMIT ?" is planned anew for every number that is bound */
    };
    int rc = SQLITE_OK;

    for (size_t i = 0; i < ARRAY_LEN(config) && rc == SQLITE_OK; i++)
        rc = sqlite3_db_config(db->s, config[i].op, config[i].on, NULL);
    if (rc == SQLITE_OK && (flags & DB_OWN_CHECKPOINTS))
        rc = sqlite3_db_config(db->s, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (rc == SQLITE_OK && (flags & DB_OWN_CHECKPOINTS))
        rc = sqlite3_wal_autocheckpoint(db->s, 0);
    if (rc == SQLITE_OK && (flags & DB_COUNT_WAL))
        sqlite3_wal_hook(db->s, count_wal, db); /* in the place of SQLite's own, which checkpoints */
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(db->s, DB_BUSY_MS);
    return rc == SQLITE_OK ? 0 : db_fail(db, rc, "configure the connection");
}

static const char *cache_pragma(uint32_t kib)
{
    static const struct {
        uint32_t kib;
        const char *sql;
    } sizes[] = {
        { 65536, "PRAGMA cache_size=-65536" }, { 32768, "PRAGMA cache_size=-32768" },
        { 16384, "PRAGMA cache_size=-16384" }, { 8192, "PRAGMA cache_size=-8192" },
        { 4096, "PRAGMA cache_size=-4096" },   { 2048, "PRAGMA cache_size=-2048" },
        { 1024, "PRAGMA cache_size=-1024" },   { 512, "PRAGMA cache_size=-512" },
        { 256, "PRAGMA cache_size=-256" },     { 128, "PRAGMA cache_size=-128" },
    };

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        if ((kib ? kib : CACHE_KIB_DEFAULT) >= sizes[i].kib)
            return sizes[i].sql;
    return "PRAGMA cache_size=-64";
}

/* auto_vacuum counts only before the first table, and is for a new file alone: on any other it would
 * write a page, and cost two syncs, at every open. */
static int set_up_new_file(struct db *db)
{
    int64_t pages = 0;
    int r = db_get_i64(db, "PRAGMA page_count", &pages); /* reads page 1: here a wrong key shows */

    return r < 0 || pages > 0 || (db->flags & DB_PASSING)
               ? r
               : db_exec_literal(db, "PRAGMA auto_vacuum=INCREMENTAL");
}

static int take_mode(void *ctx, int n, char **values, char **names UNUSED)
{
    *(bool *)ctx |= n == 1 && values[0] && strcmp(values[0], "wal") == 0;
    return 0;
}

/* The answer is the mode that the file is in then. */
static int set_wal(struct db *db)
{
    static const char sql[] = "PRAGMA journal_mode=WAL";
    bool wal = false;
    int r = page_cipher_thread_ready(), rc;

    if (r < 0)
        return db_fail_other(db, r, sql);
    if ((rc = sqlite3_exec(db->s, sql, take_mode, &wal, NULL)) != SQLITE_OK)
        return db_fail(db, rc, sql);
    return wal ? 0 : db_fail_other(db, E_IO, "set WAL mode");
}

static int set_pragmas(struct db *db, const struct db_options *opt)
{
    static const char always[] =
        "PRAGMA temp_store=MEMORY; PRAGMA cell_size_check=ON; PRAGMA secure_delete=ON";
    static const char passing[] = "PRAGMA secure_delete=FAST";
    bool normal = (opt->flags & DB_SYNC_NORMAL) != 0;
    int r;

    if ((r = db_exec_literal(db, always)) < 0 || (r = db_exec_literal(db, cache_pragma(opt->cache_kib))) < 0)
        return r;
    if ((opt->flags & DB_PASSING) && (r = db_exec_literal(db, passing)) < 0)
        return r;
    if (!(opt->flags & DB_READONLY) &&
        ((r = set_up_new_file(db)) < 0 || (r = set_wal(db)) < 0 ||
         (r = db_exec_literal(db, "PRAGMA journal_size_limit=4194304")) < 0 ||
         (r = db_exec_literal(db, normal ? "PRAGMA synchronous=NORMAL" : "PRAGMA synchronous=FULL")) < 0))
        return r;
    return db_exec_literal(db, "SELECT count(*) FROM sqlite_schema");
}

/* Make the empty file ourselves: SQLite would give it 0644, and would not sync the folder. */
static int create_file(const char *path)
{
    CLEANUP(fd_close)
    int fd = file_ops()->openat(AT_FDCWD, path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0 && (errno == EACCES || errno == EPERM))
        return E_IO; /* see db_fail */
    if (fd < 0)
        return errno == EEXIST ? 0 : error_from_errno(errno);
    return file_sync_folder_of(AT_FDCWD, path);
}

static struct db *db_new(const char *path, const struct db_options *opt)
{
    size_t n = strlen(path) + 1;
    struct db *db = calloc(1, sizeof *db + n);

    if (!db)
        return NULL;
    memcpy(db->path, path, n);
    db->flags = opt->flags;
    db->stmts_max = opt->statements ? opt->statements : STATEMENTS_KEPT;
    db->error.sql = "";
    return db;
}

static void db_free(struct db *db)
{
    while (db->stmts) {
        struct stmt *st = db->stmts;

        assert(!st->busy); /* a statement in use would outlive its connection */
        db->stmts = st->next;
        sqlite3_finalize(st->s);
        free(st);
    }
    if (sqlite3_close(db->s) != SQLITE_OK)
        abort(); /* only with unfinished statements or blobs: ours to fix */
    free(db);
}

static int open_connection(struct db *db, const struct db_options *opt)
{
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOFOLLOW |
                (opt->flags & DB_READONLY ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE);
    /* Whoever gathers must sync at every commit. */
    bool gather = !(opt->flags & (DB_READONLY | DB_SYNC_NORMAL));
    const char *vfs = opt->vfs ? opt->vfs : gather ? WAL_GATHER_VFS : WAL_TOLD_VFS;
    int rc;

    if (!reserve_take())
        return db_fail_other(db, E_NOMEM, "open the database");
    rc = sqlite3_open_v2(db->path, &db->s, flags, vfs);
    reserve_give();
    if (rc != SQLITE_OK)
        return (rc & 0xff) == SQLITE_CANTOPEN && access(db->path, F_OK) < 0 && errno == ENOENT
                   ? db_fail_other(db, E_NOTFOUND, "open the database")
                   : db_fail(db, rc, "open the database");
    db->file = true;
    return 0;
}

int db_open(const char *path, const uint8_t key[DB_KEY_BYTES], const struct db_options *opt,
            struct db **db_out)
{
    struct db *db = NULL;
    int r = db_init();

    if (r < 0)
        return r;
    if (!(db = db_new(path, opt)))
        return E_NOMEM;
    /* SQLite reads "file:..." as a URI with parameters, keys among them. */
    if (str_istarts(str_from(path), STR("file:")) || !path[0])
        r = db_fail_other(db, E_SYNTAX, "open the database");
    else if (opt->flags & DB_CREATE && (r = create_file(path)) < 0)
        db_fail_other(db, r, "create the database file");
    if (r < 0 || (r = open_connection(db, opt)) < 0 || (r = set_limits(db, opt->flags)) < 0 ||
        (r = set_key(db, key)) < 0 || (r = set_pragmas(db, opt)) < 0) {
        if (opt->error)
            *opt->error = db->error;
        db_free(db);
        return r;
    }
    *db_out = db;
    return 0;
}

static int set_up_portable(struct db *db, struct str passphrase)
{
    static const char pragmas[] =
        "PRAGMA temp_store=MEMORY; PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL";
    int rc, r = set_limits(db, 0);

    if (r < 0)
        return r;
    sqlite3mc_config(db->s, "cipher", sqlite3mc_cipher_index("chacha20"));
    rc = sqlite3_key(db->s, passphrase.p, (int)passphrase.n);
    if (rc != SQLITE_OK)
        return db_fail(db, rc, "set the passphrase");
    if ((r = db_exec_literal(db, cache_pragma(2048))) < 0)
        return r;
    return db_exec_literal(db, db->flags & DB_READONLY ? "PRAGMA temp_store=MEMORY" : pragmas);
}

static int open_portable(const char *path, struct str passphrase, uint32_t flags, struct db **db_out)
{
    const struct db_options opt = { .flags = flags };
    struct db *db = db_new(path, &opt);
    int r;

    if (!db)
        return E_NOMEM;
    if ((r = open_connection(db, &opt)) < 0 || (r = set_up_portable(db, passphrase)) < 0 ||
        (!(flags & DB_READONLY) && (r = file_sync_folder_of(AT_FDCWD, path)) < 0) ||
        (r = db_exec_literal(db, "SELECT count(*) FROM sqlite_schema")) < 0) {
        db_free(db);
        return r;
    }
    *db_out = db;
    return 0;
}

int db_create_portable(const char *path, struct str passphrase, struct db **db_out)
{
    int r, fd;

    if ((r = db_passphrase_check(passphrase)) < 0 || (r = db_init()) < 0)
        return r;
    fd = file_ops()->openat(AT_FDCWD, path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_from_errno(errno);
    fd_close(&fd);
    if ((r = open_portable(path, passphrase, 0, db_out)) < 0)
        file_ops()->unlinkat(AT_FDCWD, path);
    return r;
}

int db_open_portable(const char *path, struct str passphrase, struct db **db_out)
{
    int r;

    return (r = db_passphrase_check(passphrase)) < 0 || (r = db_init()) < 0
               ? r
               : open_portable(path, passphrase, 0, db_out);
}

int db_read_portable(const char *path, struct str passphrase, struct db **db_out)
{
    int r;

    return (r = db_passphrase_check(passphrase)) < 0 || (r = db_init()) < 0
               ? r
               : open_portable(path, passphrase, DB_READONLY, db_out);
}

int db_open_memory(struct db **db_out)
{
    static const struct db_options opt = { 0 };
    struct db *db = NULL;
    int r = db_init();

    if (r < 0)
        return r;
    if (!(db = db_new(":memory:", &opt)))
        return E_NOMEM;
    if (sqlite3_open_v2(db->path, &db->s, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                        NULL) != SQLITE_OK ||
        (r = set_limits(db, 0)) < 0 || (r = db_exec_literal(db, "PRAGMA temp_store=MEMORY")) < 0) {
        r = r < 0 ? r : E_NOMEM;
        db_free(db);
        return r;
    }
    *db_out = db;
    return 0;
}

int db_close(struct db **dbp)
{
    struct db *db = *dbp;
    int r = 0;

    if (!db)
        return 0;
    *dbp = NULL;
    if (db->file && !(db->flags & (DB_READONLY | DB_OWN_CHECKPOINTS))) {
        /* The last handle's close checkpoints too, but cannot say that it failed. Another handle
         * that is still reading makes this E_BUSY, which is no failure: the last one will do it. */
        r = db_checkpoint(db, DB_PASSIVE, NULL);
        r = r == E_BUSY ? 0 : r;
    }
    db_free(db);
    return r;
}

void db_busy_ms(struct db *db, int ms)
{
    sqlite3_busy_timeout(db->s, ms);
}

size_t db_cache_bytes(struct db *db)
{
    int now = 0, peak = 0;

    return sqlite3_db_status(db->s, SQLITE_DBSTATUS_CACHE_USED, &now, &peak, 0) == SQLITE_OK && now > 0
               ? (size_t)now
               : 0;
}

void db_interrupt(struct db *db)
{
    sqlite3_interrupt(db->s);
}

struct sqlite3 *db_sqlite(struct db *db)
{
    return db->s;
}

const char *db_path(const struct db *db)
{
    return db->path;
}
