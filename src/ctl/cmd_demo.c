/* src/ctl/cmd_demo.c: everything at once on this machine, to look at. The service runs as a child with
 * its log in a file, so the screen stays readable; Ctrl-C reaches it as it would reach `serve`. */
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "proto/directory.pb-c.h"
#include "proto/store.pb-c.h"
#include "src/ctl/ctl.h"
#include "src/ctl/samples.h"
#include "src/common/supervisor.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define DEMO_DOMAIN   "example.test"
#define DEMO_ADDRESS  "hello@example.test"
#define START_WAIT_MS 30000

struct demo {
    const char *dir;
    char config_path[4096], log_path[4096];
    struct config config;
    pid_t service;
    char password[128]; /* of a first run */
};

static int prepare(struct demo *d)
{
    struct init_options o = { .dir = d->dir,
                              .domain = DEMO_DOMAIN,
                              .imap_listen = "127.0.0.1:2143",
                              .imap_tls_listen = "127.0.0.1:2993",
                              .pop3_listen = "127.0.0.1:2110",
                              .pop3_tls_listen = "127.0.0.1:2995",
                              .mx_listen = "127.0.0.1:2525",
                              .submission_listen = "127.0.0.1:2587",
                              .submission_tls_listen = "127.0.0.1:2465" };
    CLEANUP(buf_release) struct buf err = { .max = KIB(4) };
    int r;

    snprintf(d->config_path, sizeof d->config_path, "%s/letterlock.conf", d->dir);
    snprintf(d->log_path, sizeof d->log_path, "%s/letterlock.log", d->dir);
    if (access(d->config_path, F_OK) != 0 && (r = init_folder(&o)) != 0)
        return r;
    if ((r = config_open(&d->config, d->config_path, &err)) < 0)
        return ctl_fail(EX_CONFIG, "%s", err.n ? buf_z(&err) : error_text(r));
    return 0;
}

static _Noreturn void be_service(struct demo *d, int ready_fd, pid_t parent)
{
    int log = open(d->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent || log < 0 || dup2(log, STDERR_FILENO) < 0)
        _exit(EX_OSERR);
    _exit(supervisor_run(&d->config, SUPERVISE_SERVICE, ready_fd));
}

/* What it said last, when it could not start: a port in use, mostly. */
static void show_log_end(const struct demo *d)
{
    CLEANUP(buf_release) struct buf text = { .max = MIB(4) };
    struct str s;
    size_t at, lines = 0;

    if (file_read(AT_FDCWD, d->log_path, &text) < 0)
        return;
    s = buf_str(&text);
    for (at = s.n; at > 0 && lines < 4; at--)
        lines += at < s.n && s.p[at - 1] == '\n';
    if (at > 0)
        at++;
    fwrite(s.p + at, 1, s.n - at, stderr);
}

static int start(struct demo *d)
{
    int ready[2], status = 0;
    struct pollfd p;
    pid_t self = getpid();
    char c;

    if (pipe2(ready, O_CLOEXEC) < 0)
        return ctl_fail(EX_OSERR, "pipe: %s", strerror(errno));
    fflush(NULL);
    d->service = fork();
    if (d->service == 0)
        be_service(d, ready[1], self);
    close(ready[1]);
    p = (struct pollfd){ .fd = ready[0], .events = POLLIN };
    if (d->service > 0 && poll(&p, 1, START_WAIT_MS) == 1 && read(ready[0], &c, 1) == 1) {
        close(ready[0]);
        return 0;
    }
    close(ready[0]);
    if (d->service > 0) {
        kill(d->service, SIGTERM);
        waitpid(d->service, &status, 0);
    }
    show_log_end(d);
    return ctl_fail(WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : EX_TEMPFAIL,
                    "the demo did not start (its log: %s)", d->log_path);
}

/* ---- the address and its first password ---- */

static int ask_directory(struct service *s, uint32_t op, const char *what, Directory__Alias **out)
{
    Directory__DomainRequest dq = DIRECTORY__DOMAIN_REQUEST__INIT;
    Directory__AliasRequest aq = DIRECTORY__ALIAS_REQUEST__INIT;

    if (op == DIRECTORY__OP__DOMAIN_ADD) {
        dq.domain = str_pb(str_from(what));
        return service_ask(s, ROLE_DIRECTORY, op, &dq.base, NULL, NULL);
    }
    aq.address = str_pb(str_from(what));
    return service_ask(s, ROLE_DIRECTORY, op, &aq.base, &directory__alias__descriptor, out);
}

static int make_address(struct demo *d, struct service *s)
{
    Store__KeyAddRequest k = STORE__KEY_ADD_REQUEST__INIT;
    Store__KeyAddResponse *m = NULL;
    Directory__Alias *alias = NULL;
    int r = ask_directory(s, DIRECTORY__OP__DOMAIN_ADD, DEMO_DOMAIN, NULL);

    if (r < 0 && r != E_EXISTS)
        return r;
    r = ask_directory(s, DIRECTORY__OP__ALIAS_ADD, DEMO_ADDRESS, &alias);
    if (r == E_EXISTS)
        r = ask_directory(s, DIRECTORY__OP__ALIAS_SHOW, DEMO_ADDRESS, &alias);
    if (r < 0 || alias->mailbox_id.len > 0)
        return r;
    k.alias_id = alias->alias_id;
    k.name = (char *)(uintptr_t) "demo";
    r = service_ask(s, ROLE_STORE, STORE__OP__KEY_ADD, &k.base, &store__key_add_response__descriptor, &m);
    if (r == 0)
        snprintf(d->password, sizeof d->password, "%.*s", (int)m->password.len,
                 (const char *)m->password.data);
    return r;
}

/* ---- sample mail, by SMTP like any other ---- */

struct smtp {
    FILE *in, *out;
};

/* Read one reply, all its lines; its code, or -1. */
static int smtp_reply(FILE *f)
{
    char line[1024];

    do
        if (!fgets(line, sizeof line, f) || strlen(line) < 4)
            return -1;
    while (line[3] == '-');
    return (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
}

static bool smtp_say(const struct smtp *c, const char *text, int want)
{
    fputs(text, c->out);
    fflush(c->out);
    return smtp_reply(c->in) == want;
}

static bool send_sample(const struct smtp *c, const char *text)
{
    if (!smtp_say(c, "MAIL FROM:<friend@example.org>\r\n", 250) ||
        !smtp_say(c, "RCPT TO:<" DEMO_ADDRESS ">\r\n", 250) || !smtp_say(c, "DATA\r\n", 354))
        return false;
    for (const char *p = text; *p; p++) { /* no sample has a line that starts with a dot */
        if (*p == '\n')
            fputc('\r', c->out);
        fputc(*p, c->out);
    }
    return smtp_say(c, ".\r\n", 250);
}

/* Connect to the first address that mx listens on. */
static bool smtp_open(const struct conf_addrs *l, struct smtp *c)
{
    struct timeval patience = { .tv_sec = 20 };
    int on = 1, fd = l->n ? socket(l->v[0].sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;

    *c = (struct smtp){ NULL, NULL };
    if (fd < 0)
        return false;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (const struct sockaddr *)(const void *)&l->v[0].sa, l->v[0].len) == 0) {
        c->in = fdopen(dup(fd), "r");
        c->out = fdopen(dup(fd), "w");
    }
    close(fd);
    return c->in && c->out;
}

static size_t send_samples(const struct demo *d)
{
    struct smtp c;
    size_t sent = 0;

    if (smtp_open(&d->config.server.mx_listen, &c) && smtp_reply(c.in) == 220 &&
        smtp_say(&c, "EHLO demo.example.org\r\n", 250)) {
        while (sent < samples_n && send_sample(&c, samples[sent]))
            sent++;
        fputs("QUIT\r\n", c.out);
    }
    if (c.in)
        fclose(c.in);
    if (c.out)
        fclose(c.out);
    return sent;
}

static const char *first_of(const struct conf_addrs *l)
{
    return l->n ? l->v[0].text : "(off)";
}

static void screen(const struct demo *d, size_t sent)
{
    const struct server_conf *v = &d->config.server;
    const char *tls = first_of(&v->imap_tls_listen);

    printf("\n  Letterlock is running: a demo in %s, for this machine only.\n\n", d->dir);
    printf("  Address    %s\n", DEMO_ADDRESS);
    if (d->password[0])
        printf("  Password   %s\n             (shown this once and kept nowhere: copy it now)\n",
               d->password);
    else
        printf("  Password   was shown at the first run. Forgotten? Start over with a new, empty mailbox:\n"
               "             %s alias password %s --start-over --config %s\n",
               ctl_program(), DEMO_ADDRESS, d->config_path);
    printf("\n  IMAP       %s with STARTTLS, %s with TLS (self-signed: %s/tls/cert.pem)\n",
           first_of(&v->imap_listen), tls, d->dir);
    if (v->pop3_listen.n > 0 || v->pop3_tls_listen.n > 0) /* a folder of an older demo has none */
        printf("  POP3       %s with STLS, %s with TLS\n", first_of(&v->pop3_listen),
               first_of(&v->pop3_tls_listen));
    printf("  SMTP       %s takes mail for *@%s that exists\n", first_of(&v->mx_listen), DEMO_DOMAIN);
    if (v->submission_listen.n > 0 || v->submission_tls_listen.n > 0)
        printf("  Sending    %s with STARTTLS, %s with TLS\n", first_of(&v->submission_listen),
               first_of(&v->submission_tls_listen));
    if (d->password[0])
        printf("  Samples    %zu messages were delivered\n", sent);
    printf("\n  Read the first message:\n"
           "    curl --cacert %s/tls/cert.pem --user '%s:%s' 'imaps://%s/INBOX;UID=1'\n",
           d->dir, DEMO_ADDRESS, d->password[0] ? d->password : "PASSWORD", tls);
    printf("\n  Log: %s. Ctrl-C stops everything.\n\n", d->log_path);
    fflush(stdout);
}

/* Ctrl-C reaches the service too, since it is of our group; what is sent to us alone we pass on. */
static volatile sig_atomic_t service_pid;
static void pass_on(int sig)
{
    int was = errno;

    (void)sig;
    kill(service_pid, SIGTERM);
    errno = was;
}

int cmd_demo(int argc, char **argv)
{
    static struct demo d;
    struct args a = { .nwords = 0 }, as_service = { .nwords = 0 };
    struct option opts[] = { { "--dir", &d.dir, NULL } };
    struct service *s = NULL;
    int r, status = 0;
    size_t sent = 0;

    d.dir = "./demo";
    if ((r = args_parse(argc, argv, opts, 1, 0, &a)) != 0 || (r = prepare(&d)) != 0 || (r = start(&d)) != 0)
        return r;
    signal(SIGINT, SIG_IGN); /* the child stops, and then we do */
    service_pid = d.service;
    signal(SIGTERM, pass_on);
    as_service.config = d.config_path;
    if ((r = service_open(&as_service, &s)) == 0) {
        if ((r = make_address(&d, s)) < 0)
            ctl_fail(0, "%s: %s", DEMO_ADDRESS, error_text(r));
        service_close(&s);
        if (r == 0 && d.password[0])
            sent = send_samples(&d);
        if (r == 0)
            screen(&d, sent);
        explicit_bzero(d.password, sizeof d.password);
    }
    if (r != 0)
        kill(d.service, SIGTERM);
    while (waitpid(d.service, &status, 0) < 0 && errno == EINTR)
        ;
    config_release(&d.config);
    return r < 0 ? EX_SOFTWARE : r > 0 ? r : WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
}
