#include "src/store/drop.h"
#include "src/store/mailbox_private.h"

#define ROWS_EACH 4 /* of at most 256 KiB: what goes between two looks at the slice */

bool drop_is_large(struct mailbox *box, uint64_t bytes)
{
    return bytes > DROP_NOW_BYTES || mailbox_slice_full(box);
}

static int run_for(struct mailbox *box, const char *sql, int64_t a, int64_t b)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, a);
    stmt_bind_i64(st, 2, b);
    return stmt_run(st);
}

int drop_later(struct mailbox *box, bool part, int64_t id)
{
    box->drops = true;
    return run_for(box, "INSERT INTO dropping VALUES (?1, ?2)", part, id);
}

static int next(struct mailbox *box, bool *part_out, int64_t *id_out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "SELECT part, id FROM dropping LIMIT 1", &st);

    if (r < 0 || (r = stmt_step(st)) <= 0)
        return r;
    *part_out = stmt_i64(st, 0) != 0;
    *id_out = stmt_i64(st, 1);
    return 1;
}

/* Some of its rows: how many. */
static int rows_drop(struct mailbox *box, bool part, int64_t id)
{
#define SOME(table)                                                                                       \
    "DELETE FROM " table " WHERE id IN (SELECT id FROM " table " WHERE id BETWEEN ?1 AND ?2 ORDER BY id " \
    "LIMIT " STRINGIFY(ROWS_EACH) ")"
#define STRINGIFY(x)  STRINGIFY_(x)
#define STRINGIFY_(x) #x
    static const char *const email[] = { SOME("email_raw"), SOME("email_body"), SOME("email_text"),
                                         SOME("email_words"), NULL };
    static const char *const parts[] = { SOME("part_row"), NULL };
    int64_t first = id * (INT64_C(1) << ROW_SHIFT);

    for (const char *const *sql = part ? parts : email; *sql; sql++) {
        int r = run_for(box, *sql, first, first + ROWS_MAX);

        if (r < 0 || db_changes(box->db) > 0)
            return r < 0 ? r : 1;
    }
    return 0;
}

int mailbox_drop_some(struct mailbox *box)
{
    int64_t id = 0;
    bool part = false;
    int r;

    while ((r = next(box, &part, &id)) > 0) {
        if ((r = rows_drop(box, part, id)) < 0)
            return r;
        if (r == 0 && (r = run_for(box, "DELETE FROM dropping WHERE part = ?1 AND id = ?2", part, id)) < 0)
            return r;
        if (mailbox_slice_full(box))
            return mailbox_drop_waiting(box);
    }
    return r;
}

int mailbox_drop_waiting(struct mailbox *box)
{
    bool part;
    int64_t id;

    return next(box, &part, &id);
}
