/* bench/letters.h
 *
 * Real-looking mail for benches, the same at every run, and what content would say of it: words of a
 * language that is not one with the frequencies of one, headers of the usual size, and above 24 KB a
 * base64 attachment behind 6 KB of text, as large mail is. Knows lib/mime and no database. */
#ifndef BENCH_LETTERS_H
#define BENCH_LETTERS_H
#include "lib/base/buf.h"

struct letter {
    struct buf bytes, text, structure;
    uint64_t header_bytes, text_header_bytes;
    int64_t sent_ms;
};

/* Print what failed and exit when r is negative. */
int must(int r, const char *what);
/* Letter `n`, of about `bytes` bytes in all. */
void letter_make(struct letter *l, uint32_t n, size_t bytes);
/* Structure and text of l->bytes, as content gives them. */
void letter_parse(struct letter *l);
void letter_release(struct letter *l);
#endif
