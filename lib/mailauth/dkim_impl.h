/* lib/mailauth/dkim_impl.h
 *
 * What ARC shares with DKIM: parsing signatures, hashing headers, looking keys up. Private to lib/mailauth. */
#ifndef LIB_MAILAUTH_DKIM_IMPL_H
#define LIB_MAILAUTH_DKIM_IMPL_H
#include "lib/mailauth/dkim.h"
#include "lib/mailauth/tags.h"

/* Fill m->signatures and want their body hashes; sets m->error when out of memory. */
void dkim_collect(struct mailauth_message *m);
/* The tags that DKIM-Signature and ARC-Message-Signature share: a b bh c d h l s t x. NULL or why not. */
const char *dkim_signature_parse(struct mailauth_message *m, const struct tags *tags,
                                 struct dkim_signature *sig);
/* a b d s t: what ARC-Seal has too. */
const char *dkim_tags_common(struct mailauth_message *m, const struct tags *tags, struct dkim_signature *sig);
/* The key of selector and domain. 0 and *out set; MAILAUTH_WAITS; or a code with *why_out. */
int dkim_key_find(struct mailauth_message *m, struct lookups *l, const struct dkim_signature *sig,
                  struct dkim_public *out, const char **why_out);
/* Hash the fields that h= names, bottom up, and then `own` without its b. E_LIMIT, E_NOMEM, E_BUG. */
MUST_CHECK int dkim_header_hash(const struct mailauth_message *m, struct str names, struct str own,
                                bool relaxed, uint8_t out[DKIM_HASH_BYTES]);
/* Check body hash, key and signature of a parsed one; sets code and why. 0 or MAILAUTH_WAITS. */
int dkim_signature_check(struct mailauth_message *m, struct lookups *l, struct dkim_signature *sig);

/* The h= of a signer who names none. `seal`: for ARC, where fields may be added later. */
MUST_CHECK int dkim_default_names(const struct mailauth_message *m, bool seal, struct buf *out);

/* A signature field under construction: tags in alphabetical order, folded at 76. */
struct sigtext {
    struct buf *out;
    size_t column;
};
MUST_CHECK int sigtext_tag(struct sigtext *t, const char *name, struct str value, bool last);
/* Text that may be folded anywhere (base64) or at colons. */
MUST_CHECK int sigtext_wrap(struct sigtext *t, struct str value);
#endif
