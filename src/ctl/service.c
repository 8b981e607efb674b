/* src/ctl/service.c: the way to a running service, or to one started for a single command. */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "src/ctl/ctl.h"
#include "src/common/supervisor.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define ASK_DEADLINE_MS   60000
#define STATUS_WAIT_MS    5000
#define START_DEADLINE_MS 30000
#define ANSWER_MAX        MIB(4)

struct service {
    struct config config;
    struct loop *loop;
    struct rpc_link *links[ROLE_COUNT]; /* each from when it is asked for the first time */
    bool broken[ROLE_COUNT];            /* the role is gone, and what it knew of us with it */
    struct arena arena;
    pid_t started; /* the supervisor of this command; 0: the service runs by itself */
    int64_t patience_ms;
    int turn; /* lock of the commands among themselves, while the service is stopped */
};

const struct config *service_config(const struct service *s)
{
    return &s->config;
}

bool service_is_own(const struct service *s)
{
    return s->started > 0;
}

/* Through the folder's descriptor: sun_path is short. */
static int connect_run(const struct config *c, const char *name, int *fd_out)
{
    CLEANUP(fd_close) int dir = open(c->server.run_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd;

    if (dir < 0)
        return error_from_errno(errno);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return E_IO;
    snprintf(a.sun_path, sizeof a.sun_path, "/proc/self/fd/%d/%s", dir, name);
    if (connect(fd, (struct sockaddr *)(void *)&a, sizeof a) < 0) {
        int r = errno == ECONNREFUSED ? E_NOTFOUND : error_from_errno(errno);

        close(fd);
        return r;
    }
    *fd_out = fd;
    return 0;
}

int service_status(const struct config *c, struct buf *out)
{
    CLEANUP(fd_close) int fd = -1;
    int r = connect_run(c, "status.sock", &fd);

    while (r == 0) {
        struct pollfd ready = { .fd = fd, .events = POLLIN };
        char *p = buf_reserve(out, KIB(4));
        ssize_t n;

        if (poll(&ready, 1, STATUS_WAIT_MS) == 0)
            return E_TIMEOUT;
        n = p ? read(fd, p, KIB(4)) : -1;

        if (n == 0)
            return out->n > 0 ? 0 : E_NOTFOUND;
        if (n < 0)
            return E_IO;
        out->n += (size_t)n;
    }
    return r;
}

/* "serve", "command" or "": the service may just be stopping, then it counts as stopped. */
static bool runs_as(const struct config *c, const char *mode)
{
    CLEANUP(buf_release) struct buf text = { .max = KIB(128) };
    char want[32];

    snprintf(want, sizeof want, "\"mode\":\"%s\"", mode);
    return service_status(c, &text) == 0 && str_find(buf_str(&text), str_from(want)) >= 0 &&
           str_find(buf_str(&text), STR("\"stopping\":false")) >= 0;
}

/* ---- a service of our own, while the real one is stopped ---- */

static _Noreturn void be_supervisor(const struct config *c, int ready_fd, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(EX_UNAVAILABLE);
    _exit(supervisor_run(c, SUPERVISE_COMMAND, ready_fd));
}

static int wait_ready(struct service *s, int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    int status = 0;
    char c;

    if (poll(&p, 1, START_DEADLINE_MS + 5000) == 1 && read(fd, &c, 1) == 1)
        return 0;
    kill(s->started, SIGTERM);
    waitpid(s->started, &status, 0);
    s->started = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
        return WEXITSTATUS(status); /* it has said why */
    return ctl_fail(EX_TEMPFAIL, "the roles did not start in time");
}

static int take_turn(struct service *s)
{
    char path[4096];

    if (file_mkdir(AT_FDCWD, s->config.server.run_dir) < 0)
        return ctl_fail(EX_CANTCREAT, "%s: %s", s->config.server.run_dir, strerror(errno));
    snprintf(path, sizeof path, "%s/command.lock", s->config.server.run_dir);
    s->turn = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->turn < 0 || flock(s->turn, LOCK_EX) < 0)
        return ctl_fail(EX_CANTCREAT, "%s: %s", path, strerror(errno));
    return 0;
}

static int start_own(struct service *s)
{
    int ready[2], r;
    pid_t self = getpid();

    if ((r = take_turn(s)) != 0 || runs_as(&s->config, "serve")) /* it came up while we waited */
        return r;
    if (pipe2(ready, O_CLOEXEC) < 0)
        return ctl_fail(EX_OSERR, "pipe: %s", strerror(errno));
    fflush(NULL);
    s->started = fork();
    if (s->started == 0) {
        close(s->turn);
        be_supervisor(&s->config, ready[1], self);
    }
    close(ready[1]);
    r = s->started < 0 ? ctl_fail(EX_OSERR, "fork: %s", strerror(errno)) : wait_ready(s, ready[0]);
    close(ready[0]);
    return r;
}

/* ---- links ---- */

/* Nobody hands us another connection: whoever waits is told E_CLOSED by the link, and whoever comes by link_to. */
static void link_down(void *ctx, struct rpc_link *l)
{
    struct service *s = ctx;

    for (size_t i = 0; i < ROLE_COUNT; i++)
        s->broken[i] |= s->links[i] == l;
}

static const struct rpc_link_ops link_ops = { .on_down = link_down, .once = true };

static int open_link(struct service *s, enum role_id role)
{
    struct rpc_link **l = &s->links[role];
    char name[40];
    int fd = -1, r;

    snprintf(name, sizeof name, "%s.sock", role_name(role));
    if ((r = connect_run(&s->config, name, &fd)) < 0)
        return ctl_fail(ctl_exit_code(r), "%s/%s: %s", s->config.server.run_dir, name, error_text(r));
    if (!(*l = rpc_link_new(s->loop, role, &link_ops, s)) || rpc_link_connect(*l, fd) < 0)
        return ctl_fail(EX_OSERR, "%s", error_text(E_NOMEM));
    return 0;
}

int service_open(const struct args *a, struct service **out)
{
    CLEANUP(buf_release) struct buf err = { .max = KIB(4) };
    struct service *s = calloc(1, sizeof *s);
    int r;

    if (!s)
        return EX_OSERR;
    s->turn = -1;
    s->patience_ms = ASK_DEADLINE_MS;
    s->arena.max = ANSWER_MAX * 2;
    if ((r = config_open(&s->config, a->config, &err)) < 0) {
        ctl_fail(0, "%s", err.n ? buf_z(&err) : error_text(r));
        r = r == E_NOTFOUND ? EX_NOINPUT : r == E_SYNTAX || r == E_RANGE ? EX_CONFIG : ctl_exit_code(r);
    }
    if (r == 0 && !runs_as(&s->config, "serve"))
        r = start_own(s);
    if (r == 0 && !(s->loop = loop_new()))
        r = EX_OSERR;
    if (r != 0 || (r = open_link(s, ROLE_STORE)) != 0 || (r = open_link(s, ROLE_DIRECTORY)) != 0) {
        service_close(&s);
        return r;
    }
    *out = s;
    return 0;
}

void service_close(struct service **sp)
{
    struct service *s = *sp;

    *sp = NULL;
    if (!s)
        return;
    for (size_t i = 0; i < ROLE_COUNT; i++)
        if (s->links[i])
            rpc_link_free(&s->links[i]);
    if (s->loop) {
        loop_settle(s->loop);
        loop_free(&s->loop);
    }
    if (s->started > 0) {
        kill(s->started, SIGTERM);
        waitpid(s->started, NULL, 0);
    }
    fd_close(&s->turn);
    arena_release(&s->arena);
    config_release(&s->config);
    free(s);
}

/* ---- asking ---- */

void service_patience(struct service *s, int64_t ms)
{
    s->patience_ms = ms;
}

struct wait {
    struct service *s;
    const ProtobufCMessageDescriptor *d;
    void *answer;
    struct buf *bytes; /* NULL: not wanted */
    int status;
    bool done;
    struct rpc_call *call; /* a download */
    int (*sink)(void *ctx, struct str bytes);
    void *ctx;
    int sunk;
};

static void answered(void *ctx, int status, struct str body)
{
    struct wait *w = ctx;

    w->status = status;
    w->done = true;
    if (status == 0 && w->d && !(w->answer = rpc_unpack(w->d, &w->s->arena, body)))
        w->status = E_CORRUPT;
    if (status == 0 && w->bytes)
        w->status = buf_puts(w->bytes, body);
    loop_stop(w->s->loop);
}

static int link_to(struct service *s, enum role_id role, struct rpc_link **out)
{
    if (s->broken[role])
        return E_CLOSED;
    if (!s->links[role] && open_link(s, role) != 0)
        return E_UNAVAIL;
    *out = s->links[role];
    return 0;
}

static int ask(struct wait *w, enum role_id role, uint32_t op, const ProtobufCMessage *body)
{
    struct rpc_link *l = NULL;
    int r = link_to(w->s, role, &l);
    struct rpc_ask ask = { .op = op,
                           .body = body,
                           .flags = RPC_NO_REPEAT,
                           .deadline_ms = w->s->patience_ms,
                           .changes = true,
                           .done = answered,
                           .ctx = w };

    if (r < 0)
        return r;
    if (!rpc_link_ask(l, &ask))
        return E_NOMEM;
    while (!w->done)
        loop_run(w->s->loop);
    return w->status;
}

int service_ask_bytes(struct service *s, enum role_id role, uint32_t op, const ProtobufCMessage *body,
                      struct buf *out)
{
    struct wait w = { .s = s, .bytes = out, .status = E_BUG };

    return ask(&w, role, op, body);
}

int service_ask(struct service *s, enum role_id role, uint32_t op, const ProtobufCMessage *body,
                const ProtobufCMessageDescriptor *d, void *out)
{
    struct wait w = { .s = s, .d = d, .status = E_BUG };
    int r = ask(&w, role, op, body);

    if (r == 0 && out)
        memcpy(out, &w.answer, sizeof w.answer);
    return r;
}

static void arrived(void *ctx, struct str bytes)
{
    struct wait *w = ctx;

    if (w->sunk == 0 && (w->sunk = w->sink(w->ctx, bytes)) < 0)
        loop_stop(w->s->loop);
    else
        rpc_call_consumed(w->call, bytes.n);
}

int service_fetch(struct service *s, enum role_id role, uint32_t op, const ProtobufCMessage *body,
                  const ProtobufCMessageDescriptor *d, void *out, int (*sink)(void *ctx, struct str bytes),
                  void *ctx)
{
    struct wait w = { .s = s, .d = d, .status = E_BUG, .sink = sink, .ctx = ctx };
    struct rpc_link *l = NULL;
    int r = link_to(s, role, &l);
    struct rpc_ask ask = { .op = op,
                           .body = body,
                           .flags = RPC_NO_REPEAT,
                           .deadline_ms = s->patience_ms,
                           .download = true,
                           .done = answered,
                           .on_data = arrived,
                           .ctx = &w };

    if (r < 0)
        return r;
    if (!(w.call = rpc_link_ask(l, &ask)))
        return E_NOMEM;
    while (!w.done && w.sunk == 0)
        loop_run(s->loop);
    if (w.sunk < 0) {
        if (!w.done)
            rpc_call_cancel(w.call);
        return w.sunk;
    }
    if (w.status == 0 && out)
        memcpy(out, &w.answer, sizeof w.answer);
    return w.status;
}

void service_forget(struct service *s)
{
    arena_reset(&s->arena);
}

static void room_again(void *ctx)
{
    struct wait *w = ctx;

    loop_stop(w->s->loop);
}

/* Until it is all sent, or the answer came before. */
static int send_all(struct wait *w, int64_t (*source)(void *ctx, size_t max, struct buf *out), void *ctx)
{
    CLEANUP(buf_release) struct buf piece = { .max = MIB(1) };

    while (!w->done) {
        size_t room = rpc_call_room(w->call);
        int64_t n;
        int r;

        if (room == 0) {
            loop_run(w->s->loop);
            continue;
        }
        buf_clear(&piece);
        if ((n = source(ctx, size_min(room, RPC_WINDOW), &piece)) < 0)
            return (int)n;
        if (n == 0) {
            rpc_call_end(w->call);
            return 0;
        }
        if ((r = rpc_call_send(w->call, buf_str(&piece))) < 0)
            return r;
    }
    return 0;
}

/* ---- begun now, ended later ---- */

struct service_call {
    struct wait w;
    struct buf answer;
};

static struct service_call *call_new(struct service *s)
{
    struct service_call *c = calloc(1, sizeof *c);

    if (!c)
        return NULL;
    c->answer.max = MIB(1);
    c->w = (struct wait){ .s = s, .bytes = &c->answer, .status = E_BUG };
    return c;
}

static void call_free(struct service_call *c)
{
    buf_release(&c->answer);
    free(c);
}

/* What became of it before it is forgotten: an answer to a call that nobody has would be written nowhere. */
static int call_give_up(struct service_call *c, int r)
{
    if (!c->w.done && c->w.call)
        rpc_call_cancel(c->w.call);
    call_free(c);
    return r;
}

int service_begin(struct service *s, enum role_id role, uint32_t op, const ProtobufCMessage *body,
                  int64_t (*source)(void *ctx, size_t max, struct buf *out), void *ctx,
                  struct service_call **out)
{
    struct rpc_link *l = NULL;
    int r = link_to(s, role, &l);
    struct service_call *c = r == 0 ? call_new(s) : NULL;
    struct rpc_ask ask = { .op = op,
                           .body = body,
                           .flags = RPC_NO_REPEAT,
                           .deadline_ms = s->patience_ms,
                           .upload = source != NULL,
                           .changes = true,
                           .done = answered,
                           .on_room = source ? room_again : NULL };

    if (!c)
        return r < 0 ? r : E_NOMEM;
    ask.ctx = &c->w;
    if (!(c->w.call = rpc_link_ask(l, &ask)))
        return call_give_up(c, E_NOMEM);
    if (source && (r = send_all(&c->w, source, ctx)) < 0)
        return call_give_up(c, r);
    *out = c;
    return 0;
}

int service_end(struct service_call **cp, const ProtobufCMessageDescriptor *d, void *out)
{
    struct service_call *c = *cp;
    void *m = NULL;
    int r;

    *cp = NULL;
    if (!c)
        return 0;
    while (!c->w.done)
        loop_run(c->w.s->loop);
    r = c->w.status;
    if (r == 0 && out && !(m = rpc_unpack(d, &c->w.s->arena, buf_str(&c->answer))))
        r = E_CORRUPT;
    if (r == 0 && out)
        memcpy(out, &m, sizeof m);
    call_free(c);
    return r;
}

int service_send(struct service *s, enum role_id role, uint32_t op, const ProtobufCMessage *body,
                 const ProtobufCMessageDescriptor *d, void *out,
                 int64_t (*source)(void *ctx, size_t max, struct buf *out), void *ctx)
{
    struct service_call *c = NULL;
    int r = service_begin(s, role, op, body, source, ctx, &c);

    return r < 0 ? r : service_end(&c, d, out);
}
