/* src/common/role.h
 *
 * How a role starts and lives. The supervisor forks, executes the same program anew as
 * `letterlock role NAME INSTANCE` with descriptor 3 a SOCK_SEQPACKET pair to it, and sends START:
 * the configuration, the secrets of this role, and descriptors (listeners, the data folder). The role
 * reads its settings, opens what it needs (init), drops everything else (sandbox), and only then
 * touches foreign bytes (start). EDGE messages bring connections to and from other roles at any time. */
#ifndef SRC_COMMON_ROLE_H
#define SRC_COMMON_ROLE_H
#include "lib/conf/conf.h"
#include "lib/crypto/subkey.h"
#include "lib/event/conn.h"
#include "lib/rpc/rpc.h"
#include "lib/tls/tls.h"

struct role;

struct role_def {
    enum role_id id;
    const struct conf_item *items; /* rows of this role; values land in *conf */
    size_t nitems;
    void *conf;
    size_t conf_bytes;
    const struct rpc_service *service; /* what it serves; NULL: nothing */
    uint32_t asks;                     /* FROM() mask of the roles it asks */
    const struct rpc_link_ops *links;  /* for all of them; NULL: ready at once, no events */
    /* A folder beside the data folder that it may use too; NULL: none. Made when it is not there. May be NULL. */
    const char *(*folder)(void);
    /* Before the sandbox: open files, start worker threads, set limits. Returns 0, or an E_* that the
     * supervisor logs (it retries with back-off). */
    int (*init)(struct role *r);
    /* After the sandbox: accept connections. */
    int (*start)(struct role *r);
    /* Told to stop: end politely, then call role_stopped. NULL: stops at once. */
    void (*stop)(struct role *r);
    /* TCP ports of other machines that it may connect to, known after init; how many. NULL: it dials nobody. */
    size_t (*dials)(struct role *r, uint16_t *ports, size_t max);
    /* May it connect to sockets of the file system, too? Known after init; NULL: not. */
    bool (*dials_unix)(void);
    bool optional; /* the service is ready without it: nobody waits for it but who asks it */
};

extern const struct role_def store_role, content_role, directory_role, imap_role, pop3_role, mx_role,
    resolver_role, courier_role, relay_role, monitor_role, storage_role, submission_role, jobs_role,
    filter_role;

struct loop *role_loop(struct role *r);
void *role_data(const struct role *r); /* the role's own state, set in init */
void role_set_data(struct role *r, void *data);
/* The link to a role named in `asks`. With several instances of that role (content), the one with the
 * fewest pending requests that is up, else the first. Its ops' ctx is the struct role. */
struct rpc_link *role_link(struct role *r, enum role_id server);
/* Descriptor of the data folder (-1 for roles that have none). Such roles also have it as their working
 * folder, so a relative path starts there. */
int role_data_dir(const struct role *r);
/* The file of the spam classifier, once, for the taker to close; -1 for roles that have none of it. */
int role_spam_file(struct role *r);
/* The subkey this role was given; asserts that it was. 32 bytes. */
const uint8_t *role_subkey(const struct role *r, enum subkey_purpose purpose);
/* Key under which tickets are sealed: made by the supervisor, kept across restarts of the store. */
const uint8_t *role_ticket_key(const struct role *r);
/* What the operator gave this role to show elsewhere (a file's text); empty when nothing. To be wiped when read. */
struct str role_credentials(const struct role *r);
void role_credentials_wipe(struct role *r);
/* Places of domains (src/common/places.h); empty: none. role_credentials_wipe wipes it too. */
struct str role_places(const struct role *r);
/* When the server key was made, as far as its file says; 0: not known, or nothing of this role's. */
int64_t role_server_key_ms(const struct role *r);
/* NULL when no certificate is configured. */
struct tls_ctx *role_tls(const struct role *r);
/* Listening sockets of this role, in the order of the configuration. `kind` is the key they come from,
 * e.g. "imap.tls_listen". */
struct role_listener {
    int fd;
    const char *key;
};
const struct role_listener *role_listeners(const struct role *r, size_t *n_out);
/* "mail.example.test": what the service calls itself. */
struct str role_hostname(const struct role *r);
void role_stopped(struct role *r);
/* `letterlock role NAME INSTANCE`: started by the supervisor only. Returns an exit code. */
int role_main(int argc, char **argv);
/* NULL for a role that is not a process of its own. */
const struct role_def *role_def_of(enum role_id id);
#endif
