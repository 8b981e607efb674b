#include "src/store/drainstep.h"
#include "lib/base/errors.h"

int drain_begin(struct mailbox *box, struct tempbox *t, struct drain_file *f)
{
    struct temp_record rec;
    uint64_t done = 0;
    int r;

    *f = (struct drain_file){ .generation = tempbox_generation(t) };
    if ((r = mailbox_drained_get(box, f->generation, &done)) < 0 || done == 0)
        return r;
    if ((r = tempbox_begin(t)) < 0)
        return r;
    while ((r = tempbox_next(t, 0, &rec)) > 0 && rec.seq <= done) /* in already: we died before this */
        if ((r = tempbox_delete(t, rec.seq)) < 0)
            break;
    if (r < 0 || (r = tempbox_commit(t)) < 0)
        tempbox_rollback(t);
    f->cursor = done;
    return r;
}

int drain_next(struct tempbox *t, struct drain_file *f, struct temp_record *out)
{
    int r = tempbox_next(t, f->cursor, out);

    if (r > 0)
        f->cursor = out->seq;
    return r;
}

/* 1: it is in already. */
static int item_known(struct mailbox *box, const struct drain_item *it)
{
    CLEANUP(buf_release) struct buf ignored = { .max = KIB(64) };
    struct str op = str_of(it->rec.operation, sizeof it->rec.operation);
    int r = mailbox_operation_find(box, op, STORE__OP__DELIVER, &ignored);

    if (r == 0 && it->rec.has_delivery)
        r = mailbox_delivery_find(box, str_of(it->rec.delivery, sizeof it->rec.delivery));
    return r;
}

static int item_write(struct mailbox *box, const struct drain_item *it)
{
    struct placement at = { .folder = STR("INBOX"), .internal_ms = it->rec.received_ms, .accepted = true };
    struct str op = str_of(it->rec.operation, sizeof it->rec.operation);
    Store__AppendResponse out = STORE__APPEND_RESPONSE__INIT;
    char *keywords[ARRIVAL_KEYWORDS_MAX];
    int r = item_known(box, it);

    arrival_place(&it->arrival, keywords, &at);
    at.judge = at.special_use != STORE__SPECIAL_USE__USE_SENT;
    if (r != 0)
        return r < 0 ? r : 0;
    if ((r = mailbox_append(box, &it->email, &at, &out)) < 0 ||
        (r = mailbox_operation_note(box, op, STORE__OP__DELIVER, STR(""))) < 0)
        return r;
    return it->rec.has_delivery
               ? mailbox_delivery_note(box, str_of(it->rec.delivery, sizeof it->rec.delivery))
               : 0;
}

static bool gives_up(int r)
{
    return r == E_IO || r == E_FULL || r == E_NOMEM || r == E_CORRUPT;
}

/* What is kept must not count as drained, nor anything behind it: those are known by their ids. */
static int item_step(struct mailbox *box, struct drain_file *f, struct drain_item *it)
{
    int r = mailbox_step_begin(box);

    if (r < 0)
        return r;
    it->status = item_write(box, it);
    if (it->status < 0) {
        mailbox_step_undo(box);
        f->kept++;
        return gives_up(it->status) ? it->status : 0;
    }
    if ((r = mailbox_step_keep(box)) < 0)
        return r;
    return f->kept ? 0 : mailbox_drained_set(box, f->generation, it->rec.seq);
}

int drain_write(struct mailbox *box, struct drain_file *f, struct drain_item *v, size_t n)
{
    uint64_t kept = f->kept;
    int r = mailbox_begin(box);

    for (size_t i = 0; i < n && r >= 0; i++)
        r = item_step(box, f, &v[i]);
    if (r == 0 && (r = mailbox_commit(box)) == 0)
        return 0;
    mailbox_rollback(box);
    f->kept = kept;
    return r;
}

int drain_delete(struct tempbox *t, const struct drain_item *v, size_t n)
{
    int r = tempbox_begin(t);

    for (size_t i = 0; i < n && r >= 0; i++)
        if (v[i].status == 0)
            r = tempbox_delete(t, v[i].rec.seq);
    if (r < 0 || (r = tempbox_commit(t)) < 0)
        tempbox_rollback(t);
    return r;
}

/* The note goes last: a file that comes back for want of a sync must still be known. */
int drain_finish(struct mailbox *box, struct tempbox **t, const struct drain_file *f)
{
    int r = f->kept ? tempbox_close(t) : tempbox_remove(t);

    if (r < 0 || f->kept) {
        tempbox_close(t);
        return r;
    }
    if ((r = mailbox_begin(box)) < 0 || (r = mailbox_drained_set(box, f->generation, 0)) < 0 ||
        (r = mailbox_commit(box)) < 0)
        mailbox_rollback(box);
    return r;
}
