/* bench/store_pages.c: which b-trees the pages of a commit belong to. The -wal's frames name their pages in
 * the clear, and SQLite's dbstat says whose they are. */
#include "bench/store_box.h"
#include "lib/base/hex.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAL_HEADER    32u
#define FRAME_HEADER  24u
#define PAGE          4096u
#define COMMITS       100u
#define OWNERS        128u
#define BEFORE_COMMIT 500u

struct owner {
    char name[64];
    uint32_t pages;
};

struct tally {
    int wal;
    off_t at;
    uint32_t *written, n, room; /* page numbers, one by one as they were written */
    struct owner owners[OWNERS];
    size_t nowners;
};

static uint32_t number(const char *text)
{
    uint32_t v = 0;

    if (!text || !str_to_u32(str_from(text), &v) || !v) {
        fprintf(stderr, "store_bench: a number is wanted\n");
        exit(64);
    }
    return v;
}

static void frames_take(struct tally *t)
{
    uint8_t head[FRAME_HEADER];

    for (; pread(t->wal, head, sizeof head, t->at) == (ssize_t)sizeof head; t->at += FRAME_HEADER + PAGE) {
        if (t->n == t->room) {
            t->room = t->room ? t->room * 2 : 4096;
            if (!(t->written = realloc(t->written, t->room * sizeof *t->written)))
                exit(1);
        }
        t->written[t->n++] =
            (uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | head[3];
    }
}

static struct owner *owner_of(struct tally *t, const char *name)
{
    for (size_t i = 0; i < t->nowners; i++)
        if (strcmp(t->owners[i].name, name) == 0)
            return &t->owners[i];
    if (t->nowners == OWNERS)
        exit(1);
    snprintf(t->owners[t->nowners].name, sizeof t->owners[0].name, "%s", name);
    return &t->owners[t->nowners++];
}

static void owners_count(struct tally *t, struct db *db)
{
    for (uint32_t i = 0; i < t->n; i++) {
        CLEANUP(stmt_release) struct stmt *st = NULL;
        char name[64] = "(map, free)";

        must(
            stmt_get(
                db,
                "SELECT name || CASE pagetype WHEN 'overflow' THEN ', overflow' ELSE '' END FROM page_owner WHERE pageno = ?1",
                &st),
            "page_owner");
        stmt_bind_u64(st, 1, t->written[i]);
        if (must(stmt_step(st), "page_owner") > 0)
            snprintf(name, sizeof name, "%.*s", (int)stmt_str(st, 0).n, stmt_str(st, 0).p);
        owner_of(t, t->written[i] == 1 ? "(page 1)" : name)->pages++;
    }
}

static int by_pages(const void *a, const void *b)
{
    const struct owner *x = a, *y = b;

    return (x->pages < y->pages) - (x->pages > y->pages);
}

static void append(struct mailbox *box, struct letter *l, uint32_t nletters, uint32_t first, uint32_t count)
{
    must(mailbox_begin(box), "begin");
    mailbox_step_bare(box);
    for (uint32_t i = 0; i < count; i++)
        must(store_box_append(box, &l[(first + i) % nletters], first + i + 1), "append");
    must(mailbox_commit(box), "commit");
    mailbox_changes_take(box, NULL, 0);
}

/* FOLDER MESSAGES BYTES GROUP: so many messages are there already, and so many share a commit. */
int mode_pages(char **argv, int argc)
{
    uint32_t count = number(argv[1]), bytes = number(argc > 2 ? argv[2] : NULL),
             group = number(argc > 3 ? argv[3] : NULL), n = 0;
    struct mailbox *box = store_box_open(argv[0], 0, MAILBOX_CREATE | MAILBOX_COUNT_WAL);
    struct letter l[200];
    struct tally t = { 0 };
    uint32_t left;
    char path[512];

    for (uint32_t i = 0; i < ARRAY_LEN(l); i++) {
        letter_make(&l[i], i, bytes);
        letter_parse(&l[i]);
    }
    for (; n < count; n += BEFORE_COMMIT)
        append(box, l, ARRAY_LEN(l), n, BEFORE_COMMIT);
    must(mailbox_checkpoint(box, &left), "checkpoint");
    snprintf(path, sizeof path, "%s/box-0.sqlite-wal", argv[0]);
    t.wal = open(path, O_RDONLY | O_CLOEXEC);
    t.at = WAL_HEADER;
    for (uint32_t i = 0; i < COMMITS; i++, n += group)
        append(box, l, ARRAY_LEN(l), n, group);
    frames_take(&t);
    must(db_run(mailbox_db(box), "CREATE TEMP TABLE page_owner AS SELECT pageno, name, pagetype FROM dbstat"),
         "dbstat");
    must(db_run(mailbox_db(box), "CREATE INDEX temp.page_owner_no ON page_owner (pageno)"), "dbstat");
    owners_count(&t, mailbox_db(box));
    qsort(t.owners, t.nowners, sizeof t.owners[0], by_pages);
    printf("%7.2f pages a commit of %u\n", (double)t.n / COMMITS, group);
    for (size_t i = 0; i < t.nowners; i++)
        printf("%7.2f %s\n", (double)t.owners[i].pages / COMMITS, t.owners[i].name);
    must(mailbox_close(&box), "close");
    close(t.wal);
    free(t.written);
    for (uint32_t i = 0; i < ARRAY_LEN(l); i++)
        letter_release(&l[i]);
    return 0;
}
