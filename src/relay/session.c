/* src/relay/session.c: an SMTP client's side of one connection (RFC 5321, 3207, 2920).
 *
 * States follow the answers that are awaited. Commands of an envelope go out together where the server offers
 * PIPELINING; DATA waits for their answers, so that no empty message is ever sent. A session that is idle
 * belongs to nobody; one that is busy has a delivery, which hears of every answer. */
#include "src/relay/relay.h"
#include "lib/base/log.h"
#include "src/common/peers.h"
#include <assert.h>
#include <openssl/ssl.h>
#include <unistd.h>

#define IN_MAX    KIB(64)
#define OUT_MAX   MIB(2)
#define OUT_LOW   KIB(64)
#define BODY_ROOM KIB(256)
#define TLS_KEPT  1024u
#define MINUTE_MS INT64_C(60000)

enum state {
    S_GREETING,
    S_EHLO,
    S_HELO,
    S_STARTTLS,
    S_TLS,
    S_IDLE,
    S_ENVELOPE,
    S_DATA,
    S_BODY,
    S_END,
    S_RSET,
    S_QUIT,
};

/* RFC 5321 4.5.3.2, milliseconds; 0: no answer is awaited. */
static const int64_t limits[] = {
    [S_GREETING] = 5 * MINUTE_MS, [S_EHLO] = 5 * MINUTE_MS,      [S_HELO] = 5 * MINUTE_MS,
    [S_STARTTLS] = 5 * MINUTE_MS, [S_TLS] = 2 * MINUTE_MS,       [S_IDLE] = 0,
    [S_ENVELOPE] = 5 * MINUTE_MS, [S_DATA] = 2 * MINUTE_MS,      [S_BODY] = 0,
    [S_END] = 10 * MINUTE_MS,     [S_RSET] = 20 * INT64_C(1000), [S_QUIT] = 5 * INT64_C(1000),
};

struct session {
    struct conn *conn;
    struct delivery *d; /* NULL: idle or ending */
    enum state state;
    struct smtp_offer offer;
    struct timer limit, up;
    bool verify;              /* the certificate */
    struct need need;         /* its parts are good until TLS is up */
    const char *result, *why; /* of TLS: RFC 8460 4.3, and words; NULL: all is well */
    bool proven;              /* what `need` asks to be */
    char host[256], peer[330];
    uint16_t port;
    bool want_tls, implicit, esmtp, failed, cr,
        text; /* text: not at the start of a line; cr: a CR was last */
    uint64_t messages;
    const struct str *rcpt;
    struct str mail;
    size_t nrcpt, sent, answered;
    struct session *next, **at; /* of the idle ones */
};

static struct session *idle;

/* TLS sessions by host: a small table, whoever comes later takes the place. */
static struct {
    char host[256];
    uint64_t tag; /* what was proven when it began: it says so for those that are resumed */
    SSL_SESSION *s;
} kept[TLS_KEPT];

static size_t kept_slot(const char *host)
{
    uint32_t h = 2166136261u;

    for (; *host; host++)
        h = (h ^ (uint8_t)ascii_lower(*host)) * 16777619u;
    return h % TLS_KEPT;
}

static void tls_keep(struct session *s)
{
    SSL_SESSION *t = conn_tls_session(s->conn);
    size_t i = kept_slot(s->host);

    if (!t)
        return;
    if (s->need.tag && !s->proven) {
        SSL_SESSION_free(t);
        return;
    }
    SSL_SESSION_free(kept[i].s);
    kept[i].tag = s->need.tag;
    kept[i].s = t;
    memcpy(kept[i].host, s->host, sizeof s->host);
}

static SSL_SESSION *tls_kept(const char *host, uint64_t tag)
{
    size_t i = kept_slot(host);

    return kept[i].s && kept[i].tag == tag && strcasecmp(kept[i].host, host) == 0 ? kept[i].s : NULL;
}

/* ---- states ---- */

static void enter(struct session *s, enum state next)
{
    s->state = next;
    if (next == S_IDLE)
        timer_set(&s->limit, (int64_t)relay_conf.idle_ms);
    else if (limits[next])
        timer_set(&s->limit, relay_patience(limits[next]));
    else
        timer_clear(&s->limit);
}

static void idle_out(struct session *s)
{
    if (!s->at)
        return;
    *s->at = s->next;
    if (s->next)
        s->next->at = s->at;
    s->at = NULL;
}

static void say(struct session *s, const char *line)
{
    if (conn_write(s->conn, str_from(line)) < 0)
        conn_abort(s->conn, E_LIMIT);
}

static void quit(struct session *s)
{
    idle_out(s);
    s->d = NULL;
    if (s->conn && conn_is_tls(s->conn))
        tls_keep(s);
    if (s->state == S_TLS || s->state == S_BODY) {
        conn_abort(s->conn, 0);
        return;
    }
    enter(s, S_QUIT);
    say(s, "QUIT\r\n");
}

static void fail(struct session *s, const struct session_failure *f)
{
    struct delivery *d = s->d;

    s->failed = true;
    s->d = NULL;
    if (f->answer)
        quit(s);
    else
        conn_abort(s->conn, f->why);
    if (d)
        relay_delivery_session_failed(d, s, f);
}

static void refused(struct session *s, const struct smtp_answer *a)
{
    struct session_failure f = { .answer = a, .text = "" };

    fail(s, &f);
}

static void hello(struct session *s, bool ehlo)
{
    char line[300];

    snprintf(line, sizeof line, "%s %.*s\r\n", ehlo ? "EHLO" : "HELO", STR_ARG(role_hostname(relay.role)));
    enter(s, ehlo ? S_EHLO : S_HELO);
    say(s, line);
}

static void ready(struct session *s)
{
    enter(s, S_IDLE);
    timer_clear(&s->limit);
    relay_delivery_session_up(s->d);
}

static void tls_begin(struct session *s)
{
    struct tls_ctx *as = s->need.peer.need == TLS_PKIX ? relay.tls_pkix : relay.tls;
    SSL_SESSION *before = tls_kept(s->host, s->need.tag);

    enter(s, S_TLS);
    if (s->verify ? conn_start_tls_client(s->conn, relay.tls_verified, s->host, before) < 0
                  : conn_start_tls_peer(s->conn, as, &s->need.peer, before) < 0)
        conn_abort(s->conn, E_CLOSED);
}

/* ---- the envelope ---- */

static void envelope_send(struct session *s)
{
    bool many = (s->offer.has & SMTP_OFFER_PIPELINING) != 0;

    while (s->sent <= s->nrcpt && (many || s->sent == s->answered)) {
        struct str line = s->sent == 0 ? s->mail : s->rcpt[s->sent - 1];

        s->sent++;
        if (conn_write(s->conn, line) < 0) {
            conn_abort(s->conn, E_LIMIT);
            return;
        }
    }
}

int relay_session_begin(struct session *s, struct str mail, const struct str *rcpt, size_t n)
{
    assert(s->state == S_IDLE);
    s->mail = mail;
    s->rcpt = rcpt;
    s->nrcpt = n;
    s->sent = s->answered = 0;
    s->cr = s->text = false;
    s->messages++;
    enter(s, S_ENVELOPE);
    envelope_send(s);
    return 0;
}

static void envelope_answer(struct session *s, const struct smtp_answer *a)
{
    struct delivery *d = s->d;
    size_t which = s->answered++;

    timer_set(&s->limit, relay_patience(limits[S_ENVELOPE]));
    /* A refused MAIL makes the rest pointless; what was sent already is still answered. */
    if (which == 0 && a->code >= 400 && !(s->offer.has & SMTP_OFFER_PIPELINING))
        s->sent = s->answered = s->nrcpt + 1;
    relay_delivery_answer(d, which, a);
    if (s->d != d || s->state != S_ENVELOPE)
        return; /* it gave up */
    if (s->answered <= s->nrcpt) {
        envelope_send(s);
        return;
    }
    enter(s, S_DATA);
    say(s, "DATA\r\n");
}

/* ---- the body ---- */

size_t relay_session_room(const struct session *s)
{
    size_t waits = s->state == S_BODY ? conn_out_pending(s->conn) : BODY_ROOM;

    return waits >= BODY_ROOM ? 0 : BODY_ROOM - waits;
}

/* RFC 5321 4.5.2: a dot at the start of a line is doubled. */
int relay_session_body(struct session *s, struct str piece)
{
    size_t from = 0;
    int r;

    for (size_t i = 0; i < piece.n; i++) {
        char c = piece.p[i];

        if (c == '.' && !s->text) {
            if ((r = conn_write(s->conn, str_slice(piece, from, i))) < 0 ||
                (r = conn_write(s->conn, STR("."))) < 0)
                return r;
            from = i;
        }
        s->text = !(c == '\n' && s->cr);
        s->cr = c == '\r';
    }
    return conn_write(s->conn, str_skip(piece, from));
}

int relay_session_dot(struct session *s)
{
    enter(s, S_END);
    return conn_write(s->conn, s->text ? STR("\r\n.\r\n") : STR(".\r\n"));
}

/* ---- answers ---- */

static void offered(struct session *s, const struct smtp_answer *a)
{
    smtp_offer_read(a->lines, &s->offer);
    s->esmtp = true;
    if (s->want_tls && !conn_is_tls(s->conn) && (s->offer.has & SMTP_OFFER_STARTTLS)) {
        enter(s, S_STARTTLS);
        say(s, "STARTTLS\r\n");
        return;
    }
    ready(s);
}

static void take(struct session *s, const struct smtp_answer *a)
{
    bool good = a->code < 300;

    switch (s->state) {
    case S_GREETING:
        if (a->code == 220)
            hello(s, true);
        else
            refused(s, a);
        return;
    case S_EHLO:
        if (good)
            offered(s, a);
        else if (a->code >= 500 && a->code != 554 && !conn_is_tls(s->conn))
            hello(s, false); /* RFC 5321 3.2: an old server */
        else
            refused(s, a);
        return;
    case S_HELO:
        if (good)
            ready(s);
        else
            refused(s, a);
        return;
    case S_STARTTLS:
        if (good)
            tls_begin(s);
        else
            ready(s); /* in the clear, as it is (RFC 3207 4); who needs more looks at the session */
        return;
    case S_ENVELOPE: envelope_answer(s, a); return;
    case S_DATA:
        if (a->code == 354)
            enter(s, S_BODY);
        relay_delivery_answer(s->d, s->nrcpt + 1, a);
        return;
    case S_END: relay_delivery_answer(s->d, s->nrcpt + 2, a); return;
    case S_RSET:
        if (good)
            relay_session_release(s, true);
        else
            quit(s);
        return;
    case S_QUIT: conn_close(s->conn, 1000); return;
    case S_BODY: /* it must not speak now: it has given up on us, or follows no order */
        relay_delivery_answer(s->d, s->nrcpt + 2, a);
        return;
    case S_IDLE: /* 421: it hangs up */
        if (s->d)
            refused(s, a);
        else
            quit(s);
        return;
    case S_TLS: conn_abort(s->conn, E_SYNTAX); return;
    }
}

static ssize_t on_data(void *ctx, struct str in)
{
    struct session *s = ctx;
    struct smtp_answer a;
    ptrdiff_t n = smtp_answer_read(in, &a);

    if (n > 0)
        take(s, &a);
    return n;
}

static void on_drain(void *ctx)
{
    struct session *s = ctx;

    if (s->d && s->state == S_BODY)
        relay_delivery_room(s->d);
}

/* Is it who it has to be? Where that is only wished for (a policy that is being tested) mail goes all the same. */
static bool look_at_peer(struct session *s)
{
    struct session_failure f = { .tls = true, .why = E_AUTH };
    enum tls_verdict v;
    const char *why;

    if (s->need.peer.need == TLS_ANYBODY)
        return true;
    v = (enum tls_verdict)conn_tls_verdict(s->conn, &s->need.peer, &why);
    s->proven = v == TLS_FINE;
    if (s->proven)
        return true;
    f.result = s->result = relay_verdict_result(v, s->need.peer.need);
    f.text = s->why = why;
    if (!s->need.strict)
        return true;
    fail(s, &f);
    return false;
}

static void on_secure(void *ctx)
{
    struct session *s = ctx;

    relay.with_tls++;
    relay.resumed += conn_tls_resumed(s->conn);
    if (!look_at_peer(s))
        return;
    if (s->implicit && !s->esmtp)
        enter(s, S_GREETING);
    else
        hello(s, true); /* RFC 3207 4.2: all that was said before is void */
}

static void on_close(void *ctx, int why)
{
    struct session *s = ctx;
    struct delivery *d = s->d;
    enum state was = s->state;
    bool reused = s->messages > (was == S_IDLE ? 0 : 1);

    struct session_failure f = { .why = why < 0 ? why : E_CLOSED,
                                 .tls = was == S_TLS,
                                 .result = was == S_TLS ? "validation-failure" : NULL,
                                 .text = conn_tls_why(s->conn) };

    idle_out(s);
    timer_release(&s->limit);
    timer_release(&s->up);
    relay.connections--;
    s->d = NULL;
    if (d && was <= S_TLS)
        relay_delivery_session_failed(d, s, &f);
    else if (d)
        relay_delivery_session_lost(d, f.why, reused);
    free(s);
}

static void on_limit(struct timer *t)
{
    struct session *s = CONTAINER_OF(t, struct session, limit);

    if (s->state == S_IDLE && !s->d)
        quit(s);
    else
        conn_abort(s->conn, E_TIMEOUT);
}

static void on_up(struct timer *t)
{
    struct session *s = CONTAINER_OF(t, struct session, up);

    if (s->d)
        relay_delivery_session_up(s->d);
}

/* ---- life ---- */

struct session *relay_session_new(int fd, const struct route_host *h, const struct dial_addr *addr, bool tls,
                                  const struct need *need, struct delivery *d)
{
    static const struct conn_ops ops = {
        .on_data = on_data, .on_drain = on_drain, .on_secure = on_secure, .on_close = on_close
    };
    static const struct conn_limits lim = { IN_MAX, OUT_MAX, OUT_LOW };
    struct session *s = calloc(1, sizeof *s);
    char ip[PEER_TEXT_MAX];

    if (!s) {
        close(fd);
        return NULL;
    }
    s->d = d;
    s->port = h->port;
    s->want_tls = tls;
    s->implicit = h->tls;
    s->verify = h->verify;
    s->need = *need;
    snprintf(s->host, sizeof s->host, "%.*s", STR_ARG(h->name));
    if (!s->need.peer.names[0] && !h->literal)
        s->need.peer.names[0] = s->host;
    peer_text((const struct sockaddr *)(const void *)&addr->sa, ip);
    snprintf(s->peer, sizeof s->peer, "%s [%s]", s->host, ip);
    if (timer_init(&s->limit, role_loop(relay.role), on_limit) < 0 ||
        timer_init(&s->up, role_loop(relay.role), on_up) < 0 ||
        !(s->conn = conn_new(role_loop(relay.role), fd, &lim, &ops, s))) {
        timer_release(&s->limit);
        timer_release(&s->up);
        free(s);
        return NULL;
    }
    relay.connections++;
    conn_stall_ms(s->conn, relay_patience(3 * MINUTE_MS)); /* RFC 5321 4.5.3.2.5 */
    if (s->implicit)
        tls_begin(s);
    else
        enter(s, S_GREETING);
    return s;
}

/* Who asks for nothing takes any; who asks takes one that was asked the same. */
static bool serves(const struct session *s, const struct need *need)
{
    if (need->tag && s->need.tag != need->tag)
        return false;
    return !need->strict || (conn_is_tls(s->conn) && (!need->tag || s->proven));
}

bool relay_session_is_new(const struct session *s)
{
    return s->messages == 0;
}

const char *relay_session_tls_result(const struct session *s, const char **why_out)
{
    *why_out = s->why ? s->why : "";
    return s->result;
}

void relay_session_ends(const struct session *s, char *peer, char *own, size_t n)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;
    char text[PEER_TEXT_MAX];

    snprintf(peer, n, "%s", "");
    snprintf(own, n, "%s", "");
    if (getpeername(conn_fd(s->conn), (struct sockaddr *)(void *)&sa, &len) == 0) {
        peer_text((const struct sockaddr *)(const void *)&sa, text);
        snprintf(peer, n, "%s", text);
    }
    len = sizeof sa;
    if (getsockname(conn_fd(s->conn), (struct sockaddr *)(void *)&sa, &len) == 0) {
        peer_text((const struct sockaddr *)(const void *)&sa, text);
        snprintf(own, n, "%s", text);
    }
}

struct session *relay_session_reuse(const struct route_host *h, const struct need *need, struct delivery *d)
{
    for (struct session *s = idle; s; s = s->next)
        if (s->port == h->port && str_ieq(str_from(s->host), h->name) && serves(s, need)) {
            idle_out(s);
            timer_clear(&s->limit);
            s->d = d;
            timer_set(&s->up, 0);
            relay.reused++;
            return s;
        }
    return NULL;
}

const struct smtp_offer *relay_session_offer(const struct session *s)
{
    return &s->offer;
}

bool relay_session_is_tls(const struct session *s)
{
    return conn_is_tls(s->conn);
}

const char *relay_session_peer(const struct session *s)
{
    return s->peer;
}

void relay_session_tls_text(const struct session *s, char *out, size_t n)
{
    out[0] = '\0';
    if (conn_is_tls(s->conn))
        snprintf(out, n, "%s with cipher %s", conn_tls_version(s->conn), conn_tls_cipher(s->conn));
}

void relay_session_release(struct session *s, bool clean)
{
    s->d = NULL;
    timer_clear(&s->up);
    if (relay.stopping || relay_conf.idle_ms == 0 || s->messages >= relay_conf.reuse_max) {
        quit(s);
        return;
    }
    if (!clean) {
        if (s->state != S_ENVELOPE && s->state != S_DATA) {
            quit(s);
            return;
        }
        if (s->answered < s->sent) { /* answers to what nobody wants any more */
            conn_abort(s->conn, 0);
            return;
        }
        enter(s, S_RSET);
        say(s, "RSET\r\n");
        return;
    }
    enter(s, S_IDLE);
    s->next = idle;
    s->at = &idle;
    if (idle)
        idle->at = &s->next;
    idle = s;
}

void relay_session_close_idle(void)
{
    while (idle)
        quit(idle);
}
