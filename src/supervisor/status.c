/* src/supervisor/status.c: run/status.sock. Connect, and JSON comes; nothing is read from the client. */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/log.h"
#include "lib/sandbox/sandbox.h"
#include "src/common/role.h"
#include "src/common/version.h"
#include "src/supervisor/super.h"
#include <sys/socket.h>
#include <unistd.h>

const char *child_state_name(enum child_state st)
{
    static const char *const names[] = { "down", "starting", "ready", "stopping", "stopped" };

    return names[st];
}

static int put_json_str(struct buf *b, const char *z)
{
    int r = buf_putc(b, '"');

    for (; *z && r == 0; z++)
        r = *z == '"' || *z == '\\' || (unsigned char)*z < 0x20
                ? buf_printf(b, "\\u%04x", (unsigned)(unsigned char)*z)
                : buf_putc(b, *z);
    return r < 0 ? r : buf_putc(b, '"');
}

static int put_role(struct super *s, struct buf *b, const struct child *c, bool first)
{
    const char *mode = SANDBOX_RELAXED ? "relaxed" : s->c->server.sandbox == SANDBOX_OFF ? "off" : "on";
    bool up = c->state != CHILD_DOWN && c->state != CHILD_STOPPED;
    char user[40];

    return buf_printf(
        b,
        "%s{\"name\":\"%s\",\"instance\":%u,\"user\":\"%s\",\"pid\":%d,\"state\":\"%s\","
        "\"restarts\":%llu,\"uptime_ms\":%lld,\"sandbox\":\"%s\",\"seccomp\":%s,\"landlock_abi\":%u}",
        first ? "" : ",", role_name(c->def->id), c->instance, users_name(s, c->def->id, user, sizeof user),
        up ? (int)c->pid : 0, child_state_name(c->state), (unsigned long long)c->restarts,
        (long long)(up ? clock_mono_ms() - c->started_ms : 0), mode, c->last.seccomp ? "true" : "false",
        c->last.landlock_abi);
}

static int put_listener(struct buf *b, const struct super_listener *l, bool first)
{
    int r;

    if ((r = buf_printf(b, "%s{\"key\":\"%s\",\"address\":", first ? "" : ",", l->key)) < 0 ||
        (r = put_json_str(b, l->text)) < 0)
        return r;
    return buf_putc(b, '}');
}

/* Has every kind of role a user of its own? */
static bool own_users(const struct super *s)
{
    for (size_t i = 0; i < s->nchildren; i++)
        for (size_t k = 0; k < i; k++)
            if (s->children[i].def != s->children[k].def &&
                users_share(s, s->children[i].def->id, s->children[k].def->id))
                return false;
    return true;
}

static int put_status(struct super *s, struct buf *b)
{
    int r = buf_printf(b,
                       "{\"version\":\"%s\",\"pid\":%d,\"mode\":\"%s\",\"ready\":%s,\"stopping\":%s,"
                       "\"uptime_ms\":%lld,\"own_users\":%s,\"tls\":%s,\"hostname\":",
                       LETTERLOCK_VERSION, (int)getpid(), s->mode == SUPERVISE_SERVICE ? "serve" : "command",
                       s->ready ? "true" : "false", s->stopping ? "true" : "false",
                       (long long)(clock_wall_ms() - s->began_wall_ms), own_users(s) ? "true" : "false",
                       s->tls_cert.n ? "true" : "false");

    if (r < 0 || (r = put_json_str(b, s->c->server.hostname)) < 0 || (r = buf_putz(b, ",\"config\":")) < 0 ||
        (r = put_json_str(b, s->c->path)) < 0 || (r = buf_putz(b, ",\"data_dir\":")) < 0 ||
        (r = put_json_str(b, s->c->server.data_dir)) < 0 || (r = buf_putz(b, ",\"roles\":[")) < 0)
        return r;
    for (size_t i = 0; i < s->nchildren; i++)
        if ((r = put_role(s, b, &s->children[i], i == 0)) < 0)
            return r;
    if ((r = buf_putz(b, "],\"listeners\":[")) < 0)
        return r;
    for (size_t i = 0; i < s->nlisteners; i++)
        if ((r = put_listener(b, &s->listeners[i], i == 0)) < 0)
            return r;
    return buf_putz(b, "]}\n");
}

void super_status_answer(struct super *s)
{
    CLEANUP(buf_release) struct buf b = { .max = KIB(64) };
    struct ucred who = { .uid = (uid_t)-1 };
    socklen_t n = sizeof who;
    int fd = accept4(s->status, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0)
        return;
    /* One write that fits in the socket's buffer, or is cut off: a client never makes us wait. */
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 && (who.uid == geteuid() || who.uid == 0) &&
        put_status(s, &b) == 0)
        send(fd, b.p, b.n, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
}
