/* src/supervisor/setup.c: the folder and its lock, keys, certificates, sockets. */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/s3/s3.h"
#include "src/common/places.h"
#include "src/common/role_facts.h"
#include "src/supervisor/super.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define LOCK_WAIT_SERVICE_MS 5000 /* a supervisor just killed: its roles need a moment to go too */
#define CREDENTIAL_PATH      512u
#define LOCK_WAIT_COMMAND_MS 30000 /* a command that runs: it will end */

static int open_folder(const char *path, int *fd_out)
{
    int fd, r = file_mkdir(AT_FDCWD, path);

    if (r < 0)
        return super_fail(EX_CANTCREAT, "%s: %s", path, error_text(r));
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return super_fail(EX_NOINPUT, "%s: %s", path, strerror(errno));
    *fd_out = fd;
    return 0;
}

/* Who holds the lock, as it wrote itself: "serve 1234". For messages only. */
static void lock_holder(int lock, char *what, size_t n, int *pid_out)
{
    char text[64] = "";
    struct str mode, pid;
    uint32_t number = 0;
    ssize_t got = pread(lock, text, sizeof text - 1, 0);

    *pid_out = 0;
    snprintf(what, n, "another process");
    if (got <= 0 || !str_cut(str_trim(str_of(text, (size_t)got)), ' ', &mode, &pid) ||
        !str_to_u32(pid, &number))
        return;
    *pid_out = (int)number;
    snprintf(what, n, "%s (process %d)",
             str_eq_z(mode, "serve") ? "letterlock serve" : "a letterlock command", *pid_out);
}

static void sleep_ms(long ms)
{
    struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

    nanosleep(&t, NULL);
}

/* Roles keep the lock open too, so it is free only when nobody of the former service can write. */
static int take_lock(struct super *s)
{
    int64_t began = clock_mono_ms();
    char who[80], mine[64];
    bool said = false;
    int pid, n;

    s->lock = openat(s->data_dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock < 0)
        return super_fail(EX_CANTCREAT, "%s/lock: %s", s->c->server.data_dir, strerror(errno));
    while (file_lock(s->lock) < 0) {
        bool serves, alive;

        lock_holder(s->lock, who, sizeof who, &pid);
        serves = strstr(who, "serve") != NULL;
        alive = pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);
        if ((serves && alive) ||
            clock_mono_ms() - began > (serves ? LOCK_WAIT_SERVICE_MS : LOCK_WAIT_COMMAND_MS))
            return super_fail(EX_TEMPFAIL, "%s is in use by %s", s->c->server.data_dir, who);
        if (!said && !serves)
            super_fail(0, "%s is in use by %s: waiting for it", s->c->server.data_dir, who);
        said = true;
        sleep_ms(20);
    }
    n = snprintf(mine, sizeof mine, "%s %d\n", s->mode == SUPERVISE_SERVICE ? "serve" : "command",
                 (int)getpid());
    if (ftruncate(s->lock, 0) < 0 || pwrite(s->lock, mine, (size_t)n, 0) != n)
        return super_fail(EX_IOERR, "%s/lock: %s", s->c->server.data_dir, strerror(errno));
    return 0;
}

/* ---- certificates ---- */

static int read_tls(struct super *s)
{
    const struct server_conf *v = &s->c->server;
    int r;

    s->tls_cert.max = s->tls_key.max = KIB(32);
    if (!v->tls_cert[0] || s->mode != SUPERVISE_SERVICE) {
        if (s->mode == SUPERVISE_SERVICE)
            log_event(LOG_WARN, "supervisor.no_tls");
        return 0;
    }
    if ((r = file_read(AT_FDCWD, v->tls_cert, &s->tls_cert)) < 0)
        return super_fail(EX_NOINPUT, "%s: certificate: %s", v->tls_cert, error_text(r));
    if ((r = file_read(AT_FDCWD, v->tls_key, &s->tls_key)) < 0)
        return super_fail(EX_NOINPUT, "%s: private key: %s", v->tls_key, error_text(r));
    return 0;
}

/* A credential of systemd's goes before a file (systemd.exec(5), CREDENTIALS): closed on the disk, by the machine's TPM or the
 * host's key, it is opened for this service alone. */
static const char *credential_or(const char *name, const char *path, char out[CREDENTIAL_PATH])
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");

    if (!folder || snprintf(out, CREDENTIAL_PATH, "%s/letterlock.%s", folder, name) >= (int)CREDENTIAL_PATH)
        return path;
    return access(out, R_OK) == 0 ? out : path;
}

/* For the storage role alone. Without them it cannot do anything, and the rest can. */
static int read_storage(struct super *s)
{
    char credential[CREDENTIAL_PATH] = "";
    const char *path = credential_or("storage_credentials", s->c->server.storage_credentials, credential);
    struct stat st;
    int r;

    s->storage_credentials.max = KIB(16);
    if (!s->c->server.storage_target[0])
        return 0;
    if (path != credential && stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077))
        return super_fail(EX_CONFIG, "%s: readable by others, expected mode 0600", path);
    if ((r = file_read(AT_FDCWD, path, &s->storage_credentials)) < 0)
        return super_fail(r == E_NOTFOUND ? EX_NOINPUT : EX_IOERR, "%s: storage.credentials: %s", path,
                          error_text(r));
    return 0;
}

static int place_check(const struct place_row *p)
{
    struct s3_credentials c = { .key_id = "" };
    struct s3_place place;
    int r;

    if (place_is_folder(p))
        return 0;
    if ((r = s3_place_parse(str_from(p->target), str_from(p->endpoint), &place)) == 0)
        r = s3_credentials_parse(p->credentials, &c);
    s3_credentials_wipe(&c);
    return r;
}

/* Places of domains: all of them good, or we do not start. */
static int read_places(struct super *s)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(256) };
    CLEANUP(buf_release) struct buf why = { .max = 200 };
    char credential[CREDENTIAL_PATH] = "";
    const char *path = credential_or("storage_places", s->c->server.storage_places, credential);
    struct places p = { .n = 0 };
    struct stat st;
    int r;

    s->places.max = s->places_public.max = PLACES_TEXT_MAX;
    s->stores_elsewhere = s->c->server.storage_target[0] != '\0';
    if (!path[0])
        return 0;
    if (path != credential && stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077))
        return super_fail(EX_CONFIG, "%s: readable by others, expected mode 0600", path);
    if ((r = file_read(AT_FDCWD, path, &s->places)) < 0)
        return super_fail(r == E_NOTFOUND ? EX_NOINPUT : EX_IOERR, "%s: storage.places: %s", path,
                          error_text(r));
    if ((r = places_parse(buf_str(&s->places), &a, &p, &why)) == 0)
        r = places_public(&p, &s->places_public);
    if (r < 0)
        return super_fail(EX_CONFIG, "%s: %s", path, why.n ? buf_z(&why) : error_text(r));
    for (size_t i = 0; i < p.n; i++) {
        if (place_check(&p.rows[i]) < 0)
            return super_fail(EX_CONFIG,
                              "%s: [%s]: expected s3://bucket/prefix, https://host and credentials", path,
                              p.rows[i].name);
        s->stores_elsewhere |= !place_is_folder(&p.rows[i]);
    }
    return 0;
}

/* ---- sockets ---- */

static int listen_on(struct super *s, const struct conf_addr *a, enum role_id role, const char *key)
{
    int fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    int only = a->text[0] != ':'; /* ":25" alone means IPv4 too */

    if (fd < 0 || s->nlisteners == SUPER_LISTEN_MAX)
        return super_fail(EX_OSERR, "%s %s: %s", key, a->text, strerror(errno));
    s->listeners[s->nlisteners++] = (struct super_listener){ fd, role, key, a->text };
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (a->sa.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
    if (bind(fd, (const struct sockaddr *)(const void *)&a->sa, a->len) < 0 || listen(fd, 1024) < 0)
        return super_fail(errno == EACCES ? EX_NOPERM : EX_UNAVAILABLE, "%s = %s: %s", key, a->text,
                          strerror(errno));
    return 0;
}

/* A socket that an operator named. What is not a socket there stays, and is an error. */
static int listen_named(struct super *s, const char *path, const char *mode, enum role_id role,
                        const char *key)
{
    CLEANUP(fd_close) int dir = -1;
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    const char *slash = strrchr(path, '/');
    char folder[4096];
    struct stat st;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), r;
    mode_t old, bits = (mode_t)strtoul(mode, NULL, 8);

    if (fd < 0 || s->nlisteners == SUPER_LISTEN_MAX)
        return super_fail(EX_OSERR, "%s %s: %s", key, path, strerror(errno));
    s->listeners[s->nlisteners++] = (struct super_listener){ fd, role, key, path };
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path + 1) : 1, slash ? path : ".");
    dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    snprintf(a.sun_path, sizeof a.sun_path, "/proc/self/fd/%d/%.80s", dir, slash ? slash + 1 : path);
    if (dir >= 0 && lstat(a.sun_path, &st) == 0 && S_ISSOCK(st.st_mode))
        unlink(a.sun_path); /* we hold the lock: whoever bound it is gone */
    old = umask(~bits & 0777);
    r = bind(fd, (struct sockaddr *)(void *)&a, sizeof a);
    umask(old);
    if (dir < 0 || r < 0 || listen(fd, 256) < 0)
        return super_fail(EX_CANTCREAT, "%s = %s: %s", key, path, strerror(errno));
    return 0;
}

static int listen_all(struct super *s)
{
    const struct server_conf *v = &s->c->server;
    const struct {
        const struct conf_addrs *list;
        enum role_id role;
        const char *key;
    } rows[] = {
        { &v->imap_listen, ROLE_IMAP, "imap.listen" },
        { &v->imap_tls_listen, ROLE_IMAP, "imap.tls_listen" },
        { &v->pop3_listen, ROLE_POP3, "pop3.listen" },
        { &v->pop3_tls_listen, ROLE_POP3, "pop3.tls_listen" },
        { &v->mx_listen, ROLE_MX, "mx.listen" },
        { &v->monitor_listen, ROLE_MONITOR, "monitor.listen" },
        { &v->submission_listen, ROLE_SUBMISSION, "submission.listen" },
        { &v->submission_tls_listen, ROLE_SUBMISSION, "submission.tls_listen" },
    };
    int r = 0;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (size_t k = 0; k < rows[i].list->n && r == 0; k++)
            r = listen_on(s, &rows[i].list->v[k], rows[i].role, rows[i].key);
    if (r == 0 && v->mx_lmtp_socket[0])
        r = listen_named(s, v->mx_lmtp_socket, v->mx_lmtp_mode, ROLE_MX, "mx.lmtp_socket");
    return r;
}

/* Bound through the folder's descriptor: sun_path holds 107 bytes, folders are longer. */
static int listen_unix(struct super *s, const char *name, int *fd_out)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    mode_t old;
    int r;

    if (fd < 0)
        return super_fail(EX_OSERR, "socket: %s", strerror(errno));
    snprintf(a.sun_path, sizeof a.sun_path, "/proc/self/fd/%d/%s", s->run_dir, name);
    unlinkat(s->run_dir, name, 0); /* we hold the lock: whoever bound it is gone */
    old = umask(0177);
    r = bind(fd, (struct sockaddr *)(void *)&a, sizeof a);
    umask(old);
    if (r < 0 || listen(fd, 64) < 0)
        return super_fail(EX_CANTCREAT, "%s/%s: %s", s->c->server.run_dir, name, strerror(errno));
    *fd_out = fd;
    return 0;
}

static int watch_signals(struct super *s)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return s->signals < 0 ? super_fail(EX_OSERR, "signalfd: %s", strerror(errno)) : 0;
}

int super_lock(struct super *s)
{
    int r;

    s->data_dir = s->lock = s->run_dir = s->exe = s->signals = s->status = -1;
    s->spam_file = -1;
    for (int id = 0; id < ROLE_COUNT; id++)
        s->ctl[id] = -1;
    if ((r = open_folder(s->c->server.data_dir, &s->data_dir)) != 0 || (r = take_lock(s)) != 0)
        return r;
    return users_find(s);
}

static int listen_ctl(struct super *s)
{
    int r = 0;

    for (int id = 0; id < ROLE_COUNT && r == 0; id++) {
        const struct role_facts *f = role_facts((enum role_id)id);

        if (f->socket && (f->in_commands || s->mode == SUPERVISE_SERVICE))
            r = listen_unix(s, f->socket, &s->ctl[id]);
    }
    return r;
}

int super_setup(struct super *s)
{
    CLEANUP(fd_close) int exe = -1;
    int r = super_lock(s);

    if (r != 0)
        return r;

    s->began_wall_ms = clock_wall_ms();
    /* Kept open, so that a new binary on the disk never joins roles of the old one. */
    exe = open("/proc/self/exe", O_PATH | O_CLOEXEC);
    s->exe = fcntl(exe, F_DUPFD_CLOEXEC, 64); /* out of the way of BOOT_FD */
    if (s->exe < 0)
        return super_fail(EX_OSFILE, "/proc/self/exe: %s", strerror(errno));
    if (s->mode == SUPERVISE_SERVICE &&
        (s->spam_file = openat(s->data_dir, "spam.model", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) <
            0)
        super_fail(0, "%s/spam.model: %s: words will say nothing of mail", s->c->server.data_dir,
                   strerror(errno));
    if ((r = open_folder(s->c->server.run_dir, &s->run_dir)) != 0 || (r = super_keys(s)) != 0 ||
        (r = read_tls(s)) != 0 || (r = read_storage(s)) != 0 || (r = read_places(s)) != 0 ||
        (r = watch_signals(s)) != 0 || (s->mode == SUPERVISE_SERVICE && (r = listen_all(s)) != 0) ||
        (r = listen_ctl(s)) != 0 || (r = listen_unix(s, "status.sock", &s->status)) != 0)
        return r;
    return 0;
}

void super_release(struct super *s)
{
    for (int id = 0; id < ROLE_COUNT; id++) {
        if (s->status >= 0 && role_facts((enum role_id)id)->socket)
            unlinkat(s->run_dir, role_facts((enum role_id)id)->socket, 0);
        fd_close(&s->ctl[id]);
    }
    if (s->status >= 0)
        unlinkat(s->run_dir, "status.sock", 0);
    for (size_t i = 0; i < s->nlisteners; i++)
        if (s->listeners[i].text[0] == '/')
            unlink(s->listeners[i].text);
    for (size_t i = 0; i < s->nlisteners; i++)
        fd_close(&s->listeners[i].fd);
    fd_close(&s->status);
    fd_close(&s->signals);
    fd_close(&s->exe);
    fd_close(&s->run_dir);
    fd_close(&s->spam_file);
    fd_close(&s->lock);
    fd_close(&s->data_dir);
    buf_release(&s->tls_cert);
    buf_release(&s->tls_key);
    buf_release(&s->storage_credentials);
    buf_release(&s->places);
    buf_release(&s->places_public);
    explicit_bzero(s->subkeys, sizeof s->subkeys);
    explicit_bzero(s->ticket_key, sizeof s->ticket_key);
}
