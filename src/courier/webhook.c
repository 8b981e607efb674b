/* src/courier/webhook.c: one message to one webhook.
 *
 * The stored body goes to the content role, which alone parses; its JSON comes back, gets the envelope around it and
 * a signature, and goes to the relay, which posts it. All of the JSON is in memory then: what is under way at once
 * is bounded by an estimate, further ones wait. Each try makes the same JSON with the same id. */
#include "lib/base/clock.h"
#include "lib/base/hex.h"
#include "lib/base/json.h"
#include "lib/base/log.h"
#include "proto/content.pb-c.h"
#include "src/courier/courier.h"
#include <jansson.h>
#include <sodium.h>

#define AT_ONCE_BYTES MIB(96)  /* estimated; one is always under way */
#define AROUND_MAX    KIB(256) /* what is around the message: facts and names */
#define PARSE_MS      120000
#define POST_MS       600000
#define AGAIN_MS      500
#define TRIES         20u /* when no worker has time */
#define ID_MAX        64u
#define RAW_OPTION    STR("#raw") /* behind a URL: the message's bytes, too. It is not sent to the server */

/* A message; a text that is JSON but for its beginning; a report to be read, which goes nowhere; base64 of what is posted
 * as it is. */
enum kind { KIND_MESSAGE, KIND_EVENT, KIND_REPORT, KIND_PLAIN };

struct webhook {
    const struct queue_claim *c;
    enum kind kind;
    bool raw;
    struct str url;
    struct arena arena; /* of a report */
    Content__ReportResponse *report;
    struct courier_bounce *failed;
    size_t nfailed;
    webhook_fn *done;
    void *ctx;
    struct rpc_call *call;
    struct lane_job job;
    struct timer later;
    struct buf piece, json;
    struct buf origin; /* who sent it, when a name of ours stands for him (SRS); empty: the sender */
    size_t at;         /* of piece or json: sent */
    uint32_t number;
    uint64_t sent;
    size_t counted;
    unsigned tries;
    bool reading, read_all, over;
    int status;
    const char *why;
    char key[WEBHOOK_KEY_LEN + 1], id[ID_MAX];
    struct webhook *next;
};

static struct {
    struct webhook *first, **last; /* who wait for room */
    size_t bytes;
} hooks = { .last = &hooks.first };

static size_t estimate(const struct webhook *w)
{
    size_t n = size_min((size_t)courier_conf.webhook_bytes, (size_t)w->c->m.bytes * 2 + KIB(64)) + AROUND_MAX;

    return w->raw ? n + size_min((size_t)courier_conf.webhook_bytes, (size_t)w->c->m.bytes / 3 * 4) : n;
}

static void next_ones(void)
{
    struct webhook *w;

    while ((w = hooks.first) && (hooks.bytes == 0 || hooks.bytes + estimate(w) <= AT_ONCE_BYTES)) {
        if (!(hooks.first = w->next))
            hooks.last = &hooks.first;
        w->counted = estimate(w);
        hooks.bytes += w->counted;
        timer_set(&w->later, 0);
    }
}

static void webhook_free(struct webhook *w)
{
    hooks.bytes -= w->counted;
    timer_release(&w->later);
    buf_release(&w->piece);
    buf_release(&w->json);
    buf_release(&w->origin);
    arena_release(&w->arena);
    bytes_wipe(w->key, sizeof w->key);
    free(w);
    next_ones();
}

static void finish(struct webhook *w, const Relay__SendResponse *m, int status, const char *why)
{
    w->over = true;
    w->status = status;
    w->why = why;
    if (w->call)
        rpc_call_cancel(w->call);
    w->call = NULL;
    if (w->reading)
        return; /* when the piece has come */
    w->done(w->ctx, m, status, why);
    webhook_free(w);
}

static void fail(struct webhook *w, const char *why)
{
    finish(w, NULL, E_UNAVAIL, why);
}

/* ---- posting ---- */

static void posted(void *ctx, int status, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(64) };
    struct webhook *w = ctx;
    Relay__SendResponse *m = status == 0 ? RPC_UNPACK(&a, body, relay__send_response) : NULL;

    w->call = NULL;
    finish(w, m, m ? 0 : status == E_TIMEOUT ? E_TIMEOUT : E_UNAVAIL, "the relay did not answer");
}

static void post_feed(void *ctx)
{
    struct webhook *w = ctx;
    size_t n;

    while (w->call && w->at < w->json.n && (n = size_min(w->json.n - w->at, rpc_call_room(w->call))) > 0) {
        if (rpc_call_send(w->call, str_slice(buf_str(&w->json), w->at, w->at + n)) < 0)
            return;
        w->at += n;
        if (w->at == w->json.n)
            rpc_call_end(w->call);
    }
}

/* Of the body, with the domain's key as people see it. */
static void sign(const struct webhook *w, char out[7 + 2 * crypto_auth_hmacsha256_BYTES + 1])
{
    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state st;

    crypto_auth_hmacsha256_init(&st, (const uint8_t *)w->key, WEBHOOK_KEY_LEN);
    crypto_auth_hmacsha256_update(&st, (const uint8_t *)w->json.p, w->json.n);
    crypto_auth_hmacsha256_final(&st, mac);
    bytes_wipe(&st, sizeof st);
    memcpy(out, "sha256=", 7);
    hex_encode(mac, sizeof mac, out + 7);
}

static void post(struct webhook *w)
{
    Relay__PostRequest m = RELAY__POST_REQUEST__INIT;
    struct rpc_ask ask = { .op = RELAY__OP__POST,
                           .body = &m.base,
                           .deadline_ms = POST_MS,
                           .upload = true,
                           .done = posted,
                           .on_room = post_feed,
                           .ctx = w };
    char signature[7 + 2 * crypto_auth_hmacsha256_BYTES + 1];

    m.attempt = w->c->attempt;
    m.url = str_pb(w->url);
    if (w->kind == KIND_PLAIN) {
        m.type = str_pb(STR("application/tlsrpt+gzip")); /* RFC 8460 6.4 */
    } else {
        sign(w, signature);
        m.id = str_pb(str_from(w->id));
        m.signature = str_pb(str_from(signature));
    }
    m.bytes = w->json.n;
    w->at = 0;
    buf_release(&w->piece);
    if (!(w->call = rpc_link_ask(role_link(courier.role, ROLE_RELAY), &ask)))
        fail(w, "out of memory");
    else
        post_feed(w);
}

/* ---- the message's bytes ---- */

static void raw_next(struct webhook *w);

/* Whole threes; what is left waits for the next piece, or ends it. */
static int raw_put(struct webhook *w, bool end)
{
    size_t n = end ? w->piece.n : w->piece.n / 3 * 3, room;
    char *p;

    if (n == 0)
        return 0;
    room = sodium_base64_ENCODED_LEN(n, sodium_base64_VARIANT_ORIGINAL);
    if (!(p = buf_reserve(&w->json, room)))
        return E_LIMIT;
    sodium_bin2base64(p, room, (const unsigned char *)w->piece.p, n, sodium_base64_VARIANT_ORIGINAL);
    w->json.n += room - 1; /* its NUL */
    buf_drop(&w->piece, n);
    return 0;
}

static int piece_read(struct queue *q, struct lane_job *j);

static void raw_came(struct lane_job *j, int status)
{
    struct webhook *w = CONTAINER_OF(j, struct webhook, job);

    w->reading = false;
    w->number++;
    if (status < 0 || raw_put(w, w->read_all) < 0)
        fail(w, "the queue could not be read");
    else if (!w->read_all)
        raw_next(w);
    else if (buf_putz(&w->json, "\"}") < 0)
        fail(w, "out of memory");
    else
        post(w);
}

static void raw_next(struct webhook *w)
{
    w->job = (struct lane_job){ .run = piece_read, .done = raw_came };
    w->reading = true;
    if (lane_submit(&w->job) < 0) {
        w->reading = false;
        fail(w, "the queue is busy");
    }
}

/* Behind the message: as it is stored, or that it is too large. */
static void raw_begin(struct webhook *w)
{
    uint64_t room = courier_conf.webhook_bytes;

    w->number = 0;
    w->read_all = false;
    buf_clear(&w->piece);
    if (!w->raw) {
        if (buf_putc(&w->json, '}') < 0)
            fail(w, "out of memory");
        else
            post(w);
    } else if (w->c->m.bytes > room / 4 * 3) {
        if (buf_putz(&w->json, ",\"raw\":null,\"raw_left_out\":true}") < 0)
            fail(w, "out of memory");
        else
            post(w);
    } else if (buf_putz(&w->json, ",\"raw_left_out\":false,\"raw\":\"") < 0 ||
               buf_puts(&w->piece, w->c->m.prepend) < 0) {
        fail(w, "out of memory");
    } else {
        raw_next(w);
    }
}

/* ---- a report ---- */

static int report_read(struct queue *q, struct lane_job *j)
{
    struct webhook *w = CONTAINER_OF(j, struct webhook, job);

    return courier_bounce_read(q, &w->arena, str_skip(w->c->targets[0].to, 4), w->report, &w->failed,
                               &w->nfailed);
}

static void report_noted(struct lane_job *j, int status)
{
    struct webhook *w = CONTAINER_OF(j, struct webhook, job);
    Relay__SendResponse m = RELAY__SEND_RESPONSE__INIT;
    Relay__Outcome o = RELAY__OUTCOME__INIT, *one = &o;

    if (status < 0) {
        fail(w, "what the report says could not be noted");
        return;
    }
    if (w->nfailed)
        log_event(LOG_INFO, "courier.report_matched", F_U64("failed", w->nfailed));
    courier_bounce_tell(w->failed, w->nfailed);
    courier_dispatch_wake();
    m.outcomes = &one;
    m.n_outcomes = 1;
    finish(w, &m, 0, "");
}

static void report_came(struct webhook *w, struct str body)
{
    w->report = RPC_UNPACK(&w->arena, body, content__report_response);
    w->job = (struct lane_job){ .run = report_read, .done = report_noted };
    if (!w->report || lane_submit(&w->job) < 0)
        fail(w, "the queue is busy");
}

/* ---- making the JSON ---- */

static void parsed(void *ctx, int status, struct str body)
{
    struct webhook *w = ctx;

    w->call = NULL;
    if ((status == E_BUSY || status == E_CLOSED) && w->tries++ < TRIES && !w->reading) {
        timer_set(&w->later, AGAIN_MS);
        return;
    }
    if (status < 0)
        log_event(LOG_WARN, "courier.webhook_not_made", F_ERR(status), F_U64("message", w->c->m.id));
    if (status < 0)
        fail(w, "the message could not be read now");
    else if (w->kind == KIND_REPORT)
        report_came(w, body);
    else
        raw_begin(w);
}

static void json_came(void *ctx, struct str data)
{
    struct webhook *w = ctx;

    if (buf_puts(&w->json, data) < 0)
        fail(w, "the JSON is larger than it may be");
    else
        rpc_call_consumed(w->call, data.n);
}

static void body_feed(struct webhook *w);

static int piece_read(struct queue *q, struct lane_job *j)
{
    struct webhook *w = CONTAINER_OF(j, struct webhook, job);
    int r = queue_piece(q, w->c->m.id, w->number, &w->piece);

    w->read_all = r == 0;
    return r < 0 ? r : 0;
}

static void piece_came(struct lane_job *j, int status)
{
    struct webhook *w = CONTAINER_OF(j, struct webhook, job);

    w->reading = false;
    w->number++;
    if (w->over)
        finish(w, NULL, w->status, w->why);
    else if (status < 0)
        fail(w, "the queue could not be read");
    else if (!w->call) /* the worker was lost while it was read */
        timer_set(&w->later, AGAIN_MS);
    else
        body_feed(w);
}

static void body_feed(struct webhook *w)
{
    while (w->call && !w->reading) {
        size_t n = size_min(w->piece.n - w->at, rpc_call_room(w->call));

        if (n > 0) {
            if (rpc_call_send(w->call, str_slice(buf_str(&w->piece), w->at, w->at + n)) < 0)
                return;
            w->at += n;
            w->sent += n;
        }
        if (w->at < w->piece.n)
            return; /* no room */
        if (w->read_all || w->sent >= w->c->m.bytes) {
            w->read_all = true;
            rpc_call_end(w->call);
            return;
        }
        buf_clear(&w->piece);
        w->at = 0;
        w->job = (struct lane_job){ .run = piece_read, .done = piece_came };
        if (lane_submit(&w->job) < 0) {
            fail(w, "the queue is busy");
            return;
        }
        w->reading = true;
    }
}

static void body_room(void *ctx)
{
    struct webhook *w = ctx;

    if (!w->read_all)
        body_feed(w);
}

/* ---- what is around the message ---- */

static int put_object(struct buf *b, const char *name, const json_t *value)
{
    char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    int r = buf_printf(b, "\"%s\":%s,", name, text ? text : "null");

    free(text);
    return r;
}

/* The facts were made by the role that took the message: read and written anew, so that what is not JSON is null. */
static int put_facts(struct buf *b, struct str facts)
{
    json_t *j = facts.n ? json_loadb(facts.p, facts.n, JSON_REJECT_DUPLICATES, NULL) : NULL;
    int r = put_object(b, "authentication", json_object_get(j, "authentication"));

    (void)json_object_del(j, "authentication");
    if (r == 0)
        r = put_object(b, "session", j);
    json_decref(j);
    return r;
}

static int put_head(struct webhook *w)
{
    const struct queue_claim *c = w->c;
    struct buf *b = &w->json;
    char when[CLOCK_ISO_LEN + 1];
    int r;

    clock_iso(c->m.created_ms, when);
    buf_clear(b);
    if ((r = buf_printf(b, "{\"id\":\"%s\",\"event\":\"message\",\"alias\":", w->id)) < 0 ||
        (r = json_put_string(b, c->targets[0].alias)) < 0 ||
        (r = buf_putz(b, ",\"envelope\":{\"sender\":\"")) < 0 ||
        (r = json_put_text(b, w->origin.n ? buf_str(&w->origin) : c->m.sender)) < 0 ||
        (r = buf_putz(b, "\",\"recipient\":")) < 0 || (r = json_put_string(b, c->targets[0].alias)) < 0 ||
        (r = buf_printf(b, "},\"received\":\"%s\",", when)) < 0 || (r = put_facts(b, c->m.facts)) < 0)
        return r;
    return buf_putz(b, "\"message\":");
}

static void parse(struct webhook *w)
{
    bool report = w->kind == KIND_REPORT;
    Content__JsonRequest m = CONTENT__JSON_REQUEST__INIT;
    Content__ReportRequest none = CONTENT__REPORT_REQUEST__INIT;
    struct rpc_ask ask = { .op = report ? (uint32_t)CONTENT__OP__REPORT : (uint32_t)CONTENT__OP__JSON,
                           .body = report ? &none.base : &m.base,
                           .deadline_ms = PARSE_MS,
                           .upload = true,
                           .download = !report,
                           .done = parsed,
                           .on_data = json_came,
                           .on_room = body_room,
                           .ctx = w };

    w->number = 0;
    w->sent = w->at = 0;
    w->read_all = false;
    buf_clear(&w->piece);
    m.limit = courier_conf.webhook_bytes;
    if ((!report && put_head(w) < 0) || buf_puts(&w->piece, w->c->m.prepend) < 0 ||
        !(w->call = rpc_link_ask(role_link(courier.role, ROLE_CONTENT), &ask)))
        fail(w, "out of memory");
    else
        body_feed(w);
}

/* ---- the beginning ---- */

/* All of it but the id, which is the queue's. */
static int event_read(struct queue *q, struct webhook *w)
{
    int r;

    buf_clear(&w->json);
    if ((r = buf_printf(&w->json, "{\"id\":\"%s\",", w->id)) < 0)
        return r;
    for (uint32_t i = 0; (r = queue_piece(q, w->c->m.id, i, &w->json)) > 0; i++)
        ;
    return r;
}

static int plain_read(struct queue *q, struct lane_job *j)
{
    struct webhook *w = CONTAINER_OF(j, struct webhook, job);
    CLEANUP(buf_release) struct buf text = { .max = w->json.max };
    size_t n = 0;
    char *p;
    int r;

    buf_clear(&w->json);
    for (uint32_t i = 0; (r = queue_piece(q, w->c->m.id, i, &text)) > 0; i++)
        ;
    if (r < 0 || !(p = buf_reserve(&w->json, text.n + 1)))
        return r < 0 ? r : E_LIMIT;
    if (sodium_base642bin((unsigned char *)p, text.n, text.p, text.n, "\r\n", &n, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0)
        return E_SYNTAX;
    w->json.n = n;
    return 0;
}

static void plain_came(struct lane_job *j, int status)
{
    struct webhook *w = CONTAINER_OF(j, struct webhook, job);

    if (status < 0)
        fail(w, "the report cannot be read");
    else
        post(w);
}

static int key_read(struct queue *q, struct lane_job *j)
{
    struct webhook *w = CONTAINER_OF(j, struct webhook, job);
    struct str alias = w->c->targets[0].alias;
    ptrdiff_t at = str_rchr(alias, '@');
    int r;

    w->origin.max = KIB(1);
    buf_clear(&w->origin);
    if (w->c->m.origin == COURIER__ORIGIN__FORWARDED &&
        ((r = courier_srs_origin(q, w->c->m.sender, &w->origin)) == E_IO || r == E_NOMEM))
        return r;
    if (w->kind == KIND_EVENT && (r = event_read(q, w)) < 0)
        return r;
    return courier_webhook_key(q, str_skip(alias, (size_t)(at + 1)), false, w->key);
}

static void key_came(struct lane_job *j, int status)
{
    struct webhook *w = CONTAINER_OF(j, struct webhook, job);

    if (status < 0)
        fail(w, "there is no key to sign with");
    else if (w->kind == KIND_EVENT)
        post(w);
    else
        parse(w);
}

static void begin(struct webhook *w)
{
    if (w->kind == KIND_REPORT) {
        parse(w);
        return;
    }
    w->job = (struct lane_job){ .run = w->kind == KIND_PLAIN ? plain_read : key_read,
                                .done = w->kind == KIND_PLAIN ? plain_came : key_came };
    if (lane_submit(&w->job) < 0)
        fail(w, "the queue is busy");
}

static void on_later(struct timer *t)
{
    begin(CONTAINER_OF(t, struct webhook, later));
}

/* Its place among the targets of its message tells two webhooks of one alias apart. */
static void name_it(struct webhook *w)
{
    char hex[2 * QUEUE_NAME_BYTES + 1] = "";

    if (w->c->m.name.n == QUEUE_NAME_BYTES)
        hex_encode(w->c->m.name.p, w->c->m.name.n, hex);
    snprintf(w->id, sizeof w->id, "%s-%u", hex, (unsigned)(w->c->targets[0].id & 0x3FFF));
}

static void kind_of(struct webhook *w)
{
    struct str to = w->c->targets[0].to;

    w->url = to;
    if (str_starts(to, STR("dsn:"))) {
        w->kind = KIND_REPORT;
    } else if (str_starts(to, COURIER_TLSRPT)) {
        w->kind = KIND_PLAIN;
        w->url = str_skip(to, COURIER_TLSRPT.n);
    } else if (w->c->m.origin == COURIER__ORIGIN__REPORT) {
        w->kind = KIND_EVENT;
    } else if (str_ends(to, RAW_OPTION)) {
        w->raw = true;
        w->url = str_slice(to, 0, to.n - RAW_OPTION.n);
        w->json.max += (size_t)courier_conf.webhook_bytes + 4;
    }
}

int courier_webhook(const struct queue_claim *c, webhook_fn *done, void *ctx)
{
    struct webhook *w = calloc(1, sizeof *w);

    if (!w)
        return E_NOMEM;
    *w = (struct webhook){ .c = c,
                           .done = done,
                           .ctx = ctx,
                           .piece = { .max = QUEUE_CHUNK_BYTES + MIB(1) },
                           .json = { .max = (size_t)courier_conf.webhook_bytes + AROUND_MAX } };
    if (timer_init(&w->later, role_loop(courier.role), on_later) < 0) {
        free(w);
        return E_NOMEM;
    }
    w->arena.max = MIB(1);
    kind_of(w);
    name_it(w);
    *hooks.last = w;
    hooks.last = &w->next;
    next_ones();
    return 0;
}
