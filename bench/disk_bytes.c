/* disk_bytes FOLDER: every file below FOLDER as a message of its own, with CRLF for line ends, into one
 * new mailbox, as the store writes it; then how many bytes of disk each table takes, beside what Maildir
 * takes for the same messages (files in blocks of 4 KiB). WITHOUT_INDEX in the environment leaves the text
 * index out. Nothing here is about time but the processor's. */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/mime/structure.h"
#include "lib/mime/text.h"
#include "lib/mime/thread.h"
#include "src/store/index.h"
#include "src/store/mailbox_private.h"
#include "lib/base/file.h"
#include "lib/db/db_private.h"
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_MAX       MIB(64)
#define REFERENCES_MAX 100u
#define BLOCK          4096u

static struct mailbox *box;
static struct totals {
    uint64_t messages, bytes, maildir, text, parse_ns, append_ns, index_ns;
} total;

static void fail(const char *doing, int r)
{
    fprintf(stderr, "disk_bytes: %s: %s\n", doing, error_name(r));
    exit(1);
}

static uint64_t cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- what content says --------------------------------------------------------------------------- */

static int take_text(void *user, struct str text)
{
    return buf_puts(user, text);
}

struct parsed {
    struct arena arena;
    struct buf text, structure;
    struct str references[REFERENCES_MAX];
    struct mime_text scan;
};

static void parsed_release(struct parsed *p)
{
    mime_text_release(&p->scan);
    arena_release(&p->arena);
    buf_release(&p->text);
    buf_release(&p->structure);
}

static void parse(struct parsed *p, struct str message, struct email_in *e)
{
    struct mime_part *root = NULL;
    struct str all, id;
    int r;

    if ((r = mime_text_init(&p->scan, &p->arena, take_text, &p->text)) < 0 ||
        (r = mime_text_feed(&p->scan, message)) < 0 || (r = mime_text_finish(&p->scan, &root)) < 0 ||
        (r = mime_structure_pack(root, &p->arena, &p->structure)) < 0)
        fail("parse", r);
    e->structure = buf_str(&p->structure);
    e->header_bytes = root->body_start;
    e->text_header_bytes = p->scan.header_bytes;
    all = mime_text_references(&p->scan);
    e->references = p->references;
    while (e->nreferences < REFERENCES_MAX && mime_message_id_next(&all, &id))
        p->references[e->nreferences++] = id;
    if (!root->envelope)
        return;
    e->has_sent = root->envelope->has_sent;
    e->sent_ms = root->envelope->sent.ms;
    e->sent_zone_min = root->envelope->sent.zone_min;
    all = root->envelope->message_id;
    if (mime_message_id_next(&all, &id))
        e->message_id = id;
}

/* ---- messages ------------------------------------------------------------------------------------ */

static void append(struct str message)
{
    CLEANUP(parsed_release)
    struct parsed p = { .arena = { .max = MIB(4) },
                        .text = { .max = MIB(256) },
                        .structure = { .max = MIME_STRUCTURE_MAX } };
    struct placement at = { .folder = STR("INBOX"), .internal_ms = clock_wall_ms() };
    Store__AppendResponse out = STORE__APPEND_RESPONSE__INIT;
    struct bytes_mem m, text;
    struct email_in e = { .message = bytes_mem_init(&m, message) };
    uint64_t t0 = cpu_ns(), t1;
    int r;

    parse(&p, message, &e);
    e.text = bytes_mem_init(&text, buf_str(&p.text));
    t1 = cpu_ns();
    if ((r = mailbox_begin(box)) < 0 || (r = mailbox_append(box, &e, &at, &out)) < 0 ||
        (r = mailbox_commit(box)) < 0)
        fail("append", r);
    total.append_ns += cpu_ns() - t1;
    total.parse_ns += t1 - t0;
    total.messages++;
    total.bytes += message.n;
    total.text += p.text.n;
    total.maildir += (message.n + BLOCK - 1) / BLOCK * BLOCK;
}

/* What follows the deliveries: the index, and what care gives back of its free pages. */
static void index_all(void)
{
    uint64_t t0 = cpu_ns();
    int n = 1, r = 0;

    while (n > 0 && r == 0)
        if ((r = mailbox_begin(box)) == 0 && (r = n = mailbox_index_step(box, 1000)) >= 0)
            r = mailbox_commit(box);
    if (r < 0 || (r = db_shrink(mailbox_db(box), 0)) < 0)
        fail("index", r);
    total.index_ns = cpu_ns() - t0;
}

static int file_append(const char *path, const struct stat *st, int type, struct FTW *where)
{
    CLEANUP(buf_release) struct buf raw = { .max = FILE_MAX }, crlf = { .max = 2 * FILE_MAX };
    int r;

    (void)where;
    if (type != FTW_F || st->st_size == 0)
        return 0;
    if ((r = file_read(AT_FDCWD, path, &raw)) < 0)
        fail(path, r);
    for (size_t i = 0; i < raw.n && r == 0; i++) {
        if (raw.p[i] == '\n' && (i == 0 || raw.p[i - 1] != '\r'))
            r = buf_putc(&crlf, '\r');
        if (r == 0)
            r = buf_putc(&crlf, raw.p[i]);
    }
    if (r < 0)
        fail(path, r);
    append(buf_str(&crlf));
    return 0;
}

/* ---- where the pages are ------------------------------------------------------------------------- */

static int64_t number(const char *sql)
{
    int64_t n = 0;
    int r = db_get_i64(mailbox_db(box), sql, &n);

    if (r < 0)
        fail(sql, r);
    return n;
}

/* Each text once: the statement cache goes by address. */
static int table_drop(const char *sql)
{
    return sqlite3_exec(mailbox_db(box)->s, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : E_IO;
}

/* Pages of a table and its indexes: those that are free once it is gone. */
static void table_print(const char *name)
{
    char sql[200];
    int64_t before = number("PRAGMA freelist_count"), pages;

    snprintf(sql, sizeof sql, "DROP TABLE \"%s\"", name);
    if (table_drop(sql) < 0)
        return; /* a shadow table of one that is gone */
    pages = number("PRAGMA freelist_count") - before;
    printf("%-24s %10lld %8.1f\n", name, (long long)pages * BLOCK,
           (double)pages * BLOCK / (double)total.messages);
}

struct names {
    char name[64][64];
    size_t n;
};

static void tables_list(struct names *out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(mailbox_db(box),
                     "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB 'sqlite_*' "
                     "ORDER BY sql NOT GLOB 'CREATE VIRTUAL*', name",
                     &st);

    while (r >= 0 && (r = stmt_step(st)) > 0 && out->n < ARRAY_LEN(out->name)) {
        struct str s = stmt_str(st, 0);

        snprintf(out->name[out->n++], sizeof out->name[0], "%.*s", STR_ARG(s));
    }
    if (r < 0)
        fail("tables", r);
}

static void print(uint64_t file)
{
    static struct names names;
    double n = (double)total.messages;

    printf("messages %llu, bytes %llu (%.1f each), search text %.1f each\n",
           (unsigned long long)total.messages, (unsigned long long)total.bytes, (double)total.bytes / n,
           (double)total.text / n);
    printf("Maildir  %llu (%.1f each)\nmailbox  %llu (%.1f each), %.3f of Maildir, %.3f of the bytes\n",
           (unsigned long long)total.maildir, (double)total.maildir / n, (unsigned long long)file,
           (double)file / n, (double)file / (double)total.maildir, (double)file / (double)total.bytes);
    printf("processor: parse %.1f us, append %.1f us, index %.1f us each\n",
           (double)total.parse_ns / n / 1000, (double)total.append_ns / n / 1000,
           (double)total.index_ns / n / 1000);
    printf("%-24s %10s %8s\n", "table with its indexes", "bytes", "each");
    tables_list(&names);
    if (db_run(mailbox_db(box), "PRAGMA foreign_keys = OFF") < 0)
        return;
    for (size_t i = 0; i < names.n; i++)
        table_print(names.name[i]);
}

int main(int argc, char **argv)
{
    static const uint8_t key[DB_KEY_BYTES] = { 1 };
    char folder[] = "/tmp/letterlock-disk-bytes-XXXXXX", path[sizeof folder + 8];
    struct mailbox_options o = { .flags = MAILBOX_CREATE };
    struct mailbox_meta meta = { .generation = 1 };
    struct stat st;
    int r;

    if (argc != 2 || !mkdtemp(folder)) {
        fprintf(stderr, "usage: disk_bytes FOLDER\n");
        return 2;
    }
    snprintf(path, sizeof path, "%s/box", folder);
    if ((r = mailbox_open(path, key, &o, &meta, &box)) < 0)
        fail("open", r);
    if (nftw(argv[1], file_append, 16, FTW_PHYS) < 0)
        fail(argv[1], E_IO);
    if (total.messages == 0)
        fail("no messages", E_NOTFOUND);
    if (!getenv("WITHOUT_INDEX"))
        index_all();
    if ((r = db_checkpoint(mailbox_db(box), DB_TRUNCATE, NULL)) < 0 || stat(path, &st) < 0)
        fail("checkpoint", r);
    print((uint64_t)st.st_size);
    mailbox_close(&box);
    unlink(path);
    rmdir(folder);
    return 0;
}
