/* folder_bench DIR MESSAGES: a folder of so many messages in an encrypted file, and what the everyday
 * requests cost in it: SELECT, an append, a flag on one message, SYNC after each, QRESYNC of a client
 * that is one change behind; then SELECT again when every hundredth message is gone. Each on a handle
 * that was just opened, so nothing is in its cache. Prints JSON: medians in microseconds. The messages
 * share one small email: what is measured looks at rows of folders, never at letters. */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "src/store/mailbox.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 11u

static struct mailbox *box;
static uint64_t inbox;
static uint32_t uidnext;
static const char *dir;

static void must(int r, const char *what)
{
    if (r >= 0)
        return;
    fprintf(stderr, "%s: %s\n", what, error_name(r));
    exit(1);
}

static void open_box(uint32_t flags)
{
    static const uint8_t key[DB_KEY_BYTES] = { 9 };
    struct mailbox_options o = { .flags = flags, .cache_kib = 2048 };
    struct mailbox_meta m = { .generation = 1 };
    char path[512];

    mailbox_close(&box);
    snprintf(path, sizeof path, "%s/folder.sqlite", dir);
    must(mailbox_open(path, key, &o, &m, &box), "open");
}

static uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* ---- requests ---- */

static uint64_t modseq;

static void do_select(void)
{
    struct arena a = { .max = MIB(256) };
    Store__SelectRequest q = STORE__SELECT_REQUEST__INIT;
    Store__SelectResponse r = STORE__SELECT_RESPONSE__INIT;

    q.name = str_pb(STR("INBOX"));
    must(mailbox_select(box, &a, &q, &r), "select");
    inbox = r.folder->id;
    uidnext = r.folder->uidnext;
    modseq = r.folder->highest_modseq;
    arena_release(&a);
}

static void do_append(void)
{
    struct bytes_mem msg, text;
    struct email_in e = { .message = bytes_mem_init(&msg, STR("Subject: a\r\n\r\nsmall\r\n")),
                          .header_bytes = 14,
                          .text = bytes_mem_init(&text, STR("small")) };
    struct placement at = { .folder = STR("INBOX"), .internal_ms = clock_wall_ms() };
    Store__AppendResponse r = STORE__APPEND_RESPONSE__INIT;

    must(mailbox_begin(box), "begin");
    must(mailbox_append(box, &e, &at, &r), "append");
    must(mailbox_commit(box), "commit");
}

static void flag(uint32_t first, uint32_t last, uint32_t flags, Store__FlagStoreRequest__Mode mode)
{
    struct arena a = { .max = MIB(16) };
    Store__FlagStoreRequest q = STORE__FLAG_STORE_REQUEST__INIT;
    Store__FlagStoreResponse r = STORE__FLAG_STORE_RESPONSE__INIT;
    uint32_t range[2] = { first, last };

    q.folder_id = inbox;
    q.uid_ranges = range;
    q.n_uid_ranges = 2;
    q.mode = mode;
    q.flags = flags;
    must(mailbox_begin(box), "begin");
    must(mailbox_flag_store(box, &a, &q, &r), "flag");
    must(mailbox_commit(box), "commit");
    arena_release(&a);
}

static void do_flag(void)
{
    static uint32_t n;

    flag(uidnext / 2 + n, uidnext / 2 + n, STORE__FLAG__FLAGGED, STORE__FLAG_STORE_REQUEST__MODE__ADD);
    n++;
}

static void do_sync(void)
{
    struct arena a = { .max = MIB(256) };
    Store__SyncRequest q = STORE__SYNC_REQUEST__INIT;
    Store__SyncResponse r = STORE__SYNC_RESPONSE__INIT;

    q.folder_id = inbox;
    q.since_modseq = modseq - 1;
    must(mailbox_sync(box, &a, &q, false, &r), "sync");
    arena_release(&a);
}

/* What QRESYNC asks: what went, and the flags that changed. */
static void do_resync(void)
{
    struct arena a = { .max = MIB(256) };
    CLEANUP(buf_release) struct buf out = { .max = MIB(16) };
    Store__VanishedRequest v = STORE__VANISHED_REQUEST__INIT;
    Store__VanishedResponse r = STORE__VANISHED_RESPONSE__INIT;
    Store__FetchRequest q = STORE__FETCH_REQUEST__INIT;
    uint32_t all[2] = { 1, UINT32_MAX };
    struct fetch f;

    v.folder_id = q.folder_id = inbox;
    v.since_modseq = q.changed_since = modseq - 1;
    v.uid_ranges = q.uid_ranges = all;
    v.n_uid_ranges = q.n_uid_ranges = 2;
    must(mailbox_vanished(box, &a, &v, &r), "vanished");
    must(fetch_init(&f, &q), "fetch");
    must(mailbox_fetch(box, &f, KIB(192), &out), "fetch");
    fetch_release(&f);
    arena_release(&a);
}

static int by_size(const void *x, const void *y)
{
    uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;

    return (a > b) - (a < b);
}

static void measure(const char *name, void (*f)(void))
{
    uint64_t us[ROUNDS];

    for (size_t i = 0; i < ROUNDS; i++) {
        open_box(0);
        us[i] = now_us();
        f();
        us[i] = now_us() - us[i];
    }
    qsort(us, ROUNDS, sizeof us[0], by_size);
    printf(", \"%s_us\": %llu", name, (unsigned long long)us[ROUNDS / 2]);
}

/* ---- the folder ---- */

static void copy(uint32_t n)
{
    struct arena a = { .max = MIB(64) };
    Store__CopyRequest q = STORE__COPY_REQUEST__INIT;
    Store__CopyResponse r = STORE__COPY_RESPONSE__INIT;
    uint32_t range[2] = { 1, n };

    q.folder_id = inbox;
    q.uid_ranges = range;
    q.n_uid_ranges = 2;
    q.to = str_pb(STR("INBOX"));
    must(mailbox_begin(box), "begin");
    must(mailbox_copy(box, &a, &q, &r), "copy");
    must(mailbox_commit(box), "commit");
    arena_release(&a);
}

static void build(uint32_t messages)
{
    open_box(MAILBOX_CREATE);
    do_append();
    do_select();
    for (uint32_t have = 1; have < messages;) {
        uint32_t more = have < messages - have ? have : messages - have;

        more = more < 50000 ? more : 50000;
        copy(more);
        have += more;
    }
    do_select();
    flag(1, messages / 2, STORE__FLAG__SEEN, STORE__FLAG_STORE_REQUEST__MODE__ADD);
}

static void expunge_some(void)
{
    struct arena a = { .max = MIB(64) };
    Store__ExpungeRequest q = STORE__EXPUNGE_REQUEST__INIT;
    Store__ExpungeResponse r = STORE__EXPUNGE_RESPONSE__INIT;

    open_box(0);
    for (uint32_t uid = 100; uid < uidnext; uid += 100)
        flag(uid, uid, STORE__FLAG__DELETED, STORE__FLAG_STORE_REQUEST__MODE__ADD);
    q.folder_id = inbox;
    must(mailbox_begin(box), "begin");
    must(mailbox_expunge(box, &a, &q, &r), "expunge");
    must(mailbox_commit(box), "commit");
    arena_release(&a);
}

int main(int argc, char **argv)
{
    uint32_t messages = argc == 3 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
    struct rusage u;
    uint64_t from;

    if (!messages) {
        fprintf(stderr, "folder_bench DIR MESSAGES\n");
        return 2;
    }
    dir = argv[1];
    from = now_us();
    build(messages);
    printf("{ \"messages\": %u, \"build_s\": %.1f", messages, (double)(now_us() - from) / 1e6);
    measure("select", do_select);
    measure("append", do_append);
    measure("flag", do_flag);
    open_box(0);
    do_select();
    measure("sync", do_sync);
    measure("resync", do_resync);
    expunge_some();
    measure("select_gaps", do_select);
    getrusage(RUSAGE_SELF, &u);
    mailbox_close(&box);
    printf(", \"peak_rss\": %ld }\n", u.ru_maxrss * 1024);
    return 0;
}
