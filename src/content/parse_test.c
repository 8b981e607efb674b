/* src/content/parse: all of the text arrives, before the answer, however slowly it is taken; and
 * whoever goes away in between leaves nothing behind. */
#include "src/content/parse.h"
#include "lib/base/test.h"
#include "lib/mime/text.h"
#include "proto/content.pb-c.h"
#include <sys/socket.h>

static struct {
    struct loop *loop;
    struct rpc_server *server;
    struct rpc_link *link;
    struct rpc_call *call;
    struct buf message, text;
    size_t sent, owed, step, parsed;
    bool slow, answered;
    uint64_t text_header_bytes, header_bytes;
    int status;
} w;

static void parse_done(void *ctx UNUSED)
{
    w.parsed++;
}

static int op_parse(struct rpc_req *q, struct str body UNUSED)
{
    return parse_start(q, parse_done, NULL);
}

static const struct rpc_op ops[] = {
    [CONTENT__OP__PARSE] = { .run = op_parse, .from = FROM(STORE), .flags = RPC_UP | RPC_DOWN },
};
static const struct rpc_service service = { .name = "content", .ops = ops, .nops = ARRAY_LEN(ops) };

static int setup(void **state UNUSED)
{
    int sv[2];

    memset(&w, 0, sizeof w);
    w.message.max = w.text.max = MIB(16);
    w.loop = loop_new();
    w.server = rpc_server_new(w.loop, &service, NULL);
    w.link = rpc_link_new(w.loop, ROLE_CONTENT, NULL, NULL);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0);
    CHECK(rpc_server_add(w.server, sv[0], ROLE_STORE, 0) == 0);
    CHECK(rpc_link_connect(w.link, sv[1]) == 0);
    return 0;
}

static void stop_soon(struct timer *t)
{
    loop_stop(t->loop);
}

static void run_for(int64_t ms)
{
    struct timer stop;

    CHECK(timer_init(&stop, w.loop, stop_soon) == 0);
    timer_set(&stop, ms);
    loop_run(w.loop);
    timer_release(&stop);
}

static int teardown(void **state UNUSED)
{
    rpc_link_free(&w.link);
    run_for(20); /* the server hears of it */
    rpc_server_free(&w.server);
    run_for(20);
    loop_free(&w.loop);
    buf_release(&w.message);
    buf_release(&w.text);
    return 0;
}

static void done(void *ctx UNUSED, int status, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(4) };
    Content__ParseResponse *out = RPC_UNPACK(&a, body, content__parse_response);

    w.call = NULL;
    w.answered = true;
    w.status = status;
    if (status == 0 && out) {
        w.text_header_bytes = out->text_header_bytes;
        w.header_bytes = out->header_bytes;
    }
    loop_stop(w.loop);
}

static void got_text(void *ctx UNUSED, struct str data)
{
    CHECK(buf_puts(&w.text, data) == 0);
    if (w.slow)
        w.owed += data.n;
    else
        rpc_call_consumed(w.call, data.n);
}

static void send_more(void *ctx UNUSED)
{
    while (w.call && w.sent < w.message.n && rpc_call_room(w.call) > 0) {
        size_t n = size_min(size_min(w.step, w.message.n - w.sent), rpc_call_room(w.call));

        CHECK(rpc_call_send(w.call, str_slice(buf_str(&w.message), w.sent, w.sent + n)) == 0);
        w.sent += n;
        if (w.sent == w.message.n)
            rpc_call_end(w.call);
    }
}

static void ask(size_t step)
{
    Content__ParseRequest body = CONTENT__PARSE_REQUEST__INIT;
    struct rpc_ask a = {
        .op = CONTENT__OP__PARSE,
        .body = &body.base,
        .deadline_ms = 60000,
        .upload = true,
        .download = true,
        .done = done,
        .on_data = got_text,
        .on_room = send_more,
    };

    w.step = step;
    body.bytes = w.message.n;
    w.call = rpc_link_ask(w.link, &a);
    CHECK(w.call != NULL);
    send_more(NULL);
}

static int keep_text(void *user, struct str text)
{
    return buf_puts(user, text);
}

/* What lib/mime says of the same bytes. */
static void check_text(void)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(4) };
    CLEANUP(buf_release) struct buf want = { .max = MIB(16) };
    struct mime_text t;
    struct mime_part *root;

    CHECK(mime_text_init(&t, &a, keep_text, &want) == 0);
    CHECK(mime_text_feed(&t, buf_str(&w.message)) == 0);
    CHECK(mime_text_finish(&t, &root) == 0);
    CHECK(str_eq(buf_str(&w.text), buf_str(&want)));
    CHECK(w.text_header_bytes == t.header_bytes && w.header_bytes == root->body_start);
    mime_text_release(&t);
}

static void long_message(size_t lines)
{
    CHECK(buf_putz(&w.message, "Subject: long\r\nMessage-ID: <a@b>\r\n\r\n") == 0);
    for (size_t i = 0; i < lines; i++)
        CHECK(buf_printf(&w.message, "line %zu of a letter that goes on and on\r\n", i) == 0);
}

static void test_short(void **state UNUSED)
{
    CHECK(buf_putz(&w.message, "Subject: hi\r\n\r\nshort, without a line end") == 0);
    ask(3);
    loop_run(w.loop);
    CHECK(w.answered && w.status == 0 && w.parsed == 1);
    CHECK(str_find(buf_str(&w.text), STR("without a line end")) > 0);
    check_text();
}

static void test_long(void **state UNUSED)
{
    long_message(50000);
    ask(KIB(64));
    loop_run(w.loop);
    CHECK(w.answered && w.status == 0);
    check_text();
}

/* Text is taken in small portions: input waits, and credit keeps what waits within its window. */
static void test_slow_reader(void **state UNUSED)
{
    long_message(50000);
    w.slow = true;
    ask(KIB(64));
    for (int i = 0; i < 400 && !w.answered; i++) {
        size_t n = size_min(w.owed, KIB(64));

        run_for(1);
        w.owed -= n;
        if (w.call)
            rpc_call_consumed(w.call, n);
    }
    CHECK(w.answered && w.status == 0);
    check_text();
}

static void test_cancelled(void **state UNUSED)
{
    long_message(50000);
    w.slow = true;
    ask(KIB(64));
    for (int i = 0; i < 1000 && w.text.n == 0; i++)
        run_for(1); /* a busy machine may need more than one */
    CHECK(w.text.n > 0 && w.parsed == 0);
    rpc_call_cancel(w.call);
    w.call = NULL;
    run_for(5);
    CHECK(w.parsed == 1 && !w.answered);
}

/* Half a message is with the parser when its asker's connection goes. */
static void test_asker_gone(void **state UNUSED)
{
    long_message(50000);
    w.slow = true;
    ask(KIB(64));
    run_for(5);
    rpc_link_free(&w.link);
    CHECK(w.answered && w.status == E_CLOSED);
    run_for(20);
    CHECK(w.parsed == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_short, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slow_reader, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancelled, setup, teardown),
        cmocka_unit_test_setup_teardown(test_asker_gone, setup, teardown),
    };

    return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
