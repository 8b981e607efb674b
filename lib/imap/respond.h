/* lib/imap/respond.h
 *
 * What a server says (RFC 9051 7), written into a buf. Errors stick: after the first (E_LIMIT,
 * E_NOMEM) nothing more is written and `r` tells, so a response is composed without a check at every
 * word and checked once. Whatever strings come in, what comes out is one well-formed response: no
 * CR, LF or NUL escapes from a text. */
#ifndef LIB_IMAP_RESPOND_H
#define LIB_IMAP_RESPOND_H
#include "lib/imap/flags.h"
#include "lib/imap/seqset.h"

struct resp {
    struct buf *out;
    int r;     /* 0, or the first error */
    bool utf8; /* the client has enabled UTF-8 */
};

/* As is: for fixed text and numbers only. */
void resp_z(struct resp *w, const char *z);
void resp_raw(struct resp *w, struct str s);
void resp_printf(struct resp *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* quoted where it can be, else a literal. A NUL becomes a space. */
void resp_string(struct resp *w, struct str s);
/* NIL when s.p is NULL. */
void resp_nstring(struct resp *w, struct str s);
/* An atom where it can be, else a string. */
void resp_astring(struct resp *w, struct str s);
/* A mailbox name (UTF-8 inside) as this client reads it. */
void resp_mailbox(struct resp *w, struct str name);
/* "(\Seen $Todo)" */
void resp_flags(struct resp *w, const struct imap_flags *f);
/* "\"17-Jul-1996 02:44:25 +0000\"" */
void resp_date_time(struct resp *w, int64_t ms);
/* "{n}\r\n": n bytes follow, which the role streams; binary: "~{n}". */
void resp_literal_head(struct resp *w, uint64_t n, bool binary);
/* Human text: control bytes and, unless utf8, what is not ASCII become '?'. */
void resp_text(struct resp *w, struct str s);
void resp_crlf(struct resp *w);
/* "<tag> OK [code] text" CRLF. tag NULL p: "*"; code may be NULL, and is fixed text. */
void resp_status(struct resp *w, struct str tag, const char *condition, const char *code, struct str text);
#endif
