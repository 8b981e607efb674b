/* src/store/thread.c: THREAD (RFC 5256 3): ORDEREDSUBJECT; REFERENCES; and REFS, which is REFERENCES
 * without its step 5 (subjects gather nothing) and with the threads in order of their newest message,
 * by arrival.
 *
 * Nodes lie in one array and point at each other by number; 0 is the root that holds the forest. A node
 * without a UID is a dummy: an id that was named and is not here. Nothing recurses: how deep a thread
 * is, its senders decide. */
#include "src/store/mailbox_private.h"
#include "lib/base/hex.h"
#include "lib/base/rand.h"

#define REF_BYTES 16u
#define NODES_MAX 8000000u
#define TEXTS_MAX MIB(256) /* of subjects, in one THREAD */
#define ROOT      0u

struct node {
    uint32_t parent, child, last, next, prev; /* 0: none; last: the newest child */
    uint32_t uid;                             /* 0: a dummy */
    int64_t date;
    struct str subject;
    bool reply, gone;
    uint8_t id[REF_BYTES];
};

struct threads {
    struct mailbox *box;
    Store__ThreadRequest__Algorithm how;
    uint64_t folder_id, salt;
    struct arena texts;
    struct node *v;
    size_t n, cap;
    uint32_t *table; /* node by id; a power of 2 */
    size_t slots, used;
    uint32_t *list; /* scratch: siblings */
    size_t list_cap;
};

static void threads_release(struct threads *t)
{
    free(t->v);
    free(t->table);
    free(t->list);
    arena_release(&t->texts);
}

static int node_new(struct threads *t, uint32_t *out)
{
    if (t->n == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 1024;
        struct node *v = cap > NODES_MAX ? NULL : realloc(t->v, cap * sizeof *v);

        if (!v)
            return cap > NODES_MAX ? E_LIMIT : E_NOMEM;
        t->v = v;
        t->cap = cap;
    }
    t->v[t->n] = (struct node){ 0 };
    *out = (uint32_t)t->n++;
    return 0;
}

/* ---- links ------------------------------------------------------------------------------------ */

static void unlink_node(struct threads *t, uint32_t x)
{
    struct node *n = &t->v[x];

    if (n->prev)
        t->v[n->prev].next = n->next;
    else if (t->v[n->parent].child == x)
        t->v[n->parent].child = n->next;
    if (n->next)
        t->v[n->next].prev = n->prev;
    if (t->v[n->parent].last == x)
        t->v[n->parent].last = n->prev;
    n->parent = n->next = n->prev = 0;
}

static void link_node(struct threads *t, uint32_t parent, uint32_t x)
{
    struct node *p = &t->v[parent], *n = &t->v[x];

    n->parent = parent;
    n->next = 0;
    n->prev = p->last;
    if (p->last)
        t->v[p->last].next = x;
    else
        p->child = x;
    p->last = x;
}

/* Would `x` below `parent` be its own ancestor? A node without children cannot. */
static bool loops(const struct threads *t, uint32_t parent, uint32_t x)
{
    if (parent == x)
        return true;
    if (!t->v[x].child)
        return false;
    for (; parent != ROOT; parent = t->v[parent].parent)
        if (parent == x)
            return true;
    return false;
}

/* ---- ids -------------------------------------------------------------------------------------- */

static size_t slot_of(const struct threads *t, const uint8_t *id)
{
    uint64_t k;

    memcpy(&k, id, sizeof k);
    k = (k ^ t->salt) * UINT64_C(0x9e3779b97f4a7c15); /* a sender cannot choose where ids fall */
    k = (k ^ (k >> 32)) * (t->salt | 1);
    return (size_t)(k >> 20) & (t->slots - 1);
}

static void table_put(struct threads *t, uint32_t x)
{
    size_t i = slot_of(t, t->v[x].id);

    while (t->table[i])
        i = (i + 1) & (t->slots - 1);
    t->table[i] = x;
    t->used++;
}

static int table_grow(struct threads *t)
{
    uint32_t *old = t->table;
    size_t slots = t->slots;

    if (!(t->table = calloc(slots ? slots * 2 : 4096, sizeof *t->table))) {
        t->table = old;
        return E_NOMEM;
    }
    t->slots = slots ? slots * 2 : 4096;
    t->used = 0;
    for (size_t i = 0; i < slots; i++)
        if (old[i])
            table_put(t, old[i]);
    free(old);
    return 0;
}

/* The node of this id, made when there is none; new ones stand at the root. */
static int node_of(struct threads *t, const uint8_t *id, uint32_t *out)
{
    int r;

    if (t->used * 2 >= t->slots && (r = table_grow(t)) < 0)
        return r;
    for (size_t i = slot_of(t, id); t->table[i]; i = (i + 1) & (t->slots - 1))
        if (memcmp(t->v[t->table[i]].id, id, REF_BYTES) == 0) {
            *out = t->table[i];
            return 0;
        }
    if ((r = node_new(t, out)) < 0)
        return r;
    memcpy(t->v[*out].id, id, REF_BYTES);
    link_node(t, ROOT, *out);
    table_put(t, *out);
    return 0;
}

/* ---- step 1 ----------------------------------------------------------------------------------- */

/* The message's own node: a repeated id, or none, is an id of its own. */
static int own_node(struct threads *t, const uint8_t *id, uint32_t *out)
{
    static const uint8_t none[REF_BYTES];
    int r;

    if (memcmp(id, none, REF_BYTES) != 0 && ((r = node_of(t, id, out)) < 0 || t->v[*out].uid == 0))
        return r;
    if ((r = node_new(t, out)) < 0)
        return r;
    link_node(t, ROOT, *out);
    return 0;
}

static int add_references(struct threads *t, uint32_t x, struct str refs)
{
    uint32_t before = ROOT, ref = ROOT;
    int r;

    for (size_t at = REF_BYTES; at + REF_BYTES <= refs.n; at += REF_BYTES) {
        if ((r = node_of(t, (const uint8_t *)refs.p + at, &ref)) < 0)
            return r;
        if (before && t->v[ref].parent == ROOT && !loops(t, before, ref)) {
            unlink_node(t, ref);
            link_node(t, before, ref);
        }
        before = ref;
    }
    /* What others said of its parent was a guess; what it says itself counts, also when it says none. */
    if (before != ROOT && loops(t, before, x))
        return 0;
    unlink_node(t, x);
    link_node(t, before, x);
    return 0;
}

static int add_message(struct threads *t, struct stmt *st)
{
    struct str refs = stmt_str(st, 5), date = stmt_str(st, 1), subject;
    static const uint8_t none[REF_BYTES];
    uint32_t x = 0;
    int r = own_node(t, refs.n >= REF_BYTES ? (const uint8_t *)refs.p : none, &x);

    if (r < 0)
        return r;
    subject = arena_dup(&t->texts, stmt_str(st, 3));
    if (!subject.p)
        return E_LIMIT;
    t->v[x].uid = (uint32_t)stmt_u64(st, 0);
    t->v[x].subject = subject;
    t->v[x].reply = stmt_i64(st, 4) != 0;
    if (t->how == STORE__THREAD_REQUEST__ALGORITHM__REFS)
        date = stmt_str(st, 2);
    if (!clock_from_iso(date.p, date.n, &t->v[x].date))
        t->v[x].date = 0;
    return t->how == STORE__THREAD_REQUEST__ALGORITHM__ORDEREDSUBJECT ? 0 : add_references(t, x, refs);
}

static int load(struct threads *t, const Store__SearchResponse *found)
{
    static const char sql[] =
        "SELECT m.uid, coalesce(e.sent, m.internal), m.internal, coalesce(e.subject, s.subject), coalesce(e.reply, s.reply), "
        "coalesce(e.refs, s.refs) FROM message m JOIN email e ON e.id = m.email_id "
        "LEFT JOIN email_sort s ON s.email_id = m.email_id AND e.subject IS NULL "
        "WHERE m.folder_id = ?1 AND m.uid BETWEEN ?2 AND ?3 ORDER BY m.uid";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    uint32_t root = 0;
    int r;

    if ((r = node_new(t, &root)) < 0 || (r = stmt_get(t->box->db, sql, &st)) < 0)
        return r;
    for (size_t i = 0; i + 1 < found->n_uid_ranges; i += 2) {
        stmt_reset(st);
        stmt_bind_u64(st, 1, t->folder_id);
        stmt_bind_u64(st, 2, found->uid_ranges[i]);
        stmt_bind_u64(st, 3, found->uid_ranges[i + 1]);
        while ((r = stmt_step(st)) > 0)
            if ((r = add_message(t, st)) < 0)
                return r;
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- siblings --------------------------------------------------------------------------------- */

static int64_t date_of(const struct threads *t, uint32_t x)
{
    const struct node *n = &t->v[x];

    return n->uid || !n->child ? n->date : t->v[n->child].date;
}

static uint32_t uid_of(const struct threads *t, uint32_t x)
{
    const struct node *n = &t->v[x];

    return n->uid || !n->child ? n->uid : t->v[n->child].uid;
}

static int by_date(const void *x, const void *y, void *ctx)
{
    uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
    int64_t da = date_of(ctx, a), db = date_of(ctx, b);
    uint32_t ua = uid_of(ctx, a), ub = uid_of(ctx, b);

    return da != db ? (da > db) - (da < db) : (ua > ub) - (ua < ub);
}

static int by_subject(const void *x, const void *y, void *ctx)
{
    const struct threads *t = ctx;
    int d = str_cmp(t->v[*(const uint32_t *)x].subject, t->v[*(const uint32_t *)y].subject);

    return d ? d : by_date(x, y, ctx);
}

/* The children of `parent` in t->list; how many. */
static int list_children(struct threads *t, uint32_t parent, size_t *n_out)
{
    size_t n = 0;

    for (uint32_t x = t->v[parent].child; x; x = t->v[x].next) {
        if (n == t->list_cap) {
            size_t cap = t->list_cap ? t->list_cap * 2 : 1024;
            uint32_t *v = realloc(t->list, cap * sizeof *v);

            if (!v)
                return E_NOMEM;
            t->list = v;
            t->list_cap = cap;
        }
        t->list[n++] = x;
    }
    *n_out = n;
    return 0;
}

/* t->list becomes the children of `parent`, in this order. */
static void set_children(struct threads *t, uint32_t parent, size_t n)
{
    t->v[parent].child = t->v[parent].last = 0;
    for (size_t i = 0; i < n; i++)
        link_node(t, parent, t->list[i]);
}

static int sort_children(struct threads *t, uint32_t parent,
                         int (*cmp)(const void *x, const void *y, void *ctx))
{
    size_t n = 0;
    int r = list_children(t, parent, &n);

    if (r < 0 || n < 2)
        return r;
    qsort_r(t->list, n, sizeof *t->list, cmp, t);
    set_children(t, parent, n);
    return 0;
}

/* Siblings at every level; the root last, since a dummy there counts as its first child. */
static int sort_all(struct threads *t)
{
    int r = 0;

    for (uint32_t x = 1; x < t->n && r >= 0; x++)
        if (!t->v[x].gone && t->v[x].child && t->v[x].child != t->v[x].last)
            r = sort_children(t, x, by_date);
    return r < 0 ? r : sort_children(t, ROOT, by_date);
}

/* ---- steps 2 and 3: dummies go ----------------------------------------------------------------- */

/* Put the children of x where x stands. */
static void promote(struct threads *t, uint32_t x)
{
    uint32_t parent = t->v[x].parent;

    for (uint32_t c = t->v[x].child, next; c; c = next) {
        next = t->v[c].next;
        unlink_node(t, c);
        link_node(t, parent, c);
    }
    unlink_node(t, x);
    t->v[x].gone = true;
}

/* A dummy whose children are gone goes, which may leave its parent without any. */
static void drop_empty(struct threads *t, uint32_t x)
{
    while (x != ROOT && !t->v[x].uid && !t->v[x].child && !t->v[x].gone) {
        uint32_t parent = t->v[x].parent;

        unlink_node(t, x);
        t->v[x].gone = true;
        x = parent;
    }
}

static void prune(struct threads *t)
{
    for (uint32_t x = 1; x < t->n; x++)
        drop_empty(t, x);
    for (uint32_t x = 1; x < t->n; x++) {
        const struct node *n = &t->v[x];

        if (!n->gone && !n->uid && n->parent != ROOT)
            promote(t, x);
    }
    for (uint32_t x = 1; x < t->n; x++) /* at the root only those that hold several together stay */
        if (!t->v[x].gone && !t->v[x].uid && t->v[x].child == t->v[x].last)
            promote(t, x);
}

/* ---- step 5: same subjects gather -------------------------------------------------------------- */

static const struct node *speaks_for(const struct threads *t, uint32_t x)
{
    const struct node *n = &t->v[x];

    return n->uid || !n->child ? n : &t->v[n->child];
}

static int by_root_subject(const void *x, const void *y, void *ctx)
{
    const struct threads *t = ctx;
    uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
    int d = str_cmp(speaks_for(t, a)->subject, speaks_for(t, b)->subject);

    return d ? d : by_date(x, y, ctx);
}

/* 5.B: which of those of one subject holds the others: a dummy before others, then no reply. */
static bool better(const struct threads *t, uint32_t x, uint32_t than)
{
    bool dummy = !t->v[x].uid, other = !t->v[than].uid;

    if (dummy != other)
        return dummy;
    return !dummy && !speaks_for(t, x)->reply && speaks_for(t, than)->reply;
}

/* 5.C: x joins *holder, or both stand below a new dummy, which is the holder then. */
static int gather(struct threads *t, uint32_t *holder, uint32_t x)
{
    bool x_dummy = !t->v[x].uid, h_dummy = !t->v[*holder].uid;
    uint32_t both = 0;
    int r;

    if (x_dummy && h_dummy) {
        for (uint32_t c = t->v[x].child, next; c; c = next) {
            next = t->v[c].next;
            unlink_node(t, c);
            link_node(t, *holder, c);
        }
        unlink_node(t, x);
        t->v[x].gone = true;
        return 0;
    }
    if (h_dummy || (speaks_for(t, x)->reply && !speaks_for(t, *holder)->reply)) {
        unlink_node(t, x);
        link_node(t, *holder, x);
        return 0;
    }
    if ((r = node_new(t, &both)) < 0)
        return r;
    link_node(t, ROOT, both);
    unlink_node(t, *holder);
    unlink_node(t, x);
    link_node(t, both, *holder);
    link_node(t, both, x);
    *holder = both;
    return 0;
}

static int gather_group(struct threads *t, const uint32_t *v, size_t n)
{
    uint32_t holder = v[0], first;
    int r = 0;

    for (size_t i = 1; i < n; i++)
        if (better(t, v[i], holder))
            holder = v[i];
    first = holder;
    for (size_t i = 0; i < n && r >= 0; i++)
        if (v[i] != first)
            r = gather(t, &holder, v[i]);
    return r;
}

static int gather_subjects(struct threads *t)
{
    uint32_t *v;
    size_t n = 0;
    int r = list_children(t, ROOT, &n);

    if (r < 0 || n < 2)
        return r;
    if (!(v = malloc(n * sizeof *v)))
        return E_NOMEM;
    memcpy(v, t->list, n * sizeof *v);
    qsort_r(v, n, sizeof *v, by_root_subject, t);
    for (size_t i = 0, k; i < n && r >= 0; i = k) {
        struct str subject = speaks_for(t, v[i])->subject;

        for (k = i + 1; k < n && str_eq(speaks_for(t, v[k])->subject, subject);)
            k++;
        if (subject.n && k > i + 1)
            r = gather_group(t, v + i, k - i);
    }
    free(v);
    return r;
}

/* ---- the forest -------------------------------------------------------------------------------- */

static uint32_t next_node(const struct threads *t, uint32_t x, uint32_t top, uint32_t *depth)
{
    if (t->v[x].child) {
        ++*depth;
        return t->v[x].child;
    }
    while (x != top && !t->v[x].next) {
        x = t->v[x].parent;
        --*depth;
    }
    return x == top ? 0 : t->v[x].next;
}

/* REFS: a thread is as new as its newest message. */
static int newest_last(struct threads *t)
{
    for (uint32_t root = t->v[ROOT].child; root; root = t->v[root].next) {
        int64_t newest = INT64_MIN;
        uint32_t depth = 0;

        for (uint32_t x = root; x; x = next_node(t, x, root, &depth))
            if (t->v[x].uid && t->v[x].date > newest)
                newest = t->v[x].date;
        t->v[root].date = newest;
    }
    /* date_of() looks at a dummy's first child: give it the same */
    for (uint32_t root = t->v[ROOT].child; root; root = t->v[root].next)
        if (!t->v[root].uid && t->v[root].child)
            t->v[t->v[root].child].date = t->v[root].date;
    return sort_children(t, ROOT, by_date);
}

static int write_forest(const struct threads *t, struct buf *out, uint64_t *count)
{
    uint32_t depth = 0;
    int r = 0;

    for (uint32_t root = t->v[ROOT].child; root && r >= 0; root = t->v[root].next)
        for (uint32_t x = root; x && r >= 0; x = next_node(t, x, root, &depth)) {
            uint8_t pair[8];

            le32_put(pair, t->v[x].uid);
            le32_put(pair + 4, depth);
            *count += t->v[x].uid != 0;
            r = buf_append(out, pair, sizeof pair);
        }
    return r;
}

/* ORDEREDSUBJECT: by subject and date; the first of a subject is the parent of all others. */
static int ordered_subject(struct threads *t)
{
    size_t n = 0;
    int r;

    if ((r = sort_children(t, ROOT, by_subject)) < 0 || (r = list_children(t, ROOT, &n)) < 0)
        return r;
    for (size_t i = 0, k; i < n; i = k)
        for (k = i + 1; k < n && str_eq(t->v[t->list[k]].subject, t->v[t->list[i]].subject); k++) {
            unlink_node(t, t->list[k]);
            link_node(t, t->list[i], t->list[k]);
        }
    return sort_children(t, ROOT, by_date);
}

static int references(struct threads *t)
{
    int r;

    prune(t);
    if (t->how == STORE__THREAD_REQUEST__ALGORITHM__REFS)
        return (r = sort_all(t)) < 0 ? r : newest_last(t);
    if ((r = sort_all(t)) < 0 ||
        (r = gather_subjects(t)) < 0) /* step 4 needs the roots only; more is not wrong */
        return r;
    return sort_all(t);
}

int mailbox_thread(struct mailbox *box, const Store__ThreadRequest *q, const Store__SearchResponse *found,
                   struct buf *out, Store__OrderResponse *resp)
{
    CLEANUP(threads_release)
    struct threads t = {
        .box = box, .how = q->algorithm, .folder_id = q->folder_id, .texts = { .max = TEXTS_MAX }
    };
    CLEANUP(txn_end) struct txn snapshot = { 0 };
    int r = box->txn.db ? 0 : txn_begin_read(&snapshot, box->db);

    rand_bytes(&t.salt, sizeof t.salt);
    if (r < 0 || (r = load(&t, found)) < 0)
        return r;
    r = q->algorithm == STORE__THREAD_REQUEST__ALGORITHM__ORDEREDSUBJECT ? ordered_subject(&t)
                                                                         : references(&t);
    if (r < 0)
        return r;
    resp->highest_modseq = found->highest_modseq;
    return write_forest(&t, out, &resp->count);
}
