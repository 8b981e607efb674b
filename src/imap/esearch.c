#include "src/imap/esearch.h"
#include "src/imap/context.h"
#include "src/imap/qresync.h"
#include "lib/mime/charset.h"

#define NUMBERS_AT_ONCE 4000

void esearch_release(struct esearch *e)
{
    free(e->v);
    free(e->scores);
    context_free(&e->context);
    e->v = NULL;
    e->scores = NULL;
    e->n = e->cap = 0;
}

static int room(struct esearch *e, bool scored)
{
    size_t cap = e->cap ? e->cap * 2 : 256;
    uint32_t *v = e->v;
    uint8_t *scores = e->scores;

    if (e->n == e->cap) {
        if (!(v = realloc(e->v, cap * sizeof *v)))
            return E_NOMEM;
        e->v = v;
        if (e->scores && !(scores = realloc(e->scores, cap)))
            return E_NOMEM;
        e->scores = scores;
        e->cap = cap;
    }
    if (scored && !e->scores && !(e->scores = calloc(1, e->cap)))
        return E_NOMEM;
    return 0;
}

int esearch_push(struct esearch *e, uint32_t uid, uint32_t relevance)
{
    uint32_t percent = (relevance + 50) / 100;
    int r = room(e, relevance > 0);

    if (r < 0)
        return r;
    if (e->scores)
        e->scores[e->n] = (uint8_t)(percent < 1 ? 1 : percent > 100 ? 100 : percent);
    e->v[e->n++] = uid;
    return 0;
}

int esearch_add(struct imap_conn *c, struct esearch *e, uint32_t uid)
{
    return uidranges_has(&c->view->uids, uid) ? esearch_push(e, uid, 0) : 0;
}

int esearch_add_scored(struct imap_conn *c, struct esearch *e, uint32_t uid, uint32_t relevance)
{
    return uidranges_has(&c->view->uids, uid) ? esearch_push(e, uid, relevance ? relevance : 1) : 0;
}

static bool charset_known(struct str name)
{
    struct mime_charset cs;
    bool known;

    if (!name.p)
        return true;
    mime_charset_init(&cs, name);
    known = !cs.unknown;
    mime_charset_release(&cs);
    return known;
}

void esearch_forget(struct imap_conn *c, const struct search_program *p)
{
    if (p->returns & SEARCH_RETURN_SAVE)
        uidranges_clear(&c->saved);
}

int esearch_check(struct imap_conn *c, const struct search_program *p)
{
    if (c->uidonly && p->numbers) {
        imap_bad_code(c, "UIDREQUIRED", "UIDONLY is on: name UIDs"); /* RFC 9586 3 */
        return 0;
    }
    if (p->modseq)
        condstore_enable(c);
    if (c->utf8_accept && p->charset.p) { /* RFC 9755 3: it is UTF-8 already */
        imap_bad_code(c, "CLIENTBUG", "With UTF8=ACCEPT no charset is named");
        return 0;
    }
    if (charset_known(p->charset))
        return 1;
    esearch_forget(c, p);
    imap_no(c, "BADCHARSET (US-ASCII UTF-8)", "That charset is not known");
    return 0;
}

int esearch_update(struct imap_conn *c, struct esearch *e, struct args again)
{
    const struct search_view open = { uidranges_count(&c->view->uids), UINT32_MAX };
    struct sort_args s = { .n = 0 };
    int r;

    if (!(e->program.returns & SEARCH_RETURN_UPDATE))
        return 1;
    if (context_has(c, c->tag)) { /* RFC 5267 4.3 */
        imap_bad(c, "Tag reuse");
        return 0;
    }
    r = e->sorted ? sort_args_parse(&again, &open, &s) : search_program_parse(&again, &open, &s.program);
    s.program.open = true;
    if (r == 0)
        e->context = context_new(c, &s.program, e->sorted ? &s : NULL);
    return 1;
}

/* ---- "$" ---- */

/* RFC 5182 2.4: MIN and MAX save themselves only, unless ALL or COUNT is asked for too. */
static int save(struct imap_conn *c, const struct esearch *e)
{
    const uint32_t r = e->program.returns;
    uint32_t lo = UINT32_MAX, hi = 0;
    size_t from = 0, to = e->n;
    int s = 0;

    uidranges_clear(&c->saved);
    if (e->n == 0)
        return 0;
    if (r & SEARCH_RETURN_PARTIAL && !(r & SEARCH_RETURN_COUNT))
        esearch_window(e->n, e->program.partial_from, e->program.partial_to, &from, &to);
    else if ((r & (SEARCH_RETURN_MIN | SEARCH_RETURN_MAX)) &&
             !(r & (SEARCH_RETURN_ALL | SEARCH_RETURN_COUNT)))
        to = 0;
    for (size_t i = 0; i < e->n; i++) {
        lo = e->v[i] < lo ? e->v[i] : lo;
        hi = e->v[i] > hi ? e->v[i] : hi;
    }
    if (from < to)
        s = uidranges_add_all(&c->saved, e->v + from, to - from);
    if (s == 0 && (r & SEARCH_RETURN_MIN))
        s = uidranges_add(&c->saved, e->sorted ? e->v[0] : lo, e->sorted ? e->v[0] : lo);
    if (s == 0 && (r & SEARCH_RETURN_MAX))
        s = uidranges_add(&c->saved, e->sorted ? e->v[e->n - 1] : hi, e->sorted ? e->v[e->n - 1] : hi);
    return s;
}

/* ---- the answer ---- */

static uint32_t number(const struct imap_conn *c, uint32_t uid)
{
    return c->uid ? uid : uidranges_seq(&c->view->uids, uid);
}

/* "* SEARCH 2 84 882", as much as there is room for at a time. */
static int write_numbers(struct imap_conn *c)
{
    struct esearch *e = c->step_data;

    for (int n = 0; n < NUMBERS_AT_ONCE && e->at < e->n; n++)
        resp_printf(&c->w, " %u", number(c, e->v[e->at++]));
    if (e->at < e->n)
        return 0;
    if (e->program.modseq && e->n) /* RFC 7162 3.1.5 */
        resp_printf(&c->w, " (MODSEQ %llu)", (unsigned long long)e->modseq);
    resp_crlf(&c->w);
    imap_ok(c, "Completed");
    c->mid_response = false;
    return 1;
}

/* A set in the order of v: only what follows in that order is joined (RFC 5267 3.2: "2:1" would not do). */
static void write_set(struct imap_conn *c, const struct esearch *e, size_t from, size_t to)
{
    for (size_t i = from; i < to && c->w.r == 0;) {
        struct seq_range r = { number(c, e->v[i]), 0 };

        r.hi = r.lo;
        for (size_t k = i++; i < to && number(c, e->v[i]) == r.hi + 1; k++)
            r.hi = number(c, e->v[i++]);
        c->w.r = seq_range_write(r, r.lo == number(c, e->v[from]), &c->out);
    }
}

void esearch_window(size_t n, int64_t from, int64_t to, size_t *from_out, size_t *to_out)
{
    bool back = from < 0;
    uint64_t a = (uint64_t)(back ? -from : from), b = (uint64_t)(back ? -to : to), swap = a;

    if (a > b) {
        a = b;
        b = swap;
    }
    a = a - 1 < n ? a - 1 : n; /* [a, b) from the end that it counts from */
    b = b < n ? b : n;
    *from_out = (size_t)(back ? n - b : a);
    *to_out = (size_t)(back ? n - a : b);
}

static void write_partial(struct imap_conn *c, const struct esearch *e)
{
    const struct search_program *p = &e->program;
    size_t from, to;

    esearch_window(e->n, p->partial_from, p->partial_to, &from, &to);
    resp_printf(&c->w, " PARTIAL (%lld:%lld ", (long long)p->partial_from, (long long)p->partial_to);
    if (from < to)
        write_set(c, e, from, to);
    else
        resp_z(&c->w, "NIL");
    resp_z(&c->w, ")");
}

/* RELEVANCY (RFC 6203 4): of what is told, in the same order. */
static void write_scores(struct imap_conn *c, const struct esearch *e)
{
    const struct search_program *p = &e->program;
    size_t from = 0, to = e->n;

    if (p->returns & SEARCH_RETURN_PARTIAL)
        esearch_window(e->n, p->partial_from, p->partial_to, &from, &to);
    resp_z(&c->w, " RELEVANCY (");
    for (size_t i = from; i < to && e->scores; i++)
        resp_printf(&c->w, "%s%u", i > from ? " " : "", e->scores[i]);
    resp_z(&c->w, ")");
}

/* "* ESEARCH (TAG "a") UID MIN 7 MAX 9 ALL 7:9 COUNT 3" (RFC 4731 3.1); of SORT, MIN is what comes
 * first in its order, MAX what comes last (RFC 5267 3.2). */
static void write_esearch(struct imap_conn *c, const struct esearch *e)
{
    uint32_t returns = e->program.returns;

    resp_z(&c->w, "* ESEARCH (TAG ");
    resp_string(&c->w, c->tag);
    if (e->mailbox.p) { /* RFC 7377 2.1 */
        resp_z(&c->w, " MAILBOX ");
        resp_mailbox(&c->w, e->mailbox);
        resp_printf(&c->w, " UIDVALIDITY %u", e->uidvalidity);
    }
    resp_printf(&c->w, ")%s", c->uid ? " UID" : "");
    if (e->n && (returns & SEARCH_RETURN_MIN))
        resp_printf(&c->w, " MIN %u", number(c, e->v[0]));
    if (e->n && (returns & SEARCH_RETURN_MAX))
        resp_printf(&c->w, " MAX %u", number(c, e->v[e->n - 1]));
    if (e->n && (returns & SEARCH_RETURN_ALL)) {
        resp_z(&c->w, " ALL ");
        write_set(c, e, 0, e->n);
    }
    if (returns & SEARCH_RETURN_PARTIAL)
        write_partial(c, e);
    if (returns & SEARCH_RETURN_COUNT)
        resp_printf(&c->w, " COUNT %zu", e->n);
    if (returns & SEARCH_RETURN_RELEVANCY)
        write_scores(c, e);
    if (e->program.modseq && e->n)
        resp_printf(&c->w, " MODSEQ %llu", (unsigned long long)e->modseq);
    resp_crlf(&c->w);
}

void esearch_no_update(struct imap_conn *c)
{
    resp_z(&c->w, "* NO [NOUPDATE ");
    resp_string(&c->w, c->tag);
    resp_z(&c->w, "] Too many of these, or too large\r\n");
}

/* RFC 5267 4.3.1: all else is answered as if UPDATE had not been said. */
static void go_on(struct imap_conn *c, struct esearch *e)
{
    if (!(e->program.returns & SEARCH_RETURN_UPDATE) ||
        (e->context && context_keep(c, &e->context, e->v, e->n)))
        return;
    esearch_no_update(c);
}

static void finish(struct imap_conn *c, struct esearch *e)
{
    if (e->program.returns & SEARCH_RETURN_SAVE && save(c, e) < 0) {
        uidranges_clear(&c->saved);
        imap_no(c, "NOTSAVED", "The result could not be kept"); /* RFC 5182 2.1 */
        return;
    }
    if (!e->program.has_return) {
        resp_z(&c->w, e->sorted ? "* SORT" : "* SEARCH");
        c->mid_response = true;
        c->step = write_numbers;
        return;
    }
    go_on(c, e);
    if (e->program.returns != SEARCH_RETURN_SAVE && /* RFC 5182 2.1: SAVE alone says nothing */
        (e->n || !e->mailbox.p))                    /* RFC 7377 2.1: nor does a folder that has none */
        write_esearch(c, e);
    if (e->then)
        e->then(c);
    else
        imap_ok(c, "Completed");
}

/* ---- MODSEQ of MIN and MAX ---- */

static void ends_came(struct imap_conn *c, int status, struct str body)
{
    struct esearch *e = c->step_data;
    Store__SearchResponse *m = NULL;

    if (status == 0 && !(m = RPC_UNPACK(&c->arena, body, store__search_response)))
        status = E_CORRUPT;
    if (status < 0) {
        imap_fail_status(c, status);
        return;
    }
    e->modseq = m->highest_modseq;
    finish(c, e);
}

/* RFC 7162 3.1.10: with MIN or MAX only, MODSEQ is that of what is told. */
static int ask_ends(struct imap_conn *c, const struct esearch *e)
{
    Store__SearchRequest m = STORE__SEARCH_REQUEST__INIT;
    Store__SearchKey *k = ARENA_NEW(&c->arena, Store__SearchKey);
    struct uidranges ends = { 0 };
    uint32_t min = e->v[0], max = e->v[e->n - 1];
    int r = k ? 0 : E_NOMEM;

    if (r == 0 && (e->program.returns & SEARCH_RETURN_MIN))
        r = uidranges_add(&ends, min, min);
    if (r == 0 && (e->program.returns & SEARCH_RETURN_MAX))
        r = uidranges_add(&ends, max, max);
    if (r == 0) {
        store__search_key__init(k);
        k->type = STORE__SEARCH_KEY__TYPE__UID;
        r = imap_pack_ranges(&c->arena, &ends, &k->n_uid_ranges, &k->uid_ranges);
    }
    uidranges_release(&ends);
    if (r < 0)
        return r;
    m.session = imap_session(c);
    m.folder_id = e->folder_id ? e->folder_id : c->view->folder_id;
    m.key = k;
    return imap_ask_store(c, STORE__OP__SEARCH, &m.base, false, ends_came);
}

void esearch_answer(struct imap_conn *c, struct esearch *e)
{
    const uint32_t all = SEARCH_RETURN_ALL | SEARCH_RETURN_COUNT | SEARCH_RETURN_PARTIAL;
    const uint32_t ends = SEARCH_RETURN_MIN | SEARCH_RETURN_MAX;
    int r = 0;

    if (e->program.modseq && e->n && e->program.has_return && (e->program.returns & ends) &&
        !(e->program.returns & all))
        r = ask_ends(c, e);
    else
        finish(c, e);
    if (r < 0)
        imap_fail_status(c, r);
}
