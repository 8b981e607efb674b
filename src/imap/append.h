/* src/imap/append.h
 *
 * APPEND and REPLACE from the inside: cmd_append.c walks the grammar and keeps the messages, catenate.c
 * copies what URLs name into the one that is coming in. */
#ifndef SRC_IMAP_APPEND_H
#define SRC_IMAP_APPEND_H
#include "lib/imap/append_args.h"
#include "src/imap/imap.h"

/* Of one command, all its messages together: they are one commit, which fits a -wal. */
#define APPEND_TOTAL_MAX MIB(50)

struct append_message {
    struct append_message *next;
    struct imap_flags flags;
    bool has_date, named; /* named: `staging` is */
    int64_t date_ms;
    uint64_t bytes;
    char staging[16];
};

struct append {
    struct imap_conn *c;
    struct str to;
    bool replace;
    uint32_t replaces; /* UID */
    struct append_reader reader;
    struct args rest; /* of the segment under way */
    bool segment;     /* there is one: no byte is read from the client */
    struct append_message *first, *last;
    size_t n;
    uint64_t total;
    bool committed, nul;
    struct literal literal;
    uint64_t left;         /* of the literal, from the client */
    struct rpc_call *call; /* STAGE of `last` */
    bool ending;           /* all of it is sent: the answer is on its way */
    int status;            /* of STAGE when it failed */
    struct catenate *catenate;
};

/* Bytes for the message that is coming in. E_TOO_BIG, E_UNAVAIL, or why STAGE failed. *full_out, when not
 * NULL: wait for imap_append_go before there is more. */
MUST_CHECK int append_send(struct append *p, struct str bytes, bool *full_out);
/* As much as can be done now; replies when it ends. */
void append_go(struct append *p);
/* The reply is NO (or BAD), for this reason. */
void append_fail(struct append *p, int status);

/* Copy what `url` names (borrowed for the call); append_go follows, or NO [BADURL]. */
MUST_CHECK int catenate_begin(struct append *p, struct str url);
void catenate_room(struct append *p);
void catenate_release(struct append *p);
#endif
