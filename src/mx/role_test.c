/* src/mx/role_test.c: the role with real sockets and real RPC, between a client in a process of its own
 * and a store and directory made up here, which stall and die on cue. */
#include "lib/base/test.h"
#include "lib/base/errors.h"
#include "lib/base/log.h"
#include "proto/directory.pb-c.h"
#include "proto/store.pb-c.h"
#include "src/common/role.h"
#include "src/mx/conf.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED __has_feature(address_sanitizer)
#else
#define SANITIZED 0
#endif

enum mishap { NONE, LATE_LINK, DIES_STAGING, DIES_DELIVERING, SLOW_STORE };

struct role {
    struct loop *loop;
    void *data;
    struct rpc_server *store, *directory;
    struct rpc_link *to_store, *to_directory;
    struct role_listener listener;
    struct timer poll, later;
    uint16_t port;
    pid_t client;
    int client_status;
    enum mishap mishap;
    uint64_t staged, staged_total, deliveries, unstaged;
    uint8_t operation[RPC_OPERATION_LEN];
    bool same_operation, stopped;
    struct rpc_req *slow;
    size_t owed;
} w;

/* ---- what src/common/role.h promises ---- */

struct loop *role_loop(struct role *r)
{
    return r->loop;
}
void *role_data(const struct role *r)
{
    return r->data;
}
void role_set_data(struct role *r, void *data)
{
    r->data = data;
}
struct rpc_link *role_link(struct role *r, enum role_id to)
{
    return to == ROLE_STORE ? r->to_store : r->to_directory;
}
int role_spam_file(struct role *r UNUSED)
{
    return -1;
}
struct tls_ctx *role_tls(const struct role *r UNUSED)
{
    return NULL;
}
const struct role_listener *role_listeners(const struct role *r, size_t *n_out)
{
    *n_out = 1;
    return &r->listener;
}
const uint8_t *role_subkey(const struct role *r UNUSED, enum subkey_purpose purpose UNUSED)
{
    static const uint8_t key[KEY_BYTES];

    return key;
}
struct str role_hostname(const struct role *r UNUSED)
{
    return STR("mx.example.test");
}
void role_stopped(struct role *r)
{
    r->stopped = true;
    loop_stop(r->loop);
}

/* ---- the store and the directory ---- */

static void connect_link(struct rpc_server *s, struct rpc_link *l)
{
    int fds[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    CHECK(rpc_server_add(s, fds[0], ROLE_MX, 0) == 0);
    CHECK(rpc_link_connect(l, fds[1]) == 0);
}

static void link_again(struct timer *t UNUSED)
{
    if (w.slow) {
        struct rpc_req *q = w.slow;

        w.slow = NULL;
        rpc_req_consumed(q, w.owed);
        w.owed = 0;
        return;
    }
    connect_link(w.store, w.to_store);
}

/* lib/rpc/rpc.h: a cancelled request is replied all the same. */
static void given_up(void *ctx)
{
    rpc_reply(ctx, E_CANCELED, NULL, NULL);
}

static void stage_data(void *ctx, struct str data, bool end)
{
    Store__StageResponse m = STORE__STAGE_RESPONSE__INIT;
    struct rpc_req *q = ctx;

    w.staged += data.n;
    w.staged_total += data.n;
    if (w.mishap == DIES_STAGING && w.staged > 100000) {
        w.mishap = NONE;
        rpc_peer_drop(rpc_req_peer(q), "test");
        timer_set(&w.later, 50);
        return;
    }
    if (w.mishap == SLOW_STORE && !w.slow && w.staged > 100000) { /* stands still for a moment */
        w.mishap = NONE;
        w.slow = q;
        w.owed = data.n;
        timer_set(&w.later, 50);
    } else if (w.slow) {
        w.owed += data.n;
    } else {
        rpc_req_consumed(q, data.n);
    }
    if (!end)
        return;
    m.staging = str_pb(STR("0123456789abcdef"));
    m.bytes = w.staged;
    rpc_reply(q, 0, &m.base, NULL);
}

static int op_stage(struct rpc_req *q, struct str body UNUSED)
{
    w.staged = 0;
    rpc_req_on_data(q, stage_data, q);
    rpc_req_on_cancel(q, given_up, q);
    return 0;
}

static int op_unstage(struct rpc_req *q, struct str body UNUSED)
{
    w.unstaged++;
    rpc_reply(q, 0, NULL, NULL);
    return 0;
}

static int op_deliver(struct rpc_req *q, struct str body)
{
    Store__DeliverRequest *m = RPC_UNPACK(rpc_req_arena(q), body, store__deliver_request);
    Store__DeliverResponse out = STORE__DELIVER_RESPONSE__INIT;

    CHECK(m && m->n_recipients >= 1 && m->recipients[0]->prepend.len > 50 &&
          m->recipients[0]->n_key_states == 1);
    CHECK(str_eq_z(pb_str(m->recipients[0]->mailbox_id), "mailbox-id-1"));
    w.same_operation = memcmp(w.operation, rpc_req_operation(q).p, RPC_OPERATION_LEN) == 0;
    memcpy(w.operation, rpc_req_operation(q).p, RPC_OPERATION_LEN);
    if (w.mishap == DIES_DELIVERING) {
        w.mishap = NONE;
        rpc_req_on_cancel(q, given_up, q);
        rpc_peer_drop(rpc_req_peer(q), "test");
        timer_set(&w.later, 50);
        return 0;
    }
    w.deliveries++;
    out.queue_id = str_pb(STR("q1"));
    rpc_reply(q, 0, &out.base, NULL);
    return 0;
}

static int op_resolve(struct rpc_req *q, struct str body)
{
    Directory__ResolveRequest *m = RPC_UNPACK(rpc_req_arena(q), body, directory__resolve_request);
    Directory__ResolveResponse out = DIRECTORY__RESOLVE_RESPONSE__INIT;
    ProtobufCBinaryData state = str_pb(STR("state"));

    out.result = str_eq_z(pb_str(m->address), "hello@example.test")
                     ? DIRECTORY__RESOLVE_RESPONSE__RESULT__OK
                     : DIRECTORY__RESOLVE_RESPONSE__RESULT__NO_ALIAS;
    out.mailbox_id = str_pb(STR("mailbox-id-1"));
    out.address = m->address;
    out.n_key_states = 1;
    out.key_states = &state;
    rpc_reply(q, 0, &out.base, NULL);
    return 0;
}

static const struct rpc_op store_ops[] = {
    [STORE__OP__STAGE] = { op_stage, FROM(MX), RPC_UP, NULL },
    [STORE__OP__UNSTAGE] = { op_unstage, FROM(MX), 0, NULL },
    [STORE__OP__DELIVER] = { op_deliver, FROM(MX), 0, NULL },
};
static const struct rpc_op directory_ops[] = { [DIRECTORY__OP__RESOLVE] = { op_resolve, FROM(MX), 0, NULL } };
static const struct rpc_service store_service = { "store", store_ops, ARRAY_LEN(store_ops), NULL, NULL };
static const struct rpc_service directory_service = { "directory", directory_ops, ARRAY_LEN(directory_ops),
                                                      NULL, NULL };

/* ---- the client: a process that speaks and exits with 0 when all went as it should ---- */

static int dial(void)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(w.port),
                              .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        _exit(2);
    return fd;
}

static void say(int fd, struct str s)
{
    while (s.n) {
        ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);

        if (n <= 0)
            _exit(3);
        s = str_skip(s, (size_t)n);
    }
}

/* Read one reply, all its lines; it must begin with `want`. */
static void hear(int fd, const char *want)
{
    char line[600];
    size_t n = 0;

    for (;;) {
        if (read(fd, line + n, 1) != 1 || n + 1 == sizeof(line))
            _exit(4);
        if (line[n++] != '\n')
            continue;
        if (strncmp(line, want, strlen(want)) != 0) {
            fprintf(stderr, "expected %s, got %.*s", want, (int)n, line);
            _exit(5);
        }
        if (line[3] == ' ')
            return;
        n = 0;
    }
}

static void ask(int fd, const char *command, const char *want)
{
    say(fd, str_from(command));
    hear(fd, want);
}

static void envelope(int fd)
{
    ask(fd, "MAIL FROM:<a@b.example>\r\n", "250");
    ask(fd, "RCPT TO:<hello@example.test>\r\n", "250");
    ask(fd, "DATA\r\n", "354");
}

static void body(int fd, size_t bytes)
{
    static char line[64 * 1024];

    memset(line, 'x', sizeof(line));
    for (size_t i = 62; i + 1 < sizeof(line); i += 64)
        memcpy(line + i, "\r\n", 2);
    for (size_t n = 0; n < bytes; n += sizeof(line))
        say(fd, str_of(line, size_min(sizeof(line), bytes - n)));
    say(fd, STR("\r\n.\r\n"));
}

static void client_sends(size_t bytes, const char *verdict, int times)
{
    int fd = dial();

    hear(fd, "220");
    ask(fd, "EHLO me.example\r\n", "250");
    for (int i = 0; i < times; i++) {
        envelope(fd);
        body(fd, bytes);
        hear(fd, i == 0 ? verdict : "250");
    }
    ask(fd, "RCPT TO:<nobody@example.test>\r\n", "503");
    ask(fd, "QUIT\r\n", "221");
    _exit(0);
}

static void client_too_many(void)
{
    int fd[4];

    for (int i = 0; i < 4; i++) {
        fd[i] = dial();
        hear(fd[i], i < 3 ? "220" : "421 4.7.0");
    }
    close(fd[0]);
    ask(fd[1], "QUIT\r\n", "221");
    _exit(0);
}

/* ---- putting them together ---- */

static void poll_client(struct timer *t)
{
    if (waitpid(w.client, &w.client_status, WNOHANG) == w.client)
        loop_stop(w.loop);
    else
        timer_set(t, 5);
}

static void world_start(enum mishap mishap)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    struct mx_conf *conf = mx_role.conf;
    socklen_t n = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    w = (struct role){ .mishap = mishap, .loop = loop_new() };
    *conf = (struct mx_conf){
        .smtp.max_message_bytes = MIB(50),
        .smtp.max_recipients = 100,
        .smtp.max_total_bytes = GIB(1),
        .smtp.max_line = 998,
        .max_connections = 100,
        .max_connections_per_network = 3,
        .smtp.max_errors = 20,
        .smtp.max_unknown = 100,
        .smtp.max_junk = 100,
        .smtp.max_received = 100,
        .smtp.command_timeout_ms = 20000,
        .smtp.data_timeout_ms = 20000,
        .smtp.message_timeout_ms = 60000,
        .stall_timeout_ms = 20000,
        .directory_timeout_ms = 5000,
        .commit_timeout_ms = 5000,
        .smtp.postmaster = "",
    };
    CHECK(w.loop && fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(fd, 16) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&at, &n) == 0);
    w.port = ntohs(at.sin_port);
    w.listener = (struct role_listener){ fd, "mx.listen" };
    w.store = rpc_server_new(w.loop, &store_service, &w);
    w.directory = rpc_server_new(w.loop, &directory_service, &w);
    w.to_store = rpc_link_new(w.loop, ROLE_STORE, NULL, &w);
    w.to_directory = rpc_link_new(w.loop, ROLE_DIRECTORY, NULL, &w);
    CHECK(timer_init(&w.poll, w.loop, poll_client) == 0 && timer_init(&w.later, w.loop, link_again) == 0);
    connect_link(w.directory, w.to_directory);
    if (mishap == LATE_LINK)
        timer_set(&w.later, 100);
    else
        connect_link(w.store, w.to_store);
    CHECK(mx_role.init(&w) == 0 && mx_role.start(&w) == 0);
}

static void end_of_world(struct timer *t UNUSED)
{
    loop_stop(w.loop);
}

static void world_run(void)
{
    timer_set(&w.poll, 5);
    loop_run(w.loop);
    CHECK(WIFEXITED(w.client_status) && WEXITSTATUS(w.client_status) == 0);
    mx_role.stop(&w); /* at once when nobody is connected, else when the last one has gone */
    if (!w.stopped)
        loop_run(w.loop);
    timer_release(&w.poll);
    timer_release(&w.later);
    rpc_link_free(&w.to_store);
    rpc_link_free(&w.to_directory);
    rpc_server_free(&w.store);
    rpc_server_free(&w.directory);
    close(w.listener.fd);
    CHECK(timer_init(&w.later, w.loop, end_of_world) == 0);
    timer_set(&w.later, 5);
    loop_run(w.loop); /* connections free themselves on the loop */
    timer_release(&w.later);
    loop_free(&w.loop);
}

#define RUN(mishap, speak)            \
    do {                              \
        world_start(mishap);          \
        if ((w.client = fork()) == 0) \
            speak;                    \
        world_run();                  \
    } while (0)

static void test_message(void **state UNUSED)
{
    RUN(NONE, client_sends(1000, "250", 3));
    CHECK(w.deliveries == 3 && w.staged == 1002 && w.unstaged == 0);
}

static void test_memory(void **state UNUSED)
{
    struct rusage before, after;

    getrusage(RUSAGE_SELF, &before);
    RUN(NONE, client_sends(MIB(50) - KIB(1), "250", 1));
    getrusage(RUSAGE_SELF, &after);
    CHECK(w.deliveries == 1 && w.staged == MIB(50) - KIB(1) + 2);
    if (!SANITIZED)                                       /* a sanitizer keeps what is freed */
        CHECK(after.ru_maxrss - before.ru_maxrss < 2048); /* kilobytes, for mx and both ends of the RPC */
}

static void test_too_big(void **state UNUSED)
{
    RUN(NONE, client_sends(MIB(50) + 1, "552", 1));
    CHECK(w.deliveries == 0 && w.staged <= MIB(50));
}

static void test_store_comes_late(void **state UNUSED)
{
    RUN(LATE_LINK, client_sends(MIB(1), "250", 1));
    CHECK(w.deliveries == 1 && w.staged == MIB(1) + 2);
}

static void test_store_dies_while_staging(void **state UNUSED)
{
    RUN(DIES_STAGING, client_sends(MIB(1), "451", 2));
    CHECK(w.deliveries == 1);
}

static void test_store_dies_while_delivering(void **state UNUSED)
{
    RUN(DIES_DELIVERING, client_sends(MIB(1), "250", 1));
    CHECK(w.deliveries == 1 && w.same_operation);
}

static void test_store_stands_still(void **state UNUSED)
{
    RUN(SLOW_STORE, client_sends(MIB(3), "250", 1));
    CHECK(w.deliveries == 1 && w.staged == MIB(3) + 2);
}

static void test_too_many_connections(void **state UNUSED)
{
    RUN(NONE, client_too_many());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_too_big),
        cmocka_unit_test(test_store_comes_late),
        cmocka_unit_test(test_store_dies_while_staging),
        cmocka_unit_test(test_store_dies_while_delivering),
        cmocka_unit_test(test_store_stands_still),
        cmocka_unit_test(test_too_many_connections),
    };

    log_init("mx", getenv("MX_TEST_LOG") ? LOG_DEBUG : LOG_ALARM);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
