#include "lib/spam/bayes.h"
#include <math.h>
#include <stdlib.h>

#define STRENGTH 0.6 /* how many letters the guess below counts for */
#define GUESS    0.5 /* of a token never seen */

struct tuning {
    double min_differ; /* tokens nearer to 0.5 say nothing */
    size_t tokens_max; /* those that say most */
};
static const struct tuning of_server = { 0.1, 150 }, of_person = { 0.3, 60 };

/* Kept in the counts' memory: one pass, no allocation. */
union cell {
    struct bayes_count count;
    double p;
};
_Static_assert(sizeof(union cell) == sizeof(struct bayes_count), "a probability fits its counts");

static double probability(struct bayes_count c, double nspam, double nham)
{
    double bad = c.spam / nspam, good = c.ham / nham, n = (double)c.spam + c.ham;
    double p = n > 0 ? bad / (bad + good) : GUESS;

    return (STRENGTH * GUESS + n * p) / (STRENGTH + n);
}

static int farther(const void *a, const void *b)
{
    double x = fabs(((const union cell *)a)->p - 0.5), y = fabs(((const union cell *)b)->p - 0.5);

    return x < y ? 1 : x > y ? -1 : 0;
}

/* Probability that chi-square with 2n degrees is over 2m. */
static double chi2q(double m, size_t n)
{
    double term = exp(-m), sum = term;

    for (size_t i = 1; i < n; i++) {
        term *= m / (double)i;
        sum += term;
    }
    return sum < 1.0 ? sum : 1.0;
}

static double joined(struct bayes_count *counts, size_t n, double nspam, double nham, const struct tuning *t)
{
    union cell *cells = (union cell *)(void *)counts;
    double for_spam = 0, for_ham = 0, s, h;
    size_t used = 0;

    for (size_t i = 0; i < n; i++) {
        double p = probability(counts[i], nspam, nham);

        if (fabs(p - 0.5) >= t->min_differ)
            cells[used++].p = p;
    }
    qsort(cells, used, sizeof *cells, farther);
    used = used < t->tokens_max ? used : t->tokens_max;
    if (used == 0)
        return 0.5;
    for (size_t i = 0; i < used; i++) {
        for_ham -= log(cells[i].p);
        for_spam -= log(1.0 - cells[i].p);
    }
    s = 1.0 - chi2q(for_spam, used);
    h = 1.0 - chi2q(for_ham, used);
    return (s - h + 1.0) / 2.0;
}

static bool enough(uint64_t nspam, uint64_t nham, uint64_t least)
{
    return nspam >= least && nham >= least && nspam && nham;
}

double bayes_score(struct bayes_count *counts, size_t n, uint64_t nspam, uint64_t nham, uint64_t least)
{
    return enough(nspam, nham, least) ? joined(counts, n, (double)nspam, (double)nham, &of_server)
                                      : BAYES_NONE;
}

double bayes_score_own(struct bayes_count *counts, size_t n, uint64_t nspam, uint64_t nham, uint64_t least)
{
    if (!enough(nspam, nham, least))
        return BAYES_NONE;
    /* Whoever has shown few honest letters has not shown most honest words: those that were in a few of very many
     * spam letters, and so far in none of the others, are no sign of anything. */
    for (size_t i = 0; i < n && nspam > nham; i++)
        counts[i].spam = (uint32_t)(counts[i].spam * nham / nspam);
    return joined(counts, n, (double)(nspam < nham ? nspam : nham), (double)nham, &of_person);
}
