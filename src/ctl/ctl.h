/* src/ctl/ctl.h
 *
 * The command line. Commands are rows of a table in ctl.c; each parses its own arguments, speaks to the
 * service through the sockets in run/, and returns a sysexits code. It never opens a mailbox or directory file of the service;
 * files that people hold, it does (mailbox convert). */
#ifndef SRC_CTL_CTL_H
#define SRC_CTL_CTL_H
#include "lib/rpc/rpc.h"
#include "src/common/server_conf.h"
#include <stdio.h>

/* Entry from main: argv[0] is the command's name. */
int ctl_main(int argc, char **argv);

struct command {
    const char *name;                  /* one or two words: "serve", "alias add" */
    int (*run)(int argc, char **argv); /* argv[0] is the last word of the name */
    const char *usage, *help;
};

/* ---- arguments (args.c): "--name value", "--name=value", flags, and words ---- */
struct option {
    const char *name;  /* "--json" */
    const char **text; /* takes a value */
    bool *flag;        /* takes none */
};
#define WORDS_MAX 4u
struct args {
    const char *words[WORDS_MAX];
    size_t nwords;
    const char *config; /* --config, understood by every command */
    bool json, help;    /* --json, --help */
};
/* 0, or EX_USAGE with a line on standard error. `nwords` words exactly. */
int args_parse(int argc, char **argv, const struct option *opts, size_t nopts, size_t nwords,
               struct args *out);

/* Tell the operator when mail to <Postmaster> would find nobody (RFC 5321 4.5.1). `domain`: one of ours. */
struct service;
void postmaster_hint(struct service *s, const char *domain);

/* cmd_dkim.c: DKIM_MAKE or DKIM_FORGET of a domain. E_*. */
int dkim_keys(struct service *s, const char *domain, uint32_t op);
/* "letterlock: …" on standard error; returns `code`. */
int ctl_fail(int code, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A name that somebody else chose (a file, a folder), as it may be shown on a terminal: what controls it becomes '?'. Returns
 * `out`. */
const char *ctl_shown(const char *name, char *out, size_t cap);
/* How this program was called: for commands that people copy from what we print. */
const char *ctl_program(void);
/* sysexits code for an E_* of the service. */
int ctl_exit_code(int e);

/* The configuration of this command; says on standard error why not. 0 or a sysexits code. */
int ctl_config(const struct args *a, struct config *c);

/* ---- the service (service.c) ---- */
struct service; /* a way to store and directory, running or started for this command */
/* Reads the configuration and finds the service; where it is stopped, starts the roles under the same
 * lock. 0 or a sysexits code, said on standard error. Close ends what was started. */
int service_open(const struct args *a, struct service **out);
void service_close(struct service **s);
const struct config *service_config(const struct service *s);
/* It was started for this command alone: a store and a directory, and no resolver. */
bool service_is_own(const struct service *s);
/* Ask and wait. 0 with *out (may be NULL) unpacked into the service's arena; or a negative E_*. */
int service_ask(struct service *s, enum role_id role, uint32_t op, const ProtobufCMessage *body,
                const ProtobufCMessageDescriptor *d, void *out);
/* The same for an operation that sends bytes back: each piece goes to `sink`, which blocks as it likes and ends all
 * of it with a negative E_*. */
int service_fetch(struct service *s, enum role_id role, uint32_t op, const ProtobufCMessage *body,
                  const ProtobufCMessageDescriptor *d, void *out, int (*sink)(void *ctx, struct str bytes),
                  void *ctx);
/* The same with the bytes of the answer. */
int service_ask_bytes(struct service *s, enum role_id role, uint32_t op, const ProtobufCMessage *body,
                      struct buf *out);
/* The same for an operation that takes bytes: `source` appends up to max of them, 0 at the end. */
int service_send(struct service *s, enum role_id role, uint32_t op, const ProtobufCMessage *body,
                 const ProtobufCMessageDescriptor *d, void *out,
                 int64_t (*source)(void *ctx, size_t max, struct buf *out), void *ctx);
/* The two halves of service_send (or, without source, of service_ask): begun, all of it sent, and not waited for. What was
 * begun must be ended, before the service is closed. Of several the store answers each when it is done. */
struct service_call;
int service_begin(struct service *s, enum role_id role, uint32_t op, const ProtobufCMessage *body,
                  int64_t (*source)(void *ctx, size_t max, struct buf *out), void *ctx,
                  struct service_call **out);
int service_end(struct service_call **c /* NULL in it: 0 */, const ProtobufCMessageDescriptor *d, void *out);
/* Answers so far are needed no more. */
void service_forget(struct service *s);
/* How long service_ask waits from now on (a minute until then). */
void service_patience(struct service *s, int64_t ms);
/* The JSON of run/status.sock of this configuration. E_NOTFOUND when nothing runs, E_TIMEOUT after 5 s. */
MUST_CHECK int service_status(const struct config *c, struct buf *out);

/* ---- terminal (secret.c) ---- */
/* A line without echo from the terminal, or a line of standard input when that is none. E_CLOSED. */
MUST_CHECK int secret_read(const char *prompt, struct buf *out);
/* A password of the mailbox that a command is about: 0, or a sysexits code, said on standard error. */
int password_read(struct buf *out);
/* A visible answer; the same rules. */
MUST_CHECK int answer_read(const char *prompt, struct buf *out);

int cmd_init(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_config(int argc, char **argv);
int cmd_demo(int argc, char **argv);
int cmd_server_key_copy(int argc, char **argv);
int cmd_server_key_recover(int argc, char **argv);
int cmd_server_key_rotate(int argc, char **argv);
int cmd_account_add(int argc, char **argv);
int cmd_account_list(int argc, char **argv);
int cmd_account_show(int argc, char **argv);
int cmd_account_remove(int argc, char **argv);
int cmd_account_limit(int argc, char **argv);
int cmd_account_give(int argc, char **argv);
int cmd_domain_limit(int argc, char **argv);
int cmd_alias_limit(int argc, char **argv);
int cmd_domain_add(int argc, char **argv);
int cmd_domain_list(int argc, char **argv);
int cmd_domain_remove(int argc, char **argv);
int cmd_alias_add(int argc, char **argv);
int cmd_alias_list(int argc, char **argv);
int cmd_alias_show(int argc, char **argv);
int cmd_alias_remove(int argc, char **argv);
int cmd_alias_password(int argc, char **argv);
int cmd_alias_set(int argc, char **argv);
int cmd_alias_target(int argc, char **argv);
int cmd_alias_vacation(int argc, char **argv);
int cmd_alias_resolve(int argc, char **argv);
int cmd_domain_set(int argc, char **argv);
int cmd_domain_pattern(int argc, char **argv);
int cmd_access(int argc, char **argv);
int cmd_backup(int argc, char **argv);
int cmd_jobs(int argc, char **argv);
int cmd_jobs_run(int argc, char **argv);
int cmd_jobs_webhook_key(int argc, char **argv);
int cmd_restore_service(int argc, char **argv);
int cmd_recover(int argc, char **argv);
int cmd_mailbox_backup(int argc, char **argv);
int cmd_mailbox_export(int argc, char **argv);
int cmd_mailbox_convert(int argc, char **argv);
int cmd_mailbox_import(int argc, char **argv);
int cmd_import_imap(int argc, char **argv);
int cmd_mailbox_restore(int argc, char **argv);
int cmd_mailbox_backups(int argc, char **argv);
int cmd_dns(int argc, char **argv);
int cmd_log(int argc, char **argv);
int cmd_domain_dkim(int argc, char **argv);
int cmd_domain_webhook_key(int argc, char **argv);
int cmd_domain_bounce_webhook(int argc, char **argv);
int cmd_queue_add(int argc, char **argv);
int cmd_queue_list(int argc, char **argv);
int cmd_queue_show(int argc, char **argv);
int cmd_queue_retry(int argc, char **argv);
int cmd_queue_hold(int argc, char **argv);
int cmd_queue_release(int argc, char **argv);
int cmd_queue_delete(int argc, char **argv);
int cmd_queue_suppressed(int argc, char **argv);
int cmd_mailbox_check(int argc, char **argv);
int cmd_mailbox_rotate(int argc, char **argv);
int cmd_mailbox_search(int argc, char **argv);

/* What init does, for demo too: folder, configuration text, server key, certificate. sysexits. */
struct init_options {
    const char *dir, *domain, *imap_listen, *imap_tls_listen, *pop3_listen, *pop3_tls_listen, *mx_listen,
        *submission_listen, *submission_tls_listen;
    struct str passphrase; /* for a copy of the server key; empty: none is made */
};
int init_folder(const struct init_options *o);
#endif
