/* src/courier/queue_out.c: what goes out: whose turn it is, and what comes of it.
 *
 * A target that is ready stands in the index (dest, rank); one that waits for its time in another by that
 * time. A destination's row says how many are ready and from when on it may be served, so the next delivery
 * is two look-ups whatever the queue holds, and a destination that does not answer costs one row per try, not
 * one per message. */
#include "src/courier/queue_impl.h"
#include "lib/base/rand.h"

#define WAKE_ROWS       500
#define WINDOW_FIRST    3
#define DESTS_KEPT      10000u /* learnt things of more are forgotten */
#define DEST_PAUSE_MAX  INT64_C(1800000)
#define RETRY_ASKED_MAX (INT64_C(24) * 3600 * 1000)

/* ---- destinations ---- */

static void dests_forget(struct queue *q)
{
    size_t n = 0;
    uint64_t *ids = idmap_ids(&q->dests, &n);

    for (size_t i = 0; i < n; i++) {
        struct dest_state *d = idmap_get(&q->dests, ids[i]);

        if (d->under_way == 0) {
            idmap_take(&q->dests, ids[i]);
            free(d);
        }
    }
    free(ids);
}

struct dest_state *queue_dest_state(struct queue *q, uint64_t id)
{
    struct dest_state *d = idmap_get(&q->dests, id);

    if (d)
        return d;
    if (q->dests.n >= DESTS_KEPT)
        dests_forget(q);
    if (!(d = calloc(1, sizeof *d)))
        return NULL;
    d->id = id;
    d->window = WINDOW_FIRST < q->rules->per_destination ? WINDOW_FIRST : q->rules->per_destination;
    if (idmap_put(&q->dests, id, d) < 0) {
        free(d);
        return NULL;
    }
    return d;
}

static void window_grows(struct queue *q, struct dest_state *d)
{
    if (++d->good < d->window || d->window >= q->rules->per_destination)
        return;
    d->window++;
    d->good = 0;
}

static void window_shrinks(struct dest_state *d, bool all)
{
    d->window = all ? 1 : d->window > 1 ? d->window / 2 : 1;
    d->good = 0;
}

int queue_dest(struct queue *q, struct str name, uint64_t *id_out)
{
    CLEANUP(stmt_release) struct stmt *find = NULL, *add = NULL;
    int r;

    if ((r = stmt_get(q->db, "SELECT id FROM dest WHERE name = ?1", &find)) < 0)
        return r;
    stmt_bind_str(find, 1, name);
    if ((r = stmt_step(find)) < 0)
        return r;
    if (r > 0) {
        *id_out = stmt_u64(find, 0);
        return 0;
    }
    if ((r = stmt_get(q->db, "INSERT INTO dest (name) VALUES (?1)", &add)) < 0)
        return r;
    stmt_bind_str(add, 1, name);
    if ((r = stmt_run(add)) < 0)
        return r;
    *id_out = (uint64_t)db_last_rowid(q->db);
    return 0;
}

int queue_dest_count(struct queue *q, uint64_t dest, int64_t ready, int64_t remain)
{
    static const char SQL[] = "UPDATE dest SET ready = ready + ?2, remain = remain + ?3 WHERE id = ?1";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(q->db, SQL, &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, dest);
    stmt_bind_i64(st, 2, ready);
    stmt_bind_i64(st, 3, remain);
    return stmt_run(st);
}

static int dest_turn(struct queue *q, uint64_t dest, int64_t turn, int64_t fails)
{
    static const char SQL[] = "UPDATE dest SET turn = ?2, fails = ?3 WHERE id = ?1";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(q->db, SQL, &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, dest);
    stmt_bind_i64(st, 2, turn);
    stmt_bind_i64(st, 3, fails);
    return stmt_run(st);
}

/* Nothing waits for it, and there is nothing to remember. */
static int dest_drop(struct queue *q, uint64_t dest)
{
    static const char SQL[] = "DELETE FROM dest WHERE id = ?1 AND remain = 0 AND fails = 0";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(q->db, SQL, &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, dest);
    return stmt_run(st);
}

/* ---- reading ---- */

static struct str copy(struct arena *a, struct stmt *st, int col, bool *bad)
{
    struct str s = arena_dup(a, stmt_str(st, col));

    *bad |= s.p == NULL && stmt_str(st, col).n > 0;
    return s;
}

int queue_message_read(struct stmt *st, struct arena *a, struct queue_message *m)
{
    uint8_t name[QUEUE_NAME_BYTES];
    bool bad = false;
    uint64_t id = stmt_u64(st, 0);

    for (int i = 0; i < 8; i++)
        name[i] = (uint8_t)(id >> (56 - 8 * i));
    if (!stmt_bytes(st, 1, name + 8, 8))
        return E_CORRUPT;
    *m = (struct queue_message){
        .id = id,
        .name = arena_dup(a, str_of(name, sizeof name)),
        .created_ms = stmt_i64(st, 2),
        .expires_ms = stmt_i64(st, 3),
        .sender = copy(a, st, 4, &bad),
        .origin = (uint32_t)stmt_i64(st, 5),
        .submitter = copy(a, st, 6, &bad),
        .signer = copy(a, st, 7, &bad),
        .smtputf8 = stmt_i64(st, 8) != 0,
        .eightbit = stmt_i64(st, 9) != 0,
        .requiretls = stmt_i64(st, 10) != 0,
        .ret = (uint32_t)stmt_i64(st, 11),
        .envid = copy(a, st, 12, &bad),
        .deliver_by_ms = stmt_i64(st, 13),
        .by_notify = stmt_i64(st, 14) != 0,
        .priority = (int32_t)stmt_i64(st, 15),
        .facts = copy(a, st, 16, &bad),
        .prepend = copy(a, st, 17, &bad),
        .bytes = stmt_u64(st, 18),
        .targets = stmt_u64(st, 19),
        .told_delay = stmt_i64(st, 20) != 0,
        .tls_optional = stmt_i64(st, 21) != 0,
        .language = copy(a, st, 22, &bad),
    };
    return bad || !m->name.p ? E_NOMEM : 0;
}

int queue_target_read(struct stmt *st, struct arena *a, struct queue_target *t)
{
    bool bad = false;

    *t = (struct queue_target){
        .id = stmt_u64(st, 0),
        .kind = (uint32_t)stmt_i64(st, 1),
        .to = copy(a, st, 2, &bad),
        .alias = copy(a, st, 3, &bad),
        .orcpt = copy(a, st, 4, &bad),
        .notify = (uint32_t)stmt_i64(st, 5),
        .state = (enum queue_state)stmt_i64(st, 6),
        .attempts = (uint32_t)stmt_i64(st, 7),
        .code = (uint32_t)stmt_i64(st, 8),
        .due_ms = stmt_i64(st, 9),
        .answer = copy(a, st, 10, &bad),
        .deaths = (uint32_t)stmt_i64(st, 11),
    };
    return bad ? E_NOMEM : 0;
}

static int message_get(struct queue *q, struct arena *a, uint64_t id, struct queue_message *m)
{
    static const char SQL[] = "SELECT " MESSAGE_COLUMNS " FROM message WHERE id = ?1";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    if ((r = stmt_get(q->db, SQL, &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, id);
    if ((r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_NOTFOUND;
    return queue_message_read(st, a, m);
}

/* ---- whose turn it is ---- */

/* What waited long enough becomes ready; *next_out: when the next one will. */
static int wake(struct queue *q, int64_t now, int64_t *next_out)
{
    static const char FIND[] = "SELECT id, dest, due FROM target WHERE state = 1 ORDER BY due LIMIT ?1";
    static const char READY[] = "UPDATE target SET state = 0 WHERE id = ?1";
    CLEANUP(stmt_release) struct stmt *find = NULL, *st = NULL;
    struct {
        uint64_t id, dest;
    } due[WAKE_ROWS];
    size_t n = 0;
    int r;

    *next_out = INT64_MAX;
    if ((r = stmt_get(q->db, FIND, &find)) < 0 || (r = stmt_get(q->db, READY, &st)) < 0)
        return r;
    stmt_bind_i64(find, 1, WAKE_ROWS);
    while (n < WAKE_ROWS && (r = stmt_step(find)) > 0) {
        if (stmt_i64(find, 2) > now) {
            *next_out = stmt_i64(find, 2);
            break;
        }
        due[n].id = stmt_u64(find, 0);
        due[n++].dest = stmt_u64(find, 1);
    }
    if (r < 0)
        return r;
    stmt_reset(find);
    for (size_t i = 0; i < n; i++) {
        stmt_reset(st);
        stmt_bind_u64(st, 1, due[i].id);
        if ((r = stmt_run(st)) < 0 || (r = queue_dest_count(q, due[i].dest, 1, 0)) < 0)
            return r;
    }
    return 0;
}

/* 1: *dest_out may be served; 0: nobody now. */
static int next_dest(struct queue *q, struct queue_claim *c, int64_t now, int64_t *fails, int64_t *next)
{
    static const char SQL[] = "SELECT id, name, turn, fails FROM dest WHERE ready > 0 ORDER BY turn LIMIT 1";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    if ((r = stmt_get(q->db, SQL, &st)) < 0 || (r = stmt_step(st)) <= 0)
        return r;
    if (stmt_i64(st, 2) > now) {
        if (stmt_i64(st, 2) < *next && stmt_i64(st, 2) < TURN_FULL)
            *next = stmt_i64(st, 2);
        return 0;
    }
    c->dest = stmt_u64(st, 0);
    c->domain = arena_dup(&c->arena, stmt_str(st, 1));
    *fails = stmt_i64(st, 3);
    return c->domain.p ? 1 : E_NOMEM;
}

static int claim_targets(struct queue *q, struct queue_claim *c, uint64_t first, int64_t rank, size_t max)
{
    static const char SQL[] =
        "SELECT " TARGET_COLUMNS " FROM target WHERE dest = ?1 AND state = 0 AND rank = ?2 "
        "AND id >= ?3 AND id < ?4 ORDER BY id LIMIT ?5";
    static const char TAKE[] = "UPDATE target SET state = 2, attempt = ?2 WHERE id = ?1";
    CLEANUP(stmt_release) struct stmt *st = NULL, *take = NULL;
    int r;

    if (!(c->targets = ARENA_ARRAY(&c->arena, max, struct queue_target)))
        return E_NOMEM;
    if ((r = stmt_get(q->db, SQL, &st)) < 0 || (r = stmt_get(q->db, TAKE, &take)) < 0)
        return r;
    stmt_bind_u64(st, 1, c->dest);
    stmt_bind_i64(st, 2, rank);
    stmt_bind_u64(st, 3, first);
    stmt_bind_u64(st, 4, ((first >> TARGET_SHIFT) + 1) << TARGET_SHIFT);
    stmt_bind_u64(st, 5, max);
    while (c->n < max && (r = stmt_step(st)) > 0)
        if ((r = queue_target_read(st, &c->arena, &c->targets[c->n++])) < 0)
            return r;
    if (r < 0)
        return r;
    stmt_reset(st);
    for (size_t i = 0; i < c->n; i++) {
        stmt_reset(take);
        stmt_bind_u64(take, 1, c->targets[i].id);
        stmt_bind_u64(take, 2, c->attempt);
        if ((r = stmt_run(take)) < 0)
            return r;
    }
    return 0;
}

static int first_target(struct queue *q, uint64_t dest, uint64_t *id, int64_t *rank, uint32_t *kind)
{
    static const char SQL[] =
        "SELECT id, rank, kind FROM target WHERE dest = ?1 AND state = 0 ORDER BY rank LIMIT 1";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    if ((r = stmt_get(q->db, SQL, &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, dest);
    if ((r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_NOTFOUND;
    *id = stmt_u64(st, 0);
    *rank = stmt_i64(st, 1);
    *kind = (uint32_t)stmt_i64(st, 2);
    return 0;
}

static int claim_from(struct queue *q, struct queue_claim *c, int64_t now, int64_t fails)
{
    struct dest_state *d = queue_dest_state(q, c->dest);
    uint64_t first = 0;
    int64_t rank = 0;
    int r;

    if (!d)
        return E_NOMEM;
    c->attempt = rand_u64() >> 2 | 1;
    if ((r = first_target(q, c->dest, &first, &rank, &c->kind)) < 0 ||
        (r = claim_targets(q, c, first, rank, c->kind ? 1 : q->rules->recipients_max)) < 0 ||
        (r = message_get(q, &c->arena, first >> TARGET_SHIFT, &c->m)) < 0 ||
        (r = queue_dest_count(q, c->dest, -(int64_t)c->n, 0)) < 0)
        return r;
    if (fails > 0)
        d->window = 1; /* it did not answer lately, or before we were started: one knocks for all */
    r = dest_turn(q, c->dest, d->under_way + 1 >= d->window ? TURN_FULL : now, fails);
    if (r < 0)
        return r;
    d->under_way++;
    if (q->nclaimed < ARRAY_LEN(q->claimed))
        q->claimed[q->nclaimed++] = c->dest;
    return 1;
}

int queue_claim(struct queue *q, struct queue_claim *c, int64_t *next_out)
{
    int64_t now = queue_now(q), fails = 0;
    int r;

    if ((r = wake(q, now, next_out)) < 0 || (r = next_dest(q, c, now, &fails, next_out)) <= 0)
        return r;
    return claim_from(q, c, now, fails);
}

int queue_claim_again(struct queue *q, uint64_t attempt, struct queue_claim *c)
{
    static const char SQL[] =
        "SELECT " TARGET_COLUMNS ", dest FROM target WHERE state = 2 AND attempt = ?1 ORDER BY id";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    size_t max = q->rules->recipients_max;
    struct dest_state *d;
    int r;

    c->attempt = attempt;
    if (!(c->targets = ARENA_ARRAY(&c->arena, max, struct queue_target)))
        return E_NOMEM;
    if ((r = stmt_get(q->db, SQL, &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, attempt);
    while (c->n < max && (r = stmt_step(st)) > 0) {
        c->dest = stmt_u64(st, 12);
        if ((r = queue_target_read(st, &c->arena, &c->targets[c->n++])) < 0)
            return r;
    }
    if (r < 0 || c->n == 0)
        return r < 0 ? r : E_NOTFOUND;
    if (!(d = queue_dest_state(q, c->dest)))
        return E_NOMEM;
    d->under_way++;
    c->kind = c->targets[0].kind;
    return message_get(q, &c->arena, c->targets[0].id >> TARGET_SHIFT, &c->m);
}

int queue_under_way(struct queue *q, uint64_t after, uint64_t *attempts, size_t max, size_t *n_out)
{
    static const char SQL[] = "SELECT DISTINCT attempt FROM target WHERE state = 2 AND attempt > ?1 "
                              "ORDER BY attempt LIMIT ?2";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    *n_out = 0;
    if ((r = stmt_get(q->db, SQL, &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, after);
    stmt_bind_u64(st, 2, max);
    while (*n_out < max && (r = stmt_step(st)) > 0)
        attempts[(*n_out)++] = stmt_u64(st, 0);
    return r < 0 ? r : 0;
}

int queue_piece(struct queue *q, uint64_t message, uint32_t number, struct buf *out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    if ((r = stmt_get(q->db, "SELECT data FROM chunk WHERE id = ?1", &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, message << CHUNK_SHIFT | number);
    if ((r = stmt_step(st)) <= 0)
        return r;
    return (r = buf_puts(out, stmt_str(st, 0))) < 0 ? r : 1;
}

/* ---- what came of it ---- */

int64_t queue_pause(const struct queue_rules *r, uint32_t attempts)
{
    int64_t ms = r->retry_first_ms;

    for (uint32_t i = 0; i < attempts && ms < r->retry_max_ms; i++)
        ms += ms / 2;
    if (ms > r->retry_max_ms)
        ms = r->retry_max_ms;
    return ms - ms / 5 + (int64_t)(rand_u64() % (uint64_t)(2 * (ms / 5) + 1));
}

int queue_target_delete(struct queue *q, uint64_t id)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    if ((r = stmt_get(q->db, "DELETE FROM target WHERE id = ?1", &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, id);
    if ((r = stmt_run(st)) == 0)
        q->targets--;
    return r;
}

static int run_of(struct queue *q, const char *sql, uint64_t a, uint64_t b)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(q->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, a);
    stmt_bind_u64(st, 2, b);
    return stmt_run(st);
}

int queue_message_less(struct queue *q, uint64_t message, int64_t n)
{
    static const char LESS[] =
        "UPDATE message SET targets = targets - ?2 WHERE id = ?1 RETURNING targets, bytes";
    static const char CHUNKS[] = "DELETE FROM chunk WHERE id >= ?1 AND id < ?2";
    static const char GONE[] = "DELETE FROM message WHERE id >= ?1 AND id < ?2";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int64_t left, bytes;
    int r;

    if (n == 0)
        return 0;
    if ((r = stmt_get(q->db, LESS, &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, message);
    stmt_bind_i64(st, 2, n);
    if ((r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_CORRUPT;
    left = stmt_i64(st, 0);
    bytes = stmt_i64(st, 1);
    stmt_reset(st);
    if (left > 0)
        return 0;
    if ((r = run_of(q, CHUNKS, message << CHUNK_SHIFT, (message + 1) << CHUNK_SHIFT)) < 0 ||
        (r = run_of(q, GONE, message, message + 1)) < 0)
        return r;
    q->deleted = true;
    q->messages--;
    q->bytes -= bytes;
    return 0;
}

/* Not gone: at once again, at a time, or held. */
static enum queue_state state_after(const struct queue_target *t, const struct queue_outcome *o)
{
    uint32_t deaths = o->died ? t->deaths + 1 : 0;

    if (deaths >= QUEUE_DEATHS_MAX)
        return QUEUE_HELD;
    return o->result == QUEUE_UNTRIED && deaths < QUEUE_DEATHS_SOON ? QUEUE_READY : QUEUE_WAITS;
}

static int target_keep(struct queue *q, const struct queue_target *t, const struct queue_outcome *o,
                       enum queue_state state, int64_t rank)
{
    static const char SQL[] =
        "UPDATE target SET state = ?2, rank = ?3, due = ?3, attempts = attempts + ?4, code = ?5, "
        "answer = ?6, attempt = 0, deaths = ?7 WHERE id = ?1";
    bool untried = o->result == QUEUE_UNTRIED && !o->died;
    CLEANUP(stmt_release) struct stmt *st = NULL;
    struct str text = o->text;
    int r = stmt_get(q->db, SQL, &st);

    if (r < 0)
        return r;
    if (state == QUEUE_HELD)
        text = STR("set aside: the relay ended whenever it was delivered");
    stmt_bind_u64(st, 1, t->id);
    stmt_bind_i64(st, 2, state);
    stmt_bind_i64(st, 3, rank);
    stmt_bind_i64(st, 4, untried ? 0 : 1);
    stmt_bind_i64(st, 5, untried ? t->code : o->code);
    stmt_bind_blob(st, 6, untried ? t->answer : str_slice(text, 0, QUEUE_ANSWER_MAX));
    stmt_bind_i64(st, 7, o->died ? t->deaths + 1 : untried ? t->deaths : 0);
    return stmt_run(st);
}

/* How long a destination that did not answer is left alone; what waits for it stands as it stood. */
static int64_t dest_pause(const struct queue *q, int64_t fails)
{
    int64_t ms = queue_pause(q->rules, (uint32_t)(fails > 50 ? 50 : fails));

    return ms < DEST_PAUSE_MAX ? ms : DEST_PAUSE_MAX - (int64_t)(rand_u64() % 60000);
}

static int dest_after(struct queue *q, const struct queue_claim *c, bool trouble, bool tried,
                      bool any_deferred)
{
    static const char SQL[] = "SELECT fails FROM dest WHERE id = ?1";
    struct dest_state *d = queue_dest_state(q, c->dest);
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int64_t now = queue_now(q), fails, turn;
    int r;

    if (!d)
        return E_NOMEM;
    if ((r = stmt_get(q->db, SQL, &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, c->dest);
    if ((r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_CORRUPT;
    fails = stmt_i64(st, 0);
    stmt_reset(st);
    if (d->under_way > 0)
        d->under_way--;
    if (trouble) {
        window_shrinks(d, true);
        turn = now + dest_pause(q, fails++);
    } else {
        fails = tried ? 0 : fails;
        if (any_deferred)
            window_shrinks(d, false);
        else if (tried)
            window_grows(q, d);
        turn = d->under_way >= d->window ? TURN_FULL : now;
    }
    if ((r = dest_turn(q, c->dest, turn, fails)) < 0)
        return r;
    return dest_drop(q, c->dest);
}

/* What the other side asked for counts, up to a day. */
static int64_t longer(int64_t pause, int64_t asked)
{
    asked = asked < RETRY_ASKED_MAX ? asked : RETRY_ASKED_MAX;
    return asked > pause ? asked : pause;
}

/* What the targets of one delivery share: they go in one transaction again. */
struct after {
    int64_t gone, ready, due, rank;
    bool tried, deferred;
};

static int done_gone(struct queue *q, const struct queue_target *t, const struct queue_outcome *o,
                     struct after *a, struct queue_counts *counts)
{
    a->gone++;
    a->tried = true;
    counts->delivered += o->result == QUEUE_DELIVERED;
    counts->failed += o->result == QUEUE_FAILED;
    return queue_target_delete(q, t->id);
}

static int done_kept(struct queue *q, const struct queue_target *t, const struct queue_outcome *o,
                     struct after *a, struct queue_counts *counts)
{
    enum queue_state state = state_after(t, o);
    int64_t now = queue_now(q);

    if (state == QUEUE_WAITS && !a->due)
        a->due = now + longer(queue_pause(q->rules, t->attempts), o->retry_ms);
    if (state != QUEUE_WAITS && !a->rank)
        a->rank = now;
    a->ready += state == QUEUE_READY;
    a->deferred |= o->result == QUEUE_DEFERRED;
    a->tried |= o->result == QUEUE_DEFERRED;
    counts->deferred += o->result == QUEUE_DEFERRED;
    counts->aside += state == QUEUE_HELD;
    return target_keep(q, t, o, state, state == QUEUE_WAITS ? a->due : a->rank);
}

int queue_done(struct queue *q, const struct queue_claim *c, const struct queue_outcome *o, bool trouble,
               struct queue_counts *counts)
{
    struct after a = { .gone = 0 };
    int r = 0;

    for (size_t i = 0; i < c->n && r == 0; i++) {
        bool gone = o[i].result == QUEUE_DELIVERED || o[i].result == QUEUE_FAILED;

        r = (gone ? done_gone : done_kept)(q, &c->targets[i], &o[i], &a, counts);
    }
    if (r < 0 || (r = queue_message_less(q, c->m.id, a.gone)) < 0 ||
        (r = queue_dest_count(q, c->dest, a.ready, -a.gone)) < 0)
        return r;
    return dest_after(q, c, trouble, a.tried, a.deferred);
}

int queue_give_back(struct queue *q, uint64_t attempt, uint64_t *targets_out, struct queue_counts *counts)
{
    struct queue_claim c = { .arena = { .max = MIB(4) } };
    struct queue_outcome *o = NULL;
    int r = queue_claim_again(q, attempt, &c);

    if (r == 0 && !(o = ARENA_ARRAY(&c.arena, c.n, struct queue_outcome)))
        r = E_NOMEM;
    for (size_t i = 0; r == 0 && i < c.n; i++)
        o[i] = (struct queue_outcome){ .result = QUEUE_UNTRIED, .died = true, .text = STR("it was cut off") };
    if (r == 0 && (r = queue_done(q, &c, o, false, counts)) == 0)
        *targets_out += c.n;
    arena_release(&c.arena);
    return r == E_NOTFOUND ? 0 : r;
}

/* ---- late and over ---- */

int queue_event(struct queue *q, struct arena *a, struct queue_message *m, struct queue_target **targets_out,
                size_t *n_out, bool *late_out, int64_t *next_out)
{
    static const char SQL[] = "SELECT " MESSAGE_COLUMNS ", event FROM message ORDER BY event LIMIT 1";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int64_t now = queue_now(q);
    size_t max;
    int r;

    *next_out = INT64_MAX;
    if ((r = stmt_get(q->db, SQL, &st)) < 0 || (r = stmt_step(st)) <= 0)
        return r;
    if (stmt_i64(st, 23) > now) {
        *next_out = stmt_i64(st, 23);
        return 0;
    }
    if ((r = queue_message_read(st, a, m)) < 0)
        return r;
    stmt_reset(st);
    *late_out = now < m->expires_ms && !(m->deliver_by_ms > 0 && now >= m->deliver_by_ms && !m->by_notify);
    max = m->targets < QUEUE_TARGETS_MAX ? (size_t)m->targets : QUEUE_TARGETS_MAX;
    return (r = queue_targets(q, a, m->id, max, targets_out, n_out)) < 0 ? r : 1;
}

int queue_told(struct queue *q, uint64_t message)
{
    static const char SQL[] =
        "UPDATE message SET told_delay = 1, event = CASE WHEN deliver_by > ?2 AND deliver_by < "
        "expires THEN deliver_by ELSE expires END WHERE id = ?1";

    return run_of(q, SQL, message, (uint64_t)queue_now(q));
}

/* What is under way may still arrive: the message is looked at again in a minute. */
int queue_expired(struct queue *q, const struct queue_message *m, struct queue_counts *counts)
{
    static const char FIND[] = "SELECT id, dest, state, deaths FROM target WHERE id >= ?1 AND id < ?2";
    static const char LATER[] =
        "UPDATE message SET event = ?2 WHERE id = ?1"; /* held: until somebody releases it */
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int64_t gone = 0;
    int r;

    if ((r = run_of(q, LATER, m->id, (uint64_t)(queue_now(q) + 60000))) < 0 ||
        (r = stmt_get(q->db, FIND, &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, m->id << TARGET_SHIFT);
    stmt_bind_u64(st, 2, (m->id + 1) << TARGET_SHIFT);
    while ((r = stmt_step(st)) > 0) {
        uint64_t id = stmt_u64(st, 0), dest = stmt_u64(st, 1);
        int64_t state = stmt_i64(st, 2);

        if (state == QUEUE_UNDER_WAY || (state == QUEUE_HELD && stmt_i64(st, 3) < QUEUE_DEATHS_MAX))
            continue;
        if ((r = queue_target_delete(q, id)) < 0 ||
            (r = queue_dest_count(q, dest, state == QUEUE_READY ? -1 : 0, -1)) < 0 ||
            (r = dest_drop(q, dest)) < 0)
            return r;
        gone++;
        counts->failed++;
    }
    return r < 0 ? r : queue_message_less(q, m->id, gone);
}

int queue_end(struct queue *q, uint64_t message, const struct queue_target *t, size_t n)
{
    static const char FIND[] = "SELECT dest, state FROM target WHERE id = ?1";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int64_t gone = 0;
    int r;

    if ((r = stmt_get(q->db, FIND, &st)) < 0)
        return r;
    for (size_t i = 0; i < n; i++) {
        uint64_t dest;
        int64_t state;

        stmt_reset(st);
        stmt_bind_u64(st, 1, t[i].id);
        if ((r = stmt_step(st)) < 0)
            return r;
        dest = stmt_u64(st, 0);
        state = stmt_i64(st, 1);
        if (r == 0 || state == QUEUE_UNDER_WAY)
            continue;
        if ((r = queue_target_delete(q, t[i].id)) < 0 ||
            (r = queue_dest_count(q, dest, state == QUEUE_READY ? -1 : 0, -1)) < 0 ||
            (r = dest_drop(q, dest)) < 0)
            return r;
        gone++;
    }
    return queue_message_less(q, message, gone);
}
