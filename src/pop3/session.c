/* src/pop3/session.c: states, input, answers, timers. Commands are in commands.c. */
#include "src/pop3/session.h"
#include "lib/base/errors.h"
#include "lib/base/log.h"
#include "lib/pop3/command.h"
#include <assert.h>

#define ERRORS_MAX      20u  /* refused in a row: this is no POP3 client */
#define LOGINS_MAX      5u   /* failures, then the connection ends */
#define REFUSAL_MS      1500 /* from the command to its -ERR, whatever the reason */
#define OUT_MAX         KIB(64)
#define LOGIN_BYTES_MAX KIB(64) /* before login, in all */

#define TO(st) BIT(POP3_ST_##st)

static const uint32_t may_follow[] = {
    [POP3_ST_AUTHORIZATION] = TO(SASL) | TO(OPENING) | TO(REFUSING) | TO(TLS) | TO(CLOSED),
    [POP3_ST_SASL] = TO(AUTHORIZATION) | TO(OPENING) | TO(REFUSING) | TO(CLOSED),
    [POP3_ST_OPENING] = TO(AUTHORIZATION) | TO(REFUSING) | TO(TRANSACTION) | TO(CLOSED),
    [POP3_ST_REFUSING] = TO(AUTHORIZATION) | TO(CLOSED),
    [POP3_ST_TRANSACTION] = TO(LISTING) | TO(FETCHING) | TO(UPDATE) | TO(CLOSED),
    [POP3_ST_LISTING] = TO(TRANSACTION) | TO(CLOSED),
    [POP3_ST_FETCHING] = TO(TRANSACTION) | TO(CLOSED),
    [POP3_ST_UPDATE] = TO(CLOSED),
    [POP3_ST_TLS] = TO(AUTHORIZATION) | TO(CLOSED),
    [POP3_ST_CLOSED] = 0,
};

/* The only function that changes s->state; each state's timer starts here. */
void pop3_enter(struct pop3_session *s, enum pop3_state next)
{
    int64_t ms = 0; /* where we wait for our own side, the request's deadline rules */

    assert(may_follow[s->state] & BIT(next));
    s->state = next;
    switch (next) {
    case POP3_ST_AUTHORIZATION:
    case POP3_ST_SASL:
    case POP3_ST_TLS: ms = (int64_t)s->conf->login_timeout_ms; break;
    case POP3_ST_TRANSACTION: ms = (int64_t)s->conf->idle_timeout_ms; break;
    case POP3_ST_REFUSING:
        ms = s->began_ms + REFUSAL_MS - s->io->now_ms(s->ctx);
        ms = ms > 1 ? ms : 1;
        break;
    case POP3_ST_OPENING:
    case POP3_ST_LISTING:
    case POP3_ST_FETCHING:
    case POP3_ST_UPDATE:
    case POP3_ST_CLOSED: break;
    }
    s->io->timer(s->ctx, ms);
}

void pop3_close(struct pop3_session *s)
{
    if (s->state == POP3_ST_CLOSED)
        return;
    s->io->cancel(s->ctx);
    pop3_enter(s, POP3_ST_CLOSED);
    s->io->hang_up(s->ctx);
}

/* The response under way cannot be completed, and nothing may stand in its place. */
static void cut(struct pop3_session *s)
{
    s->io->cancel(s->ctx);
    pop3_enter(s, POP3_ST_CLOSED);
    s->io->cut(s->ctx);
}

static void send_out(struct pop3_session *s)
{
    int r = s->out.n ? s->io->reply(s->ctx, buf_str(&s->out)) : 0;

    buf_clear(&s->out);
    if (r < 0 && s->state != POP3_ST_CLOSED)
        cut(s);
}

void pop3_sayf(struct pop3_session *s, const char *fmt, ...)
{
    va_list ap;
    int r;

    if (s->state == POP3_ST_CLOSED)
        return;
    va_start(ap, fmt);
    r = buf_vprintf(&s->out, fmt, ap);
    va_end(ap);
    if (r < 0 || buf_putz(&s->out, "\r\n") < 0)
        cut(s); /* a reply that is lost puts the dialogue out of step */
    else
        send_out(s);
}

void pop3_say(struct pop3_session *s, const char *line)
{
    pop3_sayf(s, "%s", line);
}

void pop3_refuse(struct pop3_session *s, const char *line)
{
    pop3_sayf(s, "-ERR %s", line);
    if (++s->errors < ERRORS_MAX || s->state == POP3_ST_CLOSED)
        return;
    log_event(LOG_INFO, "pop3.closed", F_Z("why", "errors"));
    pop3_close(s);
}

static void greet(struct pop3_session *s)
{
    pop3_say(s, "+OK Letterlock is ready"); /* no timestamp: APOP needs passwords in the clear */
}

void pop3_session_start(struct pop3_session *s, const struct pop3_conf *conf, const struct pop3_io *io,
                        void *ctx, struct str hostname, bool tls_possible, bool tls_first)
{
    s->conf = conf;
    s->io = io;
    s->ctx = ctx;
    s->hostname = hostname;
    s->tls_possible = tls_possible;
    s->lines.line.max = POP3_LINE_MAX;
    s->arena.max = KIB(8);
    s->out.max = OUT_MAX;
    s->drop.max = conf->max_messages;
    s->state = POP3_ST_AUTHORIZATION;
    if (tls_first) {
        pop3_enter(s, POP3_ST_TLS);
        return;
    }
    io->timer(ctx, (int64_t)conf->login_timeout_ms);
    greet(s);
}

void pop3_session_release(struct pop3_session *s)
{
    linereader_release(&s->lines);
    arena_release(&s->arena);
    buf_release(&s->out);
    maildrop_release(&s->drop);
}

/* ---- input ---- */

bool pop3_session_waits(const struct pop3_session *s)
{
    switch (s->state) {
    case POP3_ST_AUTHORIZATION:
    case POP3_ST_SASL:
    case POP3_ST_TRANSACTION: return s->io->reply_full(s->ctx);
    case POP3_ST_OPENING:
    case POP3_ST_REFUSING:
    case POP3_ST_LISTING:
    case POP3_ST_FETCHING:
    case POP3_ST_UPDATE:
    case POP3_ST_TLS: return true;
    case POP3_ST_CLOSED: return false; /* what comes is thrown away */
    }
    return false;
}

static void bad_line(struct pop3_session *s, int why)
{
    if (why == E_LIMIT || why == E_NOMEM) {
        pop3_say(s, "-ERR This is not POP3");
        pop3_close(s);
        return;
    }
    if (s->state == POP3_ST_SASL)
        pop3_enter(s, POP3_ST_AUTHORIZATION);
    pop3_refuse(s, why == E_LINE_TOO_LONG ? "The line is too long"
                                          : "Lines end in CRLF and hold no other control bytes");
}

size_t pop3_session_input(struct pop3_session *s, struct str in)
{
    size_t at = 0;

    while (at < in.n && !pop3_session_waits(s)) {
        struct str line;
        size_t used = 0;
        int r;

        if (s->state == POP3_ST_CLOSED)
            return in.n;
        r = linereader_feed(&s->lines, str_skip(in, at), &used, &line);
        at += used;
        s->behind = str_skip(in, at);
        if (s->state != POP3_ST_TRANSACTION && (s->login_bytes += used) > LOGIN_BYTES_MAX) {
            s->behind = STR_NONE;
            pop3_say(s, "-ERR [SYS/PERM] Too much was said before login");
            pop3_close(s);
            return in.n;
        }
        if (r < 0)
            bad_line(s, r);
        else if (r > 0 && s->state == POP3_ST_SASL)
            pop3_sasl_line(s, line);
        else if (r > 0)
            pop3_run_line(s, line);
    }
    s->behind = STR_NONE;
    return at;
}

void pop3_session_drained(struct pop3_session *s)
{
    if (s->state == POP3_ST_LISTING)
        pop3_list_go_on(s);
}

/* ---- answers ---- */

void pop3_session_secured(struct pop3_session *s)
{
    s->tls = true;
    if (s->state != POP3_ST_TLS)
        return;
    /* RFC 2595 4: what was learned from the client before is forgotten. */
    arena_reset(&s->arena);
    s->user = STR_NONE;
    pop3_enter(s, POP3_ST_AUTHORIZATION);
    if (!s->stls)
        greet(s);
}

static const struct {
    enum pop3_opening result;
    const char *line;
} refusals[] = {
    /* RFC 2449 8.1.2: the client may try the same password again. */
    { POP3_OPEN_IN_USE, "-ERR [IN-USE] Another session has this mailbox open over POP3" },
    { POP3_OPEN_TOO_SOON, "-ERR [LOGIN-DELAY] Please wait before you log in again" },
    { POP3_OPEN_CROWDED, "-ERR [SYS/TEMP] Too many connections to this mailbox at once" },
    { POP3_OPEN_TOO_MANY, "-ERR [SYS/PERM] There are more messages than POP3 lists here; please use IMAP" },
    { POP3_OPEN_LATER, "-ERR [SYS/TEMP] Not available now, please try again later" },
};

void pop3_session_opened(struct pop3_session *s, enum pop3_opening result)
{
    arena_reset(&s->arena); /* address and password */
    s->user = STR_NONE;
    if (result == POP3_OPEN_OK) {
        pop3_enter(s, POP3_ST_TRANSACTION);
        s->errors = 0;
        log_event(LOG_INFO, "pop3.login", F_U64("messages", s->drop.n), F_U64("bytes", s->drop.bytes),
                  F_I64("took_ms", s->io->now_ms(s->ctx) - s->began_ms));
        pop3_sayf(s, "+OK %zu messages, %llu octets", s->drop.left, (unsigned long long)s->drop.bytes);
        return;
    }
    maildrop_release(&s->drop);
    if (result == POP3_OPEN_WRONG) {
        pop3_enter(s, POP3_ST_REFUSING);
        return;
    }
    pop3_enter(s, POP3_ST_AUTHORIZATION);
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
        if (refusals[i].result == result)
            pop3_say(s, refusals[i].line);
}

static void refused(struct pop3_session *s)
{
    log_event(LOG_INFO, "pop3.login_refused", F_Z("network", s->network));
    pop3_enter(s, POP3_ST_AUTHORIZATION);
    pop3_say(s, "-ERR [AUTH] Wrong address or password"); /* RFC 3206 4 */
    if (++s->logins_failed >= LOGINS_MAX)
        pop3_close(s);
}

void pop3_session_fetching(struct pop3_session *s)
{
    s->sending = true;
    pop3_sayf(s, "+OK %llu octets", (unsigned long long)s->message->bytes);
}

void pop3_session_bytes(struct pop3_session *s, struct str bytes)
{
    while (bytes.n && s->state == POP3_ST_FETCHING && !s->stuff.full) {
        struct str part = str_slice(bytes, 0, KIB(16));

        if (stuff_feed(&s->stuff, part, &s->out) < 0) {
            cut(s);
            return;
        }
        send_out(s);
        bytes = str_skip(bytes, part.n);
    }
    if (s->state == POP3_ST_FETCHING && s->stuff.full && !s->enough) {
        s->enough = true;
        s->io->fetch_enough(s->ctx);
    }
}

void pop3_session_fetched(struct pop3_session *s, int status)
{
    bool whole = s->stuff.body_lines == STUFF_ALL;

    if (s->sending && status < 0) {
        log_event(LOG_WARN, "pop3.cut_off", F_ERR(status));
        cut(s); /* half a message may not look like a whole one */
        return;
    }
    if (!s->sending) {
        pop3_enter(s, POP3_ST_TRANSACTION);
        pop3_say(s, status == 0 || status == E_GONE || status == E_NOTFOUND
                        ? "-ERR Another session has removed this message"
                        : "-ERR [SYS/TEMP] Not available now, please try again later");
        return;
    }
    if (stuff_end(&s->stuff, &s->out) < 0) {
        cut(s);
        return;
    }
    s->message->seen = s->message->seen || whole;
    s->retrieved += whole;
    pop3_enter(s, POP3_ST_TRANSACTION);
    send_out(s);
}

void pop3_session_committed(struct pop3_session *s, int status)
{
    log_event(LOG_INFO, "pop3.quit", F_U64("retrieved", s->retrieved),
              F_U64("deleted", s->drop.n - s->drop.left), F_ERR(status));
    if (status == 0)
        pop3_sayf(s, "+OK Bye, %zu messages left", s->drop.left);
    else /* RFC 1939 6 */
        pop3_say(s, "-ERR [SYS/TEMP] Some deleted messages were not removed");
    pop3_close(s);
}

void pop3_session_timeout(struct pop3_session *s)
{
    if (s->state == POP3_ST_REFUSING) {
        refused(s);
        return;
    }
    /* RFC 1939 3: without a response, and without the UPDATE state. */
    log_event(LOG_INFO, "pop3.closed", F_Z("why", "idle"));
    pop3_close(s);
}

void pop3_session_end(struct pop3_session *s, const char *line)
{
    if (s->state == POP3_ST_CLOSED)
        return;
    if (s->state == POP3_ST_LISTING || (s->state == POP3_ST_FETCHING && s->sending)) {
        cut(s);
        return;
    }
    if (s->state != POP3_ST_TLS)
        pop3_say(s, line);
    pop3_close(s);
}
