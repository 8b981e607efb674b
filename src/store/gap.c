/* src/store/gap.c: which UIDs a folder has, as what is missing between 1 and uidnext. Appending
 * changes nothing here, and SELECT of a million messages reads a few rows instead of a million. */
#include "src/store/mailbox_private.h"

int gap_uids(struct mailbox *box, const struct folder *f, uint32_t first, struct uidset *out)
{
    static const char sql[] =
        "SELECT first_uid, last_uid FROM gap WHERE folder_id = ?1 AND first_uid >= "
        "coalesce((SELECT max(first_uid) FROM gap WHERE folder_id = ?1 AND first_uid <= ?2), 0) "
        "ORDER BY first_uid";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    uint64_t next = first ? first : 1;
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, f->id);
    stmt_bind_u64(st, 2, next);
    while ((r = stmt_step(st)) > 0) {
        uint64_t lo = stmt_u64(st, 0), hi = stmt_u64(st, 1);

        if (lo > next && (r = uidset_add_range(out, (uint32_t)next, (uint32_t)lo - 1)) < 0)
            return r;
        next = hi + 1 > next ? hi + 1 : next;
    }
    if (r < 0 || next >= f->uidnext)
        return r;
    return uidset_add_range(out, (uint32_t)next, f->uidnext - 1);
}

int gap_all(struct mailbox *box, uint64_t folder_id, struct uidset *out)
{
    static const char sql[] = "SELECT first_uid, last_uid FROM gap WHERE folder_id = ?1 ORDER BY first_uid";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, folder_id);
    while ((r = stmt_step(st)) > 0)
        if ((r = uidset_add_range(out, (uint32_t)stmt_u64(st, 0), (uint32_t)stmt_u64(st, 1))) < 0)
            return r;
    return r;
}

/* The gaps that touch lo..hi become part of it. */
static int widen(struct mailbox *box, uint64_t folder_id, uint64_t *lo, uint64_t *hi)
{
    static const char before[] =
        "SELECT first_uid, last_uid FROM gap WHERE folder_id = ?1 AND first_uid <= ?2 "
        "ORDER BY first_uid DESC LIMIT 1";
    static const char behind[] = "SELECT last_uid FROM gap WHERE folder_id = ?1 AND first_uid > ?2 "
                                 "AND first_uid <= ?3 ORDER BY first_uid DESC LIMIT 1";
    CLEANUP(stmt_release) struct stmt *st = NULL, *st2 = NULL;
    uint64_t first = *lo;
    int r;

    if ((r = stmt_get(box->db, before, &st)) < 0 || (r = stmt_get(box->db, behind, &st2)) < 0)
        return r;
    stmt_bind_u64(st, 1, folder_id);
    stmt_bind_u64(st, 2, first);
    if ((r = stmt_step(st)) < 0)
        return r;
    if (r && stmt_u64(st, 1) + 1 >= first) {
        *lo = stmt_u64(st, 0);
        *hi = stmt_u64(st, 1) > *hi ? stmt_u64(st, 1) : *hi;
    }
    stmt_bind_u64(st2, 1, folder_id);
    stmt_bind_u64(st2, 2, first);
    stmt_bind_u64(st2, 3, *hi + 1);
    if ((r = stmt_step(st2)) > 0)
        *hi = stmt_u64(st2, 0) > *hi ? stmt_u64(st2, 0) : *hi;
    return r < 0 ? r : 0;
}

int gap_add(struct mailbox *box, uint64_t folder_id, const struct uidset *uids)
{
    static const char drop[] = "DELETE FROM gap WHERE folder_id = ?1 AND first_uid BETWEEN ?2 AND ?3";
    CLEANUP(stmt_release) struct stmt *st = NULL, *st2 = NULL;
    int r;

    if ((r = stmt_get(box->db, drop, &st)) < 0 ||
        (r = stmt_get(box->db, "INSERT INTO gap VALUES (?1, ?2, ?3)", &st2)) < 0)
        return r;
    for (size_t i = 0; i + 1 < uids->n && r >= 0; i += 2) {
        uint64_t lo = uids->v[i], hi = uids->v[i + 1];

        stmt_reset(st);
        stmt_reset(st2);
        if ((r = widen(box, folder_id, &lo, &hi)) < 0)
            return r;
        stmt_bind_u64(st, 1, folder_id);
        stmt_bind_u64(st, 2, lo);
        stmt_bind_u64(st, 3, hi);
        stmt_bind_u64(st2, 1, folder_id);
        stmt_bind_u64(st2, 2, lo);
        stmt_bind_u64(st2, 3, hi);
        if ((r = stmt_run(st)) == 0)
            r = stmt_run(st2);
    }
    return r;
}
