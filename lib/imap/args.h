/* lib/imap/args.h
 *
 * A cursor over one complete command, as lib/imap/cmdline.h collected it: the small words of RFC 9051
 * 9 from which the commands are made. Strings it gives out are slices of the command where they can be
 * and copies in the arena where they must be (escapes, mailbox names).
 *
 * Every function returns 0 and moves on, or E_SYNTAX (or E_NOMEM, E_RANGE where it says so) and stays
 * where it was, with `expected` saying what it wanted there: args_explain() makes the text of a BAD. */
#ifndef LIB_IMAP_ARGS_H
#define LIB_IMAP_ARGS_H
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/imap/cmdline.h"

struct args {
    struct str text;
    size_t at;
    struct arena *arena;
    bool utf8;            /* UTF8=ACCEPT or IMAP4rev2 enabled: mailbox names come as UTF-8 */
    const char *expected; /* after E_SYNTAX */
};

static inline struct args args_of(struct arena *arena, struct str text, bool utf8)
{
    return (struct args){ .text = text, .arena = arena, .utf8 = utf8 };
}

/* Always E_SYNTAX: for parsers built on this one. */
int args_fail(struct args *a, const char *expected);
/* "Expected a number at character 12"; static wording, never a byte of the client. */
MUST_CHECK int args_explain(const struct args *a, struct buf *out);

/* The next byte, -1 at the end. */
static inline int args_peek(const struct args *a)
{
    return a->at < a->text.n ? (unsigned char)a->text.p[a->at] : -1;
}

/* One given byte when it is next. */
bool args_skip(struct args *a, char c);
MUST_CHECK int args_char(struct args *a, char c, const char *expected);
MUST_CHECK int args_sp(struct args *a);
/* Nothing may follow. */
MUST_CHECK int args_end(struct args *a);
MUST_CHECK int args_tag(struct args *a, struct str *out);
MUST_CHECK int args_atom(struct args *a, struct str *out);
/* A run of letters, digits and ".-_": command, item and key names. */
MUST_CHECK int args_word(struct args *a, struct str *out);
/* The word `w` (any case) when it is next and ends there. */
bool args_skip_word(struct args *a, const char *w);
MUST_CHECK int args_astring(struct args *a, struct str *out);
/* quoted or literal. Quoted text may be UTF-8 (RFC 9051 4.3), and must be valid then. */
MUST_CHECK int args_string(struct args *a, struct str *out);
/* NIL gives .p NULL. */
MUST_CHECK int args_nstring(struct args *a, struct str *out);
/* A literal, with how it came; its bytes must be in the command. */
MUST_CHECK int args_literal(struct args *a, struct str *out, struct literal *how_out);
/* Only the head "{n}" CRLF of a literal that is streamed, which ends the text. */
MUST_CHECK int args_literal_head(struct args *a, struct literal *out);
MUST_CHECK int args_number(struct args *a, uint32_t *out);
MUST_CHECK int args_nz_number(struct args *a, uint32_t *out);
/* 63 bits (RFC 9051: number64). */
MUST_CHECK int args_number64(struct args *a, uint64_t *out);
/* The text of a sequence-set, for seqset_parse ("1:3,7,*", or "$" of RFC 5182). */
MUST_CHECK int args_set_text(struct args *a, struct str *out);
/* A mailbox name, as UTF-8 (NFC), "INBOX" in capitals; in the arena. E_RANGE: well-formed, but no
 * name a mailbox may have (bad modified UTF-7, control characters, empty levels…): a NO, not a BAD. */
MUST_CHECK int args_mailbox(struct args *a, struct str *out);
/* list-mailbox: the same, with % and *, and it may be empty. */
MUST_CHECK int args_list_pattern(struct args *a, struct str *out);
/* date-time of APPEND: " 7-Feb-1994 21:52:25 -0800" in quotes; milliseconds since the epoch, UTC. */
MUST_CHECK int args_date_time(struct args *a, int64_t *ms_out);
/* date of SEARCH, quoted or not: days since 1970-01-01, of no time zone. */
MUST_CHECK int args_date(struct args *a, int32_t *day_out);
#endif
