/* test/fuzz/fuzz_pop3_session.c
 *
 * Laws of a POP3 session against any input, in any slices (the first byte says how long), with a world that
 * answers in ways the input chooses (the second byte): what is written is lines; a message, once announced, comes
 * back byte for byte when the stuffing is undone, or the connection is cut; nothing is deleted but by QUIT;
 * nothing is asked of the world after hanging up. States that may not follow each other abort by themselves. */
#include "lib/base/errors.h"
#include "lib/base/log.h"
#include "src/pop3/session.h"
#include "test/fuzz/fuzz.h"

#define LETTER "A: b\r\n\r\n.\r\n..x\r\n\n.\r\nno line end"

static struct world {
    struct pop3_session s;
    struct buf out;
    bool opens, fetches, enough, commits, over, quit, tls, whole;
    size_t mark; /* where the response to RETR begins */
    unsigned turn, mode;
} w;

static int io_reply(void *ctx UNUSED, struct str bytes)
{
    LAW(!w.over);
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
static void io_end(void *ctx UNUSED)
{
    LAW(!w.over);
    w.over = true;
}
static void io_timer(void *ctx UNUSED, int64_t ms)
{
    LAW(ms >= 0);
}
static int64_t io_now(void *ctx UNUSED)
{
    return 1;
}
static int io_open(void *ctx UNUSED, struct str address, struct str password)
{
    LAW(!w.over && w.s.tls && address.n && password.n);
    w.opens = true;
    return 0;
}
static int io_fetch(void *ctx UNUSED, const uint32_t *uids, size_t n, bool set_seen UNUSED)
{
    LAW(!w.over && n >= 1 && n <= 3);
    for (size_t i = 0; i < n; i++)
        LAW(uids[i] >= 5 && uids[i] <= 7 && (i == 0 || uids[i] > uids[i - 1]));
    w.fetches = true;
    w.enough = false;
    w.mark = w.out.n;
    w.whole = w.s.stuff.body_lines == STUFF_ALL;
    return 0;
}
static void io_enough(void *ctx UNUSED)
{
    w.enough = true;
}
static int io_commit(void *ctx UNUSED)
{
    LAW(!w.over && w.s.state == POP3_ST_UPDATE && w.s.drop.left < w.s.drop.n);
    w.commits = true;
    return 0;
}
static void io_cancel(void *ctx UNUSED)
{
    w.opens = w.fetches = w.commits = false;
}

static const struct pop3_io io = { io_reply, io_full, io_tls,   io_end,    io_end,    io_timer,
                                   io_now,   io_open, io_fetch, io_enough, io_commit, io_cancel };

static void opens(void)
{
    static const uint8_t id[UIDL_BYTES];
    enum pop3_opening result = (w.turn++ + w.mode) % 4 == 3 ? (enum pop3_opening)(w.turn % 6) : POP3_OPEN_OK;

    w.opens = false;
    for (uint32_t uid = 5; uid <= 7 && result == POP3_OPEN_OK; uid++)
        LAW(maildrop_add(&w.s.drop, uid, strlen(LETTER), id) == 0);
    pop3_session_opened(&w.s, result);
}

/* Undo the stuffing of what was written since the mark. */
static void check_letter(void)
{
    struct str out = str_skip(buf_str(&w.out), w.mark), line;
    struct buf back = { .max = KIB(4) };

    LAW(str_cut(out, '\n', &line, &out));
    while (out.n && !str_eq(out, STR(".\r\n"))) {
        ptrdiff_t end = str_find(out, STR("\r\n"));

        LAW(end >= 0);
        line = str_slice(out, 0, (size_t)end + 2);
        LAW(!str_eq(line, STR(".\r\n")));
        LAW(buf_puts(&back, line.p[0] == '.' ? str_skip(line, 1) : line) == 0);
        out = str_skip(out, line.n);
    }
    LAW(str_eq(buf_str(&back), STR(LETTER "\r\n")));
    buf_release(&back);
}

static void fetches(void)
{
    struct str letter = STR(LETTER);
    unsigned how = (w.turn++ + w.mode) % 5;

    w.fetches = false;
    if (how == 4) {
        pop3_session_fetched(&w.s, E_GONE);
        return;
    }
    pop3_session_fetching(&w.s);
    for (size_t i = 0; i < (how == 3 ? 7 : letter.n) && !w.enough && !w.over; i += how + 1)
        pop3_session_bytes(&w.s, str_slice(letter, i, i + how + 1));
    if (w.over)
        return;
    pop3_session_fetched(&w.s, how == 3 ? E_CLOSED : 0);
    LAW(how != 3 || w.over);
    if (how != 3 && w.whole && !w.over)
        check_letter();
}

static void world_answers(void)
{
    if (w.opens)
        opens();
    else if (w.fetches)
        fetches();
    else if (w.commits) {
        w.commits = false;
        pop3_session_committed(&w.s, w.mode % 2 ? E_UNAVAIL : 0);
    }
    if (w.tls && w.s.state == POP3_ST_TLS)
        pop3_session_secured(&w.s);
    if (w.s.state == POP3_ST_REFUSING)
        pop3_session_timeout(&w.s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pop3_conf conf = { .login_timeout_ms = 60000, .idle_timeout_ms = 600000, .max_messages = 10 };
    struct str in = str_of(data, size);
    size_t slice;

    if (size < 2)
        return 0;
    log_to(-1);
    w = (struct world){ .out = { .max = MIB(4) }, .mode = data[1] };
    slice = data[0] ? data[0] : 1;
    in = str_skip(in, 2);
    pop3_session_start(&w.s, &conf, &io, &w, STR("mail.example.test"), data[1] & 1, data[1] & 2);
    if (data[1] & 2)
        pop3_session_secured(&w.s);
    while (in.n && !w.over) {
        size_t used = pop3_session_input(&w.s, str_slice(in, 0, slice));

        in = str_skip(in, used);
        for (int i = 0; i < 4; i++)
            world_answers();
        LAW(used > 0 || !pop3_session_waits(&w.s) || w.s.state == POP3_ST_TLS);
        if (used == 0)
            break;
    }
    LAW(w.out.n == 0 || str_ends(buf_str(&w.out), STR("\n")) || w.over);
    pop3_session_release(&w.s);
    buf_release(&w.out);
    return 0;
}
