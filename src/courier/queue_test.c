/* The queue by itself: order, retries, repeats, and that nothing is kept of what is over. */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/test.h"
#include "src/courier/queue.h"
#include <unistd.h>

#define START  INT64_C(1790000000000)
#define MINUTE INT64_C(60000)

static const uint8_t key[DB_KEY_BYTES] = { 1, 2, 3 };
static struct queue_rules rules = { .retry_first_ms = MINUTE,
                                    .retry_max_ms = 240 * MINUTE,
                                    .give_up_ms = 5 * 1440 * MINUTE,
                                    .delay_ms = 240 * MINUTE,
                                    .bytes_max = GIB(1),
                                    .per_destination = 20,
                                    .recipients_max = 100 };
static char path[64];

static struct queue *open_it(void)
{
    CLEANUP(buf_release) struct buf why = { .max = KIB(4) };
    struct queue *q = NULL;
    int r = queue_open(path, key, &rules, &q, &why);

    if (r < 0)
        print_message("%s %.*s\n", error_name(r), STR_ARG(buf_str(&why)));
    CHECK(r == 0);
    return q;
}

static struct queue *fresh(void)
{
    static const char *const ends[] = { "", "-wal", "-shm" };

    clock_fake(START);
    snprintf(path, sizeof path, "/tmp/queue_test.%d.sqlite", (int)getpid());
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        char name[80];

        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
    return open_it();
}

static uint32_t add(struct queue *q, const char *sender, const char *to, const char *dest, char id)
{
    struct queue_target t = { .to = str_from(to), .dest = str_from(dest) };
    struct queue_message m = { .sender = str_from(sender), .bytes = 5 };
    uint8_t delivery[32], name[QUEUE_NAME_BYTES];
    uint32_t dups = 0;

    memset(delivery, id, sizeof delivery);
    if (id)
        t.delivery_id = str_of(delivery, sizeof delivery);
    CHECK(queue_begin(q) == 0);
    CHECK(queue_draft(q, false, &m.id) == 0);
    CHECK(queue_put(q, m.id, 0, STR("hello")) == 0);
    CHECK(queue_add(q, &m, &t, 1, STR_NONE, name, &dups) == 0);
    CHECK(queue_commit(q) == 0);
    return dups;
}

static int claim(struct queue *q, struct queue_claim *c)
{
    int64_t next;
    int r;

    *c = (struct queue_claim){ .arena = { .max = MIB(1) } };
    CHECK(queue_begin(q) == 0);
    r = queue_claim(q, c, &next);
    CHECK(queue_commit(q) == 0);
    return r;
}

static void done(struct queue *q, struct queue_claim *c, enum queue_result result, bool trouble)
{
    struct queue_outcome o[100];
    struct queue_counts n = { 0 };

    for (size_t i = 0; i < c->n; i++)
        o[i] = (struct queue_outcome){ .result = result, .code = 451, .text = STR("later") };
    CHECK(queue_begin(q) == 0);
    CHECK(queue_done(q, c, o, trouble, &n) == 0);
    CHECK(queue_commit(q) == 0);
    arena_release(&c->arena);
}

static int claim_and_fail(struct queue *q, void *arg)
{
    int64_t next;

    CHECK(queue_claim(q, arg, &next) == 1);
    return E_FULL;
}

static struct queue_totals totals(struct queue *q)
{
    struct queue_totals t = { 0 };

    CHECK(queue_totals(q, &t) == 0);
    return t;
}

/* A disk that was full for a while: who was claimed then is served as ever afterwards. */
static void test_claims_undone(void **state UNUSED)
{
    struct queue *q = fresh();
    struct queue_claim c;
    int64_t next;

    CHECK(add(q, "a@example.test", "b@example.org", "example.org", 0) == 0);
    for (int i = 0; i < 10; i++) {
        c = (struct queue_claim){ .arena = { .max = MIB(1) } };
        CHECK(queue_begin(q) == 0);
        if (i % 2) {
            CHECK(queue_step(q, claim_and_fail, &c) == E_FULL);
            CHECK(queue_commit(q) == 0);
        } else {
            CHECK(queue_claim(q, &c, &next) == 1);
            queue_rollback(q);
        }
        arena_release(&c.arena);
    }
    CHECK(claim(q, &c) == 1);
    done(q, &c, QUEUE_DELIVERED, false);
    for (int i = 0; i < 2; i++)
        CHECK(add(q, "a@example.test", "b@example.org", "example.org", 0) == 0);
    CHECK(claim(q, &c) == 1);
    done(q, &c, QUEUE_DELIVERED, false);
    CHECK(claim(q, &c) == 1);
    done(q, &c, QUEUE_DELIVERED, false);
    CHECK(totals(q).messages == 0);
    queue_close(&q);
}

static void test_once_through(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf piece = { .max = MIB(1) };
    struct queue *q = fresh();
    struct queue_claim c;
    int64_t n = 1;

    CHECK(add(q, "a@example.test", "b@example.org", "example.org", 0) == 0);
    CHECK(totals(q).messages == 1 && totals(q).targets == 1 && totals(q).bytes == 5);
    CHECK(claim(q, &c) == 1);
    CHECK(c.n == 1 && str_eq_z(c.domain, "example.org") && str_eq_z(c.targets[0].to, "b@example.org"));
    CHECK(queue_piece(q, c.m.id, 0, &piece) == 1 && str_eq_z(buf_str(&piece), "hello"));
    CHECK(queue_piece(q, c.m.id, 1, &piece) == 0);
    done(q, &c, QUEUE_DELIVERED, false);
    CHECK(claim(q, &c) == 0);
    arena_release(&c.arena);
    CHECK(totals(q).messages == 0 && totals(q).targets == 0 && totals(q).bytes == 0);
    CHECK(db_get_i64(queue_db(q), "SELECT (SELECT count(*) FROM chunk) + (SELECT count(*) FROM dest)", &n) ==
              0 &&
          n == 0);
    queue_close(&q);
}

static void test_retry(void **state UNUSED)
{
    struct queue *q = fresh();
    struct queue_claim c;

    add(q, "a@example.test", "b@example.org", "example.org", 0);
    for (int i = 0; i < 10; i++) {
        CHECK(claim(q, &c) == 1);
        CHECK(c.targets[0].attempts == (uint32_t)i);
        done(q, &c, QUEUE_DEFERRED, false);
        CHECK(claim(q, &c) == 0);
        arena_release(&c.arena);
        clock_fake_advance(i < 1 ? 73 * 1000 : 300 * MINUTE);
    }
    queue_close(&q);
}

/* A destination that does not answer costs one try at a time, whatever waits for it; others go on. */
static void test_trouble(void **state UNUSED)
{
    struct queue *q = fresh();
    struct queue_claim c;

    for (int i = 0; i < 50; i++)
        add(q, "a@example.test", "b@dead.example", "dead.example", 0);
    CHECK(claim(q, &c) == 1);
    done(q, &c, QUEUE_DEFERRED, true);
    CHECK(claim(q, &c) == 0);
    arena_release(&c.arena);
    add(q, "a@example.test", "b@good.example", "good.example", 0);
    CHECK(claim(q, &c) == 1 && str_eq_z(c.domain, "good.example"));
    done(q, &c, QUEUE_DELIVERED, false);
    clock_fake_advance(2 * MINUTE);
    CHECK(claim(q, &c) == 1 && str_eq_z(c.domain, "dead.example"));
    done(q, &c, QUEUE_DELIVERED, false); /* it is back: the others follow at once */
    for (int i = 0; i < 49; i++) {
        CHECK(claim(q, &c) == 1);
        done(q, &c, QUEUE_DELIVERED, false);
    }
    CHECK(totals(q).messages == 0);
    queue_close(&q);
}

/* A window of three, one more for each round that went well. */
static void test_window(void **state UNUSED)
{
    struct queue_claim c[4];
    struct queue *q = fresh();

    for (int i = 0; i < 20; i++)
        add(q, "a@example.test", "b@example.org", "example.org", 0);
    for (int i = 0; i < 3; i++)
        CHECK(claim(q, &c[i]) == 1);
    CHECK(claim(q, &c[3]) == 0);
    arena_release(&c[3].arena);
    for (int i = 0; i < 3; i++)
        done(q, &c[i], QUEUE_DELIVERED, false);
    for (int i = 0; i < 4; i++)
        CHECK(claim(q, &c[i]) == 1);
    for (int i = 0; i < 4; i++)
        done(q, &c[i], QUEUE_DEFERRED, false);
    CHECK(claim(q, &c[0]) == 1);
    done(q, &c[0], QUEUE_DELIVERED, false);
    queue_close(&q);
}

static void test_repeats(void **state UNUSED)
{
    struct queue *q = fresh();
    struct queue_claim c;

    CHECK(add(q, "a@example.test", "b@example.org", "example.org", 7) == 0);
    CHECK(add(q, "a@example.test", "b@example.org", "example.org", 7) == 1);
    CHECK(totals(q).messages == 1);
    clock_fake_advance(6 * 1440 * MINUTE);
    CHECK(add(q, "a@example.test", "b@example.org", "example.org", 7) == 1);
    clock_fake_advance(3 * 1440 * MINUTE);
    CHECK(add(q, "a@example.test", "b@example.org", "example.org", 7) == 0);
    CHECK(claim(q, &c) == 1);
    done(q, &c, QUEUE_DELIVERED, false);
    queue_close(&q);
}

/* Who brought a hundred does not stand before who brings one. */
static void test_fair(void **state UNUSED)
{
    struct queue *q = fresh();
    struct queue_claim c;

    for (int i = 0; i < 100; i++)
        add(q, "many@example.test", "b@example.org", "example.org", 0);
    clock_fake_advance(1);
    add(q, "one@example.test", "b@example.org", "example.org", 0);
    CHECK(claim(q, &c) == 1 && str_eq_z(c.m.sender, "many@example.test"));
    done(q, &c, QUEUE_DELIVERED, false);
    CHECK(claim(q, &c) == 1 && str_eq_z(c.m.sender, "one@example.test"));
    done(q, &c, QUEUE_DELIVERED, false);
    queue_close(&q);
}

static void test_gives_up(void **state UNUSED)
{
    struct queue *q = fresh();
    struct queue_counts n = { 0 };
    struct queue_target *t;
    struct queue_message m;
    bool late;
    int64_t next;
    size_t nt;
    struct arena a = { .max = MIB(1) };

    add(q, "a@example.test", "b@example.org", "example.org", 0);
    CHECK(queue_begin(q) == 0);
    CHECK(queue_event(q, &a, &m, &t, &nt, &late, &next) == 0 && next == START + 240 * MINUTE);
    clock_fake_advance(241 * MINUTE);
    CHECK(queue_event(q, &a, &m, &t, &nt, &late, &next) == 1 && late && nt == 1);
    CHECK(queue_told(q, m.id) == 0);
    CHECK(queue_event(q, &a, &m, &t, &nt, &late, &next) == 0);
    clock_fake_advance(5 * 1440 * MINUTE);
    CHECK(queue_event(q, &a, &m, &t, &nt, &late, &next) == 1 && !late);
    CHECK(queue_expired(q, &m, &n) == 0 && n.failed == 1);
    CHECK(queue_commit(q) == 0);
    CHECK(totals(q).messages == 0);
    arena_release(&a);
    queue_close(&q);
}

/* What was under way is known by the next life, and goes once more when nobody knows how it went. */
static void test_next_life(void **state UNUSED)
{
    struct queue *q = fresh();
    uint64_t attempts[4], back = 0;
    struct queue_counts counts = { 0 };
    struct queue_claim c;
    size_t n;

    add(q, "a@example.test", "b@example.org", "example.org", 0);
    CHECK(claim(q, &c) == 1);
    queue_close(&q);
    q = open_it();
    CHECK(queue_under_way(q, 0, attempts, 4, &n) == 0 && n == 1 && attempts[0] == c.attempt);
    arena_release(&c.arena);
    CHECK(claim(q, &c) == 0);
    arena_release(&c.arena);
    CHECK(queue_begin(q) == 0);
    CHECK(queue_give_back(q, attempts[0], &back, &counts) == 0 && back == 1);
    CHECK(queue_commit(q) == 0);
    CHECK(claim(q, &c) == 1 && c.targets[0].attempts == 1);
    done(q, &c, QUEUE_DELIVERED, false);
    queue_close(&q);
}

static uint64_t dies(struct queue *q, struct queue_claim *c)
{
    struct queue_outcome o = { .result = QUEUE_UNTRIED, .died = true, .text = STR("it was cut off") };
    struct queue_counts n = { 0 };

    CHECK(c->n == 1);
    CHECK(queue_begin(q) == 0);
    CHECK(queue_done(q, c, &o, false, &n) == 0);
    CHECK(queue_commit(q) == 0);
    arena_release(&c->arena);
    return n.aside;
}

/* What ends whoever delivers it is tried at once, then after a while so that others go before it, and then no more. */
static void test_deaths(void **state UNUSED)
{
    struct arena a = { .max = MIB(1) };
    struct queue *q = fresh();
    uint64_t cursor = 0, changed = 0;
    struct queue_claim c;
    struct queue_target *t;
    struct queue_message *list;
    size_t n;

    add(q, "a@example.test", "poison@example.org", "example.org", 0);
    for (uint32_t i = 1; i < QUEUE_DEATHS_MAX; i++) {
        CHECK(claim(q, &c) == 1 && c.targets[0].deaths == i - 1);
        CHECK(dies(q, &c) == 0);
        if (i < QUEUE_DEATHS_SOON)
            continue;
        CHECK(claim(q, &c) == 0);
        arena_release(&c.arena);
        add(q, "a@example.test", "other@example.org", "example.org", 0);
        CHECK(claim(q, &c) == 1 && str_eq_z(c.targets[0].to, "other@example.org"));
        done(q, &c, QUEUE_DELIVERED, false);
        clock_fake_advance(300 * MINUTE);
    }
    CHECK(claim(q, &c) == 1);
    CHECK(dies(q, &c) == 1);
    clock_fake_advance(300 * MINUTE);
    CHECK(claim(q, &c) == 0);
    arena_release(&c.arena);
    CHECK(queue_list(q, &a, 0, STR_NONE, 10, &list, &n) == 0 && n == 1);
    CHECK(queue_targets(q, &a, list[0].id, 10, &t, &n) == 0 && n == 1 && t[0].state == QUEUE_HELD);
    CHECK(queue_begin(q) == 0);
    CHECK(queue_change(q, QUEUE_RELEASE, list[0].name, STR_NONE, 100, &cursor, &changed) == 0);
    CHECK(queue_commit(q) == 0);
    CHECK(claim(q, &c) == 1 && c.targets[0].deaths == 0); /* released: from the beginning */
    done(q, &c, QUEUE_DELIVERED, false);
    arena_release(&a);
    queue_close(&q);
}

static void test_people(void **state UNUSED)
{
    struct queue *q = fresh();
    struct arena a = { .max = MIB(1) };
    struct queue_message *list, m;
    uint64_t cursor = 0, changed = 0;
    struct queue_claim c;
    size_t n;

    for (int i = 0; i < 5; i++)
        add(q, "a@example.test", "b@example.org", i < 2 ? "example.org" : "example.net", 0);
    CHECK(queue_list(q, &a, 0, STR_NONE, 10, &list, &n) == 0 && n == 5);
    CHECK(queue_get(q, &a, list[0].name, &m) == 0 && m.id == list[0].id);
    CHECK(queue_list(q, &a, 0, STR("example.org"), 10, &list, &n) == 0 && n == 2);
    CHECK(queue_begin(q) == 0);
    CHECK(queue_change(q, QUEUE_HOLD, STR_NONE, STR("example.org"), 100, &cursor, &changed) == 0 &&
          changed == 2 && !cursor);
    CHECK(queue_change(q, QUEUE_DELETE, STR_NONE, STR("example.net"), 100, &cursor, &changed) == 0 &&
          changed == 5);
    CHECK(queue_commit(q) == 0);
    CHECK(totals(q).messages == 2);
    CHECK(claim(q, &c) == 0);
    CHECK(queue_begin(q) == 0);
    CHECK(queue_change(q, QUEUE_RELEASE, list[0].name, STR_NONE, 100, &cursor, &changed) == 0 &&
          changed == 6);
    CHECK(queue_commit(q) == 0);
    arena_release(&c.arena);
    CHECK(claim(q, &c) == 1);
    done(q, &c, QUEUE_DELIVERED, false);
    arena_release(&a);
    queue_close(&q);
    unlink(path);
}

/* Who stands in a rewritten sender as a token is known for 21 days after he last sent. */
static void test_srs(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf out = { .max = KIB(1) };
    struct queue *q = fresh();
    bool more = true;

    CHECK(queue_begin(q) == 0);
    CHECK(queue_srs_keep(q, STR("0123456789"), STR("ann@example.org")) == 0);
    CHECK(queue_srs_keep(q, STR("9876543210"), STR("bob@example.org")) == 0);
    CHECK(queue_commit(q) == 0);
    clock_fake_advance(20 * 1440 * MINUTE);
    CHECK(queue_begin(q) == 0);
    CHECK(queue_srs_keep(q, STR("0123456789"), STR("ann@example.org")) == 0);
    clock_fake_advance(2 * 1440 * MINUTE);
    CHECK(queue_care(q, &more) == 0 && !more);
    CHECK(queue_commit(q) == 0);
    CHECK(queue_srs_find(q, STR("9876543210"), &out) == E_NOTFOUND);
    CHECK(queue_srs_find(q, STR("0123456789"), &out) == 0 && str_eq_z(buf_str(&out), "ann@example.org"));
    queue_close(&q);
}

/* Those of one domain, until their time is over; what somebody put there stays until he takes it off. */
static void test_suppressed(void **state UNUSED)
{
    struct queue_suppressed bob = { .domain = STR("a.test"),
                                    .address = STR("bob@b.test"),
                                    .why = STR("550"),
                                    .until_ms = START + 10 * MINUTE };
    struct queue_suppressed eve = { .domain = STR("a.test"), .address = STR("eve@b.test"), .why = STR("") };
    struct arena a = { .max = KIB(64) };
    struct queue_suppressed none = { .until_ms = 0 }, found, *list;
    struct queue *q = fresh();
    bool more = true;
    size_t n = 0;

    CHECK(queue_begin(q) == 0);
    CHECK(queue_suppress(q, &bob) == 0 && queue_suppress(q, &eve) == 0);
    eve.until_ms = bob.until_ms;
    CHECK(queue_suppress(q, &eve) == 0);
    CHECK(queue_suppressed_find(q, &a, STR("a.test"), STR("bob@b.test"), &found) == 1);
    CHECK(str_eq_z(found.why, "550") && found.created_ms == START);
    CHECK(queue_suppressed_find(q, &a, STR("c.test"), STR("bob@b.test"), &found) == 0);
    CHECK(queue_suppressed_list(q, &a, &none, STR_NONE, 10, &list, &n) == 0 && n == 2);
    CHECK(queue_suppressed_list(q, &a, &list[0], STR("a.test"), 10, &list, &n) == 0 && n == 1);
    clock_fake_advance(11 * MINUTE);
    CHECK(queue_suppressed_find(q, &a, STR("a.test"), STR("bob@b.test"), &found) == 0);
    CHECK(queue_suppressed_find(q, &a, STR("a.test"), STR("eve@b.test"), &found) == 1);
    CHECK(queue_care(q, &more) == 0 && !more);
    CHECK(queue_suppressed_remove(q, STR("a.test"), STR("bob@b.test")) == E_NOTFOUND);
    CHECK(queue_suppressed_remove(q, STR("a.test"), STR("eve@b.test")) == 0);
    eve.until_ms = 0;
    for (size_t i = 0; i < 3; i++) {
        eve.domain = str_from((const char *[]){ "a.test", "a.test", "b.test" }[i]);
        eve.address = str_from((const char *[]){ "eve@b.test", "bob@b.test", "eve@b.test" }[i]);
        CHECK(queue_suppress(q, &eve) == 0);
    }
    CHECK(queue_suppressed_forget(q, STR("a.test")) == 0 && queue_suppressed_forget(q, STR("a.test")) == 0);
    CHECK(queue_suppressed_list(q, &a, &none, STR_NONE, 10, &list, &n) == 0 && n == 1);
    CHECK(str_eq_z(list[0].domain, "b.test"));
    CHECK(queue_commit(q) == 0);
    arena_release(&a);
    queue_close(&q);
}

/* Once in four days, and what was sent is known for two weeks. */
static void test_once(void **state UNUSED)
{
    struct queue_sent s = { .id = 7,
                            .tag = { 1 },
                            .sender = STR("a@b"),
                            .submitter = STR("a@b"),
                            .recipients = STR("12345678") },
                      found;
    struct arena a = { .max = KIB(64) };
    struct queue *q = fresh();
    bool more = true;

    CHECK(queue_begin(q) == 0);
    CHECK(queue_once(q, STR("0123456789abcdef"), 4 * 1440 * MINUTE) == 1);
    CHECK(queue_once(q, STR("0123456789abcdef"), 4 * 1440 * MINUTE) == 0);
    CHECK(queue_sent_add(q, &s) == 0);
    CHECK(queue_commit(q) == 0);
    clock_fake_advance(4 * 1440 * MINUTE - 1);
    CHECK(queue_begin(q) == 0);
    CHECK(queue_once(q, STR("0123456789abcdef"), MINUTE) == 0);
    clock_fake_advance(1);
    CHECK(queue_once(q, STR("0123456789abcdef"), MINUTE) == 1);
    CHECK(queue_care(q, &more) == 0 && !more);
    CHECK(queue_sent_find(q, &a, 7, &found) == 1 && found.tag[0] == 1 && str_eq_z(found.sender, "a@b"));
    clock_fake_advance(12 * 1440 * MINUTE);
    CHECK(queue_care(q, &more) == 0 && !more);
    CHECK(queue_sent_find(q, &a, 7, &found) == 0);
    CHECK(queue_once(q, STR("0123456789abcdef"), MINUTE) == 1);
    CHECK(queue_commit(q) == 0);
    arena_release(&a);
    queue_close(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once_through), cmocka_unit_test(test_claims_undone),
        cmocka_unit_test(test_retry),        cmocka_unit_test(test_trouble),
        cmocka_unit_test(test_window),       cmocka_unit_test(test_repeats),
        cmocka_unit_test(test_fair),         cmocka_unit_test(test_gives_up),
        cmocka_unit_test(test_next_life),    cmocka_unit_test(test_people),
        cmocka_unit_test(test_srs),          cmocka_unit_test(test_suppressed),
        cmocka_unit_test(test_once),         cmocka_unit_test(test_deaths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
