/* lib/match/snippet.h
 *
 * The lines of a message around what was searched for, as its sender wrote them: accents and case stay, white
 * space of any kind is one space, controls are not there, HTML was made text before (lib/mime/text.h). Where
 * it matches is said in bytes of the line. Memory is bounded whatever the message: the best few lines are
 * kept, long texts are looked at a piece at a time. */
#ifndef LIB_MATCH_SNIPPET_H
#define LIB_MATCH_SNIPPET_H
#include "lib/base/buf.h"
#include "lib/match/fuzzy.h"
#include "lib/regex/re2.h"

#define SNIPPET_QUESTIONS_MAX 16u
#define SNIPPET_LINES_MAX     8u
#define SNIPPET_CHARS_MAX     400u /* of a line */
#define SNIPPET_MATCHES_MAX   32u  /* told of one line */

enum snippet_kind { SNIPPET_EXACT, SNIPPET_FUZZY, SNIPPET_REGEX };

struct snippet_question {
    enum snippet_kind kind;
    struct str field; /* folded: a field's name, "header", "body"; empty or "text": anywhere */
    struct str text;  /* folded (lib/mime/fold.h; of expressions lib/regex/fold.h); borrowed until release */
    /* Private. */
    struct fuzzy words;
    struct regex *regex;
};

struct snippet_line {
    struct buf field; /* of the header, "filename", or empty: text */
    struct buf text;  /* UTF-8 */
    struct {
        uint32_t from, to;
    } match[SNIPPET_MATCHES_MAX]; /* bytes of text, ascending, none overlaps */
    size_t nmatches;
    bool cut_before, cut_after; /* there was more */
    double worth;
};

struct snippet {
    struct snippet_question question[SNIPPET_QUESTIONS_MAX];
    size_t nquestions;
    struct snippet_line line[SNIPPET_LINES_MAX + 1]; /* the best first */
    size_t nlines, lines_max, chars_max;
    /* Private. */
    struct buf field, raw, clean, folded;
    uint32_t *map; /* by byte of `folded`: the byte of `clean` where its letter begins */
    size_t map_cap;
    bool more; /* a piece of this text was looked at already */
};

/* Questions beyond the limits, and expressions that are none, are left out. 0 for a default. */
void snippet_init(struct snippet *s, size_t chars_max, size_t lines_max);
void snippet_ask(struct snippet *s, const struct snippet_question *q);
/* A piece of a line, as mime_text_plain says: `field` (not folded; .p NULL: as before), its text in UTF-8. */
MUST_CHECK int snippet_feed(struct snippet *s, struct str field, struct str text, bool end);
void snippet_release(struct snippet *s);
#endif
