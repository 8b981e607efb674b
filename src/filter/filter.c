/* src/filter/filter.c
 *
 * The role that asks other scanners: ClamAV and rspamd, where the configuration names them. It sees each message that comes
 * in, like content; unlike content it may connect, to these two and nobody else. It keeps nothing. A scanner that is down,
 * slow or talks nonsense is said to be so in the answer: who asks goes on without.
 *
 * A message is held until 128 KiB of it are here or its end: a scanner's connection is not kept open by whoever sends
 * slowly, but for what is larger than that. */
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/event/conn.h"
#include "src/common/role.h"
#include "src/filter/conf.h"
#include "src/filter/scanner.h"
#include <netinet/in.h>

#define SCANS_MAX 100u
#define HELD_MAX  KIB(128)
#define PIECE_MAX KIB(16)
#define OUT_MAX   KIB(256)
#define OUT_LOW   KIB(64)
#define LINGER_MS 0
#define SCANNERS  2u

static struct filter_conf conf;
static struct {
    struct role *role;
    struct dial_addr where[SCANNERS]; /* len 0: not configured */
    bool down[SCANNERS];              /* the last time */
    size_t scans;
} filter;

static const struct scanner *const scanners[SCANNERS] = { &scanner_clamav, &scanner_rspamd };

struct scan;
struct leg {
    struct scan *scan;
    const struct scanner *scanner;
    Filter__State state; /* OFF; FAILED with why, ANSWERED or FOUND when `over` */
    bool over, ended;    /* ended: the last byte was given to the connection */
    struct dial *dial;
    struct conn *conn;
    struct timer timer;
    struct buf held, in; /* came and not given on, from `at` on; of the answer */
    size_t at;
    uint64_t taken;
    const char *why;
    struct scanner_said said;
};

struct scan {
    struct rpc_req *q;
    Filter__ScanRequest *m; /* in the request's arena */
    struct leg legs[SCANNERS];
    uint64_t came, credited;
    bool end, started, replied;
};

/* ---- the end of it ---- */

static void scan_free_if_done(struct scan *s)
{
    for (size_t i = 0; i < SCANNERS; i++)
        if (s->legs[i].conn)
            return;
    if (!s->replied)
        return;
    for (size_t i = 0; i < SCANNERS; i++) {
        timer_release(&s->legs[i].timer);
        buf_release(&s->legs[i].held);
        buf_release(&s->legs[i].in);
    }
    filter.scans--;
    free(s);
}

static ProtobufCBinaryData text_pb(const char *z)
{
    return str_pb(str_from(z ? z : ""));
}

static void reply_if_over(struct scan *s)
{
    Filter__ScanResponse m = FILTER__SCAN_RESPONSE__INIT;
    const struct leg *c = &s->legs[0], *r = &s->legs[1];

    if (s->replied || !c->over || !r->over)
        return;
    m.clamav = c->state;
    m.name = text_pb(c->said.name);
    m.clamav_why = text_pb(c->why);
    m.rspamd = r->state;
    m.score = r->said.score;
    m.action = text_pb(r->said.action);
    m.symbols = text_pb(r->said.symbols);
    m.rspamd_why = text_pb(r->why);
    s->replied = true;
    rpc_req_on_data(s->q, NULL, NULL);
    rpc_reply(s->q, 0, &m.base, NULL);
    s->q = NULL;
    s->m = NULL;
}

/* What all that still listen have taken makes room for more. */
static void give_credit(struct scan *s)
{
    uint64_t least = s->came;

    if (!s->q)
        return;
    for (size_t i = 0; i < SCANNERS; i++)
        if (!s->legs[i].over && s->legs[i].taken < least)
            least = s->legs[i].taken;
    if (least > s->credited) {
        rpc_req_consumed(s->q, (size_t)(least - s->credited));
        s->credited = least;
    }
}

/* One line when it goes down, one when it is back. */
static void note(const struct leg *l)
{
    size_t i = (size_t)(l - l->scan->legs);
    bool down = l->state == FILTER__STATE__FAILED;

    if (filter.down[i] != down)
        log_event(down ? LOG_WARN : LOG_INFO, down ? "filter.down" : "filter.up",
                  F_Z("scanner", l->scanner->name), F_Z("why", down ? l->why : "it answers"));
    filter.down[i] = down;
}

static void leg_over(struct leg *l, Filter__State state, const char *why)
{
    struct scan *s = l->scan;

    if (l->over)
        return;
    l->over = true;
    l->state = state;
    l->why = why;
    note(l);
    timer_clear(&l->timer);
    dial_cancel(&l->dial);
    buf_release(&l->held);
    if (l->conn)
        conn_abort(l->conn, 0); /* on_close follows, later */
    give_credit(s);
    reply_if_over(s);
}

static void leg_failed(struct leg *l, const char *why)
{
    leg_over(l, FILTER__STATE__FAILED, why);
}

static void leg_slow(struct timer *t)
{
    struct leg *l = CONTAINER_OF(t, struct leg, timer);
    struct scan *s = l->scan;

    leg_failed(l, l->dial ? "no connection in time" : "slow");
    scan_free_if_done(s);
}

/* ---- the connection ---- */

static int write_piece(struct leg *l, struct buf *frame)
{
    size_t n = size_min(l->held.n - l->at, PIECE_MAX);
    int r;

    buf_clear(frame);
    if ((r = l->scanner->piece(str_of(l->held.p + l->at, n), frame)) < 0 ||
        (r = conn_write(l->conn, buf_str(frame))) < 0)
        return r;
    l->at += n;
    l->taken += n;
    if (l->at == l->held.n || l->at >= OUT_LOW) {
        buf_drop(&l->held, l->at);
        l->at = 0;
    }
    return 0;
}

static void leg_pump(struct leg *l)
{
    CLEANUP(buf_release) struct buf frame = { .max = PIECE_MAX + 64 };
    bool moved = false;
    int r = 0;

    if (l->over || !l->conn || l->ended)
        return;
    while (l->held.n && r == 0 && conn_out_pending(l->conn) < OUT_LOW) {
        r = write_piece(l, &frame);
        moved = true;
    }
    if (r == 0 && !l->held.n && l->scan->end) {
        buf_clear(&frame);
        if ((r = l->scanner->end(&frame)) == 0)
            r = conn_write(l->conn, buf_str(&frame));
        l->ended = moved = true;
    }
    if (r < 0) {
        leg_failed(l, "broke off");
        return;
    }
    if (moved)
        timer_set(&l->timer, (int64_t)conf.timeout_ms);
    else if (!l->held.n && conn_out_pending(l->conn) == 0)
        timer_clear(&l->timer); /* whoever sends is slow, not the scanner */
    give_credit(l->scan);
}

static void answer_came(struct leg *l, bool closed)
{
    int r;

    if (l->over)
        return;
    r = l->scanner->answer(buf_str(&l->in), closed, &l->said);
    if (r > 0 && !l->ended && !l->said.found)
        leg_failed(l, "answered before the end"); /* of what it has not seen it can say nothing */
    else if (r > 0)
        leg_over(l, l->said.found ? FILTER__STATE__FOUND : FILTER__STATE__ANSWERED, "");
    else if (r == E_LIMIT)
        leg_failed(l, "message too large for it");
    else if (r < 0 || closed)
        leg_failed(l, l->in.n ? "nonsense" : "hung up");
}

static ssize_t leg_data(void *ctx, struct str in)
{
    struct leg *l = ctx;

    if (l->over)
        return (ssize_t)in.n;
    if (buf_puts(&l->in, in) < 0) {
        leg_failed(l, "answer too long");
        return (ssize_t)in.n;
    }
    answer_came(l, false);
    return (ssize_t)in.n;
}

static void leg_drained(void *ctx)
{
    leg_pump(ctx);
}

static void leg_closed(void *ctx, int why UNUSED)
{
    struct leg *l = ctx;
    struct scan *s = l->scan;

    l->conn = NULL;
    answer_came(l, true);
    scan_free_if_done(s);
}

static const struct conn_ops leg_ops = { .on_data = leg_data,
                                         .on_drain = leg_drained,
                                         .on_close = leg_closed };

static void dialled(void *ctx, int fd, size_t which UNUSED)
{
    static const struct conn_limits limits = { .in_max = KIB(32),
                                               .out_max = OUT_MAX,
                                               .out_low = OUT_LOW / 2 };
    CLEANUP(buf_release) struct buf head = { .max = KIB(32) };
    struct leg *l = ctx;
    struct scan *s = l->scan;

    l->dial = NULL;
    if (fd < 0) {
        leg_failed(l, fd == E_TIMEOUT ? "no connection in time" : "no connection");
        scan_free_if_done(s);
        return;
    }
    if (!(l->conn = conn_new(role_loop(filter.role), fd, &limits, &leg_ops, l)) ||
        l->scanner->begin(s->m, &head) < 0 || conn_write(l->conn, buf_str(&head)) < 0) {
        leg_failed(l, "no memory");
        scan_free_if_done(s);
        return;
    }
    leg_pump(l);
}

static void start(struct scan *s)
{
    s->started = true;
    for (size_t i = 0; i < SCANNERS; i++) {
        struct leg *l = &s->legs[i];

        if (l->over)
            continue;
        timer_set(&l->timer, (int64_t)conf.timeout_ms);
        l->dial =
            dial_start(role_loop(filter.role), &filter.where[i], 1, (int64_t)conf.timeout_ms, dialled, l);
        if (!l->dial)
            leg_failed(l, "no memory");
    }
}

/* ---- SCAN ---- */

static void scan_data(void *ctx, struct str bytes, bool end)
{
    struct scan *s = ctx;

    s->came += bytes.n;
    s->end |= end;
    for (size_t i = 0; i < SCANNERS; i++) {
        struct leg *l = &s->legs[i];

        if (l->over)
            continue;
        if (buf_puts(&l->held, bytes) < 0) {
            leg_failed(l, "no memory");
            continue;
        }
        if (l->conn && !timer_is_set(&l->timer))
            timer_set(&l->timer, (int64_t)conf.timeout_ms);
        leg_pump(l);
    }
    if (s->replied) {
        scan_free_if_done(s);
        return;
    }
    give_credit(s);
    if (!s->started && (s->end || s->came >= HELD_MAX))
        start(s);
    if (s->replied)
        scan_free_if_done(s);
}

static void scan_cancelled(void *ctx)
{
    struct scan *s = ctx;

    for (size_t i = 0; i < SCANNERS; i++) { /* whoever gave up says nothing about the scanner */
        struct leg *l = &s->legs[i];

        if (l->over)
            continue;
        l->over = true;
        timer_clear(&l->timer);
        dial_cancel(&l->dial);
        if (l->conn)
            conn_abort(l->conn, 0);
    }
    reply_if_over(s);
    scan_free_if_done(s);
}

static int op_scan(struct rpc_req *q, struct str body)
{
    Filter__ScanRequest *m = RPC_UNPACK(rpc_req_arena(q), body, filter__scan_request);
    struct scan *s;
    int r = 0;

    if (!m)
        return E_SYNTAX;
    if (filter.scans >= SCANS_MAX)
        return E_BUSY;
    if (!(s = calloc(1, sizeof *s)))
        return E_NOMEM;
    s->q = q;
    s->m = m;
    for (size_t i = 0; i < SCANNERS; i++) {
        struct leg *l = &s->legs[i];

        l->scan = s;
        l->scanner = scanners[i];
        l->held.max = 2 * RPC_WINDOW;
        l->in.max = SCANNER_ANSWER_MAX;
        l->over = filter.where[i].len == 0;
        r = r < 0 ? r : timer_init(&l->timer, role_loop(filter.role), leg_slow);
    }
    if (r < 0) {
        for (size_t i = 0; i < SCANNERS; i++)
            timer_release(&s->legs[i].timer);
        free(s);
        return r;
    }
    filter.scans++;
    rpc_req_on_cancel(q, scan_cancelled, s);
    rpc_req_on_data(q, scan_data, s);
    return 0;
}

static const struct rpc_op ops[] = {
    [FILTER__OP__SCAN] = { .run = op_scan, .from = FROM(MX), .flags = RPC_UP },
};
static const struct rpc_service service = { .name = "filter", .ops = ops, .nops = ARRAY_LEN(ops) };

/* ---- life ---- */

static int read_where(const char *text, const char *key, struct dial_addr *out)
{
    int r = text[0] ? filter_endpoint(str_from(text), out) : 0;

    if (r < 0)
        log_event(LOG_ERROR, "filter.bad_address", F_Z("key", key), F_Z("value", text));
    return r;
}

static int filter_init(struct role *r)
{
    int e;

    filter.role = r;
    if ((e = read_where(conf.clamav, "mx.clamav", &filter.where[0])) < 0)
        return e;
    return read_where(conf.rspamd, "mx.rspamd", &filter.where[1]);
}

static size_t filter_dials(struct role *r UNUSED, uint16_t *ports, size_t max)
{
    size_t n = 0;

    for (size_t i = 0; i < SCANNERS && n < max; i++) {
        const struct sockaddr_storage *sa = &filter.where[i].sa;

        if (filter.where[i].len && sa->ss_family == AF_INET)
            ports[n++] = ntohs(((const struct sockaddr_in *)(const void *)sa)->sin_port);
        else if (filter.where[i].len && sa->ss_family == AF_INET6)
            ports[n++] = ntohs(((const struct sockaddr_in6 *)(const void *)sa)->sin6_port);
    }
    return n;
}

static bool filter_dials_unix(void)
{
    for (size_t i = 0; i < SCANNERS; i++)
        if (filter.where[i].len && filter.where[i].sa.ss_family == AF_UNIX)
            return true;
    return false;
}

const struct role_def filter_role = {
    .id = ROLE_FILTER,
    .items = filter_conf_items,
    .nitems = FILTER_CONF_ITEMS,
    .conf = &conf,
    .conf_bytes = sizeof conf,
    .service = &service,
    .optional = true,
    .init = filter_init,
    .dials = filter_dials,
    .dials_unix = filter_dials_unix,
};
