/* src/imap/words.h: numbers of 4 bytes, as SORT and THREAD of the store send them. */
#ifndef SRC_IMAP_WORDS_H
#define SRC_IMAP_WORDS_H
#include "lib/base/hex.h"
#include "lib/base/str.h"

/* Of a stream that is cut anywhere. */
struct words {
    uint8_t part[4];
    size_t n;
};

static inline bool word_next(struct words *w, struct str *in, uint32_t *out)
{
    while (in->n && w->n < sizeof w->part) {
        w->part[w->n++] = (uint8_t)in->p[0];
        *in = str_skip(*in, 1);
    }
    if (w->n < sizeof w->part)
        return false;
    w->n = 0;
    *out = le32_get(w->part);
    return true;
}
#endif
