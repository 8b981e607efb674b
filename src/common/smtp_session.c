/* src/common/smtp_session.c: states, input, timers. Commands are in smtp_commands.c, message bytes in smtp_data.c. */
#include "src/common/smtp_session.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/hex.h"
#include "lib/base/log.h"
#include "lib/base/rand.h"
#include <assert.h>

#define TO(st)      BIT(SMTP_ST_##st)
#define ERRORS_FREE 3u /* anyone may err: so many cost no time */

static const uint32_t may_follow[] = {
    [SMTP_ST_COMMAND] = TO(COMMAND) | TO(GREETING) | TO(SLOW) | TO(AUTH) | TO(LOGIN) | TO(RESOLVING) |
                        TO(DATA) | TO(CHUNK) | TO(TLS) | TO(CLOSED),
    [SMTP_ST_GREETING] = TO(COMMAND) | TO(CLOSED),
    [SMTP_ST_SLOW] = TO(COMMAND) | TO(CLOSED),
    [SMTP_ST_AUTH] = TO(AUTH) | TO(LOGIN) | TO(COMMAND) | TO(CLOSED),
    [SMTP_ST_LOGIN] = TO(COMMAND) | TO(CLOSED),
    [SMTP_ST_RESOLVING] = TO(COMMAND) | TO(CLOSED),
    [SMTP_ST_DATA] = TO(STAGING) | TO(COMMAND) | TO(CLOSED),
    [SMTP_ST_CHUNK] = TO(STAGING) | TO(COMMAND) | TO(CLOSED),
    [SMTP_ST_STAGING] =
        TO(CHECKING) | TO(STORING) | TO(COMMAND) | TO(CLOSED), /* COMMAND: refused by the verdict, or 451 */
    [SMTP_ST_CHECKING] = TO(STORING) | TO(COMMAND) | TO(CLOSED),
    [SMTP_ST_STORING] = TO(COMMAND) | TO(CLOSED),
    [SMTP_ST_TLS] = TO(COMMAND) | TO(CLOSED),
    [SMTP_ST_CLOSED] = 0,
};

static const struct smtp_reply say_timeout = { 421, "4.4.2", "Timed out waiting for you, closing" },
                               say_stop = { 421, "4.3.2", "Service is restarting, try again soon" },
                               say_room = { 421, "4.3.2", "Making room for others, try again later" },
                               say_errors = { 421, "4.7.0", "Too many errors, closing" },
                               say_garbage = { 421, "4.7.0", "This is not SMTP, closing" },
                               say_early = { 554, "5.5.0", "You spoke before our greeting, closing" },
                               say_line_end = { 500, "5.5.2",
                                                "Lines must end in CRLF and hold no other control bytes" },
                               say_line_long = { 500, "5.5.2", "Line too long" };

/* The only function that changes s->state; each state's timer starts here. */
void smtp_enter(struct smtp_session *s, enum smtp_state next)
{
    const struct smtp_limits *c = s->conf;
    uint64_t ms = 0; /* where we wait for our own side, the request's deadline rules */

    assert(may_follow[s->state] & BIT(next));
    assert(next != SMTP_ST_DATA || (s->in_mail && s->m.nrcpt > 0)); /* else 503 or 554: RFC 5321 3.3 */
    assert(next != SMTP_ST_STORING || !s->stage_open);
    s->state = next;
    switch (next) {
    case SMTP_ST_COMMAND:
    case SMTP_ST_AUTH:
    case SMTP_ST_TLS: ms = c->command_timeout_ms; break;
    case SMTP_ST_DATA:
    case SMTP_ST_CHUNK: ms = c->data_timeout_ms; break;
    case SMTP_ST_CHECKING: ms = c->check_timeout_ms; break;
    case SMTP_ST_GREETING: ms = s->greet_delay_ms; break;
    case SMTP_ST_SLOW: ms = s->error_delay_ms; break;
    case SMTP_ST_LOGIN:
    case SMTP_ST_RESOLVING:
    case SMTP_ST_STAGING:
    case SMTP_ST_STORING:
    case SMTP_ST_CLOSED: break;
    }
    s->progress = 0;
    s->io->timer(s->ctx, (int64_t)ms);
}

void smtp_close(struct smtp_session *s)
{
    if (s->state == SMTP_ST_CLOSED)
        return;
    s->io->cancel(s->ctx);
    s->stage_open = false;
    smtp_enter(s, SMTP_ST_CLOSED);
    s->io->hang_up(s->ctx);
}

void smtp_say_text(struct smtp_session *s, unsigned code, const char *enh, struct str text)
{
    CLEANUP(buf_release) struct buf out = { .max = KIB(4) };

    if (s->state == SMTP_ST_CLOSED)
        return;
    smtp_note_recipient(s, code, enh, text);
    if (smtp_reply_text(&out, code, enh, text) < 0 || s->io->reply(s->ctx, buf_str(&out)) < 0)
        smtp_close(s); /* a reply that is lost puts the dialogue out of step */
}

void smtp_say(struct smtp_session *s, const struct smtp_reply *r)
{
    smtp_say_text(s, r->code, r->enh, str_from(r->text));
}

void smtp_say_last(struct smtp_session *s, const struct smtp_reply *r, const char *why)
{
    log_event(LOG_INFO, "mx.closed", F_Z("sid", s->sid), F_Z("why", why));
    smtp_say(s, r);
    smtp_close(s);
}

void smtp_refuse(struct smtp_session *s, const struct smtp_reply *r)
{
    smtp_say(s, r);
    log_event(LOG_DEBUG, "mx.refused", F_Z("sid", s->sid), F_U64("code", r->code));
    if (++s->errors >= s->conf->max_errors && s->state != SMTP_ST_CLOSED)
        smtp_say_last(s, &say_errors, "errors");
    else
        smtp_slow_down(s);
}

void smtp_slow_down(struct smtp_session *s)
{
    if (s->error_delay_ms && s->errors + s->unknown > ERRORS_FREE && s->state == SMTP_ST_COMMAND)
        smtp_enter(s, SMTP_ST_SLOW);
}

void smtp_transaction_end(struct smtp_session *s)
{
    if (s->in_mail)
        s->io->cancel(s->ctx);
    if (s->service->forget)
        s->service->forget(s);
    s->in_mail = s->chunking = s->stage_open = false;
    buf_release(&s->body);
    arena_reset(&s->arena);
}

static void greet(struct smtp_session *s)
{
    CLEANUP(buf_release) struct buf text = { .max = KIB(1) };

    if (buf_printf(&text, "%.*s %s Letterlock", STR_ARG(s->hostname), s->lmtp ? "LMTP" : "ESMTP") < 0)
        smtp_close(s);
    else
        smtp_say_text(s, 220, NULL, buf_str(&text)); /* RFC 2034 3: the greeting has no enhanced code */
}

static void forget_hello(struct smtp_session *s)
{
    smtp_transaction_end(s);
    arena_reset(&s->hello);
    s->helo = STR_NONE;
    s->esmtp = false;
}

void smtp_session_restart(struct smtp_session *s, struct str peer_ip)
{
    forget_hello(s);
    s->peer_ip = peer_ip;
    s->peer_name = s->listed = STR_NONE;
    greet(s);
}

void smtp_session_start(struct smtp_session *s, const struct smtp_limits *conf, const struct smtp_io *io,
                        void *ctx, struct str hostname, struct str peer_ip, bool tls_possible)
{
    uint8_t id[8];

    rand_bytes(id, sizeof(id));
    s->conf = conf;
    s->io = io;
    s->ctx = ctx;
    s->hostname = hostname;
    s->peer_ip = peer_ip;
    s->tls_possible = tls_possible;
    hex_encode(id, sizeof(id), s->sid);
    s->lines.line.max = SMTP_COMMAND_MAX;
    s->hello.max = KIB(4);
    s->arena.max = KIB(64) + s->service->fields_max +
                   conf->max_recipients * KIB(4); /* reached by real recipients only */
    s->body.max = KIB(64);
    if (s->greet_delay_ms) {
        smtp_enter(s, SMTP_ST_GREETING);
        return;
    }
    smtp_enter(s, SMTP_ST_COMMAND);
    greet(s);
}

void smtp_session_peer(struct smtp_session *s, struct str name, struct str listed)
{
    s->peer_name = name;
    s->listed = listed;
    if (listed.n)
        log_event(LOG_INFO, "mx.listed", F_Z("sid", s->sid), F_STR("list", listed));
}

void smtp_session_release(struct smtp_session *s)
{
    if (s->state != SMTP_ST_CLOSED)
        s->io->cancel(s->ctx);
    s->state = SMTP_ST_CLOSED;
    if (s->service->forget)
        s->service->forget(s);
    arena_release(&s->arena);
    arena_release(&s->hello);
    buf_release(&s->body);
    linereader_release(&s->lines);
}

static size_t command_input(struct smtp_session *s, struct str in)
{
    struct str line;
    size_t used = 0;
    int r = linereader_feed(&s->lines, in, &used, &line);

    switch (r) {
    case 0: return used;
    case 1: smtp_run_line(s, line, used < in.n); break;
    case E_LINE_TOO_LONG: smtp_refuse(s, &say_line_long); break;
    case E_BARE_CR:
    case E_BARE_LF:
    case E_NUL: smtp_refuse(s, &say_line_end); break;
    default: smtp_say_last(s, &say_garbage, "garbage"); break; /* E_LIMIT, E_NOMEM */
    }
    if (s->state == SMTP_ST_COMMAND) {
        if (s->stopping && !s->in_mail)
            smtp_say_last(s, &say_stop, "stop");
        else
            smtp_enter(s,
                       SMTP_ST_COMMAND); /* the timer counts whole commands: a drip of bytes moves nothing */
    }
    return used;
}

/* The answers of a login: a bad line ends it (RFC 4954 4). */
static size_t auth_input(struct smtp_session *s, struct str in)
{
    struct str line = STR_NONE;
    size_t used = 0;
    int r = linereader_feed(&s->lines, in, &used, &line);

    if (r == E_LIMIT || r == E_NOMEM)
        smtp_say_last(s, &say_garbage, "garbage");
    else if (r != 0)
        s->service->line(s, r == 1 ? line : STR_NONE);
    return used;
}

/* One step on buffered input: bytes used, 0 to wait. */
static size_t step(struct smtp_session *s, struct str in)
{
    switch (s->state) {
    case SMTP_ST_COMMAND: return command_input(s, in);
    case SMTP_ST_AUTH: return auth_input(s, in);
    case SMTP_ST_DATA: return smtp_data_input(s, in);
    case SMTP_ST_CHUNK: return smtp_chunk_input(s, in);
    case SMTP_ST_GREETING: smtp_say_last(s, &say_early, "early talker"); return in.n; /* RFC 5321 4.3.1 */
    case SMTP_ST_SLOW:
    case SMTP_ST_LOGIN:
    case SMTP_ST_RESOLVING:
    case SMTP_ST_STAGING:
    case SMTP_ST_CHECKING:
    case SMTP_ST_STORING:
    case SMTP_ST_TLS: return 0; /* one thing at a time: let TCP push back */
    case SMTP_ST_CLOSED: return in.n;
    }
    return 0; /* no default: -Wswitch names the state someone forgot */
}

bool smtp_session_waits(const struct smtp_session *s)
{
    switch (s->state) {
    case SMTP_ST_COMMAND:
    case SMTP_ST_AUTH: return s->io->reply_full(s->ctx);
    case SMTP_ST_DATA:
    case SMTP_ST_CHUNK: return s->stage_open && s->io->stage_room(s->ctx) == 0;
    case SMTP_ST_SLOW:
    case SMTP_ST_LOGIN:
    case SMTP_ST_RESOLVING:
    case SMTP_ST_STAGING:
    case SMTP_ST_CHECKING:
    case SMTP_ST_STORING: return true;
    case SMTP_ST_GREETING: return false; /* to see who cannot wait */
    case SMTP_ST_TLS: return false; /* the handshake needs the socket; no clear text is taken meanwhile */
    case SMTP_ST_CLOSED: return false;
    }
    return true;
}

size_t smtp_session_input(struct smtp_session *s, struct str in)
{
    size_t at = 0, used;

    while (at < in.n && !smtp_session_waits(s)) {
        used = step(s, str_skip(in, at));
        if (used == 0)
            break;
        at += used;
    }
    return at;
}

void smtp_session_secured(struct smtp_session *s, const char *version, const char *cipher)
{
    if (s->state != SMTP_ST_TLS)
        return;
    forget_hello(s); /* RFC 3207 4.2: "MUST discard any knowledge obtained from the client" */
    s->tls = true;
    snprintf(s->tls_text, sizeof(s->tls_text), "%s with cipher %s", version, cipher);
    smtp_enter(s, SMTP_ST_COMMAND);
}

void smtp_session_timeout(struct smtp_session *s)
{
    if (s->state == SMTP_ST_TLS) {
        smtp_close(s); /* nobody could read a reply */
    } else if (s->state == SMTP_ST_CHECKING) {
        s->service->give_up(s);
        smtp_checked(s);
    } else if (s->state == SMTP_ST_GREETING) {
        smtp_enter(s, SMTP_ST_COMMAND);
        greet(s);
    } else if (s->state == SMTP_ST_SLOW) {
        smtp_enter(s, SMTP_ST_COMMAND);
    } else {
        smtp_say_last(s, &say_timeout, "timeout");
    }
}

bool smtp_session_idle(const struct smtp_session *s)
{
    return (s->state == SMTP_ST_COMMAND || s->state == SMTP_ST_SLOW || s->state == SMTP_ST_GREETING ||
            s->state == SMTP_ST_AUTH) &&
           !s->in_mail;
}

bool smtp_session_dawdles(const struct smtp_session *s)
{
    return (s->state == SMTP_ST_COMMAND || s->state == SMTP_ST_SLOW) && s->in_mail;
}

void smtp_session_evict(struct smtp_session *s)
{
    smtp_say_last(s, &say_room, "evicted");
}

void smtp_session_stop(struct smtp_session *s)
{
    s->stopping = true;
    if (smtp_session_idle(s))
        smtp_say_last(s, &say_stop, "stop");
}
