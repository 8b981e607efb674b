/* src/store/store.h
 *
 * The store role: what its files share. One thread, the loop's, owns everything here except what a
 * comment gives to a lane; blocking work goes to lanes and pools as jobs.
 *
 *   actor    a mailbox that someone wants something of: its writer lane, its handles, its keys
 *   session  a client's login; belongs to the peer it was given to
 *   staged   bytes on their way in; belongs to the peer that sends them
 *
 * Open or closed is decided inside the writer lane, where it changes: a delivery that finds the mailbox
 * open goes in, one that finds it closed is sealed. Nothing else could be without a race. */
#ifndef SRC_STORE_STORE_H
#define SRC_STORE_STORE_H
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/hex.h"
#include "lib/base/idmap.h"
#include "lib/base/log.h"
#include "lib/crypto/keystate.h"
#include "lib/crypto/pwcache.h"
#include "lib/crypto/secret_slab.h"
#include "proto/content.pb-c.h"
#include "proto/directory.pb-c.h"
#include "src/common/role.h"
#include "src/store/backup.h"
#include "src/store/conf.h"
#include "src/store/handles.h"
#include "src/store/keybox.h"
#include "src/store/mailbox.h"
#include "src/store/notes.h"
#include "src/store/quota.h"
#include "src/store/tempbox.h"
#include <pthread.h>

#define SESSION_LEN   16u
#define STAGING_LEN   16u
#define OPERATION_LEN RPC_OPERATION_LEN
#define SEEDS_MAX     KEYFILE_MAILBOX_KEYS_MAX
#define READERS       3u /* lanes with a handle of their own: FETCH, SEARCH, and a second for long searches */
#define READER_FETCH  0u
#define READER_SEARCH 1u
#define READER_HELPER 2u

struct penalties;

struct store {
    struct role *role;
    struct loop *loop;
    struct files files;
    struct tempbox_keys temp_keys;
    struct notes *notes; /* NULL: could not be opened, an alarm was logged */
    struct work_pool *pool, *read_pool, *search_pool, *backup_pool, *hash_pool;
    uint64_t backups_taken, backups_failed;
    struct handles *handles;
    struct work_pool *derive[2]; /* own passwords: of networks nobody logged in from; of those somebody did */
    struct secret_slab *slab;
    struct penalties *penalties;
    uint8_t boot_key[KEY_BYTES];             /* of cached verifiers */
    struct idmap actors, sessions, stagings; /* by the first 8 bytes of the id, which is random */
    size_t nsessions, open_mailboxes, temp_open;
    uint64_t staged_bytes, delivered_open, delivered_sealed, duplicates, drained;
    uint64_t checks, check_findings, retained, rotations;
    _Atomic uint64_t alarms; /* counted in lanes */
    uint64_t lease_requests, over_quota, quota_warnings;
    struct staged_network *networks;
    struct timer sweep;
    struct actor *temp_lru, *temp_lru_last; /* with an open temporary mailbox, longest unused first */
    size_t requests;                        /* being answered: stop waits for them */
    bool stopping, stopped;
};
extern struct store store;
extern struct store_conf store_conf;

uint64_t id_key(const void *id);

/* ---- jobs of a lane (actor.c) ------------------------------------------------------------------ */

struct actor;

enum job_kind {
    JOB_ALONE,   /* runs by itself; an attached mailbox is opened for it */
    JOB_BARE,    /* runs by itself; an attached mailbox may be closed: open, close, note */
    JOB_WRITE,   /* shares a transaction with its neighbours; wants the mailbox open */
    JOB_DELIVER, /* the same, and goes to the temporary mailbox when it is closed */
    JOB_READ,    /* on a reader's lane and handle */
};

struct job {
    struct work_job work;
    struct actor *actor;
    enum job_kind kind;
    unsigned reader; /* JOB_READ: which */
    /* In the lane. JOB_WRITE, JOB_DELIVER: inside a transaction, undone when negative. box NULL: closed. */
    int (*run)(struct job *j, struct mailbox *box);
    void (*done)(struct job *j); /* on the loop; status is final: committed and synced, or nothing happened */
    int status;
    struct happening *happenings; /* the same */
    struct mailbox_change
        changes[MAILBOX_CHANGES_MAX]; /* what the group's commit changed; on the job that hears of it first */
    size_t nchanges;
    uint32_t wal_frames; /* that the commit left; as `changes` */
    uint64_t temp;       /* in this temporary mailbox; 0: in the mailbox */
    bool leader;
    bool repeatable; /* what was undone may run once more */
    bool through;    /* actor_hold does not hold it: it belongs to who holds */
    struct job *held_next;
    uint64_t bytes; /* of the messages that it writes: they need room in the -wal */
    bool shrunk;    /* the mailbox uses less than before; on the first job of a group */
    bool drops;     /* something large was removed and goes behind; as `changes` */
};
/* Takes a reference to the actor until done returns. 0, or E_BUSY (done is not called). */
MUST_CHECK int actor_submit(struct actor *a, struct job *j);
/* While the files are exchanged: jobs that are submitted from now on wait, those before are not touched.
 * Sessions stay, and notice no more than a pause. actor_let_go: they run, in their order. */
enum { HOLD_WRITES = 1 << 0, HOLD_READS = 1 << 1 }; /* WRITES: all but JOB_READ */
void actor_hold(struct actor *a, unsigned what);
void actor_let_go(struct actor *a);

/* ---- mailboxes that are in use (actor.c, attach.c, drain.c) ------------------------------------ */

enum actor_state { ACTOR_CLOSED, ACTOR_OPENING, ACTOR_OPEN, ACTOR_CLOSING };

struct verifier {
    uint16_t slot;
    uint8_t mac[PWCACHE_BYTES];
};

struct seed {
    uint32_t generation;
    uint8_t *bytes; /* in the slab */
};

/* What a mailbox holds of its limits, and what it asks for (lease.c). The loop's. */
struct lease_limit {
    bool limited;
    uint64_t limit, taken;
};
struct lease {
    struct lease_trip *trip; /* one at a time: see, ask, note */
    struct lease_wait *waits;
    bool known, limited, tight; /* tight: the last request was refused, or a step was passed */
    bool report, give;          /* wanted when the trip is over; give: what is not used */
    bool drained;               /* open, and nothing waits in temporary mailboxes */
    bool closed;                /* what `last` says of the mailbox itself is still to be reported */
    struct quota_count last;    /* of the mailbox itself, when it was closed or last reported */
    int64_t reported_ms;
    uint32_t percent;             /* step that was passed last */
    struct lease_limit limits[3]; /* account, domain, alias */
};

struct actor {
    uint8_t id[MAILBOX_ID_LEN];
    enum actor_state state;
    size_t refs; /* jobs, sessions, requests that wait */
    struct work_lane *lane, *readers[READERS];
    size_t reading; /* jobs on the readers' lanes */
    struct session *sessions;
    size_t nsessions;
    struct session *maildrop;            /* the POP3 session that has INBOX for itself; NULL: none */
    struct maildrop_wait *maildrop_wait; /* until what waited has come in; NULL: not */
    struct attach *trying;               /* logins with a password that is being tried, or will be */
    struct attach *waiting;              /* logins that succeeded, until the mailbox is open */
    struct verifier verifiers[KEYFILE_SLOTS_MAX];
    size_t nverifiers;
    bool draining, key_busy, close_wanted;
    bool tidying;   /* key_busy with forgetting old keys: whoever else wants to may wait */
    bool shut;      /* nobody may attach: its files are being exchanged */
    uint32_t epoch; /* counts revocations: a login begun before one starts anew */
    struct drain *drain;
    uint32_t generation; /* of the data key; set while open */
    uint8_t *data_key;   /* in the slab; while open. Written by the loop before OPENING only */
    /* The writer lane's: */
    bool drops_wait;     /* found when it was opened */
    struct mailbox *box; /* while a job runs; NULL: closed, or given back (key tells) */
    struct handle writer;
    struct handle reader[READERS]; /* each its own lane's; closed by the writer when none reads */
    struct tempbox *temp;
    uint8_t *key;        /* data key, in the slab: the lane's copy */
    uint32_t wal_frames; /* as last told to the loop */
    struct seed seeds[SEEDS_MAX];
    size_t nseeds;
    uint8_t public_key[XWING_PUBLIC_BYTES]; /* of .keys as last read, for sealing */
    struct keystate known;
    uint32_t public_generation;
    bool have_public;
    uint64_t quota_used;           /* after the last group, while limited: tells shrinking */
    struct quota_count quota_seen; /* when the file was given back; folders 0: not */
    bool lane_hint;                /* limited, said the directory at login, and the file is not told yet */
    bool lane_limited;
    /* The loop's: */
    struct lease lease;
    bool written;      /* since it was noted (noting.c) */
    struct care *care; /* under way */
    int64_t
        cared_ms;  /* when it last began, monotonic; 0: not since it was opened. The closing job reads it */
    unsigned held; /* HOLD_* */
    struct job *held_first, *held_last;
    struct news *news;            /* NULL: none yet */
    uint32_t checkpointed_frames; /* of the -wal, when that was begun last */
    uint64_t checkpointed_temp;   /* the file of these frames, while it is a temporary one; else 0 */
    bool checkpointing;           /* another thread does, counted in `reading` */
    _Atomic bool basing;          /* its file is copied (shipop.c): nobody checkpoints but who must */
    bool drain_waits;             /* for it */
    struct actor *lru_next, *lru_prev;
    bool in_lru;
    struct actor *index_next; /* indexing.c */
    struct actor *care_next;  /* care.c */
    bool care_waits;
    bool index_behind, index_listed, indexing;
    bool catching_up; /* catchup.c */
    bool learning;    /* learning.c */
    bool dropping;    /* dropping.c: not closed before it is through */
    size_t changing;  /* the same of commands that go on by further transactions (ops.c) */
    int index_ticks;
    bool purged;              /* a backup that still ends goes, too */
    int64_t index_changed_ms; /* by the last commit that brought something */
};

/* Never NULL but for want of memory; with a reference. */
struct actor *actor_get(const void *id);
struct actor *actor_find(const void *id); /* without; NULL */
void actor_ref(struct actor *a);
void actor_unref(struct actor *a);
/* What a commit brought, to those that watch (watch.c). */
void watch_tell(struct actor *a, const struct job *j);
/* The last session is gone, or everything must end: close when nothing needs it. */
void actor_close_soon(struct actor *a);
/* In the lane: wipe keys, close handles. */
int actor_lane_close(struct actor *a);
/* In the lane: log what failed, with its statement. */
/* In the lane: open the mailbox's file, where it was given back; before the job ends it goes again. */
MUST_CHECK int actor_box_open(struct actor *a);
void actor_log(const char *event, const struct actor *a, int r, const struct db_error *e);

/* ---- the text index follows (indexing.c) --------------------------------------------------------- */

/* A job of an open mailbox is done; `changed`: it may have brought mail. */
void index_want(struct actor *a, bool changed);
/* Its index is current: mail of before gets what it lacks (catchup.c). */
void catch_up(struct actor *a);
/* What waits to be learnt of junk and ham, a few letters at a time. */
void learn_up(struct actor *a);

/* ---- the bytes of what was removed go behind (dropping.c) ---- */

/* Something was, or may have been before a crash. */
void drop_behind(struct actor *a);
/* In the lane: a slice, in a transaction of its own. 1: there is more; 0; E_BUSY: no room in the -wal. */
MUST_CHECK int drop_slice(struct actor *a);

/* ---- compared with what was noted, and noted anew (noting.c): in the lane ------------------------ */

void noting_temp(struct actor *a);
void noting_temp_check(struct actor *a); /* after opening it */
void noting_temps_missing(struct actor *a, const uint64_t *there, size_t n);
void noting_temp_done(struct actor *a); /* before its file is removed */
void noting_box(struct actor *a);
void noting_box_of(const struct actor *a, struct mailbox *box);
void noting_box_check(struct actor *a);
void noting_forget(struct actor *a);
/* Every open mailbox that was written to is noted. */
void actor_boxes_note(void);

/* ---- what mailboxes need now and then (care.c) --------------------------------------------------- */

struct care;
struct check;
/* Every half minute: old mail in Trash and Junk goes, free pages are given back, the file is checked. */
void care_round(void);
/* In the lane, before a mailbox closes that was not open long enough for a round. */
void care_at_close(struct actor *a);
/* A check has ended: logged and counted. */
void care_checked(const struct actor *a, const struct check *c, uint64_t swept);
/* In the lane, for handles.h: a file is closed for another's sake. */
void actor_handle_closing(struct handle *h);
void actor_files_slim(void); /* unused ones give their page caches back */
bool actor_trimming(void);   /* a worker closes files */

/* ---- from the -wal into the file (checkpoint.c) ---- */

/* As large as a -wal may become; tests make it small. */
extern uint64_t checkpoint_wal_bytes;
/* On the loop, after a commit that left so many frames. */
void checkpoint_behind(struct actor *a, uint32_t frames);
/* In the lane, before a transaction with so many bytes of messages. E_BUSY: there is no room in the -wal and
 * somebody keeps it so. */
MUST_CHECK int checkpoint_in_lane(struct actor *a, uint64_t bytes);
/* The same for its temporary mailbox. A drain waits for the one behind: it removes the file. */
void checkpoint_temp_behind(struct actor *a, uint64_t generation, uint32_t frames);
MUST_CHECK int checkpoint_temp_in_lane(struct tempbox *t, uint64_t bytes);

/* ---- backups (backupop.c) ---- */

/* Every half minute: of attached mailboxes that changed one is taken, when its last one is old. */
void backups_round(void);
bool backups_busy(void);
void backups_stop(void); /* what runs ends soon */
/* The last session is gone: true when a backup begins before the mailbox closes. */
bool backup_before_close(struct actor *a);
/* What runs for this mailbox ends soon. */
void backup_cancel(const struct actor *a);
/* In the lane: is the -wal so large because a backup reads? False: none does, or it was told to end, since the -wal
 * has become too large. */
bool backup_reads(const struct actor *a, uint32_t frames);
/* Worker threads: `.keys` beside the backups as it is here. Failure is logged, and mended later. */
void backup_keys_follow(const uint8_t id[MAILBOX_ID_LEN]);
/* `.keys` beside all backups, in each place; how many were older. `every_place`: one that was never reached is E_UNAVAIL. A
 * worker's. */
int backup_keys_everywhere(bool every_place);
void backup_pb(const struct backup_info *i, Store__Backup *out);
int op_mailbox_restore(struct rpc_req *q, struct str body);
/* In the lane, before the mailbox is opened: one that was restored to a time before its data key was exchanged is written anew
 * under the one of today. */
MUST_CHECK int restore_rekey(const struct actor *a, const struct keyfile *kf,
                             const struct keyfile_keys *keys);
/* At the start: what a crash cut off goes on. */
void restores_open(void);
/* In the lane, the mailbox just opened: one that was restored gets other UIDVALIDITYs. */
MUST_CHECK int restore_arrive(struct actor *a);
int op_mailbox_backup(struct rpc_req *q, struct str body);
int op_backup_list(struct rpc_req *q, struct str body);
int op_place_set(struct rpc_req *q, struct str body);
int op_backup_get(struct rpc_req *q, struct str body);
int op_maintain(struct rpc_req *q, struct str body);
int op_jobs_state_get(struct rpc_req *q, struct str body);
int op_jobs_state_put(struct rpc_req *q, struct str body);

struct drain;
void drain_start(struct actor *a);
/* Logins that wait for the mailbox to open, or for the first batch: let them in (0), or fail them. */
void attach_flush(struct actor *a, int r);
void actor_temps_close(void);
/* The temporary mailbox was opened by a job of its own: it is closed when nobody has used it for a while. */
void actor_temp_used(struct actor *a);

/* ---- sessions ---------------------------------------------------------------------------------- */

struct session {
    uint8_t id[SESSION_LEN];
    struct rpc_peer *peer;
    struct actor *actor; /* a reference */
    uint16_t slot;
    uint64_t selected;                      /* folder id, 0: none */
    uint64_t stands;                        /* modseq of the last answer it was given about it */
    uint32_t watch;                         /* Watch bits */
    bool read_only, told;                   /* told: of a change, and has not asked since */
    uint32_t percent;                       /* QUOTA_STEP that it was told of */
    struct session *next, **prev;           /* of the actor */
    struct session *peer_next, **peer_prev; /* of the peer */
};

struct peer {
    struct session *sessions;
    struct staged *stagings;
};

struct session *session_new(struct actor *a, struct rpc_peer *p, uint16_t slot,
                            const uint8_t id[SESSION_LEN]);
struct session *session_find(struct str id);
/* The request's session, when it belongs to its peer; NULL otherwise. */
struct session *session_of(struct rpc_req *q, struct str id);
void session_end(struct session *s); /* closes the mailbox after the last one */
/* Tell and end all of a mailbox; slot 0: all of them. How many. */
uint32_t sessions_end_all(struct actor *a, uint16_t slot, Store__SessionEndedEvent__Why why);
int session_guard(struct rpc_req *q, struct str body);
void session_ticket(const struct session *s, uint8_t out[TICKET_BYTES]);

/* ---- quotas: leases from the directory (lease.c) ------------------------------------------------- */

/* Someone who was refused with E_QUOTA in the lane and could be helped by a larger lease. */
struct lease_wait {
    struct lease_wait *next;
    uint64_t need; /* bytes beyond what is used; 0: only wants to know what the limits are */
    /* Once, on the loop (from inside lease_want when nothing can be asked). 0: try again; E_QUOTA: a limit is reached;
     * E_TOO_BIG: larger than a whole limit; E_UNAVAIL: the directory does not answer. */
    void (*done)(struct lease_wait *w, int status);
};
#define LEASE_TRIES_MAX 20u /* each time somebody else was faster */
void lease_want(struct actor *a, struct lease_wait *w);
/* Tell the directory what is used, and learn what the limits are; give: return what is not used. */
void lease_report(struct actor *a, bool give);
/* In the lane, when it has been opened; limited: so the directory said at login. */
void lease_lane_open(struct actor *a, bool limited);
/* In the lane, before the mailbox closes: what is not used is given back, *out is what remains. False: not
 * known, since its file was closed long ago. */
bool lease_lane_close(struct actor *a, struct quota_count *out);
/* The mailbox was closed. */
void lease_closed(struct actor *a, const struct quota_count *last);
/* The directory says that limits were changed: every open mailbox asks. */
void lease_limits_changed(void);
/* QUOTA_STEP to sessions that were not told yet. */
void lease_tell(struct actor *a);
/* Open mailboxes whose last report is old. */
void lease_report_old(void);
int op_quota(struct rpc_req *q, struct str body);

/* ---- bytes on their way in (staging.c) --------------------------------------------------------- */

struct staged {
    uint8_t id[STAGING_LEN];
    struct bytes_in in; /* reads the spool, from any thread */
    pthread_mutex_t lock;
    struct spool *spool;
    size_t refs;
    bool complete;
    uint8_t hash[HASH_BYTES];
    uint64_t counted;
    struct staged_network *network;
    struct staged *peer_next, **peer_prev; /* NULL: no peer names it any more */
};
struct staged *staged_new(uint64_t max_bytes);
void staged_ref(struct staged *s);
void staged_unref(struct staged *s);
struct staged *staged_find(struct rpc_req *q, struct str id);
void staged_forget(struct staged *s); /* the peer no longer names it */

/* ---- what content says of a message (parse.c) --------------------------------------------------- */

struct parsed {
    struct arena arena;
    Content__ParseResponse *answer;
    struct staged *text;
    struct str *references, *in_reply_to;
    struct email_ready ready; /* the rows, as far as they could be made (worker) */
};
/* Send `message` to content; `done` once, on the loop, with 0 and *out filled, or E_UNAVAIL and the
 * like. `message` is read from the loop and from workers, and stays until then. */
int parse_message(const struct bytes_in *message, bool blocking, struct parsed *out,
                  void (*done)(void *ctx, int status), void *ctx);
void parsed_release(struct parsed *p);
void parsed_email(const struct parsed *p, const struct bytes_in *message, struct email_in *out);

/* ---- operations -------------------------------------------------------------------------------- */

int op_status(struct rpc_req *q, struct str body);
int op_attach(struct rpc_req *q, struct str body);
int op_verify(struct rpc_req *q, struct str body);
int op_reattach(struct rpc_req *q, struct str body);
int op_detach(struct rpc_req *q, struct str body);
int op_watch(struct rpc_req *q, struct str body);
int op_unselect(struct rpc_req *q, struct str body);
int op_mail(struct rpc_req *q, struct str body); /* everything that mail_ops has a row for */
int op_fetch(struct rpc_req *q, struct str body);
int op_search(struct rpc_req *q, struct str body);
int op_snippets(struct rpc_req *q, struct str body); /* snippets.c */
int op_flag_store(struct rpc_req *q, struct str body);
int op_sort(struct rpc_req *q, struct str body);
int op_thread(struct rpc_req *q, struct str body);
int op_stage(struct rpc_req *q, struct str body);
int op_unstage(struct rpc_req *q, struct str body);
int op_append(struct rpc_req *q, struct str body);
int op_deliver(struct rpc_req *q, struct str body);
int op_key_add(struct rpc_req *q, struct str body);
int op_key_list(struct rpc_req *q, struct str body);
int op_key_revoke(struct rpc_req *q, struct str body);
int op_key_start_over(struct rpc_req *q, struct str body);
int op_key_rotate(struct rpc_req *q, struct str body);
int op_mailbox_remove(struct rpc_req *q, struct str body);
int op_maildrop_lock(struct rpc_req *q, struct str body);
/* Nothing waits any more (0), or the session has ended (E_*). */
void maildrop_go_on(struct actor *a, int status);
int op_mailbox_check(struct rpc_req *q, struct str body);
/* Forget mailbox keys that no sealed record names any more, in its own time. The mailbox is open. */
void keys_tidy(struct actor *a);
extern const struct rpc_service store_service;

/* Every request that is answered later: counted, so that stop waits. */
void request_begin(void);
void request_reply(struct rpc_req *q, int status, const ProtobufCMessage *body, const char *detail);
void store_stop_when_idle(void);

/* ---- bad logins (penalty.c) -------------------------------------------------------------------- */

struct penalties *penalties_new(void);
void penalties_free(struct penalties **p);
/* A login from `network` to this mailbox wants to be tried: milliseconds that it has to wait first. It counts as a
 * bad one from now on, until penalty_good or penalty_back. E_LIMIT: too many wait already; it is not counted. */
int64_t penalty_take(struct penalties *p, struct str network, const uint8_t id[MAILBOX_ID_LEN],
                     int64_t now_ms);
/* It was not tried after all. */
void penalty_back(struct penalties *p, struct str network, const uint8_t id[MAILBOX_ID_LEN]);
/* One that was not taken, and need not be tried to know that it is bad. */
void penalty_bad(struct penalties *p, struct str network, const uint8_t id[MAILBOX_ID_LEN], int64_t now_ms);
/* It was right: whatever was counted is forgotten. */
void penalty_good(struct penalties *p, struct str network, const uint8_t id[MAILBOX_ID_LEN], int64_t now_ms);
/* Has anybody logged in from there lately? */
bool penalty_known(const struct penalties *p, struct str network, int64_t now_ms);
#endif
