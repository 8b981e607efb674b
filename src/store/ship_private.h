/* src/store/ship_private.h: shared by ship.c, shipgather.c, shipspool.c and shipstate.c only. */
#ifndef SRC_STORE_SHIP_PRIVATE_H
#define SRC_STORE_SHIP_PRIVATE_H
#include "lib/base/idmap.h"
#include "src/store/ship.h"
#include <pthread.h>

#define SHIP_PACK_BYTES  MIB(8)
#define SHIP_PAGE        4096u /* of all our files */
#define SHIP_SLICE_BYTES MIB(1)

/* A file that is shipped. Locks are taken in this order: its own, the pack's, the ship's. */
struct ship_stream {
    struct ship *ship;
    uint8_t mailbox[MAILBOX_ID_LEN];
    uint64_t file;
    struct ship_stream *next;       /* of the same hash */
    struct ship_stream *dirty_next; /* ship->lock */
    pthread_mutex_t lock;           /* its -wal neither is read nor begins anew but by who holds this */
    /* Changed under both locks, its own and the pack's. Who only wants to know how it is has neither: the loop does not
     * wait for a pack that is being synced. */
    _Atomic uint64_t chain;       /* 0: none */
    _Atomic int64_t based_ms;     /* 0: the chain has no base */
    _Atomic uint64_t bytes_since; /* frames since then */
    struct ship_pos {
        uint64_t seq, wal_seq;
        uint8_t mac[SHIP_MAC_BYTES];
        uint8_t salts[SHIP_SALT_BYTES], sum[SHIP_SUM_BYTES]; /* of the -wal, and behind `frames` of it */
        uint32_t frames;
        uint64_t inode;
    } pos;
    uint64_t pack; /* that its last segment is in */
    /* Its own lock. */
    bool looked;       /* at what a crash may have left, since the start */
    _Atomic bool gone; /* the file was not there when it was looked for last */
    unsigned cuts;
    struct ship_mark last; /* commit of this -wal */
    /* ship->lock */
    struct ship_mark *marks;
    size_t nmarks, marks_cap;
    int64_t last_ms; /* of any mark, ever: time does not go back */
    bool dirty;
    unsigned opens;
    _Atomic bool broken; /* what was gathered of it was lost */
};

struct spooled {
    struct spooled *next;
    uint64_t log, seq, bytes;
    int64_t made_ms;
    bool sent;
};

struct ship {
    const struct files *files;
    const uint8_t *key;
    char folder[SHIP_FOLDER_MAX];
    bool (*mine)(void *ctx, const uint8_t mailbox[MAILBOX_ID_LEN]);
    void *ctx;
    uint64_t spool_max, log;
    pthread_mutex_t lock; /* registry, marks, dirty ones, the spool's list, figures */
    struct idmap streams;
    struct ship_stream *dirty;
    struct spooled *spool, **spool_end;
    uint64_t spool_waiting, state_seq; /* bytes not sent; packs before this are in the saved state */
    struct ship_figures figures;
    /* The pack in the making. */
    pthread_mutex_t pack_lock;
    uint64_t pack_seq;
    uint8_t pack_before[SHIP_MAC_BYTES];
    struct buf pack_index, pack_data;
    uint8_t *slice; /* SHIP_SLICE_BYTES, on a boundary of pages: of it that is being written */
    struct ship_stream **pack_streams;
    size_t npack, pack_cap;
    _Atomic bool full;
    _Atomic bool stateless; /* nothing is saved of where chains are */
    bool sweep_soon, failing, watches;
    unsigned ticks;
    int64_t saved_ms;
};

/* ---- ship.c ---- */
struct ship_stream *ship_stream_get(struct ship *s, const uint8_t mailbox[MAILBOX_ID_LEN], uint64_t file,
                                    bool make);
void ship_stream_put(struct ship *s, struct ship_stream *t); /* who got it */
/* It is at the begin of this chain, 0: of none. Under both locks. */
void ship_pos_begin(struct ship_stream *t, uint64_t chain, uint64_t inode);
void ship_dirty(struct ship *s, struct ship_stream *t);
void ship_dirty_locked(struct ship *s, struct ship_stream *t);
void ship_stream_path(const struct ship_stream *t, const char *end, char out[FILES_PATH_MAX + 8]);
/* "<24 hex>.sqlite" or "<24 hex>-tmp-<16 hex>.sqlite". */
bool ship_name_parse(struct str name, uint8_t mailbox[MAILBOX_ID_LEN], uint64_t *file);

/* ---- shipgather.c ---- */
/* What was committed to it is in the pack. E_FULL, E_NOMEM; any other error: its chain is broken. */
MUST_CHECK int ship_gather(struct ship *s, struct ship_stream *t);
void ship_chain_drop(struct ship *s, struct ship_stream *t);
/* From here on commits to its files are noted; ship_unwatch: no more. Before any mailbox is opened, and after all are closed. */
MUST_CHECK int ship_watch(struct ship *s);
void ship_unwatch(struct ship *s);

/* ---- shipspool.c: all but ship_flush and those of the list want pack_lock held ---- */
/* Room for a segment at the end of the pack, of so many bytes; NULL: no memory. What is there is flushed first when both
 * are too much. */
uint8_t *ship_pack_room(struct ship *s, size_t n);
/* What was written there is segment `g` of `t`; its MAC is made, and t->pos goes on. */
MUST_CHECK int ship_pack_add(struct ship *s, struct ship_stream *t, const struct ship_segment *g, uint8_t *p,
                             size_t n);
MUST_CHECK int ship_flush_locked(struct ship *s);
MUST_CHECK int ship_flush(struct ship *s);
int ship_spool_load(struct ship *s);
void ship_spool_prune(struct ship *s);

/* ---- shipstate.c ---- */
/* The state, and what packs in the spool say beyond it. No state, or a damaged one: a new log begins. */
MUST_CHECK int ship_state_load(struct ship *s);
/* All is flushed first. */
MUST_CHECK int ship_state_save(struct ship *s);
/* From here on a crash means that all chains begin anew. */
void ship_state_drop(struct ship *s);
#endif
