/* src/common/role.c: a role's life from exec to exit. Order matters: read START, settle limits and
 * libraries, Landlock (before any thread exists), init, seccomp (all threads), and only then foreign
 * bytes. */
#include "src/common/report.h"
#include "src/common/role.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/wipe_stack.h"
#include "lib/sandbox/sandbox.h"
#include "src/common/boot.h"
#include "src/common/places.h"
#include "src/common/role_facts.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <sodium.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define ROLE_LSAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ROLE_LSAN 1
#endif
#endif
#ifdef ROLE_LSAN
#include <sanitizer/lsan_interface.h>
#endif

#define LINKS_MAX     32u
#define LISTENERS_MAX 64u
#define PORTS_MAX     16u

struct role_link {
    struct rpc_link *link;
    enum role_id to;
    uint32_t instance;
};

struct role {
    const struct role_def *def;
    uint32_t instance;
    struct loop *loop;
    void *data;
    struct rpc_server *server;
    struct role_link links[LINKS_MAX];
    size_t nlinks;
    int data_dir, lock, ctl_fd, spam_file;
    struct listener *ctl;
    struct tls_ctx *tls;
    uint8_t subkeys[SUBKEY_PURPOSES][KEY_BYTES], ticket_key[KEY_BYTES];
    uint32_t has_subkey;
    bool has_ticket_key, stopping;
    struct buf credentials, places;
    int64_t server_key_ms;
    struct role_listener listeners[LISTENERS_MAX];
    size_t nlisteners;
    struct str hostname;
    struct watch control;
    struct arena arena;
    enum sandbox_mode mode;
    struct sandbox_state sandbox;
    uint8_t packet[BOOT_PACKET_MAX];
};

const struct role_def *role_def_of(enum role_id id)
{
    static const struct role_def *const defs[] = { &store_role,    &content_role, &directory_role,
                                                   &imap_role,     &pop3_role,    &mx_role,
                                                   &resolver_role, &courier_role, &relay_role,
                                                   &monitor_role,  &storage_role, &submission_role,
                                                   &jobs_role,     &filter_role };

    for (size_t i = 0; i < ARRAY_LEN(defs); i++)
        if (defs[i]->id == id)
            return defs[i];
    return NULL;
}

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
int role_data_dir(const struct role *r)
{
    return r->data_dir;
}
int role_spam_file(struct role *r)
{
    int fd = r->spam_file;

    r->spam_file = -1;
    return fd;
}
const uint8_t *role_subkey(const struct role *r, enum subkey_purpose purpose)
{
    assert(r->has_subkey & BIT(purpose));
    return r->subkeys[purpose];
}
const uint8_t *role_ticket_key(const struct role *r)
{
    assert(r->has_ticket_key);
    return r->ticket_key;
}
struct str role_credentials(const struct role *r)
{
    return buf_str(&r->credentials);
}
int64_t role_server_key_ms(const struct role *r)
{
    return r->server_key_ms;
}
struct str role_places(const struct role *r)
{
    return buf_str(&r->places);
}

void role_credentials_wipe(struct role *r)
{
    buf_release(&r->credentials);
    buf_release(&r->places);
}
struct tls_ctx *role_tls(const struct role *r)
{
    return r->tls;
}
const struct role_listener *role_listeners(const struct role *r, size_t *n_out)
{
    *n_out = r->nlisteners;
    return r->listeners;
}
struct str role_hostname(const struct role *r)
{
    return r->hostname;
}

/* Exactly once the end: the kernel closes what is open, and the supervisor sees the exit. Freeing all
 * first would only give a late callback something to trip over; secrets are wiped here. A sanitizer is asked for what
 * nothing points to any more, since it sees no exit. */
void role_stopped(struct role *r)
{
    log_event(LOG_INFO, "role.stopped");
#ifdef ROLE_LSAN
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* or who changed users may not look at itself */
    __lsan_do_leak_check();
#endif
    sodium_memzero(r->subkeys, sizeof r->subkeys);
    sodium_memzero(r->ticket_key, sizeof r->ticket_key);
    _exit(EX_OK);
}

struct rpc_link *role_link(struct role *r, enum role_id server)
{
    struct rpc_link *best = NULL;

    for (size_t i = 0; i < r->nlinks; i++) {
        struct rpc_link *l = r->links[i].link;

        if (r->links[i].to != server)
            continue;
        if (!best ||
            (rpc_link_is_up(l) && (!rpc_link_is_up(best) || rpc_link_pending(l) < rpc_link_pending(best))))
            best = l;
    }
    assert(best); /* `asks` of the role's definition names every role it may ask */
    return best;
}

static struct rpc_link *link_of(struct role *r, enum role_id to, uint32_t instance)
{
    struct rpc_link *l;

    for (size_t i = 0; i < r->nlinks; i++)
        if (r->links[i].to == to && r->links[i].instance == instance)
            return r->links[i].link;
    if (r->nlinks == LINKS_MAX || !(l = rpc_link_new(r->loop, to, r->def->links, r)))
        return NULL;
    r->links[r->nlinks++] = (struct role_link){ l, to, instance };
    return l;
}

/* ---- START ---- */

static int take_conf(struct role *r, struct str ini)
{
    struct conf_table t = { r->def->items, r->def->nitems };
    CLEANUP(buf_release) struct buf err = { .max = KIB(4) };
    struct conf *c;
    int e;

    if (r->def->nitems == 0)
        return 0;
    if (!(c = conf_new(&t, 1)))
        return E_NOMEM;
    if ((e = conf_read_text(c, ini, "START", &err)) == 0)
        e = conf_values(c, t.items, t.n, &r->arena, r->def->conf);
    conf_free(&c);
    return e;
}

static int take_secrets(struct role *r, const Boot__Start *m)
{
    for (size_t i = 0; i < m->n_subkeys; i++) {
        const Boot__Secret *s = m->subkeys[i];

        if (s->purpose >= SUBKEY_PURPOSES || s->key.len != KEY_BYTES)
            return E_BUG;
        memcpy(r->subkeys[s->purpose], s->key.data, KEY_BYTES);
        r->has_subkey |= BIT(s->purpose);
    }
    if (m->ticket_key.len == KEY_BYTES) {
        memcpy(r->ticket_key, m->ticket_key.data, KEY_BYTES);
        r->has_ticket_key = true;
    }
    r->server_key_ms = m->server_key_ms;
    r->credentials.max = r->places.max = KIB(32);
    if (buf_puts(&r->credentials, pb_str(m->credentials)) < 0 || buf_puts(&r->places, pb_str(m->places)) < 0)
        return E_NOMEM;
    return m->tls_cert.len ? tls_ctx_new(pb_str(m->tls_cert), pb_str(m->tls_key), &r->tls) : 0;
}

static int take_descriptors(struct role *r, const Boot__Start *m, const int *fds, size_t nfds)
{
    size_t n = 0, need = (m->has_data_dir ? 2u : 0u) + (m->has_ctl ? 1u : 0u) + (m->has_spam ? 1u : 0u) +
                         m->n_listeners;

    if (nfds != need || m->n_listeners > LISTENERS_MAX)
        return E_BUG;
    if (m->has_data_dir) {
        r->data_dir = fds[n++];
        r->lock = fds[n++]; /* kept: the folder stays locked until every role that writes there is gone */
        if (fchdir(r->data_dir) < 0)
            return error_from_errno(errno);
    }
    if (m->has_ctl)
        r->ctl_fd = fds[n++];
    if (m->has_spam)
        r->spam_file = fds[n++];
    for (size_t i = 0; i < m->n_listeners; i++) {
        r->listeners[i] =
            (struct role_listener){ fds[n++], arena_dupz(&r->arena, str_from(m->listeners[i])) };
        if (!r->listeners[i].key)
            return E_NOMEM;
    }
    r->nlisteners = m->n_listeners;
    return 0;
}

static int take_start(struct role *r)
{
    int fds[BOOT_FDS_MAX], e;
    enum boot_kind kind = BOOT_NONE;
    size_t nfds = 0;
    ssize_t n = boot_recv(BOOT_FD, r->packet, sizeof r->packet, &kind, fds, &nfds);
    Boot__Start *m;

    if (n <= 0 || kind != BOOT_START)
        return E_CLOSED;
    if (!(m = RPC_UNPACK(&r->arena, str_of(r->packet + 1, (size_t)n - 1), boot__start)))
        return E_BUG;
    /* The supervisor may have died between fork and here; then nobody would ever end us. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (m->role != r->def->id || (pid_t)m->supervisor_pid != getppid())
        return E_CLOSED;
    log_init(role_name(r->def->id), (enum log_level)m->log_level);
    r->mode = (enum sandbox_mode)m->sandbox;
    r->hostname = arena_dup(&r->arena, pb_str(m->hostname));
    if ((e = take_descriptors(r, m, fds, nfds)) < 0 || (e = take_conf(r, pb_str(m->config))) < 0 ||
        (e = take_secrets(r, m)) < 0)
        return e;
    sodium_memzero(r->packet, sizeof r->packet);
    for (size_t i = 0; i < m->n_subkeys; i++)
        sodium_memzero(m->subkeys[i]->key.data, m->subkeys[i]->key.len);
    sodium_memzero(m->ticket_key.data, m->ticket_key.len);
    sodium_memzero(m->tls_key.data, m->tls_key.len);
    sodium_memzero(m->credentials.data, m->credentials.len);
    sodium_memzero(m->places.data, m->places.len);
    return 0;
}

/* ---- EDGE and STOP ---- */

static void take_edge(struct role *r, struct str bytes, int fd)
{
    struct arena a = { .max = KIB(4) };
    Boot__Edge *m = RPC_UNPACK(&a, bytes, boot__edge);
    struct rpc_link *l;
    int e = E_BUG;

    if (m && m->serve && r->server)
        e = rpc_server_add(r->server, fd, (enum role_id)m->role, m->instance);
    else if (m && !m->serve && (l = link_of(r, (enum role_id)m->role, m->instance)))
        e = rpc_link_connect(l, fd);
    else
        close(fd);
    if (e < 0)
        log_event(LOG_ERROR, "role.edge_failed", F_ERR(e));
    arena_release(&a);
}

static void control_ready(struct watch *w)
{
    struct role *r = CONTAINER_OF(w, struct role, control);
    enum boot_kind kind = BOOT_NONE;
    int fds[BOOT_FDS_MAX];
    size_t nfds = 0;
    ssize_t n = boot_recv(BOOT_FD, r->packet, sizeof r->packet, &kind, fds, &nfds);

    if (n == E_BUSY)
        return;
    if (n <= 0)
        _exit(EX_UNAVAILABLE); /* the supervisor is gone: nobody would restart or stop us */
    if (kind == BOOT_EDGE && nfds == 1) {
        take_edge(r, str_of(r->packet + 1, (size_t)n - 1), fds[0]);
    } else if (kind == BOOT_STOP && !r->stopping) {
        r->stopping = true;
        if (r->def->stop)
            r->def->stop(r);
        else
            role_stopped(r);
    }
}

/* The command line, on run/<role>.sock: this user's or root's processes only. */
static void ctl_accepted(void *ctx, int fd, const struct sockaddr *peer UNUSED, socklen_t peer_len UNUSED)
{
    struct ucred who = { .uid = (uid_t)-1 };
    socklen_t n = sizeof who;
    struct role *r = ctx;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) < 0 || (who.uid != geteuid() && who.uid != 0)) {
        log_event(LOG_WARN, "role.ctl_refused", F_U64("uid", who.uid));
        close(fd);
        return;
    }
    if (rpc_server_add(r->server, fd, ROLE_CTL, 0) < 0)
        log_event(LOG_ERROR, "role.ctl_failed");
}

/* ---- life ---- */

static uint32_t powers_of(const struct role_def *def)
{
    bool dials_unix = def->dials_unix && def->dials_unix();

    return role_facts(def->id)->powers | (dials_unix ? SANDBOX_DIAL_UNIX : 0);
}

/* Without a kernel that can: loud, and fatal when the configuration requires it. */
static int sandbox_verdict(const struct role *r, int e, const char *what)
{
    if (e == 0)
        return 0;
    log_event(LOG_ALARM, "role.sandbox_missing", F_Z("what", what), F_ERR(e));
    return r->mode == SANDBOX_REQUIRE ? E_UNSUPPORTED : 0;
}

static int make_links(struct role *r)
{
    for (int id = ROLE_NONE + 1; id < ROLE_COUNT; id++)
        if ((r->def->asks & BIT(id)) && !link_of(r, (enum role_id)id, 0))
            return E_NOMEM;
    if (r->def->service && !(r->server = rpc_server_new(r->loop, r->def->service, r)))
        return E_NOMEM;
    return 0;
}

static void folder_open(const char *path, int *folders, size_t *n)
{
    int fd = file_mkdir(AT_FDCWD, path) == 0 ? open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;

    if (fd >= 0)
        folders[(*n)++] = fd;
}

/* The data folder, and what the role's settings and places name besides. Where that cannot be opened the role finds out. */
static int box_files(struct role *r)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(256) };
    const char *path = r->def->folder ? r->def->folder() : NULL;
    int folders[2 + PLACES_MAX] = { r->data_dir }, e;
    struct places p = { .n = 0 };
    size_t n = 1;

    if ((e = places_parse(role_places(r), &a, &p, NULL)) < 0)
        return e; /* the supervisor has read it too and said why */
    if (path)
        folder_open(path, folders, &n);
    for (size_t i = 0; i < p.n; i++)
        if (place_is_folder(&p.rows[i]))
            folder_open(p.rows[i].target, folders, &n);
    e = sandbox_verdict(r, sandbox_files(folders, n, &r->sandbox), "landlock");
    while (n > 1)
        fd_close(&folders[--n]);
    return e;
}

/* After init, with no files: Landlock for the rest of its life. */
static int close_files(struct role *r)
{
    uint16_t ports[PORTS_MAX];
    size_t n = r->def->dials ? r->def->dials(r, ports, PORTS_MAX) : 0;

    return sandbox_verdict(r, sandbox_ports(ports, n, &r->sandbox), "landlock");
}

static int bring_up(struct role *r)
{
    bool boxed = r->mode != SANDBOX_OFF;
    bool files = (powers_of(r->def) & SANDBOX_FILES) != 0;
    int e;

    if (!(r->loop = loop_new()))
        return E_NOMEM;
    if ((e = make_links(r)) < 0)
        return e;
    /* Roles with a folder: before threads start, since Landlock holds a thread and its children. Roles
     * without: after init, which may load what libraries need (character sets). */
    if (boxed && files && (e = box_files(r)) < 0)
        return e;
    if (r->def->init && (e = r->def->init(r)) < 0)
        return e;
    if (boxed && !files && (e = close_files(r)) < 0)
        return e;
    if (boxed && (e = sandbox_verdict(r, sandbox_enter(powers_of(r->def), &r->sandbox), "seccomp")) < 0)
        return e;
    if ((e = watch_init(&r->control, r->loop, BOOT_FD, control_ready)) < 0)
        return e;
    if (r->ctl_fd >= 0 && r->server && !(r->ctl = listener_new(r->loop, r->ctl_fd, ctl_accepted, r)))
        return E_NOMEM;
    if ((r->def->asks & FROM(MONITOR)) &&
        (e = report_start(r->loop, role_link(r, ROLE_MONITOR), role_name(r->def->id))) < 0)
        return e;
    return r->def->start ? r->def->start(r) : 0;
}

static void report(const struct role *r, enum boot_report_kind kind, int error)
{
    struct boot_report rep = { .kind = (uint8_t)kind,
                               .seccomp = r->sandbox.seccomp,
                               .error = error,
                               .landlock_abi = (uint8_t)r->sandbox.landlock_abi };
    ssize_t w = send(BOOT_FD, &rep, sizeof rep, MSG_NOSIGNAL);

    (void)w; /* a supervisor that is gone ends us anyway */
}

static void quiet_signals(void)
{
    /* Ctrl-C and service managers signal the whole group; the order of ending is the supervisor's. */
    static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE };

    for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
        signal(ignored[i], SIG_IGN);
}

int role_main(int argc, char **argv)
{
    static struct role r = {
        .data_dir = -1, .lock = -1, .ctl_fd = -1, .spam_file = -1, .arena = { .max = MIB(1) }
    };
    uint32_t instance = 0;
    int e;

    for (int id = ROLE_NONE + 1; id < ROLE_COUNT && argc == 3; id++)
        if (strcmp(argv[1], role_name((enum role_id)id)) == 0)
            r.def = role_def_of((enum role_id)id);
    if (!r.def || !str_to_u32(str_from(argv[2]), &instance) || fcntl(BOOT_FD, F_GETFD) < 0) {
        fprintf(stderr, "letterlock role: started by letterlock serve only\n");
        return EX_USAGE;
    }
    r.instance = instance;
    log_init(argv[1], LOG_INFO);
    prctl(PR_SET_NAME, argv[1]);
    umask(077);
    fcntl(BOOT_FD, F_SETFD, FD_CLOEXEC);
    quiet_signals();
    wipe_stack_init();
    sandbox_no_dumps();
    sandbox_drop_rights((powers_of(r.def) & SANDBOX_FILES) != 0);
    /* Libraries read their configuration now: later there are no files. */
    if (sodium_init() < 0 || OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL) != 1)
        return EX_OSERR;
    if ((e = take_start(&r)) == E_CLOSED)
        return EX_UNAVAILABLE;
    if (e == 0)
        e = bring_up(&r);
    if (e < 0) {
        log_event(LOG_ERROR, "role.start_failed", F_ERR(e));
        report(&r, REPORT_FAILED, e);
        return EX_TEMPFAIL;
    }
    report(&r, REPORT_READY, 0);
    loop_run(r.loop);
    return EX_SOFTWARE;
}
