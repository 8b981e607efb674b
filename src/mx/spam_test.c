/* src/mx/spam: what recipients set decides; forged fields go; whatever is wrong with the scanner, mail comes in. */
#include "lib/base/test.h"
#include "src/mx/service.h"
#include <stdlib.h>
#include <unistd.h>

static struct {
    struct smtp_session s;
    struct mx_own own;
    struct mx_conf conf;
    struct mx_spam_all all;
    struct smtp_io io;
    struct buf scanned, stored;
    unsigned started, ended, cancelled, looked;
    int scan_error, send_error;
    struct lookup *asked[64];
    char domain[100];
} w;

static int fake_scan(struct mx_side_call *c UNUSED, struct str domain,
                     const uint8_t key[SPAM_KEY_BYTES] UNUSED)
{
    w.started++;
    snprintf(w.domain, sizeof w.domain, "%.*s", STR_ARG(domain));
    return w.scan_error;
}

static int fake_send(struct mx_side_call *c UNUSED, struct str bytes)
{
    return w.send_error ? w.send_error : buf_puts(&w.scanned, bytes);
}

static void fake_end(struct mx_side_call *c UNUSED)
{
    w.ended++;
}

static void fake_cancel(struct mx_side_call *c UNUSED)
{
    w.cancelled++;
}

static int fake_lookup(void *ctx UNUSED, struct lookup *q)
{
    w.asked[w.looked++] = q;
    return 0;
}

static const struct mx_spam_io spam_io = { fake_scan, fake_send, fake_end, fake_cancel };

static int setup(void **state UNUSED)
{
    memset(&w, 0, sizeof w);
    w.scanned.max = w.stored.max = MIB(1);
    w.conf = (struct mx_conf){ .spam = true,
                               .spam_header = "4",
                               .spam_junk = "6",
                               .spam_reject = "15",
                               .spam_url_lists = "",
                               .spam_traps = "trap@example.org, Old@example.org",
                               .spam_scan_bytes = KIB(64) };
    w.io.lookup = fake_lookup;
    CHECK(mx_spam_open(&w.all, &w.conf, -1) == 0);
    w.all.io = &spam_io;
    w.own = (struct mx_own){ .conf = &w.conf, .spam.all = &w.all };
    w.s.arena.max = MIB(1);
    w.s.io = &w.io;
    mx_session_serve(&w.s, &w.own);
    w.s.m.last = &w.s.m.recipients;
    w.s.m.last_answer = &w.s.m.answers;
    return 0;
}

static int teardown(void **state UNUSED)
{
    mx_spam_forget(&w.s);
    mx_spam_close(&w.all);
    arena_release(&w.s.arena);
    buf_release(&w.scanned);
    buf_release(&w.stored);
    return 0;
}

static struct smtp_recipient *recipient(const char *address, struct smtp_points points)
{
    struct smtp_mailbox box = { .id = str_from(address), .address = str_from(address), .spam = points };
    struct smtp_recipient **end = w.s.m.last;

    CHECK(smtp_message_add(&w.s.m, &w.s.arena, &(struct smtp_path){ .local = STR("x") }, &box) == 0);
    return *end;
}

static void message(const char *text)
{
    struct str out;

    mx_spam_start(&w.s);
    CHECK(mx_spam_feed(&w.s, str_from(text), false, &out) == 0 && buf_puts(&w.stored, out) == 0);
    CHECK(mx_spam_feed(&w.s, STR(""), true, &out) == 0 && buf_puts(&w.stored, out) == 0);
}

static void scanned_as(uint32_t rule)
{
    struct mx_scanned found = { .rules = &rule, .nrules = 1 };

    mx_spam_scanned(&w.s, 0, &found);
}

static const struct smtp_points none = { .header = 0 };

static void test_thresholds(void **state UNUSED)
{
    static const struct {
        enum spam_rule rule;
        struct smtp_points points;
        bool yes, junk, refused;
    } cases[] = {
        { SPAM_MISSING_DATE, { .header = 0 }, false, false, false }, /* 1 */
        { SPAM_MISSING_DATE, { .header = 50 }, true, false, false },
        { SPAM_MISSING_DATE, { 50, 100, 0 }, true, true, false },
        { SPAM_MISSING_DATE, { 50, 100, 100 }, true, true, true },
        { SPAM_EXE_NAME, { .header = 0 }, true, false, false },   /* 5 */
        { SPAM_EXE_CONTENT, { .header = 0 }, true, true, false }, /* 7 */
        { SPAM_EXE_CONTENT, { .junk = SPAM_NEVER }, true, false, false },
        { SPAM_GTUBE, { .header = 0 }, true, true, true }, /* 100 */
        { SPAM_GTUBE, { .reject = SPAM_NEVER }, true, true, false },
        { SPAM_GTUBE, { SPAM_NEVER, SPAM_NEVER, SPAM_NEVER }, false, false, false },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct smtp_reply *no;
        struct smtp_recipient *r;

        setup(NULL);
        check_case = spam_rows[cases[i].rule].name;
        r = recipient("a@example.org", cases[i].points);
        message("Subject: x\r\n\r\nhi\r\n");
        CHECK(!mx_spam_settled(&w.s) && w.ended == 1 && strcmp(w.domain, "example.org") == 0);
        scanned_as(cases[i].rule);
        CHECK(mx_spam_settled(&w.s));
        no = mx_spam_verdict(&w.s);
        CHECK((no != NULL) == cases[i].refused && r->junk == cases[i].junk);
        CHECK((str_find(r->fields, STR("X-Spam-Status: Yes, score=")) >= 0) == cases[i].yes);
        CHECK(str_find(r->fields, str_from(spam_rows[cases[i].rule].name)) > 0 &&
              str_ends(r->fields, STR("\r\n")));
        if (no)
            CHECK(no->code == 550 && strcmp(no->enh, "5.7.1") == 0 &&
                  strstr(no->text, spam_rows[cases[i].rule].name));
        teardown(NULL);
    }
    setup(NULL);
}

/* One wants it refused, another does not: nobody loses it. */
static void test_recipients_differ(void **state UNUSED)
{
    struct smtp_recipient *a = recipient("a@example.org", (struct smtp_points){ .reject = 500 }),
                          *b = recipient("b@example.org",
                                         (struct smtp_points){ 9000, SPAM_NEVER, SPAM_NEVER }),
                          *c = recipient("c@example.org",
                                         (struct smtp_points){ .junk = SPAM_NEVER, .reject = 500 });

    message("Subject: x\r\n\r\nhi\r\n");
    scanned_as(SPAM_EXE_CONTENT);
    CHECK(mx_spam_verdict(&w.s) == NULL);
    CHECK(a->junk && !b->junk && c->junk); /* c would have it refused: no INBOX for it */
    CHECK(str_find(a->fields, STR("Yes, score=7.0, required=4.0,")) > 0 &&
          str_find(b->fields, STR("No, score=7.0, required=90.0,")) > 0);
}

static void test_forged_fields_go(void **state UNUSED)
{
    recipient("a@example.org", none);
    message("X-Spam-Status: No, score=-100\r\nSubject: x\r\nX-Spam-Level: *\r\n\r\nX-Spam-Score: hi\r\n");
    CHECK(str_eq_z(buf_str(&w.stored), "Subject: x\r\nX-Spam-Level: *\r\n\r\nX-Spam-Score: hi\r\n"));
    CHECK(str_eq(buf_str(&w.stored), buf_str(&w.scanned)));
}

static void check_taken_unscanned(const char *why)
{
    struct smtp_recipient *r = w.s.m.recipients;

    CHECK(mx_spam_settled(&w.s) && mx_spam_verdict(&w.s) == NULL && !r->junk);
    CHECK(str_find(r->fields, STR("X-Spam-Status: No, not scanned (")) == 0 &&
          str_find(r->fields, str_from(why)) > 0);
    CHECK(str_find(r->fields, STR("Score")) < 0);
}

static void test_scanner_down(void **state UNUSED)
{
    recipient("a@example.org", (struct smtp_points){ 1, 1, 1 });
    w.scan_error = E_UNAVAIL;
    message("Subject: x\r\n\r\nhi\r\n");
    check_taken_unscanned("no scanner");
    CHECK(str_eq_z(buf_str(&w.stored), "Subject: x\r\n\r\nhi\r\n"));
}

static void test_scanner_dies(void **state UNUSED)
{
    recipient("a@example.org", (struct smtp_points){ 1, 1, 1 });
    w.send_error = E_CLOSED;
    message("Subject: x\r\n\r\nhi\r\n");
    check_taken_unscanned("scanner gone");
}

static void test_scanner_slow(void **state UNUSED)
{
    recipient("a@example.org", (struct smtp_points){ 1, 1, 1 });
    message("Subject: x\r\n\r\nhi\r\n");
    CHECK(!mx_spam_settled(&w.s));
    mx_spam_give_up(&w.s);
    CHECK(w.cancelled == 1);
    check_taken_unscanned("scanner slow");
    scanned_as(SPAM_GTUBE); /* too late */
    check_taken_unscanned("scanner slow");
}

static void test_scanner_busy(void **state UNUSED)
{
    recipient("a@example.org", none);
    message("Subject: x\r\n\r\nhi\r\n");
    mx_spam_scanned(&w.s, E_BUSY, NULL);
    check_taken_unscanned("scanner busy");
}

static void test_only_the_beginning(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf big = { .max = MIB(1) };
    struct str out;

    recipient("a@example.org", none);
    mx_spam_start(&w.s);
    while (big.n < KIB(60))
        CHECK(buf_putz(&big, "line of a long letter\r\n") == 0);
    CHECK(mx_spam_feed(&w.s, buf_str(&big), false, &out) == 0 && out.n == big.n);
    CHECK(mx_spam_feed(&w.s, buf_str(&big), true, &out) == 0 && out.n == big.n);
    CHECK(w.scanned.n == KIB(64) && w.ended == 1);
}

static void test_exempt(void **state UNUSED)
{
    struct smtp_recipient *r = recipient("a@example.org", none);

    w.own.spam.exempt = true;
    message("X-Spam-Score: 5\r\n\r\nhi\r\n");
    CHECK(w.started == 0 && str_eq_z(buf_str(&w.stored), "X-Spam-Score: 5\r\n\r\nhi\r\n"));
    CHECK(mx_spam_settled(&w.s) && mx_spam_verdict(&w.s) == NULL && r->fields.n == 0 && !r->junk);
}

/* Lists: an answer in 127/8 counts, one that says "you may not ask" does not, silence neither. */
static void test_url_lists(void **state UNUSED)
{
    static const struct {
        uint8_t ip[4];
        bool listed;
    } cases[] = { { { 127, 0, 1, 2 }, true },        { { 127, 0, 0, 2 }, true },  { { 127, 0, 0, 1 }, false },
                  { { 127, 255, 255, 254 }, false }, { { 192, 0, 2, 1 }, false }, { { 0 }, false } };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str host = STR("bad.example.net");
        struct mx_scanned found = { .hosts = &host, .nhosts = 1 };
        struct lookup_record rec = { .text = STR_NONE };
        struct lookup_answer a = { LOOKUP_OK, &rec, 1 };

        setup(NULL);
        w.all.url_lists = (struct peer_lists){ .v = { STR("dbl.example.com") }, .n = 1 };
        recipient("a@example.org", none);
        message("Subject: x\r\n\r\nhi\r\n");
        mx_spam_scanned(&w.s, 0, &found);
        CHECK(w.looked == 1 && str_eq_z(w.asked[0]->name, "bad.example.net.dbl.example.com") &&
              !mx_spam_settled(&w.s));
        memcpy(rec.ip, cases[i].ip, 4);
        if (cases[i].ip[0])
            CHECK(mx_spam_looked_up(&w.s, w.asked[0], &a));
        else
            mx_spam_give_up(&w.s);
        CHECK(mx_spam_settled(&w.s) && mx_spam_verdict(&w.s) == NULL);
        CHECK(w.own.spam.hits.hit[SPAM_URL_LISTED] == cases[i].listed);
        CHECK(str_find(w.s.m.recipients->fields, STR("X-Spam-Score: ")) == 0); /* scanned all the same */
        teardown(NULL);
    }
    setup(NULL);
}

/* The classifier learns what was refused by rules and what came to traps, and nothing that a mailbox holds. */
static void test_learning(void **state UNUSED)
{
    static const struct {
        enum spam_rule rule;
        const char *to;
        uint64_t learnt;
    } cases[] = { { SPAM_CLAMAV, "a", 1 },         { SPAM_EXE_CONTENT, "a", 0 },
                  { SPAM_GTUBE, "a", 0 },          { SPAM_MISSING_DATE, "trap", 1 },
                  { SPAM_MISSING_DATE, "old", 1 }, { SPAM_MISSING_DATE, "trapper", 0 } };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char name[] = "/tmp/letterlock-spam-XXXXXX";
        int fd = mkstemp(name);
        uint32_t rule = cases[i].rule;
        uint64_t tokens[] = { 1, 2, 3 }, spam, ham;
        struct mx_scanned found = { &rule, 1, tokens, 3, NULL, 0 };

        setup(NULL);
        CHECK(fd >= 0 && unlink(name) == 0 && mx_spam_open(&w.all, &w.conf, fd) == 0);
        mx_spam_rcpt(&w.s,
                     &(struct smtp_path){ .local = str_from(cases[i].to), .domain = STR("example.org") });
        recipient("a@example.org", none);
        message("Subject: x\r\n\r\nhi\r\n");
        mx_spam_scanned(&w.s, 0, &found);
        (void)mx_spam_verdict(&w.s);
        spam_model_counts(w.all.model, &spam, &ham);
        check_case = cases[i].to;
        CHECK(spam == cases[i].learnt && ham == 0);
        teardown(NULL);
    }
    setup(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_thresholds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_recipients_differ, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forged_fields_go, setup, teardown),
        cmocka_unit_test_setup_teardown(test_scanner_down, setup, teardown),
        cmocka_unit_test_setup_teardown(test_scanner_dies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_scanner_slow, setup, teardown),
        cmocka_unit_test_setup_teardown(test_scanner_busy, setup, teardown),
        cmocka_unit_test_setup_teardown(test_only_the_beginning, setup, teardown),
        cmocka_unit_test_setup_teardown(test_exempt, setup, teardown),
        cmocka_unit_test_setup_teardown(test_url_lists, setup, teardown),
        cmocka_unit_test_setup_teardown(test_learning, setup, teardown),
    };

    return cmocka_run_group_tests_name("mx_spam", tests, NULL, NULL);
}
