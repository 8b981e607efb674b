/* lib/spam/tokens.h
 *
 * A letter as a set of numbers for a classifier: words and pairs of words near each other (orthogonal sparse
 * bigrams) of the search text that lib/mime/text.h makes, hashed under a key. Fields of the header speak for themselves:
 * "subject: sale" is not "sale". Fields that tell who stored or relayed a message are left out, as they would
 * only say where it came from. Bounded: the first SPAM_TOKENS_MAX different ones count. Pure. */
#ifndef LIB_SPAM_TOKENS_H
#define LIB_SPAM_TOKENS_H
#include "lib/base/errors.h"
#include "lib/base/str.h"

#define SPAM_TOKENS_MAX 3072u
#define SPAM_WINDOW     1u /* words before that a word makes pairs with */
#define SPAM_WORD_MAX   40u
#define SPAM_KEY_BYTES  16u

/* Private; spam_tokens_init before use, nothing to release. About 60 KiB. */
struct spam_tokens {
    uint8_t key[SPAM_KEY_BYTES];
    uint64_t slots[2 * 4096]; /* 0: free */
    uint64_t list[SPAM_TOKENS_MAX];
    size_t n;
    bool body, in_name, ignored, overlong;
    unsigned skip;
    uint64_t field; /* hash of the field's name; 0: body */
    uint64_t window[SPAM_WINDOW];
    unsigned nwindow;
    size_t nword, nname;
    char word[SPAM_WORD_MAX], name[24];
};

void spam_tokens_init(struct spam_tokens *t, const uint8_t key[SPAM_KEY_BYTES]);
/* Header lines of the search text, cut anywhere; then spam_tokens_body, then the rest of it. */
void spam_tokens_feed(struct spam_tokens *t, struct str text);
void spam_tokens_body(struct spam_tokens *t);
void spam_tokens_end(struct spam_tokens *t);
/* One more fact that is no word of the text: kind "url", value "example.com". */
void spam_tokens_add(struct spam_tokens *t, const char *kind, struct str value);
#endif
