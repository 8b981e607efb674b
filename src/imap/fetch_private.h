/* src/imap/fetch_private.h: what the files of FETCH share.
 *
 * cmd_fetch.c     the command, and messages that stream by
 * fetch_plan.c    what is asked for
 * fetch_values.c  items whose values are in memory
 * fetch_pieces.c  message by message */
#ifndef SRC_IMAP_FETCH_PRIVATE_H
#define SRC_IMAP_FETCH_PRIVATE_H
#include "lib/imap/fetch_items.h"
#include "lib/mime/decode.h"
#include "lib/mime/section.h"
#include "lib/mime/structure.h"
#include "src/common/records.h"
#include "src/imap/imap.h"

#define FETCH_HEADER_MAX KIB(256) /* of a header block that is filtered or partly sent */

enum need { NEED_NOTHING, NEED_HEADER, NEED_WHOLE, NEED_RANGE };

enum phase { PHASE_NEXT, PHASE_ITEMS, PHASE_RANGE };

/* BINARY (RFC 3516) of an encoded part reads it twice: a literal says its size before its bytes. */
enum binary { BINARY_NONE, BINARY_COUNT, BINARY_SEND };

struct fetch {
    struct fetch_items items;
    struct uidranges todo;  /* not complete yet */
    struct records records; /* of rows; its arena holds the row and root of the message at hand */
    struct records ranges;  /* of the requests for bytes in it */
    uint32_t want;
    bool set_seen, piecewise;
    unsigned resumes;
    /* the message at hand */
    Store__Row *row;
    struct mime_part *root; /* in the records' arena */
    uint32_t uid;
    bool open;         /* "* n FETCH (" has been written */
    bool skip;         /* not in this client's view */
    size_t item;       /* the next to write */
    struct buf header; /* collected: NEED_HEADER, and ranges that are filtered */
    bool collecting;
    uint64_t left, offset; /* of the literal that streams: to come, and where the next byte is */
    uint64_t sent;         /* of the literal, when plain */
    enum binary binary;
    struct mime_decoder decoder;
    struct mime_range part;   /* of the encoded bytes */
    uint64_t decoded;         /* so far */
    struct mime_range window; /* of the decoded bytes: what is sent */
    bool unknown_cte;         /* something could not be decoded: RFC 3516 4.3 */
    enum phase phase;
    const char *code, *text; /* of the tagged OK; code may be NULL */
};

/* ---- fetch_plan.c ---- */
enum need fetch_need(const struct fetch_item *i);
/* Which way, and what to ask for. */
void fetch_plan(struct fetch *f, bool read_only);
/* What is told without having been asked for. E_NOMEM. */
MUST_CHECK int fetch_complete_items(struct imap_conn *c, struct fetch *f);
/* RFC 9394 3.3: of the messages that are named, so many from one end. */
MUST_CHECK int fetch_take_window(struct fetch *f);

/* ---- fetch_values.c ---- */
/* Name of the next item, with the space before it. */
const struct fetch_item *fetch_next_item(struct imap_conn *c, struct fetch *f);
void fetch_write_value(struct imap_conn *c, const struct fetch *f, enum fetch_kind kind);
/* From f->header: all of it, or the fields that are asked for. */
void fetch_write_header(struct imap_conn *c, struct fetch *f, const struct fetch_item *i);
bool fetch_is_filtered(const struct fetch_item *i);

/* ---- fetch_pieces.c ---- */
/* imap_continue's step: the next message, or item. */
int fetch_step_pieces(struct imap_conn *c);
/* Bytes of a part that is decoded. */
MUST_CHECK int fetch_decode(struct imap_conn *c, struct fetch *f, struct str bytes);

/* ---- cmd_fetch.c ---- */
void fetch_open(struct imap_conn *c, struct fetch *f); /* "* n FETCH (" */
MUST_CHECK int fetch_message_done(struct imap_conn *c, struct fetch *f);
MUST_CHECK int fetch_data(struct imap_conn *c, struct str data); /* of the store's answer */
/* The store died: is it worth asking again? */
bool fetch_may_resume(struct fetch *f, int status);
/* Nothing more can be had. Inside a response there is no way to say so but to hang up. */
void fetch_fail(struct imap_conn *c, int status);
/* What we set \Seen on has been told with its flags. */
void fetch_note_own(struct imap_conn *c, const struct fetch *f, struct str body);
#endif
