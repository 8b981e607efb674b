/* src/pop3/session.h
 *
 * One POP3 session as a state machine (RFC 1939, RFC 2449): bytes and answers go in, replies and requests come
 * out through struct pop3_io. It knows no sockets, no RPC and no TLS, so its tests are scripts. At any time at
 * most one request is under way, and while there is, input waits: pop3_session_waits tells the owner to stop
 * reading. What was pipelined waits with it (RFC 2449 6.6).
 *
 * Promises kept here: nothing is deleted but by QUIT, and QUIT says +OK only when it is (RFC 1939 6); a
 * password is asked for over TLS only; whether address or password was wrong is not told, by words or by time. */
#ifndef SRC_POP3_SESSION_H
#define SRC_POP3_SESSION_H
#include "lib/base/arena.h"
#include "lib/pop3/stuff.h"
#include "lib/smtp/linereader.h"
#include "src/pop3/conf.h"
#include "src/pop3/maildrop.h"

/* What a session asks of the world. Requests are answered later, never from inside the call; a negative
 * return means that there will be no answer. */
/* What a client asks for at once is read at once: a RETR and those behind it. */
#define POP3_AHEAD_MAX   64u
#define POP3_AHEAD_BYTES MIB(1)

struct pop3_io {
    int (*reply)(void *ctx, struct str bytes);
    bool (*reply_full)(void *ctx);        /* the client does not read: do not produce more */
    void (*start_tls)(void *ctx);         /* then pop3_session_secured */
    void (*hang_up)(void *ctx);           /* after what was replied has gone out */
    void (*cut)(void *ctx);               /* now: a response cannot be completed */
    void (*timer)(void *ctx, int64_t ms); /* one timer, moved; 0: off. Then pop3_session_timeout */
    int64_t (*now_ms)(void *ctx);         /* monotonic */
    /* Open the mailbox, lock it, and list INBOX into s->drop; then pop3_session_opened. Borrowed. */
    int (*open)(void *ctx, struct str address, struct str password);
    /* The first of these; then pop3_session_fetching with the message's size, pop3_session_bytes,
     * pop3_session_fetched, from within this call too. The others the client has asked for already: each will be
     * fetched next, in this order. */
    int (*fetch)(void *ctx, const uint32_t *uids, size_t n, bool set_seen);
    void (*fetch_enough)(void *ctx); /* no more bytes are wanted: pop3_session_fetched(0) follows */
    /* Delete what s->drop has marked; then pop3_session_committed. */
    int (*commit)(void *ctx);
    void (*cancel)(void *ctx); /* no answer is wanted any more */
};

enum pop3_opening {
    POP3_OPEN_OK,
    POP3_OPEN_WRONG,    /* address or password */
    POP3_OPEN_IN_USE,   /* another session has the lock */
    POP3_OPEN_TOO_SOON, /* LOGIN-DELAY */
    POP3_OPEN_TOO_MANY, /* more messages than we list */
    POP3_OPEN_CROWDED,  /* more sessions than an alias may have */
    POP3_OPEN_LATER,    /* a part of the service is down */
};

enum pop3_state {
    POP3_ST_AUTHORIZATION,
    POP3_ST_SASL,     /* AUTH PLAIN: the answer is awaited */
    POP3_ST_OPENING,  /* the mailbox is being opened */
    POP3_ST_REFUSING, /* wrong: the answer waits for its time */
    POP3_ST_TRANSACTION,
    POP3_ST_LISTING,  /* LIST or UIDL of all: goes on as the client reads */
    POP3_ST_FETCHING, /* RETR, TOP */
    POP3_ST_UPDATE,   /* QUIT: the store deletes */
    POP3_ST_TLS,      /* +OK was said to STLS, the handshake runs */
    POP3_ST_CLOSED,
};

struct pop3_session {
    const struct pop3_conf *conf;
    const struct pop3_io *io;
    void *ctx;
    enum pop3_state state;
    struct str hostname;
    char network[64];
    bool tls, tls_possible, utf8;
    bool stls; /* TLS came by STLS: the greeting was said before */
    struct linereader lines;
    struct str behind;  /* input after the line that runs */
    struct arena arena; /* of the login */
    struct str user;
    int64_t began_ms; /* the login at hand */
    unsigned errors, logins_failed;
    size_t login_bytes; /* read before login */
    struct maildrop drop;
    struct stuff stuff;
    struct buf out;
    struct drop *message; /* being sent */
    bool sending;         /* its +OK was said */
    bool enough;          /* TOP has all it wants */
    uint32_t next;        /* LISTING: number of the next line */
    bool uidl;            /* it is UIDL */
    uint64_t retrieved;
};

/* All fields zero, then this; greets at once (over TLS: when it is up). */
void pop3_session_start(struct pop3_session *s, const struct pop3_conf *conf, const struct pop3_io *io,
                        void *ctx, struct str hostname, bool tls_possible, bool tls_first);
void pop3_session_release(struct pop3_session *s);
/* Take input; returns bytes used. What is left is offered again when pop3_session_waits is false. */
size_t pop3_session_input(struct pop3_session *s, struct str in);
bool pop3_session_waits(const struct pop3_session *s);
/* There is room for output again. */
void pop3_session_drained(struct pop3_session *s);

void pop3_session_secured(struct pop3_session *s);
void pop3_session_opened(struct pop3_session *s, enum pop3_opening result);
void pop3_session_fetching(struct pop3_session *s);
void pop3_session_bytes(struct pop3_session *s, struct str bytes);
void pop3_session_fetched(struct pop3_session *s, int status);
void pop3_session_committed(struct pop3_session *s, int status);
void pop3_session_timeout(struct pop3_session *s);
/* The mailbox was taken from us, or the service stops: say so and end. Nothing is deleted. */
void pop3_session_end(struct pop3_session *s, const char *line);

/* ---- for the files of this module ---- */
void pop3_enter(struct pop3_session *s, enum pop3_state next);
void pop3_say(struct pop3_session *s, const char *line); /* without CRLF */
void pop3_sayf(struct pop3_session *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A refused command: counted, and too many end the session. */
void pop3_refuse(struct pop3_session *s, const char *line);
void pop3_close(struct pop3_session *s);
void pop3_run_line(struct pop3_session *s, struct str line);
void pop3_sasl_line(struct pop3_session *s, struct str line);
void pop3_list_go_on(struct pop3_session *s);
#endif
