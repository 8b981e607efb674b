/* lib/rpc under random calls, streams, cancels and lost connections, against a model of what must come
 * of each call: `done` exactly once, never after a cancel; bytes of a stream in order, and all of them
 * before a good answer; a request is replied once, and the service hears at most once that it was cancelled.
 * Seeds are fixed; sanitizers see what leaks. */
#include "lib/base/test.h"
#include "lib/base/log.h"
#include "lib/rpc/rpc.h"
#include "proto/directory.pb-c.h"
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { OP_ECHO = 1, OP_LATER, OP_UP, OP_DOWN };

#define CALLS_MAX  24u
#define STEPS      1500u
#define STREAM_MAX KIB(700)

/* One call of the client, as the model has it. */
struct call {
    struct rpc_call *c; /* NULL: no call */
    uint32_t op;
    size_t up, down, sent, got;
    bool ended;
};

/* One request that the service works on. */
struct work {
    struct rpc_req *q;
    struct work *next, **prev_next;
    uint32_t op;
    size_t bytes, at, unconsumed;
    bool ended, cancelled;
};

static struct {
    struct loop *loop;
    struct rpc_server *server;
    struct rpc_link *link;
    struct timer step;
    struct call calls[CALLS_MAX];
    struct work *works;
    size_t nworks, asked, done, cancelled, good, steps, peers;
    struct rpc_peer *peer;
    uint64_t seed;
    bool ending;
} w;

static uint32_t dice(uint32_t n)
{
    w.seed = w.seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(w.seed >> 33) % n;
}

/* What stands at `at` of every stream. */
static void pattern(char *p, size_t n, size_t at)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (char)((at + i) * 131 >> 3);
}

static bool pattern_holds(struct str s, size_t at)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != (char)((at + i) * 131 >> 3))
            return false;
    return true;
}

/* ---- the service ---- */

static void work_reply(struct work *k, int status)
{
    struct rpc_req *q = k->q;
    Directory__Empty none = DIRECTORY__EMPTY__INIT;

    *k->prev_next = k->next;
    if (k->next)
        k->next->prev_next = k->prev_next;
    w.nworks--;
    free(k);
    rpc_reply(q, status, status == 0 ? &none.base : NULL, status ? "as the dice fell" : NULL);
}

static void work_cancelled(void *ctx)
{
    struct work *k = ctx;

    CHECK(!k->cancelled && rpc_req_cancelled(k->q));
    k->cancelled = true;
    if (dice(2))
        work_reply(k, E_CANCELED); /* else later, as one that is on a worker */
    else if (dice(3) == 0 && w.works != k)
        work_reply(w.works, E_IO); /* another one, meanwhile */
}

static void work_data(void *ctx, struct str data, bool end)
{
    struct work *k = ctx;

    CHECK(!k->cancelled && !k->ended && pattern_holds(data, k->at));
    k->at += data.n;
    k->unconsumed += data.n;
    k->ended = end;
    if (dice(3)) {
        rpc_req_consumed(k->q, k->unconsumed);
        k->unconsumed = 0;
    }
    if (end)
        work_reply(k, k->at == k->bytes ? 0 : E_BUG);
    else if (dice(400) == 0)
        work_reply(k, E_QUOTA); /* before the end came */
}

static void work_down(void *ctx)
{
    struct work *k = ctx;
    char block[3000];

    CHECK(!k->cancelled);
    while (k->at < k->bytes && rpc_req_room(k->q) > 0) {
        size_t n = size_min(dice(sizeof block) + 1, k->bytes - k->at);

        pattern(block, n, k->at);
        if (rpc_req_send(k->q, str_of(block, n)) < 0)
            return; /* the connection is being lost: work_cancelled follows */
        k->at += n;
    }
    if (k->at == k->bytes)
        work_reply(k, 0); /* some of it may wait for credit still */
}

static int op_any(struct rpc_req *q, struct str body)
{
    Directory__ResolveRequest *in = RPC_UNPACK(rpc_req_arena(q), body, directory__resolve_request);
    struct work *k = calloc(1, sizeof *k);

    CHECK(in && k && in->address.len == sizeof k->bytes);
    memcpy(&k->bytes, in->address.data, sizeof k->bytes);
    k->q = q;
    k->op = rpc_req_op(q);
    k->next = w.works;
    k->prev_next = &w.works;
    if (k->next)
        k->next->prev_next = &k->next;
    w.works = k;
    w.nworks++;
    rpc_req_on_cancel(q, work_cancelled, k);
    if (!w.ending && dice(60) == 0)
        rpc_peer_drop(rpc_req_peer(q), "the dice");
    if (k->op == OP_ECHO) {
        work_reply(k, 0);
    } else if (k->op == OP_UP) {
        rpc_req_on_data(q, work_data, k);
    } else if (k->op == OP_DOWN) {
        rpc_req_on_room(q, work_down, k);
        work_down(k);
    }
    return 0;
}

static void peer_up(void *ctx UNUSED, struct rpc_peer *p)
{
    w.peers++;
    w.peer = p;
}

static void peer_gone(void *ctx UNUSED, struct rpc_peer *p)
{
    w.peers--;
    if (w.peer == p)
        w.peer = NULL;
}

static const struct rpc_op ops[] = {
    [OP_ECHO] = { .run = op_any, .from = FROM(MX) },
    [OP_LATER] = { .run = op_any, .from = FROM(MX) },
    [OP_UP] = { .run = op_any, .from = FROM(MX), .flags = RPC_UP },
    [OP_DOWN] = { .run = op_any, .from = FROM(MX), .flags = RPC_DOWN },
};
static const struct rpc_service service = {
    .name = "stress", .ops = ops, .nops = ARRAY_LEN(ops), .peer_up = peer_up, .peer_gone = peer_gone
};

/* ---- the client ---- */

static void start_call(void);

static void call_done(void *ctx, int status, struct str body UNUSED)
{
    struct call *k = ctx;

    CHECK(k->c != NULL); /* once, and not after a cancel */
    if (dice(4) == 0)
        rpc_call_cancel(k->c); /* an owner that clears up everything it has */
    if (status == 0 && k->op == OP_DOWN)
        CHECK(k->got == k->down);
    if (status == 0 && k->op == OP_UP)
        CHECK(k->sent == k->up && k->ended);
    w.done++;
    w.good += status == 0;
    *k = (struct call){ 0 };
    if (!w.ending && dice(3) == 0)
        start_call();
}

static void call_cancel(struct call *k)
{
    struct rpc_call *c = k->c;

    *k = (struct call){ 0 };
    w.cancelled++;
    rpc_call_cancel(c);
}

static void call_more(void *ctx)
{
    struct call *k = ctx;
    char block[9000];

    while (k->sent < k->up && rpc_call_room(k->c) > 0) {
        size_t n = size_min(dice(sizeof block) + 1, k->up - k->sent);

        pattern(block, n, k->sent);
        if (rpc_call_send(k->c, str_of(block, n)) < 0)
            return; /* the connection is being lost */
        k->sent += n;
    }
    if (k->sent == k->up && !k->ended) {
        k->ended = true;
        rpc_call_end(k->c);
    }
}

static void call_data(void *ctx, struct str data)
{
    struct call *k = ctx;

    CHECK(k->c && k->op == OP_DOWN && pattern_holds(data, k->got));
    k->got += data.n;
    CHECK(k->got <= k->down);
    if (dice(300) == 0)
        call_cancel(k);
    else
        rpc_call_consumed(k->c, data.n);
}

static void start_call(void)
{
    Directory__ResolveRequest body = DIRECTORY__RESOLVE_REQUEST__INIT;
    struct call *k = NULL;
    struct rpc_ask ask = {
        .op = 1 + dice(4), .body = &body.base, .done = call_done, .on_data = call_data, .on_room = call_more
    };
    size_t bytes = dice(8) ? dice(KIB(40)) : dice(STREAM_MAX);

    for (size_t i = 0; i < CALLS_MAX && !k; i++)
        k = w.calls[i].c ? NULL : &w.calls[i];
    if (!k)
        return;
    *k = (struct call){ .op = ask.op,
                        .up = ask.op == OP_UP ? bytes : 0,
                        .down = ask.op == OP_DOWN ? bytes : 0 };
    body.address = str_pb(str_of(&bytes, sizeof bytes));
    ask.ctx = k;
    ask.upload = ask.op == OP_UP;
    ask.download = ask.op == OP_DOWN;
    ask.changes = dice(2);
    ask.deadline_ms = dice(5) ? 100000 : (int64_t)dice(20);
    ask.flags = dice(4) ? 0 : dice(2) ? RPC_URGENT : RPC_NO_REPEAT;
    k->c = rpc_link_ask(w.link, &ask);
    CHECK(k->c != NULL);
    w.asked++;
    if (k->op == OP_UP && dice(4))
        call_more(k); /* else it waits for on_room, or for ever */
}

static void connect_again(void)
{
    int sv[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0);
    CHECK(rpc_server_add(w.server, sv[0], ROLE_MX, 0) == 0);
    CHECK(rpc_link_connect(w.link, sv[1]) == 0);
}

static void link_is_up(void *ctx UNUSED, struct rpc_link *l)
{
    if (dice(3))
        rpc_link_ready(l);
    if (!w.ending && dice(3) == 0)
        start_call();
}

static void link_is_down(void *ctx UNUSED, struct rpc_link *l UNUSED)
{
    if (!w.ending && dice(2))
        start_call();
}

static const struct rpc_link_ops link_ops = { .on_up = link_is_up, .on_down = link_is_down };

/* ---- the dice ---- */

static struct call *any_call(void)
{
    struct call *k = &w.calls[dice(CALLS_MAX)];

    return k->c ? k : NULL;
}

static struct work *any_work(void)
{
    struct work *k = w.works;

    for (uint32_t i = dice((uint32_t)w.nworks + 1); k && k->next && i; i--)
        k = k->next;
    return k;
}

static void random_step(void)
{
    struct call *k = any_call();
    struct work *v = any_work();

    switch (dice(24)) {
    case 0: connect_again(); break; /* a new one takes the place of the old */
    case 1:
        if (w.peer && dice(2))
            rpc_peer_drop(w.peer, "the dice");
        break;
    case 2:
        if (k)
            call_cancel(k);
        break;
    case 3:
    case 4:
    case 5:
        if (v && (v->op == OP_LATER || v->cancelled || dice(20) == 0))
            work_reply(v, v->op == OP_LATER && dice(3) ? 0 : E_IO);
        break;
    case 6: rpc_link_ready(w.link); break;
    case 7:
    case 8:
        if (v && v->op == OP_UP && v->unconsumed) {
            rpc_req_consumed(v->q, v->unconsumed);
            v->unconsumed = 0;
        }
        break;
    case 9:
        if (k && k->op == OP_UP && !k->ended)
            call_more(k);
        break;
    default: start_call();
    }
}

static void on_step(struct timer *t)
{
    random_step();
    if (++w.steps < STEPS)
        timer_set(t, 0);
    else
        loop_stop(w.loop);
}

static void on_stop(struct timer *t)
{
    loop_stop(t->loop);
}

static void run_for(int64_t ms)
{
    struct timer stop;

    CHECK(timer_init(&stop, w.loop, on_stop) == 0);
    timer_set(&stop, ms);
    loop_run(w.loop);
    timer_release(&stop);
}

/* Everything that was asked ends well on a connection that stays: no stream stands still. */
static void drain(void)
{
    w.ending = true;
    connect_again();
    for (int i = 0; i < 500 && w.asked != w.done + w.cancelled; i++) {
        run_for(2);
        rpc_link_ready(w.link);
        for (struct work *k = w.works, *next; k; k = next) {
            next = k->next;
            if (k->op == OP_LATER || k->cancelled) {
                work_reply(k, 0);
            } else if (k->unconsumed) {
                rpc_req_consumed(k->q, k->unconsumed);
                k->unconsumed = 0;
            }
        }
        for (size_t j = 0; j < CALLS_MAX; j++)
            if (w.calls[j].c && w.calls[j].op == OP_UP && !w.calls[j].ended)
                call_more(&w.calls[j]);
    }
    CHECK(w.asked == w.done + w.cancelled);
}

static void stress(uint64_t seed, bool cut)
{
    memset(&w, 0, sizeof w);
    w.seed = seed;
    w.loop = loop_new();
    w.server = rpc_server_new(w.loop, &service, NULL);
    w.link = rpc_link_new(w.loop, ROLE_DIRECTORY, &link_ops, NULL);
    connect_again();
    CHECK(timer_init(&w.step, w.loop, on_step) == 0);
    timer_set(&w.step, 0);
    loop_run(w.loop);
    if (!cut)
        drain();
    w.ending = true;
    rpc_link_free(&w.link);
    CHECK(w.asked == w.done + w.cancelled && w.good > 20);
    rpc_server_free(&w.server);
    CHECK(w.peers == 0);
    while (w.works)
        work_reply(w.works, 0); /* workers that come back to a service that is gone */
    run_for(5);
    timer_release(&w.step);
    loop_free(&w.loop);
}

static void test_stress(void **state UNUSED)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    log_to(null); /* dropped peers are meant to be */
    for (uint64_t seed = 1; seed <= 12; seed++)
        stress(seed, seed % 3 == 0);
    log_to(STDERR_FILENO);
    close(null);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stress),
    };

    return cmocka_run_group_tests_name("rpc_stress", tests, NULL, NULL);
}
