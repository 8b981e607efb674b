/* src/imap/conn.c
 *
 * A connection: bytes to commands, replies to bytes. imap_continue is the one place that decides what
 * happens next: it is called after every answer of the store, whenever output drains, and after every
 * command, and does as much as it can. */
#include "src/imap/imap.h"
#include "src/common/counts.h"
#include "src/imap/context.h"
#include "src/imap/news.h"
#include "src/imap/notify.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include <assert.h>
#include <unistd.h>

#define BAD_MAX         25u     /* BADs in a row: this is no IMAP client */
#define LOGIN_BYTES_MAX KIB(64) /* before login: commands and literals, in all */

static const struct conn_limits limits_before_login = { .in_max = KIB(8),
                                                        .out_max = KIB(32),
                                                        .out_low = KIB(8) };
static const struct conn_limits limits_after_login = { .in_max = KIB(64),
                                                       .out_max = IMAP_OUT_MAX,
                                                       .out_low = IMAP_OUT_LOW };

static const uint32_t may_follow[] = {
    [IMAP_ST_NOT_AUTH] = BIT(IMAP_ST_AUTH) | BIT(IMAP_ST_LOGOUT),
    [IMAP_ST_AUTH] = BIT(IMAP_ST_NOT_AUTH) | BIT(IMAP_ST_AUTH) | BIT(IMAP_ST_SELECTED) | BIT(IMAP_ST_LOGOUT),
    [IMAP_ST_SELECTED] = BIT(IMAP_ST_AUTH) | BIT(IMAP_ST_LOGOUT),
    [IMAP_ST_LOGOUT] = BIT(IMAP_ST_LOGOUT),
};

static void limits_begin(struct imap_conn *c)
{
    cmdline_set_limits(&c->in, &cmdline_limits_before_login);
    conn_idle_ms(c->io, (int64_t)c->srv->conf.login_timeout_ms);
    timer_set(&c->timer, 3 * (int64_t)c->srv->conf.login_timeout_ms); /* in all, for who drips */
}

static void logged_in(struct imap_conn *c)
{
    conn_limits_set(c->io, &limits_after_login);
    cmdline_set_limits(&c->in, &cmdline_limits_after_login);
    conn_idle_ms(c->io, (int64_t)c->srv->conf.idle_timeout_ms);
    c->arena.max = MIB(16);
    timer_clear(&c->timer);
}

/* RFC 8437 4.1: what was enabled is enabled no more. */
static void logged_out(struct imap_conn *c)
{
    conn_limits_set(c->io, &limits_before_login);
    c->login_bytes = 0;
    limits_begin(c);
    c->arena.max = KIB(16);
    c->condstore = c->qresync = c->metadata = c->w.utf8 = false;
    c->rev2 = c->utf8_accept = c->uidonly = false;
    imap_news_clear(c);
    notify_free(&c->notify);
}

void imap_enter(struct imap_conn *c, enum imap_state next)
{
    enum imap_state was = c->state;

    assert(may_follow[was] & BIT(next));
    assert(next != IMAP_ST_SELECTED || c->view);
    c->state = next;
    if (was == IMAP_ST_NOT_AUTH && next == IMAP_ST_AUTH)
        logged_in(c);
    else if (was != IMAP_ST_NOT_AUTH && next == IMAP_ST_NOT_AUTH)
        logged_out(c);
}

void imap_unselect(struct imap_conn *c)
{
    notify_left(c);
    contexts_free(c);
    view_free(&c->view);
    uidranges_release(&c->saved); /* RFC 5182 2.1: of this folder only */
    imap_ask_cancel(&c->sync);
    if (c->state == IMAP_ST_SELECTED)
        imap_enter(c, IMAP_ST_AUTH);
}

bool imap_idling(const struct imap_conn *c)
{
    return c->reading == IMAP_RD_IDLE;
}

/* Nothing of the client's is at work. */
static bool is_between(const struct imap_conn *c)
{
    return !c->busy && c->reading == IMAP_RD_COMMAND && !c->append && !c->closing && !c->held &&
           (c->state == IMAP_ST_AUTH || c->state == IMAP_ST_SELECTED);
}

bool imap_listens(const struct imap_conn *c)
{
    return imap_idling(c) || (notify_listens(c) && is_between(c));
}

bool imap_holds_expunges(const struct imap_conn *c)
{
    return c->hold_expunges || (notify_delays(c) && is_between(c));
}

/* ---- writing ---- */

void imap_flush(struct imap_conn *c)
{
    int r = c->w.r;

    if (r == 0 && c->out.n && !c->closing)
        r = conn_write(c->io, buf_str(&c->out));
    if (r < 0 && r != E_CLOSED) {
        log_event(LOG_WARN, "imap.output", F_ERR(r), F_U64("bytes", c->out.n));
        conn_abort(c->io, r);
        c->closing = true;
    }
    if (c->out.cap > KIB(4))
        buf_release(&c->out);
    buf_clear(&c->out);
    c->out.max = IMAP_OUT_MAX;
    c->w.r = 0;
}

void imap_plus(struct imap_conn *c, const char *text)
{
    resp_printf(&c->w, "+ %s\r\n", text);
    imap_flush(c);
}

static void hang_up(struct imap_conn *c)
{
    imap_flush(c);
    c->closing = true;
    conn_close(c->io,
               c->srv->nconns > c->srv->conf.max_connections ? 0 : 5000); /* in a crowd nobody lingers */
}

void imap_bye(struct imap_conn *c, const char *code, const char *text)
{
    if (c->closing)
        return;
    if (c->mid_response || c->step) { /* it would stand in the middle of a response */
        c->closing = true;
        conn_abort(c->io, E_CLOSED);
        return;
    }
    resp_status(&c->w, STR_NONE, "BYE", code, str_from(text));
    imap_enter(c, IMAP_ST_LOGOUT);
    hang_up(c);
}

struct resp imap_final(struct imap_conn *c)
{
    buf_clear(&c->final);
    c->final.max = KIB(256);
    return (struct resp){ .out = &c->final, .utf8 = c->w.utf8 };
}

int imap_finish(struct imap_conn *c)
{
    c->finishing = true;
    return 0;
}

static int reply(struct imap_conn *c, const char *condition, const char *code, const char *text)
{
    struct resp w = imap_final(c);

    resp_status(&w, c->tag, condition, code, str_from(text));
    return imap_finish(c);
}

int imap_ok_code(struct imap_conn *c, const char *code, const char *text)
{
    char limit[64];

    if (!c->limited_uid)
        return reply(c, "OK", code, text);
    if (code) /* a reply has one code, and the client waits for that of RFC 9738 3.1 */
        resp_printf(&c->w, "* OK [%s] %s\r\n", code, text);
    snprintf(limit, sizeof limit, "MESSAGELIMIT %llu %u", (unsigned long long)c->srv->conf.message_limit,
             c->limited_uid);
    return reply(c, "OK", limit, "Some of it, go on below that UID");
}

int imap_ok(struct imap_conn *c, const char *text)
{
    c->bad = 0;
    return imap_ok_code(c, NULL, text);
}

int imap_no(struct imap_conn *c, const char *code, const char *text)
{
    return reply(c, "NO", code, text);
}

int imap_bad_code(struct imap_conn *c, const char *code, const char *text)
{
    c->bad++;
    return reply(c, "BAD", code, text);
}

int imap_bad(struct imap_conn *c, const char *text)
{
    return imap_bad_code(c, NULL, text);
}

/* RFC 5530 names the codes: they tell the client's program what the text tells its user. */
static const struct {
    int status;
    const char *code, *text;
} failures[] = {
    { E_NOTFOUND, "NONEXISTENT", "There is no such mailbox" },
    { E_GONE, "NONEXISTENT", "The mailbox has been deleted" },
    { E_EXISTS, "ALREADYEXISTS", "There is a mailbox of that name" },
    { E_RANGE, "CANNOT", "A mailbox cannot be called so" },
    { E_QUOTA, "OVERQUOTA", "The mailbox is full" },
    { E_TOO_BIG, "TOOBIG", "The message is too big" },
    { E_LIMIT, "LIMIT", "That is more than the server allows" },
    { E_AUTH, "AUTHENTICATIONFAILED", "Wrong address or password" },
    { E_DENIED, "NOPERM", "Not permitted" },
    { E_UNSUPPORTED, "CANNOT", "Not supported" },
    { E_BUG, "SERVERBUG", "The server made a mistake; it has been noted" },
    { E_CORRUPT, "CORRUPTION", "Something kept here is damaged; it has been noted" },
    { E_VERSION, "CONTACTADMIN", "A newer version of the server has written this" },
};

int imap_fail_status(struct imap_conn *c, int status)
{
    struct resp w;

    if (status == E_SYNTAX) {
        c->bad++;
        w = imap_final(c);
        resp_raw(&w, c->tag);
        resp_z(&w, " BAD ");
        if (c->bad_code)
            resp_printf(&w, "[%s] ", c->bad_code);
        if (w.r == 0)
            w.r = args_explain(&c->args, &c->final);
        resp_crlf(&w);
        return imap_finish(c);
    }
    if (status == E_BUG || status == E_CORRUPT || status == E_VERSION)
        log_event(LOG_ERROR, "imap.failed", F_Z("command", c->name ? c->name : ""), F_ERR(status));
    for (size_t i = 0; i < ARRAY_LEN(failures); i++)
        if (failures[i].status == status)
            return imap_no(c, failures[i].code, failures[i].text);
    /* What is broken is "try later", never "no". */
    return imap_no(c, "UNAVAILABLE", "Not available now, please try again later");
}

/* ---- a command ends ---- */

static void cleanup(struct imap_conn *c)
{
    if (c->cleanup)
        c->cleanup(c);
    c->cleanup = NULL;
}

/* RFC 5530 3, EXPUNGEISSUED: what may not be told now (RFC 9051 7.5.1) is hinted at, so that the client asks. */
static void write_final(struct imap_conn *c)
{
    struct str final = buf_str(&c->final), rest;
    size_t head = c->tag.n + 4;

    if (c->hold_expunges && c->view && c->view->vanished.n && final.n > head) {
        rest = str_skip(final, head);
        if (str_starts(str_skip(final, c->tag.n), STR(" OK ")) && rest.p[0] != '[') {
            resp_raw(&c->w, str_slice(final, 0, head));
            resp_z(&c->w, "[EXPUNGEISSUED] ");
            final = rest;
        }
    }
    resp_raw(&c->w, final);
}

static void command_end(struct imap_conn *c)
{
    bool silent = c->silent, failed = c->sync_failed;

    imap_progress_end(c);
    imap_tell_held_back(c);
    write_final(c);
    imap_flush(c);
    buf_release(&c->final);
    cleanup(c);
    if (c->compress_begins && conn_start_deflate(c->io) < 0)
        imap_bye(c, "UNAVAILABLE", "Out of memory");
    c->compress_begins = false;
    c->finishing = c->busy = c->hold_expunges = c->uid = c->sync_failed = c->mid_response = false;
    c->step = NULL;
    c->step_data = NULL;
    c->bad_code = NULL;
    c->limited_uid = c->progress_goal = 0;
    c->then = NULL;
    c->tag = STR_NONE;
    c->name = NULL;
    arena_reset(&c->arena);
    c->silent = false;
    if (silent) { /* and a command may have come half */
        c->sync_failed = failed;
        conn_resume(c->io);
        return;
    }
    if (c->literal_waits)
        /* what would have been taken had the command been right is swallowed, and no more (RFC 7888 4) */
        cmdline_stream_refuse(&c->in, c->state == IMAP_ST_NOT_AUTH ? CMDLINE_DISCARD_MAX
                                                                   : c->srv->conf.max_message_bytes);
    else
        cmdline_next(&c->in);
    c->literal_waits = false;
    c->reading = IMAP_RD_COMMAND;
    if (c->state == IMAP_ST_LOGOUT)
        hang_up(c);
    else if (c->in.must_close)
        imap_bye(c, "LIMIT", "The literal is larger than what I would skip");
    else if (c->bad >= BAD_MAX)
        imap_bye(c, "CLIENTBUG", "This does not look like IMAP");
    else
        conn_resume(c->io);
}

/* RFC 5465: what may be told between two commands is told like before a tagged reply, without one. */
static void tell_between(struct imap_conn *c)
{
    c->hold_expunges = notify_delays(c);
    c->busy = c->finishing = c->silent = true;
}

struct aside {
    struct arena arena;
    struct args args;
    struct str tag;
    const char *name;
    struct buf final;
    void *step_data;
    void (*cleanup)(struct imap_conn *c);
    int (*then)(struct imap_conn *c);
    enum imap_reading reading;
    bool uid, busy, hold_expunges, finishing, silent;
};

int imap_aside(struct imap_conn *c)
{
    struct aside *s = malloc(sizeof *s);

    if (!s)
        return E_NOMEM;
    *s = (struct aside){ c->arena, c->args,    c->tag, c->name, c->final,         c->step_data, c->cleanup,
                         c->then,  c->reading, c->uid, c->busy, c->hold_expunges, c->finishing, c->silent };
    c->arena = (struct arena){ .max = s->arena.max };
    c->tag = STR_NONE;
    c->name = "NOTIFY";
    c->final = (struct buf){ .max = 0 };
    c->step_data = NULL;
    c->cleanup = NULL;
    c->then = NULL;
    c->reading = IMAP_RD_COMMAND;
    c->busy = c->hold_expunges = true;
    c->uid = c->finishing = c->silent = c->mid_response = false;
    c->aside = s;
    return 0;
}

static void aside_end(struct imap_conn *c)
{
    struct aside *s = c->aside;

    if (!s)
        return;
    cleanup(c);
    arena_release(&c->arena);
    buf_release(&c->final);
    c->arena = s->arena;
    c->args = s->args;
    c->tag = s->tag;
    c->name = s->name;
    c->final = s->final;
    c->step = NULL;
    c->step_data = s->step_data;
    c->cleanup = s->cleanup;
    c->then = s->then;
    c->reading = s->reading;
    c->busy = s->busy;
    c->hold_expunges = s->hold_expunges;
    c->uid = s->uid;
    c->finishing = s->finishing;
    c->silent = s->silent;
    c->mid_response = false;
    c->aside = NULL;
    free(s);
    if (!c->busy && !c->closing)
        conn_resume(c->io); /* DONE may have come */
}

void imap_continue(struct imap_conn *c)
{
    for (;;) {
        imap_flush(c);
        if (c->closing || conn_out_pending(c->io) >= (c->state == IMAP_ST_NOT_AUTH ? KIB(4) : IMAP_OUT_LOW))
            return; /* on_drain comes back here */
        if (c->ask.call) {
            size_t owed = c->ask.hold ? 0 : c->ask.owed;

            c->ask.owed -= owed;
            if (owed)
                rpc_call_consumed(c->ask.call, owed);
            return;
        }
        if (c->step) {
            if (c->step(c))
                c->step = NULL;
        } else if (c->finishing && c->aside) {
            aside_end(c);
        } else if (!c->finishing && !imap_idling(c) && imap_listens(c) &&
                   (c->quota_percent || imap_updates_due(c))) {
            tell_between(c);
        } else if ((c->finishing || imap_idling(c)) && c->quota_percent) {
            imap_tell_quota(c);
        } else if ((c->finishing || imap_idling(c)) && imap_updates_due(c)) {
            if (!imap_updates_step(c))
                return;
        } else {
            if (c->finishing)
                command_end(c);
            return;
        }
    }
}

/* ---- reading ---- */

static void run(struct imap_conn *c, bool stream)
{
    c->busy = true;
    count_one(COUNT_COMMANDS);
    imap_run_command(c, stream);
    imap_continue(c);
}

static void read_error(struct imap_conn *c, int error)
{
    static const struct {
        int error;
        const char *code, *text;
    } texts[] = {
        { E_LINE_TOO_LONG, "LIMIT", "The line is too long" },
        { E_TOO_BIG, "TOOBIG", "The literal is too large" },
        { E_LIMIT, "LIMIT", "The command is too long" },
        { E_NUL, "CLIENTBUG", "NUL is not allowed here" },
        { E_BARE_CR, "CLIENTBUG", "A carriage return without a line feed" },
        { E_BARE_LF, "CLIENTBUG", "A line feed without a carriage return" },
    };
    const char *code = "UNAVAILABLE", *text = "The server cannot take this now";

    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (texts[i].error == error) {
            code = texts[i].code;
            text = texts[i].text;
        }
    if (c->in.must_close || c->reading != IMAP_RD_COMMAND || c->append) {
        imap_bye(c, code, text);
        return;
    }
    resp_printf(&c->w, "%.*s BAD [%s] %s\r\n", STR_ARG(cmdline_tag(&c->in)), code, text);
    imap_flush(c);
    c->reading = IMAP_RD_COMMAND;
    if (++c->bad >= BAD_MAX)
        imap_bye(c, "CLIENTBUG", "This does not look like IMAP");
}

/* Who is not logged in has little to say. What LOGIN itself brought is counted like the rest. */
static void count_in(struct imap_conn *c, size_t n)
{
    if (c->state != IMAP_ST_NOT_AUTH || c->closing)
        return;
    c->login_bytes += n;
    if (c->login_bytes > LOGIN_BYTES_MAX && !c->busy)
        imap_bye(c, "LIMIT", "Too much was said before login");
}

static void on_event(struct imap_conn *c, int event)
{
    if (event < 0) {
        read_error(c, event);
        return;
    }
    switch ((enum cmdline_event)event) {
    case CMDLINE_MORE: return;
    case CMDLINE_CONTINUE: imap_plus(c, "Go on"); return;
    case CMDLINE_COMMAND:
    case CMDLINE_STREAM:
        c->literal_waits = event == CMDLINE_STREAM;
        if (c->append) {
            imap_append_line(c);
            imap_continue(c);
        } else {
            run(c, event == CMDLINE_STREAM);
        }
        return;
    case CMDLINE_LINE:
        if (c->reading == IMAP_RD_SASL)
            imap_sasl_line(c, buf_str(&c->in.text));
        else
            imap_idle_line(c, buf_str(&c->in.text));
        imap_continue(c);
        return;
    }
}

/* Clear text behind STARTTLS would be taken for what came over TLS (CVE-2011-0411). */
static void start_tls(struct imap_conn *c, size_t unread)
{
    c->starttls = false;
    if (unread)
        log_event(LOG_WARN, "imap.starttls_injection", F_U64("bytes", unread));
    if (unread || conn_start_tls(c->io, c->srv->tls) < 0) {
        conn_abort(c->io, E_DENIED);
        c->closing = true;
    }
}

static ssize_t on_data(void *ctx, struct str in)
{
    struct imap_conn *c = ctx;
    size_t at = 0;

    while (at < in.n && !c->busy && !c->closing) {
        size_t used = 0;

        if (c->reading == IMAP_RD_APPEND) {
            used = imap_append_data(c, str_skip(in, at));
            at += used;
            if (used == 0)
                break; /* paused until there is room */
            continue;
        }
        on_event(c, cmdline_feed(&c->in, str_skip(in, at), &used));
        at += used;
        count_in(c, used);
        if (c->starttls)
            start_tls(c, in.n - at);
    }
    if (c->busy)
        conn_pause(c->io);
    return (ssize_t)at;
}

static void on_drain(void *ctx)
{
    imap_continue(ctx);
}

static void greet(struct imap_conn *c)
{
    char code[2100];

    c->greeted = true;
    snprintf(code, sizeof code, "CAPABILITY %s", imap_capabilities(c));
    resp_status(&c->w, STR_NONE, "OK", code, STR("Letterlock is ready"));
    imap_flush(c);
}

static void on_secure(void *ctx)
{
    struct imap_conn *c = ctx;

    c->tls = true;
    if (!c->greeted)
        greet(c);
}

static void on_idle(void *ctx)
{
    struct imap_conn *c = ctx;

    if (c->busy && !imap_idling(c))
        return; /* it is we who are slow, or the client reads slowly: see conn_stall_ms */
    imap_bye(c, NULL, "Too long without a word from you");
}

static void on_timer(struct timer *t)
{
    struct imap_conn *c = CONTAINER_OF(t, struct imap_conn, timer);

    if (c->login_wait)
        imap_login_timer(c);
    else if (c->held)
        imap_reattach_timer(c);
    else if (c->state == IMAP_ST_NOT_AUTH)
        imap_bye(c, NULL, "Too long without a login");
}

static void on_close(void *ctx, int why UNUSED)
{
    struct imap_conn *c = ctx;
    struct imap_server *s = c->srv;

    c->closing = true;
    imap_ask_cancel(&c->ask);
    imap_ask_cancel(&c->sync);
    aside_end(c);
    cleanup(c);
    notify_free(&c->notify);
    contexts_free(c);
    imap_session_end(c);
    uidranges_release(&c->saved);
    view_free(&c->view);
    imap_news_clear(c);
    timer_release(&c->timer);
    timer_release(&c->ask.timer);
    timer_release(&c->progress);
    cmdline_release(&c->in);
    arena_release(&c->arena);
    buf_release(&c->out);
    buf_release(&c->final);
    buf_release(&c->session.text);
    *c->prev = c->next;
    if (c->next)
        c->next->prev = c->prev;
    s->nconns--;
    count_less(COUNT_CONNECTIONS_OPEN);
    if (c->is_counted)
        peers_give(s->peers, &c->counted);
    free(c);
    if (s->stopping && s->nconns == 0 && s->on_empty)
        s->on_empty(s->ctx);
}

static const struct conn_ops ops = {
    .on_data = on_data,
    .on_drain = on_drain,
    .on_secure = on_secure,
    .on_idle = on_idle,
    .on_close = on_close,
};

static void start(struct imap_conn *c, bool tls)
{
    cmdline_init(&c->in, &cmdline_limits_before_login);
    limits_begin(c);
    conn_stall_ms(c->io, 300000);
    if (!tls)
        greet(c);
    else if (conn_start_tls(c->io, c->srv->tls) < 0)
        conn_abort(c->io, E_NOMEM);
}

/* One more of its network; false: it has enough. */
static bool count_network(struct imap_conn *c, const struct sockaddr *peer)
{
    struct imap_server *s = c->srv;

    if (!s->peers || peer_is_local(peer))
        return true;
    c->counted = peer_network_of(peer);
    c->is_counted = peers_take(s->peers, &c->counted, s->conf.max_connections_per_network) == 0;
    return c->is_counted;
}

void imap_accept(struct imap_server *s, int fd, const struct sockaddr *peer, bool tls)
{
    struct imap_conn *c = calloc(1, sizeof *c);

    if (!c || timer_init(&c->timer, s->loop, on_timer) < 0) {
        close(fd);
        free(c);
        return;
    }
    c->srv = s;
    c->arena.max = KIB(16);
    c->out.max = IMAP_OUT_MAX;
    c->w.out = &c->out;
    c->session.text.max = TICKET_MAX;
    peer_penalty_text(peer, c->network);
    c->io = conn_new(s->loop, fd, &limits_before_login, &ops, c);
    if (!c->io) {
        timer_release(&c->timer);
        free(c);
        return;
    }
    c->next = s->conns;
    c->prev = &s->conns;
    if (c->next)
        c->next->prev = &c->next;
    s->conns = c;
    s->nconns++;
    count_one(COUNT_CONNECTIONS);
    count_one(COUNT_CONNECTIONS_OPEN);
    if (s->stopping || s->nconns > s->conf.max_connections || (tls && !s->tls) || !count_network(c, peer)) {
        count_one(COUNT_CONNECTIONS_REFUSED);
        if (!tls)
            imap_bye(c, "UNAVAILABLE", "Too many connections, please try again later");
        else
            conn_abort(c->io, E_BUSY);
        return;
    }
    start(c, tls);
}
