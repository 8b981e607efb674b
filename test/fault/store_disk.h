/* test/fault/store_disk.h
 *
 * A data folder with one mailbox in it, for power loss and failing disks: numbered messages that tell
 * when a byte of them changed, the store's synchronous core in the order in which its lanes call it, and
 * the world, which is what must be found afterwards. */
#ifndef TEST_FAULT_STORE_DISK_H
#define TEST_FAULT_STORE_DISK_H
#include "lib/base/test.h"
#include "src/store/drainstep.h"
#include "src/store/keybox.h"

#define MESSAGES_MAX 48u
#define ABSENT       (-1)

enum place { INBOX, ARCHIVE, TRASH, WORK, TEMP_A, TEMP_B, PLACES };

/* at[place][number]: flags, or ABSENT. */
struct world {
    int16_t at[PLACES][MESSAGES_MAX];
};
void world_clear(struct world *w);
bool world_same(const struct world *a, const struct world *b);
/* How many are anywhere. */
size_t world_count(const struct world *w);

/* The keys of the whole test: made once, since only the disk is lost. */
struct secrets {
    uint8_t id[2][MAILBOX_ID_LEN];
    struct tempbox_keys temp;
    uint8_t mac[KEY_BYTES], label[KEY_BYTES];
    struct keyfile *kf; /* of mailbox 0, as it is when no test changes it */
    struct keyfile_keys keys;
    struct password password;
    uint8_t seed[XWING_SEED_BYTES];
    uint32_t generation; /* of the seed's public key */
};
extern struct secrets secrets;
void secrets_make(void);
void secrets_release(void);

struct disk {
    struct files files;
    char root[256], prefix[260];
};
/* A new folder for the test, in memory where there is such a place: faultfs remembers what was synced,
 * so nothing is gained by waiting for a real disk. 0 or E_*. */
int scratch_make(char *out, size_t n);
/* The folder exists. */
void disk_open(struct disk *d, const char *root);
void disk_close(struct disk *d);
/* Copy a tree. */
void disk_copy(const char *from, const char *to);

/* Message `n`, always the same bytes. Every seventh is larger than a row. Made once and kept, so that it needs no
 * memory after that. */
struct str message_text(unsigned n);
/* Its number; -1: these are not the bytes of any. */
int message_number(struct str bytes);

/* ---- what the store does; 0 or E_* -------------------------------------------------------------- */

/* Mailbox 0, made when it is not there (and then with its `.keys`). */
int box_make(const struct disk *d, struct mailbox **out);
int box_open_data(const struct disk *d, struct mailbox **out);
/* As DELIVER into an open mailbox or APPEND: once, known by its operation. In a transaction. */
int box_put(struct mailbox *box, unsigned n, enum place to, uint32_t flags, uint32_t *uid_out);
/* Each in a transaction of its own. */
int box_append(struct mailbox *box, unsigned n, enum place to, uint32_t flags, uint32_t *uid_out);
int box_flag(struct mailbox *box, enum place in, uint32_t uid, uint32_t flags);
int box_copy(struct mailbox *box, enum place from, uint32_t uid, enum place to, bool move, uint32_t *uid_out);
int box_expunge(struct mailbox *box, enum place in, uint32_t uid);

/* As DELIVER into a closed one. In a transaction. 1: known already. */
int temp_put(struct tempbox *t, unsigned n, bool has_delivery);
/* All that waits for mailbox 0, `batch` at a time. *kept_out (may be NULL): what could not be opened.
 * `between` (may be NULL) is called after every batch. */
int drain_all(const struct disk *d, struct mailbox *box, size_t batch, uint64_t *kept_out,
              void (*between)(void *ctx), void *ctx);

/* One file of it, which is open; *kept grows. NULL at the end, and after some errors. */
int drain_one(struct mailbox *box, struct tempbox **t, size_t batch, uint64_t *kept,
              void (*between)(void *ctx), void *ctx);

/* ---- what is there; 0, or E_*: E_CORRUPT for bytes that are not as they were, E_EXISTS for doubles -- */

/* Every row, with its bytes; the folders' counters must agree. */
int box_read(struct mailbox *box, struct world *w);
/* Every record of every temporary mailbox of `mailbox`, chain and seal checked. */
int temps_read(const struct disk *d, unsigned mailbox, struct world *w);
int box_sound(struct mailbox *box); /* mailbox_check finds nothing */
#endif
