/* src/supervisor/supervisor.c: the loop. Three things happen: a signal, a report of a role, a time. */
#include "src/common/supervisor.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/sandbox/sandbox.h"
#include "src/common/role.h"
#include "src/supervisor/super.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

static void add_children(struct super *s, const struct role_def *def, uint64_t workers)
{
    for (uint32_t i = 0; i < workers && s->nchildren < CHILDREN_MAX; i++)
        s->children[s->nchildren++] = (struct child){ .def = def, .instance = i, .fd = -1 };
}

/* In the order of starting; stopping goes by stop_turn. */
static void choose_children(struct super *s)
{
    const struct server_conf *v = &s->c->server;
    bool all = s->mode == SUPERVISE_SERVICE;

    add_children(s, &directory_role, 1);
    add_children(s, &content_role, all ? v->content_workers : 1);
    add_children(s, &store_role, 1);
    add_children(s, &courier_role, 1);
    if (s->stores_elsewhere) /* commands without a service need it too, and names with it */
        add_children(s, &storage_role, 1);
    if (s->stores_elsewhere && !all)
        add_children(s, &resolver_role, 1);
    if (all) {
        add_children(s, &resolver_role, 1);
        add_children(s, &relay_role, 1);
        if (v->mx_clamav[0] || v->mx_rspamd[0])
            add_children(s, &filter_role, 1);
        add_children(s, &jobs_role, 1);
        add_children(s, &monitor_role, 1);
        add_children(s, &imap_role, v->imap_workers);
        if (v->pop3_listen.n + v->pop3_tls_listen.n)
            add_children(s, &pop3_role, v->pop3_workers);
        add_children(s, &mx_role, v->mx_workers);
        if (v->submission_listen.n + v->submission_tls_listen.n)
            add_children(s, &submission_role, v->submission_workers);
    }
}

/* Fronts first: what they have acknowledged is still with store and courier when those are told to stop. Then who sends, as
 * long as what it asks of others is there; then the rest. */
#define STOP_TURNS 3u
static unsigned stop_turn(const struct child *c)
{
    switch ((int)c->def->id) {
    case ROLE_IMAP:
    case ROLE_POP3:
    case ROLE_MX:
    case ROLE_SUBMISSION: return 0;
    case ROLE_COURIER:
    case ROLE_RELAY: return 1;
    default: return 2;
    }
}

/* ---- a role died ---- */

/* It ended by itself in good order: told to, or a worker that has done its share and makes room. */
static bool retired(int status)
{
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void log_death(const struct super *s, const struct child *c, int status)
{
    const char *role = role_name(c->def->id);

    if (retired(status))
        return;
    if (WIFSIGNALED(status) &&
        WTERMSIG(status) == SIGSYS) /* it did what its sandbox forbids: a bug or a break-in */
        log_event(LOG_ALARM, "supervisor.role_broke_sandbox", F_Z("role", role),
                  F_U64("instance", c->instance), F_U64("role_pid", c->pid));
    else if (WIFSIGNALED(status))
        log_event(LOG_ERROR, "supervisor.role_killed", F_Z("role", role), F_U64("instance", c->instance),
                  F_U64("role_pid", c->pid), F_U64("signal", WTERMSIG(status)));
    else
        log_event(s->stopping ? LOG_WARN : LOG_ERROR, "supervisor.role_ended", F_Z("role", role),
                  F_U64("instance", c->instance), F_U64("role_pid", c->pid),
                  F_U64("exit", WEXITSTATUS(status)));
}

static void plan_restart(const struct super *s, struct child *c, bool well)
{
    int64_t now = clock_mono_ms(), max = (int64_t)s->c->server.restart_max_ms;

    if (now - c->started_ms >= (well ? BACKOFF_FIRST_MS : LIVED_WELL_MS))
        c->backoff_ms = 0;
    c->start_at_ms = now + c->backoff_ms;
    c->backoff_ms = c->backoff_ms == 0 ? BACKOFF_FIRST_MS : c->backoff_ms * 2;
    c->backoff_ms = c->backoff_ms > max ? max : c->backoff_ms;
    c->restarts++;
}

static void reap(struct super *s)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (size_t i = 0; i < s->nchildren; i++) {
            struct child *c = &s->children[i];

            if (c->pid != pid || c->state == CHILD_DOWN || c->state == CHILD_STOPPED)
                continue;
            log_death(s, c, status);
            fd_close(&c->fd);
            c->state = s->stopping ? CHILD_STOPPED : CHILD_DOWN;
            if (!s->stopping)
                plan_restart(s, c, retired(status));
        }
}

static void start_due(struct super *s)
{
    int64_t now = clock_mono_ms();

    for (size_t i = 0; i < s->nchildren && !s->stopping; i++) {
        struct child *c = &s->children[i];
        int r;

        if (c->state != CHILD_DOWN || c->start_at_ms > now)
            continue;
        if ((r = super_spawn(s, c)) < 0) {
            log_event(LOG_ERROR, "supervisor.spawn_failed", F_Z("role", role_name(c->def->id)), F_ERR(r));
            c->started_ms = now;
            plan_restart(s, c, false);
        }
    }
}

/* ---- reports ---- */

static void all_ready(struct super *s)
{
    for (size_t i = 0; i < s->nchildren; i++)
        if (s->children[i].state != CHILD_READY && !s->children[i].def->optional)
            return;
    if (s->ready)
        return;
    s->ready = true;
    log_event(LOG_INFO, "supervisor.ready", F_U64("roles", s->nchildren), F_U64("listeners", s->nlisteners));
    super_notify("READY=1");
    if (s->ready_fd >= 0 && write(s->ready_fd, "R", 1) != 1)
        log_event(LOG_WARN, "supervisor.ready_unheard");
}

static void take_report(struct super *s, struct child *c)
{
    struct boot_report rep;
    ssize_t n = recv(c->fd, &rep, sizeof rep, MSG_DONTWAIT);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        /* No more to hear; its death comes as SIGCHLD. A role that only closed its end would be deaf to
         * us for ever: end it. */
        kill(c->pid, SIGKILL);
        fd_close(&c->fd);
        return;
    }
    if (n != (ssize_t)sizeof rep)
        return;
    if (rep.kind == REPORT_READY && c->state == CHILD_STARTING) {
        c->last = rep;
        c->state = CHILD_READY;
        all_ready(s);
    } else if (rep.kind == REPORT_FAILED) {
        log_event(LOG_ERROR, "supervisor.role_failed", F_Z("role", role_name(c->def->id)), F_ERR(rep.error));
    }
}

/* ---- the end ---- */

static bool any_left(const struct super *s, unsigned turns)
{
    for (size_t i = 0; i < s->nchildren; i++)
        if (stop_turn(&s->children[i]) < turns && s->children[i].state != CHILD_STOPPED &&
            s->children[i].state != CHILD_DOWN)
            return true;
    return false;
}

static void stop_some(struct super *s, unsigned turn)
{
    for (size_t i = 0; i < s->nchildren; i++)
        if (stop_turn(&s->children[i]) == turn)
            child_stop(&s->children[i]);
}

static void begin_stop(struct super *s)
{
    if (s->stopping) {
        s->hurry = true;
        return;
    }
    s->stopping = true;
    s->stop_deadline_ms = clock_mono_ms() + STOP_GRACE_MS;
    super_notify("STOPPING=1");
    log_event(LOG_INFO, "supervisor.stopping");
    stop_some(s, 0);
}

static void go_on_stopping(struct super *s)
{
    for (unsigned turn = 1; turn < STOP_TURNS && !any_left(s, turn); turn++)
        stop_some(s, turn); /* again to who was told: nothing happens */
    if (!s->hurry && clock_mono_ms() < s->stop_deadline_ms)
        return;
    for (size_t i = 0; i < s->nchildren; i++)
        if (s->children[i].state != CHILD_STOPPED && s->children[i].state != CHILD_DOWN)
            kill(s->children[i].pid, SIGKILL);
}

static void take_signals(struct super *s)
{
    struct signalfd_siginfo si;

    while (read(s->signals, &si, sizeof si) == (ssize_t)sizeof si) {
        if (si.ssi_signo == SIGCHLD)
            reap(s);
        else
            begin_stop(s);
    }
}

/* ---- the loop ---- */

static int64_t next_time(const struct super *s)
{
    int64_t at = s->stopping ? s->stop_deadline_ms : INT64_MAX;

    for (size_t i = 0; i < s->nchildren && !s->stopping; i++)
        if (s->children[i].state == CHILD_DOWN && s->children[i].start_at_ms < at)
            at = s->children[i].start_at_ms;
    return at;
}

static void wait_and_serve(struct super *s)
{
    struct pollfd fds[2 + CHILDREN_MAX] = { { .fd = s->signals, .events = POLLIN },
                                            { .fd = s->status, .events = POLLIN } };
    int64_t at = next_time(s), now = clock_mono_ms();
    int timeout = at == INT64_MAX ? -1 : at <= now ? 0 : (int)(at - now < 60000 ? at - now : 60000);

    for (size_t i = 0; i < s->nchildren; i++)
        fds[2 + i] = (struct pollfd){ .fd = s->children[i].fd, .events = POLLIN };
    if (poll(fds, (nfds_t)(2 + s->nchildren), timeout) < 0)
        return;
    /* Reports before deaths: what a role said last is known when it is buried. */
    for (size_t i = 0; i < s->nchildren; i++)
        if (fds[2 + i].revents && s->children[i].fd >= 0)
            take_report(s, &s->children[i]);
    if (fds[0].revents)
        take_signals(s);
    if (fds[1].revents)
        super_status_answer(s);
}

int supervisor_run(const struct config *c, enum supervisor_mode mode, int ready_fd)
{
    static struct super s;
    int r;

    s = (struct super){ .c = c, .mode = mode, .ready_fd = ready_fd };
    log_init("supervisor", mode == SUPERVISE_COMMAND && c->server.log_level < LOG_WARN
                               ? LOG_WARN
                               : (enum log_level)c->server.log_level);
    sandbox_no_dumps();
    if ((r = super_setup(&s)) == 0) {
        sandbox_drop_rights_but_starting();
        choose_children(&s);
        while (!s.stopping || any_left(&s, STOP_TURNS)) {
            start_due(&s);
            wait_and_serve(&s);
            if (s.stopping)
                go_on_stopping(&s);
        }
        log_event(LOG_INFO, "supervisor.stopped");
    }
    super_release(&s);
    return r;
}
