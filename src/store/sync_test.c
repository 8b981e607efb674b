/* Clients that keep what they know and ask SYNC now and then, late or early, within the change log and
 * beyond it, against what is there: always the same. And what a folder's row counts against its rows.
 * SEED repeats a run, SOAK makes it long. */
#include "src/store/mailbox_private.h"
#include "lib/base/test.h"
#include <stdlib.h>

#define UIDS    4000u
#define CLIENTS 4u

struct known {
    bool there;
    uint32_t flags, nkeywords;
};
struct client {
    uint64_t modseq;
    struct known v[UIDS];
};

static struct mailbox *box;
static uint64_t state;
static struct arena arena = { .max = MIB(64) };
static uint64_t inbox, trash;

static uint32_t roll(uint32_t n) /* xorshift: the seed repeats it */
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 20) % n;
}

static struct folder folder_now(uint64_t id)
{
    struct folder f = { 0 };

    CHECK(folder_by_id(box, id, &f) == 0);
    return f;
}

/* ---- what happens ----------------------------------------------------------------------------- */

static void do_append(void)
{
    static char *keywords[] = { (char *)(uintptr_t) "$One", (char *)(uintptr_t) "two" };
    struct bytes_mem msg, text;
    struct email_in e = { .message = bytes_mem_init(&msg, STR("A: b\r\n\r\nx")),
                          .header_bytes = 8,
                          .text = bytes_mem_init(&text, STR("")) };
    struct placement at = { .folder = STR("INBOX"),
                            .flags = roll(32),
                            .keywords = keywords,
                            .nkeywords = roll(3),
                            .internal_ms = 1 };
    Store__AppendResponse out = STORE__APPEND_RESPONSE__INIT;

    if (folder_now(inbox).uidnext < UIDS - 8)
        CHECK(mailbox_append(box, &e, &at, &out) == 0);
}

static void pick(uint32_t range[2])
{
    uint32_t next = folder_now(inbox).uidnext;

    range[0] = 1 + roll(next);
    range[1] = range[0] + roll(1 + roll(20));
}

static void do_flags(void)
{
    static char *keywords[] = { (char *)(uintptr_t) "$One", (char *)(uintptr_t) "three" };
    Store__FlagStoreRequest q = STORE__FLAG_STORE_REQUEST__INIT;
    Store__FlagStoreResponse r = STORE__FLAG_STORE_RESPONSE__INIT;
    uint32_t range[2];

    pick(range);
    q.folder_id = inbox;
    q.uid_ranges = range;
    q.n_uid_ranges = 2;
    q.mode = (Store__FlagStoreRequest__Mode)roll(3);
    q.flags = roll(32);
    q.keywords = keywords;
    q.n_keywords = roll(3);
    q.has_unchanged_since = roll(4) == 0;
    q.unchanged_since = roll((uint32_t)folder_now(inbox).modseq + 1);
    CHECK(mailbox_flag_store(box, &arena, &q, &r) == 0);
}

static void do_copy(void)
{
    Store__CopyRequest q = STORE__COPY_REQUEST__INIT;
    Store__CopyResponse r = STORE__COPY_RESPONSE__INIT;
    bool here = roll(3) == 0;
    uint32_t range[2];

    pick(range);
    if (here && folder_now(inbox).uidnext + 30 > UIDS)
        return;
    q.folder_id = inbox;
    q.uid_ranges = range;
    q.n_uid_ranges = 2;
    q.to = str_pb(here ? STR("INBOX") : STR("Trash"));
    q.move = roll(2) == 1;
    CHECK(mailbox_copy(box, &arena, &q, &r) == 0);
}

static void do_expunge(void)
{
    Store__ExpungeRequest q = STORE__EXPUNGE_REQUEST__INIT;
    Store__ExpungeResponse r = STORE__EXPUNGE_RESPONSE__INIT;
    uint32_t range[2];

    pick(range);
    q.folder_id = inbox;
    q.uid_ranges = range;
    q.n_uid_ranges = roll(8) ? 2 : 0;
    CHECK(mailbox_expunge(box, &arena, &q, &r) == 0);
}

/* ---- what a client makes of it ----------------------------------------------------------------- */

static void client_sync(struct client *c)
{
    Store__SyncResponse r;

    do {
        Store__SyncRequest q = STORE__SYNC_REQUEST__INIT;

        store__sync_response__init(&r);
        q.folder_id = inbox;
        q.since_modseq = c->modseq;
        q.limit = 1 + roll(10);
        CHECK(mailbox_sync(box, &arena, &q, false, &r) == 0);
        CHECK(r.highest_modseq > c->modseq || !r.more);
        for (size_t i = 0; i + 1 < r.n_vanished_ranges; i += 2)
            for (uint32_t u = r.vanished_ranges[i]; u <= r.vanished_ranges[i + 1]; u++)
                c->v[u] = (struct known){ 0 };
        for (size_t i = 0; i + 1 < r.n_added_ranges; i += 2)
            for (uint32_t u = r.added_ranges[i]; u <= r.added_ranges[i + 1]; u++)
                c->v[u].there = true; /* it fetches them when it likes: below */
        for (size_t i = 0; i < r.n_changed; i++) {
            CHECK(c->v[r.changed[i]->uid].there);
            c->v[r.changed[i]->uid] =
                (struct known){ true, r.changed[i]->flags, (uint32_t)r.changed[i]->n_keywords };
        }
        for (size_t i = 0; i + 1 < r.n_added_ranges; i += 2)
            for (uint32_t u = r.added_ranges[i]; u <= r.added_ranges[i + 1]; u++) {
                CLEANUP(stmt_release) struct stmt *st = NULL;

                CHECK(
                    stmt_get(
                        box->db,
                        "SELECT flags, (SELECT count(*) FROM message_keyword k WHERE k.folder_id = m.folder_id AND k.uid = m.uid) FROM message m WHERE folder_id = ?1 AND uid = ?2",
                        &st) == 0);
                stmt_bind_u64(st, 1, inbox);
                stmt_bind_u64(st, 2, u);
                CHECK(stmt_step(st) == 1);
                c->v[u].flags = (uint32_t)stmt_u64(st, 0);
                c->v[u].nkeywords = (uint32_t)stmt_u64(st, 1);
            }
        c->modseq = r.highest_modseq;
    } while (r.more);
}

static void client_fresh(struct client *c)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;

    memset(c, 0, sizeof *c);
    CHECK(
        stmt_get(
            box->db,
            "SELECT uid, flags, (SELECT count(*) FROM message_keyword k WHERE k.folder_id = m.folder_id AND k.uid = m.uid) FROM message m WHERE folder_id = ?1",
            &st) == 0);
    stmt_bind_u64(st, 1, inbox);
    while (stmt_step(st) > 0)
        c->v[stmt_u64(st, 0)] = (struct known){ true, (uint32_t)stmt_u64(st, 1), (uint32_t)stmt_u64(st, 2) };
    c->modseq = folder_now(inbox).modseq;
}

/* QRESYNC: what went of all UIDs since, and only that, once the client takes its own from it. */
static void check_vanished(const struct client *c, const struct client *fresh)
{
    uint32_t all[2] = { 1, UINT32_MAX };
    Store__VanishedRequest q = STORE__VANISHED_REQUEST__INIT;
    Store__VanishedResponse r = STORE__VANISHED_RESPONSE__INIT;

    q.folder_id = inbox;
    q.since_modseq = c->modseq;
    q.uid_ranges = all;
    q.n_uid_ranges = 2;
    CHECK(mailbox_vanished(box, &arena, &q, &r) == 0);
    for (uint32_t u = 1; u < UIDS; u++) {
        bool told = uidset_has(r.uid_ranges, r.n_uid_ranges, u);

        CHECK(!(told && fresh->v[u].there));
        CHECK(!(c->v[u].there && !fresh->v[u].there && !told));
    }
}

static void check_counts(const struct client *fresh)
{
    CLEANUP(uidset_release) struct uidset uids = { 0 };
    struct folder f = folder_now(inbox);
    uint64_t n = 0, unseen = 0, deleted = 0;

    CHECK(gap_uids(box, &f, 1, &uids) == 0);
    for (uint32_t u = 1; u < UIDS; u++) {
        CHECK(uidset_has(uids.v, uids.n, u) == fresh->v[u].there);
        n += fresh->v[u].there;
        unseen += fresh->v[u].there && !(fresh->v[u].flags & 8);
        deleted += fresh->v[u].there && (fresh->v[u].flags & 4);
    }
    CHECK(f.messages == n && f.unseen == unseen && f.deleted == deleted);
}

static bool known_same(const struct known *a, const struct known *b) /* not what lies between their members */
{
    return a->there == b->there && a->flags == b->flags && a->nkeywords == b->nkeywords;
}

static void check_client(struct client *c)
{
    static struct client fresh;

    client_fresh(&fresh);
    check_vanished(c, &fresh);
    client_sync(c);
    for (uint32_t u = 1; u < UIDS; u++)
        CHECK(known_same(&c->v[u], &fresh.v[u]));
    CHECK(c->modseq == fresh.modseq);
    check_counts(&fresh);
}

static void run(uint64_t seed, int steps)
{
    static void (*const what[])(void) = { do_append, do_append, do_append, do_flags,
                                          do_flags,  do_copy,   do_expunge };
    static struct client clients[CLIENTS];
    struct folder f;

    state = seed;
    memset(clients, 0, sizeof clients);
    CHECK(mailbox_open_memory(&box) == 0 && folder_by_name(box, STR("INBOX"), &f) == 0);
    inbox = f.id;
    CHECK(folder_by_name(box, STR("Trash"), &f) == 0);
    trash = f.id;
    for (int i = 0; i < steps; i++) {
        CHECK(mailbox_begin(box) == 0 && mailbox_step_begin(box) == 0);
        what[roll(ARRAY_LEN(what))]();
        if (roll(10) == 0)
            mailbox_step_undo(box); /* nothing of it may stay, in the counts either */
        else
            CHECK(mailbox_step_keep(box) == 0);
        CHECK(mailbox_commit(box) == 0);
        if (roll(6) == 0)
            check_client(&clients[roll(roll(CLIENTS) + 1)]); /* the last ones ask seldom */
        arena_reset(&arena);
    }
    for (size_t i = 0; i < CLIENTS; i++)
        check_client(&clients[i]);
    mailbox_close(&box);
    arena_release(&arena);
}

static void test_sync_is_fresh(void **unused UNUSED)
{
    const char *seed = getenv("SEED"), *soak = getenv("SOAK");
    uint64_t from = seed ? strtoull(seed, NULL, 10) : (uint64_t)clock_wall_ms() | 1;
    int runs = seed ? 1 : soak ? 500 : 6;
    char told[48];

    vanished_max = 20; /* so that many clients are older than the log */
    for (int i = 0; i < runs; i++) {
        print_message("SEED=%llu\n", (unsigned long long)(from + (uint64_t)i));
        run(from + (uint64_t)i, soak ? 1000 : 250);
    }
    snprintf(told, sizeof told, "SEED=%llu and on", (unsigned long long)from);
    runs_tell("against a model", "SYNC of clients, late and early", (size_t)runs, told);
    vanished_max = MAILBOX_VANISHED_MAX;
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_sync_is_fresh) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
