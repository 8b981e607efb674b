/* lib/spam/bayes.h
 *
 * What words say of a letter: Robinson's probabilities, joined by Fisher's method (chi-square). Arithmetic
 * only: counts come from a model's file (model.h) or from a mailbox. */
#ifndef LIB_SPAM_BAYES_H
#define LIB_SPAM_BAYES_H
#include "lib/base/base.h"

struct bayes_count {
    uint32_t spam, ham; /* letters that have the token */
};

#define BAYES_NONE (-1.0)

/* counts[n]: of the letter's tokens, in any order (it is put into another). nspam, nham: letters learnt. Returns what
 * speaks for spam, 0 to 1, 0.5 for nothing; BAYES_NONE when fewer than `least` letters of either kind were learnt. */
double bayes_score(struct bayes_count *counts, size_t n, uint64_t nspam, uint64_t nham, uint64_t least);
/* The same for one person's letters, of which there are few, and often far more spam than ham: spam counts as if there
 * were no more letters of it than of ham, and fewer tokens speak, each with more to say. On the corpus that is what keeps
 * honest letters out of Junk (doc/spam.md). */
double bayes_score_own(struct bayes_count *counts, size_t n, uint64_t nspam, uint64_t nham, uint64_t least);
#endif
