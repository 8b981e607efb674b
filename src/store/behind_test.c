/* What is written behind the commits (refs.c, messages_place) is as if it stood where it belongs at once: threads,
 * SEARCH and SELECT say the same at every number of messages, in a mailbox that is closed now and then. */
#include "lib/base/test.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "src/store/check.h"
#include "src/store/index.h"
#include "src/store/mailbox.h"
#include "src/store/quota.h"
#include <stdlib.h>
#include <unistd.h>

#define MESSAGES 620u
#define REOPEN   97u /* messages between */

static const uint8_t key[DB_KEY_BYTES] = { 1 };
static char dir[] = "/tmp/letterlock-behind-XXXXXX", path[64];
static struct mailbox *box;
static uint64_t inbox;

static void open_it(uint32_t flags)
{
    struct mailbox_options o = { .flags = flags };
    struct mailbox_meta m = { .generation = 1 };

    CHECK(mailbox_open(path, key, &o, &m, &box) == 0);
}

static int64_t ask(const char *sql)
{
    int64_t n = -1;

    CHECK(db_get_i64(mailbox_db(box), sql, &n) == 0);
    return n;
}

/* Number n answers number n - 1; every third was read already. Not kept: as if the disk had been full. */
static void append(unsigned n, bool keep)
{
    char id[32], before[32];
    struct str ref = str_of(before, (size_t)snprintf(before, sizeof before, "%u@x", n - 1));
    struct bytes_mem msg, text;
    struct email_in e = { .message = bytes_mem_init(&msg, STR("A: b\r\n\r\nx")),
                          .header_bytes = 8,
                          .structure = STR("structure"),
                          .text = bytes_mem_init(&text, STR("some text")),
                          .message_id = str_of(id, (size_t)snprintf(id, sizeof id, "%u@x", n)),
                          .references = &ref,
                          .nreferences = 1 };
    struct placement at = { .folder = STR("INBOX"),
                            .flags = n % 3 ? 0 : STORE__FLAG__SEEN,
                            .internal_ms = INT64_C(1787000000000) + (int64_t)(n * 7919 % 1000) * 1000 };
    Store__AppendResponse out = STORE__APPEND_RESPONSE__INIT;
    uint64_t was = 0, is = 0;

    CHECK(mailbox_commits(box, &was) == 0);
    CHECK(mailbox_begin(box) == 0);
    mailbox_step_bare(box);
    CHECK(mailbox_append(box, &e, &at, &out) == 0);
    if (!keep) {
        mailbox_rollback(box);
        return;
    }
    CHECK(mailbox_commit(box) == 0 && mailbox_commits(box, &is) == 0 && is > was);
    mailbox_changes_take(box, NULL, 0);
    inbox = out.folder_id;
}

static uint64_t found(Store__SearchKey__Type type, int64_t number)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(1) };
    Store__SearchRequest q = STORE__SEARCH_REQUEST__INIT;
    Store__SearchResponse r = STORE__SEARCH_RESPONSE__INIT;
    Store__SearchKey k = STORE__SEARCH_KEY__INIT;

    k.type = type;
    k.number = number;
    q.folder_id = inbox;
    q.key = &k;
    CHECK(mailbox_search(box, &a, &q, &r) == 0);
    return uidset_count(r.uid_ranges, r.n_uid_ranges);
}

static void check_all(void)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(1) };
    Store__SelectRequest q = STORE__SELECT_REQUEST__INIT;
    Store__SelectResponse r = STORE__SELECT_RESPONSE__INIT;
    struct quota_count c;

    q.name = str_pb(STR("INBOX"));
    q.read_only = true;
    CHECK(mailbox_select(box, &a, &q, &r) == 0);
    CHECK(r.first_unseen_uid ==
          (uint32_t)ask("SELECT coalesce(min(uid), 0) FROM message WHERE flags & 8 = 0"));
    CHECK(found(STORE__SEARCH_KEY__TYPE__FLAGS_SET, STORE__FLAG__SEEN) ==
          (uint64_t)ask("SELECT count(*) FROM message WHERE flags & 8"));
    CHECK(found(STORE__SEARCH_KEY__TYPE__INTERNAL_FROM, INT64_C(1787000500000)) ==
          (uint64_t)ask("SELECT count(*) FROM message WHERE +internal >= '2026-08-17T21:01:40.000Z'"));
    CHECK(found(STORE__SEARCH_KEY__TYPE__INTERNAL_BEFORE, INT64_C(1787000500000)) ==
          (uint64_t)ask("SELECT count(*) FROM message WHERE +internal < '2026-08-17T21:01:40.000Z'"));
    CHECK(ask("SELECT count(DISTINCT thread_id) FROM email") == 1);
    CHECK(mailbox_quota_get(box, &c) == 0 && c.used == (uint64_t)ask("SELECT sum(bytes) FROM message") &&
          c.messages == (uint64_t)ask("SELECT count(*) FROM message"));
}

/* The newest two, whose ids of threads wait still. */
static void expunge_last(void)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(1) };
    Store__ExpungeRequest q = STORE__EXPUNGE_REQUEST__INIT;
    Store__ExpungeResponse r = STORE__EXPUNGE_RESPONSE__INIT;
    uint32_t last = (uint32_t)ask("SELECT max(uid) FROM message"), range[] = { last - 1, last };

    q.folder_id = inbox;
    q.any = true;
    q.uid_ranges = range;
    q.n_uid_ranges = 2;
    CHECK(mailbox_begin(box) == 0 && mailbox_expunge(box, &a, &q, &r) == 0 && mailbox_commit(box) == 0);
    CHECK(ask("SELECT max(uid) FROM message") == last - 2);
}

static void test_behind(void **state)
{
    struct check c = { .whole = true };
    int r;

    (void)state;
    for (unsigned n = 1; n <= MESSAGES; n++) {
        if (n % 50 == 0)
            append(n, false);
        append(n, true);
        if (n % REOPEN == 0) {
            CHECK(mailbox_close(&box) == 0);
            open_it(0);
        }
        if (n % 31 == 0 || (n > 250 && n < 262))
            check_all();
        if (n % 150 == 0)
            expunge_last();
    }
    CHECK(ask("SELECT count(*) FROM message WHERE behind") > 0 && ask("SELECT noted_upto FROM meta") > 0);
    CHECK(ask("SELECT count(*) FROM message WHERE behind") < 300);
    do {
        CHECK(mailbox_begin(box) == 0);
        r = mailbox_index_step(box, 1000);
        CHECK(r >= 0 && mailbox_commit(box) == 0);
    } while (r > 0);
    CHECK(ask("SELECT count(*) FROM message WHERE behind") == 0);
    check_all();
    append(MESSAGES + 1, true);
    check_all();
    while ((r = mailbox_check(box, &c, 1000)) > 0)
        ;
    for (size_t i = 0; i < c.n; i++) /* our structure is none */
        CHECK(strcmp(c.list[i].what, "structure") == 0);
    CHECK(r == 0);
}

static int setup(void **state)
{
    (void)state;
    CHECK(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/x.sqlite", dir);
    clock_fake(INT64_C(1787000000000));
    open_it(MAILBOX_CREATE);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    CHECK(mailbox_close(&box) == 0);
    clock_real();
    return unlink(path) == 0 && rmdir(dir) == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(test_behind, setup, teardown) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
