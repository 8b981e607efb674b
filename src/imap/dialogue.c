#include "src/imap/dialogue.h"
#include "lib/base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

const char first[] = "From: \"A. Nobody\" <a@example.test>\r\nTo: joe@example.test\r\nSubject: one\r\n"
                     "Date: Mon, 1 Jan 2024 10:00:00 +0000\r\nMessage-ID: <1@example.test>\r\n\r\nHello\r\n";
static const char multi[] =
    "From: b@example.test\r\nSubject: two\r\nMIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\n"
    "part one\r\n--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\nX-A: 1\r\n\r\n"
    "inner text\r\n--x--\r\n";

struct world w;

static bool reached(void)
{
    struct str got = buf_str(&w.got), line, until = str_from(w.until);

    if (!w.until || !str_ends(got, STR("\r\n")))
        return false;
    if (strlen(w.until) > 3) /* a word of an untagged response */
        return str_find(got, until) >= 0;
    for (bool more = true; more;) {
        more = str_cut(got, '\n', &line, &got);
        if (str_starts(line, until))
            return true;
    }
    return false;
}

static void readable(struct watch *x UNUSED)
{
    char chunk[65536];
    ssize_t n = read(w.fd, chunk, sizeof chunk);

    if (n > 0) {
        CHECK(buf_append(&w.got, chunk, (size_t)n) == 0);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        w.closed = true;
        watch_pause(&w.watch);
        shutdown(w.fd, SHUT_RDWR); /* as a client does that has read BYE */
        loop_stop(w.loop);
    }
    if (reached())
        loop_stop(w.loop);
}

static void too_late(struct timer *t UNUSED)
{
    print_error("no answer: got %.*s\n", (int)size_min(w.got.n, 2000), w.got.p);
    loop_stop(w.loop);
}

void run(const char *until)
{
    w.until = until;
    timer_set(&w.late, 8000);
    if (!reached())
        loop_run(w.loop);
    timer_clear(&w.late);
}

static void enough(struct timer *t UNUSED)
{
    loop_stop(w.loop);
}

void settle(void)
{
    struct timer t;

    CHECK(timer_init(&t, w.loop, enough) == 0);
    timer_set(&t, 20);
    loop_run(w.loop);
    timer_release(&t);
}

static void settled(struct timer *t)
{
    if (++w.rounds < 8)
        timer_set(t, 0);
    else
        loop_stop(w.loop);
}

void settle_now(void)
{
    struct timer t;

    w.rounds = 0;
    CHECK(timer_init(&t, w.loop, settled) == 0);
    timer_set(&t, 0);
    loop_run(w.loop);
    timer_release(&t);
}

void say(const char *text, size_t n)
{
    while (n) {
        ssize_t k = write(w.fd, text, n);

        CHECK(k > 0);
        text += k;
        n -= (size_t)k;
    }
}

static void connect_client(void)
{
    struct sockaddr_storage peer = { .ss_family = AF_UNIX };
    int sv[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0);
    imap_accept(&w.srv, sv[0], (struct sockaddr *)&peer, false);
    w.fd = sv[1];
    w.closed = false;
    w.got = (struct buf){ .max = MIB(80) };
    CHECK(fcntl(w.fd, F_SETFL, O_NONBLOCK) == 0);
    CHECK(watch_init(&w.watch, w.loop, w.fd, readable) == 0);
    run("* OK ");
    buf_clear(&w.got);
}

void reconnect(void)
{
    watch_release(&w.watch);
    close(w.fd);
    buf_release(&w.got);
    timer_clear(&w.late);
    for (int i = 0; i < 10 && w.srv.nconns; i++)
        settle_now();
    connect_client();
    timer_clear(&w.late);
}

int setup(void **state UNUSED)
{
    memset(&w, 0, sizeof w);
    log_init("imap", LOG_ALARM);
    w.loop = loop_new();
    w.srv = (struct imap_server){ .loop = w.loop,
                                  .sessions = IMAP_SESSIONS,
                                  .hostname = STR("test"),
                                  .conf = { MIB(60), 1800000, 60000, 100 } };
    CHECK(timer_init(&w.late, w.loop, too_late) == 0);
    fake_start(&w.store, w.loop, &w.srv);
    fake_add(&w.store, first, sizeof first - 1, 0);
    fake_add(&w.store, multi, sizeof multi - 1, 8);
    fake_add(&w.store, first, sizeof first - 1, 4);
    connect_client();
    return 0;
}

static void brief_over(struct timer *t UNUSED)
{
    loop_stop(w.loop);
}

void brief(void)
{
    struct timer t = { 0 };

    CHECK(timer_init(&t, w.loop, brief_over) == 0);
    timer_set(&t, 2);
    w.until = NULL;
    loop_run(w.loop);
    timer_release(&t);
}

int teardown(void **state UNUSED)
{
    watch_release(&w.watch);
    close(w.fd);
    while (w.srv.nconns) /* until it notices */
        brief();
    timer_release(&w.late);
    buf_release(&w.got);
    fake_stop(&w.store);
    brief();
    loop_free(&w.loop);
    return 0;
}

void secure(void)
{
    w.srv.conns->tls = true; /* as if; TLS itself is tested with lib/event */
}

void dialogue(const char *send, const char *expect)
{
    char tag[16] = "";
    size_t n = strcspn(send, " ");

    memcpy(tag, send, n);
    tag[n] = ' ';
    check_case = send;
    buf_clear(&w.got);
    say(send, strlen(send));
    run(tag);
    if (expect && !str_eq_z(buf_str(&w.got), expect))
        print_error("got:\n%.*s\nexpected:\n%s\n", STR_ARG(buf_str(&w.got)), expect);
    CHECK(!expect || str_eq_z(buf_str(&w.got), expect));
    check_case = "";
}

void login(void)
{
    secure();
    dialogue("l LOGIN joe@example.test right\r\n", NULL);
    CHECK(str_starts(buf_str(&w.got), STR("l OK [CAPABILITY IMAP4rev1 ")));
}

void selected(void)
{
    login();
    dialogue("s SELECT inbox\r\n", NULL);
    CHECK(str_find(buf_str(&w.got), STR("s OK [READ-WRITE]")) >= 0);
}

void say_z(const char *text)
{
    say(text, strlen(text));
}
