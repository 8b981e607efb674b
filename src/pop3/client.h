/* src/pop3/client.h
 *
 * One connection: joins a session to the world. The connection and its timer are client.c's, opening a mailbox
 * is open.c's, messages and deletion are transfer.c's, a store that begins anew is reattach.c's. */
#ifndef SRC_POP3_CLIENT_H
#define SRC_POP3_CLIENT_H
#include "proto/directory.pb-c.h"
#include "proto/store.pb-c.h"
#include "src/common/peers.h"
#include "src/common/records.h"
#include "src/common/front.h"
#include "src/common/role.h"
#include "src/common/ticket.h"
#include "src/pop3/session.h"

#define POP3_ASK_MS      30000    /* patience with store and directory: then [SYS/TEMP] */
#define POP3_DOWNLOAD_MS 86400000 /* as long as the client reads; it is the client's pace that counts */
#define POP3_OUT_LOW     KIB(32)

struct pop3_client;

struct pop3_server {
    struct role *role;
    struct peers *peers;
    struct pop3_client *clients;
    struct ticket_book sessions;
    size_t nclients;
    bool stopping;
};

/* Messages on their way from the store. */
struct pop3_stream {
    struct rpc_call *call;
    struct records records;
    struct buf raw; /* came, and not looked at behind raw_at */
    size_t raw_at;
    uint32_t uids[POP3_AHEAD_MAX];
    size_t n, at;     /* of uids; at: the next one */
    uint32_t want;    /* what the client gets now; 0: nothing yet */
    uint32_t row_uid; /* whose row came last */
    uint64_t left;    /* bytes of it still to come */
    bool ended;
    int status;
};

struct pop3_client {
    struct pop3_session s;
    struct pop3_server *server;
    struct pop3_client *next, **prev;
    struct conn *conn;
    struct timer timer;
    struct peer_network network;
    bool is_counted;       /* in server->peers */
    struct rpc_call *call; /* what is asked now */
    struct ticket session;
    uint64_t inbox;         /* folder id */
    uint32_t *ranges;       /* of UIDs: the listing under way, or what is deleted */
    size_t nranges, range;  /* range: the next of them, when they go in several requests */
    struct records records; /* of the listing */
    struct pop3_stream stream;
    bool enough;                /* no more bytes are wanted */
    struct str password, trash; /* in s.arena */
};

extern struct pop3_conf pop3_settings;

void client_accept(struct role *r, int fd, const struct sockaddr *peer, bool tls);
/* The session may take input again, or not yet. */
void client_go_on(struct pop3_client *c);
static inline ProtobufCBinaryData client_session(struct pop3_client *c)
{
    return ticket_session(&c->session);
}

/* open.c */
int client_open(void *ctx, struct str address, struct str password);
/* Give the session back to the store. */
void client_detach(struct pop3_client *c);

/* transfer.c */
int client_fetch(void *ctx, const uint32_t *uids, size_t n, bool set_seen);
void client_fetch_enough(void *ctx);
int client_commit(void *ctx);
/* The client has read: there is room for more. */
void client_stream_go_on(struct pop3_client *c);
void client_stream_drop(struct pop3_client *c);

/* reattach.c */
/* For ticket_book.on_return. */
bool client_session_back(struct ticket_book *b, struct ticket *t, struct str session, int status,
                         bool is_awaited, struct rpc_link *l);
void client_session_forget(struct pop3_client *c);
void reattach_all(struct pop3_server *srv, struct rpc_link *l);
void reattach_event(struct pop3_server *srv, uint32_t event, struct str body);
#endif
