/* bench/store_modes.c: reading, sizes, memory, and a delivery among many. */
#include "bench/store_box.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/rand.h"
#include "lib/crypto/box.h"
#include "src/store/tempbox.h"
#include <fcntl.h>
#include <malloc.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH 200u

static uint32_t number(const char *text)
{
    uint32_t v = 0;

    if (!text || !str_to_u32(str_from(text), &v)) {
        fprintf(stderr, "store_bench: a number is wanted\n");
        exit(64);
    }
    return v;
}

static double cpu_us(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void fill_by(struct mailbox *box, struct letter *l, uint32_t nletters, uint32_t count, uint32_t group)
{
    for (uint32_t i = 0; i < count;) {
        must(mailbox_begin(box), "begin");
        mailbox_step_bare(box);
        for (uint32_t k = 0; k < group && i < count; k++, i++)
            must(store_box_append(box, &l[i % nletters], i + 1), "append");
        must(mailbox_commit(box), "commit");
        mailbox_changes_take(box, NULL, 0);
    }
}

static void fill(struct mailbox *box, struct letter *l, uint32_t nletters, uint32_t count)
{
    fill_by(box, l, nletters, count, BATCH);
}

static struct letter *letters(uint32_t n, uint32_t bytes)
{
    struct letter *l = calloc(n, sizeof *l);

    for (uint32_t i = 0; l && i < n; i++) {
        letter_make(&l[i], i, bytes);
        letter_parse(&l[i]);
    }
    if (!l)
        exit(1);
    return l;
}

static void letters_free(struct letter *l, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        letter_release(&l[i]);
    free(l);
}

/* ---- reading ------------------------------------------------------------------------------------ */

static uint64_t fetch_all(struct mailbox *box, uint32_t want)
{
    CLEANUP(buf_release) struct buf out = { .max = MIB(4) };
    CLEANUP(arena_release) struct arena a = { .max = MIB(1) };
    Store__SelectRequest s = STORE__SELECT_REQUEST__INIT;
    Store__SelectResponse folder = STORE__SELECT_RESPONSE__INIT;
    Store__FetchRequest q = STORE__FETCH_REQUEST__INIT;
    uint32_t all[2] = { 1, UINT32_MAX };
    uint64_t bytes = 0;
    struct fetch f;
    int r;

    s.name = str_pb(STR("INBOX"));
    s.read_only = true; /* claims nothing */
    must(mailbox_select(box, &a, &s, &folder), "select");
    q.folder_id = folder.folder->id;
    q.uid_ranges = all;
    q.n_uid_ranges = 2;
    q.want = want;
    must(fetch_init(&f, &q), "fetch");
    do {
        buf_clear(&out);
        r = must(mailbox_fetch(box, &f, KIB(256), &out), "fetch");
        bytes += out.n;
    } while (r > 0);
    fetch_release(&f);
    return bytes;
}

static uint64_t select_all(struct db *db)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    uint64_t bytes = 0;
    int r;

    must(stmt_get(db, "SELECT b FROM t", &st), "select");
    while ((r = must(stmt_step(st), "select")) > 0)
        bytes += stmt_str(st, 0).n;
    return bytes;
}

static struct db *bare_db(const char *folder, const struct letter *l, uint32_t nletters, uint32_t count)
{
    static const uint8_t key[DB_KEY_BYTES] = { 1 };
    struct db_options o = { .flags = DB_CREATE, .cache_kib = 256 };
    struct txn t = { 0 };
    struct db *db = NULL;
    char path[512];

    snprintf(path, sizeof path, "%s/select.sqlite", folder);
    must(db_open(path, key, &o, &db), path);
    must(txn_begin(&t, db), "begin");
    must(db_run(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, b BLOB)"), "create");
    for (uint32_t i = 0; i < count; i++) {
        CLEANUP(stmt_release) struct stmt *st = NULL;

        must(stmt_get(db, "INSERT INTO t(b) VALUES (?1)", &st), "insert");
        stmt_bind_blob(st, 1, buf_str(&l[i % nletters].bytes));
        must(stmt_run(st), "insert");
    }
    must(txn_commit(&t), "commit");
    must(db_checkpoint(db, DB_TRUNCATE, NULL), "checkpoint");
    return db;
}

/* Processor time, in turns: the files are in the page cache, so that is what reading costs. */
int mode_read(char **argv, int argc)
{
    uint32_t count = number(argv[1]), bytes = number(argc > 2 ? argv[2] : NULL),
             n = count < 200 ? count : 200;
    double best[3] = { 1e18, 1e18, 1e18 };
    uint64_t got[3] = { 0 };
    struct letter *l = letters(n, bytes);
    struct mailbox *box = store_box_open(argv[0], 0, MAILBOX_CREATE);
    struct db *db;

    fill(box, l, n, count);
    must(mailbox_close(&box), "close");
    box = store_box_open(argv[0], 0, MAILBOX_READER);
    db = bare_db(argv[0], l, n, count);
    for (int round = 0; round < 5; round++)
        for (int i = 0; i < 3; i++) {
            double began = cpu_us(), took;

            got[i] = i == 2 ? select_all(db) : fetch_all(box, i ? STORE__WANT__HEADER : STORE__WANT__BODY);
            took = cpu_us() - began;
            best[i] = took < best[i] ? took : best[i];
        }
    printf("{\"messages\":%u,\"bytes\":%u,\"bodies_us\":%.2f,\"headers_us\":%.2f,\"select_us\":%.2f,"
           "\"bodies_mb\":%.1f,\"headers_mb\":%.1f,\"select_mb\":%.1f}\n",
           count, bytes, best[0] / count, best[1] / count, best[2] / count, (double)got[0] / 1e6,
           (double)got[1] / 1e6, (double)got[2] / 1e6);
    must(mailbox_close(&box), "close");
    must(db_close(&db), "close");
    letters_free(l, n);
    return 0;
}

int mode_profile(char **argv, int argc)
{
    uint32_t count = number(argv[1]), bytes = number(argc > 2 ? argv[2] : NULL),
             n = count < 200 ? count : 200;
    uint32_t group = argc > 4 ? number(argv[4]) : BATCH;
    bool reading = argc > 3 && strcmp(argv[3], "read") == 0;
    struct letter *l = letters(n, bytes);
    struct mailbox *box = store_box_open(argv[0], 0, MAILBOX_CREATE);
    double began = cpu_us();

    fill_by(box, l, n, count, group);
    if (!reading)
        printf("{\"append_us\":%.1f}\n", (cpu_us() - began) / count);
    for (int i = 0; i < 10 && reading; i++)
        fetch_all(box, STORE__WANT__BODY);
    began = cpu_us();
    if (argc > 3 && strcmp(argv[3], "index") == 0) {
        store_box_index(box);
        printf("{\"index_us\":%.1f}\n", (cpu_us() - began) / count);
    }
    must(mailbox_close(&box), "close");
    letters_free(l, n);
    return 0;
}

/* ---- sizes -------------------------------------------------------------------------------------- */

static uint64_t on_disk(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
}

static int read_message(const char *path, struct letter *l)
{
    CLEANUP(buf_release) struct buf raw = { .max = MIB(32) };
    char last = 0;
    int r = file_read(AT_FDCWD, path, &raw);

    *l = (struct letter){ .bytes = { .max = MIB(64) },
                          .text = { .max = MIB(64) },
                          .structure = { .max = MIB(1) } };
    for (size_t i = 0; r >= 0 && i < raw.n; i++) { /* CRLF, as mail comes in */
        if (raw.p[i] == '\n' && last != '\r')
            r = buf_putc(&l->bytes, '\r');
        if (r >= 0)
            r = buf_putc(&l->bytes, last = raw.p[i]);
    }
    return r;
}

static uint64_t maildir_put(const char *folder, uint32_t i, const struct letter *l)
{
    char path[512];
    uint64_t bytes;
    int fd;

    snprintf(path, sizeof path, "%s/maildir-%u", folder, i);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, l->bytes.p, l->bytes.n) != (ssize_t)l->bytes.n || fsync(fd) < 0)
        must(E_IO, path);
    close(fd);
    bytes = on_disk(path);
    unlink(path);
    return bytes;
}

int mode_size(char **argv, int argc)
{
    struct mailbox *box = store_box_open(argv[0], 0, MAILBOX_CREATE);
    uint64_t files = 0, bytes = 0;
    char line[1024], path[512];
    FILE *names = fopen(argv[1], "re");
    uint32_t n = 0;

    (void)argc;
    if (!names)
        must(E_NOTFOUND, argv[1]);
    while (fgets(line, sizeof line, names)) {
        struct letter l;

        line[strcspn(line, "\n")] = '\0';
        if (read_message(line, &l) >= 0) {
            letter_parse(&l);
            must(mailbox_begin(box), "begin");
            must(store_box_append(box, &l, ++n), "append");
            must(mailbox_commit(box), "commit");
            bytes += l.bytes.n;
            files += maildir_put(argv[0], n, &l);
        }
        letter_release(&l);
    }
    fclose(names);
    store_box_index(box);
    must(mailbox_close(&box), "close");
    snprintf(path, sizeof path, "%s/box-0.sqlite", argv[0]);
    printf("{\"messages\":%u,\"bytes\":%llu,\"ours\":%llu,\"maildir\":%llu,\"ratio\":%.3f}\n", n,
           (unsigned long long)bytes, (unsigned long long)on_disk(path), (unsigned long long)files,
           (double)on_disk(path) / (double)(files ? files : 1));
    return 0;
}

/* ---- memory ------------------------------------------------------------------------------------- */

static uint64_t rss(void)
{
    CLEANUP(buf_release) struct buf b = { .max = KIB(4) };
    unsigned long long pages = 0;

    must(file_read(AT_FDCWD, "/proc/self/statm", &b), "statm");
    if (sscanf(buf_z(&b), "%*u %llu", &pages) != 1)
        must(E_IO, "statm");
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Where it is, of SQLite's: its own count for one handle. */
static int handle_bytes(struct mailbox *box, int what)
{
    int now = 0, high = 0;

    sqlite3_db_status(db_sqlite(mailbox_db(box)), what, &now, &high, 0);
    return now;
}

static void report_handle(const char *name, struct mailbox *box)
{
    fprintf(stderr, "%s: page cache %d, schema %d, statements %d\n", name,
            handle_bytes(box, SQLITE_DBSTATUS_CACHE_USED), handle_bytes(box, SQLITE_DBSTATUS_SCHEMA_USED),
            handle_bytes(box, SQLITE_DBSTATUS_STMT_USED));
}

/* Mailboxes of 1,000 letters of 4 KB, open as the store holds them: the writing handle, one reading handle,
 * after an append, a SELECT and a FETCH of everything. */
int mode_memory(char **argv, int argc)
{
    uint32_t n = number(argv[1]);
    struct mailbox **boxes = calloc(2 * (size_t)n, sizeof *boxes);
    struct letter *l = letters(100, 4096);
    uint64_t before, writers, both, shed;
    size_t pieces; /* what malloc gave and has not back: without the holes between */

    (void)argc;
    for (uint32_t i = 0; i < n; i++) {
        struct mailbox *box = store_box_open(argv[0], i, MAILBOX_CREATE);

        fill(box, l, 100, i ? 100 : 1000);
        must(mailbox_close(&box), "close");
    }
    before = rss();
    pieces = mallinfo2().uordblks;
    for (uint32_t i = 0; i < n; i++) {
        boxes[i] = store_box_open(argv[0], i, 0);
        fill(boxes[i], l, 100, 1);
    }
    writers = rss();
    for (uint32_t i = 0; i < n; i++) {
        boxes[n + i] = store_box_open(argv[0], i, MAILBOX_READER);
        fetch_all(boxes[n + i], STORE__WANT__HEADER);
    }
    both = rss();
    report_handle("writing handle", boxes[0]);
    report_handle("reading handle", boxes[n]);
    for (uint32_t i = 0; i < 2 * n; i++)
        db_shed(mailbox_db(boxes[i]));
    malloc_trim(0);
    shed = rss();
    printf("{\"mailboxes\":%u,\"writer_bytes\":%llu,\"reader_bytes\":%llu,\"bytes\":%llu,"
           "\"shed_bytes\":%llu,\"shed_malloc_bytes\":%zu}\n",
           n, (unsigned long long)((writers - before) / n), (unsigned long long)((both - writers) / n),
           (unsigned long long)((both - before) / n), (unsigned long long)((shed - before) / n),
           (mallinfo2().uordblks - pieces) / n);
    for (uint32_t i = 0; i < 2 * n; i++)
        must(mailbox_close(&boxes[i]), "close");
    free(boxes);
    letters_free(l, 100);
    return 0;
}

/* ---- files given back ----------------------------------------------------------------------------- */

static void status_of(struct mailbox *box, const char *name)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(1) };
    Store__FoldersRequest q = STORE__FOLDERS_REQUEST__INIT;
    Store__FoldersResponse out = STORE__FOLDERS_RESPONSE__INIT;

    q.name = str_pb(str_from(name));
    q.counts = true;
    must(mailbox_folders(box, &a, &q, &out), "status");
}

/* As a lane opens what was given back: the handle, and its count of commits, as it was noted. */
static struct mailbox *open_again(const char *folder, uint32_t i)
{
    struct mailbox *box = store_box_open(folder, i, MAILBOX_AGAIN | MAILBOX_COUNT_WAL);
    uint64_t commits;

    must(mailbox_commits(box, &commits), "commits");
    return box;
}

/* What a miss costs: processor of opening a mailbox's file again, of the first answer, of the next one, and of giving
 * the file back; and what it holds meanwhile. */
int mode_open(char **argv, int argc)
{
    enum { ROUNDS = 5, STEPS = 4 };
    uint32_t n = number(argv[1]);
    struct mailbox **boxes = calloc(n, sizeof *boxes);
    double best[STEPS] = { 1e18, 1e18, 1e18, 1e18 };
    uint64_t held = 0, resting = 0, before = 0, first = 0;
    size_t pieces = 0;

    (void)argc;
    for (uint32_t i = 0; i < n; i++) {
        boxes[i] = store_box_open(argv[0], i, MAILBOX_CREATE);
        must(mailbox_close(&boxes[i]), "close");
    }
    for (int round = 0; round < ROUNDS; round++)
        for (int step = 0; step < STEPS; step++) {
            double began = cpu_us(), took;

            before = step == 0 ? rss() : before;
            first = step == 0 && round == 0 ? before : first;
            pieces = step == 0 ? mallinfo2().uordblks : pieces;
            for (uint32_t i = 0; i < n; i++)
                if (step == 0)
                    boxes[i] = open_again(argv[0], i);
                else if (step < 3)
                    status_of(boxes[i], "Sent");
                else
                    must(mailbox_close(&boxes[i]), "close");
            took = cpu_us() - began;
            best[step] = took < best[step] ? took : best[step];
            if (step == 2 && round == 0) {
                held = rss() - before;
                report_handle("held", boxes[0]);
            }
            if (step == 2 && round + 1 == ROUNDS) {
                for (uint32_t i = 0; i < n; i++)
                    db_rest(mailbox_db(boxes[i]));
                malloc_trim(0);
                resting = rss() - first;
                pieces = mallinfo2().uordblks - pieces;
            }
        }
    printf("{\"mailboxes\":%u,\"open_us\":%.1f,\"first_us\":%.1f,\"next_us\":%.1f,\"close_us\":%.1f,"
           "\"bytes\":%llu,\"rest_bytes\":%llu,\"rest_malloc_bytes\":%zu}\n",
           n, best[0] / n, best[1] / n, best[2] / n, best[3] / n, (unsigned long long)(held / n),
           (unsigned long long)(resting / n), pieces / n);
    free(boxes);
    return 0;
}

/* ---- many ----------------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void touch(const struct files *f, const uint8_t id[MAILBOX_ID_LEN], enum files_kind kind)
{
    char path[FILES_PATH_MAX];
    int fd;

    files_path(id, kind, path);
    fd = openat(f->dir, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        must(E_IO, path);
    close(fd);
}

/* One delivery as the store makes it for a closed mailbox that has no mail waiting: its folder is searched,
 * a temporary mailbox made, the letter sealed into it, committed and synced. */
static double deliver(const struct files *f, const uint8_t id[MAILBOX_ID_LEN], const struct tempbox_keys *k,
                      const uint8_t *pk, const struct letter *l)
{
    struct temp_record rec = { .received_ms = clock_wall_ms() };
    struct tempbox *t = NULL;
    struct bytes_mem m;
    double began = cpu_us(), took;

    rand_bytes(rec.operation, sizeof rec.operation);
    must(tempbox_open(f, id, k, true, &t), "open");
    must(tempbox_begin(t), "begin");
    must(tempbox_add(t, pk, 1, &rec, bytes_mem_init(&m, buf_str(&l->bytes))), "seal");
    must(tempbox_commit(t), "commit");
    took = cpu_us() - began;
    must(tempbox_close(&t), "close");
    return took;
}

/* The other mailboxes are names only: what a delivery must not depend on is how many there are. */
int mode_folders(char **argv, int argc)
{
    enum { TRIES = 101 };
    struct tempbox_keys keys = { .outer = { 1 }, .chain = { 2 } };
    uint8_t seed[XWING_SEED_BYTES], pk[XWING_PUBLIC_BYTES], id[MAILBOX_ID_LEN];
    struct letter *l = letters(1, 10240);
    uint32_t n = number(argv[1]);
    double took[TRIES];
    char prefix[512];
    struct files f;

    (void)argc;
    snprintf(prefix, sizeof prefix, "%s/", argv[0]);
    f = (struct files){ .dir = open(argv[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC), .prefix = prefix };
    must(crypto_init(), "crypto");
    must(xwing_keypair(seed, pk), "a key pair");
    for (uint32_t i = 0; i < n; i++) {
        rand_bytes(id, sizeof id);
        must(files_folder(&f, id), "a folder");
        touch(&f, id, FILES_MAILBOX);
        touch(&f, id, FILES_KEYS);
    }
    for (int i = 0; i < TRIES; i++) {
        rand_bytes(id, sizeof id);
        must(files_folder(&f, id), "a folder");
        took[i] = deliver(&f, id, &keys, pk, l);
    }
    qsort(took, TRIES, sizeof took[0], by_value);
    printf("{\"mailboxes\":%u,\"cpu_us\":%.0f,\"p90_us\":%.0f}\n", n, took[TRIES / 2], took[TRIES * 9 / 10]);
    letters_free(l, 1);
    close(f.dir);
    return 0;
}
