/* src/imap/cmd_sort.c: SORT and THREAD (RFC 5256, with RFC 5267's ESORT). The store puts in order; here
 * UIDs become numbers of this client's view, and the forest its parentheses. */
#include "lib/imap/sort_args.h"
#include "src/imap/esearch.h"
#include "src/imap/words.h"

#define NODES_AT_ONCE 2000

/* ---- SORT ---- */

struct sort {
    struct esearch e; /* first: see esearch_answer */
    struct words words;
    uint32_t uid; /* whose relevance comes next */
};

static int sort_data(struct imap_conn *c, struct str data)
{
    struct sort *s = c->step_data;
    uint32_t uid;

    bool scored = s->e.program.returns & SEARCH_RETURN_RELEVANCY;
    int r = 0;

    while (r >= 0 && word_next(&s->words, &data, &uid)) {
        if (!scored) {
            r = esearch_add(c, &s->e, uid);
        } else if (!s->uid) {
            s->uid = uid;
        } else {
            r = esearch_add_scored(c, &s->e, s->uid, uid);
            s->uid = 0;
        }
    }
    return r;
}

static void sort_release(struct imap_conn *c)
{
    struct sort *s = c->step_data;

    esearch_release(&s->e);
}

static void sorted(struct imap_conn *c, int status, struct str body)
{
    struct sort *s = c->step_data;
    Store__OrderResponse *m = NULL;

    if (status == 0 && !(m = RPC_UNPACK(&c->arena, body, store__order_response)))
        status = E_CORRUPT;
    if (status < 0) {
        imap_fail_status(c, status == E_CLOSED ? E_UNAVAIL : status);
        return;
    }
    s->e.modseq = m->highest_modseq;
    esearch_answer(c, &s->e);
}

static int ask_sort(struct imap_conn *c, const struct sort_args *args, Store__SearchKey *key)
{
    Store__SortRequest m = STORE__SORT_REQUEST__INIT;
    Store__SortRequest__Criterion v[SORT_CRITERIA_MAX], *p[SORT_CRITERIA_MAX];

    for (size_t i = 0; i < args->n; i++) {
        store__sort_request__criterion__init(&v[i]);
        v[i].key = (Store__SortRequest__Key)args->criteria[i].key; /* the same order in both */
        v[i].reverse = args->criteria[i].reverse;
        p[i] = &v[i];
    }
    m.session = imap_session(c);
    m.folder_id = c->view->folder_id;
    m.key = key;
    m.n_criteria = args->n;
    m.criteria = p;
    m.relevance = (args->program.returns & SEARCH_RETURN_RELEVANCY) != 0;
    return imap_ask_down(c, STORE__OP__SORT, &m.base, false, sort_data, sorted);
}

int imap_cmd_sort(struct imap_conn *c, struct args *a)
{
    struct search_view view = { uidranges_count(&c->view->uids), uidranges_last(&c->view->uids) };
    struct sort *s = ARENA_NEW(&c->arena, struct sort);
    struct sort_args args;
    struct args again;
    Store__SearchKey *key;
    int r;

    if (!s)
        return E_NOMEM;
    if ((r = args_sp(a)) < 0)
        return r;
    again = *a;
    if ((r = sort_args_parse(a, &view, &args)) < 0)
        return r;
    if (!esearch_check(c, &args.program))
        return 0;
    if (!(key = esearch_key(c, &args.program)))
        return E_NOMEM;
    s->e.program = args.program;
    s->e.sorted = true;
    c->step_data = s;
    c->cleanup = sort_release;
    if (!esearch_update(c, &s->e, again))
        return 0;
    esearch_forget(c, &args.program);
    return ask_sort(c, &args, key);
}

/* ---- THREAD ---- */

struct thread {
    struct words words;
    struct thread_node {
        uint32_t uid, depth;
    } * v;
    size_t n, cap, at;
    bool half;         /* of v[n] the UID is there */
    bool *open, *only; /* by depth: it stands in parentheses; its children are one */
};

static int thread_word(struct thread *t, uint32_t word)
{
    if (t->half) {
        t->v[t->n++].depth = word;
        t->half = false;
        return 0;
    }
    if (t->n == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 256;
        struct thread_node *v = realloc(t->v, cap * sizeof *v);

        if (!v)
            return E_NOMEM;
        t->v = v;
        t->cap = cap;
    }
    t->v[t->n].uid = word;
    t->half = true;
    return 0;
}

static int thread_data(struct imap_conn *c, struct str data)
{
    struct thread *t = c->step_data;
    uint32_t word;

    while (word_next(&t->words, &data, &word)) {
        int r = thread_word(t, word);

        if (r < 0)
            return r;
    }
    return 0;
}

static void thread_release(struct imap_conn *c)
{
    struct thread *t = c->step_data;

    free(t->v);
    free(t->open);
    free(t->only);
}

/* Has node i one child only? Its children are the nodes of depth + 1 until one of its own depth or less. */
static void note_only(struct thread *t, uint32_t *children)
{
    for (size_t i = t->n; i-- > 0;) {
        uint32_t d = t->v[i].depth;

        t->only[i] = children[d + 1] == 1;
        children[d + 1] = 0;
        children[d]++;
    }
}

static int prepare(struct thread *t)
{
    uint32_t deepest = 0, *children;

    for (size_t i = 0; i < t->n; i++) {
        if (t->v[i].depth > (i ? t->v[i - 1].depth + 1 : 0))
            return E_CORRUPT;
        deepest = t->v[i].depth > deepest ? t->v[i].depth : deepest;
    }
    t->only = calloc(t->n + 1, sizeof *t->only);
    t->open = calloc((size_t)deepest + 2, sizeof *t->open);
    children = calloc((size_t)deepest + 2, sizeof *children);
    if (t->only && t->open && children)
        note_only(t, children);
    free(children);
    return t->only && t->open && children ? 0 : E_NOMEM;
}

/* thread-members = nz-number *(SP nz-number) [SP thread-nested]: an only child stands behind its parent,
 * several in parentheses of their own. A dummy has no number, and always several. */
static void write_node(struct imap_conn *c, struct thread *t, size_t i)
{
    const struct thread_node *n = &t->v[i], *before = i ? n - 1 : NULL;
    bool first = before && n->depth == before->depth + 1; /* child of its parent */
    uint32_t number = !n->uid ? 0 : c->uid ? n->uid : uidranges_seq(&c->view->uids, n->uid);

    t->open[n->depth] = n->depth == 0 || !(first && t->only[i - 1]);
    if (first && before->uid)
        resp_z(&c->w, " ");
    if (t->open[n->depth])
        resp_z(&c->w, "(");
    if (n->uid)
        resp_printf(&c->w, "%u", number);
    for (uint32_t next = i + 1 < t->n ? t->v[i + 1].depth : 0, d = n->depth + 1; d-- > next;)
        if (t->open[d])
            resp_z(&c->w, ")");
}

static int write_thread(struct imap_conn *c)
{
    struct thread *t = c->step_data;

    if (t->at == 0 && t->n)
        resp_z(&c->w, " ");
    for (int k = 0; k < NODES_AT_ONCE && t->at < t->n; k++)
        write_node(c, t, t->at++);
    if (t->at < t->n)
        return 0;
    resp_crlf(&c->w);
    imap_ok(c, "Completed");
    c->mid_response = false;
    return 1;
}

static void threaded(struct imap_conn *c, int status, struct str body UNUSED)
{
    if (status == 0)
        status = prepare(c->step_data);
    if (status < 0) {
        imap_fail_status(c, status == E_CLOSED ? E_UNAVAIL : status);
        return;
    }
    resp_z(&c->w, "* THREAD");
    c->mid_response = true;
    c->step = write_thread;
}

/* What came since this client was told would have no number: UIDs above its last. */
static Store__SearchKey *known_only(struct imap_conn *c, Store__SearchKey *key)
{
    Store__SearchKey *both = ARENA_NEW(&c->arena, Store__SearchKey),
                     *known = ARENA_NEW(&c->arena, Store__SearchKey);
    Store__SearchKey **v = ARENA_ARRAY(&c->arena, 2, Store__SearchKey *);

    if (!both || !known || !v)
        return NULL;
    store__search_key__init(both);
    store__search_key__init(known);
    v[0] = known;
    v[1] = key;
    both->type = STORE__SEARCH_KEY__TYPE__AND;
    both->n_children = 2;
    both->children = v;
    known->type = c->view->uids.n ? STORE__SEARCH_KEY__TYPE__UID : STORE__SEARCH_KEY__TYPE__NONE;
    return imap_pack_ranges(&c->arena, &c->view->uids, &known->n_uid_ranges, &known->uid_ranges) < 0 ? NULL
                                                                                                     : both;
}

int imap_cmd_thread(struct imap_conn *c, struct args *a)
{
    struct search_view view = { uidranges_count(&c->view->uids), uidranges_last(&c->view->uids) };
    struct thread *t = ARENA_NEW(&c->arena, struct thread);
    Store__ThreadRequest m = STORE__THREAD_REQUEST__INIT;
    struct thread_args args;
    int r;

    if (!t)
        return E_NOMEM;
    if ((r = args_sp(a)) < 0 || (r = thread_args_parse(a, &view, &args)) < 0)
        return r;
    if (!esearch_check(c, &args.program))
        return 0;
    if (!(m.key = esearch_key(c, &args.program)) || !(m.key = known_only(c, m.key)))
        return E_NOMEM;
    c->step_data = t;
    c->cleanup = thread_release;
    m.session = imap_session(c);
    m.folder_id = c->view->folder_id;
    m.algorithm = (Store__ThreadRequest__Algorithm)args.algorithm; /* the same order in both */
    return imap_ask_down(c, STORE__OP__THREAD, &m.base, false, thread_data, threaded);
}
