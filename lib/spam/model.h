/* lib/spam/model.h
 *
 * What a server learnt of letters that servers may see: counts of hashed tokens in one file of fixed size, mapped
 * into memory. No word can be read back from it without guessing it. Old and rare tokens make room for new ones, and when a
 * great many letters were learnt all counts are halved, so what is new weighs more.
 *
 * Several processes may have it mapped: counts are statistics, and two that learn at once may lose one of them.
 * What a crash leaves is a model: nothing in it depends on anything else in it. Formats: doc/spam.md. */
#ifndef LIB_SPAM_MODEL_H
#define LIB_SPAM_MODEL_H
#include "lib/base/errors.h"
#include "lib/spam/bayes.h"
#include "lib/spam/tokens.h"

#define SPAM_MODEL_LEAST 200u /* letters of each kind before it says anything */

struct spam_model; /* opaque */

/* Map the file, which an empty one becomes (random key). E_CORRUPT: not a model; E_VERSION; E_IO, E_NOMEM. The
 * descriptor is not needed afterwards. Blocks on disk. */
MUST_CHECK int spam_model_map(int fd, struct spam_model **out);
/* Unmap; what was learnt is in the file. NULL is accepted. */
void spam_model_free(struct spam_model **m);
const uint8_t *spam_model_key(const struct spam_model *m);
void spam_model_counts(const struct spam_model *m, uint64_t *spam_out, uint64_t *ham_out);
void spam_model_learn(struct spam_model *m, const uint64_t *tokens, size_t n, bool spam);
/* 0 to 1, or BAYES_NONE. At most SPAM_TOKENS_MAX tokens count. */
double spam_model_score(const struct spam_model *m, const uint64_t *tokens, size_t n);
#endif
