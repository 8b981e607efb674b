#include "src/store/search_private.h"
#include "lib/mime/fold.h"
#include "lib/regex/fold.h"

#define ARENA_MAX MIB(4)
#define T(name)   STORE__SEARCH_KEY__TYPE__##name

/* Fixed-width dates say the years 0 to 9999. */
#define DATE_MIN_MS INT64_C(-62167219200000)
#define DATE_MAX_MS INT64_C(253402214400000)

/* ---- the tree --------------------------------------------------------------------------------- */

static const unsigned char costs[] = {
    [T(NONE)] = 0,      [T(UID)] = 1,         [T(EMAIL_ID)] = 2,        [T(THREAD_ID)] = 2,
    [T(KEYWORD)] = 2,   [T(MODSEQ)] = 3,      [T(FLAGS_SET)] = 3,       [T(INTERNAL_FROM)] = 3,
    [T(SENT_FROM)] = 4, [T(SENT_BEFORE)] = 4, [T(INTERNAL_BEFORE)] = 3, [T(LARGER)] = 4,
    [T(SMALLER)] = 4,   [T(SAVED_FROM)] = 4,  [T(SAVED_BEFORE)] = 4,    [T(ALL)] = 5,
    [T(HEADER)] = 10,   [T(TEXT)] = 10,       [T(BODY)] = 10,           [T(REGEX)] = 15,
};
#define NOT_COST 6u /* needs to know of what */

static unsigned cost_of(const struct node *n)
{
    unsigned most = 0;

    if (n->k->type < ARRAY_LEN(costs) && n->n == 0)
        most = costs[n->k->type];
    for (size_t i = 0; i < n->n; i++)
        most = n->child[i]->cost > most ? n->child[i]->cost : most;
    return n->k->type == T(NOT) ? most + NOT_COST : most;
}

static int by_cost(const void *a, const void *b)
{
    const struct node *x = *(struct node *const *)a, *y = *(struct node *const *)b;

    return x->cost < y->cost ? -1 : x->cost > y->cost;
}

static int fold_to(struct str in, struct buf *out)
{
    out->max = SEARCH_NEEDLE_MAX * MIME_FOLD_GROWTH;
    return in.n > SEARCH_NEEDLE_MAX ? E_LIMIT : mime_fold_append(in, out);
}

static int regex_prepare(struct node *n)
{
    CLEANUP(buf_release) struct buf folded = { .max = SEARCH_NEEDLE_MAX * MIME_FOLD_GROWTH };
    struct str pattern = pb_str(n->k->text);
    int r = pattern.n > REGEX_PATTERN_MAX ? E_LIMIT : regex_fold(pattern, &folded);

    n->literals.max = folded.max;
    if (r < 0 || (r = fold_to(pb_str(n->k->name), &n->name)) < 0 ||
        (r = regex_literals(buf_str(&folded), &n->literals)) < 0)
        return r;
    n->regex = regex_new(folded.p ? folded.p : "", folded.n, NULL, 0);
    return n->regex ? 0 : E_SYNTAX;
}

static int text_prepare(struct node *n)
{
    int r;

    if (n->k->type == T(REGEX))
        return regex_prepare(n);
    if ((r = fold_to(pb_str(n->k->text), &n->needle)) < 0 || (r = fold_to(pb_str(n->k->name), &n->name)) < 0)
        return r;
    n->fuzzy &= n->needle.n > 0; /* that a field is there is no question of how well */
    if (n->fuzzy)
        fuzzy_init(&n->words, buf_str(&n->needle));
    return 0;
}

static int node_new(struct search *s, const Store__SearchKey *k, unsigned depth, bool fuzzy,
                    struct node **out)
{
    struct node *n = ARENA_NEW(&s->arena, struct node);
    int r = 0;

    if (!k || !n)
        return k ? E_NOMEM : E_SYNTAX;
    if (depth > SEARCH_DEPTH_MAX || ++s->nodes > SEARCH_NODES_MAX)
        return E_LIMIT;
    if (k->type == T(FUZZY))
        return k->n_children == 1 ? node_new(s, k->children[0], depth + 1, true, out) : E_SYNTAX;
    *out = n;
    n->k = k;
    n->number = k->number;
    if ((n->fuzzy = fuzzy))
        fuzzy_widen(n);
    n->ms = n->number < DATE_MIN_MS ? DATE_MIN_MS : n->number > DATE_MAX_MS ? DATE_MAX_MS : n->number;
    n->n = k->type == T(AND) || k->type == T(OR) || k->type == T(NOT) ? k->n_children : 0;
    if ((k->type == T(NOT) && n->n != 1) || !(n->child = ARENA_ARRAY(&s->arena, n->n + 1, struct node *)))
        return k->type == T(NOT) && n->n != 1 ? E_SYNTAX : E_NOMEM;
    for (size_t i = 0; i < n->n && r >= 0; i++)
        r = node_new(s, k->children[i], depth + 1, fuzzy && k->type != T(NOT), &n->child[i]);
    if (r < 0)
        return r;
    qsort(n->child, n->n, sizeof(struct node *), by_cost);
    n->cost = cost_of(n);
    return is_text(k) ? text_prepare(n) : 0;
}

static void node_release(struct node *n)
{
    for (size_t i = 0; n && n->child && i < n->n; i++)
        node_release(n->child[i]);
    if (!n)
        return;
    buf_release(&n->needle);
    buf_release(&n->name);
    buf_release(&n->literals);
    regex_free(&n->regex);
    uidset_release(&n->yes);
    uidset_release(&n->maybe);
}

int search_new(const Store__SearchRequest *q, struct search **out)
{
    struct search *s = calloc(1, sizeof *s);
    int r;

    if (!s)
        return E_NOMEM;
    *s = (struct search){
        .q = q, .folder_id = q->folder_id, .scoring = q->relevance, .arena = { .max = ARENA_MAX }
    };
    for (size_t i = 0; i < SEARCH_SHARES; i++) {
        s->share[i].reader.head.max = HEADERS_MAX;
        s->share[i].reader.body.max = REGEX_BODY_MAX + CHUNK_BYTES_MAX;
    }
    pthread_mutex_init(&s->lock, NULL);
    if ((r = node_new(s, q->key, 0, false, &s->root)) < 0) {
        search_free(&s);
        return r;
    }
    *out = s;
    return 0;
}

static void share_release(struct share *h)
{
    uidset_release(&h->found);
    free(h->scored);
    words_release(&h->reader.words);
    buf_release(&h->reader.head);
    buf_release(&h->reader.body);
    buf_release(&h->reader.trimmed);
}

void search_free(struct search **sp)
{
    struct search *s = *sp;

    *sp = NULL;
    if (!s)
        return;
    node_release(s->root);
    uidset_release(&s->all);
    uidset_release(&s->tail);
    uidset_release(&s->found);
    uidset_release(&s->open);
    for (size_t i = 0; i < SEARCH_SHARES; i++)
        share_release(&s->share[i]);
    pthread_mutex_destroy(&s->lock);
    arena_release(&s->arena);
    free(s);
}

void search_stop(struct search *s)
{
    atomic_store(&s->stop, true);
}

uint64_t search_decided(const struct search *s)
{
    uint64_t n = 0;

    for (size_t i = 0; i < SEARCH_SHARES; i++)
        n += s->share[i].decided;
    return n;
}

/* ---- slices ----------------------------------------------------------------------------------- */

int search_all(struct search *s, struct mailbox *box, const struct uidset **out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r =
        s->have_all ? 0 : stmt_get(box->db, "SELECT uid FROM message WHERE folder_id = ?1 ORDER BY uid", &st);

    *out = &s->all;
    if (r < 0 || s->have_all)
        return r;
    stmt_bind_u64(st, 1, s->folder_id);
    while ((r = stmt_step(st)) > 0)
        if ((r = uidset_add(&s->all, (uint32_t)stmt_u64(st, 0))) < 0)
            return r;
    s->have_all = r == 0;
    return r;
}

static int plan(struct search *s, struct mailbox *box)
{
    struct folder f;
    int r = folder_by_id(box, s->folder_id, &f);

    if (r < 0 || (r = node_plan(s, box, s->root, NULL)) < 0)
        return r;
    set_move(&s->found, &s->root->yes);
    /* the root's own sets stay, for its leaf to be asked: a copy */
    if ((r = set_copy(&s->root->maybe, &s->open)) < 0 || (r = set_copy(&s->found, &s->root->yes)) < 0)
        return r;
    if (s->scoring) { /* what matches for certain needs its score all the same */
        struct uidset both = { 0 };

        if ((r = set_or(&s->found, &s->open, &both)) < 0)
            return r;
        set_move(&s->open, &both);
        uidset_release(&s->found);
    }
    s->planned = true;
    return 0;
}

/* The next message that is open; 0: none. */
static uint32_t next_open(struct search *s)
{
    while (s->at < s->open.n) {
        uint32_t first = s->open.v[s->at], last = s->open.v[s->at + 1];
        uint32_t uid = s->next > first ? s->next : first;

        if (uid <= last && uid != 0) {
            s->next = uid + 1;
            return uid;
        }
        s->at += 2;
        s->next = 0;
    }
    return 0;
}

/* 0: nothing is left. */
static size_t share_take(struct search *s, struct share *h)
{
    uint32_t uid;

    h->n = h->at = 0;
    pthread_mutex_lock(&s->lock);
    while (h->n < SHARE_UIDS && (uid = next_open(s)) != 0)
        h->uids[h->n++] = uid;
    pthread_mutex_unlock(&s->lock);
    return h->n;
}

static int decide_one(struct search *s, struct share *h, struct mailbox *box, uint32_t uid)
{
    struct subject m = { .reader = &h->reader, .uid = uid, .nearness = 1 };
    int r = node_decide(s, box, s->root, &m);

    h->decided++;
    if (r > 0 && s->scoring)
        r = fuzzy_keep(h, &m) < 0 ? E_NOMEM : r;
    return r > 0 ? uidset_push(&h->found, uid, uid) : r;
}

static int decide(struct search *s, struct share *h, struct mailbox *box, int64_t until_ms)
{
    int r = 0;

    while (h->at < h->n || share_take(s, h)) {
        if (atomic_load_explicit(&s->stop, memory_order_relaxed))
            return E_CANCELED;
        if ((r = decide_one(s, h, box, h->uids[h->at])) < 0)
            return r;
        h->at++;
        if (clock_mono_ms() >= until_ms)
            return 1;
    }
    return 0;
}

static int share_step(struct search *s, struct share *h, struct mailbox *box, int64_t budget_ms)
{
    CLEANUP(txn_end) struct txn snapshot = { 0 };
    int64_t until = clock_mono_ms() + budget_ms;
    int r = box->txn.db ? 0 : txn_begin_read(&snapshot, box->db);

    if (r < 0)
        return r;
    if (!s->planned) {
        if ((r = plan(s, box)) < 0)
            return r;
        if (search_left(s) >= SEARCH_HELP_TEXTS)
            return 1; /* so that help comes now and not a slice later */
    }
    r = decide(s, h, box, until);
    words_close(&h->reader.words); /* the snapshot ends here, and the next handle may be another */
    h->reader.email_id = 0;
    return r;
}

int search_step(struct search *s, struct mailbox *box, int64_t budget_ms)
{
    return share_step(s, &s->share[0], box, budget_ms);
}

int search_help(struct search *s, struct mailbox *box, int64_t budget_ms)
{
    return s->planned ? share_step(s, &s->share[1], box, budget_ms) : E_BUG;
}

uint64_t search_left(const struct search *s)
{
    uint64_t n = 0;

    for (size_t i = s->at; i < s->open.n; i += 2)
        n += s->open.v[i + 1] - (i == s->at && s->next > s->open.v[i] ? s->next : s->open.v[i]) + 1;
    for (size_t i = 0; i < SEARCH_SHARES; i++)
        n += s->share[i].n - s->share[i].at;
    return n;
}

/* ---- the answer ------------------------------------------------------------------------------- */

/* The last one that came has the highest modseq of all that did not change since. */
static int last_modseq(struct search *s, struct mailbox *box, uint64_t *out)
{
    static const char sql[] = "SELECT modseq FROM message WHERE folder_id = ?1 AND uid = ?2";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, s->folder_id);
    stmt_bind_u64(st, 2, s->found.v[s->found.n - 1]);
    if ((r = stmt_step(st)) > 0)
        *out = stmt_u64(st, 0);
    return r < 0 ? r : 0;
}

/* The highest modseq of what was found: the newest changes are looked at until one is of it. */
static int highest_modseq(struct search *s, struct mailbox *box, uint64_t *out)
{
    static const char sql[] =
        "SELECT modseq, uid FROM message INDEXED BY message_changed WHERE folder_id = ?1 "
        "AND modseq > added AND modseq > ?2 ORDER BY modseq DESC";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = s->found.n ? last_modseq(s, box, out) : 0;

    if (r < 0 || !s->found.n || (r = stmt_get(box->db, sql, &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, s->folder_id);
    stmt_bind_u64(st, 2, *out);
    while ((r = stmt_step(st)) > 0)
        if (set_has(&s->found, (uint32_t)stmt_u64(st, 1))) {
            *out = stmt_u64(st, 0);
            return 0;
        }
    return r;
}

int search_answer(struct search *s, struct mailbox *box, struct arena *a, Store__SearchResponse *out)
{
    int r = 0;

    for (size_t i = 0; i < SEARCH_SHARES; i++) {
        const struct uidset *part = &s->share[i].found;

        for (size_t k = 0; k + 1 < part->n; k += 2)
            if ((r = uidset_push(&s->found, part->v[k], part->v[k + 1])) < 0)
                return r;
        uidset_release(&s->share[i].found);
    }
    uidset_normalize(&s->found);
    r = s->scoring ? fuzzy_answer(s, a, out) : 0;
    if (r >= 0)
        r = highest_modseq(s, box, &out->highest_modseq);
    return r < 0 ? r : uidset_export(&s->found, a, &out->uid_ranges, &out->n_uid_ranges);
}

static void search_end(struct search **s)
{
    search_free(s);
}

int mailbox_search(struct mailbox *box, struct arena *a, const Store__SearchRequest *q,
                   Store__SearchResponse *out)
{
    CLEANUP(search_end) struct search *s = NULL;
    int r = search_new(q, &s);

    while (r == 0 && (r = search_step(s, box, INT32_MAX)) == 1)
        r = 0;
    return r < 0 ? r : search_answer(s, box, a, out);
}
