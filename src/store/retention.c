/* src/store/retention.c: what goes by itself: old mail in Trash and Junk, and pages that nothing uses. */
#include "src/store/check.h"
#include "src/store/mailbox_private.h"

/* Folders of this use that hold something that old. */
static int folder_due(struct mailbox *box, int special_use, struct str before, uint64_t *id_out)
{
    static const char sql[] = "SELECT f.id FROM folder f WHERE f.special_use = ?1 AND EXISTS (SELECT 1 FROM "
                              "message m WHERE m.folder_id = f.id AND m.saved < ?2) LIMIT 1";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, special_use);
    stmt_bind_str(st, 2, before);
    if ((r = stmt_step(st)) > 0)
        *id_out = stmt_u64(st, 0);
    return r;
}

static int uids_due(struct mailbox *box, uint64_t folder_id, struct str before, size_t max,
                    struct uidset *out)
{
    static const char sql[] =
        "SELECT uid FROM message WHERE folder_id = ?1 AND saved < ?2 ORDER BY uid LIMIT ?3";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, sql, &st), n = 0;

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, folder_id);
    stmt_bind_str(st, 2, before);
    stmt_bind_u64(st, 3, max);
    while ((r = stmt_step(st)) > 0 && (r = uidset_add(out, (uint32_t)stmt_u64(st, 0))) >= 0)
        n++;
    return r < 0 ? r : n;
}

int mailbox_retain_due(struct mailbox *box, int special_use, int64_t before_ms)
{
    char iso[CLOCK_ISO_LEN + 1];
    uint64_t id;

    clock_iso(before_ms, iso);
    return folder_due(box, special_use, str_of(iso, CLOCK_ISO_LEN), &id);
}

int mailbox_retain(struct mailbox *box, int special_use, int64_t before_ms, size_t max)
{
    CLEANUP(uidset_release) struct uidset gone = { 0 }, done = { 0 };
    char iso[CLOCK_ISO_LEN + 1];
    struct str before = str_of(iso, CLOCK_ISO_LEN);
    struct folder f;
    uint64_t id = 0;
    int r, n;

    clock_iso(before_ms, iso);
    if ((r = folder_due(box, special_use, before, &id)) <= 0)
        return r;
    if ((n = uids_due(box, id, before, max, &gone)) <= 0)
        return n;
    if ((r = folder_by_id(box, id, &f)) < 0 || (r = messages_remove(box, &f, &gone, &done)) < 0 ||
        (r = folder_update(box, &f)) < 0)
        return r;
    return (int)uidset_count(done.v, done.n);
}

int mailbox_shrink(struct mailbox *box, uint32_t pages)
{
    int64_t free_pages = 0, all = 0;
    int r;

    if ((r = db_get_i64(box->db, "PRAGMA freelist_count", &free_pages)) < 0 ||
        (r = db_get_i64(box->db, "PRAGMA page_count", &all)) < 0)
        return r;
    if (free_pages < SHRINK_LEAST || free_pages * 10 < all)
        return 0;
    return (r = db_shrink(box->db, pages)) < 0 ? r : free_pages > pages;
}
