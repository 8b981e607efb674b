/* test/fuzz/fuzz_submission_session.c
 *
 * Laws of a session of submission against any input, in slices (the first byte says how long) and then whole, with a world
 * that answers as the second byte says: both give the same replies; these are well-formed; nothing is delivered of who has not
 * logged in over TLS, under a sender or author that is not his, or with Bcc; as many "Ok, stored" as deliveries that went
 * well; nothing is asked of the world after hanging up. A client waits behind DATA and STARTTLS, as it must. */
#include "lib/base/errors.h"
#include "lib/base/log.h"
#include "src/submission/service.h"
#include "test/fuzz/fuzz.h"

#define ME "ann@example.test"

static struct world {
    struct smtp_session s;
    struct submission_own own;
    struct buf out, staged;
    bool resolving, staging, ended, delivering, hung_up, tls, logging_in, counting, foreign;
    unsigned mode, commits, resolves, stages, logins, counts, deliveries, elsewhere;
    int login_status;
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
}
static int io_resolve(void *ctx UNUSED, struct str address)
{
    LAW(!w.hung_up && !w.resolving && *w.own.address);
    w.resolving = true;
    w.elsewhere = address.n && address.p[0] == 'x';
    return 0;
}
static int io_stage(void *ctx UNUSED, uint64_t max UNUSED, uint64_t expected UNUSED)
{
    LAW(!w.hung_up && !w.staging && !w.delivering && *w.own.address);
    if (w.mode & BIT(4) && ++w.stages % 3 == 0)
        return E_CLOSED;
    buf_clear(&w.staged);
    w.staging = true;
    w.ended = false;
    return 0;
}
static size_t io_room(void *ctx UNUSED)
{
    return 1000;
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
static void no_bcc(struct str text)
{
    struct str line;

    while (str_cut(text, '\n', &line, &text) && str_trim(line).n)
        LAW(!str_istarts(line, STR("Bcc:")) && !str_istarts(line, STR("Return-Path:")));
}
static int io_deliver(void *ctx UNUSED, const struct smtp_message *m)
{
    LAW(!w.staging && m->nrcpt > 0 && m->staged == w.staged.n);
    LAW(w.s.tls && str_eq_z(str_from(w.own.address), ME));
    LAW(!w.foreign && w.own.known && w.own.counted && !w.own.no && w.own.letter.nas > 0);
    LAW(m->release.hold_s <= SUBMISSION_HOLD_MAX_S && m->release.priority >= -9 && m->release.priority <= 9);
    no_bcc(buf_str(&w.staged));
    w.delivering = true;
    return 0;
}
static void io_cancel(void *ctx UNUSED)
{
    w.resolving = w.staging = w.delivering = w.logging_in = w.counting = false;
}
static const struct smtp_io io = { .reply = io_reply,
                                   .reply_full = io_full,
                                   .start_tls = io_tls,
                                   .hang_up = io_hang_up,
                                   .timer = io_timer,
                                   .resolve = io_resolve,
                                   .stage = io_stage,
                                   .stage_room = io_room,
                                   .stage_send = io_send,
                                   .stage_end = io_end,
                                   .deliver = io_deliver,
                                   .cancel = io_cancel };

static int own_login(void *ctx UNUSED, struct str address, struct str password)
{
    LAW(!w.hung_up && w.s.tls && !*w.own.address && address.n <= LOGIN_ADDRESS_MAX && address.n &&
        password.n && password.n <= LOGIN_PASSWORD_MAX);
    w.logging_in = true;
    w.login_status = w.mode & BIT(3) && ++w.logins % 3 == 1           ? E_CLOSED
                     : str_ieq_z(address, ME) && password.p[0] == 's' ? 0
                                                                      : E_AUTH;
    return 0;
}
static int own_sender(void *ctx UNUSED, const struct str *as, size_t nas, uint32_t recipients)
{
    LAW(!w.hung_up && nas && nas <= SUBMISSION_AS_MAX && recipients && *w.own.address);
    w.counting = true;
    w.foreign = false;
    for (size_t i = 0; i < nas; i++)
        w.foreign |= !str_ieq_z(as[i], ME);
    return 0;
}
static const struct submission_io own_io = { .login = own_login, .sender = own_sender };

/* What comes of the nth request of a kind: never of how the bytes came. */
static int status(unsigned bit, unsigned *n)
{
    return w.mode & BIT(bit) && ++*n % 3 == 0 ? E_CLOSED : 0;
}

static void sender_answers(void)
{
    struct submission_sender who = { .mailbox = { .id = STR("id"), .address = STR(ME) },
                                     .scope = "address",
                                     .of = "messages",
                                     .foreign = w.foreign,
                                     .limit = 7 };

    if (w.logging_in) {
        w.logging_in = false;
        submission_logged_in(&w.s, w.login_status, &who);
    }
    if (w.counting) {
        w.counting = false;
        who.refused = w.mode & BIT(5) && ++w.counts % 3 == 0;
        submission_counted(&w.s, 0, &who);
    }
}

static void world_answers(void)
{
    struct smtp_mailbox box = { .id = STR("id"), .address = STR("bob@example.test") };
    int e;

    sender_answers();
    if (w.resolving) {
        w.resolving = false;
        smtp_session_resolved(&w.s, status(0, &w.resolves), w.elsewhere ? SMTP_NO_DOMAIN : SMTP_FOUND, &box);
    }
    if (w.staging && w.ended) {
        w.staging = false;
        smtp_session_staged(&w.s, status(1, &w.stages), w.staged.n);
        sender_answers();
    }
    if (w.delivering) {
        w.delivering = false;
        e = status(2, &w.deliveries);
        w.commits += e == 0;
        smtp_session_delivered(&w.s, e, STR("q"), 0);
    }
    if (w.tls) {
        w.tls = false;
        smtp_session_secured(&w.s, "TLSv1.3", "X");
    }
}

/* The time until which something may be held is another in the next second. */
static void drop_times(struct buf *out)
{
    CLEANUP(buf_release) struct buf kept = { .max = MIB(8) };
    struct str rest = buf_str(out), line;
    unsigned stored = 0;

    while (rest.n) {
        LAW(str_cut(rest, '\n', &line, &rest) && line.n >= 5 && line.n < 512 && str_ends(line, STR("\r")));
        LAW(line.p[0] >= '2' && line.p[0] <= '5' && (line.p[3] == ' ' || line.p[3] == '-'));
        stored += str_starts(line, STR("250 2.0.0 Ok, stored"));
        if (str_find(line, STR("FUTURERELEASE ")) < 0 && buf_puts(&kept, line) < 0)
            abort();
    }
    LAW(stored == w.commits);
    buf_clear(out);
    LAW(buf_puts(out, buf_str(&kept)) == 0);
}

/* Up to the end of a line behind which every client waits. */
static size_t until_wait(struct str in)
{
    struct str rest = in, line;

    while (str_cut(rest, '\n', &line, &rest))
        if (str_istarts(str_trim(line), STR("DATA")) || str_istarts(str_trim(line), STR("STARTTLS")))
            return in.n - rest.n;
    return in.n;
}

static void converse(struct str in, unsigned mode, size_t slice, struct buf *out)
{
    static const struct submission_conf conf = {
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
        .max_logins = 5,
    };
    size_t group = 0, idle = 0;

    w = (struct world){ .mode = mode, .out.max = MIB(8), .staged.max = MIB(1) };
    w.own = (struct submission_own){ .conf = &conf, .io = &own_io };
    w.s.tls = !(mode & BIT(6));
    submission_serve(&w.s, &w.own);
    smtp_session_start(&w.s, &conf.smtp, &io, &w, STR("mx.example"), STR("192.0.2.1"), true);
    while (in.n && !w.hung_up && idle < 4) {
        size_t used;

        group = group ? group : until_wait(in);
        used =
            smtp_session_waits(&w.s) ? 0 : smtp_session_input(&w.s, str_slice(in, 0, size_min(slice, group)));
        in = str_skip(in, used);
        group -= used;
        world_answers();
        idle = used ? 0 : idle + 1;
    }
    LAW(w.hung_up || in.n == 0); /* it never gets stuck */
    drop_times(&w.out);
    smtp_session_release(&w.s);
    login_wipe(&w.own.login);
    buf_release(&w.staged);
    *out = w.out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_release) struct buf pieces = { .max = 1 }, whole = { .max = 1 };
    struct str in = str_skip(str_of(data, size), 2);

    if (size < 3)
        return 0;
    log_init("fuzz", LOG_ALARM + 1);
    converse(in, data[1], 1u + data[0], &pieces);
    converse(in, data[1], SIZE_MAX, &whole);
    LAW(str_eq(buf_str(&pieces), buf_str(&whole)));
    return 0;
}
