/* lib/rpc: requests, streams under credit, permissions, repeats over a new connection. */
#include "lib/base/test.h"
#include "lib/base/log.h"
#include "lib/rpc/rpc.h"
#include "proto/directory.pb-c.h"
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { OP_ECHO = 1, OP_SUM, OP_STREAM, OP_NEVER, OP_SECRET, OP_HUGE, OP_DROP };

#define STREAM_BYTES MIB(3)

struct world {
    struct loop *loop;
    struct rpc_server *server;
    struct rpc_link *link;
    struct rpc_req *held;
    char operation[2][RPC_OPERATION_LEN];
    size_t uploaded, sent, got, asked, peak;
    struct rpc_req *down;
    struct rpc_call *call;
    int status, ndone, events, ups;
    struct buf body;
    bool hold_consume, crowd;
} w;

static int op_echo(struct rpc_req *q, struct str body)
{
    Directory__ResolveRequest *in = RPC_UNPACK(rpc_req_arena(q), body, directory__resolve_request);
    Directory__DomainRequest out = DIRECTORY__DOMAIN_REQUEST__INIT;

    if (!in)
        return E_SYNTAX;
    if (w.asked < 2)
        memcpy(w.operation[w.asked], rpc_req_operation(q).p, RPC_OPERATION_LEN);
    if (w.asked++ == 0 && w.hold_consume) {
        w.held = q; /* the first one is never answered: the connection dies */
        return 0;
    }
    out.domain = in->address;
    rpc_reply(q, 0, &out.base, NULL);
    return 0;
}

static void sum_data(void *ctx, struct str data, bool end)
{
    struct rpc_req *q = ctx;
    Directory__DomainListResponse none = DIRECTORY__DOMAIN_LIST_RESPONSE__INIT;

    w.uploaded += data.n;
    rpc_req_consumed(q, data.n);
    if (end)
        rpc_reply(q, 0, &none.base, NULL);
}

static int op_sum(struct rpc_req *q, struct str body UNUSED)
{
    rpc_req_on_data(q, sum_data, q);
    return 0;
}

static void stream_more(void *ctx)
{
    struct rpc_req *q = ctx;
    static char block[5000];
    Directory__Empty none = DIRECTORY__EMPTY__INIT;

    while (w.sent < STREAM_BYTES && rpc_req_room(q) > 0) {
        size_t n = size_min(sizeof block, STREAM_BYTES - w.sent);

        CHECK(rpc_req_send(q, str_of(block, n)) == 0);
        w.sent += n;
        w.peak = size_max(w.peak, w.sent - w.got);
    }
    if (w.sent == STREAM_BYTES) {
        rpc_req_on_room(q, NULL, NULL);
        rpc_reply(q, 0, &none.base, NULL);
    }
}

static int op_stream(struct rpc_req *q, struct str body UNUSED)
{
    rpc_req_on_room(q, stream_more, q);
    stream_more(q);
    return 0;
}

static void give_up(void *ctx)
{
    rpc_reply(ctx, E_CANCELED, NULL, NULL);
}

static int op_never(struct rpc_req *q, struct str body UNUSED)
{
    if (w.crowd)
        rpc_req_on_cancel(q, give_up, q);
    w.held = q;
    return 0;
}

static int op_huge(struct rpc_req *q, struct str body UNUSED)
{
    static char huge[RPC_BODY_MAX + 1], words[1000];
    Directory__DomainRequest out = DIRECTORY__DOMAIN_REQUEST__INIT;

    memset(words, 'w', sizeof words - 1);
    out.domain = str_pb(str_of(huge, sizeof huge));
    rpc_reply(q, 0, &out.base, words);
    return 0;
}

static int op_drop(struct rpc_req *q, struct str body UNUSED)
{
    w.asked++;
    w.held = q;
    rpc_peer_drop(rpc_req_peer(q), "test");
    return 0;
}

static const struct rpc_op ops[] = {
    [OP_ECHO] = { .run = op_echo, .from = FROM(MX) },
    [OP_SUM] = { .run = op_sum, .from = FROM(MX), .flags = RPC_UP },
    [OP_STREAM] = { .run = op_stream, .from = FROM(MX), .flags = RPC_DOWN },
    [OP_NEVER] = { .run = op_never, .from = FROM(MX) },
    [OP_SECRET] = { .run = op_echo, .from = FROM(STORE) },
    [OP_HUGE] = { .run = op_huge, .from = FROM(MX) },
    [OP_DROP] = { .run = op_drop, .from = FROM(MX) },
};
static const struct rpc_service service = { .name = "test", .ops = ops, .nops = ARRAY_LEN(ops) };

static void connect_again(void)
{
    int sv[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0);
    CHECK(rpc_server_add(w.server, sv[0], ROLE_MX, 0) == 0);
    CHECK(rpc_link_connect(w.link, sv[1]) == 0);
}

static void link_event(void *ctx UNUSED, struct rpc_link *l UNUSED, uint32_t event, struct str body UNUSED)
{
    w.events += event == 7;
}

static void link_is_up(void *ctx UNUSED, struct rpc_link *l)
{
    w.ups++;
    rpc_link_ready(l);
}

static const struct rpc_link_ops link_ops = { .on_up = link_is_up, .on_event = link_event };

static void done(void *ctx UNUSED, int status, struct str body)
{
    w.status = status;
    w.ndone++;
    buf_clear(&w.body);
    CHECK(buf_puts(&w.body, body) == 0);
    loop_stop(w.loop);
}

static void got_data(void *ctx UNUSED, struct str data)
{
    w.got += data.n;
    rpc_call_consumed(w.call, data.n);
}

static int setup(void **state UNUSED)
{
    memset(&w, 0, sizeof w);
    w.body.max = KIB(64);
    w.loop = loop_new();
    w.server = rpc_server_new(w.loop, &service, NULL);
    w.link = rpc_link_new(w.loop, ROLE_DIRECTORY, &link_ops, NULL);
    connect_again();
    return 0;
}

static void stop_loop(struct timer *t UNUSED)
{
    loop_stop(w.loop);
}

static int teardown(void **state UNUSED)
{
    struct timer stop;

    rpc_link_free(&w.link);
    rpc_server_free(&w.server);
    CHECK(timer_init(&stop, w.loop, stop_loop) == 0);
    timer_set(&stop, 5); /* both ends of the pair close on the loop */
    loop_run(w.loop);
    timer_release(&stop);
    loop_free(&w.loop);
    buf_release(&w.body);
    return 0;
}

static struct rpc_call *ask(uint32_t op, int64_t deadline_ms, struct rpc_ask more)
{
    Directory__ResolveRequest body = DIRECTORY__RESOLVE_REQUEST__INIT;

    body.address = str_pb(STR("hello@example.test"));
    more.op = op;
    more.body = &body.base;
    more.deadline_ms = deadline_ms;
    more.done = done;
    w.call = rpc_link_ask(w.link, &more);
    CHECK(w.call != NULL && w.ndone == 0);
    return w.call;
}

static void test_echo(void **state UNUSED)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(64) };
    Directory__DomainRequest *out;

    ask(OP_ECHO, 5000, (struct rpc_ask){ .changes = true });
    loop_run(w.loop);
    CHECK(w.status == 0 && w.ndone == 1);
    out = RPC_UNPACK(&a, buf_str(&w.body), directory__domain_request);
    CHECK(out && str_eq_z(pb_str(out->domain), "hello@example.test"));
}

static void test_upload(void **state UNUSED)
{
    static char block[40000];
    struct rpc_call *c = ask(OP_SUM, 5000, (struct rpc_ask){ .upload = true });

    CHECK(rpc_call_room(c) == RPC_WINDOW);
    for (int i = 0; i < 8; i++) /* beyond the window it waits */
        CHECK(rpc_call_send(c, str_of(block, sizeof block)) == 0);
    CHECK(rpc_call_send(c, str_of(block, sizeof block)) == E_LIMIT);
    rpc_call_end(c);
    loop_run(w.loop);
    CHECK(w.status == 0 && w.uploaded == 320000);
}

static void test_download_under_credit(void **state UNUSED)
{
    ask(OP_STREAM, 5000, (struct rpc_ask){ .download = true, .on_data = got_data });
    loop_run(w.loop);
    CHECK(w.status == 0 && w.got == STREAM_BYTES);
    CHECK(w.peak <= RPC_WINDOW + 5000);
}

static void test_denied_drops_the_peer(void **state UNUSED)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    log_to(null); /* it is an alarm, and meant to be */
    ask(OP_SECRET, 200, (struct rpc_ask){ .flags = RPC_NO_REPEAT });
    loop_run(w.loop);
    CHECK(w.status == E_CLOSED && w.asked == 0);
    log_to(STDERR_FILENO);
    close(null);
}

static void test_deadline(void **state UNUSED)
{
    ask(OP_NEVER, 20, (struct rpc_ask){ 0 });
    loop_run(w.loop);
    CHECK(w.status == E_TIMEOUT);
    CHECK(w.held && rpc_req_left_ms(w.held) <= 20);
    rpc_reply(w.held, 0, NULL, NULL);
}

static void test_hurry(void **state UNUSED)
{
    struct rpc_call *c = ask(OP_NEVER, 60000, (struct rpc_ask){ 0 });

    rpc_call_hurry(c, 20);
    rpc_call_hurry(c, 60000); /* never later than it was */
    loop_run(w.loop);
    CHECK(w.status == E_TIMEOUT);
    rpc_reply(w.held, 0, NULL, NULL);
}

static void kill_and_reconnect(struct timer *t UNUSED)
{
    rpc_peer_drop(rpc_req_peer(w.held), "test");
    connect_again();
}

static void test_repeat_with_same_operation(void **state UNUSED)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    struct timer t;

    log_to(null);
    w.hold_consume = true;
    CHECK(timer_init(&t, w.loop, kill_and_reconnect) == 0);
    ask(OP_ECHO, 5000, (struct rpc_ask){ .changes = true });
    timer_set(&t, 20);
    loop_run(w.loop);
    CHECK(w.status == 0 && w.asked == 2 && w.ups == 2);
    CHECK(memcmp(w.operation[0], w.operation[1], RPC_OPERATION_LEN) == 0);
    rpc_reply(w.held, 0, NULL, NULL);
    timer_release(&t);
    log_to(STDERR_FILENO);
    close(null);
}

static void test_deep_nesting_refused(void **state UNUSED)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(1) };
    CLEANUP(buf_release) struct buf deep = { .max = KIB(64) };

    CHECK(RPC_UNPACK(&a, STR("\xff\xff"), directory__resolve_request) == NULL);
    for (int i = 0; i < 10; i++) /* a length beyond the end */
        CHECK(buf_putz(&deep, "\x0a\x7f") == 0);
    CHECK(RPC_UNPACK(&a, buf_str(&deep), directory__domain_list_response) == NULL);
}

/* What does not fit is said to be so, and the connection lives. */
static void test_answer_over_the_limit(void **state UNUSED)
{
    ask(OP_HUGE, 5000, (struct rpc_ask){ .flags = RPC_NO_REPEAT });
    loop_run(w.loop);
    CHECK(w.status == E_LIMIT && w.ups == 1 && rpc_link_is_up(w.link));
}

/* A piece too many is refused whole: half of it must not be on its way. */
static void test_send_all_or_nothing(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf big = { .max = MIB(1) };
    struct rpc_call *c;

    CHECK(buf_reserve(&big, MIB(1)) != NULL);
    memset(big.p, 1, big.n = MIB(1));
    ask(OP_ECHO, 5000, (struct rpc_ask){ .changes = true });
    loop_run(w.loop); /* up */
    w.ndone = 0;
    c = ask(OP_SUM, 5000, (struct rpc_ask){ .upload = true });
    CHECK(rpc_call_send(c, buf_str(&big)) == E_LIMIT);
    CHECK(rpc_call_send(c, STR("small")) == 0);
    rpc_call_end(c);
    loop_run(w.loop);
    CHECK(w.status == 0 && w.uploaded == 5);
}

/* One role's crowd: who comes too late is asked to come again, the others keep their connection. */
static void test_too_many_requests(void **state UNUSED)
{
    w.crowd = true;
    for (size_t i = 0; i < 8193; i++)
        ask(OP_NEVER, 60000, (struct rpc_ask){ .flags = RPC_NO_REPEAT });
    loop_run(w.loop);
    CHECK(w.status == E_BUSY && w.ndone == 1 && rpc_link_pending(w.link) == 8192);
}

/* What stands behind the frame that had the peer dropped is not looked at. */
static void test_no_frame_after_drop(void **state UNUSED)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    log_to(null);
    ask(OP_DROP, 5000, (struct rpc_ask){ .flags = RPC_NO_REPEAT });
    ask(OP_DROP, 5000, (struct rpc_ask){ .flags = RPC_NO_REPEAT });
    loop_run(w.loop);
    CHECK(w.asked == 1 && w.status == E_CLOSED);
    rpc_reply(w.held, 0, NULL, NULL);
    log_to(STDERR_FILENO);
    close(null);
}

static void done_and_again(void *ctx, int status, struct str body UNUSED)
{
    struct rpc_ask again = { .op = OP_ECHO, .deadline_ms = 1000, .done = done_and_again, .ctx = ctx };

    CHECK(status == E_CLOSED);
    rpc_call_cancel(w.call); /* clears up everything it has, this call among it */
    w.ndone++;
    CHECK(rpc_link_ask(w.link ? w.link : ctx, &again) == NULL);
}

/* Whoever asks again at every failure does not keep a link alive that is being freed. */
static void test_ask_while_the_link_goes(void **state UNUSED)
{
    struct rpc_ask a = { .op = OP_NEVER, .deadline_ms = 1000, .done = done_and_again, .ctx = w.link };

    w.call = rpc_link_ask(w.link, &a);
    CHECK(w.call != NULL);
    rpc_link_free(&w.link);
    CHECK(w.ndone == 1);
}

/* A peer that goes before it greets, to a link that gets no other connection. */
static void test_once(void **state UNUSED)
{
    static const struct rpc_link_ops once = { .once = true };
    int fds[2];

    rpc_link_free(&w.link);
    w.link = rpc_link_new(w.loop, ROLE_DIRECTORY, &once, NULL);
    CHECK(w.link != NULL && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
    CHECK(rpc_link_connect(w.link, fds[0]) == 0);
    ask(OP_ECHO, 60000, (struct rpc_ask){ .flags = RPC_NO_REPEAT });
    close(fds[1]);
    while (w.ndone == 0)
        loop_run(w.loop);
    CHECK(w.status == E_CLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_echo, setup, teardown),
        cmocka_unit_test_setup_teardown(test_upload, setup, teardown),
        cmocka_unit_test_setup_teardown(test_download_under_credit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_denied_drops_the_peer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hurry, setup, teardown),
        cmocka_unit_test_setup_teardown(test_repeat_with_same_operation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_answer_over_the_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_send_all_or_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_many_requests, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_frame_after_drop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ask_while_the_link_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_once, setup, teardown),
        cmocka_unit_test(test_deep_nesting_refused),
    };

    return cmocka_run_group_tests_name("rpc", tests, NULL, NULL);
}
