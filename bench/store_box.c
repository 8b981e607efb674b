#include "bench/store_box.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if __has_include("src/store/index.h")
#include "src/store/index.h"
#define HAVE_INDEX 1
#endif

#define WAL_FRAMES_MAX 10000u /* as checkpoint.c */

static const uint8_t key[DB_KEY_BYTES] = "thirty-two bytes of a bench key";

const uint8_t *store_box_key(void)
{
    return key;
}

struct mailbox *store_box_open(const char *folder, uint32_t box, uint32_t flags)
{
    struct mailbox_options o = { .flags = flags, .cache_kib = flags & MAILBOX_READER ? 256 : 1024 };
    struct mailbox_meta meta = { .generation = 1 };
    struct mailbox *m = NULL;
    char path[512];

    snprintf(path, sizeof path, "%s/box-%u.sqlite", folder, box);
    memcpy(meta.id, &box, sizeof box);
    must(mailbox_open(path, key, &o, &meta, &m), path);
    return m;
}

static int append(struct mailbox *box, const struct letter *l, uint64_t number,
                  const struct email_ready *ready)
{
    char ids[4][64];
    struct bytes_mem message, text;
    struct str references[3];
    struct email_in e = {
        .message = bytes_mem_init(&message, buf_str(&l->bytes)),
        .text = bytes_mem_init(&text, buf_str(&l->text)),
        .header_bytes = l->header_bytes,
        .text_header_bytes = l->text_header_bytes,
        .structure = buf_str(&l->structure),
        .has_sent = true,
        .sent_ms = l->sent_ms,
        .references = references,
        .nreferences = number % 4,
        .ready = ready,
    };
    struct placement at = { .folder = STR("INBOX"), .internal_ms = clock_wall_ms() };
    Store__AppendResponse out = STORE__APPEND_RESPONSE__INIT;

    for (uint64_t i = 0; i <= number % 4; i++)
        snprintf(ids[i], sizeof ids[i], "%llx.%u@bench.example",
                 (unsigned long long)(number - number % 4 + i), 7u);
    for (size_t i = 0; i < e.nreferences; i++)
        references[i] = str_from(ids[i]);
    e.message_id = str_from(ids[number % 4]);
    return mailbox_append(box, &e, &at, &out);
}

int store_box_append(struct mailbox *box, const struct letter *l, uint64_t number)
{
    return append(box, l, number, NULL);
}

static void *box_prepare(const struct letter *l)
{
    struct email_ready *y = calloc(1, sizeof *y);
    struct bytes_mem message, text;
    struct email_in e = {
        .message = bytes_mem_init(&message, buf_str(&l->bytes)),
        .text = bytes_mem_init(&text, buf_str(&l->text)),
        .header_bytes = l->header_bytes,
        .text_header_bytes = l->text_header_bytes,
        .structure = buf_str(&l->structure),
    };

    must(y ? email_prepare(&e, y) : E_NOMEM, "prepare");
    return y;
}

static void box_release(void *ready)
{
    email_ready_release(ready);
    free(ready);
}

static void *box_open(const char *folder, uint32_t box)
{
    return store_box_open(folder, box, MAILBOX_CREATE | MAILBOX_COUNT_WAL);
}

static uint32_t box_frames(void *box)
{
    return mailbox_wal_frames(box);
}

static void box_move(void *box)
{
    struct db_options o = { .flags = DB_OWN_CHECKPOINTS, .cache_kib = 128, .statements = 4 };
    struct db *db = NULL;

    must(db_open(db_path(mailbox_db(box)), key, &o, &db), "open");
    must(db_checkpoint(db, DB_PASSIVE, NULL), "checkpoint");
    db_close(&db);
}

static int box_begin(void *box)
{
    uint32_t left;
    int r = mailbox_wal_frames(box) < WAL_FRAMES_MAX ? 0 : mailbox_checkpoint(box, &left);

    return r < 0 && r != E_BUSY ? r : mailbox_begin(box);
}

/* As actor.c does. */
static int box_step(void *box, const struct letter *l, uint64_t number, void *ready)
{
    mailbox_step_bare(box);
    return append(box, l, number, ready);
}

static int box_commit(void *box)
{
    int r = mailbox_commit(box);

    mailbox_changes_take(box, NULL, 0);
    return r;
}

static void box_close(void *box)
{
    struct mailbox *m = box;

    must(mailbox_close(&m), "close");
}

#ifdef HAVE_INDEX
static int box_behind(void *box)
{
    int n;

    must(mailbox_begin(box), "begin");
    n = must(mailbox_index_step(box, 1000), "index");
    must(box_commit(box), "commit");
    return n;
}
#endif

void store_box_index(struct mailbox *box)
{
#ifdef HAVE_INDEX
    while (box_behind(box) > 0)
        ;
#else
    (void)box;
#endif
}

const struct append_ops store_box_ops = {
    .open = box_open,
    .prepare = box_prepare,
    .release = box_release,
    .begin = box_begin,
    .step = box_step,
    .commit = box_commit,
#ifdef HAVE_INDEX
    .behind = box_behind,
#endif
    .frames = box_frames,
    .move = box_move,
    .close = box_close,
};
