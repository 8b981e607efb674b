/* src/imap/cmd_copy.c: COPY and MOVE (RFC 9051 6.4.7, 6.4.8), with COPYUID (RFC 4315 3). */
#include "src/imap/imap.h"

/* "COPYUID 38505 304,319:320 3956:3958" */
static int copyuid(const Store__CopyResponse *m, struct buf *out)
{
    int r = buf_printf(out, "COPYUID %u ", m->uidvalidity);

    for (size_t i = 0; i + 1 < m->n_from_ranges && r == 0; i += 2)
        r = seq_range_write((struct seq_range){ m->from_ranges[i], m->from_ranges[i + 1] }, i == 0, out);
    if (r == 0)
        r = buf_putc(out, ' ');
    for (size_t i = 0; i + 1 < m->n_to_ranges && r == 0; i += 2)
        r = seq_range_write((struct seq_range){ m->to_ranges[i], m->to_ranges[i + 1] }, i == 0, out);
    return r;
}

static void done(struct imap_conn *c, int status, struct str body, bool move)
{
    CLEANUP(buf_release) struct buf code = { .max = KIB(240) };
    Store__CopyResponse *m = NULL;
    char modseq[48];
    struct resp w;

    if (status == E_NOTFOUND) {
        imap_no(c, "TRYCREATE", "There is no such mailbox");
        return;
    }
    if (status == 0 && !(m = RPC_UNPACK(&c->arena, body, store__copy_response)))
        status = E_CORRUPT;
    if (status == 0 && move)
        status = imap_vanish(c, m->from_ranges, m->n_from_ranges);
    if (status < 0) {
        imap_fail_status(c, status);
        return;
    }
    imap_came(c, m->uidvalidity, m->to_ranges, m->n_to_ranges);
    c->view->stale = true; /* the target may be the selected folder itself */
    if (m->n_from_ranges == 0 || copyuid(m, &code) < 0) {
        imap_ok(c, "Completed");
        return;
    }
    if (move) { /* RFC 6851 4.3: before the EXPUNGEs, not in the tagged reply */
        resp_printf(&c->w, "* OK [%.*s] Moved\r\n", STR_ARG(buf_str(&code)));
        snprintf(modseq, sizeof modseq, "HIGHESTMODSEQ %llu", (unsigned long long)m->highest_modseq);
        imap_ok_code(c, c->qresync ? modseq : NULL, "Completed");
        return;
    }
    w = imap_final(c);
    resp_printf(&w, "%.*s OK [%.*s] Completed\r\n", STR_ARG(c->tag), STR_ARG(buf_str(&code)));
    c->bad = 0;
    imap_finish(c);
}

static void copied(struct imap_conn *c, int status, struct str body)
{
    done(c, status, body, false);
}

static void moved(struct imap_conn *c, int status, struct str body)
{
    done(c, status, body, true);
}

static int copy(struct imap_conn *c, struct args *a, bool move)
{
    CLEANUP(uidranges_release) struct uidranges uids = { 0 };
    Store__CopyRequest m = STORE__COPY_REQUEST__INIT;
    struct str to;
    int r;

    if ((r = args_sp(a)) < 0 || (r = imap_pick(c, a, &uids)) < 0 || (r = args_sp(a)) < 0 ||
        (r = args_mailbox(a, &to)) < 0 || (r = args_end(a)) < 0)
        return r;
    if (uids.n == 0)
        return imap_ok(c, "None of these is here");
    if (imap_over_limit(c, uidranges_count(&uids))) /* RFC 9738 3.1: a COPY is all or nothing */
        return 0;
    if ((r = imap_pack_ranges(&c->arena, &uids, &m.n_uid_ranges, &m.uid_ranges)) < 0)
        return r;
    m.session = imap_session(c);
    m.folder_id = c->view->folder_id;
    m.to = str_pb(to);
    m.move = move;
    return imap_ask_store(c, STORE__OP__COPY, &m.base, true, move ? moved : copied);
}

int imap_cmd_copy(struct imap_conn *c, struct args *a)
{
    return copy(c, a, false);
}

int imap_cmd_move(struct imap_conn *c, struct args *a)
{
    return copy(c, a, true);
}
