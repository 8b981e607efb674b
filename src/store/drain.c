/* src/store/drain.c: what came while the mailbox was closed comes in, in order of arrival and in
 * batches, beside everything else the lane does. A batch is read in the lane, unsealed by workers, parsed
 * by content, written, and only then deleted from the temporary mailbox (drainstep.h): a crash anywhere in
 * between repeats nothing and loses nothing.
 *
 * Mail that arrives meanwhile goes to the open mailbox directly and may get an earlier UID than what
 * still waits: its INTERNALDATE tells when it came.
 *
 * Two batches take turns: while one is unsealed and parsed, the lane writes or reads the other. One job
 * of ours is in the lane at a time. */
#include "src/store/drainstep.h"
#include "src/store/store.h"

#define BATCH_MAX       1000u
#define BATCH_BYTES_MAX MIB(4)
#define PARSING_MAX     16u
#define FILES_MAX       64u
#define AGAIN_MS        1000
#define FIRST_BATCH     8u /* who logs in waits for it, and then for one batch at most */
#define OPENERS         4u
#define OPENER_MIN      4u /* records worth a worker: those that share a secret lie together */

struct item {
    struct staged *staged;      /* NULL: could not be opened */
    struct temp_sealed *sealed; /* still to be opened; NULL: it is */
    struct arrival arrival;
    struct parsed parsed;
    struct batch *batch;
    int status; /* E_CORRUPT: it stays where it is */
};

enum batch_state { BATCH_EMPTY, BATCH_READING, BATCH_OPENING, BATCH_PARSING, BATCH_PARSED, BATCH_WRITING };

/* A worker's share of a batch. */
struct opener {
    struct work_job work;
    struct batch *batch;
    size_t from, to;
};

struct batch {
    struct drain *drain;
    enum batch_state state;
    struct item *items;
    struct drain_item *steps; /* of the items */
    size_t n, parse_at, parsing, opening;
    struct opener openers[OPENERS];
    struct seed seeds[SEEDS_MAX]; /* copies in the slab: the actor's go when it is closed */
    size_t nseeds;
};

struct drain {
    struct job job;
    bool in_lane;
    struct batch batches[2], *batch; /* batch: the lane job's */
    unsigned head;                   /* the older one */
    struct actor *actor;
    uint64_t files[FILES_MAX];
    size_t nfiles, file;
    bool listed, finished;
    bool file_end; /* nothing more in this file, but what was read is still to be written */
    bool begun;    /* `now` is of files[file] */
    struct drain_file now;
    size_t written;
    bool first_read;
    uint64_t kept; /* records that stay, in all files */
    int status;
    struct timer again;
};

static void seeds_release(struct batch *b)
{
    while (b->nseeds)
        secret_free(store.slab, b->seeds[--b->nseeds].bytes);
}

static void sealed_drop(struct item *it)
{
    if (it->sealed)
        temp_sealed_release(it->sealed);
    free(it->sealed);
    it->sealed = NULL;
}

static void batch_release(struct batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        parsed_release(&b->items[i].parsed);
        sealed_drop(&b->items[i]);
        if (b->items[i].staged)
            staged_unref(b->items[i].staged);
    }
    seeds_release(b);
    b->n = b->parse_at = b->parsing = 0;
    b->state = BATCH_EMPTY;
}

static void drain_free(struct drain *d)
{
    for (size_t i = 0; i < ARRAY_LEN(d->batches); i++) {
        batch_release(&d->batches[i]);
        free(d->batches[i].items);
        free(d->batches[i].steps);
    }
    timer_release(&d->again);
    free(d);
}

static void drain_end(struct drain *d)
{
    struct actor *a = d->actor;
    bool all = d->finished, kept = d->kept > 0;

    drain_free(d);
    a->drain = NULL;
    a->draining = false;
    attach_flush(a, 0);
    maildrop_go_on(a, 0);
    a->lease.drained = all && !kept;
    if (a->state == ACTOR_OPEN)
        lease_report(a, false);
    if (all && a->nseeds > 1)
        keys_tidy(a);
    if (!a->sessions)
        actor_close_soon(a);
    actor_unref(a);
}

/* ---- reading a batch (lane) --------------------------------------------------------------------- */

static const uint8_t *seed_of(const struct actor *a, uint32_t generation)
{
    for (size_t i = 0; i < a->nseeds; i++)
        if (a->seeds[i].generation == generation)
            return a->seeds[i].bytes;
    return NULL;
}

static const uint8_t *seed_of_batch(const struct batch *b, uint32_t generation)
{
    for (size_t i = 0; i < b->nseeds; i++)
        if (b->seeds[i].generation == generation)
            return b->seeds[i].bytes;
    return NULL;
}

/* For whoever opens its records outside the lane. False: there is no room, the lane opens them. */
static bool seed_lend(struct batch *b, uint32_t generation, const uint8_t seed[XWING_SEED_BYTES])
{
    struct seed *s = &b->seeds[b->nseeds];

    if (seed_of_batch(b, generation))
        return true;
    if (b->nseeds == SEEDS_MAX || !(s->bytes = secret_alloc(store.slab)))
        return false;
    memcpy(s->bytes, seed, XWING_SEED_BYTES);
    s->generation = generation;
    b->nseeds++;
    return true;
}

static int item_read(struct actor *a, struct item *it, const struct temp_record *rec)
{
    uint32_t generation = 0;
    const uint8_t *seed;
    int r = tempbox_verify(a->temp, rec->seq);

    if (r == E_CORRUPT) {
        log_event(LOG_ALARM, "store.sealed_chain_broken", F_U64("seq", rec->seq));
        r = 0; /* what is there may still be whole */
    }
    if (r < 0 || (r = tempbox_key_generation(a->temp, rec->seq, &generation)) < 0)
        return r;
    if (!(seed = seed_of(a, generation)))
        return E_CORRUPT;
    if (!(it->staged = staged_new(rec->bytes)))
        return E_NOMEM;
    if (rec->bytes <= TEMP_SEALED_MAX && seed_lend(it->batch, generation, seed)) {
        if (!(it->sealed = calloc(1, sizeof *it->sealed)))
            return E_NOMEM;
        return tempbox_take(a->temp, rec, it->sealed);
    }
    r = tempbox_unseal(a->temp, rec, seed, &it->arrival, it->staged->spool);
    it->staged->in.bytes = spool_size(it->staged->spool);
    return r;
}

static int file_open(struct drain *d, struct mailbox *box)
{
    struct actor *a = d->actor;
    int r;

    if (!a->temp || tempbox_generation(a->temp) != d->files[d->file]) {
        tempbox_close(&a->temp);
        if ((r = tempbox_open_generation(&store.files, a->id, &store.temp_keys, d->files[d->file],
                                         &a->temp)) < 0)
            return r;
        noting_temp_check(a);
    }
    if (d->begun)
        return 0;
    r = drain_begin(box, a->temp, &d->now);
    d->begun = r == 0;
    return r;
}

/* Most mailboxes have nothing that waits: they shall not pay for the room at every login. */
static int batch_room(struct batch *b)
{
    if (!b->items && (!(b->items = calloc(BATCH_MAX, sizeof *b->items)) ||
                      !(b->steps = calloc(BATCH_MAX, sizeof *b->steps)))) {
        free(b->items);
        b->items = NULL;
        return E_NOMEM;
    }
    return 0;
}

/* Records until the batch is full; 0: this file has no more. */
static int file_read(struct drain *d)
{
    struct batch *b = d->batch;
    uint64_t bytes = 0, max = d->first_read ? store_conf.drain_batch : FIRST_BATCH;
    int r = batch_room(b);

    d->first_read = true;
    if (r < 0)
        return r;
    while (b->n < max && bytes < BATCH_BYTES_MAX) {
        struct drain_item *step = &b->steps[b->n];
        struct item *it = &b->items[b->n];

        *it = (struct item){ .batch = b };
        if ((r = drain_next(d->actor->temp, &d->now, &step->rec)) <= 0)
            break;
        r = item_read(d->actor, it, &step->rec);
        if (r == E_CORRUPT) { /* it stays where it is, for an operator to look at */
            log_event(LOG_ALARM, "store.sealed_record_unreadable", F_U64("seq", step->rec.seq));
            sealed_drop(it);
            if (it->staged)
                staged_unref(it->staged);
            d->now.kept++;
            continue;
        }
        b->n++; /* also when it failed: released with the others */
        if (r < 0)
            break;
        bytes += step->rec.bytes;
    }
    return r < 0 ? r : (int)b->n;
}

static int file_finish(struct drain *d, struct mailbox *box)
{
    int r;

    d->kept += d->now.kept;
    if (!d->now.kept)
        noting_temp_done(d->actor);
    r = drain_finish(box, &d->actor->temp, &d->now);
    d->file++;
    d->begun = false;
    return r;
}

static bool other_busy(const struct drain *d)
{
    const struct batch *other = d->batch == &d->batches[0] ? &d->batches[1] : &d->batches[0];

    return other->n > 0; /* only the lane and the loop between two lane jobs change it */
}

static int read_run(struct job *j, struct mailbox *box)
{
    struct drain *d = CONTAINER_OF(j, struct drain, job);
    int r;

    if (!box)
        return E_CLOSED;
    if (!d->listed) {
        if ((r = files_temp_list(&store.files, d->actor->id, d->files, FILES_MAX)) < 0)
            return r;
        d->nfiles = (size_t)r;
        noting_temps_missing(d->actor, d->files, size_min(d->nfiles, FILES_MAX));
        d->listed = true;
    }
    while (d->file < d->nfiles) {
        if ((r = file_open(d, box)) < 0 || (r = file_read(d)) != 0)
            return r < 0 ? r : 0;
        if (other_busy(d)) { /* the file goes when it is empty */
            d->file_end = true;
            return 0;
        }
        if ((r = file_finish(d, box)) < 0)
            return r;
    }
    d->finished = true;
    return 0;
}

/* ---- writing it (lane) -------------------------------------------------------------------------- */

/* The steps of what could be opened, in order; the rest is kept, and counted before anything is written:
 * what is behind it must not count as drained. */
static size_t steps_make(struct drain *d, struct batch *b)
{
    size_t n = 0;

    for (size_t i = 0; i < b->n; i++) {
        struct item *it = &b->items[i];

        if (it->status < 0) {
            log_event(LOG_ALARM, "store.sealed_record_unreadable", F_U64("seq", b->steps[i].rec.seq));
            d->now.kept++;
            continue;
        }
        b->steps[n].rec = b->steps[i].rec;
        b->steps[n].arrival = it->arrival;
        parsed_email(&it->parsed, &it->staged->in, &b->steps[n++].email);
    }
    return n;
}

static int write_run(struct job *j, struct mailbox *box)
{
    struct drain *d = CONTAINER_OF(j, struct drain, job);
    struct batch *b = d->batch;
    uint64_t bytes = 0;
    size_t n;
    int r;

    if (!box)
        return E_CLOSED;
    d->written = 0;
    n = steps_make(d, b);
    if (n == 0)
        return 0;
    for (size_t i = 0; i < n; i++)
        bytes += b->steps[i].email.message->bytes;
    if ((r = checkpoint_in_lane(d->actor, bytes)) < 0 || (r = drain_write(box, &d->now, b->steps, n)) < 0)
        return r;
    for (size_t i = 0; i < n; i++) {
        d->written += b->steps[i].status == 0;
        if (b->steps[i].status < 0)
            log_event(LOG_ALARM, "store.drain_refused", F_ERR(b->steps[i].status),
                      F_U64("seq", b->steps[i].rec.seq));
    }
    if ((r = file_open(d, box)) < 0 || (r = checkpoint_temp_in_lane(d->actor->temp, 0)) < 0)
        return r;
    return drain_delete(d->actor->temp, b->steps, n);
}

/* ---- the loop's side ---------------------------------------------------------------------------- */

static void drain_step(struct drain *d);

static void again_fire(struct timer *t)
{
    drain_step(CONTAINER_OF(t, struct drain, again));
}

/* Content or disk say "later": so do we, from the beginning, when nothing of ours is under way any
 * more. Whoever waits for the first batch is let in. */
static void drain_later(struct drain *d)
{
    struct actor *a = d->actor;
    int r = d->status;

    if (d->in_lane || d->batches[0].parsing || d->batches[1].parsing || d->batches[0].opening ||
        d->batches[1].opening)
        return;
    for (size_t i = 0; i < ARRAY_LEN(d->batches); i++)
        batch_release(&d->batches[i]);
    d->listed = d->file_end = d->finished = false;
    d->file = 0;
    d->begun = false;
    d->status = 0;
    attach_flush(a, 0);
    if (r == E_CLOSED || !a->sessions || a->state != ACTOR_OPEN || store.stopping) {
        drain_end(d);
        return;
    }
    log_event(LOG_WARN, "store.drain_waits", F_ERR(r));
    timer_set(&d->again, AGAIN_MS);
}

/* ---- parsing ------------------------------------------------------------------------------------ */

static void parse_more(struct batch *b);

static void item_parsed(void *ctx, int status)
{
    struct batch *b = ((struct item *)ctx)->batch;

    b->parsing--;
    if (status < 0)
        b->drain->status = status;
    parse_more(b);
}

static void parse_more(struct batch *b)
{
    struct drain *d = b->drain;

    while (b->parse_at < b->n && b->parsing < PARSING_MAX && d->status == 0) {
        struct item *it = &b->items[b->parse_at++];
        int r;

        if (it->status < 0)
            continue;
        b->parsing++;
        r = parse_message(&it->staged->in, spool_on_disk(it->staged->spool), &it->parsed, item_parsed, it);
        if (r < 0) {
            b->parsing--;
            d->status = r;
        }
    }
    if (b->parsing == 0 && b->parse_at == b->n)
        b->state = BATCH_PARSED;
    drain_step(d);
}

/* ---- unsealing (workers) ------------------------------------------------------------------------ */

static void open_run(struct work_job *w)
{
    struct opener *o = CONTAINER_OF(w, struct opener, work);
    struct sealed_opened last = { 0 };

    for (size_t i = o->from; i < o->to; i++) {
        struct item *it = &o->batch->items[i];

        if (!it->sealed)
            continue;
        it->status = temp_sealed_open(it->sealed, seed_of_batch(o->batch, it->sealed->context.key_generation),
                                      &last, &it->arrival, it->staged->spool);
        it->staged->in.bytes = spool_size(it->staged->spool);
        sealed_drop(it);
    }
    bytes_wipe(&last, sizeof last);
}

static void open_end(struct batch *b)
{
    if (--b->opening)
        return;
    seeds_release(b);
    for (size_t i = 0; i < b->n; i++)
        if (b->items[i].status < 0 && b->items[i].status != E_CORRUPT)
            b->drain->status = b->items[i].status;
    b->state = BATCH_PARSING;
    parse_more(b);
}

static void open_done(struct work_job *w)
{
    open_end(CONTAINER_OF(w, struct opener, work)->batch);
}

/* In shares of neighbours: who was sealed together shares the costly step. */
static void batch_open(struct batch *b)
{
    size_t shares = size_min(OPENERS, b->n / OPENER_MIN + 1), share = (b->n + shares - 1) / shares;

    b->state = BATCH_OPENING;
    b->opening = 1;
    for (size_t i = 0; i * share < b->n; i++) {
        struct opener *o = &b->openers[i];
        int r;

        *o = (struct opener){ .work = { .run = open_run, .done = open_done },
                              .batch = b,
                              .from = i * share,
                              .to = size_min((i + 1) * share, b->n) };
        b->opening++;
        if ((r = work_submit(store.pool, &o->work)) < 0) {
            b->opening--;
            b->drain->status = r;
        }
    }
    open_end(b);
}

/* ---- the lane's jobs ---------------------------------------------------------------------------- */

static void read_done(struct job *j)
{
    struct drain *d = CONTAINER_OF(j, struct drain, job);
    struct batch *b = d->batch;

    d->in_lane = false;
    if (j->status < 0)
        d->status = j->status;
    if (b->n && d->status == 0) {
        batch_open(b);
        return;
    }
    b->state = BATCH_EMPTY;
    drain_step(d);
}

static void write_done(struct job *j)
{
    struct drain *d = CONTAINER_OF(j, struct drain, job);

    d->in_lane = false;
    if (j->status < 0) {
        d->status = j->status;
    } else {
        store.drained += d->written;
        batch_release(d->batch);
        d->head ^= 1u;
        d->file_end = false;
        attach_flush(d->actor, 0);
        if (!d->actor->sessions || d->actor->state != ACTOR_OPEN)
            d->status = E_CLOSED;
    }
    drain_step(d);
}

static void lane_job(struct drain *d, struct batch *b, bool write)
{
    int r;

    d->batch = b;
    b->state = write ? BATCH_WRITING : BATCH_READING;
    d->job = (struct job){ .kind = JOB_ALONE,
                           .run = write ? write_run : read_run,
                           .done = write ? write_done : read_done };
    d->in_lane = true;
    if ((r = actor_submit(d->actor, &d->job)) < 0) {
        d->in_lane = false;
        d->status = r;
        drain_later(d);
    }
}

static void drain_step(struct drain *d)
{
    struct batch *old = &d->batches[d->head], *young = &d->batches[d->head ^ 1u];

    if (d->status < 0) {
        drain_later(d);
        return;
    }
    if (d->in_lane)
        return;
    if (old->state == BATCH_PARSED)
        lane_job(d, old, true);
    else if (old->state == BATCH_EMPTY && d->finished)
        drain_end(d);
    else if (old->state == BATCH_EMPTY)
        lane_job(d, old, false);
    else if (young->state == BATCH_EMPTY && !d->file_end && !d->finished)
        lane_job(d, young, false);
}

void drain_start(struct actor *a)
{
    struct drain *d = a->drain || a->checkpointing ? NULL : calloc(1, sizeof *d);
    bool ok = d && timer_init(&d->again, store.loop, again_fire) == 0;

    if (a->checkpointing && !a->drain) { /* maybe the file that is to be drained */
        a->drain_waits = true;
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(d->batches) && ok; i++)
        d->batches[i].drain = d;
    if (!ok) {
        if (d)
            drain_free(d);
        attach_flush(a, 0);
        return;
    }
    d->actor = a;
    actor_ref(a);
    a->drain = d;
    a->draining = true;
    drain_step(d);
}
