/* src/common/smtp_session.h
 *
 * What the services that speak SMTP share (the mx, submission): one session as a state machine (RFC 5321): bytes and answers go in, replies and requests come
 * out through struct mx_io. It knows no sockets, no RPC, no TLS and no clock but the wall's, so its
 * tests are scripts. At any time there is at most one request under way (look-ups aside), and while there is, input
 * waits: mx_session_waits tells the owner to stop reading.
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
struct mx_io {
    int (*reply)(void *ctx, struct str bytes);
    bool (*reply_full)(void *ctx);                 /* the client does not read: do not produce more */
    void (*start_tls)(void *ctx);                  /* then mx_session_secured */
    void (*hang_up)(void *ctx);                    /* after what was replied has gone out */
    void (*timer)(void *ctx, int64_t ms);          /* one timer, moved; 0: off. Then mx_session_timeout */
    int (*resolve)(void *ctx, struct str address); /* then mx_session_resolved */
    int (*stage)(void *ctx, uint64_t bytes_max,
                 uint64_t bytes_expected); /* then mx_session_staged, any time */
    size_t (*stage_room)(void *ctx); /* bytes the store takes now; when it grows the owner goes on feeding */
    int (*stage_send)(void *ctx, struct str bytes);
    void (*stage_end)(void *ctx);
    int (*deliver)(void *ctx, const struct mx_message *m); /* then mx_session_delivered */
    void (*cancel)(void *ctx); /* no answer is wanted any more, of look-ups neither; what is staged may go */
    int (*lookup)(void *ctx,
                  struct lookup *q); /* answered to the service; several at once, beside all else */
};

enum mx_state {
    MX_ST_COMMAND,
    MX_ST_GREETING,  /* connected; the greeting comes a little later */
    MX_ST_SLOW,      /* after errors: the next command waits */
    MX_ST_AUTH,      /* a login under way: the client's next line is its answer */
    MX_ST_LOGIN,     /* address and password are looked at */
    MX_ST_RESOLVING, /* RCPT: the directory is asked */
    MX_ST_DATA,      /* message bytes, dot-stuffed */
    MX_ST_CHUNK,     /* message bytes, counted (BDAT) */
    MX_ST_STAGING,   /* all bytes sent on: the store says what it has */
    MX_ST_CHECKING,  /* staged; what the DNS still owes about the sender is waited for, not for long */
    MX_ST_STORING,   /* the store commits */
    MX_ST_TLS,       /* 220 was said, the handshake runs */
    MX_ST_CLOSED,
};

struct mx_session;
/* What differs between the services. Functions may be NULL. */
struct mx_service {
    uint32_t extensions; /* SMTP_EXT_*: parameters that are understood */
    bool relays;         /* recipients elsewhere are taken */
    size_t fields_max;   /* room in the transaction's arena for what is put before a message */
    int (*offer)(const struct mx_session *s, struct buf *text);       /* more lines of EHLO, each "\nWORD" */
    void (*auth)(struct mx_session *s, const struct smtp_command *c); /* AUTH; NULL: refused */
    void (*line)(struct mx_session *s, struct str line); /* in MX_ST_AUTH; .p NULL: it was none */
    /* Answers what may not begin a message, or go on to this recipient: false. */
    bool (*mail)(struct mx_session *s, const struct smtp_command *c);
    bool (*rcpt)(struct mx_session *s, const struct smtp_command *c);
    void (*hello)(struct mx_session *s, const struct smtp_command *c); /* EHLO came: s->helo is set */
    /* s->pending exists, or is relayed to. False: answered, it gets nothing. */
    bool (*accept)(struct mx_session *s);
    /* The same, and it takes the recipient, or refuses it, itself: true. */
    bool (*take)(struct mx_session *s);
    void (*xclient)(struct mx_session *s, struct str args); /* XCLIENT; NULL: unknown */
    /* The bytes, on their way to the store: *out is what goes on. E_NOMEM, E_LIMIT. */
    void (*begin)(struct mx_session *s);
    int (*feed)(struct mx_session *s, struct str in, struct str *out);
    int (*end)(struct mx_session *s, struct str *out); /* the last has come: what is left to go on */
    void (*forget)(struct mx_session *s);              /* the transaction ends */
    /* Is everything known that the verdict needs? When not, mx_checked comes, or give_up after check_timeout. */
    bool (*settled)(struct mx_session *s);
    void (*give_up)(struct mx_session *s);
    /* Whose journal tells of it: who sends. NULL: each recipient's. Empty: nobody's. */
    struct str (*person)(const struct mx_session *s);
    /* NULL: take it. s->m.hop is filled. */
    const struct smtp_reply *(*verdict)(struct mx_session *s, const char **why_out);
};

enum mx_found { MX_FOUND, MX_NO_DOMAIN, MX_NO_ALIAS, MX_NOT_READY };

struct mx_session {
    const struct mx_service *service;
    void *own; /* the service's */
    const struct smtp_limits *conf;
    const struct mx_io *io;
    void *ctx;
    enum mx_state state;
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
    struct mx_message m;
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
void mx_session_start(struct mx_session *s, const struct smtp_limits *conf, const struct mx_io *io, void *ctx,
                      struct str hostname, struct str peer_ip, bool tls_possible);
void mx_session_release(struct mx_session *s);
/* Somebody else is the client from here on (XCLIENT): all that was said is forgotten, and he is greeted. */
void mx_session_restart(struct mx_session *s, struct str peer_ip);
/* What was found out about the client; before the first answer of resolve. Borrowed for the session's life. */
void mx_session_peer(struct mx_session *s, struct str name, struct str listed);

/* Take input; returns bytes used. What is left is offered again when mx_session_waits is false. */
size_t mx_session_input(struct mx_session *s, struct str in);
bool mx_session_waits(const struct mx_session *s);

/* Answers. Any status that is not 0 means "try later" to the client, but for the store's E_TOO_BIG. */
void mx_session_resolved(struct mx_session *s, int status, enum mx_found found, const struct mx_mailbox *box);
void mx_session_staged(struct mx_session *s, int status, uint64_t bytes);
void mx_session_delivered(struct mx_session *s, int status, struct str queue_id, uint32_t duplicates);
/* TLS is up; text: "TLSv1.3 with cipher …". All that was said before is forgotten (RFC 3207 4.2). */
void mx_session_secured(struct mx_session *s, const char *version, const char *cipher);
void mx_session_timeout(struct mx_session *s);
/* The role stops: ends idle sessions now, others after the message they are sending. */
void mx_session_stop(struct mx_session *s);
/* May be hung up on to make room: waits for a command, outside a transaction. */
bool mx_session_idle(const struct mx_session *s);
/* When there is nobody else: waits for a command inside a transaction. */
bool mx_session_dawdles(const struct mx_session *s);
/* Make room: 421 and away. */
void mx_session_evict(struct mx_session *s);

/* What was waited for in MX_ST_CHECKING is known. */
void mx_checked(struct mx_session *s);

/* ---- for these files and for services ---- */
void mx_enter(struct mx_session *s, enum mx_state next);
void mx_say(struct mx_session *s, const struct smtp_reply *r);
void mx_say_text(struct mx_session *s, unsigned code, const char *enh, struct str text);
/* A refused command: counted, and too many end the session. */
void mx_refuse(struct mx_session *s, const struct smtp_reply *r);
void mx_close(struct mx_session *s);
/* RCPT is answered with this 250. */
void mx_rcpt_taken(struct mx_session *s, const struct smtp_reply *r);
/* The last reply of this session; why: for the log. */
void mx_say_last(struct mx_session *s, const struct smtp_reply *r, const char *why);
/* Errors are many: the next command waits. */
void mx_slow_down(struct mx_session *s);
/* End the transaction: what is staged is given up. */
void mx_transaction_end(struct mx_session *s);
/* smtp_note.c: a reply goes out; what it means for the journal and the numbers. */
void smtp_note_recipient(struct mx_session *s, unsigned code, const char *enh, struct str text);
/* Of the message whose recipients are still known. */
void smtp_note_message(struct mx_session *s, unsigned code, const char *enh, struct str text);
/* smtp_commands.c: run one line; `pipelined`: more input came with it. */
void mx_run_line(struct mx_session *s, struct str line, bool pipelined);
/* smtp_data.c */
void mx_data_start(struct mx_session *s);
void mx_chunk_start(struct mx_session *s, uint64_t bytes, bool last);
void mx_chunk_swallow(struct mx_session *s, uint64_t bytes, const struct smtp_reply *then);
size_t mx_data_input(struct mx_session *s, struct str in);
size_t mx_chunk_input(struct mx_session *s, struct str in);
#endif
