#include "src/store/quota.h"
#include "src/store/mailbox_private.h"

static int sums_read(struct mailbox *box)
{
    static const char sql[] =
        "SELECT coalesce(sum(bytes), 0), coalesce(sum(messages), 0), count(*) FROM folder";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, sql, &st);

    if (r < 0 || (r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_CORRUPT;
    box->sums = (struct sums){ !box->reader, stmt_u64(st, 0), stmt_u64(st, 1), stmt_u64(st, 2) };
    return 0;
}

int mailbox_quota_get(struct mailbox *box, struct quota_count *out)
{
    static const char sql[] = "SELECT quota_leased, quota_limited, quota_step FROM meta";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = box->sums.known ? 0 : sums_read(box);

    if (r < 0 || (r = stmt_get(box->db, sql, &st)) < 0 || (r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_CORRUPT;
    *out = (struct quota_count){ .used = box->sums.bytes,
                                 .leased = stmt_u64(st, 0),
                                 .messages = box->sums.messages,
                                 .folders = box->sums.folders,
                                 .limited = stmt_u64(st, 1) != 0 || box->quota_hint,
                                 .step = (uint32_t)stmt_u64(st, 2) };
    return 0;
}

int mailbox_quota_set(struct mailbox *box, const struct quota_count *q)
{
    static const char sql[] = "UPDATE meta SET quota_leased = ?1, quota_limited = ?2, quota_step = ?3";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    box->quota_hint = false; /* now it is known */
    stmt_bind_u64(st, 1, q->leased);
    stmt_bind_u64(st, 2, q->limited);
    stmt_bind_u64(st, 3, q->step);
    return stmt_run(st);
}

int mailbox_quota_move_in(struct mailbox *box, uint64_t bytes)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "UPDATE meta SET quota_leased = quota_leased + ?1", &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, bytes);
    return stmt_run(st);
}

int mailbox_quota_admit(struct mailbox *box, uint64_t bytes, uint64_t messages, bool limited)
{
    struct quota_count q;
    int r = mailbox_quota_get(box, &q);

    if (r < 0)
        return r;
    box->quota_short = 0;
    if (q.messages + messages > MAILBOX_MESSAGES_MAX)
        return E_QUOTA;
    if (!(limited || q.limited) || q.used + bytes <= q.leased)
        return 0;
    box->quota_short = bytes ? bytes : 1;
    return E_QUOTA;
}

void mailbox_quota_hint(struct mailbox *box)
{
    box->quota_hint = true;
}

uint64_t mailbox_quota_short(const struct mailbox *box)
{
    return box->quota_short;
}

int mailbox_quota_deleted(struct mailbox *box, uint64_t folder_id, uint64_t *out)
{
    static const char sql[] = "SELECT sum(bytes) FROM message WHERE folder_id = ?1 AND flags & 4 <> 0";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, folder_id);
    if ((r = stmt_step(st)) < 0)
        return r;
    *out = stmt_u64(st, 0);
    return 0;
}

int tempbox_quota_get(struct tempbox *t, struct quota_count *out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(tempbox_db(t), "SELECT quota_leased, quota_step FROM meta", &st);

    if (r < 0 || (r = stmt_step(st)) < 0)
        return r;
    *out = (struct quota_count){ .limited = true };
    if (r > 0) { /* else it is new */
        out->leased = stmt_u64(st, 0);
        out->step = (uint32_t)stmt_u64(st, 1);
    }
    return tempbox_used(t, &out->used, &out->messages);
}

int tempbox_quota_set(struct tempbox *t, const struct quota_count *q)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(tempbox_db(t), "UPDATE meta SET quota_leased = ?1, quota_step = ?2", &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, q->leased);
    stmt_bind_u64(st, 2, q->step);
    return stmt_run(st);
}
