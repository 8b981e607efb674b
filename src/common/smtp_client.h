/* src/common/smtp_client.h
 *
 * Connections to a server of mail (SMTP, LMTP, submission), each with its session: bytes, TLS, the clock, whose network it
 * is, and who leaves when all places are taken. What a session asks of other roles, and what is done before it begins, is
 * its service's: that has a struct smtp_client in what it keeps of each connection. */
#ifndef SRC_COMMON_SMTP_CLIENT_H
#define SRC_COMMON_SMTP_CLIENT_H
#include "lib/event/conn.h"
#include "src/common/peers.h"
#include "src/common/role.h"
#include "src/common/smtp_session.h"

#define SMTP_CLIENT_OUT_LOW KIB(16)

struct smtp_client;
/* All of a role. The first lines are its own. */
struct smtp_clients {
    struct role *role;
    uint64_t max, stall_ms;
    void (*secured)(struct smtp_client *c); /* TLS from the first byte is up: start. NULL: there is none */
    void (*gone)(struct smtp_client *c,
                 int why);                   /* session and connection are released: free what holds it */
    void (*empty)(struct smtp_clients *all); /* after smtp_clients_stop: none is left. May free `all` */
    struct peers *peers;
    struct smtp_client *oldest, **last;
    size_t n;
    bool stopping;
};

struct smtp_client {
    struct smtp_session s; /* its ctx is this struct */
    struct smtp_clients *all;
    struct smtp_client *next, **prev_next;
    struct conn *conn;
    struct timer timer;
    struct peer_network network; /* counted by this one to its end */
    char ip[PEER_TEXT_MAX];
    bool started;
};

/* E_NOMEM. */
MUST_CHECK int smtp_clients_init(struct smtp_clients *all);
/* Room for one more: when all places are taken, who has been here longest without a message goes. */
bool smtp_clients_make_room(struct smtp_clients *all);
/* Idle sessions end now, others after the message they are sending. */
void smtp_clients_stop(struct smtp_clients *all);

/* c is zeroed, and its network is counted. Takes fd over; on an error (E_NOMEM) nothing is left but that count. */
MUST_CHECK int smtp_client_open(struct smtp_clients *all, struct smtp_client *c, int fd,
                                const struct sockaddr *peer, const struct peer_network *n);
/* The session begins: c->s is filled as smtp_session_start wants it. */
void smtp_client_start(struct smtp_client *c, const struct smtp_limits *conf, const struct smtp_io *io,
                       bool tls_possible);
/* TLS from the first byte on; then all->secured. */
void smtp_client_secure(struct smtp_client *c);
/* The session may take input again, or not yet. */
void smtp_client_go_on(struct smtp_client *c);

/* Of struct smtp_io, whose ctx is the struct smtp_client. */
int smtp_client_reply(void *c, struct str bytes);
bool smtp_client_reply_full(void *c);
void smtp_client_start_tls(void *c);
void smtp_client_hang_up(void *c);
void smtp_client_timer(void *c, int64_t ms);
#define SMTP_CLIENT_IO                                                                                    \
    .reply = smtp_client_reply, .reply_full = smtp_client_reply_full, .start_tls = smtp_client_start_tls, \
    .hang_up = smtp_client_hang_up, .timer = smtp_client_timer
#endif
