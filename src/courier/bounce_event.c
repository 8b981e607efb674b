/* src/courier/bounce_event.c: what could not be delivered, for the domain whose mail it was (doc/webhooks.md). */
#include "lib/base/clock.h"
#include "lib/base/hex.h"
#include "src/courier/courier.h"
#include <jansson.h>

#define URL_MAX 2048u

static json_t *text_json(struct str s)
{
    json_t *j = s.n ? json_stringn(s.p, s.n) : NULL; /* NULL when it is no UTF-8 */

    return j ? j : json_null();
}

static char *body_of(const struct courier_bounce *b, struct str domain)
{
    char when[CLOCK_ISO_LEN + 1];
    char *text = NULL;
    json_t *j;

    clock_iso(queue_now(courier.queue), when);
    j = json_pack("{s:s, s:s, s:o, s:o, s:{s:s, s:o, s:o}, s:o, s:o, s:o, s:o, s:o, s:s, s:b}", "event",
                  "bounce", "at", when, "domain", text_json(domain), "alias", text_json(b->submitter),
                  "message", "id", b->message, "message_id", text_json(b->message_id), "sender",
                  text_json(b->sender), "recipient", text_json(b->recipient), "status", text_json(b->status),
                  "code", b->code ? json_integer((json_int_t)b->code) : json_null(), "diagnostic",
                  text_json(b->text), "server", text_json(b->server), "source", b->source, "hard", b->hard);
    if (j)
        text = json_dumps(j, JSON_COMPACT);
    json_decref(j);
    return text;
}

/* Once for a message and a recipient, however often it is told and however he is written. */
static void delivery_id(struct arena *a, const struct courier_bounce *b, uint8_t out[HASH_BYTES])
{
    struct str who;

    if (courier_address_key(a, b->recipient, &who) < 0)
        who = b->recipient;
    kdf2(out, role_subkey(courier.role, SUBKEY_SRS), "letterlock bounce event v1", str_from(b->message), who);
}

static int put(struct queue *q, const struct courier_bounce *b, struct str url, struct str text)
{
    uint8_t id[HASH_BYTES], name[QUEUE_NAME_BYTES];
    struct queue_message m = { .origin = COURIER__ORIGIN__REPORT, .always = true, .bytes = text.n };
    struct queue_target t = { .kind = COURIER__TARGET__KIND__WEBHOOK, .to = url, .alias = b->submitter };
    CLEANUP(arena_release) struct arena a = { .max = KIB(8) };
    uint32_t duplicates;
    int r;

    delivery_id(&a, b, id);
    t.delivery_id = str_of(id, sizeof id);
    if ((r = courier_url_dest(&a, url, &t.dest)) < 0 || (r = queue_draft(q, false, &m.id)) < 0 ||
        (r = queue_put(q, m.id, 0, text)) < 0)
        return r;
    return queue_add(q, &m, &t, 1, STR_NONE, name, &duplicates);
}

int courier_bounce_event(struct queue *q, const struct courier_bounce *b)
{
    struct queue_message m = { .submitter = b->submitter };
    CLEANUP(arena_release) struct arena a = { .max = KIB(8) };
    CLEANUP(buf_release) struct buf url = { .max = URL_MAX };
    struct str domain = courier_list_domain(&a, &m);
    char *text;
    int r;

    if ((r = queue_bounce_webhook(q, domain, &url)) <= 0)
        return r;
    if (!(text = body_of(b, domain)))
        return E_NOMEM;
    r = put(q, b, buf_str(&url), str_skip(str_from(text), 1)); /* its id goes before it, when it is posted */
    free(text);
    return r;
}

int courier_bounce_events(struct queue *q, const struct queue_message *m, const struct queue_target *t,
                          const struct queue_outcome *o, const char *source)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(256) };
    struct courier_bounce b = { .submitter = m->submitter,
                                .sender = m->sender,
                                .recipient = t->to,
                                .code = o->code,
                                .status = o->enhanced,
                                .text = o->text,
                                .server = o->peer,
                                .source = source };
    char id[2 * QUEUE_NAME_BYTES + 1] = "";
    struct queue_sent s;
    int r;

    if (!courier_is_persons(m) || t->kind != COURIER__TARGET__KIND__ADDRESS)
        return 0;
    if ((r = queue_sent_find(q, &a, m->id, &s)) < 0)
        return r;
    if (r > 0)
        b.message_id = s.message_id;
    if (m->name.n == QUEUE_NAME_BYTES)
        hex_encode(m->name.p, m->name.n, id);
    b.message = id;
    b.hard = o->suppressed || courier_is_hard(o->code, o->enhanced, o->text);
    return courier_bounce_event(q, &b);
}

/* ---- where they go ---- */

struct asked {
    struct lane_job job;
    struct rpc_req *q;
    Courier__BounceWebhookRequest *m;
    struct str domain;
    struct buf url;
};

static bool url_valid(struct str url)
{
    struct str rest = str_istarts(url, STR("https://"))                               ? str_skip(url, 8)
                      : courier_conf.webhook_http && str_istarts(url, STR("http://")) ? str_skip(url, 7)
                                                                                      : STR_NONE;
    size_t end = 0;

    if (!rest.n || url.n > URL_MAX)
        return false;
    for (size_t i = 0; i < rest.n; i++)
        if (rest.p[i] <= ' ' || rest.p[i] >= 0x7f || strchr("\"<>\\^`{|}#", rest.p[i]))
            return false;
    while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?')
        end++;
    return end > 0 && str_chr(str_slice(rest, 0, end), '@') < 0;
}

static int run(struct queue *q, struct lane_job *j)
{
    struct asked *k = CONTAINER_OF(j, struct asked, job);
    int r;

    buf_clear(&k->url);
    if (k->m->set && (r = queue_bounce_webhook_set(q, k->domain, pb_str(k->m->url))) < 0)
        return r;
    return (r = queue_bounce_webhook(q, k->domain, &k->url)) < 0 ? r : 0;
}

static void answered(struct lane_job *j, int status)
{
    struct asked *k = CONTAINER_OF(j, struct asked, job);
    Courier__BounceWebhookResponse out = COURIER__BOUNCE_WEBHOOK_RESPONSE__INIT;
    struct buf url = k->url; /* k goes with the request */

    out.url = str_pb(buf_str(&url));
    courier_reply(k->q, status, status < 0 ? NULL : &out.base);
    buf_release(&url);
}

int courier_op_bounce_webhook(struct rpc_req *q, struct str body)
{
    struct arena *a = rpc_req_arena(q);
    Courier__BounceWebhookRequest *m = RPC_UNPACK(a, body, courier__bounce_webhook_request);
    struct asked *k = ARENA_NEW(a, struct asked);
    struct queue_message of;
    int r;

    if (!m || !k)
        return m ? E_NOMEM : E_SYNTAX;
    if (m->set && m->url.len && !url_valid(pb_str(m->url)))
        return E_SYNTAX;
    of = (struct queue_message){ .submitter = pb_str(m->domain) };
    *k = (struct asked){ .q = q, .m = m, .url = { .max = URL_MAX } };
    k->domain = courier_list_domain(a, &of);
    k->job = (struct lane_job){ .run = run, .done = answered };
    if ((r = lane_submit(&k->job)) == 0)
        courier_begin();
    return r;
}
