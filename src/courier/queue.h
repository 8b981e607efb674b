/* src/courier/queue.h
 *
 * The queue's file: what waits, where it goes, and when. SQL and rules of order; no network, no keys but
 * the file's, no wall clock but lib/base/clock. Everything blocks; one thread at a time.
 *
 * All that changes something happens between queue_begin and queue_commit, so that many requests share one
 * sync. A step that fails inside leaves nothing of itself (savepoints); a commit that fails leaves nothing
 * of any of them.
 *
 * Memory does not grow with the queue: what is due is found by index. */
#ifndef SRC_COURIER_QUEUE_H
#define SRC_COURIER_QUEUE_H
#include "lib/base/arena.h"
#include "lib/db/db.h"

#define QUEUE_CHUNK_BYTES     KIB(256)
#define QUEUE_CHUNKS_MAX      4096u  /* of a message: 1 GiB */
#define QUEUE_TARGETS_MAX     10000u /* of a message */
#define QUEUE_NAME_BYTES      16u
#define QUEUE_SEEN_DAYS       7
#define QUEUE_ANSWER_MAX      500u
#define QUEUE_OPERATION_BYTES 16u
#define QUEUE_DEATHS_SOON     2u /* in a row: from here on it waits before it is tried again */
#define QUEUE_DEATHS_MAX      5u /* and here it is set aside, until the operator releases it */

struct queue; /* opaque */

enum queue_state { QUEUE_READY, QUEUE_WAITS, QUEUE_UNDER_WAY, QUEUE_HELD };

/* Times and limits; borrowed for the queue's life, may change between calls. */
struct queue_rules {
    int64_t retry_first_ms, retry_max_ms, give_up_ms, delay_ms, clock_ahead_ms;
    uint64_t bytes_max;
    uint32_t per_destination, recipients_max;
};

struct queue_target {
    uint64_t id;   /* out */
    uint32_t kind; /* of courier.Target */
    struct str to, alias, delivery_id, orcpt;
    struct str dest; /* where: lower-case domain, or what a webhook is grouped by */
    uint32_t notify;
    /* out */
    enum queue_state state;
    uint32_t attempts, code, deaths;
    int64_t due_ms;
    struct str answer;
};

/* Held by us and not by the operator: its sender hears of it as of any other that waits. */
static inline bool queue_is_aside(const struct queue_target *t)
{
    return t->state == QUEUE_HELD && t->deaths >= QUEUE_DEATHS_MAX;
}

struct queue_message {
    uint64_t id;
    struct str name; /* 16 bytes, out */
    struct str sender, submitter, signer, envid, facts, prepend, language;
    uint32_t origin, ret;
    bool smtputf8, eightbit, requiretls, by_notify, told_delay, tls_optional;
    bool always; /* in: taken even where the queue is full */
    int64_t created_ms, expires_ms, deliver_by_ms, hold_until_ms;
    int32_t priority;
    uint64_t bytes;   /* prepend and body */
    uint64_t targets; /* that are left */
};

/* Open "queue.sqlite" below the working folder. What was under way when the last life ended is found again
 * by queue_under_way. `why` gets words for the operator. */
MUST_CHECK int queue_open(const char *path, const uint8_t key[DB_KEY_BYTES], const struct queue_rules *rules,
                          struct queue **out, struct buf *why);
void queue_close(struct queue **q);
struct db *queue_db(struct queue *q);
/* The queue's clock. */
int64_t queue_now(const struct queue *q);

MUST_CHECK int queue_begin(struct queue *q);
/* 0: all since queue_begin is on disk. Else nothing of it is (see txn_commit). */
MUST_CHECK int queue_commit(struct queue *q);
void queue_rollback(struct queue *q);
/* Run one step of the transaction: what `fn` returns; when that is negative nothing of it stays. */
MUST_CHECK int queue_step(struct queue *q, int (*fn)(struct queue *q, void *arg), void *arg);
/* Forget what need not be remembered, in small steps; true when there may be more. Between begin and commit. */
MUST_CHECK int queue_care(struct queue *q, bool *more_out);
/* After commits: move pages home, and when nothing goes on, so that what was deleted leaves the -wal too. */
void queue_tidy(struct queue *q, bool idle);

/* ---- in ---- */
/* A body, in order, in any slices; then queue_add. *id_out names the message to be. A large body may be
 * put in over several transactions: each piece is on its own. */
MUST_CHECK int queue_draft(struct queue *q, bool several, uint64_t *id_out);
MUST_CHECK int queue_put(struct queue *q, uint64_t id, uint32_t number, struct str piece);
/* Forget a draft. */
MUST_CHECK int queue_draft_drop(struct queue *q, uint64_t id);
/* Make it a message. Targets whose delivery id was seen are left out and counted; when none is left nothing
 * stays. name_out: 16 bytes. operation: 16 bytes or empty. E_FULL: the queue is. */
MUST_CHECK int queue_add(struct queue *q, struct queue_message *m, struct queue_target *t, size_t n,
                         struct str operation, uint8_t name_out[QUEUE_NAME_BYTES], uint32_t *duplicates_out);
/* Was this operation done? 1 and what was answered, 0. */
MUST_CHECK int queue_operation(struct queue *q, struct str operation, uint8_t name_out[QUEUE_NAME_BYTES],
                               uint32_t *duplicates_out);

/* ---- out ---- */
/* Some copies of one message for one destination, to be sent in one go. */
struct queue_claim {
    struct arena arena; /* all of it is in here; { .max } set by who calls */
    uint64_t attempt, dest;
    struct str domain;
    uint32_t kind;
    struct queue_message m;
    struct queue_target *targets;
    size_t n;
};
/* The next delivery: 1, 0 (nothing is due; *next_out says when to look again, INT64_MAX: when something
 * changes), or E_*. */
MUST_CHECK int queue_claim(struct queue *q, struct queue_claim *c, int64_t *next_out);

enum queue_result { QUEUE_DELIVERED, QUEUE_DEFERRED, QUEUE_FAILED, QUEUE_UNTRIED };
struct queue_outcome {
    enum queue_result result;
    uint32_t code;
    struct str enhanced, text, peer; /* peer: "mx.example.org [192.0.2.1]" */
    bool relayed;                    /* delivered, and the peer reports by itself */
    bool suppressed;                 /* failed, and was not tried */
    bool again;                      /* failed, and goes once more in another message: nobody is told */
    bool died;                       /* deferred or untried: whoever delivered it ended over it */
    int64_t retry_ms;                /* deferred: not before so long; 0: not said */
};
struct queue_counts {
    uint64_t delivered, deferred, failed,
        aside; /* aside: held, since it brought QUEUE_DEATHS_MAX relays down */
};
/* How it went: one outcome for each of c->targets. trouble: it was the destination, not the message: it is left
 * alone for a while. Messages without targets go, with their bytes. */
MUST_CHECK int queue_done(struct queue *q, const struct queue_claim *c, const struct queue_outcome *o,
                          bool trouble, struct queue_counts *counts);
/* An attempt of a former life whose outcome came to be known: the claim is made anew. E_NOTFOUND. */
MUST_CHECK int queue_claim_again(struct queue *q, uint64_t attempt, struct queue_claim *c);
/* Attempts that are under way by the books: up to max of them, greater than `after`. */
MUST_CHECK int queue_under_way(struct queue *q, uint64_t after, uint64_t *attempts, size_t max,
                               size_t *n_out);
/* Nobody will ever say: ready again, but for what was under way at too many deaths. *targets_out are added to. */
MUST_CHECK int queue_give_back(struct queue *q, uint64_t attempt, uint64_t *targets_out,
                               struct queue_counts *counts);
/* Piece `number` of the body: 1, 0 behind the last. Borrowed until the next call that uses the queue. */
MUST_CHECK int queue_piece(struct queue *q, uint64_t message, uint32_t number, struct buf *out);
/* A message whose time has come: late (*late_out) or over. 1 with m and its targets in the arena; 0: none.
 * queue_expired ends the over one, queue_told notes that its sender heard of the delay. */
MUST_CHECK int queue_event(struct queue *q, struct arena *a, struct queue_message *m,
                           struct queue_target **targets_out, size_t *n_out, bool *late_out,
                           int64_t *next_out);
MUST_CHECK int queue_expired(struct queue *q, const struct queue_message *m, struct queue_counts *counts);
MUST_CHECK int queue_told(struct queue *q, uint64_t message);

/* ---- the relay's life, to know what may have been sent twice ---- */
MUST_CHECK int queue_relay(struct queue *q, uint8_t boot_out[16]);
MUST_CHECK int queue_relay_set(struct queue *q, const uint8_t boot[16]);

/* ---- senders of forwards ---- */
/* Who stands in a rewritten sender as a token: kept from today for SRS_DAYS (lib/smtp/srs.h). */
MUST_CHECK int queue_srs_keep(struct queue *q, struct str token, struct str sender);
/* Appended; E_NOTFOUND. */
MUST_CHECK int queue_srs_find(struct queue *q, struct str token, struct buf *out);

/* ---- who gets nothing any more ---- */
/* Of one domain of ours. Domain in small letters, address as courier_address_key makes it. */
struct queue_suppressed {
    struct str domain, address, why;
    int64_t created_ms, until_ms; /* until_ms 0: until it is removed */
};
/* Added, or anew. What somebody put there for good stays so. */
MUST_CHECK int queue_suppress(struct queue *q, const struct queue_suppressed *s);
/* 1 with *out in the arena, 0. */
MUST_CHECK int queue_suppressed_find(struct queue *q, struct arena *a, struct str domain, struct str address,
                                     struct queue_suppressed *out);
/* E_NOTFOUND. */
MUST_CHECK int queue_suppressed_remove(struct queue *q, struct str domain, struct str address);
/* All of a domain. */
MUST_CHECK int queue_suppressed_forget(struct queue *q, struct str domain);
/* In order, those behind `after`; domain empty: of all. */
MUST_CHECK int queue_suppressed_list(struct queue *q, struct arena *a, const struct queue_suppressed *after,
                                     struct str domain, size_t max, struct queue_suppressed **out,
                                     size_t *n_out);
/* These targets of a message that was added are over, whatever their state but under way. */
MUST_CHECK int queue_end(struct queue *q, uint64_t message, const struct queue_target *t, size_t n);

/* ---- what was sent lately, so that a report of it is known ---- */
#define QUEUE_SENT_DAYS 14
struct queue_sent {
    uint64_t id; /* of the message */
    uint8_t tag[8];
    struct str sender, submitter, message_id;
    struct str recipients; /* 8 bytes each */
};
MUST_CHECK int queue_sent_add(struct queue *q, const struct queue_sent *s);
/* 1 with *out in the arena, 0. */
MUST_CHECK int queue_sent_find(struct queue *q, struct arena *a, uint64_t id, struct queue_sent *out);
/* Where a domain hears of what failed: 1 and appended, 0. url empty: nowhere. */
MUST_CHECK int queue_bounce_webhook(struct queue *q, struct str domain, struct buf *url);
MUST_CHECK int queue_bounce_webhook_set(struct queue *q, struct str domain, struct str url);

/* ---- what is sent once in a while ---- */
#define QUEUE_ONCE_BYTES 16u
/* 1: noted, for so long; 0: it was before. */
MUST_CHECK int queue_once(struct queue *q, struct str id, int64_t ms);

/* ---- TLS with other servers ---- */
struct queue_sts { /* a policy of MTA-STS; times by the wall clock */
    struct str domain, id, text;
    int64_t fetched_ms, expires_ms;
};
/* 1 with *out in the arena, and it is used today; 0. */
MUST_CHECK int queue_sts_find(struct queue *q, struct arena *a, struct str domain, struct queue_sts *out);
/* Unless there is a newer one. */
MUST_CHECK int queue_sts_keep(struct queue *q, const struct queue_sts *s);
/* One that was fetched after out->fetched_ms and before that, is good and was used since that day: 1, 0. */
MUST_CHECK int queue_sts_oldest(struct queue *q, struct arena *a, int64_t before_ms, int64_t used_since_day,
                                struct queue_sts *out);
struct queue_tls {   /* how sessions of a day went (RFC 8460) */
    int64_t day;     /* since the epoch; out */
    uint32_t policy; /* of relay.TlsNote */
    struct str result, mx, ip, from_ip, reason, policy_text;
    uint64_t sessions; /* out */
};
/* One more, today. */
MUST_CHECK int queue_tls_count(struct queue *q, struct str domain, const struct queue_tls *t);
/* The day and domain behind *day, *domain, of days before that: 1, 0. */
MUST_CHECK int queue_tls_next(struct queue *q, struct arena *a, int64_t before_day, int64_t *day,
                              struct str *domain);
MUST_CHECK int queue_tls_rows(struct queue *q, struct arena *a, int64_t day, struct str domain,
                              struct queue_tls **out, size_t *n_out);
MUST_CHECK int queue_tls_forget(struct queue *q, int64_t day, struct str domain);

/* ---- for people ---- */
MUST_CHECK int queue_list(struct queue *q, struct arena *a, uint64_t after, struct str domain, size_t max,
                          struct queue_message **out, size_t *n_out);
MUST_CHECK int queue_get(struct queue *q, struct arena *a, struct str name, struct queue_message *out);
MUST_CHECK int queue_targets(struct queue *q, struct arena *a, uint64_t message, size_t max,
                             struct queue_target **out, size_t *n_out);
enum queue_action { QUEUE_RETRY, QUEUE_HOLD, QUEUE_RELEASE, QUEUE_DELETE };
/* name empty: every message that has targets at `domain`; both empty: everything. In steps of at most `max`
 * targets: *cursor starts at 0 and is 0 again when all is done. What is under way is left alone. */
MUST_CHECK int queue_change(struct queue *q, enum queue_action action, struct str name, struct str domain,
                            size_t max, uint64_t *cursor, uint64_t *targets_out);
struct queue_totals {
    uint64_t messages, targets, bytes;
    int64_t oldest_ms; /* when it was made; 0: none */
};
MUST_CHECK int queue_totals(struct queue *q, struct queue_totals *out);
#endif
