/* src/mx/policy_test.c: sessions with a client that is not trusted, a DNS made up here, and what is said at RCPT. */
#include "src/mx/policy.h"
#include "lib/base/test.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/log.h"
#include "src/mx/service.h"
#include <arpa/inet.h>
#include <netinet/in.h>

#define MINUTE INT64_C(60000)

static struct world {
    struct smtp_session s;
    struct mx_own own;
    struct mx_conf conf;
    struct mx_policies policies;
    struct buf out, waiting;
    struct lookup *asked[64];
    size_t nasked, lookups;
    bool resolving, staging, delivering, hung_up, silent;
    int64_t timer_ms;
} w;

/* The DNS: "type name text"; a name that is not here does not exist. */
static const struct {
    enum lookup_type type;
    const char *name, *text;
    enum lookup_status status;
} zone[] = {
    { LOOKUP_MX, "good.example", "mx.good.example", LOOKUP_OK },
    { LOOKUP_MX, "null.example", ".", LOOKUP_OK },
    { LOOKUP_MX, "host.example", "", LOOKUP_NODATA },
    { LOOKUP_A, "host.example", "", LOOKUP_OK },
    { LOOKUP_AAAA, "host.example", "", LOOKUP_NODATA },
    { LOOKUP_MX, "six.example", "", LOOKUP_NODATA },
    { LOOKUP_A, "six.example", "", LOOKUP_FAILED },
    { LOOKUP_AAAA, "six.example", "", LOOKUP_OK },
    { LOOKUP_MX, "empty.example", "", LOOKUP_NODATA },
    { LOOKUP_A, "empty.example", "", LOOKUP_NODATA },
    { LOOKUP_AAAA, "empty.example", "", LOOKUP_NODATA },
    { LOOKUP_MX, "broken.example", "", LOOKUP_FAILED },
    { LOOKUP_MX, "half.example", "", LOOKUP_NODATA },
    { LOOKUP_A, "half.example", "", LOOKUP_FAILED },
    { LOOKUP_AAAA, "half.example", "", LOOKUP_NODATA },
    { LOOKUP_A, "client.example", "", LOOKUP_OK },
    { LOOKUP_AAAA, "client.example", "", LOOKUP_NODATA },
    { LOOKUP_A, "broken-client.example", "", LOOKUP_FAILED },
    { LOOKUP_TXT, "good.example", "v=spf1 ip4:192.0.2.7 -all", LOOKUP_OK },
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
static void io_hang_up(void *ctx UNUSED)
{
    w.hung_up = true;
}
static void io_timer(void *ctx UNUSED, int64_t ms)
{
    w.timer_ms = ms;
}
static int io_resolve(void *ctx UNUSED, struct str address)
{
    w.resolving = true;
    buf_clear(&w.waiting);
    return buf_puts(&w.waiting, address);
}
static int io_stage(void *ctx UNUSED, uint64_t max UNUSED, uint64_t expected UNUSED)
{
    w.staging = true;
    return 0;
}
static size_t io_room(void *ctx UNUSED)
{
    return KIB(64);
}
static int io_send(void *ctx UNUSED, struct str bytes UNUSED)
{
    return 0;
}
static int io_deliver(void *ctx UNUSED, const struct smtp_message *m UNUSED)
{
    w.delivering = true;
    return 0;
}
static void io_cancel(void *ctx UNUSED)
{
    w.nasked = 0;
    w.resolving = w.staging = w.delivering = false;
}
static int io_lookup(void *ctx UNUSED, struct lookup *q)
{
    CHECK(w.nasked < ARRAY_LEN(w.asked));
    w.asked[w.nasked++] = q;
    w.lookups++;
    return 0;
}
static const struct smtp_io io = { io_reply, io_full, io_nothing, io_hang_up, io_timer,  io_resolve, io_stage,
                                   io_room,  io_send, io_nothing, io_deliver, io_cancel, io_lookup };

static void answer_lookup(struct lookup *q)
{
    struct lookup_record r = { .text = STR("") };
    struct lookup_answer a = { .status = LOOKUP_NXDOMAIN, .records = &r };

    for (size_t i = 0; i < ARRAY_LEN(zone); i++)
        if (zone[i].type == q->type && str_eq_z(q->name, zone[i].name)) {
            a.status = zone[i].status;
            r.text = str_from(zone[i].text);
            a.n = a.status == LOOKUP_OK;
        }
    mx_session_looked_up(&w.s, q, &a);
}

/* As the role does: a recipient waits for what is looked up. */
static void world_answers(void)
{
    static const struct smtp_mailbox box = { .id = { "box", 3 },
                                             .address = { "hello@example.test", 18 },
                                             .nkey_states = 1,
                                             .key_states = { { "state", 5 } } };

    while (w.nasked && !w.silent)
        answer_lookup(w.asked[--w.nasked]);
    if (w.resolving && mx_policy_ready(&w.s)) {
        w.resolving = false;
        smtp_session_resolved(&w.s, 0, SMTP_FOUND, &box);
    }
    if (w.s.state == SMTP_ST_STAGING) {
        w.staging = false;
        smtp_session_staged(&w.s, 0, w.s.m.staged);
    }
    while (w.nasked && !w.silent)
        answer_lookup(w.asked[--w.nasked]);
    if (w.delivering) {
        w.delivering = false;
        smtp_session_delivered(&w.s, 0, STR("q1"), 0);
    }
}

/* Say a line; returns the code of the last reply, 0 when there is none yet. */
static unsigned say(const char *line)
{
    CLEANUP(buf_release) struct buf in = { .max = KIB(4) };
    struct str last, rest;

    buf_clear(&w.out);
    CHECK(buf_printf(&in, "%s\r\n", line) == 0);
    for (size_t used = 1; in.n && used && !w.hung_up; world_answers()) {
        used = smtp_session_input(&w.s, buf_str(&in));
        buf_drop(&in, used);
    }
    world_answers();
    rest = buf_str(&w.out);
    for (last = STR(""); rest.n && str_cut(rest, '\n', &last, &rest);)
        ;
    return last.n > 3 ? (unsigned)((last.p[0] - '0') * 100 + (last.p[1] - '0') * 10 + (last.p[2] - '0')) : 0;
}

static bool said(const char *text)
{
    return str_find(buf_str(&w.out), str_from(text)) >= 0;
}

static void world_init(void)
{
    w = (struct world){ .out.max = KIB(64), .waiting.max = KIB(2) };
    w.conf = (struct mx_conf){
        .smtp = { .max_message_bytes = MIB(1),
                  .max_recipients = 100,
                  .max_total_bytes = MIB(8),
                  .max_line = 998,
                  .max_errors = 20,
                  .max_unknown = 20,
                  .max_junk = 100,
                  .max_received = 25,
                  .command_timeout_ms = 1000,
                  .data_timeout_ms = 1000,
                  .message_timeout_ms = 60000,
                  .check_timeout_ms = 1000,
                  .postmaster = "" },
        .helo_check = MX_HELO_OWN,
        .sender_check = MX_SENDER_CHECK_KNOWN,
        .network_bits_v4 = 24,
        .network_bits_v6 = 56,
        .auth_checks = true,
    };
    w.policies.limits = limits_new(1024);
    CHECK(w.policies.limits);
}

static void world_connect(const char *ip)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET };

    CHECK(inet_pton(AF_INET, ip, &v4.sin_addr) == 1);
    buf_clear(&w.out);
    w.hung_up = w.resolving = w.staging = w.delivering = false;
    w.nasked = 0;
    w.own = (struct mx_own){ .conf = &w.conf, .policy = { .all = &w.policies, .local_ip = "198.51.100.1" } };
    mx_policy_network((struct sockaddr *)(void *)&v4, &w.conf, w.own.policy.network);
    w.s = (struct smtp_session){ .error_delay_ms = w.s.error_delay_ms, .greet_delay_ms = w.s.greet_delay_ms };
    mx_session_serve(&w.s, &w.own);
    smtp_session_start(&w.s, &w.conf.smtp, &io, &w, STR("mx.example.test"), str_from(ip), false);
}

static void world_disconnect(void)
{
    smtp_session_release(&w.s);
    mx_policy_forget(&w.s);
}

static void world_end(void)
{
    world_disconnect();
    limits_free(&w.policies.limits);
    greylist_free(&w.policies.grey);
    buf_release(&w.out);
    buf_release(&w.waiting);
}

/* One message from there, up to RCPT. */
static unsigned rcpt(const char *ip, const char *ehlo, const char *from, const char *to)
{
    char line[600];
    unsigned code;

    world_connect(ip);
    snprintf(line, sizeof line, "EHLO %s", ehlo);
    CHECK(say(line) == 250);
    snprintf(line, sizeof line, "MAIL FROM:<%s>", from);
    if ((code = say(line)) == 250) {
        snprintf(line, sizeof line, "RCPT TO:<%s>", to);
        code = say(line);
    }
    world_disconnect();
    return code;
}

static void test_networks(void **state UNUSED)
{
    static const struct {
        const char *ip, *network;
    } cases[] = { { "192.0.2.77", "192.0.2.0/24" },
                  { "2001:db8:1:2ff:3::4", "2001:db8:1:200::/56" },
                  { "::ffff:192.0.2.1", "192.0.2.0/24" } };
    struct mx_conf c = { .network_bits_v4 = 24, .network_bits_v6 = 56 };
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    char text[MX_NETWORK_TEXT_MAX];

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
        bool six = strchr(cases[i].ip, ':');

        check_case = cases[i].ip;
        CHECK(inet_pton(six ? AF_INET6 : AF_INET, cases[i].ip,
                        six ? (void *)&v6.sin6_addr : (void *)&v4.sin_addr) == 1);
        mx_policy_network(six ? (struct sockaddr *)(void *)&v6 : (struct sockaddr *)(void *)&v4, &c, text);
        CHECK(strcmp(text, cases[i].network) == 0);
    }
    check_case = "";
    c.network_bits_v4 = 30;
    mx_policy_network((struct sockaddr *)(void *)&v4, &c, text);
    CHECK(strcmp(text, "192.0.2.76/30") == 0);
}

static void test_names(void **state UNUSED)
{
    static const struct {
        const char *name, *ehlo, *from;
        uint32_t helo, sender;
        unsigned code;
        const char *enh;
    } cases[] = {
        { "fine", "client.example", "a@good.example", MX_HELO_RESOLVE, MX_SENDER_CHECK_STRICT, 250, "2.1.5" },
        { "NULL MX", "client.example", "a@null.example", MX_HELO_OWN, MX_SENDER_CHECK_KNOWN, 550, "5.7.27" },
        { "NULL MX, noted", "client.example", "a@null.example", MX_HELO_OWN, MX_SENDER_CHECK_NOTE, 250,
          "2.1.5" },
        { "NULL MX, off", "client.example", "a@null.example", MX_HELO_OFF, MX_SENDER_CHECK_OFF, 250,
          "2.1.5" },
        { "no domain", "client.example", "a@none.example", MX_HELO_OWN, MX_SENDER_CHECK_KNOWN, 550, "5.1.8" },
        { "address only", "client.example", "a@host.example", MX_HELO_OWN, MX_SENDER_CHECK_STRICT, 250,
          "2.1.5" },
        { "IPv6 only, A fails", "client.example", "a@six.example", MX_HELO_OWN, MX_SENDER_CHECK_STRICT, 250,
          "2.1.5" },
        { "neither", "client.example", "a@empty.example", MX_HELO_OWN, MX_SENDER_CHECK_KNOWN, 550, "5.1.8" },
        { "DNS down", "client.example", "a@broken.example", MX_HELO_OWN, MX_SENDER_CHECK_KNOWN, 250,
          "2.1.5" },
        { "DNS down, strict", "client.example", "a@broken.example", MX_HELO_OWN, MX_SENDER_CHECK_STRICT, 450,
          "4.1.8" },
        { "half down", "client.example", "a@half.example", MX_HELO_OWN, MX_SENDER_CHECK_KNOWN, 250, "2.1.5" },
        { "half down, strict", "client.example", "a@half.example", MX_HELO_OWN, MX_SENDER_CHECK_STRICT, 450,
          "4.1.8" },
        { "null sender", "client.example", "", MX_HELO_OWN, MX_SENDER_CHECK_STRICT, 250, "2.1.5" },
        { "literal", "client.example", "a@[192.0.2.7]", MX_HELO_OWN, MX_SENDER_CHECK_STRICT, 250, "2.1.5" },
        { "no dot", "client.example", "a@localhost", MX_HELO_OWN, MX_SENDER_CHECK_KNOWN, 550, "5.1.8" },
        { "a number", "client.example", "a@192.0.2.7", MX_HELO_OWN, MX_SENDER_CHECK_KNOWN, 550, "5.1.8" },
        { "our name", "MX.example.TEST", "a@good.example", MX_HELO_OWN, MX_SENDER_CHECK_KNOWN, 550, "5.7.1" },
        { "our address", "198.51.100.1", "a@good.example", MX_HELO_OWN, MX_SENDER_CHECK_KNOWN, 550, "5.7.1" },
        { "our literal", "[198.51.100.1]", "a@good.example", MX_HELO_OWN, MX_SENDER_CHECK_KNOWN, 550,
          "5.7.1" },
        { "our name, noted", "mx.example.test", "a@good.example", MX_HELO_NOTE, MX_SENDER_CHECK_KNOWN, 250,
          "2.1.5" },
        { "another's literal", "[203.0.113.9]", "a@good.example", MX_HELO_RESOLVE, MX_SENDER_CHECK_KNOWN, 250,
          "2.1.5" },
        { "no host name", "not_a+name", "a@good.example", MX_HELO_OWN, MX_SENDER_CHECK_KNOWN, 250, "2.1.5" },
        { "no host name, refused", "not!a!name", "a@good.example", MX_HELO_SYNTAX, MX_SENDER_CHECK_KNOWN, 550,
          "5.7.1" },
        { "unknown name", "nowhere.example", "a@good.example", MX_HELO_SYNTAX, MX_SENDER_CHECK_KNOWN, 250,
          "2.1.5" },
        { "unknown name, refused", "nowhere.example", "a@good.example", MX_HELO_RESOLVE,
          MX_SENDER_CHECK_KNOWN, 550, "5.7.1" },
        { "name, DNS down", "broken-client.example", "a@good.example", MX_HELO_RESOLVE, MX_SENDER_CHECK_KNOWN,
          250, "2.1.5" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        check_case = cases[i].name;
        world_init();
        w.conf.helo_check = cases[i].helo;
        w.conf.sender_check = cases[i].sender;
        CHECK(rcpt("192.0.2.7", cases[i].ehlo, cases[i].from, "hello@example.test") == cases[i].code);
        CHECK(said(cases[i].enh));
        CHECK(cases[i].helo != MX_HELO_OFF || w.lookups == 0);
        CHECK(rcpt("192.0.2.7", cases[i].ehlo, cases[i].from, "postmaster@example.test") ==
              250); /* RFC 5321 4.5.1 */
        world_end();
    }
    check_case = "";
}

/* Nobody who is trusted is asked anything. */
static void test_trusted(void **state UNUSED)
{
    world_init();
    w.conf.recipient_rate = 1;
    w.conf.helo_check = MX_HELO_RESOLVE;
    world_connect("192.0.2.7");
    w.own.policy.trusted = true;
    CHECK(say("EHLO mx.example.test") == 250 && say("MAIL FROM:<a@null.example>") == 250);
    for (int i = 0; i < 3; i++)
        CHECK(say("RCPT TO:<hello@example.test>") == 250);
    CHECK(w.lookups == 0);
    world_end();
}

/* RCPT waits for the DNS, and RSET ends the wait. */
static void test_waits(void **state UNUSED)
{
    world_init();
    world_connect("192.0.2.7");
    w.silent = true;
    CHECK(say("EHLO client.example") == 250 && say("MAIL FROM:<a@null.example>") == 250);
    CHECK(say("RCPT TO:<hello@example.test>") == 0 && smtp_session_waits(&w.s) && w.nasked > 0);
    w.silent = false;
    world_answers();
    CHECK(said("550 5.7.27") && !smtp_session_waits(&w.s));
    CHECK(say("RSET") == 250 && say("MAIL FROM:<a@good.example>") == 250);
    CHECK(say("RCPT TO:<hello@example.test>") == 250);
    world_end();
}

static void test_rates(void **state UNUSED)
{
    world_init();
    clock_fake(0);
    w.conf.connection_rate = 2;
    CHECK(mx_policy_connect(&w.policies, &w.conf, "192.0.2.0/24") &&
          mx_policy_connect(&w.policies, &w.conf, "192.0.2.0/24"));
    CHECK(!mx_policy_connect(&w.policies, &w.conf, "192.0.2.0/24") &&
          mx_policy_connect(&w.policies, &w.conf, "192.0.3.0/24"));
    clock_fake_advance(MINUTE / 2);
    CHECK(mx_policy_connect(&w.policies, &w.conf, "192.0.2.0/24"));

    w.conf.recipient_rate = 3;
    for (int i = 0; i < 3; i++)
        CHECK(rcpt("192.0.2.7", "client.example", "a@good.example", "hello@example.test") == 250);
    CHECK(rcpt("192.0.2.8", "client.example", "a@good.example", "hello@example.test") == 450 &&
          said("4.7.1"));
    CHECK(rcpt("192.0.3.8", "client.example", "a@good.example", "hello@example.test") == 250);
    clock_fake_advance(20 * MINUTE);
    CHECK(rcpt("192.0.2.7", "client.example", "a@good.example", "hello@example.test") == 250);

    w.conf.recipient_rate = 0;
    w.conf.sender_rate = 1;
    CHECK(rcpt("192.0.2.7", "client.example", "a@good.example", "hello@example.test") == 250);
    CHECK(rcpt("192.0.9.9", "client.example", "b@GOOD.example", "hello@example.test") == 450 &&
          said("4.7.1"));
    CHECK(rcpt("192.0.2.7", "client.example", "a@host.example", "hello@example.test") == 250);
    for (int i = 0; i < 3; i++)
        CHECK(rcpt("192.0.2.7", "client.example", "", "hello@example.test") ==
              250); /* reports have no domain */
    world_end();
    clock_real();
}

static void grey_on(void)
{
    const struct greylist_conf c = { 5 * MINUTE, 1440 * MINUTE, 36 * 1440 * MINUTE, 1024 };

    w.policies.grey = greylist_new(&c);
    CHECK(w.policies.grey && peer_lists_parse(STR("good.example, mail.example"), &w.policies.known) == 0);
}

static void test_greylist(void **state UNUSED)
{
    world_init();
    clock_fake(0);
    grey_on();
    CHECK(rcpt("192.0.2.7", "client.example", "a@host.example", "hello@example.test") == 450 &&
          said("4.7.1"));
    CHECK(rcpt("192.0.2.7", "client.example", "a@host.example", "postmaster@example.test") == 250);
    clock_fake_advance(5 * MINUTE);
    CHECK(rcpt("192.0.2.9", "client.example", "a@host.example", "hello@example.test") == 250);

    world_connect("192.0.2.7"); /* his verified name is a known one */
    smtp_session_peer(&w.s, STR("out.mail.example"), STR_NONE);
    CHECK(say("EHLO client.example") == 250 && say("MAIL FROM:<x@host.example>") == 250);
    CHECK(say("RCPT TO:<hello@example.test>") == 250);
    world_disconnect();
    world_connect("192.0.2.7"); /* a list allows him */
    w.own.policy.allowed = true;
    CHECK(say("EHLO client.example") == 250 && say("MAIL FROM:<y@host.example>") == 250);
    CHECK(say("RCPT TO:<hello@example.test>") == 250);
    world_end();
    clock_real();
}

/* A known domain in MAIL FROM passes when it is proved, which is known after the message. */
static void test_greylist_proved(void **state UNUSED)
{
    static const struct {
        const char *ip;
        unsigned code;
    } cases[] = { { "192.0.2.7", 250 }, { "203.0.113.7", 450 } };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        world_init();
        grey_on();
        check_case = cases[i].ip;
        world_connect(cases[i].ip);
        CHECK(say("EHLO client.example") == 250 && say("MAIL FROM:<a@good.example>") == 250);
        CHECK(say("RCPT TO:<hello@example.test>") == 250 && say("DATA") == 354);
        CHECK(say("From: a@good.example\r\n\r\nhello\r\n.") == cases[i].code);
        world_end();
    }
    check_case = "";
}

static void test_listed(void **state UNUSED)
{
    world_init();
    world_connect("192.0.2.7");
    smtp_session_peer(&w.s, STR(""), STR("bl.example"));
    CHECK(say("EHLO client.example") == 250 && say("MAIL FROM:<a@good.example>") == 250);
    CHECK(say("RCPT TO:<hello@example.test>") == 550 && said("192.0.2.7") && said("bl.example"));
    CHECK(say("RCPT TO:<postmaster@example.test>") == 250);
    world_end();
}

/* The greeting waits, and who does not is sent away; errors cost time. */
static void test_delays(void **state UNUSED)
{
    world_init();
    w.s.greet_delay_ms = 1000;
    world_connect("192.0.2.7");
    CHECK(w.out.n == 0 && w.timer_ms == 1000 && !smtp_session_waits(&w.s));
    smtp_session_timeout(&w.s);
    CHECK(said("220 mx.example.test") && say("EHLO client.example") == 250);
    world_disconnect();
    world_connect("192.0.2.7");
    CHECK(say("EHLO client.example") == 554 && w.hung_up);
    world_disconnect();

    w.s.greet_delay_ms = 0;
    w.s.error_delay_ms = 700;
    world_connect("192.0.2.7");
    for (int i = 0; i < 3; i++)
        CHECK(say("FOO") == 500 && !smtp_session_waits(&w.s));
    CHECK(say("FOO") == 500 && smtp_session_waits(&w.s) && w.timer_ms == 700);
    CHECK(smtp_session_input(&w.s, STR("NOOP\r\n")) == 0);
    smtp_session_timeout(&w.s);
    CHECK(!smtp_session_waits(&w.s) && say("NOOP") == 250);
    world_end();
}

static int becomes(struct smtp_session *s, const struct smtp_xclient *x)
{
    w.own.policy.trusted = (x->given & SMTP_XC_LOGIN) != 0;
    smtp_session_restart(s, STR("203.0.113.5"));
    return x->given & SMTP_XC_PORT ? E_LIMIT : 0;
}

static void test_xclient(void **state UNUSED)
{
    world_init();
    world_connect("192.0.2.7");
    CHECK(say("EHLO client.example") == 250 && !said("XCLIENT"));
    CHECK(say("XCLIENT ADDR=203.0.113.5") == 550);
    w.own.become = becomes;
    CHECK(say("EHLO client.example") == 250 && said("250-" SMTP_XCLIENT_OFFER));
    CHECK(say("XCLIENT COLOUR=red") == 501 && say("XCLIENT") == 501);
    CHECK(say("MAIL FROM:<a@good.example>") == 250 && say("XCLIENT ADDR=203.0.113.5") == 503);
    CHECK(say("RSET") == 250 && say("XCLIENT ADDR=203.0.113.5") == 220);
    CHECK(say("MAIL FROM:<a@good.example>") == 503 && str_eq_z(w.s.peer_ip, "203.0.113.5"));
    CHECK(say("XCLIENT HELO=mx.example.test PROTO=ESMTP") == 220);
    CHECK(say("MAIL FROM:<a@good.example>") == 250 && say("RCPT TO:<hello@example.test>") == 550);
    CHECK(say("RSET") == 250 && say("XCLIENT PORT=1") == 421 && w.hung_up);
    world_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_networks), cmocka_unit_test(test_names),
        cmocka_unit_test(test_trusted),  cmocka_unit_test(test_waits),
        cmocka_unit_test(test_rates),    cmocka_unit_test(test_greylist),
        cmocka_unit_test(test_listed),   cmocka_unit_test(test_greylist_proved),
        cmocka_unit_test(test_delays),   cmocka_unit_test(test_xclient),
    };

    log_init("mx", LOG_ALARM);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
