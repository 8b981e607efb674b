/* src/store/keyop.h
 *
 * What needs a mailbox's keys and more than one step: a walk over stages, each in a pool, in the mailbox's
 * lane, or a question to the directory. One walk of a mailbox at a time. keyops.c walks, and has the changes
 * of passwords; rotate.c and checkop.c have stages of their own. */
#ifndef SRC_STORE_KEYOP_H
#define SRC_STORE_KEYOP_H
#include "src/store/check.h"
#include "src/store/restore.h"
#include "src/store/shipop.h"
#include "src/store/store.h"

struct keyop;
struct stage_row {
    enum { IN_POOL = 1, IN_LANE, ASK, WHEN_CLOSED, WHEN_UNREAD, HERE } where;
    int (*run)(struct keyop *k); /* ASK: starts the call */
};

struct keyop {
    struct rpc_req *q;              /* NULL: keys_tidy, nobody waits for an answer */
    const struct stage_row *stages; /* ends with where 0 */
    size_t at;
    struct actor *actor, *old; /* references; old: START_OVER */
    struct work_job work;
    struct job job;
    struct timer timer;
    unsigned tries;
    int status;
    /* what is asked */
    uint64_t alias_id;
    uint16_t slot;
    struct str name, own_text, place; /* place: of a mailbox that is made */
    ProtobufCBinaryData *states;
    size_t nstates;
    struct password current, password;
    bool slow;
    /* what becomes of it */
    struct keyfile *kf;
    struct keyfile_keys keys;
    uint8_t state[KEYSTATE_BYTES];
    uint64_t generation; /* of the mailbox file */
    uint32_t oldest;     /* no sealed record names a mailbox key before this generation */
    char text[PASSWORD_TEXT_LEN + 1];
    uint32_t ended;
    void (*answer)(struct keyop *k);
    bool files_made, bind_asked, bound;
    bool turn;    /* key_busy is ours */
    bool holds;   /* jobs of others wait for us (actor_hold); ours do not */
    bool patient; /* whoever else wants to may wait for it */
    /* rotation (rotate.c) */
    struct rotation {
        uint64_t commits;       /* of the mailbox when it was copied */
        bool copied, exchanged; /* it stands beside; it took the old one's place, now or before */
        bool lost;              /* the mailbox could not be opened again */
    } rotation;
    /* restoring (restoreop.c) */
    struct restoring {
        struct restore_note note;
        bool has_password, keys_lost, fetched; /* fetched: it lies beside, and has no place yet */
        int64_t at_ms, reached_ms;             /* to a moment; 0: to a backup */
        int64_t not_before_ms;                 /* else to none */
        uint64_t temps[SHIP_TEMPS_MAX];        /* temporary mailboxes of then */
        size_t ntemps;
        int given; /* backupget.c: its file, for whoever asked for a moment */
    } restore;
    struct purge *purge; /* purge.c */
    /* a check (checkop.c) */
    struct mailbox *box;
    struct check *check;
    int swept;
};

/* A request begins its walk; stages ends with a row of zeros. E_*: it did not. */
MUST_CHECK int keyop_begin(struct rpc_req *q, const void *id, const struct stage_row *stages,
                           void (*answer)(struct keyop *), struct keyop **out);
/* Go, when r is not an error; else the walk is freed and r comes back. */
int keyop_go(struct keyop *k, int r);
MUST_CHECK int keyop_passwords_take(struct keyop *k, ProtobufCBinaryData current, ProtobufCBinaryData own,
                                    const char *name);

void purge_free(struct purge **p); /* NULL accepted */
/* What was brought here and not put in place goes. */
void restore_abandon(struct keyop *k);

/* ---- stages that several have ---- */
int keyop_ask_prepare(struct keyop *k);
int keyop_ask_commit(struct keyop *k);
/* `.keys` opened with the password that was given. */
int keyop_keys_open(struct keyop *k);
/* `.keys` replaced, and noted in the mailbox. */
int keyop_lane_save(struct keyop *k);
/* The `.keys` beside backups, too; a target that does not answer stops nothing. */
int keyop_backup_keys(struct keyop *k);
/* k->state is what k->kf says. */
void keyop_state_of(struct keyop *k);
/* The oldest mailbox key that a sealed record names. */
MUST_CHECK int keyop_oldest_named(struct actor *a, const struct keyfile *kf, uint32_t *out);
#endif
