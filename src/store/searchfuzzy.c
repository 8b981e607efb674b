/* src/store/searchfuzzy.c: FUZZY (RFC 6203). The trigram index says how much of each word an email may
 * have: a typo breaks three or four of a word's trigrams, the others are there. The emails that have the most
 * are looked at, at most FUZZY_TEXTS_MAX of them, and their text decides and gives the score (lib/match). So
 * the work is bounded however large the mailbox and however common the words. */
#include "lib/mime/charset.h"
#include "src/store/search_private.h"
#include <math.h>

#define FUZZY_TEXTS_MAX 4000u    /* looked at for one key */
#define FUZZY_TEXTS_MIN 500u     /* beyond these only what has at least this part ... */
#define FUZZY_HOPE_MIN  0.6F     /* ... of what the best one has */
#define FUZZY_ROWS_MAX  4000000u /* of the index read for one key; what is left of the question is not asked */
#define FUZZY_IDS_MAX   (1u << 23)              /* beyond it the index is not asked */
#define FUZZY_BODY_MAX  KIB(256)                /* of a body that is looked at */
#define NEAR_MS         (7 * INT64_C(86400000)) /* so far outside a date is still near it */
#define NEAR_PART       4                       /* a quarter more or less is still about the size */
#define POLL_ROWS       1024u
#define SCORE_TOP       10000u
#define RECENT_MS       (30.0 * 86400000.0)

#define T(name) STORE__SEARCH_KEY__TYPE__##name

/* ---- candidates ------------------------------------------------------------------------------- */

/* By email id. */
struct hopes {
    size_t n;       /* ids are below it */
    uint8_t *parts; /* of the word under way: how many of its trigrams are there */
    uint8_t *words; /* so many words may be there */
    float *hope;    /* what they would be worth */
    int64_t emails;
    uint64_t rows; /* read so far */
};

static void hopes_release(struct hopes *h)
{
    free(h->parts);
    free(h->words);
    free(h->hope);
}

static int hopes_init(struct hopes *h, struct mailbox *box)
{
    int64_t max = 0;
    int r;

    if ((r = db_get_i64(box->db, "SELECT coalesce(max(id), 0) FROM email", &max)) < 0 ||
        (r = db_get_i64(box->db, "SELECT count(*) FROM email", &h->emails)) < 0)
        return r;
    if (max >= (int64_t)FUZZY_IDS_MAX)
        return E_LIMIT;
    h->n = (size_t)max + 1;
    h->parts = malloc(h->n);
    h->words = calloc(h->n, 1);
    h->hope = calloc(h->n, sizeof *h->hope);
    return h->parts && h->words && h->hope ? 0 : E_NOMEM;
}

/* One more of the word's trigrams: the emails that have it. 1: it was read; 0: enough was read already. */
static int part_count(struct search *s, struct mailbox *box, struct hopes *h, struct str tri)
{
    CLEANUP(buf_release) struct buf expr = { .max = 256 };
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    if (h->rows >= FUZZY_ROWS_MAX)
        return 0;
    if ((r = index_term_put(tri, &expr)) < 0 ||
        (r = stmt_get(box->db, "SELECT rowid FROM search_index WHERE search_index MATCH ?1", &st)) < 0)
        return r;
    stmt_bind_str(st, 1, buf_str(&expr));
    while ((r = stmt_step(st)) > 0) {
        uint64_t id = stmt_u64(st, 0);

        if (id < h->n && h->parts[id] < UINT8_MAX)
            h->parts[id]++;
        if (++h->rows % POLL_ROWS == 0 && atomic_load_explicit(&s->stop, memory_order_relaxed))
            return E_CANCELED;
    }
    return r < 0 ? r : 1;
}

/* One or two letters that need not begin a word: the terms that begin with them. */
static int short_count(struct search *s, struct mailbox *box, struct hopes *h, struct str text)
{
    CLEANUP(idbits_release) struct idbits ids = { 0 };
    int r = index_ask_prefix(s, box, text, &ids);

    for (size_t w = 0; w < ids.words && r >= 0; w++)
        for (uint64_t left = ids.w[w]; left; left &= left - 1) {
            size_t id = w * 64 + (size_t)__builtin_ctzll(left);

            if (id < h->n)
                h->parts[id] = 1;
        }
    h->rows += ids.count;
    return r < 0 ? r : 1;
}

/* Trigrams of " word ", so that begin and end count too. Returns how many were read. */
static int long_count(struct search *s, struct mailbox *box, struct hopes *h, struct str text)
{
    CLEANUP(buf_release) struct buf padded = { .max = KIB(1) };
    struct str rest, tri;
    int parts = 0, r;

    if ((r = buf_putc(&padded, ' ')) < 0 || (r = buf_puts(&padded, str_slice(text, 0, 256))) < 0 ||
        (r = buf_putc(&padded, ' ')) < 0)
        return r;
    for (rest = buf_str(&padded); parts < 40 && (tri = text_trigram(rest)).n; parts += r) {
        size_t first = (size_t)mime_utf8_bytes((const unsigned char *)rest.p, rest.n);

        if ((r = part_count(s, box, h, tri)) < 0)
            return r;
        if (r == 0)
            break;
        rest = str_skip(rest, first);
    }
    return parts;
}

/* The word is counted: what that gives rise to, for each email. */
static void word_hope(struct hopes *h, struct fuzzy_word *w, unsigned parts, unsigned need)
{
    unsigned whole = parts > 2 && !w->letters.bare ? parts - 2 : parts;
    uint64_t have = 0;

    for (size_t id = 0; id < h->n; id++)
        have += h->parts[id] >= whole;
    w->weight = log(1 + ((double)h->emails - (double)have + 0.5) / ((double)have + 0.5));
    w->weight = w->weight > 0.1 ? w->weight : 0.1;
    for (size_t id = 0; id < h->n; id++)
        if (h->parts[id] >= need) {
            h->words[id] += !w->aside;
            h->hope[id] += (float)(w->weight * h->parts[id] / (parts ? parts : 1));
        }
}

static int word_count(struct search *s, struct mailbox *box, struct hopes *h, struct fuzzy_word *w)
{
    unsigned letters = (unsigned)text_letters(w->text), broken, parts;
    int r;

    memset(h->parts, 0, h->n);
    if (w->letters.bare || letters < 3)
        r = short_count(s, box, h, w->text);
    else
        r = long_count(s, box, h, w->text);
    if (r < 0)
        return r;
    parts = (unsigned)r;
    /* Those of begin and end, where other signs than spaces may stand; two letters that changed places break
     * four. */
    broken = w->letters.bare ? 0 : 2 + (w->typos == 0 ? 0 : w->typos == 1 ? 4 : 7);
    word_hope(h, w, parts, parts == 0 ? 0 : parts > broken ? parts - broken : 1);
    return 0;
}

/* ---- the best of them ------------------------------------------------------------------------- */

struct hopeful {
    uint32_t uid;
    float hope;
};

struct hopefuls {
    struct hopeful *v;
    size_t n, cap;
};

static void hopefuls_release(struct hopefuls *l)
{
    free(l->v);
}

static int hopeful_add(struct hopefuls *l, uint32_t uid, float hope)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 1024;
        struct hopeful *v = realloc(l->v, cap * sizeof *v);

        if (!v)
            return E_NOMEM;
        l->v = v;
        l->cap = cap;
    }
    l->v[l->n++] = (struct hopeful){ uid, hope };
    return 0;
}

/* The best first; of equal ones the newest. */
static int by_hope(const void *a, const void *b)
{
    const struct hopeful *x = a, *y = b;

    if (x->hope != y->hope)
        return x->hope > y->hope ? -1 : 1;
    return x->uid > y->uid ? -1 : x->uid < y->uid;
}

static int folder_pick(struct search *s, struct mailbox *box, const struct hopes *h, unsigned quorum,
                       const struct uidset *bound, struct hopefuls *out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "SELECT uid, email_id FROM message WHERE folder_id = ?1 ORDER BY uid", &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, s->folder_id);
    while ((r = stmt_step(st)) > 0) {
        uint32_t uid = (uint32_t)stmt_u64(st, 0);
        uint64_t id = stmt_u64(st, 1);

        if (id < h->n && h->words[id] >= quorum && (!bound || set_has(bound, uid)) &&
            (r = hopeful_add(out, uid, h->hope[id])) < 0)
            return r;
    }
    return r;
}

int fuzzy_candidates(struct search *s, struct mailbox *box, struct node *n, const struct uidset *bound,
                     struct uidset *out)
{
    CLEANUP(hopefuls_release) struct hopefuls list = { 0 };
    CLEANUP(hopes_release) struct hopes h = { 0 };
    int r = hopes_init(&h, box);

    if (r < 0)
        return r == E_LIMIT ? 0 : r;
    for (unsigned i = 0; i < n->words.n; i++)
        if ((r = word_count(s, box, &h, &n->words.word[i])) < 0)
            return r;
    if ((r = folder_pick(s, box, &h, n->words.quorum, bound, &list)) < 0)
        return r;
    if (list.n > FUZZY_TEXTS_MIN)
        qsort(list.v, list.n, sizeof *list.v, by_hope);
    for (size_t i = 0; i < list.n && i < FUZZY_TEXTS_MAX; i++) {
        if (i >= FUZZY_TEXTS_MIN && list.v[i].hope < FUZZY_HOPE_MIN * list.v[0].hope)
            break;
        if ((r = uidset_push(out, list.v[i].uid, list.v[i].uid)) < 0)
            return r;
    }
    uidset_normalize(out);
    return 1;
}

/* ---- one message ------------------------------------------------------------------------------ */

/* What a word is worth in a field; what programs wrote for programs is not looked at. */
static double worth_of(struct str name)
{
    static const struct {
        const char *name;
        double worth;
    } fields[] = {
        { "subject", 5 },
        { "from", 4 },
        { "to", 2 },
        { "cc", 2 },
        { "reply-to", 2 },
        { "sender", 2 },
        { "bcc", 2 },
        { "keywords", 3 },
        { "comments", 2 },
        { "filename", 2 },
        { "received", 0 },
        { "dkim-signature", 0 },
        { "authentication-results", 0 },
        { "date", 0.2 },
    };

    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (str_eq_z(name, fields[i].name))
            return fields[i].worth;
    return str_starts(name, STR("arc-")) || str_ends(name, STR("signature")) ? 0 : 0.3;
}

static void look_at_head(const struct node *n, struct str head, struct fuzzy_tally *t)
{
    bool one = n->k->type == T(HEADER);
    struct str line, name, value;

    while (head.n) {
        double worth;

        str_cut(head, '\n', &line, &head);
        if (!str_cut(line, ':', &name, &value) || (one && !str_eq(name, buf_str(&n->name))))
            continue;
        if ((worth = one ? 4 : worth_of(name)) > 0)
            fuzzy_look(&n->words, value, worth, t);
    }
}

/* A long text has every word some time: the same word says less there. */
static void look_at_body(const struct node *n, struct str body, struct fuzzy_tally *t)
{
    double worth = 1 / (0.75 + 0.25 * (double)body.n / 2000);
    struct str label = STR("filename: "), line;

    while (str_starts(body, label)) {
        str_cut(body, '\n', &line, &body);
        fuzzy_look(&n->words, str_skip(line, label.n), 2, t);
    }
    fuzzy_look(&n->words, str_slice(body, 0, FUZZY_BODY_MAX), worth > 0.3 ? worth : 0.3, t);
}

int fuzzy_decide(struct node *n, struct subject *m)
{
    struct fuzzy_tally t = { .phrase = false };
    struct reader *rd = m->reader;
    double score, age;
    int r = n->k->type == T(BODY) ? 0 : reader_head(rd);

    if (r < 0)
        return r;
    if (n->k->type != T(BODY))
        look_at_head(n, buf_str(&rd->head), &t);
    if (n->k->type != T(HEADER)) {
        if ((r = reader_body(rd)) < 0)
            return r;
        look_at_body(n, buf_str(&rd->body), &t);
    }
    if ((score = fuzzy_score(&n->words, &t)) <= 0)
        return 0;
    age = (double)(clock_wall_ms() - m->internal_ms) / RECENT_MS;
    m->score += score * (1 + 0.02 / (1 + (age > 0 ? age : 0))); /* of equal ones, the newer */
    return 1;
}

/* ---- dates and sizes -------------------------------------------------------------------------- */

void fuzzy_widen(struct node *n)
{
    switch (n->k->type) {
    case T(INTERNAL_FROM):
    case T(SENT_FROM):
    case T(SAVED_FROM): n->number -= NEAR_MS; break;
    case T(INTERNAL_BEFORE):
    case T(SENT_BEFORE):
    case T(SAVED_BEFORE): n->number += NEAR_MS; break;
    case T(LARGER): n->number -= n->number / NEAR_PART; break;
    case T(SMALLER): n->number += n->number / NEAR_PART; break;
    default: n->fuzzy = is_text(n->k) && n->k->type != T(REGEX); break;
    }
}

void fuzzy_near(const struct node *n, struct subject *m)
{
    double said = (double)n->k->number, is, off;

    switch (n->k->type) {
    case T(INTERNAL_FROM):
    case T(INTERNAL_BEFORE): is = (double)m->internal_ms; break;
    case T(SAVED_FROM):
    case T(SAVED_BEFORE): is = (double)m->saved_ms; break;
    case T(LARGER):
    case T(SMALLER): is = (double)m->bytes; break;
    default: return;
    }
    off = n->k->type == T(INTERNAL_FROM) || n->k->type == T(SAVED_FROM) || n->k->type == T(LARGER)
              ? said - is
              : is - said;
    if (off > 0)
        m->nearness /= 1 + off / (n->k->type == T(LARGER) || n->k->type == T(SMALLER) ? said / NEAR_PART + 1
                                                                                      : (double)NEAR_MS / 2);
}

/* ---- the answer ------------------------------------------------------------------------------- */

int fuzzy_keep(struct share *h, const struct subject *m)
{
    double score = (m->score > 0 ? m->score : 1) * m->nearness;

    if (h->nscored == h->scored_cap) {
        size_t cap = h->scored_cap ? h->scored_cap * 2 : 256;
        struct scored *v = realloc(h->scored, cap * sizeof *v);

        if (!v)
            return E_NOMEM;
        h->scored = v;
        h->scored_cap = cap;
    }
    h->scored[h->nscored++] = (struct scored){ m->uid, (float)score };
    return 0;
}

static int by_uid(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;

    return x->uid < y->uid ? -1 : x->uid > y->uid;
}

/* The best is 100 per cent (RFC 6203 4: the whole range is used). */
int fuzzy_answer(struct search *s, struct arena *a, Store__SearchResponse *out)
{
    size_t n = 0, at = 0;
    struct scored *all;
    float best = 0;

    for (size_t i = 0; i < SEARCH_SHARES; i++)
        n += s->share[i].nscored;
    if (!(all = ARENA_ARRAY(a, n ? n : 1, struct scored)) ||
        !(out->relevance = ARENA_ARRAY(a, n ? n : 1, uint32_t)))
        return E_NOMEM;
    for (size_t i = 0; i < SEARCH_SHARES; i++)
        for (size_t k = 0; k < s->share[i].nscored; k++) {
            all[at] = s->share[i].scored[k];
            best = all[at].score > best ? all[at].score : best;
            at++;
        }
    qsort(all, n, sizeof *all, by_uid);
    for (size_t i = 0; i < n; i++) {
        uint32_t part = (uint32_t)(all[i].score / best * SCORE_TOP);

        out->relevance[i] = part < 1 ? 1 : part > SCORE_TOP ? SCORE_TOP : part;
    }
    out->n_relevance = n;
    return 0;
}
