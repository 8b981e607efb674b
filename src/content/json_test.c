/* src/content/json: what a webhook gets of a message, however it is cut; and what does not fit is said to be missing. */
#include "src/content/json.h"
#include "lib/base/test.h"
#include "proto/content.pb-c.h"
#include <jansson.h>
#include <sys/socket.h>

static struct {
    struct loop *loop;
    struct rpc_server *server;
    struct rpc_link *link;
    struct rpc_call *call;
    struct buf message, text;
    size_t sent, step, limit;
    int status;
    json_t *json;
} w;

static void job_done(void *ctx UNUSED)
{
}

static int op_json(struct rpc_req *q, struct str body UNUSED)
{
    return json_start(q, w.limit, job_done, NULL);
}

static const struct rpc_op ops[] = {
    [CONTENT__OP__JSON] = { .run = op_json, .from = FROM(COURIER), .flags = RPC_UP | RPC_DOWN },
};
static const struct rpc_service service = { .name = "content", .ops = ops, .nops = ARRAY_LEN(ops) };

static int setup(void **state UNUSED)
{
    int sv[2];

    memset(&w, 0, sizeof w);
    w.message.max = w.text.max = MIB(64);
    w.loop = loop_new();
    w.server = rpc_server_new(w.loop, &service, NULL);
    w.link = rpc_link_new(w.loop, ROLE_CONTENT, NULL, NULL);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0);
    CHECK(rpc_server_add(w.server, sv[0], ROLE_COURIER, 0) == 0);
    CHECK(rpc_link_connect(w.link, sv[1]) == 0);
    return 0;
}

static int teardown(void **state UNUSED)
{
    rpc_link_free(&w.link);
    rpc_server_free(&w.server);
    loop_settle(w.loop);
    loop_free(&w.loop);
    buf_release(&w.message);
    buf_release(&w.text);
    json_decref(w.json);
    return 0;
}

static void done(void *ctx UNUSED, int status, struct str body UNUSED)
{
    w.call = NULL;
    w.status = status;
    loop_stop(w.loop);
}

static void got(void *ctx UNUSED, struct str data)
{
    CHECK(buf_puts(&w.text, data) == 0);
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

static json_t *ask(size_t step, size_t limit)
{
    Content__JsonRequest body = CONTENT__JSON_REQUEST__INIT;
    struct rpc_ask a = { .op = CONTENT__OP__JSON,
                         .body = &body.base,
                         .deadline_ms = 60000,
                         .upload = true,
                         .download = true,
                         .done = done,
                         .on_data = got,
                         .on_room = send_more };

    w.step = step;
    w.limit = limit;
    w.sent = 0;
    buf_clear(&w.text);
    json_decref(w.json);
    w.call = rpc_link_ask(w.link, &a);
    CHECK(w.call != NULL);
    send_more(NULL);
    loop_run(w.loop);
    CHECK(w.status == 0);
    CHECK(w.text.n <= limit);
    w.json = json_loadb(w.text.p, w.text.n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    CHECK(w.json != NULL);
    return w.json;
}

static const char *text_of(const json_t *j, const char *key)
{
    const char *s = json_string_value(json_object_get(j, key));

    return s ? s : "(null)";
}

static const char LETTER[] =
    "From: =?utf-8?q?J=C3=BCrgen?= <jue@example.org>\r\n"
    "To: a@example.net, \"B, C\" <b@example.net>\r\n"
    "Subject: =?iso-8859-1?q?gr=FC=DFe?= \"x\"\r\n"
    "Date: Thu, 01 Jan 2026 12:00:00 +0100\r\n"
    "Message-ID: <1@example.org>\r\n"
    "MIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    "--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n"
    "--c\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    "Gr=C3=BC=C3=9Fe \"an\"\tdich=01\r\n"
    "--c\r\nContent-Type: text/html\r\n\r\n<p>hello</p>\r\n--c--\r\n"
    "--b\r\nContent-Type: application/octet-stream; name=\"a b.bin\"\r\nContent-Transfer-Encoding: base64\r\n"
    "Content-Disposition: attachment\r\n\r\nAAECAwQ=\r\n"
    "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inside\r\n\r\nnot ours\r\n"
    "--b--\r\n";

static void look(const json_t *j)
{
    const json_t *from = json_array_get(json_object_get(j, "from"), 0), *to = json_object_get(j, "to"),
                 *files = json_object_get(j, "attachments"), *file = json_array_get(files, 0);

    CHECK(strcmp(text_of(from, "name"), "J\xC3\xBCrgen") == 0);
    CHECK(strcmp(text_of(from, "address"), "jue@example.org") == 0);
    CHECK(json_array_size(to) == 2);
    CHECK(json_array_size(json_object_get(j, "reply_to")) == 0);
    CHECK(strcmp(text_of(json_array_get(to, 1), "name"), "B, C") == 0);
    CHECK(strcmp(text_of(j, "subject"), "gr\xC3\xBC\xC3\x9F"
                                        "e \"x\"") == 0);
    CHECK(strncmp(text_of(j, "date"), "2026-01-01T11:00:00", 19) == 0);
    CHECK(strcmp(text_of(j, "message_id"), "<1@example.org>") == 0);
    CHECK(json_array_size(json_object_get(j, "headers")) == 7);
    CHECK(strncmp(text_of(j, "text"),
                  "Gr\xC3\xBC\xC3\x9F"
                  "e \"an\"\tdich\x01",
                  18) == 0);
    CHECK(strncmp(text_of(j, "html"), "<p>hello</p>", 12) == 0);
    CHECK(json_array_size(files) == 2);
    CHECK(strcmp(text_of(file, "name"), "a b.bin") == 0);
    CHECK(strcmp(text_of(file, "type"), "application/octet-stream") == 0);
    CHECK(strcmp(text_of(file, "content"), "AAECAwQ=") == 0);
    CHECK(json_integer_value(json_object_get(file, "bytes")) == 5);
    file = json_array_get(files, 1);
    CHECK(strcmp(text_of(file, "type"), "message/rfc822") == 0);
    CHECK(json_is_true(json_object_get(file, "left_out")));
}

static void whole_and_in_pieces(void **state UNUSED)
{
    CHECK(buf_putz(&w.message, LETTER) == 0);
    look(ask(w.message.n, MIB(1)));
    look(ask(1, MIB(1)));
    look(ask(7, JSON_LIMIT_MIN));
}

static void what_does_not_fit(void **state UNUSED)
{
    json_t *j;

    CHECK(buf_putz(&w.message, "Subject: big\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
                               "--b\r\n\r\n") == 0);
    for (int i = 0; i < 20000; i++)
        CHECK(buf_putz(&w.message, "\x01 a line of text\r\n") == 0);
    for (int k = 0; k < 1200; k++) {
        CHECK(buf_printf(&w.message, "--b\r\nContent-Type: image/png; name=p%d.png\r\n\r\n", k) == 0);
        for (int i = 0; i < (k == 0 ? 3000 : 1); i++)
            CHECK(buf_putz(&w.message, "not really a picture\r\n") == 0);
    }
    CHECK(buf_putz(&w.message, "--b--\r\n") == 0);
    j = ask(4000, JSON_LIMIT_MIN);
    CHECK(json_is_true(json_object_get(j, "text_cut")));
    CHECK(json_is_true(json_object_get(j, "attachments_cut")));
    CHECK(json_is_true(json_object_get(json_array_get(json_object_get(j, "attachments"), 0), "left_out")));
    CHECK(json_is_false(json_object_get(json_array_get(json_object_get(j, "attachments"), 1), "left_out")));
}

static void rubbish(void **state UNUSED)
{
    for (int i = 0; i < 5000; i++)
        CHECK(buf_putc(&w.message, (char)(i * 7919 % 256)) == 0);
    ask(1000, JSON_LIMIT_MIN);
    buf_clear(&w.message);
    CHECK(buf_putz(&w.message, "\r\n") == 0);
    CHECK(json_is_null(json_object_get(ask(2, JSON_LIMIT_MIN), "subject")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whole_and_in_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(what_does_not_fit, setup, teardown),
        cmocka_unit_test_setup_teardown(rubbish, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
