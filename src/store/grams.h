/* src/store/grams.h
 *
 * Which runs of five letters a text has, as bits at their hashes: a text that lacks one of a needle's does not
 * have the needle. Says nothing for certain about what is there. Letters are a to z and all that is not ASCII:
 * text is folded before. Knows no rows and no database.
 *
 * What it makes is stored, so neither the hash nor what a letter is may ever change. */
#ifndef SRC_STORE_GRAMS_H
#define SRC_STORE_GRAMS_H
#include "lib/base/str.h"

#define GRAMS_LETTERS    5u
#define GRAMS_BYTES_MAX  2048u /* a power of two, as every length is */
#define GRAMS_BYTES_MIN  16u
#define GRAMS_NEEDLE_MAX 32u /* of one needle: more exclude nothing more */

/* Start zeroed. */
struct grams {
    uint8_t bits[GRAMS_BYTES_MAX];
};

/* A run ends where `text` does: give it whole, or in lines. */
void grams_add(struct grams *g, struct str text);
/* Fold it to as few bytes as leave more than half of the bits zero, in place, and return how many. */
size_t grams_pack(struct grams *g);

/* Those of a needle, appended to the n that are there; how many there are then. Whatever bytes it has: none that a
 * text which has it may lack. */
MUST_CHECK size_t grams_of(struct str needle, uint32_t out[GRAMS_NEEDLE_MAX], size_t n);
/* Of what was packed. true also when that is nothing that was packed. */
bool grams_may_have(struct str packed, const uint32_t *v, size_t n);
#endif
