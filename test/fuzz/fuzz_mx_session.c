/* test/fuzz/fuzz_mx_session.c
 *
 * Laws of an SMTP session against any input, in any slices (the first byte says how long), with a world
 * that answers in ways the input chooses (the second byte; its highest bit: a third one sets policies, LMTP, XCLIENT
 * and delays): every reply is well-formed; what is staged
 * holds no NUL, bare CR or bare LF unless it came by BINARYMIME; as many "Ok, stored" as commits (LMTP: as recipients that
 * have it); a recipient of who is refused is never delivered to; nothing is asked of the world after hanging up. States that may not follow each other abort by themselves. */
#include "lib/base/errors.h"
#include "lib/base/log.h"
#include "src/mx/service.h"
#include "test/fuzz/fuzz.h"

static struct world {
    struct smtp_session s;
    struct mx_own own;
    struct buf out, staged, address;
    bool resolving, staging, ended, delivering, hung_up, tls;
    unsigned commits, turn, mode, more;
    struct mx_policies policies;
    struct mx_conf conf;
    struct lookup *asked[LOOKUPS_MAX];
    size_t nasked;
    int64_t timer_ms;
} w;

static int io_reply(void *ctx UNUSED, struct str bytes)
{
    LAW(!w.hung_up);
    return buf_puts(&w.out, bytes);
}
static bool io_full(void *ctx UNUSED)
{
    return false;
}
static void io_tls(void *ctx UNUSED)
{
    w.tls = true;
}
static void io_hang_up(void *ctx UNUSED)
{
    LAW(!w.hung_up);
    w.hung_up = true;
}
static void io_timer(void *ctx UNUSED, int64_t ms)
{
    LAW(ms >= 0);
    w.timer_ms = ms;
}
static int io_resolve(void *ctx UNUSED, struct str address)
{
    LAW(!w.hung_up && !w.resolving);
    buf_clear(&w.address);
    w.resolving = true;
    return buf_puts(&w.address, address);
}
static int io_stage(void *ctx UNUSED, uint64_t max UNUSED, uint64_t expected UNUSED)
{
    LAW(!w.hung_up && !w.staging && !w.delivering);
    buf_clear(&w.staged);
    w.staging = true;
    w.ended = false;
    return 0;
}
static size_t io_room(void *ctx UNUSED)
{
    return 1 + w.turn++ % 7;
}
static int io_send(void *ctx UNUSED, struct str bytes)
{
    LAW(w.staging && !w.ended && !w.hung_up);
    return buf_puts(&w.staged, bytes);
}
static void io_end(void *ctx UNUSED)
{
    LAW(w.staging && !w.ended);
    w.ended = true;
}
static int io_deliver(void *ctx UNUSED, const struct smtp_message *m)
{
    struct str s = buf_str(&w.staged);

    LAW(!w.staging && m->nrcpt > 0 && m->staged == s.n && m->bytes >= s.n);
    LAW(m->nanswers >= m->nrcpt && m->nanswers <= w.conf.smtp.max_recipients && m->each == w.s.lmtp);
    LAW(m->scan.received < w.conf.smtp.max_received && !(m->scan.twice & BIT(TRACE_FROM)));
    for (size_t i = 0; i < s.n && m->body != SMTP_BODY_BINARYMIME; i++)
        LAW(s.p[i] != '\0' && (s.p[i] == '\n') == (i > 0 && s.p[i - 1] == '\r'));
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
    LAW(!w.hung_up && !q->answered && w.nasked < LOOKUPS_MAX);
    if (w.turn++ % 17 == 0)
        return E_BUSY;
    w.asked[w.nasked++] = q;
    return 0;
}
static const struct smtp_io io = { io_reply, io_full, io_tls, io_hang_up, io_timer,  io_resolve, io_stage,
                                   io_room,  io_send, io_end, io_deliver, io_cancel, io_lookup };

static int status(unsigned bit)
{
    return w.mode & BIT(bit) && w.turn++ % 3 == 0 ? E_CLOSED : 0;
}

static void answer_one(void)
{
    static const char *const texts[] = {
        "v=spf1 a mx include:x.example -all", "v=DMARC1; p=reject", "v=spf1 +all",
        "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    };
    struct lookup_record r = { .text = str_from(texts[w.turn++ % ARRAY_LEN(texts)]) };
    struct lookup_answer a = { w.turn % 5 ? LOOKUP_OK : LOOKUP_FAILED, &r, w.turn % 5 ? 1 : 0 };

    mx_session_looked_up(&w.s, w.asked[--w.nasked], &a);
}

/* Some answers come, some never. */
static void lookups_end(void)
{
    while (w.nasked && (w.mode & BIT(5)))
        answer_one();
    if (w.s.state == SMTP_ST_CHECKING && !w.nasked)
        LAW(false); /* it waits for nothing */
    if (w.s.state == SMTP_ST_CHECKING) {
        LAW(w.timer_ms > 0);
        smtp_session_timeout(&w.s);
    }
}

/* How each fared, and how many will be told that it is stored. */
static unsigned stored_replies(void)
{
    unsigned n = 0;

    if (!w.s.lmtp)
        return 1;
    for (struct smtp_recipient *r = w.s.m.recipients; r; r = r->next)
        r->status = w.turn++ % 3 == 0 ? E_QUOTA : 0;
    for (const struct smtp_answer *a = w.s.m.answers; a; a = a->next)
        n += a->to->status == 0;
    return n;
}

static void world_answers(void)
{
    struct smtp_mailbox box = {
        .id = buf_str(&w.address), .address = STR("a@b"), .nkey_states = 1, .key_states = { STR("state") }
    };

    if (w.staging && !w.ended && (w.mode & BIT(3)) && w.turn++ % 31 == 0) {
        w.staging = false;
        smtp_session_staged(&w.s, E_CLOSED, 0);
    }
    if (w.s.state == SMTP_ST_SLOW || (w.s.state == SMTP_ST_GREETING && w.turn++ % 2))
        smtp_session_timeout(&w.s);
    while (w.resolving &&
           !mx_policy_ready(&w.s)) { /* the role answers each, at the latest when its time is over */
        LAW(w.nasked > 0);
        answer_one();
    }
    if (w.resolving) {
        w.resolving = false;
        smtp_session_resolved(&w.s, status(0), SMTP_FOUND, &box);
    }
    if (w.staging && w.ended) {
        w.staging = false;
        smtp_session_staged(&w.s, status(1), w.staged.n);
    }
    lookups_end();
    if (w.delivering) {
        int e = status(2);

        w.delivering = false;
        w.commits += e == 0 ? stored_replies() : 0;
        smtp_session_delivered(&w.s, e, STR("q"), 0);
    }
    if (w.tls) {
        w.tls = false;
        smtp_session_secured(&w.s, "TLSv1.3", "X");
    }
}

static int becomes(struct smtp_session *s, const struct smtp_xclient *x)
{
    LAW(x->given && !s->in_mail);
    if (w.turn++ % 5 == 0)
        return E_LIMIT;
    w.own.policy.trusted = x->login.n > 0;
    smtp_session_restart(s, STR("203.0.113.9"));
    LAW(w.hung_up || (!s->helo.p && !s->in_mail));
    return 0;
}

/* The third byte: what an operator may have turned on. */
static void world_policies(void)
{
    const struct greylist_conf grey = { 0, 1000000, 1000000, 64 };

    w.own.policy =
        (struct mx_policy){ .all = &w.policies, .network = "192.0.2.0/24", .local_ip = "198.51.100.1" };
    w.conf.helo_check = (w.more & 7) % (MX_HELO_RESOLVE + 1);
    w.conf.sender_check = w.more >> 3 & 3;
    w.conf.recipient_rate = w.more & BIT(5) ? 7 : 0;
    w.conf.sender_rate = w.more & BIT(5) ? 3 : 0;
    if ((w.policies.limits = limits_new(64)) && (w.more & BIT(6)))
        w.policies.grey = greylist_new(&grey);
    w.own.become = w.more & BIT(7) ? becomes : NULL;
    w.s.error_delay_ms = w.more & BIT(5) ? 10 : 0;
    w.s.greet_delay_ms = (w.more & 7) == 7 ? 10 : 0;
    w.s.lmtp = (w.more & 7) == 6;
}

static void check_replies(void)
{
    struct str rest = buf_str(&w.out), line;
    unsigned stored = 0;

    while (rest.n) {
        LAW(str_cut(rest, '\n', &line, &rest) && line.n >= 5 && line.n < 512 && str_ends(line, STR("\r")));
        LAW(line.p[0] >= '2' && line.p[0] <= '5' && (line.p[3] == ' ' || line.p[3] == '-'));
        stored += str_starts(line, STR("250 2.0.0 Ok, stored"));
    }
    LAW(stored == w.commits || (w.hung_up && stored <= w.commits));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct mx_conf conf = {
        .smtp.max_message_bytes = 4000,
        .smtp.max_recipients = 5,
        .smtp.max_total_bytes = 8000,
        .smtp.max_errors = 50,
        .smtp.max_unknown = 50,
        .smtp.max_junk = 50,
        .smtp.max_received = 10,
        .smtp.command_timeout_ms = 1,
        .smtp.data_timeout_ms = 1,
        .smtp.message_timeout_ms = 600000,
        .smtp.max_line = 998,
        .smtp.postmaster = "",
        .smtp.check_timeout_ms = 1,
    };
    unsigned head = size > 3 && data[1] & 0x80 ? 3 : 2;
    struct str in = str_skip(str_of(data, size), head);
    size_t slice = size > 2 ? 1u + data[0] : 1, used = 1, idle = 0;

    log_init("fuzz", LOG_ALARM + 1);
    w = (struct world){ .mode = size > 2 ? data[1] : 0, .more = head == 3 ? data[2] : 0, .conf = conf };
    w.conf.auth_checks = w.mode & BIT(4);
    w.conf.dmarc_reject = w.mode & BIT(6);
    w.out.max = MIB(8);
    w.staged.max = MIB(1);
    w.address.max = KIB(2);
    w.own.conf = &w.conf;
    if (head == 3)
        world_policies();
    mx_session_serve(&w.s, &w.own);
    smtp_session_start(&w.s, &w.conf.smtp, &io, &w, STR("mx.example"), STR("192.0.2.1"), true);
    while (in.n && !w.hung_up && idle < 3) {
        used = smtp_session_input(&w.s, str_slice(in, 0, slice));
        in = str_skip(in, used);
        world_answers();
        idle = used ? 0 : idle + 1;
    }
    LAW(w.hung_up || in.n == 0); /* it never gets stuck */
    check_replies();
    smtp_session_release(&w.s);
    mx_policy_forget(&w.s);
    limits_free(&w.policies.limits);
    greylist_free(&w.policies.grey);
    buf_release(&w.out);
    buf_release(&w.staged);
    buf_release(&w.address);
    return 0;
}
