/* src/store/actor.c: lanes. Jobs that write and stand next to each other share one transaction, each
 * under a savepoint of its own, and all hear their result after the one commit. */
#include "src/store/news.h"
#include "src/store/grouping.h"
#include "lib/base/hex.h"
#include <assert.h>
#include <malloc.h>

#define SLIM_AFTER_MS 10000 /* an open file that nobody used gives its page cache back */
#define SLIM_TRIM     16u   /* so many of them are some megabytes */

uint64_t id_key(const void *id)
{
    uint64_t k;

    memcpy(&k, id, sizeof k);
    return k ? k : 1;
}

/* ---- which there are -------------------------------------------------------------------------- */

struct actor *actor_find(const void *id)
{
    struct actor *a = idmap_get(&store.actors, id_key(id));

    return a && memcmp(a->id, id, MAILBOX_ID_LEN) == 0 ? a : NULL;
}

static void actor_free(struct actor *a)
{
    idmap_take(&store.actors, id_key(a->id));
    news_free(&a->news);
    work_lane_free(&a->lane);
    for (size_t i = 0; i < READERS; i++)
        work_lane_free(&a->readers[i]);
    explicit_bzero(a, sizeof *a);
    free(a);
}

struct actor *actor_get(const void *id)
{
    struct actor *a = actor_find(id);

    if (a) {
        a->refs++;
        return a;
    }
    if (idmap_get(&store.actors, id_key(id)) || !(a = calloc(1, sizeof *a)))
        return NULL; /* two random ids that share 8 bytes: not in this universe, and not served */
    memcpy(a->id, id, MAILBOX_ID_LEN);
    a->lane = work_lane_new(store.pool);
    for (size_t i = 0; i < READERS && a->lane; i++)
        a->readers[i] = work_lane_new(i == READER_FETCH ? store.read_pool : store.search_pool);
    if (!a->lane || !a->readers[READERS - 1] || idmap_put(&store.actors, id_key(id), a) < 0) {
        actor_free(a);
        return NULL;
    }
    a->refs = 1;
    a->index_behind = true; /* until somebody looked */
    return a;
}

void actor_ref(struct actor *a)
{
    a->refs++;
}

void actor_unref(struct actor *a)
{
    if (--a->refs == 0)
        actor_free(a);
}

void actor_log(const char *event, const struct actor *a, int r, const struct db_error *e)
{
    char id[2 * MAILBOX_ID_LEN + 1];

    hex_encode(a->id, MAILBOX_ID_LEN, id);
    log_event(LOG_ERROR, event, F_Z("mailbox", id), F_ERR(r), F_Z("sql", e && e->sql ? e->sql : ""),
              F_I64("code", e ? e->code : 0), F_Z("text", e ? e->text : ""));
}

/* ---- its file ---------------------------------------------------------------------------------- */

/* The key is the lane's while a session lives, so what was given back is opened again without a word. */
static int box_open_again(void *ctx, struct handle *h, struct mailbox **out)
{
    struct actor *a = ctx;
    struct db_error e = { 0 };
    struct mailbox_options o = { .flags = h->reader ? MAILBOX_READER : MAILBOX_AGAIN | MAILBOX_COUNT_WAL,
                                 .error = &e };
    char path[FILES_PATH_MAX], full[2 * FILES_PATH_MAX];
    int r;

    o.cache_kib = (uint32_t)((h->reader ? store_conf.reader_cache_bytes : store_conf.cache_bytes) / 1024);
    files_path(a->id, FILES_MAILBOX, path);
    files_full(&store.files, path, full, sizeof full);
    if ((r = mailbox_open(full, a->key, &o, NULL, out)) < 0)
        actor_log("store.open_again_failed", a, r, &e);
    return r;
}

/* In the lane, before a job. Without `open` only when the file is open anyway. */
static int box_take(struct actor *a, bool open)
{
    int r = handle_take(store.handles, &a->writer, open ? box_open_again : NULL, a);

    a->box = a->writer.box;
    if (a->box && a->lane_hint)
        mailbox_quota_hint(a->box);
    if (r == 0)
        noting_box_check(a);
    return r < 0 ? r : 0;
}

int actor_box_open(struct actor *a)
{
    return a->box ? 0 : box_take(a, true);
}

/* After it. What it left may be closed from here on, by any thread. */
static void box_give(struct actor *a)
{
    if (a->box && a->writer.box)
        handle_give(store.handles, &a->writer);
    a->box = NULL;
}

void actor_handle_closing(struct handle *h)
{
    struct actor *a = h->reader ? NULL : CONTAINER_OF(h, struct actor, writer);

    if (a && a->quota_seen.folders && db_total_changes(mailbox_db(h->box)) == 0)
        return; /* what was seen when it was given back last still holds */
    if (a && mailbox_quota_get(h->box, &a->quota_seen) < 0)
        a->quota_seen.folders = 0;
    if (a)
        noting_box_of(CONTAINER_OF(h, struct actor, writer), h->box);
}

/* ---- groups ----------------------------------------------------------------------------------- */

static struct job *job_of(struct work_job *w)
{
    return CONTAINER_OF(w, struct job, work);
}

static bool groups(const struct work_job *w)
{
    const struct job *j = (const struct job *)(const void *)((const char *)w - offsetof(struct job, work));

    return j->kind == JOB_WRITE || j->kind == JOB_DELIVER;
}

/* A large message begins a group of its own, for which there is room. */
static bool joins(const struct work_job *w)
{
    const struct job *j = (const struct job *)(const void *)((const char *)w - offsetof(struct job, work));

    return groups(w) && j->bytes <= JOIN_BYTES_MAX;
}

/* After these nobody knows what the transaction holds: it is given up whole. */
static bool breaks_group(int r)
{
    return r == E_IO || r == E_FULL || r == E_NOMEM || r == E_CORRUPT;
}

/* One transaction on either file. */
struct group {
    struct actor *a;
    struct job *jobs[GROUP_JOBS_MAX];
    size_t n;
    bool open; /* the mailbox, else the temporary one */
    bool
        bare; /* all so far may run once more: should one fail halfway they do, so that none needs a savepoint */
};
#define GROUP_AGAIN 1

static int temp_ready(struct actor *a)
{
    int r = a->temp ? 1 : tempbox_open(&store.files, a->id, &store.temp_keys, true, &a->temp);

    if (r == 0)
        noting_temp_check(a);
    return r < 0 ? r : 0;
}

static int group_begin(struct group *g, uint64_t bytes)
{
    int r;

    if (g->open)
        return (r = box_take(g->a, true)) < 0 || (r = checkpoint_in_lane(g->a, bytes)) < 0
                   ? r
                   : mailbox_begin(g->a->box);
    return (r = temp_ready(g->a)) < 0 || (r = checkpoint_temp_in_lane(g->a->temp, bytes)) < 0
               ? r
               : tempbox_begin(g->a->temp);
}

static int step_begin(struct group *g)
{
    return g->open ? mailbox_step_begin(g->a->box) : tempbox_step_begin(g->a->temp);
}

static int step_keep(struct group *g)
{
    return g->open ? mailbox_step_keep(g->a->box) : tempbox_step_keep(g->a->temp);
}

static void step_undo(struct group *g)
{
    if (g->open)
        mailbox_step_undo(g->a->box);
    else
        tempbox_step_undo(g->a->temp);
}

static void group_rollback(struct group *g)
{
    if (g->a->box)
        mailbox_rollback(g->a->box);
    else if (!g->open && g->a->temp)
        tempbox_rollback(g->a->temp);
}

static int group_commit(struct group *g)
{
    return g->open ? mailbox_commit(g->a->box) : tempbox_commit(g->a->temp);
}

static struct db *group_db(const struct group *g)
{
    return g->open ? mailbox_db(g->a->box) : tempbox_db(g->a->temp);
}

/* A savepoint copies every page that its step changes, and hardly any step fails after it wrote something. */
static int step_bare(struct group *g, struct job *j)
{
    int64_t before = db_total_changes(group_db(g));

    if (g->open)
        mailbox_step_bare(g->a->box);
    j->status = j->run(j, g->open ? g->a->box : NULL);
    if (j->status >= 0 || breaks_group(j->status))
        return j->status < 0 ? j->status : 0;
    if (db_total_changes(group_db(g)) != before)
        return GROUP_AGAIN;
    step_undo(g); /* of what is in memory only */
    return 0;
}

/* Its status is the job's own; what comes back is the group's: negative when all is lost. */
static int step_run(struct group *g, struct job *j)
{
    int r;

    if (!g->open && j->kind == JOB_WRITE) {
        j->status = E_CLOSED; /* its session ended while it waited */
        return 0;
    }
    g->bare &= j->repeatable;
    if (g->bare)
        return step_bare(g, j);
    if ((r = step_begin(g)) < 0)
        return r;
    j->status = j->run(j, g->open ? g->a->box : NULL);
    if (j->status >= 0 && (r = step_keep(g)) == 0)
        return 0;
    step_undo(g);
    return r < 0 ? r : breaks_group(j->status) ? j->status : 0;
}

/* From the beginning, each undone by itself. */
static int group_again(struct group *g)
{
    int r;

    group_rollback(g);
    g->bare = false;
    r = g->open ? mailbox_begin(g->a->box) : tempbox_begin(g->a->temp);
    for (size_t i = 0; i < g->n && r >= 0; i++)
        r = step_run(g, g->jobs[i]);
    return r;
}

static bool group_full(const struct group *g, uint64_t joined)
{
    return joined >= GROUP_BYTES_MAX || (g->open && g->a->box && mailbox_slice_full(g->a->box));
}

static int group_steps(struct group *g, struct job *first)
{
    int64_t until = group_until_ms();
    struct work_job *w = &first->work;
    uint64_t joined = 0;
    int r = 0;

    for (; w && r >= 0; w = group_full(g, joined) ? NULL : group_next(g->a->lane, g->n, until, joins)) {
        joined += g->n ? job_of(w)->bytes : 0;
        g->jobs[g->n++] = job_of(w);
        if ((r = step_run(g, job_of(w))) == GROUP_AGAIN)
            r = group_again(g);
    }
    return r;
}

static void group_failed(struct group *g, int r)
{
    const struct db *db = g->a->box                ? mailbox_db(g->a->box)
                          : !g->open && g->a->temp ? tempbox_db(g->a->temp)
                                                   : NULL;

    actor_log(g->open ? "store.commit_failed" : "store.seal_failed", g->a, r,
              db ? db_error_detail(db) : NULL);
    for (size_t i = 0; i < g->n; i++)
        if (g->jobs[i]->status >= 0)
            g->jobs[i]->status = r;
}

/* The loop hears of a -wal that has grown, once a commit. */
static void wal_tell(struct job *j)
{
    struct actor *a = j->actor;
    uint32_t frames = a->box ? mailbox_wal_frames(a->box) : 0;

    if (frames && frames != a->wal_frames)
        j->wal_frames = a->wal_frames = frames;
}

/* Where a limit presses, room that was made is reported: others wait for it. */
static void quota_look(struct group *g, struct job *first)
{
    struct quota_count q;

    if (!g->a->lane_limited || mailbox_quota_get(g->a->box, &q) < 0)
        return;
    first->shrunk = q.used < g->a->quota_used;
    g->a->quota_used = q.used;
}

static void group_run(struct work_job *w)
{
    struct job *first = job_of(w);
    struct group g = { .a = first->actor, .open = first->actor->key != NULL, .bare = true };
    struct job *ears;
    int r = group_begin(&g, first->bytes);

    if (r < 0) {
        g.jobs[g.n++] = first;
        first->status = 0;
    } else if ((r = group_steps(&g, first)) == 0) {
        r = group_commit(&g);
    }
    ears = g.jobs[g.n > 1 ? 1 : 0]; /* its `done` comes first: nobody has an answer before the news */
    if (r < 0) {
        group_failed(&g, r);
        group_rollback(&g);
        if (!g.open)
            tempbox_close(&g.a->temp); /* opened anew by the next one */
    } else if (g.open) {
        quota_look(&g, ears);
        ears->nchanges = mailbox_changes_take(g.a->box, ears->changes, ARRAY_LEN(ears->changes));
        ears->happenings = mailbox_happenings_take(g.a->box);
        ears->drops = mailbox_drops_take(g.a->box);
        wal_tell(ears);
    } else {
        ears->wal_frames = db_wal_frames(tempbox_db(g.a->temp));
        ears->temp = tempbox_generation(g.a->temp);
    }
    ears->leader = true;
    box_give(g.a);
    for (size_t i = 1; i < g.n; i++)
        work_lane_finish(&g.jobs[i]->work);
}

/* ---- other jobs ------------------------------------------------------------------------------- */

static void alone_run(struct work_job *w)
{
    struct job *j = job_of(w);
    struct actor *a = j->actor;
    int r = a->key ? box_take(a, j->kind == JOB_ALONE) : 0;

    j->status = r < 0 && j->kind == JOB_ALONE ? r : j->run(j, a->box);
    j->drops = a->box && mailbox_drops_take(a->box);
    if (a->box && j->status >= 0)
        j->nchanges = mailbox_changes_take(a->box, j->changes, ARRAY_LEN(j->changes));
    wal_tell(j);
    j->leader = true;
    box_give(a);
}

static void reader_run(struct work_job *w)
{
    struct job *j = job_of(w);
    struct handle *h = &j->actor->reader[j->reader];
    int r;

    h->reader = true;
    r = handle_take(store.handles, h, box_open_again, j->actor);
    j->status = r < 0 ? r : j->run(j, h->box);
    if (r >= 0)
        handle_give(store.handles, h);
}

/* ---- temporary mailboxes that stay open a while ------------------------------------------------ */

struct small_job {
    struct job job;
};

static int temp_close_run(struct job *j, struct mailbox *box UNUSED)
{
    noting_temp(j->actor);
    return tempbox_close(&j->actor->temp);
}

static void small_done(struct job *j)
{
    free(CONTAINER_OF(j, struct small_job, job));
}

static int note_run(struct job *j, struct mailbox *box UNUSED)
{
    noting_box(j->actor);
    return 0;
}

static void small_submit(struct actor *a, int (*run)(struct job *j, struct mailbox *box))
{
    struct small_job *c = calloc(1, sizeof *c);

    if (!c)
        return;
    c->job = (struct job){ .kind = JOB_BARE, .run = run, .done = small_done };
    if (actor_submit(a, &c->job) < 0)
        free(c);
}

void actor_boxes_note(void)
{
    size_t n = 0;
    uint64_t *ids = idmap_ids(&store.actors, &n);

    for (size_t i = 0; i < n; i++) {
        struct actor *a = idmap_get(&store.actors, ids[i]);

        if (a && a->written && a->state == ACTOR_OPEN) {
            a->written = false;
            small_submit(a, note_run);
        }
    }
    free(ids);
}

static void lru_remove(struct actor *a)
{
    if (a->lru_prev)
        a->lru_prev->lru_next = a->lru_next;
    else
        store.temp_lru = a->lru_next;
    if (a->lru_next)
        a->lru_next->lru_prev = a->lru_prev;
    else
        store.temp_lru_last = a->lru_prev;
    a->lru_next = a->lru_prev = NULL;
    a->in_lru = false;
    store.temp_open--;
    (void)handles_other(store.handles, -1);
}

static void lru_close(struct actor *a)
{
    lru_remove(a);
    small_submit(a, temp_close_run);
    actor_unref(a);
}

static void lru_use(struct actor *a)
{
    bool many;

    if (a->in_lru)
        lru_remove(a);
    else
        actor_ref(a);
    a->lru_prev = store.temp_lru_last;
    if (a->lru_prev)
        a->lru_prev->lru_next = a;
    else
        store.temp_lru = a;
    store.temp_lru_last = a;
    a->in_lru = true;
    store.temp_open++;
    many = handles_other(store.handles, 1);
    if (store.temp_open > store_conf.temp_handles || (many && store.temp_lru != a))
        lru_close(store.temp_lru);
}

void actor_temp_used(struct actor *a)
{
    if (a->state == ACTOR_CLOSED)
        lru_use(a);
}

void actor_temps_close(void)
{
    while (store.temp_lru)
        lru_close(store.temp_lru);
}

/* ---- room for the next file ---------------------------------------------------------------------- */

static struct work_job trim_job;
static bool trimming;

static void trim_run(struct work_job *w UNUSED)
{
    handles_trim(store.handles);
}

static void trim_done(struct work_job *w UNUSED)
{
    trimming = false;
}

/* What many small pieces were is memory of the kernel's again only when somebody looks for whole pages. */
static void slim_run(struct work_job *w UNUSED)
{
    size_t n, all = 0;

    while ((n = handles_slim(store.handles, SLIM_AFTER_MS)))
        all += n;
    if (all >= SLIM_TRIM)
        malloc_trim(0);
}

void actor_files_slim(void)
{
    if (trimming)
        return;
    trim_job = (struct work_job){ .run = slim_run, .done = trim_done };
    trimming = work_submit(store.pool, &trim_job) == 0;
}

/* Who opens a file should not have to close another's first. */
static void trim_when_crowded(void)
{
    if (trimming || !handles_crowded(store.handles))
        return;
    trim_job = (struct work_job){ .run = trim_run, .done = trim_done };
    trimming = work_submit(store.pool, &trim_job) == 0;
}

bool actor_trimming(void)
{
    return trimming;
}

/* ---- submitting -------------------------------------------------------------------------------- */

static void job_done(struct work_job *w)
{
    struct job *j = job_of(w);
    struct actor *a = j->actor;

    if (j->kind == JOB_READ)
        a->reading--;
    if (j->leader && j->nchanges)
        news_tell(a, j->changes, j->nchanges);
    else if (j->leader && (j->kind == JOB_WRITE || j->kind == JOB_DELIVER))
        news_forget(a);
    if (j->leader && j->shrunk && a->lease.tight)
        lease_report(a, true);
    if (j->leader && (j->nchanges || j->happenings))
        watch_tell(a, j);
    happenings_free(j->happenings);
    j->happenings = NULL;
    a->written |= j->leader && j->kind != JOB_READ && j->nchanges;
    index_want(a, j->leader && j->kind != JOB_READ && j->nchanges);
    if (j->leader && j->drops)
        drop_behind(a);
    if (j->kind == JOB_DELIVER && j->leader && a->state == ACTOR_CLOSED)
        lru_use(a);
    if (j->leader && j->wal_frames && j->temp)
        checkpoint_temp_behind(a, j->temp, j->wal_frames);
    else if (j->leader && j->wal_frames)
        checkpoint_behind(a, j->wal_frames);
    j->done(j);
    trim_when_crowded();
    if (a->close_wanted)
        actor_close_soon(a);
    actor_unref(a);
}

void actor_hold(struct actor *a, unsigned what)
{
    a->held |= what;
}

static void hold(struct actor *a, struct job *j)
{
    j->held_next = NULL;
    if (a->held_last)
        a->held_last->held_next = j;
    else
        a->held_first = j;
    a->held_last = j;
    a->refs++;
}

void actor_let_go(struct actor *a)
{
    struct job *j = a->held_first, *next;

    a->held = 0;
    a->held_first = a->held_last = NULL;
    actor_ref(a);
    for (; j; j = next) {
        next = j->held_next;
        if ((j->status = actor_submit(a, j)) < 0)
            j->done(j);
        actor_unref(a); /* the one of hold(); the job has its own */
    }
    actor_unref(a);
}

int actor_submit(struct actor *a, struct job *j)
{
    struct work_lane *lane = a->lane;
    int r;

    j->actor = a;
    j->work = (struct work_job){ .run = groups(&j->work) ? group_run : alone_run, .done = job_done };
    j->leader = j->shrunk = j->drops = false;
    j->nchanges = 0;
    j->happenings = NULL;
    j->wal_frames = 0;
    j->temp = 0;
    if (j->kind == JOB_READ) {
        if (a->state != ACTOR_OPEN)
            return E_CLOSED;
        j->work.run = reader_run;
        lane = a->readers[j->reader];
    }
    if (!j->through && (a->held & (j->kind == JOB_READ ? HOLD_READS : HOLD_WRITES))) {
        hold(a, j);
        return 0;
    }
    if ((r = work_lane_submit(lane, &j->work)) < 0)
        return r;
    a->refs++;
    a->reading += j->kind == JOB_READ;
    return 0;
}

/* ---- closing ----------------------------------------------------------------------------------- */

int actor_lane_close(struct actor *a)
{
    int r;

    for (size_t i = 0; i < READERS; i++)
        handle_drop(store.handles, &a->reader[i]);
    noting_box(a);
    a->box = NULL;
    r = handle_drop(store.handles, &a->writer); /* checkpoints: no -wal is left */
    secret_free(store.slab, a->key);
    a->key = NULL;
    for (size_t i = 0; i < a->nseeds; i++)
        secret_free(store.slab, a->seeds[i].bytes);
    a->nseeds = 0;
    return r;
}
