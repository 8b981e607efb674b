/* lib/imap/cmdline.h
 *
 * From bytes of a client to whole commands (RFC 9051 2.2.1, 4.3). Takes any slice of input and keeps
 * a command with its literals in one piece, as it was sent and without the last CRLF, so that
 * lib/imap/args.h can walk over it. It says when "+ " must be sent, and stops at the message literals
 * of APPEND and REPLACE, whose bytes the role streams and nobody collects.
 *
 * It knows lines, literals and limits; no command but APPEND and REPLACE, no connection. Memory is `text` alone,
 * bounded by the limits: what limits ask for is decided before anything is allocated.
 *
 * A command that breaks a rule is an error once; its remaining bytes (to the end of its line, with
 * the non-synchronizing literals it announces) are then swallowed, and the next command is read as if
 * nothing had been. */
#ifndef LIB_IMAP_CMDLINE_H
#define LIB_IMAP_CMDLINE_H
#include "lib/base/buf.h"
#include "lib/base/errors.h"

struct cmdline_limits {
    size_t line_max;    /* bytes of a command outside of its literals; anew behind each streamed one */
    size_t literal_max; /* of one collected literal */
    size_t total_max;   /* of a command, literals included */
};
/* Before login: enough for a SASL exchange, and no more. */
extern const struct cmdline_limits cmdline_limits_before_login;
extern const struct cmdline_limits cmdline_limits_after_login;

/* Of a command that was refused so much is swallowed, its non-synchronizing literals and lines together;
 * more sets `must_close`. */
#define CMDLINE_DISCARD_MAX MIB(1)

struct literal {
    uint64_t n;  /* octets */
    bool sync;   /* the client waits for "+ " */
    bool binary; /* literal8 "~{n}" (RFC 3516 4.2): may hold NUL */
};

enum cmdline_event {
    CMDLINE_MORE,     /* everything was used; feed more */
    CMDLINE_CONTINUE, /* send "+ ", then feed on */
    CMDLINE_COMMAND,  /* `text` is a whole command; cmdline_next() when done with it */
    CMDLINE_STREAM,   /* `text` ends in the head of a message literal; see below */
    CMDLINE_LINE,     /* `text` is the line that cmdline_expect_line() asked for */
};

struct cmdline {
    struct buf text;
    struct literal literal; /* the last one announced */
    size_t rest_at;         /* after a streamed literal: where the text behind it begins */
    bool must_close;        /* what was refused is too large to wait for: say BYE */
    /* private */
    struct cmdline_limits limits;
    enum {
        CMDLINE_ST_LINE,
        CMDLINE_ST_LITERAL,
        CMDLINE_ST_STREAM,
        CMDLINE_ST_DONE,
        CMDLINE_ST_SKIP_LINE,
        CMDLINE_ST_SKIP_LITERAL,
    } state;
    bool cr, raw, failed;
    size_t line_n;     /* bytes of the lines of this command so far */
    uint64_t pending;  /* of the literal being collected or skipped */
    uint64_t may_skip; /* bytes that may still be swallowed */
    char tail[32];     /* the end of a line that is skipped: does it announce a literal? */
    size_t tail_n;
};

void cmdline_init(struct cmdline *c, const struct cmdline_limits *limits);
void cmdline_release(struct cmdline *c);
/* From the next command on. */
void cmdline_set_limits(struct cmdline *c, const struct cmdline_limits *limits);

/* Take from `in` up to and including the end of the next event. Sets *used_out always. Returns an
 * event, or E_LINE_TOO_LONG, E_TOO_BIG (literal), E_LIMIT (whole command), E_NUL, E_BARE_CR,
 * E_BARE_LF, E_NOMEM; after an error `text` holds what was read (for its tag) until the next call.
 * Must not be called between CMDLINE_COMMAND, _LINE or _STREAM and the answer to it. */
MUST_CHECK int cmdline_feed(struct cmdline *c, struct str in, size_t *used_out);
/* Forget the command, ready for the next one. Large memory is given back. */
void cmdline_next(struct cmdline *c);
/* The next line is not a command but an answer to "+ " (AUTHENTICATE, IDLE): literals have no
 * meaning in it. Use instead of cmdline_next. */
void cmdline_expect_line(struct cmdline *c);

/* After CMDLINE_STREAM one of these: the role has taken literal.n bytes itself (after sending "+ "
 * when literal.sync) and what follows is read on: the next event is CMDLINE_COMMAND, or _STREAM for
 * MULTIAPPEND (RFC 3502) and CATENATE (RFC 4469). */
void cmdline_stream_done(struct cmdline *c);
/* Or: the command has been answered with NO or BAD and the literal is not wanted. Up to `most` bytes of it
 * are swallowed; when it is larger, `must_close` is set. */
void cmdline_stream_refuse(struct cmdline *c, uint64_t most);

/* The tag of what is in `text`, "*" when it has none (for a BAD). Borrowed. */
struct str cmdline_tag(const struct cmdline *c);

/* The head of a literal at the end of `line` (without CRLF): "{12}", "{12+}", "~{12}". False when
 * there is none. */
bool literal_head_at_end(struct str line, struct literal *out, size_t *at_out);
#endif
