/* src/store/ship.h
 *
 * Shipping: what is committed to any mailbox or temporary mailbox of this folder leaves it as ciphertext, within a second
 * and without any key, so that each can be brought back to any commit (shipback.h). Knows neither RPC nor the loop.
 *
 * The -wal itself is where frames wait: ship_tick, once a second, copies those of commits that were synced into one
 * pack, and syncs that in the spool (`ship/` in the data folder). Only then are they *confirmed*. Nobody waits for it but
 * who makes a -wal begin anew (a checkpoint that cuts it, a file that is closed): whatever of it was not confirmed is, at that
 * moment, by the thread that does it (wal_gather.h). So no frame is lost by a checkpoint, a close or a crash. ship_send brings
 * packs from the spool to the target, whenever that answers.
 *
 * A *chain* is an unbroken run of segments of one file, which begins with the file itself when that is small, and else is
 * waiting for a base (shipbase.h). When the spool is full, or cannot be written, mail goes on: frames stay in their -wal
 * as long as they can, then the chain is broken, which is counted and told, and a new one begins as soon as there is room.
 *
 * Files are told apart by their inode: who renames another one over a mailbox starts a new chain.
 *
 * One for each place that backups go to (places.h), each with files of its own; a file is shipped by the first that says it is
 * its. Any worker thread. */
#ifndef SRC_STORE_SHIP_H
#define SRC_STORE_SHIP_H
#include "src/store/files.h"
#include "src/store/shipformat.h"
#include "src/store/target.h"

#define SHIP_FOLDER     "ship"
#define SHIP_FOLDER_MAX 48u
#define SHIPS_MAX       40u
#define SHIP_INLINE_MAX MIB(1) /* a file up to this goes into a pack whole, larger ones need a base */

struct ship; /* opaque */

struct ship_options {
    const struct files *files;
    const uint8_t *key;       /* SUBKEY_SHIP_MAC; borrowed for good */
    uint64_t spool_max_bytes; /* of packs that the target has not */
    const char *folder;       /* of the spool, in the data folder; NULL: SHIP_FOLDER */
    /* Is this mailbox its? Any thread, and always the same answer while it is open. NULL: every one is. */
    bool (*mine)(void *ctx, const uint8_t mailbox[MAILBOX_ID_LEN]);
    void *ctx;
};

/* Before any mailbox is opened. What a crash left goes on. */
MUST_CHECK int ship_open(const struct ship_options *o, struct ship **out);
/* After all are closed. What was not sent stays in the spool. NULL accepted. */
void ship_close(struct ship **s);
/* Shipping was turned off: what is known of chains would be wrong when it is on again. */
MUST_CHECK int ship_off(const struct files *f, const char *folder);

/* Every second: what was committed since is confirmed. E_FULL: the spool has no room; E_*: it cannot be written. */
MUST_CHECK int ship_tick(struct ship *s);
/* One pack more is in the target: 1; 0: none waits. `first` (may be NULL) is told of each mailbox whose file is in it
 * whole, before; what it returns when negative keeps the pack here. */
typedef int ship_first(void *ctx, const uint8_t mailbox[MAILBOX_ID_LEN]);
MUST_CHECK int ship_send(struct ship *s, struct target *t, ship_first *first, void *ctx, const bool *stop);
/* All of this mailbox that is committed by now is confirmed. */
MUST_CHECK int ship_settle(struct ship *s, const uint8_t mailbox[MAILBOX_ID_LEN]);
/* Of this file (0: the mailbox) what is committed by now is confirmed. Before a checkpoint of it: after that the -wal may
 * begin anew, and whoever commits then has to do it. What cannot be is tried again by him, who tells. NULL accepted. */
void ship_ahead(struct ship *s, const uint8_t mailbox[MAILBOX_ID_LEN], uint64_t file);
/* The mailbox goes: what is committed to it from now on belongs to no chain that there was. */
void ship_forget(struct ship *s, const uint8_t mailbox[MAILBOX_ID_LEN]);

struct ship_figures {
    uint64_t waiting_packs, waiting_bytes; /* in the spool */
    uint64_t packs, bytes;                 /* confirmed since the start */
    uint64_t gaps;                         /* chains that were broken since the start */
    uint64_t files, unbased;               /* shipped; without a base */
    int64_t behind_ms;                     /* age of the oldest pack that waits; 0: none does */
    bool full;
};
void ship_get_figures(struct ship *s, struct ship_figures *out);

/* ---- for its neighbours (shipbase.c, shiprepack.c, shipback.c) ---- */

/* Where a file's chain stands. */
struct ship_at {
    uint64_t chain, seq, wal_seq; /* the next segment; the first one of the -wal as it is now */
    unsigned cuts;                /* how often that began anew */
    uint64_t inode;
    int64_t based_ms;     /* 0: it has no base yet */
    uint64_t bytes_since; /* frames that were shipped since its base */
};
/* All that is committed is gathered, and this is where the chain is; one is begun when there is none. */
MUST_CHECK int ship_where(struct ship *s, const uint8_t mailbox[MAILBOX_ID_LEN], struct ship_at *out);
/* The same without gathering. E_NOTFOUND. */
MUST_CHECK int ship_look(struct ship *s, const uint8_t mailbox[MAILBOX_ID_LEN], struct ship_at *out);
/* The chain has a base now, if it still is that chain. */
void ship_based(struct ship *s, const uint8_t mailbox[MAILBOX_ID_LEN], uint64_t chain, int64_t now_ms);
/* A mailbox that wants a base, the next one after `mailbox` in no particular order: no base and too large to go whole,
 * or so many bytes or so long since the last one. False: none. */
bool ship_wants_base(struct ship *s, int64_t now_ms, int64_t max_age_ms, uint8_t mailbox[MAILBOX_ID_LEN]);
uint64_t ship_log(const struct ship *s);
const uint8_t *ship_key(const struct ship *s);
const struct files *ship_files(const struct ship *s);
const char *ship_folder(const struct ship *s);
bool ship_has(const struct ship *s, const uint8_t mailbox[MAILBOX_ID_LEN]);
/* The next pack has this number, and all before are in the spool or in the target. */
uint64_t ship_next_pack(struct ship *s);
/* Each pack that is in the spool (and may be in the target as well), oldest first. */
typedef int ship_spooled(void *ctx, uint64_t log, uint64_t seq, int fd);
MUST_CHECK int ship_spool_each(struct ship *s, ship_spooled *visit, void *ctx);
/* Head and index of a pack in the spool, checked; *index is empty and may hold the longest. E_CORRUPT, E_IO, E_NOMEM. */
MUST_CHECK int ship_spooled_index(const struct ship *s, int fd, struct buf *index, struct ship_pack *out);
#define SHIP_INDEX_MAX (SHIP_PACK_HEAD + SHIP_PACK_SEGMENTS * SHIP_INDEX_BYTES)
/* Name of a pack in the target. */
void ship_pack_name(uint64_t log, uint64_t seq, char out[TARGET_NAME_MAX]);
#endif
