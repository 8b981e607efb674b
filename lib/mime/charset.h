/* lib/mime/charset.h
 *
 * Any charset that iconv knows to UTF-8, in slices; in a sandboxed role those that were loaded before. Never fails on bad input: what is invalid becomes
 * U+FFFD. No charset, US-ASCII and unknown names are read as senders mean them: valid UTF-8 as that,
 * every other byte as windows-1252. */
#ifndef LIB_MIME_CHARSET_H
#define LIB_MIME_CHARSET_H
#include "lib/base/buf.h"
#include "lib/base/errors.h"
#include <iconv.h>

enum mime_charset_kind { MIME_CS_GUESS, MIME_CS_UTF8, MIME_CS_ICONV };

struct mime_charset {
    enum mime_charset_kind kind;
    bool open, unknown;
    bool by_byte; /* the converter has a state: see charset.c */
    iconv_t cd;
    unsigned char pend[16]; /* the beginning of a character whose rest is in the next slice */
    size_t npend;
};

/* `name` as in a charset parameter; empty for none. Release afterwards. Never fails. */
void mime_charset_init(struct mime_charset *c, struct str name);
void mime_charset_release(struct mime_charset *c);
/* Append `in` as UTF-8: at most 4 bytes per byte, and a few. Errors: those of buf. */
MUST_CHECK int mime_charset_feed(struct mime_charset *c, struct str in, struct buf *out);
MUST_CHECK int mime_charset_finish(struct mime_charset *c, struct buf *out);
/* Whole string. Errors: those of buf. */
MUST_CHECK int mime_charset_append(struct str name, struct str in, struct buf *out);
/* Load the converters that mail uses, for the life of the process: iconv opens files for them, which
 * a sandboxed role no longer may. Returns how many there are. Blocks on disk; not thread-safe. */
int mime_charset_preload(void);
/* Length of the valid UTF-8 character at p[0, n): 1-4; 0 when it is invalid, -1 when n ends inside. */
int mime_utf8_bytes(const unsigned char *p, size_t n);
/* UTF-8 of a code point into p[4], returns its length. U+FFFD for what is no character. */
size_t mime_utf8_put(uint32_t cp, char *p);
#endif
