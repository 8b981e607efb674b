/* lib/match/fuzzy.h
 *
 * Words of a question, and how well the words of a text are like them (RFC 6203): without accents and case,
 * whatever their order, with a typo or two in long ones, as the beginning or a piece of a longer word. Scripts
 * that part no words by spaces (Han, kana, Thai …) are taken two letters at a time. Texts and questions are
 * folded (lib/mime/fold.h). Arithmetic: no I/O, no allocation, time linear in the text. */
#ifndef LIB_MATCH_FUZZY_H
#define LIB_MATCH_FUZZY_H
#include "lib/base/str.h"
#include <stdbool.h>
#include <stdint.h>

#define FUZZY_WORDS_MAX   12u /* of a question; what is beyond is not looked for */
#define FUZZY_LETTERS_MAX 32u /* of a word; longer ones are like each other when so many are */
#define FUZZY_LIKE_MIN    0.5 /* less is another word */

struct fuzzy_letters {
    uint32_t at[FUZZY_LETTERS_MAX];
    unsigned n;
    bool bare;     /* of a script without spaces */
    uint64_t seen; /* a bit for each of them, shared by some */
};

struct fuzzy_word {
    struct fuzzy_letters letters;
    struct str text; /* as it stands in the question, accents and all: borrowed from it */
    unsigned typos;  /* so many may be wrong */
    bool aside;      /* one or two letters beside longer words: counts when it is there, need not be */
    double weight;   /* how much it says; 1 unless the caller knows better */
};

struct fuzzy {
    struct str text; /* the question, borrowed */
    struct fuzzy_word word[FUZZY_WORDS_MAX];
    unsigned n, quorum; /* so many of those that are not aside must be there */
};

/* What a text had of each word so far. Start zeroed. */
struct fuzzy_tally {
    double often[FUZZY_WORDS_MAX]; /* weighed by what it was in */
    double like[FUZZY_WORDS_MAX];  /* the best */
    bool phrase;                   /* the question stood there as it is */
};

/* n = 0: no letters in it. */
void fuzzy_init(struct fuzzy *f, struct str folded);
/* The words of `text` that are like those asked for, each worth `worth`. */
void fuzzy_look(const struct fuzzy *f, struct str text, double worth, struct fuzzy_tally *t);
/* 0: too few of the words are there. More is better; of one question comparable with each other. */
double fuzzy_score(const struct fuzzy *f, const struct fuzzy_tally *t);

/* The next word of text[*at, …), as bytes [*from_out, *to_out); false: there is none. */
bool fuzzy_next(struct str text, size_t *at, size_t *from_out, size_t *to_out, struct fuzzy_letters *out);
/* 0 (another word) to 1 (the same). */
double fuzzy_like(const struct fuzzy_word *w, const struct fuzzy_letters *l);
/* Letters and digits; and those of scripts without spaces. */
bool fuzzy_is_bare(uint32_t letter);
#endif
