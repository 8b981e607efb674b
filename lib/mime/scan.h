/* lib/mime/scan.h
 *
 * The structure of a message in one pass (RFC 2045, 2046, 5322). Feed slices cut anywhere; get a tree
 * of parts with exact byte ranges, ready for IMAP. Memory is bounded whatever comes: the current
 * line's first bytes, the fields of one header that matter, and the tree in the caller's arena.
 *
 * Nothing is an error. What is broken is read as widespread software reads it; over a limit (parts,
 * depth, arena) the rest of the message belongs to the part at hand, which is marked `opaque`.
 * Line ends are CRLF or LF. Decoding is text.h's, wire formats are imap_format.h's. */
#ifndef LIB_MIME_SCAN_H
#define LIB_MIME_SCAN_H
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/errors.h"
#include "lib/mime/envelope.h"
#include "lib/mime/param.h"

#define MIME_PARTS_MAX    1000u
#define MIME_DEPTH_MAX    64u
#define MIME_BOUNDARY_MAX 256u     /* RFC 2046 allows 70; of longer ones the beginning is compared */
#define MIME_KEPT_MAX     KIB(128) /* header bytes that count, per part */

enum mime_kind { MIME_LEAF, MIME_MULTIPART, MIME_MESSAGE };

/* Offsets count from the message's first byte. The header is [header_start, body_start) with its
 * blank line, the body [body_start, body_end) without the line end that belongs to the delimiter
 * after it. A MIME_MESSAGE has one child, the message inside, whose header starts where the body of
 * its parent does. Absent strings have .p NULL. */
struct mime_part {
    uint64_t header_start, body_start, body_end, lines; /* lines: LFs in the body */
    enum mime_kind kind;
    bool opaque; /* says multipart or message, and was not looked into */
    bool typed;  /* has a Content-Type of its own; else type and subtype are the default */
    uint32_t depth, nchildren;
    struct str type, subtype, encoding, id, description, disposition, language, location, md5;
    struct mime_param *params, *disposition_params;
    struct mime_envelope *envelope; /* the root, and the child of a MIME_MESSAGE */
    struct mime_part *parent, *first_child, *last_child, *next;
};

/* What the scanner sees on its way, for who wants the bytes in the same pass. Slices are borrowed for
 * the call. Bodies are those of leaves (kind MIME_LEAF), and may end with the line end that is the
 * delimiter's. Any hook may be NULL. */
struct mime_hooks {
    void *user;
    void (*header)(void *user, const struct mime_part *p, struct str bytes);
    void (*header_end)(void *user, const struct mime_part *p); /* type and parameters are known */
    void (*body_begin)(void *user,
                       const struct mime_part *p); /* of a leaf; not when the header never ended */
    void (*body)(void *user, const struct mime_part *p, struct str bytes);
    void (*part_end)(void *user, const struct mime_part *p);
};

struct mime_open {
    struct mime_part *part;
    struct str boundary;
};

/* Private; init before use, release after. */
struct mime_scan {
    struct arena *arena;
    struct mime_hooks hooks;
    struct mime_part *root, *cur;
    uint64_t pos, lf_count, line_start;
    struct mime_open open[MIME_DEPTH_MAX];
    uint32_t nopen, nparts;
    int state;
    bool in_header, frozen, keep_field, keep_content;
    char last;       /* the byte before pos */
    uint8_t eol;     /* length of the line end before line_start */
    uint32_t head_n; /* the beginning of the current line, while it is undecided */
    char head[MIME_BOUNDARY_MAX + 8];
    struct buf kept;
};

/* `a` holds the tree and bounds it (256 KiB is plenty for real mail). hooks may be NULL. E_NOMEM. */
MUST_CHECK int mime_scan_init(struct mime_scan *s, struct arena *a, const struct mime_hooks *hooks);
void mime_scan_feed(struct mime_scan *s, struct str slice);
/* The message has ended: the finished tree, in the arena. */
struct mime_part *mime_scan_finish(struct mime_scan *s);
void mime_scan_release(struct mime_scan *s);
/* Whole message at once; NULL when the arena has no room for even one part. */
struct mime_part *mime_scan_all(struct arena *a, struct str message);
/* n bytes of complete header lines have been put before the message: move every range. */
void mime_part_shift(struct mime_part *root, uint64_t n);
/* Next part in document order (parents first), NULL after the last. Start at the root. */
struct mime_part *mime_part_next(const struct mime_part *p);
/* File name in UTF-8, from the disposition or the type's "name". 1, 0 when it has none, or E_*. */
MUST_CHECK int mime_part_filename(const struct mime_part *p, struct buf *out);
/* Type and subtype, ASCII case-insensitive; subtype NULL matches all. */
bool mime_part_is(const struct mime_part *p, const char *type, const char *subtype);
/* A leaf that is read as text: text/…, and a multipart that says no boundary (RFC 2045 5.2: what is not valid is plain
 * text). */
bool mime_part_is_text(const struct mime_part *p);
#endif
