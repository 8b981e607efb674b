/* src/submission/client.h
 *
 * Joins a session to the world. Who connects, and logging in, are client.c's, the bytes of a message and where they go are
 * deliver.c's; the connection itself is src/common/smtp_client.h's. */
#ifndef SRC_SUBMISSION_CLIENT_H
#define SRC_SUBMISSION_CLIENT_H
#include "src/common/smtp_client.h"
#include "src/submission/service.h"

#define STAGE_ID_LEN 16u

struct submission_client;

struct submission_server {
    struct role *role;
    struct smtp_clients clients;
};

/* Where a message's bytes go: the store for who is here, the courier for everybody else. */
enum { SINK_STORE, SINK_COURIER, SINKS };
struct sink {
    struct submission_client *client;
    struct rpc_call *call; /* STAGE, until its answer */
    bool wanted, staged;   /* staged: bytes wait under id */
    uint8_t id[STAGE_ID_LEN];
    uint64_t bytes;
};

struct submission_client {
    struct smtp_client smtp;
    struct submission_own own;
    struct submission_server *server;
    char penalty[PEER_TEXT_MAX]; /* what bad logins are counted by */
    struct rpc_call *call;       /* what is asked of directory, store or courier now */
    char password[LOGIN_PASSWORD_MAX];
    size_t password_n;
    char address[LOGIN_ADDRESS_MAX + 1]; /* who logs in */
    struct submission_sender who;        /* mailbox.address is `address` */
    struct sink sinks[SINKS];
    char queue_id[33];
    uint32_t duplicates;
};

extern struct submission_conf submission_settings;

/* E_NOMEM. */
MUST_CHECK int submitter_init(struct submission_server *srv);
void submitter_accept(struct role *r, int fd, const struct sockaddr *peer, bool tls);
/* Of what struct smtp_io hands on. */
struct submission_client *submitter_of(void *ctx);
/* The session may take input again, or not yet. */
void submitter_go_on(struct submission_client *c);

/* deliver.c: of struct smtp_io. */
int submitter_stage(void *ctx, uint64_t bytes_max, uint64_t bytes_expected);
size_t submitter_stage_room(void *ctx);
int submitter_stage_send(void *ctx, struct str bytes);
void submitter_stage_end(void *ctx);
int submitter_deliver(void *ctx, const struct smtp_message *m);
/* What is staged may go. */
void submitter_unstage(struct submission_client *c);
/* What was counted did not go after all. */
void submitter_give_back(struct submission_client *c);
#endif
