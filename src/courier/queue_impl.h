/* src/courier/queue_impl.h: what the files of the queue share. */
#ifndef SRC_COURIER_QUEUE_IMPL_H
#define SRC_COURIER_QUEUE_IMPL_H
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/idmap.h"
#include "src/courier/queue.h"

#define CHUNK_SHIFT  12
#define TARGET_SHIFT 14
#define TURN_FULL    (INT64_MAX / 2) /* as many are under way as may be */
_Static_assert(QUEUE_CHUNKS_MAX <= 1u << CHUNK_SHIFT && QUEUE_TARGETS_MAX <= 1u << TARGET_SHIFT, "row ids");

/* What this life has learnt of a destination: how many deliveries at once it takes. */
struct dest_state {
    uint64_t id;
    uint32_t under_way, window, good; /* good: since the window grew */
    int64_t used_ms;
};

/* How far ahead of others a sender already is. */
struct sender_state {
    uint64_t hash;
    int64_t rank;
};
#define SENDERS 4096u

struct queue {
    struct db *db;
    struct txn txn;
    const struct queue_rules *rules;
    uint64_t next_id;
    int64_t messages, targets, bytes;     /* changes of the totals in this transaction */
    int64_t total_bytes, commit_bytes;    /* as committed */
    struct idmap dests;                   /* id -> struct dest_state */
    struct sender_state senders[SENDERS]; /* by hash; whoever comes later takes the place */
    uint8_t hash_key[16];
    int64_t fair_ms;      /* rank of what was claimed last: nobody begins before it */
    bool deleted;         /* something since the last whole checkpoint */
    uint64_t claimed[64]; /* destinations, in this transaction: not under way when nothing comes of it */
    unsigned nclaimed;
};

struct dest_state *queue_dest_state(struct queue *q, uint64_t id);
/* The destination's row, made when it is not there. */
MUST_CHECK int queue_dest(struct queue *q, struct str name, uint64_t *id_out);
/* Counters of a destination; its row goes when nothing needs it. */
MUST_CHECK int queue_dest_count(struct queue *q, uint64_t dest, int64_t ready, int64_t remain);
MUST_CHECK int queue_target_delete(struct queue *q, uint64_t id);
/* n targets of it are gone; when none is left, so is the message. */
MUST_CHECK int queue_message_less(struct queue *q, uint64_t message, int64_t n);
MUST_CHECK int queue_message_read(struct stmt *st, struct arena *a, struct queue_message *m);
MUST_CHECK int queue_target_read(struct stmt *st, struct arena *a, struct queue_target *t);
#define MESSAGE_COLUMNS                                                                                          \
    "id, tag, created, expires, sender, origin, submitter, signer, smtputf8, eightbit, requiretls, ret, envid, " \
    "deliver_by, by_notify, priority, facts, prepend, bytes, targets, told_delay, tls_optional, language"
#define TARGET_COLUMNS "id, kind, recipient, alias, orcpt, notify, state, attempts, code, due, answer, deaths"
/* Runs `sql`, which deletes what is before ?1, at most ?2 rows; *more is set when there may be more. */
MUST_CHECK int queue_forget(struct queue *q, const char *sql, int64_t before, int64_t rows, bool *more);
/* Forget up to `rows` of them, likewise. */
MUST_CHECK int queue_tls_care(struct queue *q, int64_t rows, bool *more);
MUST_CHECK int queue_srs_care(struct queue *q, int64_t rows, bool *more);
MUST_CHECK int queue_once_care(struct queue *q, int64_t rows, bool *more);
MUST_CHECK int queue_sent_care(struct queue *q, int64_t rows, bool *more);
MUST_CHECK int queue_suppressed_care(struct queue *q, int64_t rows, bool *more);
/* Until the next try, with jitter. */
int64_t queue_pause(const struct queue_rules *r, uint32_t attempts);
#endif
