/* src/store/backup.h
 *
 * Backups of a mailbox in a target (target.h), and nothing of RPC or the loop. Synchronous, worker threads only.
 *
 *   <24 hex>/keys            `.keys` as it is now: the one for all backups, since earlier data keys stand in it
 *   <24 hex>/<uuid>.sqlite   the mailbox at a moment, under its data key
 *   <24 hex>/<uuid>.info     when, how large, its hash; MACed under the data key, and by the service. Without it there is no
 *                            backup
 *
 * (doc/formats.md 9.) Nothing in the names says whose mailbox it is. */
#ifndef SRC_STORE_BACKUP_H
#define SRC_STORE_BACKUP_H
#include "lib/base/work.h"
#include "lib/crypto/filehash.h"
#include "src/store/keys.h"
#include "src/store/target.h"
#include <pthread.h>

#define BACKUP_ID_LEN   16u
#define BACKUP_TEXT_LEN 36u   /* of an id as text: a UUID */
#define BACKUPS_MAX     1000u /* of one mailbox */

struct backup_info {
    uint8_t id[BACKUP_ID_LEN], mailbox[MAILBOX_ID_LEN];
    int64_t taken_ms;
    uint64_t changes, bytes;   /* changes: commits of the mailbox until then */
    uint32_t generation;       /* of the data key */
    enum filehash_kind hashed; /* by what; those that are taken now: SHA-256 */
    uint8_t hash[HASH_BYTES], mac[HASH_BYTES];
    bool has_service; /* one that is older has not */
    uint8_t service[HASH_BYTES];
};

void backup_id_text(const uint8_t id[BACKUP_ID_LEN], char out[BACKUP_TEXT_LEN + 1]);
/* The text of the object, with both MACs, which are set. service: SUBKEY_SHIP_MAC; NULL: without that one. */
MUST_CHECK int backup_info_text(struct backup_info *i, const uint8_t key[KEY_BYTES], const uint8_t *service,
                                struct buf *out);
/* E_CORRUPT, E_VERSION. */
MUST_CHECK int backup_info_parse(struct str text, struct backup_info *out);
/* E_CORRUPT: somebody else wrote it. */
MUST_CHECK int backup_info_verify(const struct backup_info *i, const uint8_t key[KEY_BYTES]);
/* This service wrote it: what is done without a data key (restoring, choosing the newest one, letting old ones go) believes
 * nothing else, as whoever can write to the target could put in what he likes. */
bool backup_info_ours(const struct backup_info *i, const uint8_t service[KEY_BYTES]);

/* Which to keep (backup_rule.c): the last one, and the last of each day, week (from Monday) and month, UTC, so
 * many of those that have one. `taken` newest first; keep[n] is set. Pure. */
struct backup_rule {
    uint32_t daily, weekly, monthly;
};
void backup_rule_apply(const struct backup_rule *rule, const int64_t *taken_ms, size_t n, bool *keep);

/* Lets another thread end what runs. One user at a time. */
struct backup_stop {
    pthread_mutex_t lock;
    struct db *db; /* runs now */
    bool stop;
};
void backup_stop_init(struct backup_stop *s);
void backup_stop_now(struct backup_stop *s);

struct backup_take {
    const struct files *files;
    struct target *target;
    uint8_t mailbox[MAILBOX_ID_LEN];
    const uint8_t *key;     /* the data key of the mailbox file */
    const uint8_t *service; /* SUBKEY_SHIP_MAC; NULL: data keys alone tell what is ours */
    uint32_t generation;
    bool attached;              /* others have the file open and checkpoint it */
    int64_t now_ms, min_age_ms; /* the last one must be so old; 0: does not matter */
    struct backup_rule rule;
    struct backup_stop stop;
    struct work_pool
        *beside; /* what can be done beside is done there; its loop frees. NULL: one after the other */
    bool paged;  /* its own: the copy is one of pages */
    /* what came of it */
    struct backup_info info;
    struct db_error error;
    unsigned strangers; /* what says it is a backup of this mailbox, and nobody of ours wrote */
};
/* 1: taken; 0: nothing has changed since the backup in `info`, or it is not old enough. E_FULL: the file would not fit; E_CORRUPT: the
 * mailbox or the copy is damaged, or `.keys` is not the data key's; E_CANCELED. Holds no lock but a reader's
 * snapshot. After a crash anywhere there is the backup, or none, and the next one clears what is left. */
MUST_CHECK int backup_take(struct backup_take *b);

/* Newest first, at most BACKUPS_MAX; the caller frees. What is damaged is left out. How many, or E_*. */
MUST_CHECK int backup_list(struct target *t, const uint8_t mailbox[MAILBOX_ID_LEN], struct backup_info **out);
/* E_NOTFOUND. */
MUST_CHECK int backup_find(struct target *t, const uint8_t mailbox[MAILBOX_ID_LEN],
                           const uint8_t id[BACKUP_ID_LEN], struct backup_info *out);
/* Name of an object: end ".sqlite". */
void backup_name(const uint8_t mailbox[MAILBOX_ID_LEN], const uint8_t id[BACKUP_ID_LEN], const char *end,
                 char out[TARGET_NAME_MAX]);
/* `.keys` there is as `.keys` here. 1: it was replaced; 0: it was, or there are no backups. Any thread: two at once
 * end with the newer one. */
MUST_CHECK int backup_keys_put(struct target *t, const struct files *f,
                               const uint8_t mailbox[MAILBOX_ID_LEN]);
/* The same, made when it is not there: before anything else of this mailbox is. */
MUST_CHECK int backup_keys_put_first(struct target *t, const struct files *f,
                                     const uint8_t mailbox[MAILBOX_ID_LEN]);
/* The same for every mailbox that has backups. How many were replaced. */
MUST_CHECK int backup_keys_put_all(struct target *t, const struct files *f);
/* `.keys` of the backups, as bytes. E_NOTFOUND. */
MUST_CHECK int backup_keys_get(struct target *t, const uint8_t mailbox[MAILBOX_ID_LEN], struct buf *out);
/* All of a mailbox goes: its keys, and everything, keys first. `told` (may be NULL) hears of each that is gone. How
 * many. */
typedef target_told backup_told;
MUST_CHECK int backup_remove_keys(struct target *t, const uint8_t mailbox[MAILBOX_ID_LEN], backup_told *told,
                                  void *ctx);
MUST_CHECK int backup_remove_all(struct target *t, const uint8_t mailbox[MAILBOX_ID_LEN], backup_told *told,
                                 void *ctx);
#endif
