/* src/store/renew.c: a mailbox that went back in time. Its UIDs may be given out a second time, for other messages, so
 * clients must forget what they know (RFC 9051 2.3.1.1: a new UIDVALIDITY, greater than all before). */
#include "src/store/mailbox_private.h"
#include "src/store/restore.h"

#define COMMITS_PER_MS 256 /* no mailbox has more: so counts of two lives never meet */

int mailbox_renew(struct mailbox *box, int64_t now_ms)
{
    static const char give[] = "UPDATE folder SET uidvalidity = ?2 WHERE id = ?1";
    CLEANUP(stmt_release) struct stmt *list = NULL, *set = NULL, *meta = NULL;
    int64_t last = 0, now_s = now_ms / 1000, id;
    int r;

    if ((r = db_get_i64(box->db, "SELECT uidvalidity FROM meta", &last)) < 0 ||
        (r = stmt_get(box->db, "SELECT id FROM folder ORDER BY id", &list)) < 0 ||
        (r = stmt_get(box->db, give, &set)) < 0)
        return r;
    last = now_s > last && now_s < UINT32_MAX ? now_s : last;
    while ((r = stmt_step(list)) > 0) {
        id = stmt_i64(list, 0);
        if (last == UINT32_MAX)
            return E_FULL;
        stmt_reset(set);
        stmt_bind_i64(set, 1, id);
        stmt_bind_i64(set, 2, ++last);
        if ((r = stmt_run(set)) < 0)
            return r;
    }
    if (r < 0 ||
        (r = stmt_get(box->db, "UPDATE meta SET uidvalidity = ?1, changes = max(changes, ?2)", &meta)) < 0)
        return r;
    stmt_bind_i64(meta, 1, last);
    stmt_bind_i64(meta, 2, now_ms * COMMITS_PER_MS);
    return stmt_run(meta);
}
