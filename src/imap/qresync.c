#include "src/imap/qresync.h"
#include "src/imap/fetch.h"

#define PAIRS_MAX 4096u

/* ---- parameters of SELECT ---- */

static size_t expand(const struct seqset *s, uint32_t *v, size_t max)
{
    size_t n = 0;

    for (size_t i = 0; i < seqset_ranges(s); i++) {
        struct seq_range r = seqset_range(s, i);

        for (uint64_t k = r.lo; k <= r.hi && n < max; k++)
            v[n++] = (uint32_t)k;
    }
    return n;
}

/* seq-match-data = "(" known-sequence-set SP known-uid-set ")", both of the same length and without
 * '*' (RFC 7162 3.2.5.2). More pairs than we look at are no error: they only help. */
static int seq_match(struct imap_conn *c, struct args *a, struct qresync *out)
{
    const struct seqset *seqs, *uids;
    uint32_t *v, *both;
    struct str text;
    size_t n;
    int r;

    if (c->uidonly) {
        c->bad_code = "UIDREQUIRED"; /* RFC 9586 3 */
        return args_fail(a, "no numbers of messages: UIDONLY is on");
    }
    if ((r = args_char(a, '(', "sequence match data")) < 0 || (r = args_set_text(a, &text)) < 0 ||
        (r = seqset_parse(&c->arena, text, 0, &seqs)) < 0 || (r = args_sp(a)) < 0 ||
        (r = args_set_text(a, &text)) < 0 || (r = seqset_parse(&c->arena, text, 0, &uids)) < 0 ||
        (r = args_char(a, ')', "the end of the sequence match data")) < 0)
        return r;
    if (seqset_count(seqs) != seqset_count(uids))
        return args_fail(a, "as many UIDs as numbers");
    if (!(v = ARENA_ARRAY(&c->arena, 2 * PAIRS_MAX, uint32_t)) ||
        !(both = ARENA_ARRAY(&c->arena, 2 * PAIRS_MAX, uint32_t)))
        return E_NOMEM;
    n = expand(seqs, v, PAIRS_MAX);
    expand(uids, v + PAIRS_MAX, PAIRS_MAX);
    for (size_t i = 0; i < n; i++) {
        both[2 * i] = v[i];
        both[2 * i + 1] = v[PAIRS_MAX + i];
    }
    out->pairs = both;
    out->npairs = n;
    return 0;
}

/* "(uidvalidity modseq [known-uids] [seq-match-data])" */
static int qresync_param(struct imap_conn *c, struct args *a, struct qresync *out)
{
    struct str text;
    int r;

    if (!c->qresync) /* RFC 7162 3.2.5: a BAD before ENABLE QRESYNC */
        return args_fail(a, "ENABLE QRESYNC before");
    if ((r = args_sp(a)) < 0 || (r = args_char(a, '(', "QRESYNC parameters")) < 0 ||
        (r = args_nz_number(a, &out->uidvalidity)) < 0 || (r = args_sp(a)) < 0 ||
        (r = args_number64(a, &out->modseq)) < 0)
        return r;
    if (out->modseq == 0)
        return args_fail(a, "a mod-sequence above zero");
    if (args_skip(a, ' ')) {
        if (args_peek(a) != '(') {
            if ((r = args_set_text(a, &text)) < 0)
                return r;
            if ((r = seqset_parse(&c->arena, text, 0, &out->known)) < 0)
                return r == E_NOMEM || r == E_LIMIT ? r : args_fail(a, "UIDs without '*'");
            if (args_skip(a, ' ') && (r = seq_match(c, a, out)) < 0)
                return r == E_RANGE ? args_fail(a, "numbers without '*'") : r;
        } else if ((r = seq_match(c, a, out)) < 0) {
            return r == E_RANGE ? args_fail(a, "numbers without '*'") : r;
        }
    }
    out->given = true;
    return args_char(a, ')', "the end of the QRESYNC parameters");
}

void condstore_tell(struct imap_conn *c)
{
    const struct view *v = c->view;

    if (v && c->state == IMAP_ST_SELECTED)
        resp_printf(&c->w, "* OK [HIGHESTMODSEQ %llu] Highest\r\n",
                    (unsigned long long)(v->vanished.n ? v->all_told : v->modseq));
}

void condstore_enable(struct imap_conn *c)
{
    if (!c->condstore)
        condstore_tell(c);
    c->condstore = true;
}

int qresync_parse(struct imap_conn *c, struct args *a, struct qresync *out)
{
    int r;

    if (!args_skip(a, ' '))
        return 0;
    if ((r = args_char(a, '(', "SELECT parameters")) < 0)
        return r;
    do {
        if (args_skip_word(a, "CONDSTORE"))
            c->condstore = true; /* RFC 7162 3.1.8 */
        else if (!args_skip_word(a, "QRESYNC"))
            return args_fail(a, "CONDSTORE or QRESYNC");
        else if ((r = qresync_param(c, a, out)) < 0)
            return r;
    } while (args_skip(a, ' '));
    return args_char(a, ')', "the end of the parameters");
}

/* ---- VANISHED (EARLIER) ---- */

/* A UID that this client still has in its view is told as VANISHED without EARLIER, in its time
 * (RFC 7162 3.2.10): to take it away here would move sequence numbers behind the client's back. */
static int tell_vanished(struct imap_conn *c, const Store__VanishedResponse *m)
{
    CLEANUP(uidranges_release) struct uidranges gone = { 0 };
    int r = imap_unpack_ranges(m->uid_ranges, m->n_uid_ranges, &gone);

    if (r < 0 || (r = uidranges_subtract(&gone, &c->view->uids)) < 0 || gone.n == 0)
        return r;
    resp_z(&c->w, "* VANISHED (EARLIER) ");
    if (c->w.r == 0)
        c->w.r = uidranges_write(&gone, &c->out);
    resp_crlf(&c->w);
    return 0;
}

static void vanished_came(struct imap_conn *c, int status, struct str body)
{
    struct arena a = { .max = MIB(32) };
    Store__VanishedResponse *m = NULL;

    if (status == 0 && !(m = RPC_UNPACK(&a, body, store__vanished_response)))
        status = E_CORRUPT;
    if (status == 0)
        status = tell_vanished(c, m);
    arena_release(&a);
    if (status == 0)
        status = c->then(c);
    if (status < 0)
        imap_fail_status(c, status);
}

int qresync_vanished(struct imap_conn *c, uint64_t since, uint32_t *uids, size_t n, const struct qresync *q,
                     int (*then)(struct imap_conn *c))
{
    Store__VanishedRequest m = STORE__VANISHED_REQUEST__INIT;

    c->then = then;
    m.session = imap_session(c);
    m.folder_id = c->view->folder_id;
    m.since_modseq = since;
    m.uid_ranges = uids;
    m.n_uid_ranges = n;
    if (q) {
        m.seq_uids = (uint32_t *)(uintptr_t)q->pairs;
        m.n_seq_uids = 2 * q->npairs;
    }
    return imap_ask_store(c, STORE__OP__VANISHED, &m.base, false, vanished_came);
}

/* ---- the answer to SELECT ---- */

struct answer {
    const struct qresync *q;
    const char *code;
};

static int tell_changed(struct imap_conn *c)
{
    CLEANUP(uidranges_release) struct uidranges some = { 0 };
    const struct answer *s = c->step_data;
    int r = s->q->known ? uidranges_pick_uids(&c->view->uids, s->q->known, &some)
                        : uidranges_copy(&some, &c->view->uids);

    if (r < 0)
        return r;
    return fetch_changed(c, &some, s->q->modseq, s->code, "Selected");
}

int qresync_answer(struct imap_conn *c, const struct qresync *q, const char *code)
{
    struct answer *s = ARENA_NEW(&c->arena, struct answer);
    struct uidranges known = { 0 };
    uint32_t *v = NULL, all[2] = { 1, UINT32_MAX };
    size_t n = 0;
    int r = s ? 0 : E_NOMEM;

    for (size_t i = 0; q->known && i < seqset_ranges(q->known) && r == 0; i++)
        r = uidranges_add(&known, seqset_range(q->known, i).lo, seqset_range(q->known, i).hi);
    if (r == 0)
        r = imap_pack_ranges(&c->arena, &known, &n, &v);
    uidranges_release(&known);
    if (r < 0)
        return r;
    *s = (struct answer){ .q = q, .code = code };
    c->step_data = s;
    return qresync_vanished(c, q->modseq, q->known ? v : all, q->known ? n : 2, q, tell_changed);
}
