/* src/store/shipback.h
 *
 * The way back: from bases and packs, a mailbox as it was after the last commit before a moment, and the temporary mailboxes
 * it had then. Needs no key of anybody's but the server's, for MACs: pages are put where they belong as they are.
 *
 * Everything is checked: each pack and segment is ours and whole, none is missing between the base and the moment, each
 * frame goes on from the one before by SQLite's own checksum. Worker threads only. */
#ifndef SRC_STORE_SHIPBACK_H
#define SRC_STORE_SHIPBACK_H
#include "src/store/ship.h"

#define SHIP_TEMPS_MAX 64u

struct ship_back {
    const uint8_t *key; /* SUBKEY_SHIP_MAC */
    struct target *target;
    struct ship *ship; /* its spool is looked at as well; NULL: there is none */
    const struct files *files;
    uint8_t mailbox[MAILBOX_ID_LEN];
    int64_t at_ms;
    const bool *stop; /* may be NULL */
    bool own;         /* ship_kept_read: the mailbox's own packs alone */
    bool remember;    /* many mailboxes are brought back, one after the other (shipmemory.h) */
    /* Its own: where the live file's chain was when it began */
    uint64_t live_chain, live_seq;
    /* What came of it */
    int64_t reached_ms;             /* the commit that it is as of; 0: as the base was */
    int64_t before_ms, after_ms;    /* E_GONE: the moments next to it that could be had; 0: none */
    uint64_t temps[SHIP_TEMPS_MAX]; /* temporary mailboxes that were made */
    size_t ntemps;
};

/* The mailbox as FILES_RESTORE beside it, and each temporary one it had as files_back_temp_path. E_NOTFOUND: nothing is kept
 * of it; E_GONE: nothing that is kept reaches that moment; E_CORRUPT: something is missing or was changed; E_FULL. */
MUST_CHECK int ship_back(struct ship_back *b);
void ship_back_temp_path(const uint8_t mailbox[MAILBOX_ID_LEN], uint64_t generation,
                         char out[FILES_PATH_MAX]);
/* What was made and is not wanted. */
void ship_back_drop(const struct files *f, const uint8_t mailbox[MAILBOX_ID_LEN]);

/* ---- what is kept (shipread.c) ---- */

/* One segment, wherever it lies. */
struct ship_piece {
    struct ship_entry e;
    uint64_t log, pack; /* pack in the making of `log`; object: which of the names */
    uint32_t object;    /* index into names */
    bool spooled;
};
struct ship_kept {
    struct ship_piece *pieces; /* by file, chain, seq; each once */
    size_t npieces, pieces_cap;
    struct ship_base *bases; /* by valid_ms */
    size_t nbases, bases_cap;
    char (*names)[TARGET_NAME_MAX]; /* objects; of spooled ones the path in the data folder */
    size_t nnames, names_cap;
};
/* All of a mailbox, from its own packs, shared ones, and the spool. */
MUST_CHECK int ship_kept_read(struct ship_back *b, struct ship_kept *out);
void ship_kept_release(struct ship_kept *k);
/* A segment, checked, appended to `out`. */
MUST_CHECK int ship_piece_read(const struct ship_back *b, const struct ship_kept *k,
                               const struct ship_piece *p, struct buf *out, struct ship_segment *g);
/* "<24 hex>-log": where what is a mailbox's own lies. */
void ship_folder_of(const uint8_t mailbox[MAILBOX_ID_LEN], char out[TARGET_NAME_MAX]);
/* Names of a base: "<folder>/<chain>-<seq>", ended. */
void ship_base_name(const struct ship_base *b, const char *end, char out[TARGET_NAME_MAX]);

/* Head and index of a pack object, checked; `take` is told of each of its segments. E_CORRUPT, E_NOTFOUND. */
typedef int ship_entry_take(void *ctx, const struct ship_pack *p, const struct ship_entry *e);
MUST_CHECK int ship_index_read(struct target *t, const uint8_t *key, const char *name, ship_entry_take *take,
                               void *ctx, struct ship_pack *out);
#endif
