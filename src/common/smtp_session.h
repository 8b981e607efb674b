/* src/common/smtp_session.h
 *
 * What the services that speak SMTP share (the mx, submission): one session as a state machine (RFC 5321): bytes and answers go in, replies and requests come
 * out through struct smtp_io. It knows no sockets, no RPC, no TLS and no clock but the wall's, so its
 * tests are scripts. At any time there is at most one request under way (look-ups aside), and while there is, input
 * waits: smtp_session_waits tells the owner to stop reading.
 *
 * Promises kept here: 250 after data only when the store said so; whatever else goes wrong behind us
 * is 451 and never 5xx; a message's bytes are never held (one slice at a time); nothing that follows an
 * error in DATA is taken for a command. */
#ifndef SRC_COMMON_SMTP_SESSION_H
#define SRC_COMMON_SMTP_SESSION_H
#include "lib/smtp/bdat.h"
#include "lib/smtp/dot.h"
#include "lib/smtp/linereader.h"
#include "lib/mailauth/lookup.h"
#include "src/common/smtp_message.h"

/* Settings that every such service has. */
struct smtp_limits {
    uint64_t max_message_bytes, max_recipients, max_total_bytes, max_line;
    uint64_t max_errors, max_unknown, max_junk, max_received;
    uint64_t command_timeout_ms, data_timeout_ms, message_timeout_ms;
    uint64_t check_timeout_ms; /* for what is not known when the last byte has come */
    const char *postmaster;    /* what <Postmaster> means; NULL, "": ask for "postmaster" */
};

/* What a session asks of the world. Requests are answered later, never from inside the call; a
 * negative return means that there will be no answer. */
struct smtp_io {
    int (*reply)(void *ctx, struct str bytes);
    bool (*reply_full)(void *ctx);                 /* the client does not read: do not produce more */
    void (*start_tls)(void *ctx);                  /* then smtp_session_secured */
    void (*hang_up)(void *ctx);                    /* after what was replied has gone out */
    void (*timer)(void *ctx, int64_t ms);          /* one timer, moved; 0: off. Then smtp_session_timeout */
    int (*resolve)(void *ctx, struct str address); /* then smtp_session_resolved */
    int (*stage)(void *ctx, uint64_t bytes_max,
                 uint64_t bytes_expected); /* then smtp_session_staged, any time */
    size_t (*stage_room)(void *ctx); /* bytes the store takes now; when it grows the owner goes on feeding */
    int (*stage_send)(void *ctx, struct str bytes);
    void (*stage_end)(void *ctx);
    int (*deliver)(void *ctx, const struct smtp_message *m); /* then smtp_session_delivered */
    void (*cancel)(void *ctx); /* no answer is wanted any more, of look-ups neither; what is staged may go */
    int (*lookup)(void *ctx,
                  struct lookup *q); /* answered to the service; several at once, beside all else */
};

enum smtp_state {
    SMTP_ST_COMMAND,
    SMTP_ST_GREETING,  /* connected; the greeting comes a little later */
    SMTP_ST_SLOW,      /* after errors: the next command waits */
    SMTP_ST_AUTH,      /* a login under way: the client's next line is its answer */
    SMTP_ST_LOGIN,     /* address and password are looked at */
    SMTP_ST_RESOLVING, /* RCPT: the directory is asked */
    SMTP_ST_DATA,      /* message bytes, dot-stuffed */
    SMTP_ST_CHUNK,     /* message bytes, counted (BDAT) */
    SMTP_ST_STAGING,   /* all bytes sent on: the store says what it has */
    SMTP_ST_CHECKING,  /* staged; what the DNS still owes about the sender is waited for, not for long */
    SMTP_ST_STORING,   /* the store commits */
    SMTP_ST_TLS,       /* 220 was said, the handshake runs */
    SMTP_ST_CLOSED,
};

struct smtp_session;
/* What differs between the services. Functions may be NULL. */
struct smtp_service {
    uint32_t extensions; /* SMTP_EXT_*: parameters that are understood */
    bool relays;         /* recipients elsewhere are taken */
    size_t fields_max;   /* room in the transaction's arena for what is put before a message */
    int (*offer)(const struct smtp_session *s, struct buf *text); /* more lines of EHLO, each "\nWORD" */
    void (*auth)(struct smtp_session *s, const struct smtp_command *c); /* AUTH; NULL: refused */
    void (*line)(struct smtp_session *s, struct str line); /* in SMTP_ST_AUTH; .p NULL: it was none */
    /* Answers what may not begin a message, or go on to this recipient: false. */
    bool (*mail)(struct smtp_session *s, const struct smtp_command *c);
    bool (*rcpt)(struct smtp_session *s, const struct smtp_command *c);
    void (*hello)(struct smtp_session *s, const struct smtp_command *c); /* EHLO came: s->helo is set */
    /* s->pending exists, or is relayed to. False: answered, it gets nothing. */
    bool (*accept)(struct smtp_session *s);
    /* The same, and it takes the recipient, or refuses it, itself: true. */
    bool (*take)(struct smtp_session *s);
    void (*xclient)(struct smtp_session *s, struct str args); /* XCLIENT; NULL: unknown */
    /* The bytes, on their way to the store: *out is what goes on. E_NOMEM, E_LIMIT. */
    void (*begin)(struct smtp_session *s);
    int (*feed)(struct smtp_session *s, struct str in, struct str *out);
    int (*end)(struct smtp_session *s, struct str *out); /* the last has come: what is left to go on */
    void (*forget)(struct smtp_session *s);              /* the transaction ends */
    /* Is everything known that the verdict needs? When not, smtp_checked comes, or give_up after check_timeout. */
    bool (*settled)(struct smtp_session *s);
    void (*give_up)(struct smtp_session *s);
    /* Whose journal tells of it: who sends. NULL: each recipient's. Empty: nobody's. */
    struct str (*person)(const struct smtp_session *s);
    /* RCPT of somebody here was refused, and smtp_session_resolved was told of no mailbox: whose journal tells of it.
     * Empty: nobody's. NULL: likewise. */
    struct str (*concerned)(struct smtp_session *s);
    /* NULL: take it. s->m.hop is filled. */
    const struct smtp_reply *(*verdict)(struct smtp_session *s, const char **why_out);
};

enum smtp_found { SMTP_FOUND, SMTP_NO_DOMAIN, SMTP_NO_ALIAS, SMTP_NOT_READY };

struct smtp_session {
    const struct smtp_service *service;
    void *own; /* the service's */
    const struct smtp_limits *conf;
    const struct smtp_io *io;
    void *ctx;
    enum smtp_state state;
    /* the connection; strings are the owner's and outlive the session */
    struct str hostname, peer_ip;
    struct str peer_name, listed; /* verified; the list that has it. Empty: none, or nobody could say */
    char sid[17];
    bool tls_possible, tls, stopping;
    bool lmtp; /* RFC 2033: LHLO, and an answer for each recipient after the data */
    uint64_t greet_delay_ms,
        error_delay_ms; /* until the greeting; between commands after some errors. 0: none */
    char tls_text[96];
    struct linereader lines;
    uint64_t errors, junk, unknown;
    unsigned messages;
    /* since EHLO or HELO */
    struct arena hello;
    struct str helo;
    bool esmtp;
    /* the transaction */
    struct arena arena;
    struct smtp_message m;
    struct smtp_path pending; /* the recipient being looked up, and what was said of it */
    uint32_t pending_notify;
    struct str pending_orcpt;
    bool in_rcpt;      /* the next reply is about a recipient: */
    struct str noting; /* this one of ours; empty: of nobody here */
    bool in_mail, chunking, stage_open;
    struct dot dot;
    struct bdat bdat;
    struct buf body;                        /* one slice */
    size_t progress;                        /* bytes since the timer was moved */
    const struct smtp_reply *chunk_refusal; /* swallow the chunk, then say this */
};

/* All fields zero but service, own, lmtp and delays, then this; greets at once, or after its delay. hostname, peer_ip: borrowed for the session's
 * life. */
void smtp_session_start(struct smtp_session *s, const struct smtp_limits *conf, const struct smtp_io *io,
                        void *ctx, struct str hostname, struct str peer_ip, bool tls_possible);
void smtp_session_release(struct smtp_session *s);
/* Somebody else is the client from here on (XCLIENT): all that was said is forgotten, and he is greeted. */
void smtp_session_restart(struct smtp_session *s, struct str peer_ip);
/* What was found out about the client; before the first answer of resolve. Borrowed for the session's life. */
void smtp_session_peer(struct smtp_session *s, struct str name, struct str listed);

/* Take input; returns bytes used. What is left is offered again when smtp_session_waits is false. */
size_t smtp_session_input(struct smtp_session *s, struct str in);
bool smtp_session_waits(const struct smtp_session *s);

/* Answers. Any status that is not 0 means "try later" to the client, but for the store's E_TOO_BIG. */
void smtp_session_resolved(struct smtp_session *s, int status, enum smtp_found found,
                           const struct smtp_mailbox *box);
void smtp_session_staged(struct smtp_session *s, int status, uint64_t bytes);
void smtp_session_delivered(struct smtp_session *s, int status, struct str queue_id, uint32_t duplicates);
/* TLS is up; text: "TLSv1.3 with cipher …". All that was said before is forgotten (RFC 3207 4.2). */
void smtp_session_secured(struct smtp_session *s, const char *version, const char *cipher);
void smtp_session_timeout(struct smtp_session *s);
/* The role stops: ends idle sessions now, others after the message they are sending. */
void smtp_session_stop(struct smtp_session *s);
/* May be hung up on to make room: waits for a command, outside a transaction. */
bool smtp_session_idle(const struct smtp_session *s);
/* When there is nobody else: waits for a command inside a transaction. */
bool smtp_session_dawdles(const struct smtp_session *s);
/* Make room: 421 and away. */
void smtp_session_evict(struct smtp_session *s);

/* What was waited for in SMTP_ST_CHECKING is known. */
void smtp_checked(struct smtp_session *s);

/* ---- for these files and for services ---- */
void smtp_enter(struct smtp_session *s, enum smtp_state next);
void smtp_say(struct smtp_session *s, const struct smtp_reply *r);
void smtp_say_text(struct smtp_session *s, unsigned code, const char *enh, struct str text);
/* A refused command: counted, and too many end the session. */
void smtp_refuse(struct smtp_session *s, const struct smtp_reply *r);
void smtp_close(struct smtp_session *s);
/* RCPT is answered with this 250. */
void smtp_rcpt_taken(struct smtp_session *s, const struct smtp_reply *r);
/* The last reply of this session; why: for the log. */
void smtp_say_last(struct smtp_session *s, const struct smtp_reply *r, const char *why);
/* Errors are many: the next command waits. */
void smtp_slow_down(struct smtp_session *s);
/* End the transaction: what is staged is given up. */
void smtp_transaction_end(struct smtp_session *s);
/* smtp_note.c: a reply goes out; what it means for the journal and the numbers. */
void smtp_note_recipient(struct smtp_session *s, unsigned code, const char *enh, struct str text);
/* Of the message whose recipients are still known. */
void smtp_note_message(struct smtp_session *s, unsigned code, const char *enh, struct str text);
/* smtp_commands.c: run one line; `pipelined`: more input came with it. */
void smtp_run_line(struct smtp_session *s, struct str line, bool pipelined);
/* smtp_data.c */
void smtp_data_start(struct smtp_session *s);
void smtp_chunk_start(struct smtp_session *s, uint64_t bytes, bool last);
void smtp_chunk_swallow(struct smtp_session *s, uint64_t bytes, const struct smtp_reply *then);
size_t smtp_data_input(struct smtp_session *s, struct str in);
size_t smtp_chunk_input(struct smtp_session *s, struct str in);
#endif
