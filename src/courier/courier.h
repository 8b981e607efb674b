/* src/courier/courier.h: what the files of the role share. Everything is the loop's but what says otherwise. */
#ifndef SRC_COURIER_COURIER_H
#define SRC_COURIER_COURIER_H
#include "lib/crypto/spool.h"
#include "lib/smtp/srs.h"
#include "proto/courier.pb-c.h"
#include "proto/relay.pb-c.h"
#include "src/common/role.h"
#include "src/courier/conf.h"
#include "src/courier/queue.h"
#include "src/courier/report.h" /* on the lane */

#define STAGE_LEN 16u

/* ---- lane.c: the queue's thread. Jobs that wait share a transaction, and its sync ---- */
struct lane_job {
    struct work_job work;
    /* On the queue's thread, within a step of its own: 0, or E_* and nothing of it stays. */
    int (*run)(struct queue *q, struct lane_job *j);
    /* On the loop; status: what run returned, or why the commit failed. May free the job. */
    void (*done)(struct lane_job *j, int status);
    int status;
    struct lane_job *next; /* the lane's */
};
/* E_BUSY: too much waits. */
MUST_CHECK int lane_submit(struct lane_job *j);
MUST_CHECK int lane_open(struct role *r);
void lane_close(void);

/* ---- stage.c ---- */
struct stage {
    uint8_t id[STAGE_LEN];
    struct spool *spool;
    uint64_t counted;
    int64_t since_ms; /* monotonic: complete */
    struct rpc_peer *peer;
    struct stage *next, **at; /* of all */
};
int courier_op_stage(struct rpc_req *q, struct str body);
int courier_op_unstage(struct rpc_req *q, struct str body);
/* Complete, and this peer's; then it is the caller's, to be freed. NULL. */
struct stage *stage_take(struct rpc_peer *p, struct str id);
void stage_free(struct stage *s);
/* To where it was: the request failed, and may be made again. Whoever cancelled q, or is gone, comes for it no more: then
 * it is freed. So it is when the peer goes. */
void stage_give_back(struct stage *s, const struct rpc_req *q);
void stage_peer_gone(struct rpc_peer *p);

/* ---- enqueue.c ---- */
int courier_op_enqueue(struct rpc_req *q, struct str body);

/* ---- arrival.c ---- */
int courier_op_report_arrival(struct rpc_req *q, struct str body);

/* ---- dkim.c ---- */
struct signer; /* the keys of a domain; counted, by the loop */
struct mailauth_message;
/* NULL: not in memory; courier_signer_load reads it (on the lane), courier_signer_keep keeps it for others. */
struct signer *courier_signer_get(struct str domain);
MUST_CHECK int courier_signer_load(struct queue *q, struct str domain, struct signer **out);
void courier_signer_keep(struct signer *s);
void courier_signer_put(struct signer *s);
/* On a worker: signatures of m, or the seal of a forward, appended. body: of dkim_signer_want. A domain without keys
 * signs nothing. */
MUST_CHECK int courier_sign(const struct signer *s, const struct queue_message *m, const Courier__Arc *arc,
                            struct mailauth_message *msg, int body, struct buf *out);
int courier_op_dkim(struct rpc_req *q, struct str body);

/* ---- webhook_key.c ---- */
#define WEBHOOK_KEY_LEN 64u /* as text, which is what it signs with */
/* On the lane. The key of a domain, made when there is none (or `rotate`). */
MUST_CHECK int courier_webhook_key(struct queue *q, struct str domain, bool rotate,
                                   char out[WEBHOOK_KEY_LEN + 1]);
MUST_CHECK int courier_webhook_key_forget(struct queue *q, struct str domain);
int courier_op_webhook_key(struct rpc_req *q, struct str body);

/* ---- webhook.c: a message to a webhook: as JSON, signed, posted ---- */
/* `done` once, never from inside; m: what the relay said, or NULL with why not: E_UNAVAIL (for now), E_CLOSED (it may
 * have arrived). The claim is borrowed until then. E_NOMEM. */
typedef void webhook_fn(void *ctx, const Relay__SendResponse *m, int status, const char *why);
MUST_CHECK int courier_webhook(const struct queue_claim *c, webhook_fn *done, void *ctx);

/* ---- sevenbit.c: for a server that takes only 7 bits ---- */
/* `done` once, never from inside; head and body are borrowed for the call: fields of ours, and the message. E_TOO_BIG: not
 * this one; other errors: not now. */
typedef void sevenbit_fn(void *ctx, int status, struct str head, struct str body);
/* The claim is borrowed until then. E_BUSY: enough of them are made; E_NOMEM. */
MUST_CHECK int courier_to_7bit(const struct queue_claim *c, sevenbit_fn *done, void *ctx);

/* ---- srs.c ---- */
/* The sender that a forward leaves under, for its signer's domain, in the arena. 1: the one it had is to be kept with the
 * token (queue_srs_keep), in the transaction that adds the message. */
MUST_CHECK int courier_srs_forward(struct arena *a, struct queue_message *m,
                                   uint8_t token_out[SRS_TOKEN_BYTES]);
/* On the lane: the sender that was rewritten to this one, appended. E_NOTFOUND: it was not; E_AUTH, E_STALE. */
MUST_CHECK int courier_srs_origin(struct queue *q, struct str sender, struct buf *out);
int courier_op_srs(struct rpc_req *q, struct str body);

/* ---- settle.c: on the lane ---- */
/* How it went is noted, with all that follows from it. */
MUST_CHECK int courier_settle(struct queue *q, const struct queue_claim *c, struct queue_outcome *o,
                              bool trouble, struct queue_counts *counts);
/* The part of it that tells others. */
MUST_CHECK int courier_settle_reports(struct queue *q, const struct queue_claim *c,
                                      const struct queue_outcome *o, struct queue_counts *counts);

/* Before queue_expired. */
MUST_CHECK int courier_settle_expired(struct queue *q, const struct queue_message *m,
                                      const struct queue_target *t, size_t n);

/* What courier_settle_expired and its transaction did: on the loop, when it was committed (or not: nothing is told). */
void courier_settle_told(bool committed);

/* ---- rewrite.c ---- */
/* On the lane: what was refused for DMARC and the like goes once more under a From of ours: o[i].again. */
MUST_CHECK int courier_rewrite(struct queue *q, const struct queue_claim *c, struct queue_outcome *o);

/* ---- suppressed.c ---- */
/* Does that say that there is nobody? */
bool courier_is_hard(uint32_t code, struct str enhanced, struct str text);
/* A person sent it. */
bool courier_is_persons(const struct queue_message *m);
/* The domain of that person, in small letters, in the arena. */
struct str courier_list_domain(struct arena *a, const struct queue_message *m);
/* On the lane. `to` refused: onto the list of the sender's domain, when it has one. */
MUST_CHECK int courier_suppress(struct queue *q, const struct queue_message *m, struct str to, uint32_t code,
                                struct str enhanced, struct str text);
/* On the lane, in the transaction that added m: what is for suppressed recipients fails at once, and is reported. *c and its
 * outcomes get what that was, in the arena, for courier_tell. */
MUST_CHECK int courier_suppressed_end(struct queue *q, struct arena *a, const struct queue_message *m,
                                      const struct queue_target *t, size_t n, struct queue_claim *c,
                                      struct queue_outcome **o_out);
int courier_op_suppressed(struct rpc_req *q, struct str body);

/* ---- bounce.c ---- */
/* What could not be delivered. */
struct courier_bounce {
    struct str submitter, sender, recipient, status, text, server, message_id;
    uint32_t code;
    bool hard;
    const char *source;  /* "smtp", "report", "expired", "suppressed" */
    const char *message; /* its name in the queue */
};
/* The sender that a message of a person leaves under, in the arena. */
struct str courier_return_path(struct arena *a, const struct queue_message *m);
/* On the lane. 1: this one leaves under it. */
MUST_CHECK int courier_sent_tagged(struct queue *q, const struct queue_message *m);
/* On the lane, in the transaction that added m; head: the beginning of what was submitted. */
MUST_CHECK int courier_sent_note(struct queue *q, const struct queue_message *m, const struct queue_target *t,
                                 size_t n, struct str head);
bool courier_bounce_is(struct str local);
/* On the lane: what it is about. E_NOTFOUND, E_AUTH. */
MUST_CHECK int courier_bounce_find(struct queue *q, struct arena *a, struct str local,
                                   struct queue_sent *out);
/* On the lane: what a report to `address` says is noted. *out in the arena: who failed, for courier_bounce_tell. */
struct Content__ReportResponse;
MUST_CHECK int courier_bounce_read(struct queue *q, struct arena *a, struct str address,
                                   const struct Content__ReportResponse *m, struct courier_bounce **out,
                                   size_t *n_out);
void courier_bounce_tell(const struct courier_bounce *v, size_t n);

/* ---- bounce_event.c ---- */
/* On the lane: to the domain's webhook, by the queue; 0 when it has none. */
MUST_CHECK int courier_bounce_event(struct queue *q, const struct courier_bounce *b);
/* The same for one target of a message of the queue. */
MUST_CHECK int courier_bounce_events(struct queue *q, const struct queue_message *m,
                                     const struct queue_target *t, const struct queue_outcome *o,
                                     const char *source);
int courier_op_bounce_webhook(struct rpc_req *q, struct str body);
/* enqueue.c: "https://host:port" of a URL, in the arena. E_SYNTAX, E_NOMEM. */
MUST_CHECK int courier_url_dest(struct arena *a, struct str url, struct str *dest_out);

/* ---- tls.c ---- */
/* On the lane: what the relay learnt on the way; m may be NULL. */
MUST_CHECK int courier_tls_learn(struct queue *q, struct str domain, const Relay__SendResponse *m);
MUST_CHECK int courier_tls_open(struct role *r);
int courier_op_tls_report(struct rpc_req *q, struct str body);
int courier_op_tls_reported(struct rpc_req *q, struct str body);

/* ---- people.c ---- */
int courier_op_list(struct rpc_req *q, struct str body);
int courier_op_show(struct rpc_req *q, struct str body);
int courier_op_change(struct rpc_req *q, struct str body);

/* ---- courier.c ---- */
extern struct courier {
    struct role *role;
    struct queue *queue; /* the lane's */
    struct queue_rules rules;
    struct work_pool *pool; /* what needs time and no queue: hashing, signing */
    struct stage *stages;
    uint64_t staged_bytes;
    size_t requests;      /* being answered */
    bool stopping, hurry; /* hurry: what is under way is waited for no more */
    uint64_t enqueued, delivered, deferred, failed, uncertain, active;
} courier;
/* A request that is answered later, so that stopping waits for it. */
void courier_begin(void);
void courier_reply(struct rpc_req *q, int status, const ProtobufCMessage *m);
/* When the role was told to stop: are we done? */
void courier_end(void);

/* ---- dispatch.c ---- */
extern const struct rpc_link_ops courier_links;
MUST_CHECK int courier_dispatch_open(struct role *r);
/* Something may be due. */
void courier_dispatch_wake(void);
bool courier_dispatch_busy(void);
void courier_dispatch_stop(void);
/* All that the relay, or a former one, was asked by our books is known: from now on it is asked again. */
void courier_dispatch_up(void);
/* Are the books of our former life settled? On the lane, too: it turns true while no recovery runs there. */
bool courier_dispatch_recovered(void);
/* In a while it is looked once more whether the relay can be asked. */
void courier_dispatch_later(void);
/* What it said of n targets, borrowed. E_CORRUPT. */
MUST_CHECK int courier_outcomes(const Relay__SendResponse *m, struct queue_outcome *o, size_t n);
/* The one line that says so: nothing more happens to these targets until somebody looks. 0: nothing. */
void courier_set_aside(uint64_t targets, uint64_t message);

/* ---- recovery.c ---- */
/* A relay is there: ends with courier_dispatch_up, or _later when it could not be. */
void courier_recover(void);

/* ---- tell.c: on the loop ---- */
/* How it went, to the journal of the person it concerns. */
void courier_tell(const struct queue_claim *c, const struct queue_outcome *o);
/* Before the URL of a target: a TLS report that is posted (RFC 8460 3). */
#define COURIER_TLSRPT STR("tlsrpt:")
#endif
