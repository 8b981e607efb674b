/* src/store/drain.c: what came while the mailbox was closed comes in, in order of arrival and in
 * batches, beside everything else the lane does. A batch is unsealed in the lane, parsed by content,
 * written in one mailbox transaction together with "up to here" (mailbox_drained_set), and only then
 * deleted from the temporary mailbox: a crash anywhere in between repeats nothing and loses nothing.
 *
 * Mail that arrives meanwhile goes to the open mailbox directly and may get an earlier UID than what
 * still waits: its INTERNALDATE tells when it came. */
#include "src/store/store.h"

#define BATCH_MAX       1000u
#define BATCH_BYTES_MAX MIB(4)
#define PARSING_MAX     16u
#define FILES_MAX       64u
#define AGAIN_MS        1000

struct item {
    struct temp_record rec;
    struct staged *staged; /* NULL: could not be opened */
    struct parsed parsed;
    struct drain *drain;
    bool written;
};

struct drain {
    struct job job;
    struct actor *actor;
    uint64_t files[FILES_MAX];
    size_t nfiles, file;
    bool listed, finished;
    uint64_t cursor, kept; /* of the file: the last record seen; how many could not be opened */
    struct item *items;
    size_t n, parse_at, parsing, written;
    int status;
    struct timer again;
};

static void items_release(struct drain *d)
{
    for (size_t i = 0; i < d->n; i++) {
        parsed_release(&d->items[i].parsed);
        if (d->items[i].staged)
            staged_unref(d->items[i].staged);
    }
    d->n = d->parse_at = d->parsing = 0;
}

static void drain_end(struct drain *d)
{
    struct actor *a = d->actor;

    items_release(d);
    timer_release(&d->again);
    free(d->items);
    free(d);
    a->drain = NULL;
    a->draining = false;
    attach_flush(a, 0);
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

static int item_read(struct drain *d, struct item *it)
{
    struct actor *a = d->actor;
    uint32_t generation = 0;
    const uint8_t *seed;
    int r = tempbox_verify(a->temp, it->rec.seq);

    if (r == E_CORRUPT) {
        log_event(LOG_ALARM, "store.sealed_chain_broken", F_U64("seq", it->rec.seq));
        r = 0; /* what is there may still be whole */
    }
    if (r < 0 || (r = tempbox_key_generation(a->temp, it->rec.seq, &generation)) < 0)
        return r;
    if (!(seed = seed_of(a, generation)))
        return E_CORRUPT;
    if (!(it->staged = staged_new(it->rec.bytes)))
        return E_NOMEM;
    r = tempbox_unseal(a->temp, &it->rec, seed, it->staged->spool);
    it->staged->in.bytes = spool_size(it->staged->spool);
    return r;
}

static int delete_one(struct actor *a, uint64_t seq)
{
    int r;

    if ((r = tempbox_begin(a->temp)) < 0 || (r = tempbox_delete(a->temp, seq)) < 0 || (r = tempbox_commit(a->temp)) < 0)
        tempbox_rollback(a->temp);
    return r;
}

static int file_open(struct drain *d)
{
    struct actor *a = d->actor;

    if (a->temp && tempbox_generation(a->temp) == d->files[d->file])
        return 0;
    tempbox_close(&a->temp);
    return tempbox_open_generation(&store.files, a->id, &store.temp_keys, d->files[d->file], &a->temp);
}

/* Records until the batch is full; 0: this file has no more. */
static int file_read(struct drain *d, struct mailbox *box)
{
    struct temp_record rec;
    uint64_t done = 0, bytes = 0;
    int r = mailbox_drained_get(box, d->files[d->file], &done);

    while (r >= 0 && d->n < store_conf.drain_batch && bytes < BATCH_BYTES_MAX &&
           (r = tempbox_next(d->actor->temp, d->cursor, &rec)) > 0) {
        struct item *it = &d->items[d->n];

        d->cursor = rec.seq;
        if (rec.seq <= done) { /* in already: we died before it was deleted */
            r = delete_one(d->actor, rec.seq);
            continue;
        }
        *it = (struct item){ .rec = rec, .drain = d };
        r = item_read(d, it);
        if (r == E_CORRUPT) { /* it stays where it is, for an operator to look at */
            log_event(LOG_ALARM, "store.sealed_record_unreadable", F_U64("seq", rec.seq));
            staged_unref(it->staged);
            d->kept++;
            r = 0;
            continue;
        }
        d->n++;
        bytes += rec.bytes;
    }
    return r < 0 ? r : (int)d->n;
}

static int file_finish(struct drain *d, struct mailbox *box)
{
    struct actor *a = d->actor;
    int r = d->kept ? tempbox_close(&a->temp) : tempbox_remove(&a->temp);

    if (r == 0 && !d->kept) {
        if ((r = mailbox_begin(box)) < 0 || (r = mailbox_drained_set(box, d->files[d->file], 0)) < 0 ||
            (r = mailbox_commit(box)) < 0)
            mailbox_rollback(box);
    }
    d->file++;
    d->cursor = d->kept = 0;
    return r;
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
        d->listed = true;
    }
    while (d->file < d->nfiles) {
        if ((r = file_open(d)) < 0 || (r = file_read(d, box)) != 0)
            return r < 0 ? r : 0;
        if ((r = file_finish(d, box)) < 0)
            return r;
    }
    d->finished = true;
    return 0;
}

/* ---- writing it (lane) -------------------------------------------------------------------------- */

/* 1: it is in already. */
static int item_known(struct mailbox *box, const struct item *it)
{
    CLEANUP(buf_release) struct buf ignored = { .max = KIB(64) };
    int r = mailbox_operation_find(box, str_of(it->rec.operation, OPERATION_LEN), STORE__OP__DELIVER, &ignored);

    if (r == 0 && it->rec.has_delivery)
        r = mailbox_delivery_find(box, str_of(it->rec.delivery, DELIVERY_ID_BYTES));
    return r;
}

static int item_write(struct mailbox *box, struct item *it)
{
    struct placement at = { .folder = STR("INBOX"), .internal_ms = it->rec.received_ms };
    Store__AppendResponse out = STORE__APPEND_RESPONSE__INIT;
    struct email_in e;
    int r = item_known(box, it);

    if (r != 0)
        return r < 0 ? r : 0;
    parsed_email(&it->parsed, &it->staged->in, &e);
    if ((r = mailbox_append(box, &e, &at, &out)) < 0 ||
        (r = mailbox_operation_note(box, str_of(it->rec.operation, OPERATION_LEN), STORE__OP__DELIVER, STR(""))) < 0)
        return r;
    return it->rec.has_delivery ? mailbox_delivery_note(box, str_of(it->rec.delivery, DELIVERY_ID_BYTES)) : 0;
}

static int batch_write(struct drain *d, struct mailbox *box)
{
    int r = mailbox_begin(box);

    for (size_t i = 0; i < d->n && r >= 0; i++) {
        if ((r = mailbox_step_begin(box)) < 0)
            break;
        r = item_write(box, &d->items[i]);
        if (r == E_IO || r == E_FULL || r == E_NOMEM || r == E_CORRUPT)
            break;
        if (r < 0) {
            mailbox_step_undo(box);
            log_event(LOG_ALARM, "store.drain_refused", F_ERR(r), F_U64("seq", d->items[i].rec.seq));
            d->kept++;
            r = 0;
            continue;
        }
        r = mailbox_step_keep(box);
        d->items[i].written = true;
        if (r == 0 && d->kept == 0) /* what is kept must not count as drained */
            r = mailbox_drained_set(box, d->files[d->file], d->items[i].rec.seq);
    }
    if (r < 0 || (r = mailbox_commit(box)) < 0)
        mailbox_rollback(box);
    return r;
}

static int write_run(struct job *j, struct mailbox *box)
{
    struct drain *d = CONTAINER_OF(j, struct drain, job);
    struct actor *a = d->actor;
    int r;

    if (!box)
        return E_CLOSED;
    if ((r = batch_write(d, box)) < 0)
        return r;
    d->written = 0;
    if ((r = file_open(d)) < 0 || (r = tempbox_begin(a->temp)) < 0)
        return r;
    for (size_t i = 0; i < d->n && r >= 0; i++)
        if (d->items[i].written) {
            r = tempbox_delete(a->temp, d->items[i].rec.seq);
            d->written++;
        }
    if (r < 0 || (r = tempbox_commit(a->temp)) < 0)
        tempbox_rollback(a->temp);
    return r;
}

/* ---- the loop's side ---------------------------------------------------------------------------- */

static void drain_read(struct drain *d);

static void again_fire(struct timer *t)
{
    drain_read(CONTAINER_OF(t, struct drain, again));
}

/* Content or disk say "later": so do we. Whoever waits for the first batch is let in. */
static void drain_later(struct drain *d, int r)
{
    struct actor *a = d->actor;

    items_release(d);
    d->listed = false;
    d->file = 0;
    d->cursor = d->kept = 0;
    attach_flush(a, 0);
    if (r == E_CLOSED || !a->sessions || a->state != ACTOR_OPEN || store.stopping) {
        drain_end(d);
        return;
    }
    log_event(LOG_WARN, "store.drain_waits", F_ERR(r));
    timer_set(&d->again, AGAIN_MS);
}

static void write_done(struct job *j)
{
    struct drain *d = CONTAINER_OF(j, struct drain, job);
    struct actor *a = d->actor;

    if (j->status < 0) {
        drain_later(d, j->status);
        return;
    }
    store.drained += d->written;
    items_release(d);
    attach_flush(a, 0);
    if (!a->sessions || a->state != ACTOR_OPEN)
        drain_end(d);
    else
        drain_read(d);
}

static void drain_write(struct drain *d)
{
    int r;

    d->job = (struct job){ .kind = JOB_ALONE, .run = write_run, .done = write_done };
    if ((r = actor_submit(d->actor, &d->job)) < 0)
        drain_later(d, r);
}

static void parse_more(struct drain *d);

static void item_parsed(void *ctx, int status)
{
    struct item *it = ctx;
    struct drain *d = it->drain;

    d->parsing--;
    if (status < 0)
        d->status = status;
    parse_more(d);
}

static void parse_more(struct drain *d)
{
    while (d->parse_at < d->n && d->parsing < PARSING_MAX && d->status == 0) {
        struct item *it = &d->items[d->parse_at++];
        int r;

        d->parsing++;
        r = parse_message(&it->staged->in, spool_on_disk(it->staged->spool), &it->parsed, item_parsed, it);
        if (r < 0) {
            d->parsing--;
            d->status = r;
        }
    }
    if (d->parsing)
        return;
    if (d->status < 0)
        drain_later(d, d->status);
    else
        drain_write(d);
}

static void read_done(struct job *j)
{
    struct drain *d = CONTAINER_OF(j, struct drain, job);

    d->status = 0;
    if (j->status < 0)
        drain_later(d, j->status);
    else if (d->finished)
        drain_end(d);
    else
        parse_more(d);
}

static void drain_read(struct drain *d)
{
    int r;

    d->job = (struct job){ .kind = JOB_ALONE, .run = read_run, .done = read_done };
    if ((r = actor_submit(d->actor, &d->job)) < 0)
        drain_later(d, r);
}

void drain_start(struct actor *a)
{
    struct drain *d = calloc(1, sizeof *d);

    if (a->drain || !d || !(d->items = calloc(BATCH_MAX, sizeof *d->items)) ||
        timer_init(&d->again, store.loop, again_fire) < 0) {
        if (d)
            free(d->items);
        free(d);
        attach_flush(a, 0);
        return;
    }
    d->actor = a;
    actor_ref(a);
    a->drain = d;
    a->draining = true;
    drain_read(d);
}
