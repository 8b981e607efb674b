/* lib/imap/fetch_items.h
 *
 * What FETCH asks for (RFC 9051 6.4.5 with RFC 3501, 3516, 7162, 8474, 8514, 8970), as an array of
 * items, and each item's name as the response repeats it. Grammar only: whether a section exists is
 * for the message to say. */
#ifndef LIB_IMAP_FETCH_ITEMS_H
#define LIB_IMAP_FETCH_ITEMS_H
#include "lib/imap/args.h"
#include "lib/imap/respond.h"

#define FETCH_ITEMS_MAX  256u
#define FETCH_DEPTH_MAX  100u /* numbers in a section path */
#define FETCH_FIELDS_MAX 256u /* names in HEADER.FIELDS */

enum fetch_kind {
    FETCH_FLAGS,
    FETCH_UID,
    FETCH_INTERNALDATE,
    FETCH_ENVELOPE,
    FETCH_BODYSTRUCTURE,
    FETCH_BODY_STRUCTURE, /* BODY without a section: BODYSTRUCTURE without extension data */
    FETCH_RFC822,
    FETCH_RFC822_HEADER,
    FETCH_RFC822_TEXT,
    FETCH_RFC822_SIZE,
    FETCH_BODY,        /* BODY[…], BODY.PEEK[…] */
    FETCH_BINARY,      /* BINARY[…], BINARY.PEEK[…] */
    FETCH_BINARY_SIZE, /* BINARY.SIZE[…] */
    FETCH_MODSEQ,
    FETCH_EMAILID,
    FETCH_THREADID,
    FETCH_SAVEDATE,
    FETCH_PREVIEW,
};

enum fetch_text {
    FETCH_TEXT_ALL, /* the part (or message) itself: BODY[], BODY[1.2] */
    FETCH_TEXT_HEADER,
    FETCH_TEXT_HEADER_FIELDS,
    FETCH_TEXT_HEADER_FIELDS_NOT,
    FETCH_TEXT_TEXT,
    FETCH_TEXT_MIME,
};

struct fetch_section {
    const uint32_t *path; /* part numbers; npath 0: the message */
    size_t npath;
    enum fetch_text text;
    const struct str *fields; /* names as the client wrote them */
    size_t nfields;
};

struct fetch_item {
    enum fetch_kind kind;
    bool peek; /* does not set \Seen: true also of every item that never does */
    bool lazy; /* PREVIEW (LAZY) */
    struct fetch_section section;
    bool has_partial;
    uint64_t partial_off, partial_len; /* len > 0 */
};

struct fetch_items {
    const struct fetch_item *v;
    size_t n;
    bool has_changedsince, vanished; /* RFC 7162 3.1.4, 3.2.6 */
    uint64_t changedsince;
    bool has_partial; /* RFC 9394 3.3 */
    int64_t partial_from, partial_to;
};

/* A macro, one item or a list, and fetch modifiers, to the end of the command. Items named twice are
 * kept once. E_SYNTAX, E_LIMIT, E_NOMEM. */
MUST_CHECK int fetch_items_parse(struct args *a, struct fetch_items *out);
/* A section without its brackets ("1.2.MIME"), to the end: for URLs (RFC 5092). E_SYNTAX, E_LIMIT, E_NOMEM. */
MUST_CHECK int fetch_section_parse(struct args *a, struct fetch_section *out);
/* "(" fetch-att *(SP fetch-att) ")": what NOTIFY and UPDATE of SEARCH tell of new messages (RFC 5465 7, 8). Macros are
 * none. The same errors. */
MUST_CHECK int fetch_atts_parse(struct args *a, struct fetch_items *out);
/* The name of an item in the response: "BODY[1.HEADER.FIELDS (Subject)]<0>" (RFC 9051 7.5.2: the
 * origin octet, no length). */
void fetch_item_name(struct resp *w, const struct fetch_item *item);
/* Has the items `kind`? */
bool fetch_items_have(const struct fetch_items *items, enum fetch_kind kind);
#endif
