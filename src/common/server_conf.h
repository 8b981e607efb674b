/* src/common/server_conf.h
 *
 * The rows that belong to no single role: what the supervisor and the command line read; and how the
 * file is found. Roles get only their own rows, from the supervisor. */
#ifndef SRC_COMMON_SERVER_CONF_H
#define SRC_COMMON_SERVER_CONF_H
#include "lib/conf/conf.h"
#include "lib/rpc/rpc.h"

#define MX_LMTP_SOCKET_HELP                                                                                         \
    "A socket in the file system where another mail server of this machine hands over mail by LMTP (RFC 2033). It " \
    "is trusted: it has checked what it takes, see mx.lmtp_checks. Its folder must be there. Empty: none."

#define RESOLVER_UPSTREAMS_MAX 2048u
#define RESOLVER_UPSTREAMS                                                                             \
    "https://cloudflare-dns.com/dns-query 1.1.1.1 1.0.0.1 2606:4700:4700::1111 2606:4700:4700::1001, " \
    "https://dns.quad9.net/dns-query 9.9.9.9 149.112.112.112 2620:fe::fe 2620:fe::9"
#define RESOLVER_UPSTREAMS_HELP                                                                                \
    "Servers that names are asked of, a comma list; nobody else is ever asked. https://host/path and the "     \
    "addresses of that host, with spaces between, is DNS over HTTPS (RFC 8484); dns://address:port is plain "  \
    "DNS, for a resolver of this machine or network. Faster ones are asked more often, failing ones are left " \
    "alone for a while. Signed answers (DNSSEC) count only over HTTPS and from this machine. Many DNS "        \
    "blocklists answer no public resolver: use dns://127.0.0.1 with a resolver of your own for them. Empty: "  \
    "nothing is ever looked up."

#define STORAGE_TARGET_MAX   400u
#define STORAGE_ENDPOINT_MAX 300u
#define STORAGE_TARGET_HELP \
    "s3://bucket or s3://bucket/prefix: backups go there, and not to store.backup_dir. Empty: they stay in that folder."
#define STORAGE_ENDPOINT_HELP                                                                                  \
    "Where storage.target is: https://host or https://host:port, as https://s3.eu-central-1.amazonaws.com or " \
    "https://ACCOUNT.r2.cloudflarestorage.com. http:// only for an address of this machine."
#define FILTER_CLAMAV_HELP                                                                                           \
    "Where ClamAV's clamd listens: /run/clamav/clamd.ctl, 127.0.0.1:3310, [::1]:3310. Each message is shown to it; " \
    "what it finds something in is refused (mx.clamav_action). When it is down or slow, mail comes in. Empty: none."
#define FILTER_RSPAMD_HELP                                                                                         \
    "Where rspamd's normal worker listens: 127.0.0.1:11333, or the path of a socket. Its score is a named reason " \
    "among ours (mx.rspamd_weight; mx.spam must be on). When it is down or slow, mail comes in. Empty: none."
#define RELAY_TLS_REPORTS_HELP                                                                                    \
    "Count how TLS with other servers went, and send each domain whose record asks for it (_smtp._tls) a report " \
    "of it once a day (RFC 8460; jobs.tls_reports). Needs relay.tls_report_from."
#define MX_DMARC_REPORTS_HELP                                                                                        \
    "Count what DMARC says of mail that comes in, and send each domain whose record asks for it (rua=) a report of " \
    "it once a day (RFC 9990; jobs.dmarc_reports). Needs mx.dmarc_report_from."
#define MX_DMARC_REPORT_FROM_HELP                                                                                \
    "The address that reports come from, in a domain of ours that has DKIM keys (letterlock dkim): others drop " \
    "reports that are not signed."

struct server_conf {
    const char *hostname, *data_dir, *run_dir, *key_file, *tls_cert, *tls_key, *user;
    const char *users[ROLE_COUNT];                 /* "": `user` */
    const char *storage_target, *storage_endpoint; /* the role's own rows too */
    const char *storage_credentials, *storage_places;
    const char *resolver_upstreams; /* the role's own row too */
    uint32_t sandbox, log_level;
    uint64_t imap_workers, pop3_workers, mx_workers, submission_workers, content_workers, restart_max_ms;
    struct conf_addrs imap_listen, imap_tls_listen, pop3_listen, pop3_tls_listen, mx_listen, monitor_listen,
        submission_listen, submission_tls_listen;
    const char *mx_lmtp_socket, *mx_lmtp_mode;
    const char *mx_clamav, *mx_rspamd; /* the mx's and the filter's rows too */
};
extern const struct conf_item server_conf_items[];
extern const size_t server_conf_nitems;

struct config {
    struct conf *conf;
    struct arena arena;
    struct server_conf server;
    const char *path; /* of the file that was read */
};

/* All tables there are: the rows above and those of every role. *n_out of them, static. */
const struct conf_table *config_tables(size_t *n_out);
/* Find (--config, LETTERLOCK_CONFIG, ./letterlock.conf, /etc/letterlock/letterlock.conf) and read the
 * file, then the environment. `path` is --config's or NULL. E_NOTFOUND when there is none; else as
 * conf_read_file; err gets one line. */
MUST_CHECK int config_open(struct config *c, const char *path, struct buf *err);
void config_release(struct config *c);
#endif
