/* src/mx/session_test.c: sessions as scripts. Each runs whole and byte by byte, with a world that answers
 * as the script says. A script is lines: "C: …" sent with CRLF; "c: …" sent as it stands (\r \n \0 \\ escapes);
 * "S: …" the reply expected next, '*' at its end for anything; "!…" something that the world does. */
#include "lib/base/test.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/log.h"
#include "src/common/peers.h"
#include "lib/rpc/pb.h"
#include "proto/courier.pb-c.h"
#include "src/mx/service.h"
#include <fcntl.h>
#include <unistd.h>

struct world {
    struct smtp_session s;
    struct mx_own own;
    struct mx_conf conf;
    struct buf in, out, staged, address;
    size_t slice, room, out_read;
    int64_t timer_ms;
    int resolve_status, stage_status, deliver_status;
    enum smtp_found found;
    bool resolving, staging, ended, delivering, hung_up, tls, hold, full;
    unsigned cancels, deliveries, nrcpt, nforwards;
    char prepend[KIB(4)];
    char told[KIB(2)]; /* who hears that the last one arrived, and what its forwards were given */
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
static void io_timer(void *ctx, int64_t ms)
{
    ((struct world *)ctx)->timer_ms = ms;
}
static int io_resolve(void *ctx, struct str address)
{
    struct world *w = ctx;

    buf_clear(&w->address);
    w->resolving = true;
    return buf_puts(&w->address, address);
}
static int io_stage(void *ctx, uint64_t max UNUSED, uint64_t expected UNUSED)
{
    struct world *w = ctx;

    buf_clear(&w->staged);
    w->ended = false;
    w->staging = w->stage_status != E_NOMEM;
    return w->staging ? 0 : E_NOMEM;
}
static size_t io_room(void *ctx)
{
    return ((struct world *)ctx)->room;
}
static int io_send(void *ctx, struct str bytes)
{
    struct world *w = ctx;

    CHECK(w->staging && !w->ended);
    return buf_puts(&w->staged, bytes);
}
static void io_end(void *ctx)
{
    ((struct world *)ctx)->ended = true;
}
static int io_deliver(void *ctx, const struct smtp_message *m)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(64) };
    struct world *w = ctx;
    struct str prepend;

    CHECK((m->recipients ? smtp_message_prepend(m, &a, m->recipients, &prepend)
                         : smtp_forward_prepend(m, &a, m->forwards->alias, &prepend)) == 0 &&
          prepend.n < sizeof(w->prepend));
    w->nforwards = 0;
    for (const struct smtp_forward *f = m->forwards; f; f = f->next)
        w->nforwards++;
    memcpy(w->prepend, prepend.p, prepend.n);
    w->prepend[prepend.n] = '\0';
    w->delivering = true;
    w->nrcpt = m->nrcpt;
    return 0;
}
static void io_cancel(void *ctx)
{
    struct world *w = ctx;

    w->cancels++;
    w->resolving = w->staging = w->delivering = false;
}

static const struct smtp_io io = {
    io_reply, io_full, io_tls,  io_hang_up, io_timer,   io_resolve,
    io_stage, io_room, io_send, io_end,     io_deliver, io_cancel,
};

/* What the directory says of some names, beyond a mailbox. */
static const struct {
    const char *name;
    struct mx_resolved resolved;
} others[] = {
    { "off250@", { .outcome = MX_DISABLED, .answer = 250 } },
    { "off421@", { .outcome = MX_DISABLED, .answer = 421 } },
    { "off550@", { .outcome = MX_DISABLED, .answer = 550 } },
    { "denied@", { .outcome = MX_REFUSED } },
    { "circle@", { .outcome = MX_LOOP } },
    { "out@",
      { .forwards =
            (const struct smtp_forward[]){
                { false, { "me@far.example", 14 }, { "out@example.test", 16 }, { "example.test", 12 } } },
        .nforwards = 1 } },
    { "hook@",
      { .forwards = (const struct smtp_forward[]){ { true,
                                                     { "https://far.example/", 20 },
                                                     { "hook@example.test", 17 },
                                                     { "example.test", 12 } } },
        .nforwards = 1 } },
    { "two@",
      { .boxes = (const struct smtp_mailbox[]){ { .id = { "one", 3 }, .address = { "one@example.test", 16 } },
                                                { .id = { "two", 3 },
                                                  .address = { "two@example.test", 16 },
                                                  .limited = true,
                                                  .room = 500,
                                                  .limit = 1000 } },
        .nboxes = 2 } },
};

static const struct mx_resolved *other(struct str address)
{
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (str_starts(address, str_from(others[i].name)))
            return &others[i].resolved;
    return NULL;
}

static void tell(struct world *w)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(64) };
    CLEANUP(buf_release) struct buf text = { .max = sizeof w->told };
    static const char *const actions[] = { "delivered", "expanded", "relayed" };
    Courier__ArrivalRequest q;
    int r = mx_dsn_request(&w->s, &a, &q);

    CHECK(r >= 0 && buf_putz(&text, r ? "" : "nobody") == 0);
    for (size_t i = 0; r && i < q.n_recipients; i++)
        CHECK(buf_printf(&text, "%s %.*s %.*s;", actions[q.recipients[i]->action],
                         STR_ARG(pb_str(q.recipients[i]->to)), STR_ARG(pb_str(q.recipients[i]->orcpt))) == 0);
    for (const struct smtp_forward *f = w->s.m.forwards; f; f = f->next)
        CHECK(buf_printf(&text, " %.*s %u %.*s", STR_ARG(f->to), f->notify, STR_ARG(f->orcpt)) == 0);
    if (r && q.header.len)
        CHECK(buf_printf(&text, " [%.*s] %.*s", STR_ARG(str_trim(pb_str(q.header))),
                         STR_ARG(pb_str(q.envid))) == 0);
    memcpy(w->told, text.p, text.n);
    w->told[text.n] = '\0';
}

/* Answer what is asked, unless the script holds answers back. */
static void world_answers(struct world *w)
{
    if (w->resolving && !w->hold) {
        struct smtp_mailbox box = { .id = buf_str(&w->address),
                                    .address = buf_str(&w->address),
                                    .nkey_states = 1,
                                    .key_states = { STR("state") } };
        struct mx_resolved one = { .boxes = &box, .nboxes = 1 };
        bool known = str_ends(buf_str(&w->address), STR("@example.test"));
        enum smtp_found found = known ? w->found : SMTP_NO_DOMAIN;

        if (str_starts(buf_str(&w->address), STR("nobody@")))
            found = SMTP_NO_ALIAS;
        box.limited =
            str_starts(buf_str(&w->address), STR("full@")) || str_starts(buf_str(&w->address), STR("small@"));
        box.room = str_starts(buf_str(&w->address), STR("small@")) ? 500 : 0;
        box.limit = 1000;
        w->resolving = false;
        w->own.resolved = other(buf_str(&w->address));
        if (!w->own.resolved && found == SMTP_FOUND)
            w->own.resolved = &one;
        smtp_session_resolved(&w->s, w->resolve_status, found, &box);
        w->own.resolved = NULL;
    }
    if (w->staging && w->ended && !w->hold) {
        w->staging = false;
        smtp_session_staged(&w->s, w->stage_status, w->staged.n);
    }
    if (w->delivering && !w->hold) {
        w->delivering = false;
        w->deliveries += w->deliver_status == 0;
        for (struct smtp_recipient *r = w->s.m.recipients; r && w->s.m.each; r = r->next)
            r->status = str_starts(r->path.local, STR("busy"))   ? E_BUSY
                        : str_starts(r->path.local, STR("over")) ? E_QUOTA
                                                                 : 0;
        tell(w);
        smtp_session_delivered(&w->s, w->deliver_status, STR("q1"), 0);
    }
}

static void world_run(struct world *w)
{
    for (bool moved = true; moved;) {
        struct str in = str_slice(buf_str(&w->in), 0, w->slice);
        size_t used = 0;

        if (in.n && !smtp_session_waits(&w->s) && !w->hung_up)
            used = smtp_session_input(&w->s, in);
        buf_drop(&w->in, used);
        moved = used > 0 || (!w->hold && (w->resolving || (w->staging && w->ended) || w->delivering));
        world_answers(w);
    }
}

static void expect(struct world *w, struct str want)
{
    struct str got = str_skip(buf_str(&w->out), w->out_read), line;
    bool open = str_ends(want, STR("*"));

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

static const struct verb {
    const char *name;
    int status;
} statuses[] = { { "busy", E_BUSY },      { "closed", E_CLOSED },   { "quota", E_QUOTA },
                 { "toobig", E_TOO_BIG }, { "timeout", E_TIMEOUT }, { "big", E_TOO_BIG },
                 { "denied", E_DENIED },  { "nomem", E_NOMEM },     { "ok", 0 } };

static int status_of(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
        if (str_eq_z(name, statuses[i].name))
            return statuses[i].status;
    fail_msg("not %s", "a status");
    return 0;
}

static void world_does(struct world *w, struct str what)
{
    struct str word, arg;

    world_run(w);
    str_cut(what, ' ', &word, &arg);
    if (str_eq_z(word, "resolve"))
        w->resolve_status = status_of(arg);
    else if (str_eq_z(word, "listed"))
        smtp_session_peer(&w->s, STR("client.example"),
                          str_slice(STR("bl.example"), 0, arg.n ? 0 : SIZE_MAX));
    else if (str_eq_z(word, "notready"))
        w->found = SMTP_NOT_READY;
    else if (str_eq_z(word, "stage"))
        w->stage_status = status_of(arg);
    else if (str_eq_z(word, "deliver"))
        w->deliver_status = status_of(arg);
    else if (str_eq_z(word, "stage-dies")) {
        w->staging = false;
        smtp_session_staged(&w->s, E_CLOSED, 0);
    } else if (str_eq_z(word, "hold"))
        w->hold = true;
    else if (str_eq_z(word, "release"))
        w->hold = false;
    else if (str_eq_z(word, "timeout")) {
        CHECK(w->timer_ms > 0);
        smtp_session_timeout(&w->s);
    } else if (str_eq_z(word, "stop"))
        smtp_session_stop(&w->s);
    else if (str_eq_z(word, "tls")) {
        CHECK(w->tls && w->s.state == SMTP_ST_TLS);
        smtp_session_secured(&w->s, "TLSv1.3", "TLS_AES_256_GCM_SHA384");
    } else if (str_eq_z(word, "silence")) {
        CHECK(w->out.n == w->out_read);
    } else if (str_eq_z(word, "gone"))
        CHECK(w->hung_up);
    else if (str_eq_z(word, "here"))
        CHECK(!w->hung_up);
    else if (str_eq_z(word, "stored"))
        CHECK(w->deliveries == (unsigned)(arg.p[0] - '0'));
    else if (str_eq_z(word, "rcpts"))
        CHECK(w->nrcpt == (unsigned)(arg.p[0] - '0'));
    else if (str_eq_z(word, "forwards"))
        CHECK(w->nforwards == (unsigned)(arg.p[0] - '0'));
    else if (str_eq_z(word, "junk"))
        w->own.spam.junk = true;
    else if (str_eq_z(word, "told")) {
        if (!str_eq_z(arg, w->told))
            print_error("told \"%s\"\n", w->told);
        CHECK(str_eq_z(arg, w->told));
    } else if (str_eq_z(word, "waits"))
        CHECK(smtp_session_waits(&w->s) && w->timer_ms == 0);
    else
        fail_msg("not %s", "something the world can do");
}

static void world_start(struct world *w, size_t slice)
{
    *w = (struct world){ .slice = slice, .room = MIB(1), .found = SMTP_FOUND };
    w->in.max = w->out.max = w->staged.max = MIB(4);
    w->address.max = KIB(1);
    w->conf = (struct mx_conf){
        .smtp.max_message_bytes = 2000,
        .smtp.max_recipients = 3,
        .smtp.max_total_bytes = 4000,
        .smtp.max_errors = 5,
        .smtp.max_unknown = 4,
        .smtp.max_junk = 10,
        .smtp.max_received = 3,
        .smtp.command_timeout_ms = 300000,
        .smtp.data_timeout_ms = 180000,
        .smtp.message_timeout_ms = 3600000,
        .smtp.max_line = 998,
        .smtp.postmaster = "",
    };
    w->own.conf = &w->conf;
    mx_session_serve(&w->s, &w->own);
    smtp_session_start(&w->s, &w->conf.smtp, &io, w, STR("mx.example.test"), STR("192.0.2.7"), true);
}

static void world_end(struct world *w)
{
    smtp_session_release(&w->s);
    buf_release(&w->in);
    buf_release(&w->out);
    buf_release(&w->staged);
    buf_release(&w->address);
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
#define HELLO                                                                                  \
    "S: 220 mx.example.test ESMTP Letterlock\nC: EHLO a.example\nS: 250-mx.example.test\n"     \
    "S: 250-PIPELINING\nS: 250-SIZE 2000\nS: 250-STARTTLS\nS: 250-8BITMIME\nS: 250-SMTPUTF8\n" \
    "S: 250-ENHANCEDSTATUSCODES\nS: 250-CHUNKING\nS: 250-BINARYMIME\nS: 250-LIMITS RCPTMAX=3\nS: 250-DSN\nS: 250-MT-PRIORITY\nS: 250 HELP\n"
#define MAIL "C: MAIL FROM:<x@y.example>\nS: 250 2.1.0*\n"
#define RCPT "C: RCPT TO:<hello@example.test>\nS: 250 2.1.5*\n"
#define DATA "C: DATA\nS: 354 *\n"
#define QUIT "C: QUIT\nS: 221 2.0.0*\n!gone\n!silence\n"
#define NEXT MAIL RCPT DATA "C: hi\nC: .\nS: 250 2.0.0 Ok, stored as q1\n"

static const struct {
    const char *name, *script;
} scripts[] = {
    { "a message", HELLO MAIL RCPT DATA
      "C: Subject: x\nC: \nC: ..\nC: .\nS: 250 2.0.0 Ok, stored as q1\n!stored 1\n" QUIT },
    { "pipelined", HELLO
      "C: MAIL FROM:<>\nC: RCPT TO:<hello@example.test>\nC: RCPT TO:<nobody@example.test>\n"
      "C: RCPT TO:<b@example.test>\nS: 250 2.1.0*\nS: 250 2.1.5*\nS: 550 5.1.1*\nS: 250 2.1.5*\nC: DATA\nS: 354*\n"
      "C: hi\nC: .\nC: MAIL FROM:<>\nC: QUIT\nS: 250 2.0.0*\nS: 250 2.1.0*\nS: 221*\n!rcpts 2\n!gone\n" },
    { "HELO", "S: 220*\nC: HELO x\nS: 250 mx.example.test\n" MAIL RCPT DATA "C: hi\nC: .\nS: 250*\n"
              "C: MAIL FROM:<a@b> SIZE=1\nS: 555*\n" },
    { "order",
      "S: 220*\n"
      "C: MAIL FROM:<a@b>\nS: 503*\nC: EHLO x\nS: 250-*\nS: 250-*\nS: 250-*\nS: 250-*\nS: 250-*\n"
      "S: 250-*\nS: 250-*\nS: 250-*\nS: 250-*\nS: 250-*\nS: 250-DSN\nS: 250-MT-PRIORITY\nS: 250 HELP\nC: RCPT TO:<a@b>\nS: 503*\nC: DATA\nS: 503*\n" MAIL
      "C: MAIL FROM:<a@b>\nS: 503*\nC: DATA\nS: 554*\nS: 421 4.7.0*\n!gone\n" },
    { "no recipients", HELLO MAIL "C: DATA\nS: 554 5.5.1*\n" RCPT DATA "C: hi\nC: .\nS: 250*\n" },
    { "no relay", HELLO MAIL
      "C: RCPT TO:<a@other.example>\nS: 550 5.7.1*\nC: RCPT TO:<a@[127.0.0.1]>\nS: 550 5.7.1*\n!here\n" },
    { "quoted", HELLO MAIL "C: RCPT TO:<\"hello\"@EXAMPLE.test>\nS: 250 2.1.5*\n" },
    { "same mailbox twice", HELLO MAIL RCPT RCPT DATA "C: hi\nC: .\nS: 250*\n!rcpts 1\n" },
    { "not ready", HELLO MAIL "!notready\nC: RCPT TO:<hello@example.test>\nS: 450 4.2.1*\n" },
    { "too many recipients",
      HELLO MAIL "C: RCPT TO:<a@example.test>\nS: 250*\nC: RCPT TO:<b@example.test>\nS: 250*\n"
                 "C: RCPT TO:<c@example.test>\nS: 250*\nC: RCPT TO:<d@example.test>\nS: 452 4.5.3*\n" DATA
                 "C: hi\nC: .\nS: 250*\n!rcpts 3\n" },
    { "size declared",
      HELLO "C: MAIL FROM:<> SIZE=2001\nS: 552 5.3.4*\nC: MAIL FROM:<> SIZE=1500\nS: 250*\n" RCPT
            "C: RCPT TO:<b@example.test>\nS: 250*\nC: RCPT TO:<c@example.test>\nS: 452 4.5.3*\n" },
    { "errors then 421", HELLO
      "C: X\nS: 500*\nC: X\nS: 500*\nC: X\nS: 500*\nC: X\nS: 500*\nC: X\nS: 500*\nS: 421 4.7.0*\n!gone\n" },
    { "unknown recipients then 421", HELLO MAIL
      "C: RCPT TO:<nobody@example.test>\nS: 550*\nC: RCPT TO:<nobody@example.test>\nS: 550*\n"
      "C: RCPT TO:<nobody@example.test>\nS: 550*\nC: RCPT TO:<nobody@example.test>\nS: 550*\nS: 421*\n!gone\n" },
    { "junk then 421", HELLO
      "C: NOOP\nC: NOOP\nC: NOOP\nC: RSET\nC: VRFY a\nC: HELP\nC: NOOP\nC: NOOP\nC: NOOP\nC: NOOP\n"
      "S: 250*\nS: 250*\nS: 250*\nS: 250*\nS: 252*\nS: 214-*\nS: 214*\nS: 250*\nS: 250*\nS: 250*\nS: 421 4.7.0*\n!gone\n" },
    { "smuggling LF", HELLO MAIL RCPT DATA
      "c: hi\\n.\\nMAIL FROM:<evil@x>\\r\\nRCPT TO:<hello@example.test>\\r\\nDATA\\r\\n\n"
      "!silence\nc: evil\\r\\n.\\r\\n\nS: 550 5.6.0*\n!stored 0\n" NEXT },
    { "smuggling CR", HELLO MAIL RCPT DATA
      "c: hi\\r\\n.\\rMAIL FROM:<evil@x>\\r\\n.\\r\\n\nS: 550 5.6.0*\n!stored 0\n" NEXT },
    { "NUL", HELLO MAIL RCPT DATA "c: a\\0b\\r\\n.\\r\\n\nS: 550 5.6.0*\n" NEXT },
    { "bare LF command", HELLO "c: NOOP\\nNOOP\\r\\n\nS: 500*\nS: 250*\n" },
    { "loop", HELLO MAIL RCPT DATA
      "C: Received: a\nC: received: b\nC: Received : c\nC: \nC: x\nC: .\nS: 554 5.4.6*\n!stored 0\n" NEXT },
    { "not quite a loop",
      HELLO MAIL RCPT DATA "C: Received: a\nC: Received: b\nC: \nC: Received: c\nC: .\nS: 250*\n" },
    { "BDAT", HELLO MAIL RCPT
      "C: BDAT 6\nc: a\\r\\nb\\r\\n\nS: 250 2.0.0 6 octets so far\nC: BDAT 3 LAST\nc: .\\r\\n\nS: 250 2.0.0 Ok*\n!stored 1\n" QUIT },
    { "BDAT pipelined", HELLO MAIL RCPT
      "c: BDAT 3\\r\\na\\r\\nBDAT 0 LAST\\r\\nNOOP\\r\\n\nS: 250*\nS: 250 2.0.0 Ok, *\nS: 250 2.0.0 Ok\n" },
    { "BDAT in disorder", HELLO "c: BDAT 6\\r\\nQUIT\\r\\nNOOP\\r\\n\nS: 503*\nS: 250*\n" MAIL
                                "c: BDAT 3 LAST\\r\\nabcNOOP\\r\\n\nS: 554*\nS: 250*\n" NEXT },
    { "BDAT, bare LF",
      HELLO MAIL RCPT "c: BDAT 2\\r\\na\\nBDAT 3 LAST\\r\\nb\\r\\n\nS: 550 5.6.0*\nS: 503*\n" NEXT },
    { "BDAT, bad size", HELLO MAIL RCPT "C: BDAT x\nS: 501*\n!gone\n" },
    { "BDAT, too big", HELLO MAIL RCPT "C: BDAT 2001 LAST\nc: abc\n!silence\n" },
    { "BDAT, too big in all", HELLO MAIL RCPT "c: BDAT 2\\r\\nabBDAT 1999\\r\\n\nS: 250*\n!silence\n" },
    { "DATA after BDAT", HELLO MAIL RCPT
      "c: BDAT 2\\r\\nab\nS: 250*\nC: DATA\nS: 503*\nC: RCPT TO:<b@example.test>\nS: 503*\nC: RSET\nS: 250*\n" NEXT },
    { "BINARYMIME", HELLO "C: MAIL FROM:<> BODY=BINARYMIME\nS: 250*\n" RCPT
                          "C: DATA\nS: 503*\nC: BDAT 4 LAST\nc: \\0\\n\\r.\nS: 250 2.0.0 Ok*\n!stored 1\n" },
    { "RSET", HELLO MAIL RCPT "C: RSET\nS: 250*\nC: DATA\nS: 503*\n" NEXT },
    { "EHLO resets", HELLO MAIL RCPT "C: HELO y\nS: 250*\nC: DATA\nS: 503*\n" },
    { "directory down", HELLO MAIL
      "!resolve closed\nC: RCPT TO:<hello@example.test>\nS: 451 4.3.0*\n!resolve timeout\n"
      "C: RCPT TO:<hello@example.test>\nS: 451 4.3.0*\n!resolve denied\nC: RCPT TO:<hello@example.test>\nS: 451 4.3.0*\n"
      "!resolve ok\n" RCPT DATA "C: hi\nC: .\nS: 250*\n" },
    { "listed", HELLO MAIL "!listed\nC: RCPT TO:<hello@example.test>\nS: 550 5.7.1 Mail from *\n"
                           "C: RCPT TO:<nobody@example.test>\nS: 550 5.1.1*\n!listed not\n" RCPT DATA
                           "C: hi\nC: .\nS: 250*\n" },
    { "store dies while staging",
      HELLO MAIL RCPT DATA "C: one\n!stage-dies\nC: two\n!silence\nC: .\nS: 451 4.3.0*\n!stored 0\n" NEXT },
    { "store dies between chunks", HELLO MAIL RCPT
      "c: BDAT 2\\r\\nab\nS: 250*\n!stage-dies\nc: BDAT 2 LAST\\r\\ncd\nS: 451 4.3.0*\n" NEXT },
    { "store refuses staging", HELLO MAIL RCPT "!stage nomem\nC: DATA\nS: 451 4.3.0*\n!stage ok\n" NEXT },
    { "staging answers busy",
      HELLO MAIL RCPT "!stage busy\n" DATA "C: hi\nC: .\nS: 451 4.3.0*\n!stage ok\n" NEXT },
    { "staging has no room", HELLO MAIL RCPT "!stage quota\n" DATA "C: hi\nC: .\nS: 452 4.3.1*\n" },
    { "commit fails", HELLO MAIL RCPT "!deliver timeout\n" DATA
                                      "C: hi\nC: .\nS: 451 4.3.0*\n!deliver ok\n" NEXT "!stored 1\n" },
    { "commit denied", HELLO MAIL RCPT "!deliver denied\n" DATA "C: hi\nC: .\nS: 451 4.3.0*\n" },
    { "RCPT: no room, too little, never enough", HELLO MAIL
      "C: RCPT TO:<full@example.test>\nS: 452 4.2.2*\nC: RCPT TO:<small@example.test>\nS: 250*\n"
      "C: RSET\nS: 250*\nC: MAIL FROM:<a@example.net> SIZE=500\nS: 250*\n"
      "C: RCPT TO:<small@example.test>\nS: 250*\nC: RSET\nS: 250*\n"
      "C: MAIL FROM:<a@example.net> SIZE=501\nS: 250*\nC: RCPT TO:<small@example.test>\nS: 452 4.2.2*\n"
      "C: RSET\nS: 250*\nC: MAIL FROM:<a@example.net> SIZE=1001\nS: 250*\n"
      "C: RCPT TO:<small@example.test>\nS: 552 5.2.2*\n" RCPT DATA "C: hi\nC: .\nS: 250*\n" },
    { "never fits, one recipient", HELLO MAIL RCPT "!deliver toobig\n" DATA "C: hi\nC: .\nS: 552 5.2.2*\n" },
    { "mailbox full", HELLO MAIL RCPT "!deliver quota\n" DATA "C: hi\nC: .\nS: 452 4.2.2*\n" },
    { "250 only after commit", HELLO MAIL RCPT DATA
      "!hold\nC: hi\nC: .\nC: QUIT\n!silence\n!waits\n!release\nS: 250*\nS: 221*\n!stored 1\n" },
    { "timeout", HELLO "C: NO\n!timeout\nS: 500*\nS: 421 4.4.2*\n!gone\n" },
    { "timeout in data", HELLO MAIL RCPT DATA "C: hi\n!timeout\nS: 421 4.4.2*\n!gone\n!stored 0\n" },
    { "stop when idle", HELLO "!stop\nS: 421 4.3.2*\n!gone\n" },
    { "stop in a message",
      HELLO MAIL RCPT DATA "C: hi\n!stop\nC: .\nS: 250 2.0.0*\nS: 421 4.3.2*\n!gone\n!stored 1\n" },
    { "STARTTLS", HELLO MAIL
      "C: STARTTLS\nS: 220 2.0.0*\n!tls\nC: MAIL FROM:<>\nS: 503*\nC: EHLO b\nS: 250-*\nS: 250-PIPE*\nS: 250-SIZE*\n"
      "S: 250-8BITMIME\nS: 250-*\nS: 250-*\nS: 250-*\nS: 250-*\nS: 250-*\nS: 250-DSN\nS: 250-MT-PRIORITY\nS: 250-REQUIRETLS\nS: 250 HELP\nC: STARTTLS\nS: 503*\n" NEXT },
    { "disabled", HELLO MAIL
      "C: RCPT TO:<off550@example.test>\nS: 550 5.2.1 *\nC: RCPT TO:<off421@example.test>\nS: 421 4.2.1 *\n!here\n"
      "C: DATA\nS: 554 5.5.1*\n" RCPT DATA "C: hi\nC: .\nS: 250*\n!stored 1\n!rcpts 1\n" },
    { "disabled, quietly", HELLO MAIL "C: RCPT TO:<off250@example.test>\nS: 250 2.1.5*\n" DATA
                                      "C: hi\nC: .\nS: 250 2.0.0 Ok*\n!stored 0\n" NEXT "!stored 1\n" },
    { "refused and circles", HELLO MAIL "C: RCPT TO:<denied@example.test>\nS: 550 5.7.1 *\n"
                                        "C: RCPT TO:<circle@example.test>\nS: 554 5.4.6 *\n!here\n" },
    { "what leaves", HELLO MAIL
      "C: RCPT TO:<out@example.test>\nS: 250 2.1.5*\nC: RCPT TO:<hook@example.test>\nS: 250 2.1.5*\n"
      "C: RCPT TO:<out@example.test>\nS: 250 2.1.5*\n" DATA
      "C: hi\nC: .\nS: 250 2.0.0*\n!stored 1\n!forwards 2\n!rcpts 2\n" },
    { "a circle by bytes",
      HELLO MAIL "C: RCPT TO:<out@example.test>\nS: 250*\n" DATA
                 "C: Delivered-To : OUT@example.test\nC: \nC: .\nS: 554 5.4.6 *\n!stored 0\n" NEXT },
    { "not a circle", HELLO MAIL
      "C: RCPT TO:<out@example.test>\nS: 250*\n" DATA
      "C: Delivered-To: other@example.test\nC: \nC: Delivered-To: out@example.test\nC: .\nS: 250*\n!forwards 1\n" },
    { "one of two in a circle",
      HELLO MAIL "C: RCPT TO:<out@example.test>\nS: 250*\nC: RCPT TO:<hook@example.test>\nS: 250*\n" DATA
                 "C: Delivered-To: hook@example.test\nC: \nC: .\nS: 250*\n!forwards 1\n" },
    { "two mailboxes", HELLO MAIL
      "C: RCPT TO:<two@example.test>\nS: 250*\n" DATA "C: hi\nC: .\nS: 250*\n!rcpts 2\n"
      "C: MAIL FROM:<> SIZE=501\nS: 250*\nC: RCPT TO:<two@example.test>\nS: 452 4.2.2*\nC: RSET\nS: 250*\n"
      "C: MAIL FROM:<> SIZE=1001\nS: 250*\nC: RCPT TO:<two@example.test>\nS: 552 5.2.2*\n" },
    { "too many at once",
      HELLO MAIL "C: RCPT TO:<a@example.test>\nS: 250*\nC: RCPT TO:<b@example.test>\nS: 250*\n"
                 "C: RCPT TO:<two@example.test>\nS: 452 4.5.3*\n" DATA "C: hi\nC: .\nS: 250*\n!rcpts 2\n" },
    { "no AUTH", HELLO "C: AUTH PLAIN AAAA\nS: 502*\nC: EXPN x\nS: 502*\n" },
    { "postmaster", HELLO MAIL "C: RCPT TO:<Postmaster>\nS: 550 5.7.1*\n" },
    { "SMTPUTF8",
      HELLO "C: MAIL FROM:<\xc3\xbc@b>\nS: 553 5.6.7*\nC: MAIL FROM:<\xc3\xbc@b> SMTPUTF8\nS: 250*\n"
            "C: RCPT TO:<\xc3\xbc@example.test>\nS: 250*\nC: RSET\nS: 250*\n" MAIL
            "C: RCPT TO:<\xc3\xbc@example.test>\nS: 553 5.6.7*\n" },
};

/* clang-format on */

static void test_scripts(void **state UNUSED)
{
    static const size_t slices[] = { 1, 2, 7, KIB(64) };

    for (size_t i = 0; i < ARRAY_LEN(scripts); i++)
        for (size_t k = 0; k < ARRAY_LEN(slices); k++) {
            static struct world w;

            world_start(&w, slices[k]);
            play(&w, scripts[i].script);
            world_end(&w);
        }
}

/* Pipelined text shows only when input comes in one piece. */
static void test_pipelined_too_early(void **state UNUSED)
{
    static struct world w;

    world_start(&w, KIB(64));
    play(&w, HELLO "c: STARTTLS\\r\\nMAIL FROM:<>\\r\\n\nS: 554 5.5.0*\n!gone\n");
    CHECK(!w.tls);
    world_end(&w);
    world_start(&w, KIB(64));
    play(&w, HELLO MAIL RCPT "c: DATA\\r\\nhi\\r\\n\nS: 554 5.5.0*\n!gone\n");
    world_end(&w);
}

static void test_size_while_sending(void **state UNUSED)
{
    static struct world w;

    world_start(&w, KIB(64));
    play(&w, HELLO MAIL RCPT DATA);
    for (int i = 0; i < 30; i++)
        play(&w, "C: 0123456789012345678901234567890123456789012345678901234567890123456789\n");
    world_run(&w);
    CHECK(!w.staging && w.staged.n <= 2000 && !w.hung_up); /* given up at once, read on to the end */
    play(&w, "C: .\nS: 552 5.3.4*\n" NEXT);
    world_end(&w);
    world_start(&w, KIB(64));
    play(&w, HELLO MAIL RCPT DATA);
    for (int i = 0; i < 100; i++)
        play(&w, "C: 0123456789012345678901234567890123456789012345678901234567890123456789\n");
    play(&w, "S: 421 4.3.4*\n!gone\n"); /* twice over: enough */
    world_end(&w);
}

static void test_back_pressure(void **state UNUSED)
{
    static struct world w;

    world_start(&w, KIB(64));
    play(&w, HELLO MAIL RCPT DATA);
    w.room = 0;
    play(&w, "C: hello\nC: .\n!silence\n");
    CHECK(smtp_session_waits(&w.s) && w.staged.n == 0);
    w.room = 4;
    world_run(&w);
    play(&w, "S: 250*\n");
    CHECK(str_eq_z(buf_str(&w.staged), "hello\r\n"));
    world_end(&w);
}

#define HI "C: Subject: s\nC:\nC: hi\nC: .\n"
/* RFC 3461 5.2.3, 5.2.7: who hears, and what goes on. */
static void test_arrivals(void **state UNUSED)
{
    static const char *const arrivals[] = {
        HELLO MAIL RCPT DATA HI "S: 250*\n!told nobody\n",
        HELLO "C: MAIL FROM:<x@y.example> ENVID=q+2B1\nS: 250*\n"
              "C: RCPT TO:<Ann@example.test> NOTIFY=SUCCESS ORCPT=rfc822;old\nS: 250*\n"
              "C: RCPT TO:<bob@example.test> NOTIFY=FAILURE\nS: 250*\n" DATA HI
              "S: 250*\n!told delivered Ann@example.test rfc822;old; [Subject: s] q+1\n",
        HELLO "C: MAIL FROM:<>\nS: 250*\nC: RCPT TO:<ann@example.test> NOTIFY=SUCCESS\nS: 250*\n" DATA HI
              "S: 250*\n!told nobody\n",
        /* the header only, and of a part of it that has no end */
        HELLO MAIL "C: RCPT TO:<ann@example.test> NOTIFY=SUCCESS\nS: 250*\n" DATA "C: A: b\nC: .\n"
                   "S: 250*\n!told delivered ann@example.test ; [A: b] \n",
        /* where it leads is nobody's business */
        HELLO MAIL "C: RCPT TO:<two@example.test> NOTIFY=SUCCESS,DELAY\nS: 250*\n" DATA HI
                   "S: 250*\n!told expanded two@example.test ; [Subject: s] \n",
        HELLO MAIL
        "C: RCPT TO:<hook@example.test> NOTIFY=SUCCESS ORCPT=rfc822;h\nS: 250*\n" DATA HI
        "S: 250*\n!told relayed hook@example.test rfc822;h; https://far.example/ 1 rfc822;h [Subject: s] \n",
        /* the courier tells */
        HELLO MAIL "C: RCPT TO:<out@example.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;o\nS: 250*\n" DATA HI
                   "S: 250*\n!told nobody me@far.example 6 rfc822;o\n",
        HELLO MAIL "C: RCPT TO:<out@example.test> NOTIFY=NEVER\nS: 250*\n" DATA HI
                   "S: 250*\n!told nobody me@far.example 1 \n",
        /* spam is reported to nobody, by nobody */
        HELLO MAIL "C: RCPT TO:<out@example.test> NOTIFY=SUCCESS,FAILURE\nS: 250*\n!junk\n" DATA HI
                   "S: 250*\n!told nobody me@far.example 4 \n",
        HELLO MAIL "C: RCPT TO:<out@example.test> NOTIFY=SUCCESS\nS: 250*\n!junk\n" DATA HI
                   "S: 250*\n!told nobody me@far.example 1 \n",
        HELLO MAIL "C: RCPT TO:<hook@example.test> NOTIFY=SUCCESS\nS: 250*\n!junk\n" DATA HI
                   "S: 250*\n!told nobody https://far.example/ 1 \n",
        /* without a header the body is not one */
        HELLO MAIL "C: RCPT TO:<ann@example.test> NOTIFY=SUCCESS\nS: 250*\n" DATA
                   "C:\nC: secret\nC:\nC: x\nC: .\nS: 250*\n!told delivered ann@example.test ;\n",
        /* two who write to the same */
        HELLO MAIL "C: RCPT TO:<out@example.test> NOTIFY=NEVER\nS: 250*\n"
                   "C: RCPT TO:<out@example.test>\nS: 250*\n" DATA HI
                   "S: 250*\n!told nobody me@far.example 12 \n",
        HELLO MAIL "C: RCPT TO:<ann@example.test> NOTIFY=SUCCESS\nS: 250*\n"
                   "C: RCPT TO:<ann@example.test> NOTIFY=SUCCESS\nS: 250*\n" DATA HI
                   "S: 250*\n!told delivered ann@example.test ;delivered ann@example.test ; [Subject: s] \n",
        /* taken, and thrown away: nothing is claimed */
        HELLO MAIL "C: RCPT TO:<off250@example.test> NOTIFY=SUCCESS\nS: 250*\n" RCPT DATA HI
                   "S: 250*\n!told nobody\n",
    };
    static const size_t slices[] = { 1, KIB(64) };

    for (size_t i = 0; i < ARRAY_LEN(arrivals); i++)
        for (size_t k = 0; k < ARRAY_LEN(slices); k++) {
            static struct world w;

            world_start(&w, slices[k]);
            play(&w, arrivals[i]);
            world_end(&w);
        }
}

/* RFC 2033 */
static void test_lmtp(void **state UNUSED)
{
    static const size_t slices[] = { 1, 7, KIB(64) };
    static const char script[] =
        "S: 220 mx.example.test LMTP Letterlock\nC: EHLO a.example\nS: 500 5.5.1*\nC: LHLO a.example\nS: 250-mx*\n"
        "S: 250-PIPELINING\nS: 250-SIZE 2000\nS: 250-8BITMIME\nS: 250-SMTPUTF8\nS: 250-ENHANCEDSTATUSCODES\n"
        "S: 250-LIMITS*\nS: 250-DSN\nS: 250-MT-PRIORITY\nS: 250 HELP\n" MAIL "C: DATA\nS: 503*\n" RCPT
        "C: RCPT TO:<busy@example.test>\nS: 250*\nC: RCPT TO:<nobody@example.test>\nS: 550*\n"
        "C: RCPT TO:<over@example.test> NOTIFY=SUCCESS\nS: 250*\nC: RCPT TO:<ann@example.test> NOTIFY=SUCCESS\nS: 250*\n" RCPT
            DATA
        "C: hi\nC: .\nS: 250 2.0.0 Ok, stored as q1\nS: 451 4.3.0*\nS: 452 4.2.2*\nS: 250*\nS: 250 2.0.0 Ok, stored as q1\n!rcpts 4\n"
        "!told delivered ann@example.test ; [hi] \n" MAIL RCPT "C: RCPT TO:<b@example.test>\nS: 250*\n" DATA
        "c: a\\nb\\r\\n.\\r\\n\nS: 550 5.6.0*\nS: 550 5.6.0*\n" MAIL RCPT
        "C: RCPT TO:<b@example.test>\nS: 250*\n!deliver closed\n" DATA
        "C: hi\nC: .\nS: 451 4.3.0*\nS: 451 4.3.0*\n!deliver ok\n" MAIL RCPT
        "!stage nomem\nC: DATA\nS: 451 4.3.0*\n!silence\n!stage ok\n" MAIL RCPT
        "C: BDAT 2 LAST\nc: hi\nS: 502*\n" QUIT;

    for (size_t k = 0; k < ARRAY_LEN(slices); k++) {
        static struct world w;

        world_start(&w, slices[k]);
        smtp_session_release(&w.s);
        buf_clear(&w.out);
        w.hung_up = false;
        w.s = (struct smtp_session){ .lmtp = true };
        w.conf.smtp.max_recipients = 5;
        mx_session_serve(&w.s, &w.own);
        smtp_session_start(&w.s, &w.conf.smtp, &io, &w, STR("mx.example.test"), STR(""), false);
        play(&w, script);
        world_end(&w);
    }
}

static void test_what_is_prepended(void **state UNUSED)
{
    static struct world w;

    clock_fake(INT64_C(1787393472345));
    world_start(&w, KIB(64));
    play(
        &w, HELLO
        "C: STARTTLS\nS: 220*\n!tls\nC: EHLO b.example\nS: 250-*\nS: 250-PIPE*\nS: 250-SIZE*\n"
        "S: 250-8BITMIME\nS: 250-*\nS: 250-*\nS: 250-*\nS: 250-*\nS: 250-*\nS: 250-DSN\nS: 250-MT-PRIORITY\nS: 250-REQUIRETLS\nS: 250 HELP\n" NEXT);
    CHECK(str_starts(str_from(w.prepend),
                     STR("Return-Path: <x@y.example>\r\nDelivered-To: hello@example.test\r\n"
                         "Received: from b.example ([192.0.2.7])\r\n\tby mx.example.test with ESMTPS\r\n"
                         "\t(TLSv1.3 with cipher TLS_AES_256_GCM_SHA384)\r\n\tid ")));
    CHECK(str_ends(str_from(w.prepend),
                   STR("\r\n\tfor <hello@example.test>;\r\n\tSat, 22 Aug 2026 10:11:12 +0000\r\n")));
    world_end(&w);
    clock_real();
}

static void test_slow_message(void **state UNUSED)
{
    static struct world w;

    clock_fake(0);
    world_start(&w, KIB(64));
    play(&w, HELLO MAIL RCPT DATA "C: hi\n!here\n");
    w.timer_ms = -1;
    play(&w, "C: a drip\n!here\n");
    CHECK(w.timer_ms == -1); /* does not move the timer */
    clock_fake_advance(3600001);
    play(&w, "C: x\nS: 421 4.4.2*\n!gone\n");
    world_end(&w);
    clock_real();
}

static void test_peers(void **state UNUSED)
{
    struct sockaddr_storage a = { .ss_family = AF_UNIX };
    struct peers *p = peers_new();
    struct peer_network n = { .addr = { 192, 0, 2 }, .bits = 24 },
                        m = { .addr = { 0x20, 0x01, 0x0d, 0xb8 }, .bits = 64 };
    char text[PEER_TEXT_MAX];

    CHECK(p && peers_take(p, &n, 2) == 0 && peers_take(p, &n, 2) == 0 && peers_take(p, &n, 2) == E_LIMIT);
    CHECK(peers_take(p, &m, 2) == 0);
    peers_give(p, &n);
    CHECK(peers_take(p, &n, 2) == 0);
    peer_network_text(&n, text);
    CHECK(strcmp(text, "192.0.2.0/24") == 0);
    peer_network_text(&m, text);
    CHECK(strcmp(text, "2001:db8::/64") == 0);
    peer_text((struct sockaddr *)&a, text);
    CHECK(strcmp(text, "unknown") == 0 && peer_network_of((struct sockaddr *)&a).bits == 0);
    peers_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scripts),
        cmocka_unit_test(test_pipelined_too_early),
        cmocka_unit_test(test_size_while_sending),
        cmocka_unit_test(test_back_pressure),
        cmocka_unit_test(test_arrivals),
        cmocka_unit_test(test_lmtp),
        cmocka_unit_test(test_what_is_prepended),
        cmocka_unit_test(test_slow_message),
        cmocka_unit_test(test_peers),
    };

    log_init("mx", LOG_ALARM);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
