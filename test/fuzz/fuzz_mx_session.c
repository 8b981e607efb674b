/* test/fuzz/fuzz_mx_session.c
 *
 * Laws of an SMTP session against any input, in any slices (the first byte says how long), with a world
 * that answers in ways the input chooses (the second byte): every reply is well-formed; what is staged
 * holds no NUL, bare CR or bare LF unless it came by BINARYMIME; as many "Ok, stored" as commits; nothing is
 * asked of the world after hanging up. States that may not follow each other abort by themselves. */
#include "lib/base/errors.h"
#include "lib/base/log.h"
#include "src/mx/service.h"
#include "test/fuzz/fuzz.h"

static struct world {
    struct mx_session s;
    struct mx_own own;
    struct buf out, staged, address;
    bool resolving, staging, ended, delivering, hung_up, tls;
    unsigned commits, turn, mode;
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
static int io_deliver(void *ctx UNUSED, const struct mx_message *m)
{
    struct str s = buf_str(&w.staged);

    LAW(!w.staging && m->nrcpt > 0 && m->staged == s.n && m->bytes >= s.n);
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
static const struct mx_io io = { io_reply, io_full, io_tls, io_hang_up, io_timer,  io_resolve, io_stage,
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
    if (w.s.state == MX_ST_CHECKING && !w.nasked)
        LAW(false); /* it waits for nothing */
    if (w.s.state == MX_ST_CHECKING) {
        LAW(w.timer_ms > 0);
        mx_session_timeout(&w.s);
    }
}

static void world_answers(void)
{
    struct mx_mailbox box = {
        .id = buf_str(&w.address), .address = STR("a@b"), .nkey_states = 1, .key_states = { STR("state") }
    };

    if (w.staging && !w.ended && (w.mode & BIT(3)) && w.turn++ % 31 == 0) {
        w.staging = false;
        mx_session_staged(&w.s, E_CLOSED, 0);
    }
    if (w.resolving) {
        w.resolving = false;
        mx_session_resolved(&w.s, status(0), MX_FOUND, &box);
    }
    if (w.staging && w.ended) {
        w.staging = false;
        mx_session_staged(&w.s, status(1), w.staged.n);
    }
    lookups_end();
    if (w.delivering) {
        int e = status(2);

        w.delivering = false;
        w.commits += e == 0;
        mx_session_delivered(&w.s, e, STR("q"), 0);
    }
    if (w.tls) {
        w.tls = false;
        mx_session_secured(&w.s, "TLSv1.3", "X");
    }
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
    struct mx_conf conf = {
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
    struct str in = str_skip(str_of(data, size), 2);
    size_t slice = size > 2 ? 1u + data[0] : 1, used = 1, idle = 0;

    log_init("fuzz", LOG_ALARM + 1);
    w = (struct world){ .mode = size > 2 ? data[1] : 0 };
    conf.auth_checks = w.mode & BIT(4);
    conf.dmarc_reject = w.mode & BIT(6);
    w.out.max = MIB(8);
    w.staged.max = MIB(1);
    w.address.max = KIB(2);
    w.own.conf = &conf;
    mx_session_serve(&w.s, &w.own);
    mx_session_start(&w.s, &conf.smtp, &io, &w, STR("mx.example"), STR("192.0.2.1"), true);
    while (in.n && !w.hung_up && idle < 3) {
        used = mx_session_input(&w.s, str_slice(in, 0, slice));
        in = str_skip(in, used);
        world_answers();
        idle = used ? 0 : idle + 1;
    }
    LAW(w.hung_up || in.n == 0); /* it never gets stuck */
    check_replies();
    mx_session_release(&w.s);
    buf_release(&w.out);
    buf_release(&w.staged);
    buf_release(&w.address);
    return 0;
}
