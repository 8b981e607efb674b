/* src/jobs/hook.c: the operator's webhook (jobs.notify, doc/backup.md): staged and queued at the courier, which signs it, has
 * it posted and tries again, as any other webhook. */
#include "lib/base/json.h"
#include "lib/base/rand.h"
#include "proto/courier.pb-c.h"
#include "src/common/jobs_hook.h"
#include "src/jobs/jobs.h"

#define ASK_MS    60000
#define EVENT_MAX KIB(32)
#define ID_BYTES  32u

struct hook {
    struct buf event;
    struct rpc_call *stage;
};

static void hook_end(struct hook *h, int status)
{
    if (status < 0)
        log_event(LOG_ERROR, "jobs.webhook_not_queued", F_ERR(status));
    buf_release(&h->event);
    free(h);
}

static void queued(void *ctx, int status, struct str body UNUSED)
{
    hook_end(ctx, status);
}

static void enqueue(struct hook *h, ProtobufCBinaryData stage)
{
    Courier__EnqueueRequest q = COURIER__ENQUEUE_REQUEST__INIT;
    Courier__Target t = COURIER__TARGET__INIT, *list[] = { &t };
    struct rpc_ask ask = { .op = COURIER__OP__ENQUEUE,
                           .body = &q.base,
                           .changes = true,
                           .deadline_ms = ASK_MS,
                           .done = queued,
                           .ctx = h };
    uint8_t id[ID_BYTES];

    rand_bytes(id, sizeof id);
    t.kind = COURIER__TARGET__KIND__WEBHOOK;
    t.to = str_pb(str_from(jobs_conf.notify));
    t.alias = str_pb(STR(JOBS_HOOK_ALIAS));
    t.delivery_id = str_pb(str_of(id, sizeof id));
    q.stage = stage;
    q.origin = COURIER__ORIGIN__REPORT; /* a text that is JSON but for its beginning */
    q.targets = list;
    q.n_targets = 1;
    if (!rpc_link_ask(role_link(the_role(), ROLE_COURIER), &ask))
        hook_end(h, E_NOMEM);
}

static void staged(void *ctx, int status, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(4) };
    struct hook *h = ctx;
    Courier__StageResponse *m = status == 0 ? RPC_UNPACK(&a, body, courier__stage_response) : NULL;

    h->stage = NULL;
    if (m)
        enqueue(h, m->stage);
    else
        hook_end(h, status < 0 ? status : E_CORRUPT);
}

static int stage(struct hook *h)
{
    Courier__StageRequest q = COURIER__STAGE_REQUEST__INIT;
    struct rpc_ask ask = { .op = COURIER__OP__STAGE,
                           .body = &q.base,
                           .upload = true,
                           .deadline_ms = ASK_MS,
                           .done = staged,
                           .ctx = h };

    q.bytes_expected = h->event.n;
    if (!(h->stage = rpc_link_ask(role_link(the_role(), ROLE_COURIER), &ask)))
        return E_NOMEM;
    if (rpc_call_send(h->stage, buf_str(&h->event)) < 0) { /* it fits in the window */
        rpc_call_cancel(h->stage);
        return E_LIMIT;
    }
    rpc_call_end(h->stage);
    return 0;
}

/* Its `{` and id stand before it when it is posted. */
static int event_make(const struct job *j, struct buf *b)
{
    static const char *const says[] = {
        [NEWS_FAILED] = "failed", [NEWS_FOUND] = "found", [NEWS_WELL] = "well"
    };
    char at[CLOCK_ISO_LEN + 1];
    int r;

    clock_iso(clock_wall_ms(), at);
    if ((r = buf_printf(b, "\"event\":\"job\",\"at\":\"%s\",\"host\":", at)) < 0 ||
        (r = json_put_string(b, role_hostname(the_role()))) < 0 ||
        (r = buf_printf(b, ",\"job\":\"%s\",\"what\":\"%s\",\"state\":\"%s\",\"error\":", j->row->name,
                        j->row->what, says[job_news(j)])) < 0 ||
        (r = json_put_string(b, j->status < 0 ? str_from(error_text(j->status)) : STR_NONE)) < 0 ||
        (r = buf_putz(b, ",\"result\":")) < 0 || (r = json_put_string(b, buf_str(&j->result))) < 0)
        return r;
    return buf_putc(b, '}');
}

void hook_send(const struct job *j)
{
    struct hook *h;
    int r;

    if (!jobs_conf.notify[0])
        return;
    if (!(h = calloc(1, sizeof *h))) {
        log_event(LOG_ERROR, "jobs.webhook_not_queued", F_ERR(E_NOMEM));
        return;
    }
    h->event.max = EVENT_MAX;
    if ((r = event_make(j, &h->event)) < 0 || (r = stage(h)) < 0)
        hook_end(h, r);
}

/* The relay says whether it may go there; here, whether it is a URL at all. */
bool hook_url_valid(struct str url)
{
    struct str rest = str_istarts(url, STR("https://"))  ? str_skip(url, 8)
                      : str_istarts(url, STR("http://")) ? str_skip(url, 7)
                                                         : STR_NONE;

    for (size_t i = 0; i < rest.n; i++)
        if (rest.p[i] <= ' ' || rest.p[i] >= 0x7f || strchr("\"<>\\^`{|}#", rest.p[i]))
            return false;
    return rest.n > 0 && rest.p[0] != '/' && rest.p[0] != '?';
}
