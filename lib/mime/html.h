/* lib/mime/html.h
 *
 * HTML to text for searching, in slices: tags vanish, blocks and breaks become line feeds, entities
 * become characters, script, style and comments are dropped. UTF-8 in and out. Not a renderer and
 * not a sanitizer: its output is never shown as HTML. Never fails on bad input. */
#ifndef LIB_MIME_HTML_H
#define LIB_MIME_HTML_H
#include "lib/base/buf.h"
#include "lib/base/errors.h"

struct mime_entity {
    const char *name;
    uint16_t cp;
};
extern const struct mime_entity mime_entities[];
extern const size_t mime_entities_count;

/* Private; start zeroed, nothing to release. */
/* Inside a tag. A quote opens only where a value begins, behind its '='; a stray one is a byte of a name, so what stands
 * behind it is not hidden (HTML Living Standard 13.2.5.33 to 13.2.5.37). All zero where the tag begins. */
struct mime_html_quote {
    char open;
    bool value;
};
/* The next byte: does it end the tag? */
static inline bool mime_html_tag_ends(struct mime_html_quote *q, char c)
{
    if (q->open) {
        q->open = c == q->open ? 0 : q->open;
        return false;
    }
    if (q->value && (c == '"' || c == '\'')) {
        *q = (struct mime_html_quote){ .open = c };
        return false;
    }
    q->value = c == '=' || (q->value && (c == ' ' || c == '\t' || c == '\r' || c == '\n'));
    return c == '>';
}

struct mime_html {
    int state;
    struct mime_html_quote quote;
    bool closing;  /* </… */
    char raw[12];  /* the element whose text is dropped, "script" */
    char word[40]; /* a tag name or an entity, while it is read */
    size_t n;
};

/* Append the text; never longer than the input and a few bytes. Errors: those of buf. */
MUST_CHECK int mime_html_feed(struct mime_html *h, struct str in, struct buf *out);
MUST_CHECK int mime_html_finish(struct mime_html *h, struct buf *out);
#endif
