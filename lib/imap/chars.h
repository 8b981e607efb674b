/* lib/imap/chars.h
 *
 * Character classes of RFC 9051 9, in one place, so that the reader, the parser and the writer agree. */
#ifndef LIB_IMAP_CHARS_H
#define LIB_IMAP_CHARS_H
#include "lib/base/str.h"

/* ATOM-CHAR: any CHAR but atom-specials. */
static inline bool imap_atom_char(char c)
{
    return c > 0x20 && c < 0x7f && !strchr("(){%*\"\\]", c);
}

/* ASTRING-CHAR = ATOM-CHAR / resp-specials */
static inline bool imap_astring_char(char c)
{
    return imap_atom_char(c) || c == ']';
}

/* list-char = ATOM-CHAR / list-wildcards / resp-specials */
static inline bool imap_list_char(char c)
{
    return imap_astring_char(c) || c == '%' || c == '*';
}

/* tag = 1*<any ASTRING-CHAR except "+"> */
static inline bool imap_tag_char(char c)
{
    return imap_astring_char(c) && c != '+';
}
#endif
