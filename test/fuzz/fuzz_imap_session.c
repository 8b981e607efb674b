/* test/fuzz/fuzz_imap_session.c
 *
 * A whole IMAP session against a store in memory: the first byte says how far it has come (clear and
 * not logged in, logged in, INBOX selected), the rest is what the client sends before it hangs up.
 * Laws: the role ends the session by itself; what it said is a sequence of whole lines and literals,
 * without NUL; it holds nothing back afterwards. */
#include "lib/base/log.h"
#include "src/imap/fake_store.h"
#include "src/imap/imap.h"
#include "test/fuzz/fuzz.h"
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static const char message[] =
    "From: a@example.test\r\nSubject: one\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; "
    "boundary=x\r\n\r\n--x\r\n\r\npart\r\n--x\r\nContent-Type: message/rfc822\r\n\r\n"
    "Subject: inner\r\n\r\ntext\r\n--x--\r\n";

static struct client {
    struct loop *loop;
    int rounds;
    struct imap_server srv;
    struct fake_store store;
    int fd;
    struct watch watch;
    struct timer late;
    struct buf got;
    bool closed, late_now;
} w;

static void readable(struct watch *x)
{
    char chunk[16384];
    ssize_t n = read(w.fd, chunk, sizeof chunk);

    (void)x;
    if (n > 0) {
        LAW(buf_append(&w.got, chunk, (size_t)n) == 0);
        return;
    }
    w.closed = true;
    watch_pause(&w.watch);
    loop_stop(w.loop);
}

static void too_late(struct timer *t)
{
    (void)t;
    w.late_now = true;
    loop_stop(w.loop);
}

/* Every line whole, literals as long as they say. A session cut in the middle may end in a command's
 * "+ ", never in half a line. */
static void check_output(struct str got)
{
    while (got.n) {
        ptrdiff_t lf = str_chr(got, '\n');
        struct literal lit;
        struct str line;
        size_t at;

        LAW(lf > 0 && got.p[lf - 1] == '\r');
        line = str_slice(got, 0, (size_t)lf - 1);
        LAW(str_chr(line, '\0') < 0);
        got = str_skip(got, (size_t)lf + 1);
        if (literal_head_at_end(line, &lit, &at) && lit.sync && !str_starts(line, STR("+"))) {
            LAW(lit.n <= got.n);
            got = str_skip(got, (size_t)lit.n);
        }
    }
}

static void say(struct str s)
{
    LAW(write(w.fd, s.p, s.n) == (ssize_t)s.n);
}

static void start(void)
{
    struct sockaddr_storage peer = { .ss_family = AF_UNIX };
    int sv[2];

    log_init("imap", LOG_ALARM);
    w.loop = loop_new();
    w.srv = (struct imap_server){ .loop = w.loop,
                                  .sessions = IMAP_SESSIONS,
                                  .conf = { KIB(64), 1800000, 60000, 10 } };
    LAW(timer_init(&w.late, w.loop, too_late) == 0);
    fake_start(&w.store, w.loop, &w.srv);
    for (int i = 0; i < 3; i++)
        fake_add(&w.store, message, sizeof message - 1, i == 1 ? 4 : 0);
    LAW(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0);
    imap_accept(&w.srv, sv[0], (struct sockaddr *)&peer, false);
    w.fd = sv[1];
    w.got = (struct buf){ .max = MIB(64) };
    LAW(watch_init(&w.watch, w.loop, w.fd, readable) == 0);
}

/* Both ends of a pair hang up in turn, each when it has seen the other do it: some rounds of the loop. */
static void settle(struct timer *t)
{
    if (++w.rounds < 16)
        timer_set(t, 0);
    else
        loop_stop(w.loop);
}

static void stop(void)
{
    struct timer t = { 0 };

    watch_release(&w.watch);
    close(w.fd);
    timer_release(&w.late);
    LAW(timer_init(&t, w.loop, settle) == 0);
    fake_stop(&w.store);
    timer_set(&t, 0);
    loop_run(w.loop);
    LAW(w.srv.nconns == 0);
    timer_release(&t);
    loop_free(&w.loop);
    buf_release(&w.got);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned state = size ? data[0] % 3 : 0;

    if (size > KIB(32))
        return 0;
    memset(&w, 0, sizeof w);
    start();
    if (state > 0) {
        w.srv.conns->tls = true;
        say(STR("l LOGIN joe@example.test right\r\n"));
    }
    if (state > 1)
        say(STR("s SELECT INBOX\r\n"));
    say(str_of(data + 1, size ? size - 1 : 0));
    shutdown(w.fd, SHUT_WR);
    timer_set(&w.late, 10000);
    while (!w.closed && !w.late_now)
        loop_run(w.loop);
    LAW(!w.late_now);
    check_output(buf_str(&w.got));
    stop();
    return 0;
}
