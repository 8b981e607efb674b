/* src/pop3/session_test.c: sessions as scripts. Each runs whole and byte by byte, with a world that answers as the
 * script says. A script is lines: "C: …" sent with CRLF; "c: …" sent as it stands (\r \n \0 escapes); "S: …" the
 * line expected next, '*' at its end for anything; "!…" something that the world does. */
#include "lib/base/test.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/log.h"
#include "src/pop3/session.h"
#include <fcntl.h>

#define LETTER "A: b\r\n\r\none\r\n.two\r\nthree\r\n"

struct world {
    struct pop3_session s;
    struct pop3_conf conf;
    struct buf in, out, address, password;
    size_t slice, out_read;
    int64_t timer_ms;
    enum pop3_opening opening;
    int fetch_status, commit_status;
    bool opens, fetches, enough, commits, hung_up, cut, tls, full, half, seen;
    uint32_t uid;
    unsigned commits_done, cancels;
};

static int io_reply(void *ctx, struct str bytes)
{
    return buf_puts(&((struct world *)ctx)->out, bytes);
}
static bool io_full(void *ctx)
{
    return ((struct world *)ctx)->full;
}
static void io_tls(void *ctx)
{
    ((struct world *)ctx)->tls = true;
}
static void io_hang_up(void *ctx)
{
    ((struct world *)ctx)->hung_up = true;
}
static void io_cut(void *ctx)
{
    ((struct world *)ctx)->cut = true;
}
static void io_timer(void *ctx, int64_t ms)
{
    ((struct world *)ctx)->timer_ms = ms;
}
static int64_t io_now(void *ctx UNUSED)
{
    return 1000;
}
static int io_open(void *ctx, struct str address, struct str password)
{
    struct world *w = ctx;

    buf_clear(&w->address);
    buf_clear(&w->password);
    w->opens = true;
    return buf_puts(&w->address, address) | buf_puts(&w->password, password);
}
static int io_fetch(void *ctx, const uint32_t *uids, size_t n UNUSED, bool set_seen)
{
    struct world *w = ctx;

    w->fetches = true;
    w->enough = false;
    w->uid = uids[0];
    w->seen = set_seen;
    return 0;
}
static void io_enough(void *ctx)
{
    ((struct world *)ctx)->enough = true;
}
static int io_commit(void *ctx)
{
    ((struct world *)ctx)->commits = true;
    return 0;
}
static void io_cancel(void *ctx)
{
    struct world *w = ctx;

    w->cancels++;
    w->opens = w->fetches = w->commits = false;
}

static const struct pop3_io io = { io_reply, io_full, io_tls,   io_hang_up, io_cut,    io_timer,
                                   io_now,   io_open, io_fetch, io_enough,  io_commit, io_cancel };

static void world_opens(struct world *w)
{
    static const uint8_t id[UIDL_BYTES] = { 0xab, 0xcd, 0xef };
    enum pop3_opening result = w->opening;

    if (result == POP3_OPEN_OK && !str_eq_z(buf_str(&w->password), "secret"))
        result = POP3_OPEN_WRONG;
    for (uint32_t uid = 11; result == POP3_OPEN_OK && uid <= 15; uid++)
        if (uid != 14)
            CHECK(maildrop_add(&w->s.drop, uid, strlen(LETTER), id) == 0);
    pop3_session_opened(&w->s, result);
}

static void world_fetches(struct world *w)
{
    struct str letter = STR(LETTER);

    if (w->fetch_status == 0) {
        pop3_session_fetching(&w->s);
        for (size_t i = 0; i < (w->half ? 5 : letter.n) && !w->enough; i++)
            pop3_session_bytes(&w->s, str_slice(letter, i, i + 1));
    }
    pop3_session_fetched(&w->s, w->half ? E_CLOSED : w->fetch_status);
}

static void world_run(struct world *w)
{
    for (bool moved = true; moved;) {
        struct str in = str_slice(buf_str(&w->in), 0, w->slice);
        size_t used = in.n && !w->hung_up ? pop3_session_input(&w->s, in) : 0;

        buf_drop(&w->in, used);
        moved = used > 0 || w->opens || w->fetches || w->commits;
        if (w->opens) {
            w->opens = false;
            world_opens(w);
        } else if (w->fetches) {
            w->fetches = false;
            world_fetches(w);
        } else if (w->commits) {
            w->commits = false;
            w->commits_done++;
            pop3_session_committed(&w->s, w->commit_status);
        }
    }
}

static void expect(struct world *w, struct str want)
{
    bool open = str_ends(want, STR("*"));
    struct str got, line;

    world_run(w);
    got = str_skip(buf_str(&w->out), w->out_read);
    if (!str_cut(got, '\n', &line, &got)) {
        print_error("expected \"%.*s\", got nothing\n", STR_ARG(want));
        fail_msg("not %s", "a reply");
    }
    w->out_read += line.n + 1;
    line = str_trim(line);
    want.n -= open;
    if (!(open ? str_starts(line, want) : str_eq(line, want))) {
        print_error("expected \"%.*s\", got \"%.*s\"\n", STR_ARG(want), STR_ARG(line));
        fail_msg("not %s", "this reply");
    }
}

static void send_raw(struct world *w, struct str s, bool crlf)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (c == '\\' && !crlf && i + 1 < s.n) {
            c = s.p[++i];
            c = c == 'r' ? '\r' : c == 'n' ? '\n' : c == '0' ? '\0' : c;
        }
        CHECK(buf_putc(&w->in, c) == 0);
    }
    CHECK(!crlf || buf_puts(&w->in, STR("\r\n")) == 0);
}

static void do_timeout(struct world *w)
{
    CHECK(w->timer_ms > 0);
    pop3_session_timeout(&w->s);
}
static void do_tls(struct world *w)
{
    CHECK(w->tls && w->s.state == POP3_ST_TLS);
    pop3_session_secured(&w->s);
}
static void do_gone(struct world *w)
{
    CHECK(w->hung_up);
}
static void do_here(struct world *w)
{
    CHECK(!w->hung_up && !w->cut);
}
static void do_cut(struct world *w)
{
    CHECK(w->cut);
}
static void do_silence(struct world *w)
{
    CHECK(w->out.n == w->out_read);
}
static void do_in_use(struct world *w)
{
    w->opening = POP3_OPEN_IN_USE;
}
static void do_too_soon(struct world *w)
{
    w->opening = POP3_OPEN_TOO_SOON;
}
static void do_later(struct world *w)
{
    w->opening = POP3_OPEN_LATER;
}
static void do_removed(struct world *w)
{
    w->fetch_status = E_GONE;
}
static void do_down(struct world *w)
{
    w->fetch_status = w->commit_status = E_UNAVAIL;
}
static void do_half(struct world *w)
{
    w->half = true;
}
static void do_full(struct world *w)
{
    w->full = true;
}
static void do_drained(struct world *w)
{
    w->full = false;
    pop3_session_drained(&w->s);
}
static void do_deleted_none(struct world *w)
{
    CHECK(w->commits_done == 0);
}
static void do_deleted_1_3(struct world *w)
{
    uint32_t *v = NULL;
    size_t n = 0;

    CHECK(w->commits_done == 1 && maildrop_deleted(&w->s.drop, &v, &n) == 0);
    CHECK(n == 4 && v[0] == 11 && v[1] == 11 && v[2] == 13 && v[3] == 13);
    free(v);
}
static void do_seen(struct world *w)
{
    CHECK(w->seen);
}
static void do_not_seen(struct world *w)
{
    CHECK(!w->seen);
}
/* What counts as no error, 64 KB of it. */
static void do_chatter(struct world *w)
{
    size_t n = 0;

    for (; n < KIB(66) && w->s.state != POP3_ST_CLOSED; n += 16) {
        buf_clear(&w->out);
        w->out_read = 0;
        (void)pop3_session_input(&w->s, STR("UTF8          \r\n"));
    }
    CHECK(n >= KIB(64) && n <= KIB(64) + 16);
}
static void do_end(struct world *w)
{
    pop3_session_end(&w->s, "-ERR [SYS/TEMP] The server is going down");
}

static const struct {
    const char *name;
    void (*run)(struct world *w);
} deeds[] = {
    { "timeout", do_timeout },
    { "chatter", do_chatter },
    { "tls", do_tls },
    { "gone", do_gone },
    { "here", do_here },
    { "cut", do_cut },
    { "silence", do_silence },
    { "in-use", do_in_use },
    { "too-soon", do_too_soon },
    { "later", do_later },
    { "removed", do_removed },
    { "down", do_down },
    { "half", do_half },
    { "full", do_full },
    { "drained", do_drained },
    { "deleted-none", do_deleted_none },
    { "deleted-1-3", do_deleted_1_3 },
    { "seen", do_seen },
    { "not-seen", do_not_seen },
    { "end", do_end },
};

static void world_does(struct world *w, struct str what)
{
    world_run(w);
    for (size_t i = 0; i < ARRAY_LEN(deeds); i++)
        if (str_eq_z(what, deeds[i].name)) {
            deeds[i].run(w);
            return;
        }
    fail_msg("not %s", "something the world can do");
}

static void play(struct world *w, const char *script)
{
    struct str rest = str_from(script), line;

    while (rest.n) {
        str_cut(rest, '\n', &line, &rest);
        if (line.n == 0)
            continue;
        check_case = line.p;
        if (line.p[0] == '!')
            world_does(w, str_skip(line, 1));
        else if (line.p[0] == 'S')
            expect(w, str_skip(line, 3));
        else
            send_raw(w, str_skip(line, 3), line.p[0] == 'C');
    }
    check_case = "";
}

/* clang-format off: scripts */
#define GREETING   "S: +OK *\n"
#define STLS       "C: STLS\nS: +OK Begin TLS\n!tls\n"
#define LOGIN      GREETING STLS "C: USER a@example.test\nS: +OK\nC: PASS secret\nS: +OK 4 messages, 104 octets\n"
#define LETTER_OUT "S: A: b\nS: \nS: one\nS: ..two\nS: three\nS: .\n"

static const struct {
    const char *name, *script;
} scripts[] = {
    { "RFC 1939 10, by and large", LOGIN
      "C: STAT\nS: +OK 4 104\nC: LIST\nS: +OK 4 messages, 104 octets\nS: 1 26\nS: 2 26\nS: 3 26\nS: 4 26\nS: .\n"
      "C: RETR 1\nS: +OK 26 octets\n" LETTER_OUT "!seen\nC: DELE 1\nS: +OK *\nC: DELE 3\nS: +OK *\n"
      "C: QUIT\nS: +OK Bye, 2 messages left\n!gone\n!deleted-1-3\n" },
    { "nothing without TLS", GREETING
      "C: CAPA\nS: +OK\nS: TOP\nS: UIDL\nS: RESP-CODES\nS: AUTH-RESP-CODE\nS: PIPELINING\nS: EXPIRE NEVER\n"
      "S: LOGIN-DELAY 0\nS: UTF8 USER\nS: STLS\nS: IMPLEMENTATION Letterlock\nS: .\n"
      "C: USER a\nS: -ERR [SYS/PERM] Start TLS first\nC: AUTH PLAIN\nS: -ERR [SYS/PERM] Start TLS first\n!here\n" },
    { "capabilities with TLS", GREETING STLS
      "C: CAPA\nS: +OK\nS: TOP\nS: UIDL\nS: RESP-CODES\nS: AUTH-RESP-CODE\nS: PIPELINING\nS: EXPIRE NEVER\n"
      "S: LOGIN-DELAY 0\nS: UTF8 USER\nS: USER\nS: SASL PLAIN\nS: IMPLEMENTATION Letterlock\nS: .\n"
      "C: STLS\nS: -ERR TLS is active already\n" },
    { "a user named before TLS is forgotten", GREETING STLS "C: PASS secret\nS: -ERR USER comes first\n" },
    { "wrong password", GREETING STLS
      "C: USER a@example.test\nS: +OK\nC: PASS wrong\n!silence\n!timeout\nS: -ERR [AUTH] Wrong address or password\n"
      "C: PASS secret\nS: -ERR USER comes first\nC: USER a\nS: +OK\nC: PASS secret\nS: +OK 4*\n" },
    { "five wrong ones", GREETING STLS
      "C: USER a\nS: +OK\nC: PASS x\n!timeout\nS: -ERR [AUTH]*\nC: USER a\nS: +OK\nC: PASS x\n!timeout\nS: -ERR [AUTH]*\n"
      "C: USER a\nS: +OK\nC: PASS x\n!timeout\nS: -ERR [AUTH]*\nC: USER a\nS: +OK\nC: PASS x\n!timeout\nS: -ERR [AUTH]*\n"
      "C: USER a\nS: +OK\nC: PASS x\n!timeout\nS: -ERR [AUTH]*\n!gone\n" },
    { "in use", GREETING STLS "!in-use\nC: USER a\nS: +OK\nC: PASS secret\nS: -ERR [IN-USE]*\n!here\n" },
    { "too soon",
      GREETING STLS "!too-soon\nC: USER a\nS: +OK\nC: PASS secret\nS: -ERR [LOGIN-DELAY]*\n!here\n" },
    { "a part is down",
      GREETING STLS "!later\nC: USER a\nS: +OK\nC: PASS secret\nS: -ERR [SYS/TEMP]*\n!here\n" },
    { "AUTH PLAIN", GREETING STLS "C: AUTH PLAIN\nS: +\nC: AGFAZXhhbXBsZS50ZXN0AHNlY3JldA==\nS: +OK 4*\n" },
    { "AUTH PLAIN, initial", GREETING STLS "C: AUTH PLAIN AGFAZXhhbXBsZS50ZXN0AHNlY3JldA==\nS: +OK 4*\n" },
    { "AUTH cancelled", GREETING STLS
      "C: AUTH PLAIN\nS: +\nC: *\nS: -ERR Cancelled\nC: AUTH CRAM-MD5\nS: -ERR Only*\n"
      "C: AUTH PLAIN\nS: +\nC: no base64!\nS: -ERR Expected*\nC: AUTH\nS: +OK\nS: PLAIN\nS: .\n" },
    { "a password with spaces",
      GREETING STLS "C: USER a\nS: +OK\nC: PASS  secret\n!timeout\nS: -ERR [AUTH]*\n" },
    { "order", GREETING
      "C: STAT\nS: -ERR Log in first\nC: XYZZY\nS: -ERR Unknown command\nC: NOOP x\nS: -ERR Log in*\n"
      "C: QUIT\nS: +OK Bye\n!gone\n" },
    { "again", LOGIN
      "C: USER a\nS: -ERR You are logged in already\nC: NOOP\nS: +OK\nC: NOOP 1\nS: -ERR The arguments*\n" },
    { "numbers", LOGIN
      "C: RETR\nS: -ERR The arguments*\nC: RETR 0\nS: -ERR There is no*\nC: RETR 5\nS: -ERR There is no*\n"
      "C: RETR 4294967297\nS: -ERR There is no*\nC: LIST x\nS: -ERR The arg*\nC: LIST 2\nS: +OK 2 26\n"
      "C: UIDL 2\nS: +OK 2 abcdef000000000000000000\n" },
    { "deleted is gone", LOGIN
      "C: DELE 2\nS: +OK*\nC: DELE 2\nS: -ERR There*\nC: RETR 2\nS: -ERR There*\nC: LIST 2\nS: -ERR*\n"
      "C: LIST\nS: +OK 3 messages, 78 octets\nS: 1 26\nS: 3 26\nS: 4 26\nS: .\nC: STAT\nS: +OK 3 78\n"
      "C: RSET\nS: +OK 4*\nC: LIST 2\nS: +OK 2 26\nC: QUIT\nS: +OK Bye, 4 messages left\n!gone\n!deleted-none\n" },
    { "TOP", LOGIN
      "C: TOP 1 0\nS: +OK*\nS: A: b\nS: \nS: .\nC: TOP 1 2\nS: +OK*\nS: A: b\nS: \nS: one\nS: ..two\nS: .\n"
      "!not-seen\nC: TOP 1 99\nS: +OK*\n" LETTER_OUT "C: TOP 1\nS: -ERR The*\nC: TOP 9 1\nS: -ERR There*\n" },
    { "pipelined", LOGIN "c: RETR 1\\r\\nDELE 1\\r\\nDELE 3\\r\\nQUIT\\r\\n\nS: +OK 26 octets\n" LETTER_OUT
                         "S: +OK*\nS: +OK*\nS: +OK Bye*\n!gone\n!deleted-1-3\n" },
    { "much before login", GREETING "!chatter\nS: -ERR [SYS/PERM] Too much was said before login\n!gone\n" },
    { "cut off: nothing is deleted", LOGIN "C: DELE 1\nS: +OK*\n!timeout\n!gone\n!silence\n!deleted-none\n" },
    { "removed by another session",
      LOGIN "!removed\nC: RETR 1\nS: -ERR Another session*\n!here\nC: NOOP\nS: +OK\n" },
    { "the store is down", LOGIN "!down\nC: RETR 1\nS: -ERR [SYS/TEMP]*\nC: DELE 1\nS: +OK*\nC: QUIT\n"
                                 "S: -ERR [SYS/TEMP] Some deleted messages were not removed\n!gone\n" },
    { "half a message is cut off", LOGIN "!half\nC: RETR 1\nS: +OK 26 octets\n!cut\n" },
    { "a slow reader's list",
      LOGIN "!full\nC: LIST\n!silence\n!drained\nS: +OK 4*\nS: 1 26\nS: 2 26\nS: 3 26\nS: 4 26\nS: .\n" },
    { "the service stops", LOGIN "!end\nS: -ERR [SYS/TEMP] The server is going down\n!gone\n" },
    { "lines", LOGIN "c: NOOP\\n\nS: -ERR Lines end*\nc: NO\\0OP\\r\\n\nS: -ERR Lines*\nC: NOOP\nS: +OK\n" },
};
/* clang-format on */

static void run(size_t slice)
{
    for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
        struct world w = { .slice = slice };

        w.in.max = w.out.max = MIB(1);
        w.address.max = w.password.max = KIB(2);
        w.conf =
            (struct pop3_conf){ .login_timeout_ms = 60000, .idle_timeout_ms = 600000, .max_messages = 100 };
        pop3_session_start(&w.s, &w.conf, &io, &w, STR("mail.example.test"), true, false);
        play(&w, scripts[i].script);
        pop3_session_release(&w.s);
        buf_release(&w.in);
        buf_release(&w.out);
        buf_release(&w.address);
        buf_release(&w.password);
    }
}

static void test_whole(void **state UNUSED)
{
    run(KIB(64));
}
static void test_byte_by_byte(void **state UNUSED)
{
    run(1);
}

static void test_maildrop_limit(void **state UNUSED)
{
    struct maildrop d = { .max = 2 };
    uint8_t id[UIDL_BYTES] = { 0 };

    CHECK(maildrop_add(&d, 1, 10, id) == 0 && maildrop_add(&d, 2, 10, id) == 0);
    CHECK(maildrop_add(&d, 3, 10, id) == E_LIMIT && d.n == 2 && d.bytes == 20);
    CHECK(!maildrop_get(&d, 0) && !maildrop_get(&d, 3) && maildrop_get(&d, 2)->uid == 2);
    maildrop_release(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_whole), cmocka_unit_test(test_byte_by_byte),
                                        cmocka_unit_test(test_maildrop_limit) };

    log_to(open("/dev/null", O_WRONLY | O_CLOEXEC));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
