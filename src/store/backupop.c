/* src/store/backupop.c: backups while everybody works: by themselves, of mailboxes that are attached, and on
 * request. The copy is made from a snapshot, on a handle and a thread of its own; no lane waits for it. What it
 * costs is the -wal, which cannot shrink while somebody reads an old state: it may grow to WAL_MAX, and then the
 * backup is ended, and mail is not.
 *
 * The data key is the live one, or that of the password that was given. While a backup runs the mailbox stays open,
 * though its last session may be gone. */
#include "src/store/findings.h"
#include "src/store/keyop.h"
#include "src/store/places.h"
#include "src/store/store.h"

#define FRAME_BYTES 4120u
#define WAL_MAX     (MIB(512) / FRAME_BYTES)
#define FIRST_MS \
    (10 * 60 * 1000) /* a mailbox that was not seen since the start waits so long for its first look */
#define AGAIN_MS (60 * 60 * 1000) /* after a failure, or when nothing had changed */

struct run {
    struct work_job work;
    struct run *next;
    struct rpc_req *q;   /* NULL: by itself */
    struct actor *actor; /* a reference; counted among its readers, so that the files stay what they are */
    uint8_t *key;        /* in the slab */
    struct backup_take take;
    int64_t began_ms;
    int status;
};

static struct run *runs; /* the loop's; others look under the lock */
static pthread_mutex_t runs_lock = PTHREAD_MUTEX_INITIALIZER;
static size_t nruns, alone; /* alone: by themselves */
static bool keys_behind, keys_running;
static int64_t keys_ms; /* when `.keys` of all were compared last, monotonic; 0: never */
static struct work_job keys_job;

/* When to look at a mailbox the next time, by the first 8 bytes of its id; wall clock. */
struct due {
    int64_t at_ms;
};
static struct idmap dues;

/* ---- a run -------------------------------------------------------------------------------------- */

static int64_t first_ms(void)
{
    int64_t quarter = (int64_t)store_conf.backup_ms / 4;

    return quarter < FIRST_MS ? quarter : FIRST_MS;
}

static int64_t again_ms(void)
{
    return (int64_t)store_conf.backup_ms < AGAIN_MS ? (int64_t)store_conf.backup_ms : AGAIN_MS;
}

/* NULL: no memory, and then there is none this time. */
static struct due *due_of(const struct actor *a)
{
    struct due *d = idmap_get(&dues, id_key(a->id));

    if (d || !(d = calloc(1, sizeof *d)))
        return d;
    d->at_ms = clock_wall_ms() + first_ms();
    if (idmap_put(&dues, id_key(a->id), d) < 0) {
        free(d);
        return NULL;
    }
    return d;
}

static void run_run(struct work_job *w)
{
    struct run *n = CONTAINER_OF(w, struct run, work);

    n->status = backup_take(&n->take);
    if (n->status == 1 && n->actor->purged)
        n->status = E_GONE;
    if (n->status == E_GONE && backup_remove_all(n->take.target, n->actor->id, NULL, NULL) < 0)
        log_event(LOG_ALARM, "store.backup_outlives_mailbox");
}

static void run_unlink(struct run *n)
{
    pthread_mutex_lock(&runs_lock);
    for (struct run **at = &runs; *at; at = &(*at)->next)
        if (*at == n) {
            *at = n->next;
            break;
        }
    nruns--;
    alone -= !n->q;
    pthread_mutex_unlock(&runs_lock);
}

static void run_log(const struct run *n)
{
    char mailbox[2 * MAILBOX_ID_LEN + 1], id[BACKUP_TEXT_LEN + 1];

    hex_encode(n->actor->id, MAILBOX_ID_LEN, mailbox);
    backup_id_text(n->take.info.id, id);
    if (n->take.strangers) {
        finding_add(FINDING_BACKUP, n->actor->id, "%u objects say they are backups and are not ours",
                    n->take.strangers);
        log_event(LOG_ALARM, "store.backup_not_ours", F_Z("mailbox", mailbox),
                  F_U64("objects", n->take.strangers));
    }
    if (n->status == 1)
        log_event(LOG_INFO, "store.backup_taken", F_Z("mailbox", mailbox), F_Z("backup", id),
                  F_U64("bytes", n->take.info.bytes), F_I64("took_ms", clock_mono_ms() - n->began_ms));
    else if (n->status < 0 && n->status != E_CANCELED && n->status != E_GONE) {
        finding_add(FINDING_BACKUP, n->actor->id, "no backup: %s%s%s", error_text(n->status),
                    n->take.error.text[0] ? ": " : "", n->take.error.text);
        log_event(n->q ? LOG_ERROR : LOG_ALARM, "store.backup_failed", F_Z("mailbox", mailbox),
                  F_ERR(n->status), F_Z("sql", n->take.error.sql ? n->take.error.sql : ""),
                  F_I64("code", n->take.error.code), F_Z("text", n->take.error.text));
    }
}

static void run_answer(const struct run *n)
{
    Store__MailboxBackupResponse r = STORE__MAILBOX_BACKUP_RESPONSE__INIT;
    Store__Backup b;

    backup_pb(&n->take.info, &b);
    r.backup = &b;
    r.unchanged = n->status == 0;
    request_reply(n->q, n->status < 0 ? n->status : 0, &r.base, NULL);
}

/* The last one that counts is `interval` ago at the earliest; what failed or had not changed is looked at sooner. */
static void due_renew(const struct run *n)
{
    struct due *d = due_of(n->actor);
    int64_t now = clock_wall_ms(), next = n->take.info.taken_ms + (int64_t)store_conf.backup_ms;

    if (d)
        d->at_ms = n->status >= 0 && next > now ? next : now + again_ms();
}

static void run_done(struct work_job *w)
{
    struct run *n = CONTAINER_OF(w, struct run, work);
    struct actor *a = n->actor;

    run_unlink(n);
    store.backups_taken += n->status == 1;
    store.backups_failed += n->status < 0 && n->status != E_CANCELED && n->status != E_GONE;
    run_log(n);
    due_renew(n);
    if (n->q)
        run_answer(n);
    secret_free(store.slab, n->key);
    pthread_mutex_destroy(&n->take.stop.lock);
    free(n);
    a->reading--;
    if (a->close_wanted)
        actor_close_soon(a);
    actor_unref(a);
    store_stop_when_idle();
}

static bool runs_for(const struct actor *a)
{
    for (const struct run *n = runs; n; n = n->next)
        if (n->actor == a)
            return true;
    return false;
}

static void take_fill(struct run *n, const uint8_t key[KEY_BYTES], uint32_t generation, bool attached)
{
    struct backup_take *b = &n->take;

    memcpy(n->key, key, KEY_BYTES);
    memcpy(b->mailbox, n->actor->id, MAILBOX_ID_LEN);
    b->files = &store.files;
    b->target = place_target(n->actor->id);
    b->key = n->key;
    b->service = role_subkey(store.role, SUBKEY_SHIP_MAC);
    b->generation = generation;
    b->attached = attached;
    b->beside = store.hash_pool;
    b->now_ms = clock_wall_ms();
    b->min_age_ms = n->q ? 0 : (int64_t)store_conf.backup_ms;
    b->rule = (struct backup_rule){ (uint32_t)store_conf.backup_daily, (uint32_t)store_conf.backup_weekly,
                                    (uint32_t)store_conf.backup_monthly };
    backup_stop_init(&b->stop);
}

/* 0: run_done will come. The request, if there is one, was counted by request_begin. */
static int run_begin(struct actor *a, struct rpc_req *q, const uint8_t key[KEY_BYTES], uint32_t generation,
                     bool attached)
{
    struct run *n;
    int r;

    if (!place_target(a->id) || store.stopping)
        return E_UNAVAIL;
    if (runs_for(a) || a->shut || a->purged)
        return E_BUSY;
    if (!(n = calloc(1, sizeof *n)))
        return E_NOMEM;
    if (!(n->key = secret_alloc(store.slab))) {
        free(n);
        return E_LIMIT;
    }
    n->q = q;
    n->actor = a;
    n->began_ms = clock_mono_ms();
    take_fill(n, key, generation, attached);
    n->work = (struct work_job){ .run = run_run, .done = run_done };
    if ((r = work_submit(store.backup_pool, &n->work)) < 0) {
        secret_free(store.slab, n->key);
        free(n);
        return r;
    }
    pthread_mutex_lock(&runs_lock);
    n->next = runs;
    runs = n;
    nruns++;
    alone += !q;
    pthread_mutex_unlock(&runs_lock);
    a->reading++;
    actor_ref(a);
    return 0;
}

/* ---- ending it ------------------------------------------------------------------------------------ */

void backup_cancel(const struct actor *a)
{
    pthread_mutex_lock(&runs_lock);
    for (struct run *n = runs; n; n = n->next)
        if (!a || n->actor == a)
            backup_stop_now(&n->take.stop);
    pthread_mutex_unlock(&runs_lock);
}

void backups_stop(void)
{
    backup_cancel(NULL);
    places_stop();
}

bool backups_busy(void)
{
    return nruns > 0 || keys_running;
}

bool backup_reads(const struct actor *a, uint32_t frames)
{
    bool reads = false;

    pthread_mutex_lock(&runs_lock);
    for (struct run *n = runs; n; n = n->next)
        if (n->actor == a && frames < WAL_MAX)
            reads = true;
        else if (n->actor == a)
            backup_stop_now(&n->take.stop);
    pthread_mutex_unlock(&runs_lock);
    return reads;
}

/* ---- by themselves -------------------------------------------------------------------------------- */

/* One at a time: a machine has other things to do. */
static bool begin_when_due(struct actor *a)
{
    struct due *d;

    if (!store_conf.backup_ms || store.stopping || alone || a->state != ACTOR_OPEN || a->key_busy ||
        a->shut || a->draining || !(d = due_of(a)) || clock_wall_ms() < d->at_ms || !place_target(a->id))
        return false;
    return run_begin(a, NULL, a->data_key, a->generation, true) == 0;
}

bool backup_before_close(struct actor *a)
{
    return begin_when_due(a);
}

int backup_keys_everywhere(bool every_place)
{
    size_t n;
    struct place *all = places_all(&n);
    int r, bad = 0, put = 0;

    for (size_t i = 0; i < n; i++) {
        r = all[i].target ? backup_keys_put_all(all[i].target, &store.files) : every_place ? E_UNAVAIL : 0;
        bad = r < 0 ? r : bad;
        put += r > 0 ? r : 0;
    }
    return bad < 0 ? bad : put;
}

static void keys_run(struct work_job *w UNUSED)
{
    int n = backup_keys_everywhere(false);

    if (n != 0)
        log_event(n < 0 ? LOG_ALARM : LOG_INFO,
                  n < 0 ? "store.backup_keys_behind" : "store.backup_keys_mended", F_I64("mailboxes", n));
    __atomic_store_n(&keys_behind, n < 0, __ATOMIC_RELAXED);
}

static void keys_done(struct work_job *w UNUSED)
{
    keys_running = false;
    store_stop_when_idle();
}

/* A crash, or a target that did not answer, may have left an older `.keys` beside backups. */
static void keys_round(void)
{
    int64_t now = clock_mono_ms();

    if (keys_running || (keys_ms && !__atomic_load_n(&keys_behind, __ATOMIC_RELAXED)))
        return;
    keys_ms = now + 1;
    keys_job = (struct work_job){ .run = keys_run, .done = keys_done };
    keys_running = work_submit(store.backup_pool, &keys_job) == 0;
}

void backups_round(void)
{
    size_t n = 0;
    uint64_t *ids;

    if (store.stopping)
        return;
    keys_round();
    ids = idmap_ids(&store.actors, &n);
    for (size_t i = 0; i < n; i++) {
        struct actor *a = idmap_get(&store.actors, ids[i]);

        if (a && a->sessions && begin_when_due(a))
            break;
    }
    free(ids);
}

void backup_keys_follow(const uint8_t id[MAILBOX_ID_LEN])
{
    struct place *where[PLACES_EACH_MAX];
    size_t n = places_of(id, where);
    int r;

    for (size_t i = 0; i < n; i++) {
        if (!where[i]->target || (r = backup_keys_put(where[i]->target, &store.files, id)) >= 0)
            continue;
        log_event(LOG_ALARM, "store.backup_keys_behind", F_ERR(r), F_Z("place", where[i]->name));
        __atomic_store_n(&keys_behind, true, __ATOMIC_RELAXED);
    }
}

/* ---- MAILBOX_BACKUP ------------------------------------------------------------------------------- */

static int pool_keys(struct keyop *k)
{
    int r = keyop_keys_open(k);

    return r == 0 && k->keys.next_generation ? E_BUSY
                                             : r; /* under which the file is, only opening it tells */
}

/* The walk was for the key: what follows needs its turn no more. */
static void answer_begin(struct keyop *k)
{
    struct actor *a = k->actor;
    bool attached = a->state == ACTOR_OPEN;
    int r = run_begin(a, k->q, k->keys.data_key, k->keys.generation, attached);

    if (r < 0)
        request_reply(k->q, r, NULL, NULL);
}

static const struct stage_row key_stages[] = { { IN_POOL, pool_keys }, { 0, NULL } };

int op_mailbox_backup(struct rpc_req *q, struct str body)
{
    Store__MailboxBackupRequest *m = RPC_UNPACK(rpc_req_arena(q), body, store__mailbox_backup_request);
    struct keyop *k = NULL;
    struct actor *a;
    int r;

    if (!m || m->mailbox_id.len != MAILBOX_ID_LEN)
        return E_SYNTAX;
    if (!place_target(m->mailbox_id.data) || store.stopping)
        return E_UNAVAIL;
    if ((a = actor_find(m->mailbox_id.data)) != NULL && a->state == ACTOR_OPEN && !a->key_busy) {
        request_begin();
        if ((r = run_begin(a, q, a->data_key, a->generation, true)) < 0)
            request_reply(q, r, NULL, NULL);
        return 0;
    }
    if (!m->current_password.len)
        return E_AUTH;
    if ((r = keyop_begin(q, m->mailbox_id.data, key_stages, answer_begin, &k)) < 0)
        return r;
    k->states = m->key_states;
    k->nstates = m->n_key_states;
    k->patient = true;
    return keyop_go(k, keyop_passwords_take(k, m->current_password, (ProtobufCBinaryData){ 0 }, ""));
}
