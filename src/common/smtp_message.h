/* src/common/smtp_message.h
 *
 * What is known of the message that a client is sending: envelope, sizes, and what its header block
 * said as it flowed by. Never the message itself: that is in the store's staging area. Everything
 * lives in the transaction's arena. */
#ifndef SRC_COMMON_SMTP_MESSAGE_H
#define SRC_COMMON_SMTP_MESSAGE_H
#include "lib/base/arena.h"
#include "lib/smtp/command.h"
#include "lib/smtp/trace.h"

#define SMTP_KEY_STATES_MAX 2u /* proto/directory.proto: two while keys are changing */
#define SMTP_KEY_STATE_MAX  256u
#define SMTP_PREPEND_MAX    KIB(16)

/* From which score on a message is called spam, goes to Junk, is refused: hundredths of a point; 0: not set. */
struct smtp_points {
    int header, junk, reject;
};

/* The directory's answer for a recipient that exists. Borrowed. */
struct smtp_mailbox {
    struct str id, address;
    struct str key_states[SMTP_KEY_STATES_MAX];
    size_t nkey_states;
    bool limited;         /* by a quota: then */
    uint64_t room, limit; /* bytes that may still come, as far as is known; what can never fit */
    struct smtp_points spam;
};

/* What goes to the courier: to another address, or a webhook. */
struct smtp_forward {
    bool webhook;
    struct str to, alias, domain; /* alias: ours, that it leaves from; domain: of it */
    uint32_t notify;              /* RFC 3461: SMTP_NOTIFY_*; 0: not said */
    struct str orcpt;             /* "rfc822;…"; may be empty */
    bool sent, looped;            /* the courier has it; it was in this alias before */
    struct smtp_forward *next;
};

struct smtp_recipient {
    struct smtp_path path;       /* as the client wrote it */
    struct smtp_mailbox mailbox; /* id empty: elsewhere; address is what smtp_path_print makes of it */
    int status;                  /* LMTP: how its delivery went */
    uint32_t notify;             /* RFC 3461: SMTP_NOTIFY_*; 0: not said */
    struct str orcpt;            /* "rfc822;…" */
    struct str fields;           /* to be put before the message for this one alone; may be empty */
    bool junk;                   /* into the folder of that special use */
    struct smtp_recipient *next;
};

/* A mailbox that a RCPT leads to. LMTP answers each RCPT again after the data, in order (RFC 2033 4.2). */
struct smtp_answer {
    unsigned rcpt; /* the how manieth that was taken, from 0 */
    const struct smtp_recipient *to;
    struct smtp_answer *next;
};

struct smtp_message {
    char id[24]; /* in Received and in our log */
    struct smtp_path sender;
    struct str sender_address; /* canonical; empty for <> */
    struct smtp_recipient *recipients, **last;
    struct smtp_forward *forwards, **last_forward;
    unsigned nrcpt;                /* all that follow: what a message costs */
    unsigned nboxes;               /* in recipients */
    unsigned nforwards, ndiscards; /* ndiscards: accepted, and thrown away */
    struct smtp_answer *answers, **last_answer;
    unsigned nanswers; /* RCPTs that were answered with 250 */
    bool each;         /* LMTP: recipients succeed and fail each by itself, in smtp_recipient.status */
    bool smtputf8;
    enum smtp_body body;
    bool requiretls;
    enum smtp_ret ret;
    struct str envid; /* still xtext */
    struct smtp_release release;
    uint64_t size_declared; /* 0: not */
    uint64_t bytes;         /* received */
    uint64_t staged;        /* sent on to the store: without forged fields */
    struct str auth_fields; /* what the checks found, to be put before the message; may be empty */
    struct str auth_note;   /* the same in a few words, for the journal; may be empty */
    bool of_ours;           /* a host that is trusted brings it: it answers for what it takes */
    bool dmarc_reject;      /* the domain in From wants it refused, and nothing speaks for it */
    struct trace_scan scan;
    struct trace_hop hop;          /* how it came; only_recipient is filled in here */
    int64_t began_ms, received_ms; /* monotonic; wall */
};

/* Start a message from <sender>: `a` was reset. E_NOMEM. */
MUST_CHECK int smtp_message_start(struct smtp_message *m, struct arena *a, const struct smtp_command *mail);
/* Copy a recipient in; box NULL: it is elsewhere. What is there already is not added twice. E_NOMEM. */
MUST_CHECK int smtp_message_add(struct smtp_message *m, struct arena *a, const struct smtp_path *path,
                                const struct smtp_mailbox *box);
/* LMTP: how it went for the rcpt-th that was taken; *at: where the one before it ended, NULL at first. 0, or an E_*. */
int smtp_message_outcome(const struct smtp_message *m, unsigned rcpt, const struct smtp_answer **at);
/* Copy a forward in, once; what two recipients want to hear of it adds up. f->orcpt lives in `a` already. E_NOMEM. */
MUST_CHECK int smtp_message_forward(struct smtp_message *m, struct arena *a, const struct smtp_forward *f);
/* The header fields put before a message that leaves: Delivered-To, which shows that it was here, and the rest as below. */
MUST_CHECK int smtp_forward_prepend(const struct smtp_message *m, struct arena *a, struct str alias,
                                    struct str *out);
/* The header fields put before the message for one recipient: Return-Path, Delivered-To, X-Original-To (where it came to another
 * name), Authentication-Results, Received-SPF, Received
 * (RFC 5321 4.4: the return path is added at final delivery, trace fields go on top). Into `a`. E_NOMEM, E_LIMIT. */
MUST_CHECK int smtp_message_prepend(const struct smtp_message *m, struct arena *a,
                                    const struct smtp_recipient *r, struct str *out);
/* Copy a path's strings into `a`. E_NOMEM. */
MUST_CHECK int smtp_path_dup(struct arena *a, const struct smtp_path *from, struct smtp_path *out);
#endif
