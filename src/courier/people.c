/* src/courier/people.c: QUEUE_LIST, QUEUE_SHOW, QUEUE_CHANGE. */
#include "src/courier/courier.h"

#define LIST_MAX    500u
#define LIST_FIRST  100u
#define FIRST_FEW   3u
#define SHOW_MAX    1000u
#define HEADER_MAX  KIB(64)
#define CHANGE_ROWS 500u

struct asked {
    struct lane_job job;
    struct rpc_req *q;
    void *request;
    const ProtobufCMessage *answer;
    uint64_t cursor, changed;
    size_t name;
};

static int message_out(struct queue *q, struct arena *a, const struct queue_message *m, size_t targets,
                       Courier__QueueMessage **out)
{
    Courier__QueueMessage *x = ARENA_NEW(a, Courier__QueueMessage);
    struct queue_target *t = NULL;
    size_t n = 0;
    int r;

    if (!x)
        return E_NOMEM;
    if ((r = queue_targets(q, a, m->id, targets, &t, &n)) < 0)
        return r;
    courier__queue_message__init(x);
    x->id = m->id;
    x->message = str_pb(m->name);
    x->sender = str_pb(m->sender);
    x->origin = (Courier__Origin)m->origin;
    x->bytes = m->bytes;
    x->created_ms = m->created_ms;
    x->expires_ms = m->expires_ms;
    x->targets = m->targets;
    x->priority = m->priority;
    if (!(x->list = ARENA_ARRAY(a, n + 1, Courier__QueueTarget *)))
        return E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        Courier__QueueTarget *y = ARENA_NEW(a, Courier__QueueTarget);

        if (!y)
            return E_NOMEM;
        courier__queue_target__init(y);
        y->to = str_pb(t[i].to);
        y->kind = (Courier__Target__Kind)t[i].kind;
        y->state = (uint32_t)t[i].state;
        y->attempts = t[i].attempts;
        y->due_ms = t[i].due_ms;
        y->code = t[i].code;
        y->answer = str_pb(t[i].answer);
        x->list[x->n_list++] = y;
    }
    *out = x;
    return 0;
}

static int list_run(struct queue *q, struct lane_job *j)
{
    struct asked *k = CONTAINER_OF(j, struct asked, job);
    const Courier__ListRequest *m = k->request;
    struct arena *a = rpc_req_arena(k->q);
    Courier__ListResponse *out = ARENA_NEW(a, Courier__ListResponse);
    size_t max = m->limit ? m->limit : LIST_FIRST, n = 0;
    struct queue_message *v = NULL;
    int r;

    max = max < LIST_MAX ? max : LIST_MAX;
    if (!out || !(out->messages = ARENA_ARRAY(a, max + 1, Courier__QueueMessage *)))
        return E_NOMEM;
    {
        Courier__QueueMessage **list = out->messages;

        courier__list_response__init(out);
        out->messages = list;
    }
    if ((r = queue_list(q, a, m->after, pb_str(m->domain), max, &v, &n)) < 0)
        return r;
    for (size_t i = 0; i < n; i++)
        if ((r = message_out(q, a, &v[i], FIRST_FEW, &out->messages[out->n_messages++])) < 0)
            return r;
    out->more = n == max;
    k->answer = &out->base;
    return 0;
}

/* The header block: what we put before it, and what stands up to the first empty line. */
static int header_read(struct queue *q, struct arena *a, const struct queue_message *m,
                       ProtobufCBinaryData *out)
{
    CLEANUP(buf_release) struct buf b = { .max = QUEUE_CHUNK_BYTES + MIB(1) };
    struct str header;
    ptrdiff_t end;
    int r;

    if ((r = buf_puts(&b, m->prepend)) < 0 || (r = queue_piece(q, m->id, 0, &b)) < 0)
        return r;
    end = str_find(buf_str(&b), STR("\r\n\r\n"));
    header = str_slice(buf_str(&b), 0, end < 0 ? HEADER_MAX : size_min((size_t)end + 2, HEADER_MAX));
    header = arena_dup(a, header);
    *out = str_pb(header);
    return header.p ? 0 : E_NOMEM;
}

static int show_run(struct queue *q, struct lane_job *j)
{
    struct asked *k = CONTAINER_OF(j, struct asked, job);
    const Courier__ShowRequest *m = k->request;
    struct arena *a = rpc_req_arena(k->q);
    Courier__ShowResponse *out = ARENA_NEW(a, Courier__ShowResponse);
    struct queue_message v;
    int r;

    if (!out)
        return E_NOMEM;
    courier__show_response__init(out);
    if ((r = queue_get(q, a, pb_str(m->message), &v)) < 0 ||
        (r = message_out(q, a, &v, SHOW_MAX, &out->message)) < 0 ||
        (r = header_read(q, a, &v, &out->header)) < 0)
        return r;
    k->answer = &out->base;
    return 0;
}

static int change_run(struct queue *q, struct lane_job *j)
{
    struct asked *k = CONTAINER_OF(j, struct asked, job);
    const Courier__ChangeRequest *m = k->request;
    struct str name = k->name < m->n_messages ? pb_str(m->messages[k->name]) : STR_NONE;

    return queue_change(q, (enum queue_action)m->action, name, pb_str(m->domain), CHANGE_ROWS, &k->cursor,
                        &k->changed);
}

static void answered(struct lane_job *j, int status)
{
    struct asked *k = CONTAINER_OF(j, struct asked, job);

    courier_reply(k->q, status, status < 0 ? NULL : k->answer);
}

/* In steps, so that others have their turn between them. */
static void changed(struct lane_job *j, int status)
{
    struct asked *k = CONTAINER_OF(j, struct asked, job);
    const Courier__ChangeRequest *m = k->request;
    Courier__ChangeResponse out = COURIER__CHANGE_RESPONSE__INIT;

    if (status == 0 && k->cursor == 0)
        k->name++;
    if (status == 0 && (k->cursor != 0 || k->name < m->n_messages)) {
        if ((status = lane_submit(j)) == 0)
            return;
    }
    courier_dispatch_wake();
    out.targets = k->changed;
    courier_reply(k->q, status, status < 0 ? NULL : &out.base);
}

static int begin(struct rpc_req *q, void *request, int (*run)(struct queue *q, struct lane_job *j),
                 void (*done)(struct lane_job *j, int status))
{
    struct asked *k = ARENA_NEW(rpc_req_arena(q), struct asked);
    int r;

    if (!request || !k)
        return request ? E_NOMEM : E_SYNTAX;
    *k = (struct asked){ .q = q, .request = request, .job = { .run = run, .done = done } };
    if ((r = lane_submit(&k->job)) == 0)
        courier_begin();
    return r;
}

int courier_op_list(struct rpc_req *q, struct str body)
{
    return begin(q, RPC_UNPACK(rpc_req_arena(q), body, courier__list_request), list_run, answered);
}

int courier_op_show(struct rpc_req *q, struct str body)
{
    return begin(q, RPC_UNPACK(rpc_req_arena(q), body, courier__show_request), show_run, answered);
}

int courier_op_change(struct rpc_req *q, struct str body)
{
    Courier__ChangeRequest *m = RPC_UNPACK(rpc_req_arena(q), body, courier__change_request);

    if (m && ((m->n_messages == 0 && m->domain.len == 0 && !m->all) || m->action > 3))
        return E_RANGE;
    return begin(q, m, change_run, changed);
}
