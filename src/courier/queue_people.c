/* src/courier/queue_people.c: the queue as its operator sees it. */
#include "src/courier/queue_impl.h"

static uint64_t id_of(struct str name)
{
    uint64_t id = 0;

    for (size_t i = 0; i < 8 && i < name.n; i++)
        id = id << 8 | (uint8_t)name.p[i];
    return id;
}

int queue_get(struct queue *q, struct arena *a, struct str name, struct queue_message *out)
{
    static const char SQL[] = "SELECT " MESSAGE_COLUMNS " FROM message WHERE id = ?1 AND tag = ?2";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    uint64_t id = id_of(name);
    int r;

    if (name.n != QUEUE_NAME_BYTES || id > INT64_MAX)
        return E_NOTFOUND;
    if ((r = stmt_get(q->db, SQL, &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, id);
    stmt_bind_blob(st, 2, str_skip(name, 8));
    if ((r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_NOTFOUND;
    return queue_message_read(st, a, out);
}

int queue_targets(struct queue *q, struct arena *a, uint64_t message, size_t max, struct queue_target **out,
                  size_t *n_out)
{
    static const char SQL[] =
        "SELECT " TARGET_COLUMNS " FROM target WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?3";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    *n_out = 0;
    if (!(*out = ARENA_ARRAY(a, max, struct queue_target)))
        return E_NOMEM;
    if ((r = stmt_get(q->db, SQL, &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, message << TARGET_SHIFT);
    stmt_bind_u64(st, 2, (message + 1) << TARGET_SHIFT);
    stmt_bind_u64(st, 3, max);
    while (*n_out < max && (r = stmt_step(st)) > 0)
        if ((r = queue_target_read(st, a, &(*out)[(*n_out)++])) < 0)
            return r;
    return r < 0 ? r : 0;
}

int queue_list(struct queue *q, struct arena *a, uint64_t after, struct str domain, size_t max,
               struct queue_message **out, size_t *n_out)
{
    static const char ALL[] =
        "SELECT " MESSAGE_COLUMNS " FROM message WHERE id > ?1 AND ?3 IS NULL ORDER BY id LIMIT ?2";
    static const char SOME[] =
        "SELECT " MESSAGE_COLUMNS
        " FROM message WHERE id > ?1 AND EXISTS (SELECT 1 FROM target t JOIN dest d ON "
        "d.id = t.dest WHERE t.id >= message.id << 14 AND t.id < (message.id + 1) << 14 AND d.name = ?3) ORDER BY id "
        "LIMIT ?2";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    *n_out = 0;
    if (!(*out = ARENA_ARRAY(a, max + 1, struct queue_message)))
        return E_NOMEM;
    if ((r = stmt_get(q->db, domain.n ? SOME : ALL, &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, after);
    stmt_bind_u64(st, 2, max);
    stmt_bind_str_or_null(st, 3, domain.n ? domain : STR_NONE);
    while (*n_out < max && (r = stmt_step(st)) > 0)
        if ((r = queue_message_read(st, a, &(*out)[(*n_out)++])) < 0)
            return r;
    return r < 0 ? r : 0;
}

/* ---- changes ---- */

struct row {
    uint64_t id, dest;
    enum queue_state state;
};

static int set_state(struct queue *q, const struct row *row, enum queue_state to)
{
    static const char SQL[] =
        "UPDATE target SET state = ?2, due = ?3, rank = min(rank, ?3), deaths = 0 WHERE id = ?1";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(q->db, SQL, &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, row->id);
    stmt_bind_i64(st, 2, to);
    stmt_bind_i64(st, 3, queue_now(q));
    if ((r = stmt_run(st)) < 0)
        return r;
    return queue_dest_count(q, row->dest, (to == QUEUE_READY) - (row->state == QUEUE_READY), 0);
}

static int dest_open(struct queue *q, uint64_t dest)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    if ((r = stmt_get(q->db, "UPDATE dest SET turn = 0 WHERE id = ?1 AND turn < ?2", &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, dest);
    stmt_bind_i64(st, 2, TURN_FULL);
    return stmt_run(st);
}

static int change_one(struct queue *q, enum queue_action action, const struct row *row, uint64_t *changed)
{
    int r = 0;

    if (row->state == QUEUE_UNDER_WAY || (action == QUEUE_RELEASE) != (row->state == QUEUE_HELD))
        if (action != QUEUE_DELETE || row->state == QUEUE_UNDER_WAY)
            return 0;
    switch (action) {
    case QUEUE_RETRY:
    case QUEUE_RELEASE:
        if ((r = set_state(q, row, QUEUE_READY)) == 0)
            r = dest_open(q, row->dest);
        break;
    case QUEUE_HOLD: r = set_state(q, row, QUEUE_HELD); break;
    case QUEUE_DELETE:
        if ((r = queue_target_delete(q, row->id)) == 0 &&
            (r = queue_dest_count(q, row->dest, row->state == QUEUE_READY ? -1 : 0, -1)) == 0)
            r = queue_message_less(q, row->id >> TARGET_SHIFT, 1);
        break;
    }
    ++*changed;
    return r;
}

static int rows_of(struct queue *q, uint64_t from, uint64_t to, struct str domain, size_t max,
                   struct row *rows, size_t *n_out)
{
    static const char SQL[] =
        "SELECT t.id, t.dest, t.state FROM target t WHERE t.id > ?1 AND t.id < ?2 AND (?3 IS NULL "
        "OR t.dest = (SELECT id FROM dest WHERE name = ?3)) ORDER BY t.id LIMIT ?4";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    *n_out = 0;
    if ((r = stmt_get(q->db, SQL, &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, from);
    stmt_bind_u64(st, 2, to);
    stmt_bind_str_or_null(st, 3, domain.n ? domain : STR_NONE);
    stmt_bind_u64(st, 4, max);
    while (*n_out < max && (r = stmt_step(st)) > 0)
        rows[(*n_out)++] =
            (struct row){ stmt_u64(st, 0), stmt_u64(st, 1), (enum queue_state)stmt_i64(st, 2) };
    return r < 0 ? r : 0;
}

int queue_change(struct queue *q, enum queue_action action, struct str name, struct str domain, size_t max,
                 uint64_t *cursor, uint64_t *targets_out)
{
    struct arena a = { .max = MIB(1) };
    uint64_t from = *cursor, to = INT64_MAX;
    struct queue_message m;
    struct row *rows;
    size_t n = 0;
    int r = 0;

    if (!(rows = ARENA_ARRAY(&a, max, struct row)))
        return E_NOMEM;
    if (name.n && (r = queue_get(q, &a, name, &m)) == 0) {
        uint64_t first = m.id << TARGET_SHIFT;

        from = from > first ? from : first - 1;
        to = (m.id + 1) << TARGET_SHIFT;
    }
    if (r == 0)
        r = rows_of(q, from, to, domain, max, rows, &n);
    for (size_t i = 0; i < n && r == 0; i++)
        r = change_one(q, action, &rows[i], targets_out);
    *cursor = r == 0 && n == max ? rows[n - 1].id : 0;
    arena_release(&a);
    return r;
}
