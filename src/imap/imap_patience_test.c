/* The IMAP role and who is slow, silent or gone: clients, large messages, the store's death. */
#include "src/imap/dialogue.h"
#include <unistd.h>

/* The loop's timers are real: the timeouts are made short instead. */
static void ended(const char *bye)
{
    w.until = NULL;
    timer_set(&w.late, 8000);
    if (!w.closed)
        loop_run(w.loop);
    CHECK(w.closed && str_ends(buf_str(&w.got), str_from(bye)));
}

static const char too_long[] = "* BYE Too long without a word from you\r\n";

static void test_silent_before_login(void **state UNUSED)
{
    w.srv.conf.login_timeout_ms = 50;
    reconnect();
    ended(too_long);
}

static void drip(struct timer *t)
{
    timer_set(t, 30);
    if (!w.closed)
        say("a NOOP\r\n", 8);
}

static void test_dripping_before_login(void **state UNUSED)
{
    struct timer t;

    w.srv.conf.login_timeout_ms = 300;
    reconnect();
    CHECK(timer_init(&t, w.loop, drip) == 0);
    timer_set(&t, 1);
    ended("* BYE Too long without a login\r\n");
    timer_release(&t);
}

static void test_silent_after_login(void **state UNUSED)
{
    w.srv.conf.login_timeout_ms = 5000;
    w.srv.conf.idle_timeout_ms = 150;
    reconnect();
    secure();
    login();
    say("i IDLE\r\n", 8); /* in IDLE too */
    ended(too_long);
}

static void test_much_before_login(void **state UNUSED)
{
    static const char noop[] = "a ID (\"name\" \"a name that is a good deal longer than it need be\")\r\n";

    for (size_t n = 0; n < KIB(70) && !w.closed; n += sizeof noop - 1) {
        say(noop, sizeof noop - 1);
        settle_now();
        if (n < KIB(63))
            CHECK(!w.closed);
    }
    for (int i = 0; i < 100 && !w.closed; i++)
        settle_now();
    CHECK(w.closed && str_ends(buf_str(&w.got), STR("* BYE [LIMIT] Too much was said before login\r\n")));
}

/* A store that cannot open the mailbox at once after its death: "try later", then all is well. */
static void test_reattach_later(void **state UNUSED)
{
    selected();
    w.store.refuse_reattach = E_BUSY;
    fake_die(&w.store);
    brief();
    dialogue("a SEARCH ALL\r\n", "a NO [UNAVAILABLE] Not available now, please try again later\r\n");
    for (int i = 0; i < 1500 && w.store.reattaches < 2; i++)
        brief();
    dialogue("b SEARCH ALL\r\n", "* SEARCH 1 2 3\r\nb OK Completed\r\n");
}

static void test_revoked(void **state UNUSED)
{
    selected();
    w.store.refuse_reattach = E_AUTH;
    fake_die(&w.store);
    buf_clear(&w.got);
    run("* BYE");
    CHECK(str_eq_z(buf_str(&w.got), "* BYE [UNAVAILABLE] The mailbox has been closed\r\n"));
}

/* A large message in bounded memory; the store dies in the middle of it, twice. */
static void large(size_t n, size_t die_after, const char *command)
{
    char *big = malloc(n);
    ptrdiff_t at;

    memset(big, 'x', n);
    memcpy(big, "Subject: big\r\n\r\n", 16);
    for (size_t i = 100; i < n; i += 997)
        big[i] = (char)('a' + i % 26);
    fake_add(&w.store, big, n, 0);
    selected();
    w.store.die_after = die_after;
    dialogue(command, NULL);
    at = str_find(buf_str(&w.got), STR("}\r\n"));
    CHECK(at > 0 && w.got.n > n && memcmp(w.got.p + at + 3, big, n) == 0);
    CHECK(w.store.deaths == (die_after ? 1 : 0) && w.store.reattaches == w.store.deaths);
    free(big);
}

static void test_large(void **state UNUSED)
{
    large(MIB(3), 0, "a FETCH 4 BODY.PEEK[]\r\n");
}

static void test_store_dies(void **state UNUSED)
{
    large(MIB(3), MIB(1), "a FETCH 4 BODY.PEEK[]\r\n");
}

static void test_store_dies_piecewise(void **state UNUSED)
{
    large(MIB(3), MIB(1), "a FETCH 4 (BODY.PEEK[] BODY.PEEK[TEXT]<0.3>)\r\n");
}

/* A client that does not read costs bounded memory. */
static void test_client_does_not_read(void **state UNUSED)
{
    size_t n = MIB(30), peak = 0;
    char *big = calloc(1, n);

    memset(big, 'z', n);
    memcpy(big, "Subject: big\r\n\r\n", 16);
    fake_add(&w.store, big, n, 0);
    selected();
    watch_pause(&w.watch);
    say("a FETCH 4 (BODY.PEEK[] UID)\r\n", 29);
    for (int i = 0; i < 30; i++) {
        brief();
        peak = size_max(peak, conn_out_pending(w.srv.conns->io));
    }
    CHECK(peak > 0 && peak <= KIB(512));
    watch_resume(&w.watch);
    buf_clear(&w.got);
    run("\na OK Completed");
    CHECK(w.got.n > n && conn_out_pending(w.srv.conns->io) == 0);
    free(big);
}

static void test_append_large(void **state UNUSED)
{
    size_t n = MIB(2), at = 0;
    char *big = malloc(n), head[60];

    memset(big, 'y', n);
    selected();
    buf_clear(&w.got);
    snprintf(head, sizeof head, "a APPEND INBOX {%zu}\r\n", n);
    say(head, strlen(head));
    run("+ ");
    while (at < n) { /* as fast as it is taken: the role pauses us when the store does not take it */
        ssize_t k = write(w.fd, big + at, n - at);

        if (k > 0)
            at += (size_t)k;
        else
            brief();
    }
    buf_clear(&w.got);
    say("\r\n", 2);
    run("a OK [APPENDUID");
    CHECK(w.store.messages[3].n == n && memcmp(w.store.messages[3].bytes, big, n) == 0);
    free(big);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_large),
        T(test_silent_before_login),
        T(test_dripping_before_login),
        T(test_silent_after_login),
        T(test_much_before_login),
        T(test_store_dies),
        T(test_store_dies_piecewise),
        T(test_append_large),
        T(test_client_does_not_read),
        T(test_reattach_later),
        T(test_revoked),
    };

    return cmocka_run_group_tests_name("imap_patience", tests, NULL, NULL);
}
