/* src/store/checkpoint.c: pages go from a mailbox's -wal into its file behind the commits, by another thread
 * and another handle, so that no delivery waits for it. When that does not keep up, because the mailbox is
 * always written to or somebody reads one old state for long, the lane does it itself and cuts the readers.
 * Before large messages it makes room as well: a -wal never grows beyond 64 MiB, but by the one message that is
 * larger than that. */
#include "src/store/grouping.h"
#include "src/store/ship.h"
#include "src/store/shipop.h"
#include "src/store/store.h"

#define FRAME_BYTES   4120u
#define PAGE_BYTES    4016u                /* of a message, at least */
#define BEHIND_FRAMES 1000u                /* a checkpoint behind the commits is worth it */
#define TEMP_FRAMES   2000u                /* most temporary mailboxes are drained before */
#define CUT_FRAMES    (MAX_FRAMES / 8 * 5) /* the lane does it, and readers that are in the way are cut */
#define MAX_FRAMES    (checkpoint_wal_bytes / FRAME_BYTES) /* what does not fit is not written: "later" */
#define BASE_FRAMES   (MIB(512) / FRAME_BYTES) /* while the file is copied: then it is made anew */
#define CUT_WAIT_MS   200

uint64_t checkpoint_wal_bytes = MIB(64);

struct behind {
    struct work_job work;
    struct actor *actor; /* a reference; counted among its readers, so that the files stay what they are */
    uint8_t *key;        /* in the slab; NULL: of its temporary mailbox */
    uint64_t generation; /* of that */
    uint32_t left;
    int status;
    struct db_error error;
};

static void behind_run(struct work_job *w)
{
    struct behind *b = CONTAINER_OF(w, struct behind, work);
    struct db_options o = {
        .flags = DB_OWN_CHECKPOINTS, .cache_kib = 128, .statements = 4, .error = &b->error
    };
    char path[FILES_PATH_MAX], full[2 * FILES_PATH_MAX];
    struct db *db = NULL;

    if (b->key)
        files_path(b->actor->id, FILES_MAILBOX, path);
    else
        files_temp_path(b->actor->id, b->generation, path);
    files_full(&store.files, path, full, sizeof full);
    if ((b->status = db_open(full, b->key ? b->key : store.temp_keys.outer, &o, &db)) < 0)
        return;
    ship_ahead(ship_for(b->actor->id), b->actor->id, b->key ? 0 : b->generation);
    b->status = db_checkpoint(db, DB_PASSIVE, &b->left);
    if (b->status < 0)
        b->error = *db_error_detail(db);
    db_close(&db);
}

static void behind_done(struct work_job *w)
{
    struct behind *b = CONTAINER_OF(w, struct behind, work);
    struct actor *a = b->actor;

    if (b->status < 0 && b->status != E_BUSY)
        actor_log("store.checkpoint_failed", a, b->status, &b->error);
    if (b->key)
        secret_free(store.slab, b->key);
    free(b);
    a->checkpointing = false;
    a->reading--;
    if (a->drain_waits && a->state == ACTOR_OPEN)
        drain_start(a);
    a->drain_waits = false;
    if (a->close_wanted)
        actor_close_soon(a);
    actor_unref(a);
}

void checkpoint_behind(struct actor *a, uint32_t frames)
{
    struct behind *b;

    if (a->checkpointed_temp || frames < a->checkpointed_frames)
        a->checkpointed_frames = 0; /* the -wal began anew */
    a->checkpointed_temp = 0;
    if (frames < a->checkpointed_frames + BEHIND_FRAMES || a->checkpointing || a->basing || a->held ||
        a->state != ACTOR_OPEN || store.stopping || !(b = calloc(1, sizeof *b)))
        return;
    b->actor = a;
    b->work = (struct work_job){ .run = behind_run, .done = behind_done };
    if ((b->key = secret_alloc(store.slab)) != NULL) {
        memcpy(b->key, a->data_key, KEY_BYTES);
        a->checkpointing = work_submit(store.pool, &b->work) == 0;
    }
    if (!a->checkpointing) {
        secret_free(store.slab, b->key);
        free(b);
        return;
    }
    a->checkpointed_frames = frames;
    a->reading++;
    actor_ref(a);
}

void checkpoint_temp_behind(struct actor *a, uint64_t generation, uint32_t frames)
{
    struct behind *b;

    if (generation != a->checkpointed_temp || frames < a->checkpointed_frames)
        a->checkpointed_frames = 0;
    a->checkpointed_temp = generation;
    if (frames < a->checkpointed_frames + TEMP_FRAMES || a->checkpointing || a->held ||
        a->state != ACTOR_CLOSED || store.stopping || !(b = calloc(1, sizeof *b)))
        return;
    *b = (struct behind){ .work = { .run = behind_run, .done = behind_done },
                          .actor = a,
                          .generation = generation };
    if (work_submit(store.pool, &b->work) < 0) {
        free(b);
        return;
    }
    a->checkpointing = true;
    a->checkpointed_frames = frames;
    a->reading++;
    actor_ref(a);
}

/* Will a transaction with so many bytes of messages fit behind these? */
static bool fits(uint32_t frames, uint64_t bytes)
{
    return frames + (bytes + bytes / 16 + GROUP_ROOM_BYTES) / PAGE_BYTES < MAX_FRAMES;
}

int checkpoint_temp_in_lane(struct tempbox *t, uint64_t bytes)
{
    uint32_t frames = db_wal_frames(tempbox_db(t));
    int r = frames < CUT_FRAMES && fits(frames, bytes) ? 0 : db_checkpoint(tempbox_db(t), DB_TRUNCATE, NULL);

    return r == E_BUSY && fits(frames, bytes) ? 0 : r; /* the one behind is at it */
}

int checkpoint_in_lane(struct actor *a, uint64_t bytes)
{
    uint32_t frames = mailbox_wal_frames(a->box), left = 0;
    int64_t until = clock_mono_ms() + CUT_WAIT_MS;
    int tries = 0, r;

    if ((frames < CUT_FRAMES && fits(frames, bytes)) || (a->basing && frames < BASE_FRAMES) ||
        backup_reads(a, frames))
        return 0;
    do {
        for (size_t i = 0; i < READERS && tries++; i++) /* slices end by themselves, first */
            handle_interrupt(store.handles, &a->reader[i]);
        r = mailbox_checkpoint(a->box, &left);
    } while (r == E_BUSY && clock_mono_ms() < until);
    if (r == E_BUSY && fits(frames, bytes))
        r = 0; /* it has room still */
    if (r < 0)
        actor_log("store.wal_full", a, r, db_error_detail(mailbox_db(a->box)));
    return r < 0 ? E_BUSY : 0;
}
