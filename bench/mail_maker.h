/* bench/mail_maker.h
 *
 * Mail that looks real, made from a seed: words with the frequencies of language (Zipf) in several
 * languages and scripts, threads with quoted answers, HTML alternatives, the header fields that real
 * mail carries. The same seed and number give the same message. */
#ifndef BENCH_MAIL_MAKER_H
#define BENCH_MAIL_MAKER_H
#include "lib/base/buf.h"

struct mail_maker {
    uint64_t state;
    double *zipf; /* cumulated */
};

void mail_maker_init(struct mail_maker *m, uint64_t seed);
void mail_maker_release(struct mail_maker *m);
/* Message number n, CRLF lines, replaces what is in out. */
void mail_make(struct mail_maker *m, uint64_t n, struct buf *out);
/* Word number `rank` (0: the most frequent) of language 0-4; into out[64]. */
void mail_word(unsigned language, unsigned rank, char out[64]);
uint32_t mail_rnd(struct mail_maker *m, uint32_t below);
/* A rank with the frequency it has in the texts. */
unsigned mail_rank(struct mail_maker *m);

#define MAIL_LANGUAGES 5u /* English, German, French, Russian, Japanese, so to speak */
#define MAIL_WORDS     40000u
#endif
