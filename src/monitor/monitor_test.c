#include "src/monitor/dmarc.h"
#include "src/monitor/journal.h"
#include "src/monitor/metrics.h"
#include "src/monitor/scrape.h"
#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/test.h"
#include "lib/rpc/pb.h"
#include <stdlib.h>
#include <unistd.h>

static const uint8_t key[DB_KEY_BYTES] = "a key for the journal of a test";

static struct db *open_here(void)
{
    static char dir[] = "/tmp/journal-XXXXXX";
    struct db *db = NULL;
    CLEANUP(buf_release) struct buf why = { .max = KIB(4) };

    memcpy(dir + sizeof dir - 7, "XXXXXX", 6);
    CHECK(mkdtemp(dir) && chdir(dir) == 0);
    CHECK(journal_open(key, &db, NULL, &why) == 0);
    return db;
}

static void close_here(struct db *db)
{
    char dir[64];

    CHECK(db_close(&db) == 0);
    CHECK(unlink(JOURNAL_FILE) == 0);
    CHECK(getcwd(dir, sizeof dir) && rmdir(dir) == 0);
}

static Monitor__Note note(const char *person, const char *event, int64_t at_ms)
{
    Monitor__Note n = MONITOR__NOTE__INIT;

    n.at_ms = at_ms;
    n.person = str_pb(str_from(person));
    n.event = str_pb(str_from(event));
    return n;
}

static size_t ask(struct db *db, const char *person, int64_t from, int64_t to, uint32_t limit,
                  Monitor__QueryResponse *out, struct arena *a)
{
    Monitor__QueryRequest q = MONITOR__QUERY_REQUEST__INIT;

    q.person = str_pb(str_from(person));
    q.from_ms = from;
    q.to_ms = to;
    q.limit = limit;
    q.after = out->last;
    monitor__query_response__init(out);
    CHECK(journal_query(db, a, &q, out) == 0);
    return out->n_notes;
}

static void test_person_and_time(void **state UNUSED)
{
    struct db *db = open_here();
    Monitor__Note v[] = { note("ann@example.org", "accepted", 1000), note("Bob@Example.org", "refused", 2000),
                          note("ann@example.org", "junk", 3000), note("", "nobody", 3500) };
    Monitor__Note *list[] = { &v[0], &v[1], &v[2], &v[3] };
    CLEANUP(arena_release) struct arena a = { .max = MIB(4) };
    Monitor__QueryResponse m = MONITOR__QUERY_RESPONSE__INIT;

    CHECK(journal_add(db, list, 4) == 0);
    CHECK(ask(db, "ann@example.org", 0, 10000, 0, &m, &a) == 2);
    CHECK(str_eq(pb_str(m.notes[1]->event), STR("junk")) && m.notes[1]->at_ms == 3000 && !m.more);
    m.last = 0;
    CHECK(ask(db, "ann@example.org", 1001, 3000, 0, &m, &a) == 0);
    m.last = 0;
    CHECK(ask(db, "bob@example.org", 0, 10000, 0, &m, &a) == 1); /* however it was written */
    m.last = 0;
    CHECK(ask(db, "ann@example.org", 0, 10000, 1, &m, &a) == 1 && m.more);
    CHECK(ask(db, "ann@example.org", 0, 10000, 1, &m, &a) == 1 && !m.more && m.notes[0]->at_ms == 3000);
    close_here(db);
}

static void test_text_is_presentable(void **state UNUSED)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        { "plain", "plain" },
        { "a\x1b[31mred\r\n", "a?[31mred??" },
        { "b\xc3\xbc"
          "cher",
          "b\xc3\xbc"
          "cher" },
        { "latin \xfc here", "latin ? here" },
        { "cut \xe2\x82", "cut ??" },
    };
    struct db *db = open_here();

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(arena_release) struct arena a = { .max = MIB(4) };
        Monitor__QueryResponse m = MONITOR__QUERY_RESPONSE__INIT;
        Monitor__Note n = note("ann@example.org", "accepted", (int64_t)(i + 1) * 1000), *list[] = { &n };

        check_case = cases[i].out;
        n.why = str_pb(str_from(cases[i].in));
        CHECK(journal_add(db, list, 1) == 0);
        CHECK(ask(db, "ann@example.org", n.at_ms, n.at_ms + 1, 0, &m, &a) == 1);
        CHECK(str_eq(pb_str(m.notes[0]->why), str_from(cases[i].out)));
    }
    close_here(db);
}

static void test_old_entries_go(void **state UNUSED)
{
    struct db *db = open_here();
    uint64_t n = 0;

    for (int64_t at = 1000; at <= 10000; at += 1000) {
        Monitor__Note one = note("ann@example.org", "accepted", at), *list[] = { &one };
        CHECK(journal_add(db, list, 1) == 0);
    }
    CHECK(journal_expire(db, 4000, 100) == 3);
    CHECK(journal_count(db, &n) == 0 && n == 7);
    CHECK(journal_expire(db, 4000, 100) == 0);
    CHECK(journal_expire(db, 0, 5) == 2); /* too many */
    CHECK(journal_count(db, &n) == 0 && n == 5);
    CHECK(journal_expire(db, 20000, 5) == 5);
    CHECK(journal_count(db, &n) == 0 && n == 0);
    close_here(db);
}

static void test_request_heads(void **state UNUSED)
{
    static const struct {
        const char *in;
        enum scrape_wants wants;
    } cases[] = {
        { "", SCRAPE_MORE },
        { "GET /metrics HTTP/1.1\r\n", SCRAPE_MORE },
        { "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", SCRAPE_METRICS },
        { "GET /metrics?x=1 HTTP/1.0\r\n\r\n", SCRAPE_METRICS },
        { "HEAD /metrics HTTP/1.1\r\n\r\n", SCRAPE_METRICS_HEAD },
        { "GET /metricsx HTTP/1.1\r\n\r\n", SCRAPE_NOT_FOUND },
        { "GET / HTTP/1.1\r\n\r\n", SCRAPE_NOT_FOUND },
        { "GET metrics HTTP/1.1\r\n\r\n", SCRAPE_BAD },
        { "POST /metrics HTTP/1.1\r\n\r\n", SCRAPE_BAD_METHOD },
        { "\r\n\r\n", SCRAPE_BAD_METHOD },
        { "GET /metrics\r\n\r\n", SCRAPE_NOT_FOUND },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        check_case = cases[i].in;
        CHECK(scrape_parse(str_from(cases[i].in)) == cases[i].wants);
    }
}

static void test_metrics_text(void **state UNUSED)
{
    static struct metrics m;
    uint64_t numbers[COUNTS_ALL] = { 0 }, times[TIMES_ALL * TIME_ROW] = { 0 };
    CLEANUP(buf_release) struct buf out = { .max = METRICS_BYTES_MAX };
    Monitor__ReportRequest q = MONITOR__REPORT_REQUEST__INIT;

    count_add(COUNT_LOGINS_BAD, 3);
    time_took(TIME_MESSAGE, 1500);
    counts_read(numbers, times);
    q.n_counts = COUNTS_ALL - 1;
    q.counts = numbers;
    q.n_times = ARRAY_LEN(times);
    q.times = times;
    CHECK(metrics_take(&m, ROLE_MX, 1, &q) == E_SYNTAX);
    q.n_counts = COUNTS_ALL;
    CHECK(metrics_take(&m, ROLE_MX, 1, &q) == 0 && metrics_take(&m, ROLE_MX, 1, &q) == 0);
    CHECK(metrics_print(&m, &out) == 0 && buf_putc(&out, 0) == 0);
    CHECK(strstr(out.p, "\nletterlock_logins_total{role=\"mx\",instance=\"1\",result=\"bad\"} 3\n"));
    CHECK(strstr(out.p, "letterlock_message_seconds_bucket{role=\"mx\",instance=\"1\",le=\"0.001\"} 0\n"));
    CHECK(strstr(out.p, "letterlock_message_seconds_bucket{role=\"mx\",instance=\"1\",le=\"0.002\"} 1\n"));
    CHECK(strstr(out.p, "letterlock_message_seconds_bucket{role=\"mx\",instance=\"1\",le=\"+Inf\"} 1\n"));
    CHECK(strstr(out.p, "letterlock_message_seconds_sum{role=\"mx\",instance=\"1\"} 0.001500\n"));
}

/* Alike is counted together; a period that is not over is nobody's; a domain has a bounded number of rows. */
static void test_dmarc(void **state UNUSED)
{
    struct db *db = open_here();
    CLEANUP(arena_release) struct arena a = { .max = MIB(16) };
    Monitor__DmarcRow m = MONITOR__DMARC_ROW__INIT, *list[] = { &m, &m };
    Monitor__DmarcListRequest from = MONITOR__DMARC_LIST_REQUEST__INIT;
    Monitor__DmarcListResponse periods = MONITOR__DMARC_LIST_RESPONSE__INIT;
    Monitor__DmarcRowsRequest q = MONITOR__DMARC_ROWS_REQUEST__INIT;
    Monitor__DmarcRowsResponse rows = MONITOR__DMARC_ROWS_RESPONSE__INIT;
    uint64_t dropped = 0, all = 0;
    char ip[20];

    m.begins_s = 1000;
    m.seconds = 100;
    m.domain = q.domain = str_pb(STR("example.org"));
    m.ip = str_pb(STR("192.0.2.1"));
    m.reason = str_pb(STR("odd\xff\x01"));
    m.count = 2;
    m.dkim = true;
    CHECK(dmarc_add(db, list, 2, &dropped) == 0 && dropped == 0);
    CHECK(dmarc_list(db, &a, 1199, &from, &periods) == 0 && periods.n_periods == 0);
    CHECK(dmarc_list(db, &a, 1200, &from, &periods) == 0 && periods.n_periods == 1);
    CHECK(periods.periods[0]->rows == 1 && periods.periods[0]->begins_s == 1000);
    q.begins_s = 1000;
    q.seconds = 100;
    CHECK(dmarc_rows(db, &a, &q, &rows) == 0 && rows.n_rows == 1 && !rows.more);
    CHECK(rows.rows[0]->count == 4 && rows.rows[0]->dkim && !rows.rows[0]->spf);
    CHECK(str_eq_z(pb_str(rows.rows[0]->reason), "odd??"));
    for (unsigned i = 0; i < DMARC_ROWS_MAX + 5; i++) {
        snprintf(ip, sizeof ip, "10.0.%u.%u", i / 250, i % 250);
        m.ip = str_pb(str_from(ip));
        CHECK(dmarc_add(db, list, 1, &dropped) == 0);
        all += dropped;
    }
    CHECK(all == 6);
    for (all = 0, rows.more = true; rows.more; q.after = rows.rows[rows.n_rows - 1]->id) {
        monitor__dmarc_rows_response__init(&rows);
        CHECK(dmarc_rows(db, &a, &q, &rows) == 0 && rows.n_rows > 0);
        all += rows.n_rows;
    }
    CHECK(all == DMARC_ROWS_MAX);
    m.seconds = 0;
    CHECK(dmarc_add(db, list, 1, &dropped) == 0 && dropped == 1);
    CHECK(dmarc_done(db, &q) == 0 && dmarc_rows(db, &a, &q, &rows) == 0);
    monitor__dmarc_list_response__init(&periods);
    CHECK(dmarc_list(db, &a, 5000, &from, &periods) == 0 && periods.n_periods == 0);
    m.seconds = 100;
    CHECK(dmarc_add(db, list, 1, &dropped) == 0 && dmarc_expire(db, 1000 + DMARC_KEEP_S + 1) == 0);
    CHECK(dmarc_list(db, &a, 5000, &from, &periods) == 0 && periods.n_periods == 0);
    close_here(db);
}

/* More of them wait than an answer holds: whoever passes over these comes to the others. */
static void test_dmarc_waiting(void **state UNUSED)
{
    struct db *db = open_here();
    CLEANUP(arena_release) struct arena a = { .max = MIB(16) };
    Monitor__DmarcRow m = MONITOR__DMARC_ROW__INIT, *list[] = { &m };
    Monitor__DmarcListRequest q = MONITOR__DMARC_LIST_REQUEST__INIT;
    Monitor__DmarcListResponse periods = MONITOR__DMARC_LIST_RESPONSE__INIT;
    uint64_t dropped = 0;
    char name[40];

    m.seconds = 100;
    for (unsigned i = 0; i <= DMARC_PERIODS_MAX; i++) {
        snprintf(name, sizeof name, "s%03u.evil.test", i);
        m.domain = str_pb(i < DMARC_PERIODS_MAX ? str_from(name) : STR("z.example"));
        CHECK(dmarc_add(db, list, 1, &dropped) == 0 && dropped == 0);
    }
    CHECK(dmarc_list(db, &a, 1000, &q, &periods) == 0 && periods.n_periods == DMARC_PERIODS_MAX);
    q.skip = periods.n_periods;
    monitor__dmarc_list_response__init(&periods);
    CHECK(dmarc_list(db, &a, 1000, &q, &periods) == 0 && periods.n_periods == 1);
    CHECK(str_eq_z(pb_str(periods.periods[0]->domain), "z.example"));
    close_here(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dmarc),           cmocka_unit_test(test_dmarc_waiting),
        cmocka_unit_test(test_person_and_time), cmocka_unit_test(test_text_is_presentable),
        cmocka_unit_test(test_old_entries_go),  cmocka_unit_test(test_request_heads),
        cmocka_unit_test(test_metrics_text)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
