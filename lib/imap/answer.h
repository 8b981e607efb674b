/* lib/imap/answer.h
 *
 * What an IMAP server answers (RFC 9051 7, RFC 3501 7), read by who asks: a stream into whole responses, and a response into
 * what it says. The server is not trusted: a response is bounded, a message never is in memory, nesting costs nothing.
 * Grammar only: no connection, no tags given out. Any slice of input; how it is cut changes nothing. */
#ifndef LIB_IMAP_ANSWER_H
#define LIB_IMAP_ANSWER_H
#include "lib/base/arena.h"
#include "lib/base/buf.h"

#define IMAP_ANSWER_MAX   KIB(256) /* of one response, without the bytes of BODY[] */
#define IMAP_KEYWORDS_ALL 64u      /* of a message; more are dropped */

/* ---- the stream ---- */
struct imap_answers {
    struct buf line;  /* the response so far; literals stand in it as "{n}", CRLF and n bytes. Set .max */
    uint64_t literal; /* bytes of one that are still to come */
    bool body, whole; /* of BODY[]: they are given away, "{0}" stands for them; whole: the response ended */
    bool had_body;    /* this response had one */
    uint64_t body_bytes; /* its length */
    size_t floor;        /* of line: the end of the last literal, which is no grammar */
};
enum imap_answers_event {
    IMAP_ANSWERS_MORE,  /* all of the input was taken */
    IMAP_ANSWERS_LINE,  /* a.line is a response; the next call begins another */
    IMAP_ANSWERS_BEGIN, /* the bytes of BODY[] come now: a.body_bytes of them; a.line is what stands before */
    IMAP_ANSWERS_BODY,  /* *slice_out of them */
};
/* One event. *used_out: so many bytes of `in` are done. E_LIMIT: too long; E_SYNTAX: no such literal, or a second BODY[]. */
MUST_CHECK int imap_answers_feed(struct imap_answers *a, struct str in, size_t *used_out,
                                 struct str *slice_out);
void imap_answers_release(struct imap_answers *a);

/* ---- a response ---- */
enum imap_status { IMAP_NONE, IMAP_OK, IMAP_NO, IMAP_BAD, IMAP_BYE, IMAP_PREAUTH };
struct imap_answer {
    struct str tag; /* "*" untagged, "+" a continuation */
    enum imap_status status;
    struct str code; /* what stands in brackets, without them */
    struct str text; /* of a status, or of a continuation */
    uint32_t number; /* "* 5 EXISTS"; 0: none */
    struct str name; /* "EXISTS", "LIST": what is no status */
    struct str rest; /* behind it */
};
/* Pieces of `line`. E_SYNTAX. */
MUST_CHECK int imap_answer_parse(struct str line, struct imap_answer *out);
/* "UIDVALIDITY 5": the number behind a word. False: another word, or no number. */
bool imap_code_number(struct str code, const char *word, uint32_t *out);
/* Is the word among those, in any case? */
bool imap_words_have(struct str words, const char *word);

struct imap_fetched {
    uint32_t uid; /* 0: not said */
    bool has_flags, has_date, has_size, has_body, nil_body;
    uint32_t flags;             /* IMAP_FLAG_* that can be set (flags.h) */
    const struct str *keywords; /* those that we would not take are left out */
    size_t nkeywords;
    int64_t date_ms;
    uint64_t size;
};
/* "(UID 5 FLAGS (\Seen) BODY[] {0}..." of a FETCH; what else stands there is passed over. `cut`: the line ends before the
 * list does (IMAP_ANSWERS_BEGIN). E_SYNTAX, E_NOMEM. */
MUST_CHECK int imap_fetched_parse(struct arena *a, struct str rest, bool cut, struct imap_fetched *out);

enum imap_use {
    IMAP_USE_NONE,
    IMAP_USE_ALL,
    IMAP_USE_ARCHIVE,
    IMAP_USE_DRAFTS,
    IMAP_USE_FLAGGED,
    IMAP_USE_JUNK,
    IMAP_USE_SENT,
    IMAP_USE_TRASH,
    IMAP_USE_IMPORTANT
};
struct imap_listed {
    bool noselect;
    enum imap_use use; /* RFC 6154 */
    char delimiter;    /* '\0': none */
    struct str wire;   /* the name as it was sent: say it so to the server */
};
MUST_CHECK int imap_listed_parse(struct arena *a, struct str rest, struct imap_listed *out);
/* The prefix of personal folders, "INBOX.", of NAMESPACE (RFC 2342). Empty when there is none. */
MUST_CHECK int imap_namespace_parse(struct arena *a, struct str rest, struct str *prefix_out);
/* The name of a folder on the wire as ours (mboxname.h), without `prefix`: '/' between levels. utf8: the server sends UTF-8
 * (and modified UTF-7 is one as well). E_RANGE: it cannot be one of ours. */
MUST_CHECK int imap_name_ours(struct arena *a, const struct imap_listed *l, struct str prefix, bool utf8,
                              struct str *out);
/* A string of a command, quoted; E_SYNTAX: it holds what only a literal can. */
MUST_CHECK int imap_quote(struct str s, struct buf *out);
#endif
