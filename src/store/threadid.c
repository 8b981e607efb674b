/* src/store/threadid.c: which thread an email belongs to. Two are of one thread when they share a
 * message id (in Message-ID, In-Reply-To or References) and have the same base subject (RFC 8621 3).
 *
 * It is decided when the email comes, and never changes (RFC 8474 5.2). Ids are noted whether or not
 * their email is here, so an ancestor that comes late joins the thread that named it. Two threads that
 * turn out to be one stay two: RFC 8621 lets them. */
#include "src/store/mailbox_private.h"
#include <sodium.h>

#define REF_BYTES THREAD_REF_BYTES

/* One hash of both, so that what is found has the same subject. */
static void ref_hash(struct str message_id, struct str subject, uint8_t out[REF_BYTES])
{
    crypto_generichash_state h;

    crypto_generichash_init(&h, NULL, 0, REF_BYTES);
    crypto_generichash_update(&h, (const uint8_t *)message_id.p, message_id.n);
    if (subject.n) {
        crypto_generichash_update(&h, (const uint8_t *)"\n", 1); /* no message id has one */
        crypto_generichash_update(&h, (const uint8_t *)subject.p, subject.n);
    }
    crypto_generichash_final(&h, out, REF_BYTES);
}

/* Own id first, then the nearest: In-Reply-To, and References from its end. */
static size_t refs_of(const struct email_in *e, uint8_t refs[][REF_BYTES])
{
    size_t n = 0;

    if (e->message_id.n)
        ref_hash(e->message_id, e->subject_base, refs[n++]);
    for (size_t i = 0; i < e->nin_reply_to && n < THREAD_REFS_MAX / 4; i++)
        ref_hash(e->in_reply_to[i], e->subject_base, refs[n++]);
    for (size_t i = e->nreferences; i-- > 0 && n < THREAD_REFS_MAX;)
        ref_hash(e->references[i], e->subject_base, refs[n++]);
    return n;
}

/* Among those before it? */
static bool repeats(uint8_t refs[][REF_BYTES], size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (memcmp(refs[k], refs[i], REF_BYTES) == 0)
            return true;
    return false;
}

int thread_find(struct mailbox *box, const struct email_in *e, const uint8_t own[12], uint8_t thread[12],
                uint8_t noted[THREAD_REFS_MAX * THREAD_REF_BYTES], size_t *noted_out)
{
    uint8_t refs[THREAD_REFS_MAX][REF_BYTES], other[12];
    size_t n = refs_of(e, refs), found = n;

    memcpy(thread, own, 12);
    *noted_out = 0;
    for (size_t i = 0; i < n; i++) {
        int r = repeats(refs, i) ? 1 : refs_find(box, refs[i], found == n ? thread : other);

        if (r < 0)
            return r;
        if (r > 0 && found == n)
            found = i; /* the nearest decides */
        if (r == 0) {
            memcpy(noted + *noted_out, refs[i], REF_BYTES);
            *noted_out += REF_BYTES;
        }
    }
    return 0;
}
