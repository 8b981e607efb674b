/* lib/mailauth/arc_impl.h
 *
 * The ARC fields of a message, sorted into sets. Private to lib/mailauth. */
#ifndef LIB_MAILAUTH_ARC_IMPL_H
#define LIB_MAILAUTH_ARC_IMPL_H
#include "lib/mailauth/arc.h"

enum { ARC_AAR, ARC_AMS, ARC_SEAL, ARC_FIELDS };

struct arc_set {
    const struct mailauth_field *field[ARC_FIELDS];
    struct dkim_signature seal;
    struct str cv;
};

struct arc_chain {
    const char *broken; /* NULL: well-formed */
    unsigned n;         /* highest instance, sets[0 .. n) */
    struct arc_set *sets;
    struct dkim_signature newest; /* the ARC-Message-Signature that counts */
};

/* Fill m->arc; sets m->error when out of memory. */
void arc_collect(struct mailauth_message *m);
/* What a seal signs: sets first .. n (from 1), the last one's seal being `own`. E_* */
MUST_CHECK int arc_seal_hash(const struct arc_chain *c, unsigned first, unsigned n, const struct str *own_aar,
                             const struct str *own_ams, struct str own_seal, uint8_t out[DKIM_HASH_BYTES]);
#endif
