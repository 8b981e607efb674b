/* src/imap/cmd_expunge.c: EXPUNGE, and UID EXPUNGE of UIDPLUS (RFC 9051 6.4.3, 6.4.9). */
#include "src/imap/imap.h"

static void expunged(struct imap_conn *c, int status, struct str body)
{
    Store__ExpungeResponse *m = NULL;
    char code[48];

    if (status == 0 && !(m = RPC_UNPACK(&c->arena, body, store__expunge_response)))
        status = E_CORRUPT;
    if (status == 0)
        status = imap_vanish(c, m->vanished_ranges, m->n_vanished_ranges);
    if (status < 0) {
        imap_fail_status(c, status);
        return;
    }
    if (m->highest_modseq > c->view->modseq)
        c->view->stale = true;
    /* the EXPUNGEs go out before it, and all that happened up to this modseq: updates.c */
    snprintf(code, sizeof code, "HIGHESTMODSEQ %llu", (unsigned long long)m->highest_modseq);
    imap_ok_code(c, c->qresync && m->n_vanished_ranges ? code : NULL,
                 "Completed"); /* RFC 7162 3.2.7, 3.2.9 */
}

int imap_cmd_expunge(struct imap_conn *c, struct args *a)
{
    CLEANUP(uidranges_release) struct uidranges uids = { 0 };
    Store__ExpungeRequest m = STORE__EXPUNGE_REQUEST__INIT;
    int r = 0;

    if (c->uid && ((r = args_sp(a)) < 0 || (r = imap_pick(c, a, &uids)) < 0))
        return r;
    if ((r = args_end(a)) < 0)
        return r;
    if (c->uid && uids.n == 0)
        return imap_ok(c, "None of these is here");
    if (c->uid && (r = imap_limit(c, &uids)) < 0)
        return r;
    if ((r = imap_pack_ranges(&c->arena, &uids, &m.n_uid_ranges, &m.uid_ranges)) < 0)
        return r;
    m.session = imap_session(c);
    m.folder_id = c->view->folder_id;
    return imap_ask_store(c, STORE__OP__EXPUNGE, &m.base, true, expunged);
}
