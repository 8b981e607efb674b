#include "src/common/server_conf.h"
#include "lib/base/errors.h"
#include "lib/base/log.h"
#include "lib/dns/upstream.h"
#include "lib/s3/s3.h"
#include "src/common/role.h"
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define AT(f) offsetof(struct server_conf, f)

const struct conf_item server_conf_items[] = {
    { "server.hostname", CONF_STR, AT(hostname), .max = 253,
      .help =
          "What the service calls itself in greetings and Received fields. Empty: the machine's own name." },
    { "server.data_dir", CONF_PATH, AT(data_dir), .sdef = "data",
      .help = "Folder of mailboxes and directory. One service owns it." },
    { "server.run_dir", CONF_PATH, AT(run_dir), .sdef = "run",
      .help = "Folder of the control sockets, for the owner only." },
    { "server.key_file", CONF_PATH, AT(key_file), .sdef = "server.key",
      .help =
          "The server key, mode 0600. LETTERLOCK_SERVER_KEY in the environment or a systemd credential named "
          "letterlock.server_key go before it." },
    { "server.tls_cert", CONF_PATH, AT(tls_cert), .sdef = "",
      .help = "Certificate chain, PEM. Empty: no TLS." },
    { "server.tls_key", CONF_PATH, AT(tls_key), .sdef = "", .help = "Its private key, PEM." },
    { "server.user", CONF_STR, AT(user), .max = 32,
      .help =
          "User that the roles run as when the service is started as root. Empty: the user who starts it." },
    { "store.user", CONF_STR, AT(users[ROLE_STORE]), .max = 32,
      .help = "User of this role, when the service is started as root. Empty: server.user. Its group is that "
              "of the data folder." },
    { "directory.user", CONF_STR, AT(users[ROLE_DIRECTORY]), .max = 32,
      .help = "User of this role. Other than store.user: then neither reads the other's files." },
    { "content.user", CONF_STR, AT(users[ROLE_CONTENT]), .max = 32, .help = "User of this role." },
    { "imap.user", CONF_STR, AT(users[ROLE_IMAP]), .max = 32, .help = "User of this role." },
    { "pop3.user", CONF_STR, AT(users[ROLE_POP3]), .max = 32, .help = "User of this role." },
    { "mx.user", CONF_STR, AT(users[ROLE_MX]), .max = 32, .help = "User of this role." },
    { "submission.user", CONF_STR, AT(users[ROLE_SUBMISSION]), .max = 32, .help = "User of this role." },
    { "resolver.user", CONF_STR, AT(users[ROLE_RESOLVER]), .max = 32, .help = "User of this role." },
    { "courier.user", CONF_STR, AT(users[ROLE_COURIER]), .max = 32,
      .help = "User of this role. Other than store.user: then neither reads the other's files." },
    { "relay.user", CONF_STR, AT(users[ROLE_RELAY]), .max = 32, .help = "User of this role." },
    { "jobs.user", CONF_STR, AT(users[ROLE_JOBS]), .max = 32, .help = "User of this role." },
    { "filter.user", CONF_STR, AT(users[ROLE_FILTER]), .max = 32,
      .help = "User of this role, which speaks to ClamAV and rspamd; best one of its own." },
    { "storage.user", CONF_STR, AT(users[ROLE_STORAGE]), .max = 32, .help = "User of this role." },
    { "server.sandbox", CONF_ENUM, AT(sandbox), .sdef = "auto", .choices = "auto|require|off",
      .help =
          "auto: say it loudly where the kernel lacks seccomp or Landlock; require: refuse to start there." },
    { "server.log_level", CONF_ENUM, AT(log_level), .sdef = "info", .choices = "debug|info|warn|error",
      .help = "Lowest level that is written to standard error." },
    { "server.restart_max", CONF_U64, AT(restart_max_ms), 100, 600000, 10000, .unit = "ms",
      .help = "A role that dies again and again is started ever later, at most so late." },
    { "monitor.user", CONF_STR, AT(users[ROLE_MONITOR]), .max = 32,
      .help = "User of this role. Other than store.user: then neither reads the other's files." },
    { "monitor.listen", CONF_ADDRS, AT(monitor_listen), .sdef = "",
      .help =
          "Numbers for Prometheus, GET /metrics over HTTP, without login: an address of this machine, such as "
          "127.0.0.1:9464. Empty: none." },
    { "imap.listen", CONF_ADDRS, AT(imap_listen), .sdef = ":143", .help = "IMAP with STARTTLS." },
    { "imap.tls_listen", CONF_ADDRS, AT(imap_tls_listen), .sdef = ":993",
      .help = "IMAP over TLS from the first byte." },
    { "imap.workers", CONF_U64, AT(imap_workers), 1, 16, 1, .unit = "processes", .help = "IMAP processes." },
    { "pop3.listen", CONF_ADDRS, AT(pop3_listen), .sdef = "",
      .help = "POP3 with STLS, as a rule :110. Empty: no POP3 there." },
    { "pop3.tls_listen", CONF_ADDRS, AT(pop3_tls_listen), .sdef = "",
      .help = "POP3 over TLS from the first byte, as a rule :995. Empty: no POP3 there." },
    { "pop3.workers", CONF_U64, AT(pop3_workers), 1, 16, 1, .unit = "processes", .help = "POP3 processes." },
    { "mx.listen", CONF_ADDRS, AT(mx_listen), .sdef = ":25", .help = "SMTP for mail from other servers." },
    { "mx.lmtp_socket", CONF_PATH, AT(mx_lmtp_socket), .sdef = "", .help = MX_LMTP_SOCKET_HELP },
    { "mx.lmtp_mode", CONF_STR, AT(mx_lmtp_mode), .sdef = "0600", .max = 4,
      .help = "Who may connect to mx.lmtp_socket, as chmod has it: 0660 for the group of the service, too." },
    { "mx.clamav", CONF_STR, AT(mx_clamav), .max = 120, .help = FILTER_CLAMAV_HELP },
    { "mx.rspamd", CONF_STR, AT(mx_rspamd), .max = 120, .help = FILTER_RSPAMD_HELP },
    { "mx.workers", CONF_U64, AT(mx_workers), 1, 16, 1, .unit = "processes", .help = "SMTP processes." },
    { "submission.listen", CONF_ADDRS, AT(submission_listen), .sdef = "",
      .help = "Mail of our own people, with STARTTLS, as a rule :587. Empty: none there." },
    { "submission.tls_listen", CONF_ADDRS, AT(submission_tls_listen), .sdef = "",
      .help = "The same over TLS from the first byte, as a rule :465. Empty: none there." },
    { "submission.workers", CONF_U64, AT(submission_workers), 1, 16, 1, .unit = "processes",
      .help = "Submission processes." },
    { "content.workers", CONF_U64, AT(content_workers), 1, 16, 2, .unit = "processes",
      .help = "Processes that parse messages." },
    { "resolver.upstreams", CONF_STR, AT(resolver_upstreams), .max = RESOLVER_UPSTREAMS_MAX,
      .sdef = RESOLVER_UPSTREAMS, .help = RESOLVER_UPSTREAMS_HELP },
    { "storage.target", CONF_STR, AT(storage_target), .max = STORAGE_TARGET_MAX,
      .help = STORAGE_TARGET_HELP },
    { "storage.endpoint", CONF_STR, AT(storage_endpoint), .max = STORAGE_ENDPOINT_MAX,
      .help = STORAGE_ENDPOINT_HELP },
    { "storage.credentials", CONF_PATH, AT(storage_credentials), .sdef = "storage.credentials",
      .help =
          "File with the credentials, mode 0600: lines aws_access_key_id, aws_secret_access_key and, where there is "
          "one, aws_session_token, each = its value. A systemd credential named letterlock.storage_credentials goes "
          "before it." },
    { "storage.places", CONF_PATH, AT(storage_places), .sdef = "",
      .help =
          "File with further places for backups, mode 0600: a section for each, [name], with target = s3://bucket/prefix or "
          "a folder (/...), and for s3:// endpoint, region, style (host or path), aws_access_key_id and "
          "aws_secret_access_key, as above. letterlock domain set DOMAIN --backups NAME says whose backups go there. "
          "A systemd credential named letterlock.storage_places goes before it. Empty: there are none." },
};
const size_t server_conf_nitems = ARRAY_LEN(server_conf_items);

/* Names with the prefix LETTERLOCK_ that are no settings. */
static const char *const other_env[] = { "LETTERLOCK_CONFIG", "LETTERLOCK_SERVER_KEY", "LETTERLOCK_BUILD",
                                         "LETTERLOCK_CORPUS", NULL };

const struct conf_table *config_tables(size_t *n_out)
{
    static struct conf_table tables[16];
    const struct role_def *const roles[] = { &store_role, &content_role, &directory_role, &imap_role,
                                             &pop3_role,  &mx_role,      &resolver_role,  &courier_role,
                                             &relay_role, &monitor_role, &storage_role,   &submission_role,
                                             &jobs_role,  &filter_role };

    tables[0] = (struct conf_table){ server_conf_items, server_conf_nitems };
    for (size_t i = 0; i < ARRAY_LEN(roles); i++)
        tables[i + 1] = (struct conf_table){ roles[i]->items, roles[i]->nitems };
    *n_out = 1 + ARRAY_LEN(roles);
    return tables;
}

static const char *find(const char *path)
{
    static const char *const places[] = { "letterlock.conf", "/etc/letterlock/letterlock.conf" };

    if (path)
        return path;
    if ((path = getenv("LETTERLOCK_CONFIG")) && *path)
        return path;
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (access(places[i], F_OK) == 0)
            return places[i];
    return NULL;
}

/* "" becomes the machine's own name. */
static int settle_hostname(struct config *c)
{
    char name[256] = "localhost";

    if (c->server.hostname[0])
        return 0;
    if (gethostname(name, sizeof name - 1) < 0 || !name[0])
        memcpy(name, "localhost", sizeof "localhost");
    c->server.hostname = arena_dupz(&c->arena, str_from(name));
    return c->server.hostname ? 0 : E_NOMEM;
}

static int check_upstreams(const char *text, struct buf *err)
{
    CLEANUP(buf_release) struct buf why = { .max = KIB(4) };
    struct dns_upstreams *u = calloc(1, sizeof *u);
    int r = u ? dns_upstreams_parse(str_from(text), u, &why) : E_NOMEM;

    free(u);
    if (r < 0 && r != E_NOMEM && buf_printf(err, "resolver.upstreams: %.*s", STR_ARG(buf_str(&why))) < 0)
        r = E_NOMEM;
    return r;
}

static int check_storage(const struct server_conf *v, struct buf *err)
{
    struct s3_place place;

    if (!v->storage_target[0] ||
        s3_place_parse(str_from(v->storage_target), str_from(v->storage_endpoint), &place) == 0)
        return 0;
    return buf_putz(err, "storage.target, storage.endpoint: expected s3://bucket/prefix and https://host") < 0
               ? E_NOMEM
               : E_RANGE;
}

/* What no range says. */
static int check_values(const struct server_conf *v, struct buf *err)
{
    const char *bad = !v->data_dir[0]  ? "server.data_dir may not be empty"
                      : !v->run_dir[0] ? "server.run_dir may not be empty"
                      : strlen(v->mx_lmtp_mode) != 4 || strspn(v->mx_lmtp_mode, "01234567") != 4 ||
                              v->mx_lmtp_mode[0] != '0'
                          ? "mx.lmtp_mode: expected four octal digits such as 0660"
                          : NULL;

    for (const char *p = v->hostname; *p; p++) /* it stands in greetings and Received fields */
        if ((unsigned char)*p <= ' ' || *p == 0x7f)
            bad = "server.hostname: expected the name of a host";
    if (bad)
        return buf_putz(err, bad) < 0 ? E_NOMEM : E_RANGE;
    return check_storage(v, err) < 0 ? E_RANGE : check_upstreams(v->resolver_upstreams, err);
}

static bool is_folder(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int config_open(struct config *c, const char *path, struct buf *err)
{
    const struct conf_table *tables;
    size_t n;
    int r;

    *c = (struct config){ .arena = { .max = MIB(1) } };
    tables = config_tables(&n);
    if (!(c->conf = conf_new(tables, n)))
        return E_NOMEM;
    if (!(path = find(path))) {
        r = buf_putz(
            err,
            "no letterlock.conf here or in /etc/letterlock (letterlock init makes one, --config names one)");
        return r < 0 ? r : E_NOTFOUND;
    }
    if (is_folder(path))
        return buf_printf(err, "%s is a folder; --config takes the file", path) < 0 ? E_NOMEM : E_NOTFOUND;
    if ((r = conf_read_file(c->conf, path, err)) < 0 ||
        (r = conf_read_env(c->conf, environ, other_env, err)) < 0 ||
        (r = conf_values(c->conf, server_conf_items, server_conf_nitems, &c->arena, &c->server)) < 0 ||
        (r = check_values(&c->server, err)) < 0)
        return r;
    if (!(c->path = realpath(path, NULL)))
        return E_NOMEM;
    return settle_hostname(c);
}

void config_release(struct config *c)
{
    conf_free(&c->conf);
    arena_release(&c->arena);
    free((void *)(uintptr_t)c->path);
    c->path = NULL;
}
