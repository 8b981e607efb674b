/* src/store/threadid.c: which thread an email belongs to. Two are of one thread when they share a
 * message id (in Message-ID, In-Reply-To or References) and have the same base subject (RFC 8621 3).
 *
 * It is decided when the email comes, and never changes (RFC 8474 5.2). Ids are noted whether or not
 * their email is here, so an ancestor that comes late joins the thread that named it. Two threads that
 * turn out to be one stay two: RFC 8621 lets them. */
#include "src/store/mailbox_private.h"
#include <sodium.h>

#define REFERENCES_MAX 64u
#define REF_BYTES      16u

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

/* 1 and *thread_out: some email that has or names this Message-ID is here. */
static int thread_of_ref(struct mailbox *box, const uint8_t ref[REF_BYTES], uint8_t thread_out[12])
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "SELECT thread_id FROM thread_ref WHERE ref = ?1", &st);

    if (r < 0)
        return r;
    stmt_bind_blob(st, 1, str_of(ref, REF_BYTES));
    if ((r = stmt_step(st)) <= 0)
        return r;
    return stmt_bytes(st, 0, thread_out, 12) ? 1 : E_CORRUPT;
}

static int ref_note(struct mailbox *box, const uint8_t ref[REF_BYTES], const uint8_t thread[12])
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "INSERT OR IGNORE INTO thread_ref VALUES (?1, ?2)", &st);

    if (r < 0)
        return r;
    stmt_bind_blob(st, 1, str_of(ref, REF_BYTES));
    stmt_bind_blob(st, 2, str_of(thread, 12));
    return stmt_run(st);
}

/* Own id first, then the nearest: In-Reply-To, and References from its end. */
static size_t refs_of(const struct email_in *e, uint8_t refs[][REF_BYTES])
{
    size_t n = 0;

    if (e->message_id.n)
        ref_hash(e->message_id, e->subject_base, refs[n++]);
    for (size_t i = 0; i < e->nin_reply_to && n < REFERENCES_MAX / 4; i++)
        ref_hash(e->in_reply_to[i], e->subject_base, refs[n++]);
    for (size_t i = e->nreferences; i-- > 0 && n < REFERENCES_MAX;)
        ref_hash(e->references[i], e->subject_base, refs[n++]);
    return n;
}

int thread_find(struct mailbox *box, const struct email_in *e, const uint8_t own[12], uint8_t thread[12])
{
    uint8_t refs[REFERENCES_MAX][REF_BYTES];
    size_t n = refs_of(e, refs), found = n;
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i++)
        if ((r = thread_of_ref(box, refs[i], thread)) > 0)
            found = i;
    if (r < 0)
        return r;
    if (r == 0)
        memcpy(thread, own, 12);
    r = 0;
    for (size_t i = 0; i < n && r == 0; i++)
        r = i == found ? 0 : ref_note(box, refs[i], thread);
    return r;
}
