/* src/supervisor/child.c: fork, exec, START, and the pairs between roles. */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/sandbox/sandbox.h"
#include "src/common/role.h"
#include "src/common/role_facts.h"
#include "src/supervisor/super.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <unistd.h>

/* ---- after fork: only calls that are safe there ---- */

/* gcc's UBSan is a library of its own that reads only its own options: without them it reports and goes on. */
static void keep_sanitizers(char **env)
{
    static const char *const names[] = { "ASAN_OPTIONS", "UBSAN_OPTIONS" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char *value = getenv(names[i]);

        if (value)
            *env++ = value - strlen(names[i]) - 1;
    }
}

static _Noreturn void become(const struct super *s, enum role_id role, const char *instance, int control)
{
    char *argv[] = { (char *)(uintptr_t) "letterlock", (char *)(uintptr_t) "role",
                     (char *)(uintptr_t)role_name(role), (char *)(uintptr_t)instance, NULL };
    /* A fresh environment. UTC: no time zone file is ever looked for. */
    char *env[] = { (char *)(uintptr_t) "TZ=UTC0", NULL, NULL, NULL };
    int null = open("/dev/null", O_RDONLY);
    sigset_t none;

    if (SANDBOX_RELAXED)
        keep_sanitizers(env + 1);
    sigemptyset(&none);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0 ||
        users_become(s, role) < 0)
        _exit(EX_OSERR);
    /* After the change of user, which clears it. The role asks again, and looks at its parent. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (control == BOOT_FD ? fcntl(BOOT_FD, F_SETFD, 0) < 0 : dup2(control, BOOT_FD) < 0)
        _exit(EX_OSERR);
    syscall(SYS_close_range, BOOT_FD + 1, ~0u, CLOSE_RANGE_CLOEXEC);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execveat(s->exe, "", argv, env, AT_EMPTY_PATH);
    _exit(EX_OSERR);
}

/* ---- START ---- */

struct start {
    Boot__Start m;
    Boot__Secret secrets[SUBKEY_PURPOSES], *secret_list[SUBKEY_PURPOSES];
    char *listeners[SUPER_LISTEN_MAX];
    int fds[BOOT_FDS_MAX];
    size_t nfds;
};

static int64_t server_key_ms(const struct super *s)
{
    struct stat st;

    return stat(s->c->server.key_file, &st) == 0 ? (int64_t)st.st_mtime * 1000 : 0;
}

static void give_keys(struct super *s, const struct child *c, struct start *st)
{
    const struct role_facts *facts = role_facts(c->def->id);

    for (uint32_t p = 0; p < SUBKEY_PURPOSES; p++) {
        Boot__Secret *one = &st->secrets[st->m.n_subkeys];

        if (!(facts->subkeys & BIT(p)))
            continue;
        boot__secret__init(one);
        one->purpose = p;
        one->key = str_pb(str_of(s->subkeys[p], KEY_BYTES));
        st->secret_list[st->m.n_subkeys++] = one;
    }
    st->m.subkeys = st->secret_list;
    if (c->def->id == ROLE_STORE)
        st->m.ticket_key = str_pb(str_of(s->ticket_key, KEY_BYTES));
    if (c->def->id == ROLE_STORAGE)
        st->m.credentials = str_pb(buf_str(&s->storage_credentials));
    if (c->def->id == ROLE_STORAGE || c->def->id == ROLE_STORE)
        st->m.places = str_pb(buf_str(c->def->id == ROLE_STORE ? &s->places_public : &s->places));
    if (c->def->id == ROLE_JOBS) { /* how old they are, not what they are: the certificate is public */
        st->m.credentials = str_pb(buf_str(&s->tls_cert));
        st->m.server_key_ms = server_key_ms(s);
    }
    if (facts->tls) {
        st->m.tls_cert = str_pb(buf_str(&s->tls_cert));
        st->m.tls_key = str_pb(buf_str(&s->tls_key));
    }
}

static void give_descriptors(struct super *s, const struct child *c, struct start *st)
{
    int ctl = s->ctl[c->def->id];

    if (role_facts(c->def->id)->powers & SANDBOX_FILES) {
        st->m.has_data_dir = true;
        st->fds[st->nfds++] = s->data_dir;
        st->fds[st->nfds++] = s->lock;
    }
    if (ctl >= 0) {
        st->m.has_ctl = true;
        st->fds[st->nfds++] = ctl;
    }
    if (c->def->id == ROLE_MX && s->spam_file >= 0) {
        st->m.has_spam = true;
        st->fds[st->nfds++] = s->spam_file;
    }
    st->m.listeners = st->listeners;
    for (size_t i = 0; i < s->nlisteners; i++)
        if (s->listeners[i].role == c->def->id) {
            st->listeners[st->m.n_listeners++] = (char *)(uintptr_t)s->listeners[i].key;
            st->fds[st->nfds++] = s->listeners[i].fd;
        }
}

static int send_start(struct super *s, const struct child *c)
{
    CLEANUP(buf_release) struct buf ini = { .max = KIB(64) };
    struct start st = { .nfds = 0 };
    int r = conf_print(s->c->conf, c->def->items, c->def->nitems, &ini);

    if (r < 0)
        return r;
    boot__start__init(&st.m);
    st.m.role = c->def->id;
    st.m.instance = c->instance;
    st.m.supervisor_pid = (uint32_t)getpid();
    st.m.config = str_pb(buf_str(&ini));
    st.m.hostname = str_pb(str_from(s->c->server.hostname));
    st.m.sandbox = s->c->server.sandbox;
    st.m.log_level =
        s->mode == SUPERVISE_COMMAND && s->c->server.log_level < LOG_WARN ? LOG_WARN : s->c->server.log_level;
    give_keys(s, c, &st);
    give_descriptors(s, c, &st);
    return boot_send(c->fd, BOOT_START, &st.m.base, st.fds, st.nfds);
}

/* ---- edges ---- */

static int send_edge(const struct child *to, const struct child *other, bool serve, int fd)
{
    Boot__Edge m = BOOT__EDGE__INIT;

    m.serve = serve;
    m.role = other->def->id;
    m.instance = other->instance;
    return boot_send(to->fd, BOOT_EDGE, &m.base, &fd, 1);
}

static void connect_pair(struct child *client, struct child *server)
{
    int pair[2], r;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0) {
        log_event(LOG_ERROR, "supervisor.pair_failed", F_ERRNO());
        return;
    }
    if ((r = send_edge(server, client, true, pair[0])) < 0 ||
        (r = send_edge(client, server, false, pair[1])) < 0)
        /* Whoever does not read is dying or stuck; its own end is noticed elsewhere. */
        log_event(LOG_WARN, "supervisor.edge_failed", F_Z("client", role_name(client->def->id)),
                  F_Z("server", role_name(server->def->id)), F_ERR(r));
    close(pair[0]);
    close(pair[1]);
}

static bool alive(const struct child *c)
{
    return c->state == CHILD_STARTING || c->state == CHILD_READY;
}

/* The one that starts later makes the pair, so every edge is made once for each life of its ends. */
static void connect_all(struct super *s, struct child *c)
{
    for (size_t i = 0; i < s->nchildren; i++) {
        struct child *o = &s->children[i];

        if (o == c || !alive(o))
            continue;
        if ((c->def->asks & BIT(o->def->id)) && o->def->service)
            connect_pair(c, o);
        if ((o->def->asks & BIT(c->def->id)) && c->def->service)
            connect_pair(o, c);
    }
}

int super_spawn(struct super *s, struct child *c)
{
    char instance[12];
    int pair[2], r;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_from_errno(errno);
    snprintf(instance, sizeof instance, "%u", c->instance);
    c->pid = fork();
    if (c->pid == 0)
        become(s, c->def->id, instance, pair[1]);
    close(pair[1]);
    if (c->pid < 0) {
        r = error_from_errno(errno);
        close(pair[0]);
        return r;
    }
    c->fd = pair[0];
    c->state = CHILD_STARTING;
    c->started_ms = clock_mono_ms();
    c->last = (struct boot_report){ 0 };
    if ((r = send_start(s, c)) < 0) {
        log_event(LOG_ERROR, "supervisor.start_failed", F_Z("role", role_name(c->def->id)), F_ERR(r));
        kill(c->pid, SIGKILL);
        return 0; /* its end is noticed like any other */
    }
    connect_all(s, c);
    return 0;
}

void child_stop(struct child *c)
{
    Boot__Stop m = BOOT__STOP__INIT;

    if (!alive(c))
        return;
    c->state = CHILD_STOPPING;
    if (boot_send(c->fd, BOOT_STOP, &m.base, NULL, 0) < 0)
        kill(c->pid, SIGKILL);
}
