/* lib/imap/append_args.h
 *
 * What follows the mailbox in APPEND and REPLACE (RFC 9051 6.3.12 with RFC 3502, 3516, 4469, 8508 and the
 * UTF8 literal of RFC 6855, which RFC 9755 lets a server take still): messages, each with flags, a date and a
 * literal or the pieces that it is made of. A command is read in segments, since the bytes of its literals go
 * elsewhere: between two of them the reader remembers where in the grammar it is. */
#ifndef LIB_IMAP_APPEND_ARGS_H
#define LIB_IMAP_APPEND_ARGS_H
#include "lib/imap/flags.h"

#define APPEND_MESSAGES_MAX 1000u /* in one command */
#define APPEND_PIECES_MAX   1000u /* in one message */

enum append_event_kind {
    APPEND_EV_MESSAGE,     /* one begins: flags, date */
    APPEND_EV_LITERAL,     /* the segment ends in this literal's head: its bytes follow */
    APPEND_EV_URL,         /* a piece: `url`, borrowed from the segment or in the arena */
    APPEND_EV_MESSAGE_END, /* it is complete */
    APPEND_EV_END,         /* the command is */
};

struct append_event {
    enum append_event_kind kind;
    struct imap_flags flags;
    bool has_date;
    int64_t date_ms;
    struct literal literal;
    bool catenate; /* of MESSAGE: made of pieces */
    struct str url;
};

struct append_reader {
    bool single; /* REPLACE: one message, no more */
    /* private */
    enum append_reading {
        APPEND_RD_BETWEEN,
        APPEND_RD_DATA,
        APPEND_RD_PIECE,
        APPEND_RD_NEXT_PIECE,
        APPEND_RD_PLAIN_END,
        APPEND_RD_UTF8_END,
    } state;
    bool catenate;
    size_t messages, pieces;
};

/* The next event of the segment. E_SYNTAX, E_LIMIT, E_NOMEM. After LITERAL the next call gets the segment
 * behind its bytes. */
MUST_CHECK int append_next(struct append_reader *p, struct args *a, struct append_event *out);
#endif
