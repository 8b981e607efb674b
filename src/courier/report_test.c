/* What a sender is told: made with the outcome, once, to who asked, and readable as a report by a parser of its own. */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/test.h"
#include "lib/mime/scan.h"
#include "src/courier/report.h"
#include <unistd.h>

#define START  INT64_C(1790000000000)
#define MINUTE INT64_C(60000)
#define LETTER "Subject: hello\r\nFrom: a@example.test\r\n\r\nbody\r\n"

static const uint8_t key[DB_KEY_BYTES] = { 1 };
static struct queue_rules rules = { .retry_first_ms = MINUTE,
                                    .retry_max_ms = 240 * MINUTE,
                                    .give_up_ms = 5 * 1440 * MINUTE,
                                    .delay_ms = 240 * MINUTE,
                                    .bytes_max = 100,
                                    .per_destination = 20,
                                    .recipients_max = 100 };

static struct queue *fresh(void)
{
    static const char *const ends[] = { "", "-wal", "-shm" };
    CLEANUP(buf_release) struct buf why = { .max = KIB(4) };
    struct queue *q = NULL;
    char path[64], name[80];

    clock_fake(START);
    snprintf(path, sizeof path, "/tmp/report_test.%d.sqlite", (int)getpid());
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
    CHECK(queue_open(path, key, &rules, &q, &why) == 0);
    courier_report_open(STR("mail.example.test"), KIB(64));
    return q;
}

static void add(struct queue *q, struct queue_message m, struct queue_target t)
{
    uint8_t name[QUEUE_NAME_BYTES];
    uint32_t dups;

    t.dest = STR("one.test");
    m.bytes = sizeof LETTER - 1;
    CHECK(queue_begin(q) == 0);
    CHECK(queue_draft(q, false, &m.id) == 0);
    CHECK(queue_put(q, m.id, 0, STR(LETTER)) == 0);
    CHECK(queue_add(q, &m, &t, 1, STR_NONE, name, &dups) == 0);
    CHECK(queue_commit(q) == 0);
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

static void end(struct queue *q, struct queue_claim *c, struct queue_outcome o)
{
    struct queue_counts n = { 0 };

    o.peer = STR("mx.one.test [192.0.2.1]");
    CHECK(queue_begin(q) == 0);
    CHECK(courier_report_done(q, c, &o) == 0);
    CHECK(queue_done(q, c, &o, false, &n) == 0);
    CHECK(queue_commit(q) == 0);
    arena_release(&c->arena);
}

/* The report, if there is one: its bytes and envelope. */
static bool report(struct queue *q, struct buf *out, struct queue_message *m_out, const char *to)
{
    static struct arena a = { .max = MIB(8) };
    struct queue_message *m;
    struct queue_target *t;
    size_t n = 0, targets = 0;

    arena_reset(&a);
    buf_clear(out);
    CHECK(queue_list(q, &a, 0, STR_NONE, 10, &m, &n) == 0);
    for (size_t i = 0; i < n; i++) {
        if (m[i].origin != 2)
            continue;
        CHECK(queue_targets(q, &a, m[i].id, 10, &t, &targets) == 0);
        CHECK(targets == 1 && str_eq_z(t[0].to, to) && m[i].sender.n == 0 && t[0].notify == 1);
        for (uint32_t k = 0; queue_piece(q, m[i].id, k, out) > 0; k++)
            ;
        CHECK(m[i].bytes == out->n);
        *m_out = m[i];
        return true;
    }
    return false;
}

static void has(const struct buf *b, const char *text)
{
    check_case = text;
    CHECK(str_find(buf_str(b), str_from(text)) >= 0);
    check_case = "";
}

static void hasnt(const struct buf *b, const char *text)
{
    check_case = text;
    CHECK(str_find(buf_str(b), str_from(text)) < 0);
    check_case = "";
}

/* multipart/report of three, as RFC 6522 3 wants it; the third part's content. */
static void is_report(const struct buf *b, const char *status, const char *third, const char *fourth)
{
    static struct arena a = { .max = MIB(1) };
    struct mime_part *root, *p;

    arena_reset(&a);
    root = mime_scan_all(&a, buf_str(b));
    CHECK(root && root->kind == MIME_MULTIPART && mime_part_is(root, "multipart", "report") &&
          root->nchildren == 3);
    CHECK(mime_part_is(p = root->first_child, "text", "plain"));
    CHECK(mime_part_is(p = p->next, "message", status));
    CHECK(mime_part_is(p->next, third, fourth));
}

static void test_failure(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf b = { .max = MIB(1) };
    struct queue *q = fresh();
    struct queue_claim c;
    struct queue_message m;

    add(q,
        (struct queue_message){
            .sender = STR("a@example.test"), .envid = STR("QQ314159"), .prepend = STR("X: y\r\n") },
        (struct queue_target){ .to = STR("b@one.test"), .orcpt = STR("rfc822;Bob@old.test") });
    CHECK(claim(q, &c) == 1);
    end(q, &c,
        (struct queue_outcome){
            .result = QUEUE_FAILED, .code = 550, .enhanced = STR("5.1.1"), .text = STR("nobody") });
    CHECK(report(q, &b, &m, "a@example.test"));
    is_report(&b, "delivery-status", "message", "rfc822");
    has(&b, "From: Mail Delivery System <MAILER-DAEMON@mail.example.test>\r\nTo: <a@example.test>\r\n");
    has(&b, "\r\nAuto-Submitted: auto-replied\r\n");
    has(&b,
        "Original-Envelope-Id: QQ314159\r\nReporting-MTA: dns; mail.example.test\r\nArrival-Date: Mon, 21 Sep 2026 14:13:20 +0000\r\n\r\n");
    has(&b,
        "Original-Recipient: rfc822; Bob@old.test\r\nFinal-Recipient: rfc822; b@one.test\r\nAction: failed\r\n"
        "Status: 5.1.1\r\nRemote-MTA: dns; mx.one.test\r\nDiagnostic-Code: smtp; 550 5.1.1 nobody\r\n");
    has(&b, "mx.one.test [192.0.2.1] answered: 550 5.1.1 nobody");
    has(&b, "\r\n\r\nX: y\r\n" LETTER "\r\n--");
    /* Of a report there is none. */
    CHECK(claim(q, &c) == 1);
    CHECK(str_eq_z(c.domain, "example.test"));
    end(q, &c, (struct queue_outcome){ .result = QUEUE_FAILED, .code = 550 });
    CHECK(!report(q, &b, &m, "a@example.test"));
    queue_close(&q);
}

static void test_who_hears(void **state UNUSED)
{
    static const struct {
        const char *name, *sender;
        uint32_t notify;
        enum queue_result result;
        bool relayed, told;
        uint32_t origin;
    } rows[] = {
        { "null sender", "", 0, QUEUE_FAILED, false, false },
        { "never", "a@x.test", 1, QUEUE_FAILED, false, false },
        { "success only", "a@x.test", 2, QUEUE_FAILED, false, false },
        { "failure", "a@x.test", 4, QUEUE_FAILED, false, true },
        { "put off", "a@x.test", 0, QUEUE_DEFERRED, false, false },
        { "untried", "a@x.test", 0, QUEUE_UNTRIED, false, false },
        { "arrived", "a@x.test", 0, QUEUE_DELIVERED, false, false },
        { "arrived, asked", "a@x.test", 2, QUEUE_DELIVERED, false, true },
        { "arrived, and the peer tells", "a@x.test", 2, QUEUE_DELIVERED, true, false },
        { "forward arrived, and the peer is not asked", "a@x.test", 2, QUEUE_DELIVERED, true, true, 1 },
        { "webhook", "a@x.test", 0, QUEUE_FAILED, false, false },
    };
    CLEANUP(buf_release) struct buf b = { .max = MIB(1) };
    struct queue_message m;
    struct queue_claim c;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct queue *q = fresh();
        bool told;

        add(q, (struct queue_message){ .sender = str_from(rows[i].sender), .origin = rows[i].origin },
            (struct queue_target){ .to = STR("b@one.test"),
                                   .notify = rows[i].notify,
                                   .kind = strcmp(rows[i].name, "webhook") == 0 });
        CHECK(claim(q, &c) == 1);
        end(q, &c,
            (struct queue_outcome){ .result = rows[i].result, .code = 250, .relayed = rows[i].relayed });
        told = report(q, &b, &m, "a@x.test");
        check_case = rows[i].name;
        CHECK(told == rows[i].told);
        if (told && rows[i].result == QUEUE_DELIVERED) {
            has(&b, "Action: relayed\r\n");
            is_report(&b, "delivery-status", "text", "rfc822-headers");
            hasnt(&b, "body\r\n");
        }
        queue_close(&q);
    }
    check_case = "";
}

static void event(struct queue *q, bool *late)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(16) };
    struct queue_counts n = { 0 };
    struct queue_message m;
    struct queue_target *t;
    size_t nt;
    int64_t next;

    CHECK(queue_begin(q) == 0);
    CHECK(queue_event(q, &a, &m, &t, &nt, late, &next) == 1);
    if (*late) {
        CHECK(courier_report_late(q, &m, t, nt) == 0);
        CHECK(queue_told(q, m.id) == 0);
    } else {
        CHECK(courier_report_expired(q, &m, t, nt) == 0);
        CHECK(queue_expired(q, &m, &n) == 0);
    }
    CHECK(queue_commit(q) == 0);
}

static void test_late_and_over(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf b = { .max = MIB(1) };
    struct queue *q = fresh();
    struct queue_message m;
    struct queue_claim c;
    bool late = false;

    add(q, (struct queue_message){ .sender = STR("a@x.test"), .ret = 2 },
        (struct queue_target){ .to = STR("b@one.test") });
    CHECK(claim(q, &c) == 1);
    end(q, &c, (struct queue_outcome){ .result = QUEUE_DEFERRED, .code = 451, .text = STR("busy") });
    clock_fake_advance(240 * MINUTE);
    event(q, &late);
    CHECK(late && report(q, &b, &m, "a@x.test"));
    is_report(&b, "delivery-status", "text", "rfc822-headers");
    has(&b,
        "Action: delayed\r\nStatus: 4.0.0\r\nDiagnostic-Code: smtp; 451 busy\r\nWill-Retry-Until: Sat, 26 Sep 2026 14:13:20 +0000\r\n");
    CHECK(claim(q, &c) == 1); /* both may be due: the report is first or second */
    if (!str_eq_z(c.domain, "x.test")) {
        end(q, &c, (struct queue_outcome){ .result = QUEUE_DEFERRED, .code = 451, .text = STR("busy") });
        CHECK(claim(q, &c) == 1);
    }
    end(q, &c, (struct queue_outcome){ .result = QUEUE_DELIVERED });
    clock_fake_advance(5 * 1440 * MINUTE);
    event(q, &late);
    CHECK(!late && report(q, &b, &m, "a@x.test"));
    has(&b, "Action: failed\r\nStatus: 4.4.7\r\n");
    has(&b, "It was tried for 5 days");
    hasnt(&b, "body\r\n");
    queue_close(&q);
}

static void test_internationalized(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf b = { .max = MIB(1) };
    struct queue *q = fresh();
    struct queue_message m;
    struct queue_claim c;

    add(q, (struct queue_message){ .sender = STR("j\xc3\xbcrg@x.test"), .smtputf8 = true },
        (struct queue_target){ .to = STR("\xc3\xa9@one.test") });
    CHECK(claim(q, &c) == 1);
    end(q, &c, (struct queue_outcome){ .result = QUEUE_FAILED, .code = 553 });
    CHECK(report(q, &b, &m, "j\xc3\xbcrg@x.test") && m.smtputf8 && m.eightbit);
    is_report(&b, "global-delivery-status", "message", "global");
    has(&b, "Final-Recipient: utf-8; \xc3\xa9@one.test\r\n");
    CHECK(claim(q, &c) == 1);
    end(q, &c, (struct queue_outcome){ .result = QUEUE_DELIVERED });
    add(q, (struct queue_message){ .sender = STR("a@x.test") },
        (struct queue_target){ .to = STR("\xc3\xa9@one.test") });
    CHECK(claim(q, &c) == 1);
    end(q, &c, (struct queue_outcome){ .result = QUEUE_FAILED, .code = 553 });
    CHECK(report(q, &b, &m, "a@x.test") && !m.smtputf8);
    has(&b, "Final-Recipient: utf-8; \\x{E9}@one.test\r\n"); /* RFC 6533 3 */
    queue_close(&q);
}

/* Where an alias leads to is not told to who writes to it. */
static void test_forward(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf b = { .max = MIB(1) };
    struct queue *q = fresh();
    struct queue_message m;
    struct queue_claim c;

    add(q, (struct queue_message){ .sender = STR("a@x.test"), .origin = 1 },
        (struct queue_target){ .to = STR("secret@one.test"), .alias = STR("shop@example.test") });
    CHECK(claim(q, &c) == 1);
    end(q, &c,
        (struct queue_outcome){
            .result = QUEUE_FAILED, .code = 550, .enhanced = STR("5.1.1"), .text = STR("secret who?") });
    CHECK(report(q, &b, &m, "a@x.test"));
    has(&b, "Final-Recipient: rfc822; shop@example.test\r\n");
    hasnt(&b, "secret");
    hasnt(&b, "one.test");
    queue_close(&q);
}

/* What came to the mx, for who asked (NOTIFY=SUCCESS): once for each action, with the header and nothing else. */
static void test_arrived(void **state UNUSED)
{
    const struct courier_arrival v[] = {
        { COURIER_DELIVERED, STR("Ann@example.test"), STR("rfc822;Old+2BAnn@x.test") },
        { COURIER_DELIVERED, STR("bob@example.test"), STR("utf-8;b\\x{F6}b@x.test") },
        { COURIER_EXPANDED, STR("all@example.test"), STR("") },
    };
    CLEANUP(buf_release) struct buf b = { .max = MIB(1) };
    struct queue *q = fresh();
    struct queue_message m = { .sender = STR("a@x.test"),
                               .envid = STR("Q 1+"),
                               .prepend = STR("Subject: hello\r\n\r\n"),
                               .created_ms = START };
    struct queue_message got;

    rules.bytes_max = MIB(1);
    CHECK(queue_begin(q) == 0 && courier_report_arrived(q, &m, v, 2) == 0 && queue_commit(q) == 0);
    CHECK(report(q, &b, &got, "a@x.test"));
    is_report(&b, "delivery-status", "text", "rfc822-headers");
    has(&b, "\r\nAuto-Submitted: auto-replied\r\n");
    has(&b, "Original-Envelope-Id: Q 1+\r\nReporting-MTA: dns; mail.example.test\r\n");
    has(&b, "Original-Recipient: rfc822; Old+Ann@x.test\r\nFinal-Recipient: rfc822; Ann@example.test\r\n"
            "Action: delivered\r\nStatus: 2.0.0\r\n\r\nOriginal-Recipient: utf-8; b\\x{F6}b@x.test\r\n");
    has(&b, "\r\n\r\nSubject: hello\r\n\r\n--");
    hasnt(&b, "Remote-MTA");
    queue_close(&q);

    q = fresh();
    CHECK(queue_begin(q) == 0 && courier_report_arrived(q, &m, v + 2, 1) == 0 && queue_commit(q) == 0);
    CHECK(report(q, &b, &got, "a@x.test"));
    has(&b, "Final-Recipient: rfc822; all@example.test\r\nAction: expanded\r\nStatus: 2.0.0\r\n");
    hasnt(&b, "Original-Recipient");
    queue_close(&q);

    q = fresh(); /* RFC 3461 5.2: never to nobody */
    m.sender = STR("");
    CHECK(queue_begin(q) == 0 && courier_report_arrived(q, &m, v, 3) == 0 && queue_commit(q) == 0);
    CHECK(!report(q, &b, &got, ""));
    queue_close(&q);

    q = fresh(); /* a stranger's wish waits when the queue is full */
    m.sender = STR("a@x.test");
    rules.bytes_max = 10;
    CHECK(queue_begin(q) == 0 && courier_report_arrived(q, &m, v, 3) == E_FULL && queue_commit(q) == 0);
    rules.bytes_max = 100;
    queue_close(&q);
}

static void test_onward(void **state UNUSED)
{
    static const struct {
        uint32_t origin, notify, want;
    } rows[] = { { 0, 2, 2 },     { 0, 0, 0 }, { 1, 0, 0 },  { 1, 2, 1 },
                 { 1, 2 | 4, 4 }, { 1, 1, 1 }, { 1, 12, 12 } };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct queue_message m = { .origin = rows[i].origin };

        CHECK(courier_notify_onward(&m, rows[i].notify) == rows[i].want);
    }
}

struct days {
    int64_t tries[200];
    size_t ntries, delays, failures;
    int64_t delay_ms, failure_ms;
};

/* What is due now: a report is delivered, the letter is put off, or ends whoever delivers it. */
static void day_try(struct queue *q, struct queue_claim *c, struct days *d, bool deadly)
{
    CLEANUP(buf_release) struct buf b = { .max = MIB(1) };
    int64_t now = clock_wall_ms() - START;
    struct queue_counts n = { 0 };
    struct queue_outcome o = { .result = deadly ? QUEUE_UNTRIED : QUEUE_DEFERRED,
                               .died = deadly,
                               .code = 451,
                               .enhanced = STR("4.2.1"),
                               .text = STR("busy") };

    if (c->m.origin != 2) {
        CHECK(d->ntries < ARRAY_LEN(d->tries));
        d->tries[d->ntries++] = now;
    } else {
        o.result = QUEUE_DELIVERED;
        for (uint32_t k = 0; queue_piece(q, c->m.id, k, &b) > 0; k++)
            ;
        if (str_find(buf_str(&b), STR("Action: delayed")) >= 0) {
            has(&b, "Will-Retry-Until: ");
            d->delays++;
            d->delay_ms = now;
        } else {
            has(&b, "Status: 4.4.7");
            d->failures++;
            d->failure_ms = now;
        }
    }
    CHECK(queue_begin(q) == 0);
    CHECK(queue_done(q, c, &o, false, &n) == 0);
    CHECK(queue_commit(q) == 0);
}

static int day_event(struct queue *q, int64_t *next)
{
    struct arena a = { .max = MIB(1) };
    struct queue_counts n = { 0 };
    struct queue_message m;
    struct queue_target *t;
    bool late = false;
    size_t nt = 0;
    int r;

    CHECK(queue_begin(q) == 0);
    if ((r = queue_event(q, &a, &m, &t, &nt, &late, next)) > 0) {
        CHECK((late ? courier_report_late(q, &m, t, nt) : courier_report_expired(q, &m, t, nt)) == 0);
        CHECK((late ? queue_told(q, m.id) : queue_expired(q, &m, &n)) == 0);
    }
    CHECK(queue_commit(q) == 0);
    arena_release(&a);
    return r;
}

/* A letter from its first try to its end, the clock leaping from one event to the next. */
static struct days live(struct queue *q, bool deadly)
{
    struct days d = { .ntries = 0 };
    struct queue_totals left = { .messages = 1 };

    add(q, (struct queue_message){ .sender = STR("a@example.test") },
        (struct queue_target){ .to = STR("b@one.test") });
    for (int steps = 0; left.messages > 0; steps++) {
        int64_t event = INT64_MAX, due = INT64_MAX;
        struct queue_claim c = { .arena = { .max = MIB(1) } };

        CHECK(steps < 10000);
        while (day_event(q, &event) > 0)
            ;
        CHECK(queue_begin(q) == 0);
        if (queue_claim(q, &c, &due) == 1)
            due = 0;
        CHECK(queue_commit(q) == 0);
        if (due == 0)
            day_try(q, &c, &d, deadly);
        else if ((due = due < event ? due : event) < INT64_MAX && due > clock_wall_ms())
            clock_fake_advance(due - clock_wall_ms());
        arena_release(&c.arena);
        CHECK(queue_totals(q, &left) == 0);
    }
    return d;
}

/* Five days of "later": pauses that grow by half, give or take a fifth, up to four hours; one word of the delay, one of the end. */
static void test_five_days(void **state UNUSED)
{
    struct queue *q;
    int64_t pause = MINUTE;
    struct days d;

    rules.bytes_max = KIB(100);
    q = fresh();
    d = live(q, false);
    CHECK(d.tries[0] == 0);
    for (size_t i = 1; i < d.ntries; i++) {
        int64_t was = d.tries[i] - d.tries[i - 1];

        CHECK(was >= pause - pause / 5 - 1 && was <= pause + pause / 5 + 1);
        pause = pause + pause / 2 < 240 * MINUTE ? pause + pause / 2 : 240 * MINUTE;
    }
    CHECK(d.ntries > 30 && d.ntries < 60); /* 14 until the pauses are longest, then one in four hours */
    CHECK(d.delays == 1 && d.delay_ms == 240 * MINUTE);
    CHECK(d.failures == 1 && d.failure_ms == 5 * 1440 * MINUTE);
    queue_close(&q);
}

/* What was set aside and nobody looked at: no try more, but its sender is told both. */
static void test_aside(void **state UNUSED)
{
    struct queue *q = fresh();
    struct days d = live(q, true);

    CHECK(d.ntries == QUEUE_DEATHS_MAX);
    CHECK(d.delays == 1 && d.failures == 1 && d.failure_ms == 5 * 1440 * MINUTE);
    queue_close(&q);
}

/* In the person's language: what was set, else what the letter says, else English. */
static void test_language(void **state UNUSED)
{
    static const struct {
        const char *name, *set, *header, *tag, *subject, *line;
    } cases[] = {
        { "set", "de-AT", "Accept-Language: fr\r\n", "de",
          "Subject: Ihre Nachricht konnte nicht zugestellt werden\r\n",
          "mx.one.test [192.0.2.1] antwortete: 550 5.1.1 nobody\r\n        Diese Adresse hat niemand.\r\n" },
        { "in the letter", "", "Accept-Language: xx, fr-CA, en\r\n", "fr",
          "Subject: =?utf-8?B?Vm90cmUgbWVzc2FnZSBuJ2EgcGFzIHB1IMOqdHJlIHJlbWlz?=\r\n",
          "Personne n'a cette adresse." },
        { "of the letter", "", "Content-Language: pl\r\n", "pl", "Subject: =?utf-8?B?",
          "Nikt nie ma takiego adresu." },
        { "unknown", "tlh", "Content-Language: xx\r\n", "en",
          "Subject: Your message could not be delivered\r\n", "Nobody has that address." },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_release) struct buf b = { .max = MIB(1) };
        CLEANUP(buf_release) struct buf field = { .max = 100 };
        struct queue *q = fresh();
        struct queue_claim c;
        struct queue_message m;

        check_case = cases[i].name;
        add(q,
            (struct queue_message){ .sender = STR("a@example.test"),
                                    .tls_optional = i == 0,
                                    .language = str_from(cases[i].set),
                                    .prepend = str_from(cases[i].header) },
            (struct queue_target){ .to = STR("b@one.test") });
        CHECK(claim(q, &c) == 1);
        CHECK(str_eq_z(c.m.language, cases[i].set));
        end(q, &c,
            (struct queue_outcome){
                .result = QUEUE_FAILED, .code = 550, .enhanced = STR("5.1.1"), .text = STR("nobody") });
        CHECK(report(q, &b, &m, "a@example.test"));
        is_report(&b, "delivery-status", "message", "rfc822");
        CHECK(buf_printf(&field, "\r\nContent-Language: %s\r\n", cases[i].tag) == 0);
        has(&b, (const char *)field.p);
        has(&b, cases[i].subject);
        has(&b, cases[i].line);
        /* Who would rather have his letter arrive than safely says so of what is told of it. */
        CHECK(m.tls_optional == (i == 0));
        CHECK((str_find(buf_str(&b), STR("\r\nTLS-Required: No\r\n")) >= 0) == (i == 0));
        queue_close(&q);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failure),       cmocka_unit_test(test_who_hears),
        cmocka_unit_test(test_late_and_over), cmocka_unit_test(test_internationalized),
        cmocka_unit_test(test_forward),       cmocka_unit_test(test_arrived),
        cmocka_unit_test(test_onward),        cmocka_unit_test(test_five_days),
        cmocka_unit_test(test_aside),         cmocka_unit_test(test_language),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
