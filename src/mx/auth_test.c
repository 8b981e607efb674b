/* src/mx/auth_test.c: sessions whose messages are checked: what is put before a message, what is taken out of it, who is
 * refused, and that nobody is when the DNS does not answer. Each runs in slices of one byte and whole. */
#include "lib/base/test.h"
#include "lib/base/errors.h"
#include "lib/base/log.h"
#include "lib/mailauth/test_zone.h"
#include "src/mx/service.h"

enum dns { ANSWERS, SILENT, REFUSES, LATE };

static struct world {
    struct smtp_session s;
    struct mx_own own;
    struct mx_conf conf;
    struct buf out, staged;
    enum dns dns;
    struct lookup *asked[LOOKUPS_MAX];
    size_t nasked;
    bool resolving, staging, ended, delivering;
    unsigned deliveries;
    int64_t timer_ms;
    char prepend[KIB(16)];
} w;

static const struct zone_row zone[] = {
    { "good.example", "TXT", "v=spf1 ip4:192.0.2.7 -all", 0 },
    { "_dmarc.good.example", "TXT", "v=DMARC1; p=reject", 0 },
    { "bank.example", "TXT", "v=spf1 -all", 0 },
    { "_dmarc.bank.example", "TXT", "v=DMARC1; p=reject", 0 },
    { "_dmarc.unsure.example", "TXT", "v=DMARC1; p=quarantine", 0 },
};

static int io_reply(void *ctx UNUSED, struct str bytes)
{
    return buf_puts(&w.out, bytes);
}
static bool io_full(void *ctx UNUSED)
{
    return false;
}
static void io_nothing(void *ctx UNUSED)
{
}
static void io_timer(void *ctx UNUSED, int64_t ms)
{
    w.timer_ms = ms;
}
static int io_resolve(void *ctx UNUSED, struct str address UNUSED)
{
    w.resolving = true;
    return 0;
}
static int io_stage(void *ctx UNUSED, uint64_t max UNUSED, uint64_t expected UNUSED)
{
    buf_clear(&w.staged);
    w.staging = true;
    w.ended = false;
    return 0;
}
static size_t io_room(void *ctx UNUSED)
{
    return KIB(64);
}
static int io_send(void *ctx UNUSED, struct str bytes)
{
    CHECK(w.staging && !w.ended);
    return buf_puts(&w.staged, bytes);
}
static void io_end(void *ctx UNUSED)
{
    w.ended = true;
}
static int io_deliver(void *ctx UNUSED, const struct smtp_message *m)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(64) };
    struct str prepend;

    CHECK(smtp_message_prepend(m, &a, m->recipients, &prepend) == 0 && prepend.n < sizeof(w.prepend));
    memcpy(w.prepend, prepend.p, prepend.n);
    w.prepend[prepend.n] = '\0';
    w.delivering = true;
    return 0;
}
static void io_cancel(void *ctx UNUSED)
{
    w.resolving = w.staging = w.delivering = false;
    w.nasked = 0;
}
static int io_lookup(void *ctx UNUSED, struct lookup *q)
{
    CHECK(w.nasked < ARRAY_LEN(w.asked));
    if (w.dns == REFUSES)
        return E_BUSY;
    w.asked[w.nasked++] = q;
    return 0;
}

static const struct smtp_io io = { .reply = io_reply,
                                   .reply_full = io_full,
                                   .start_tls = io_nothing,
                                   .hang_up = io_nothing,
                                   .timer = io_timer,
                                   .resolve = io_resolve,
                                   .stage = io_stage,
                                   .stage_room = io_room,
                                   .stage_send = io_send,
                                   .stage_end = io_end,
                                   .deliver = io_deliver,
                                   .cancel = io_cancel,
                                   .lookup = io_lookup };

static void answer_one(void)
{
    struct lookup *q = w.asked[--w.nasked];
    struct lookup_record r = { .text = STR_NONE };
    struct lookup_answer a = { LOOKUP_NXDOMAIN, &r, 0 };

    for (size_t i = 0; i < ARRAY_LEN(zone); i++) {
        if (!str_eq_z(q->name, zone[i].name) || zone_type(zone[i].type) != q->type)
            continue;
        r = zone_record(q->type, &zone[i]);
        a = (struct lookup_answer){ LOOKUP_OK, &r, 1 };
    }
    mx_session_looked_up(&w.s, q, &a);
}

static void world_answers(void)
{
    static const struct smtp_mailbox box = { .id = { "id", 2 }, .address = { "me@example.test", 15 } };

    if (w.resolving) {
        w.resolving = false;
        smtp_session_resolved(&w.s, 0, SMTP_FOUND, &box);
    }
    while (w.nasked && w.dns == ANSWERS)
        answer_one();
    if (w.staging && w.ended) {
        w.staging = false;
        smtp_session_staged(&w.s, 0, w.staged.n);
    }
    if (w.delivering) {
        w.delivering = false;
        w.deliveries++;
        smtp_session_delivered(&w.s, 0, STR("q1"), 0);
    }
}

static void send_text(struct str in, size_t slice)
{
    while (in.n) {
        size_t used = smtp_session_waits(&w.s) ? 0 : smtp_session_input(&w.s, str_slice(in, 0, slice));

        in = str_skip(in, used);
        world_answers();
        if (!used && !w.resolving && !w.staging && w.s.state == SMTP_ST_CHECKING)
            break;
    }
    world_answers();
}

static void start(enum dns dns)
{
    w = (struct world){ .dns = dns };
    w.out.max = w.staged.max = MIB(1);
    w.conf = (struct mx_conf){ .smtp.max_message_bytes = MIB(1),
                               .smtp.max_recipients = 3,
                               .smtp.max_total_bytes = MIB(4),
                               .smtp.max_errors = 5,
                               .smtp.max_unknown = 4,
                               .smtp.max_junk = 10,
                               .smtp.max_received = 30,
                               .smtp.command_timeout_ms = 300000,
                               .smtp.data_timeout_ms = 180000,
                               .smtp.message_timeout_ms = 3600000,
                               .smtp.max_line = 998,
                               .smtp.postmaster = "",
                               .auth_checks = true,
                               .dmarc_reject = true,
                               .smtp.check_timeout_ms = 777 };
}

static void begin(void)
{
    w.own.conf = &w.conf;
    mx_session_serve(&w.s, &w.own);
    smtp_session_start(&w.s, &w.conf.smtp, &io, &w, STR("mx.test"), STR("192.0.2.7"), false);
}

static void end(void)
{
    smtp_session_release(&w.s);
    buf_release(&w.out);
    buf_release(&w.staged);
}

/* A message; the last reply. */
static struct str message(const char *sender, const char *header, size_t slice)
{
    CLEANUP(buf_release) struct buf in = { .max = KIB(16) };
    struct str out;

    CHECK(buf_printf(&in, "EHLO h.example\r\nMAIL FROM:<%s>\r\nRCPT TO:<me@example.test>\r\nDATA\r\n",
                     sender) == 0);
    send_text(buf_str(&in), slice);
    in.n = 0;
    CHECK(buf_printf(&in, "%s\r\nbody\r\n.\r\n", header) == 0);
    send_text(buf_str(&in), slice);
    out = str_trim(buf_str(&w.out));
    return str_skip(out, (size_t)(str_rchr(out, '\n') + 1));
}

static bool prepended(const char *text)
{
    return strstr(w.prepend, text) != NULL;
}

static const struct {
    const char *name, *sender, *header;
    enum dns dns;
    bool no_reject, exempt;
    const char *reply, *field; /* what the reply begins with, what is put before the message */
} cases[] = {
    { "proved", "a@good.example", "From: a@good.example\r\n", ANSWERS, false, false, "250 2.0.0 Ok",
      "dmarc=pass (p=reject" },
    { "not its own", "x@good.example", "From: a@bank.example\r\n", ANSWERS, false, false, "550 5.7.1 ", "" },
    { "not its own, taken", "x@good.example", "From: a@bank.example\r\n", ANSWERS, true, false,
      "250 2.0.0 Ok", "dmarc=fail (p=reject" },
    { "of a list", "x@good.example", "List-Id: <l.example>\r\nFrom: a@bank.example\r\n", ANSWERS, false,
      false, "250 2.0.0 Ok", "dmarc=fail" },
    { "suspicious only", "x@good.example", "From: a@unsure.example\r\n", ANSWERS, false, false,
      "250 2.0.0 Ok", "asks for quarantine" },
    { "bounce", "", "From: a@good.example\r\n", ANSWERS, false, false, "550 5.7.1 ", "" },
    { "nothing known", "a@none.example", "From: a@none.example\r\n", ANSWERS, false, false, "250 2.0.0 Ok",
      "dmarc=none" },
    { "no DNS at all", "x@good.example", "From: a@bank.example\r\n", REFUSES, false, false, "250 2.0.0 Ok",
      "dmarc=temperror" },
    { "our own machine", "x@good.example", "From: a@bank.example\r\n", ANSWERS, false, true, "250 2.0.0 Ok",
      "" },
};

static void test_cases(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (size_t slice = 1; slice < KIB(64); slice = slice * 60 + 3) {
            struct str last;

            check_case = cases[i].name;
            start(cases[i].dns);
            w.conf.dmarc_reject = !cases[i].no_reject;
            begin();
            w.own.auth_exempt = cases[i].exempt;
            last = message(cases[i].sender, cases[i].header, slice);
            CHECK(str_starts(last, str_from(cases[i].reply)));
            CHECK(prepended(cases[i].field));
            CHECK(!cases[i].exempt || !prepended("Authentication-Results"));
            end();
        }
    }
    check_case = "";
}

static void test_fields(void **state UNUSED)
{
    start(ANSWERS);
    begin();
    CHECK(str_starts(
        message("a@good.example",
                "From: a@good.example\r\nAuthentication-Results: MX.test; dkim=pass\r\n\theader.d=x\r\n"
                "Authentication-Results: other.test; none\r\n",
                3),
        STR("250 2.0.0 Ok")));
    CHECK(str_eq_z(buf_str(&w.staged),
                   "From: a@good.example\r\nAuthentication-Results: other.test; none\r\n\r\nbody\r\n"));
    CHECK(str_starts(
        str_from(w.prepend),
        STR("Return-Path: <a@good.example>\r\nDelivered-To: me@example.test\r\n"
            "Authentication-Results: mx.test;\r\n\tspf=pass smtp.mailfrom=a@good.example;\r\n\tspf=none smtp.helo=h.example;\r\n"
            "\tdkim=none;\r\n\tdmarc=pass (p=reject, asks for none) header.from=good.example\r\n"
            "Received-SPF: pass (mx.test: good.example permits this client)\r\n\tidentity=mailfrom;")));
    CHECK(prepended("\r\nReceived: from h.example ([192.0.2.7])\r\n"));
    end();
}

static void test_silence(void **state UNUSED)
{
    start(SILENT);
    begin();
    (void)message("x@good.example", "From: a@bank.example\r\n", KIB(64));
    CHECK(w.s.state == SMTP_ST_CHECKING && w.timer_ms == 777 && smtp_session_waits(&w.s) &&
          w.deliveries == 0);
    smtp_session_timeout(&w.s);
    world_answers();
    CHECK(w.deliveries == 1 && w.s.state == SMTP_ST_COMMAND && prepended("spf=temperror") &&
          prepended("dmarc=temperror"));
    CHECK(str_find(buf_str(&w.out), STR("250 2.0.0 Ok")) > 0);
    end();
}

static void test_late(void **state UNUSED)
{
    start(LATE);
    begin();
    (void)message("a@good.example", "From: a@good.example\r\n", KIB(64));
    CHECK(w.s.state == SMTP_ST_CHECKING && w.deliveries == 0);
    while (w.nasked)
        answer_one();
    world_answers();
    CHECK(w.deliveries == 1 && prepended("dmarc=pass"));
    (void)message("a@good.example", "From: a@good.example\r\n", KIB(64)); /* and the next one */
    CHECK(w.s.state == SMTP_ST_CHECKING && w.nasked > 0);
    smtp_session_stop(&w.s);
    w.dns = ANSWERS;
    world_answers();
    CHECK(w.deliveries == 2);
    end();
}

static void test_gone(void **state UNUSED)
{
    start(LATE);
    begin();
    (void)message("a@good.example", "From: a@good.example\r\n", KIB(64));
    CHECK(w.s.state == SMTP_ST_CHECKING);
    end(); /* the client hangs up */
    CHECK(w.nasked == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases), cmocka_unit_test(test_fields), cmocka_unit_test(test_silence),
        cmocka_unit_test(test_late),  cmocka_unit_test(test_gone),
    };

    log_init("mx", LOG_ALARM);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
