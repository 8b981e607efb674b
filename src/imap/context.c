#include "src/imap/context.h"
#include "lib/imap/fetch_items.h"
#include "src/imap/esearch.h"
#include "src/imap/fetch.h"
#include "src/imap/notify.h"
#include "src/imap/words.h"

#define KEY_BYTES_MAX KIB(16)

struct context {
    struct context *next;
    struct buf request; /* a packed SortRequest: key and criteria; without criteria it is a SEARCH */
    struct buf fetch;   /* "(UID FLAGS)": of messages that come (RFC 5465 7) */
    struct buf tag;
    bool uid, sorted;
    struct uidranges found; /* a SEARCH's */
    uint32_t *v;            /* a SORT's, in its order */
    size_t n, cap;
};

/* What is being worked on: some messages, context by context. */
struct contexts {
    struct context *list, *at; /* at: the next to ask about `now` */
    size_t n;
    struct uidranges todo, todo_new; /* changed; of these, new */
    struct uidranges now, now_new;
    struct uidranges add, remove; /* of `at`: to be told */
    bool asked, fetched;          /* of `at`: add and remove are known; FETCH has been told */
    struct words words;
    uint32_t *v; /* SORT's answer */
    size_t nv, cap;
};

/* ---- one ---- */

void context_free(struct context **xp)
{
    struct context *x = *xp;

    *xp = NULL;
    if (!x)
        return;
    buf_release(&x->request);
    buf_release(&x->fetch);
    buf_release(&x->tag);
    uidranges_release(&x->found);
    free(x->v);
    free(x);
}

static int pack(struct context *x, Store__SearchKey *key, const struct sort_args *sort)
{
    Store__SortRequest m = STORE__SORT_REQUEST__INIT;
    Store__SortRequest__Criterion v[SORT_CRITERIA_MAX], *p[SORT_CRITERIA_MAX];
    size_t n;
    uint8_t *at;

    for (size_t i = 0; sort && i < sort->n; i++) {
        store__sort_request__criterion__init(&v[i]);
        v[i].key = (Store__SortRequest__Key)sort->criteria[i].key; /* the same order in both */
        v[i].reverse = sort->criteria[i].reverse;
        p[i] = &v[i];
    }
    m.key = key;
    m.criteria = p;
    m.n_criteria = sort ? sort->n : 0;
    n = store__sort_request__get_packed_size(&m);
    x->request.max = KEY_BYTES_MAX;
    if (n > KEY_BYTES_MAX || !(at = buf_reserve(&x->request, n)))
        return E_LIMIT;
    x->request.n = store__sort_request__pack(&m, at);
    return 0;
}

static size_t bytes_of(const struct context *x)
{
    return sizeof *x + x->request.cap + x->fetch.cap + x->tag.cap + x->found.cap * sizeof *x->found.r +
           x->cap * sizeof *x->v;
}

static size_t bytes_of_all(const struct contexts *k)
{
    size_t n = 0;

    for (const struct context *x = k ? k->list : NULL; x; x = x->next)
        n += bytes_of(x);
    return n;
}

struct context *context_new(struct imap_conn *c, const struct search_program *open,
                            const struct sort_args *sort)
{
    struct context *x;
    Store__SearchKey *key;

    if (c->contexts && c->contexts->n >= CONTEXTS_MAX)
        return NULL;
    for (size_t i = 0; sort && i < sort->n; i++)
        if (sort->criteria[i].key == SORT_RELEVANCY) /* what else there is decides it: positions would move */
            return NULL;
    if (!contexts_fit(c, notify_fetch(c), open->update))
        return NULL;
    key = esearch_key(c, open);
    if (!key || !(x = calloc(1, sizeof *x)))
        return NULL;
    x->uid = c->uid;
    x->sorted = sort != NULL;
    x->tag.max = x->fetch.max = KEY_BYTES_MAX;
    if (pack(x, key, sort) < 0 || buf_puts(&x->tag, c->tag) < 0 || buf_puts(&x->fetch, open->update) < 0)
        context_free(&x);
    return x;
}

static struct context **find(struct contexts *k, struct str tag)
{
    struct context **at = &k->list;

    while (*at && !str_eq(buf_str(&(*at)->tag), tag))
        at = &(*at)->next;
    return at;
}

bool context_has(const struct imap_conn *c, struct str tag)
{
    return c->contexts && *find(c->contexts, tag);
}

static int found_set(struct context *x, const uint32_t *uids, size_t n)
{
    int r = 0;

    if (!x->sorted) {
        for (size_t i = 0; i < n && r == 0; i++)
            r = uidranges_add(&x->found, uids[i], uids[i]);
        return r;
    }
    if (n > x->cap) {
        uint32_t *v = realloc(x->v, n * sizeof *v);

        if (!v)
            return E_NOMEM;
        x->v = v;
        x->cap = n;
    }
    if (n)
        memcpy(x->v, uids, n * sizeof *uids);
    x->n = n;
    return 0;
}

bool context_keep(struct imap_conn *c, struct context **xp, const uint32_t *uids, size_t n)
{
    struct context *x = *xp, **end;

    if (!c->contexts && !(c->contexts = calloc(1, sizeof *c->contexts))) {
        context_free(xp);
        return false;
    }
    if (x->sorted && n * sizeof *uids > CONTEXTS_BYTES_MAX) {
        context_free(xp);
        return false;
    }
    if (found_set(x, uids, n) < 0 || bytes_of_all(c->contexts) + bytes_of(x) > CONTEXTS_BYTES_MAX) {
        context_free(xp);
        return false;
    }
    for (end = &c->contexts->list; *end;)
        end = &(*end)->next;
    *end = x;
    c->contexts->n++;
    *xp = NULL;
    return true;
}

static void drop(struct contexts *k, struct context **at)
{
    struct context *x = *at;

    *at = x->next;
    k->n--;
    if (k->at == x) {
        k->at = x->next;
        k->asked = k->fetched = false;
    }
    context_free(&x);
}

void context_cancel(struct imap_conn *c, struct str tag)
{
    struct context **at = c->contexts ? find(c->contexts, tag) : NULL;

    if (at && *at)
        drop(c->contexts, at);
}

void contexts_free(struct imap_conn *c)
{
    struct contexts *k = c->contexts;

    c->contexts = NULL;
    if (!k)
        return;
    while (k->list)
        drop(k, &k->list);
    uidranges_release(&k->todo);
    uidranges_release(&k->todo_new);
    uidranges_release(&k->now);
    uidranges_release(&k->now_new);
    uidranges_release(&k->add);
    uidranges_release(&k->remove);
    free(k->v);
    free(k);
}

/* ---- sets ---- */

/* out += a and b, or, `without`, a but b. */
static int merge(const struct uidranges *a, const struct uidranges *b, bool without, struct uidranges *out)
{
    int r = 0;

    for (size_t i = 0; i < a->n && r == 0; i++)
        for (uint32_t uid = a->r[i].lo; uid <= a->r[i].hi && r == 0; uid++) {
            if (uidranges_has(b, uid) != without)
                r = uidranges_add(out, uid, uid);
            if (uid == UINT32_MAX)
                break;
        }
    return r;
}

static bool context_contains(const struct context *x, uint32_t uid)
{
    if (!x->sorted)
        return uidranges_has(&x->found, uid);
    for (size_t i = 0; i < x->n; i++)
        if (x->v[i] == uid)
            return true;
    return false;
}

/* ---- telling ---- */

static uint32_t number(const struct imap_conn *c, const struct context *x, uint32_t uid)
{
    return x->uid || c->uidonly ? uid : uidranges_seq(&c->view->uids, uid);
}

static void head(struct imap_conn *c, const struct context *x)
{
    resp_z(&c->w, "* ESEARCH (TAG ");
    resp_string(&c->w, buf_str(&x->tag));
    resp_printf(&c->w, ")%s", x->uid || c->uidonly ? " UID" : "");
}

/* " ADDTO (0 32768:32769)", in mailbox order. */
static void tell_set(struct imap_conn *c, const struct context *x, const char *what,
                     const struct uidranges *u)
{
    struct seq_range r = { 0, 0 };
    bool first = true;

    if (u->n == 0)
        return;
    resp_printf(&c->w, " %s (0 ", what);
    for (size_t i = 0; i < u->n; i++)
        for (uint32_t k = 0; k <= u->r[i].hi - u->r[i].lo; k++) {
            uint32_t n = number(c, x, u->r[i].lo + k);

            if (r.lo && n == r.hi + 1) {
                r.hi = n;
                continue;
            }
            if (r.lo && c->w.r == 0) {
                c->w.r = seq_range_write(r, first, &c->out);
                first = false;
            }
            r = (struct seq_range){ n, n };
        }
    if (c->w.r == 0)
        c->w.r = seq_range_write(r, first, &c->out);
    resp_z(&c->w, ")");
}

/* v[from, to), in its order: only what follows is joined. */
static void tell_run(struct imap_conn *c, const struct context *x, const uint32_t *v, size_t from, size_t to)
{
    for (size_t i = from; i < to && c->w.r == 0;) {
        struct seq_range r = { number(c, x, v[i]), 0 };

        r.hi = r.lo;
        for (i++; i < to && number(c, x, v[i]) == r.hi + 1; i++)
            r.hi++;
        c->w.r = seq_range_write(r, r.lo == number(c, x, v[from]), &c->out);
    }
}

/* " REMOVEFROM (3 7,9 5 1)": each pair holds after those before it. Positions count from 1. */
static bool tell_positions(struct imap_conn *c, const struct context *x, const char *what, const uint32_t *v,
                           size_t n, const struct uidranges *of, bool removed)
{
    size_t gone = 0;
    bool any = false;

    for (size_t i = 0; i < n;) {
        size_t from = i;

        while (i < n && uidranges_has(of, v[i]))
            i++;
        if (i == from) {
            i++;
            continue;
        }
        if (any)
            resp_z(&c->w, " ");
        else
            resp_printf(&c->w, " %s (", what);
        resp_printf(&c->w, "%zu ", from + 1 - gone);
        tell_run(c, x, v, from, i);
        gone += removed ? i - from : 0;
        any = true;
    }
    if (any)
        resp_z(&c->w, ")");
    return any;
}

static int forget(struct context *x, const struct uidranges *gone)
{
    size_t n = 0;

    if (!x->sorted)
        return uidranges_subtract(&x->found, gone);
    for (size_t i = 0; i < x->n; i++)
        if (!uidranges_has(gone, x->v[i]))
            x->v[n++] = x->v[i];
    x->n = n;
    return 0;
}

/* Who of `gone` is in a sorted one. */
static int among(const struct context *x, const struct uidranges *gone, struct uidranges *out)
{
    uint32_t *v = malloc(x->n * sizeof *v + 1);
    size_t n = 0;
    int r;

    for (size_t i = 0; v && i < x->n; i++)
        if (uidranges_has(gone, x->v[i]))
            v[n++] = x->v[i];
    r = v ? uidranges_add_all(out, v, n) : E_NOMEM;
    free(v);
    return r;
}

/* What is being worked on may have been found before it went. */
static int forget_pending(struct contexts *k, const struct uidranges *gone)
{
    size_t n = 0;
    int r = uidranges_subtract(&k->add, gone);

    if (r == 0)
        r = uidranges_subtract(&k->remove, gone);
    for (size_t i = 0; i < k->nv; i++)
        if (!uidranges_has(gone, k->v[i]))
            k->v[n++] = k->v[i];
    k->nv = n;
    return r;
}

void contexts_vanished(struct imap_conn *c)
{
    struct contexts *k = c->contexts;

    if (!k || !c->view->vanished.n)
        return;
    if (forget_pending(k, &c->view->vanished) < 0)
        imap_bye(c, NULL, "Out of memory");
    for (struct context *x = k->list; x; x = x->next) {
        CLEANUP(uidranges_release) struct uidranges gone = { 0 };
        int r = 0;

        if (x->sorted)
            r = among(x, &c->view->vanished, &gone);
        else
            r = merge(&c->view->vanished, &x->found, false, &gone);
        if (r < 0 || gone.n == 0)
            continue;
        head(c, x);
        if (x->sorted)
            tell_positions(c, x, "REMOVEFROM", x->v, x->n, &gone, true);
        else
            tell_set(c, x, "REMOVEFROM", &gone);
        resp_crlf(&c->w);
        if (forget(x, &gone) < 0)
            imap_bye(c, NULL, "Out of memory");
    }
}

/* ---- what changed ---- */

void contexts_changed(struct imap_conn *c, uint32_t first, uint32_t last, bool added)
{
    struct contexts *k = c->contexts;

    if (!k || !k->list)
        return;
    if (uidranges_add(&k->todo, first, last) < 0 || (added && uidranges_add(&k->todo_new, first, last) < 0))
        imap_bye(c, NULL, "Out of memory");
}

bool contexts_due(const struct imap_conn *c)
{
    const struct contexts *k = c->contexts;

    return k && c->view && !c->sync_failed && (k->at || k->todo.n);
}

/* The key, of `now` alone. */
static Store__SortRequest *request(struct arena *a, const struct contexts *k, const struct context *x,
                                   bool all)
{
    Store__SortRequest *m = RPC_UNPACK(a, buf_str(&x->request), store__sort_request);
    Store__SearchKey *both = ARENA_NEW(a, Store__SearchKey), *uids = ARENA_NEW(a, Store__SearchKey);
    Store__SearchKey **v = ARENA_ARRAY(a, 2, Store__SearchKey *);

    if (!m || !both || !uids || !v || all)
        return m;
    store__search_key__init(both);
    store__search_key__init(uids);
    uids->type = STORE__SEARCH_KEY__TYPE__UID;
    if (imap_pack_ranges(a, &k->now, &uids->n_uid_ranges, &uids->uid_ranges) < 0)
        return NULL;
    v[0] = uids;
    v[1] = m->key;
    both->type = STORE__SEARCH_KEY__TYPE__AND;
    both->children = v;
    both->n_children = 2;
    m->key = both;
    return m;
}

static void next(struct contexts *k)
{
    k->at = k->at->next;
    k->asked = k->fetched = false;
    uidranges_clear(&k->add);
    uidranges_clear(&k->remove);
    k->nv = 0;
    if (!k->at) {
        uidranges_clear(&k->now);
        uidranges_clear(&k->now_new);
    }
}

static void failed(struct imap_conn *c, int status)
{
    if (status == E_NOMEM)
        imap_bye(c, NULL, "Out of memory");
    c->sync_failed = true; /* it is asked again, later */
}

/* ---- asking ---- */

static int in_view(const struct imap_conn *c, const Store__SearchResponse *m, struct uidranges *out)
{
    const struct uidranges *uids = &c->view->uids;
    int r = 0;

    for (size_t i = 0; i + 1 < m->n_uid_ranges && r == 0; i += 2)
        for (uint32_t uid = m->uid_ranges[i] ? uidranges_next(uids, m->uid_ranges[i] - 1) : 0;
             uid && uid <= m->uid_ranges[i + 1] && r == 0; uid = uidranges_next(uids, uid))
            if (!uidranges_has(&c->view->vanished, uid))
                r = uidranges_add(out, uid, uid);
    return r;
}

/* Of those that changed: who matches now and did not, who did and does not. */
static int compare(struct contexts *k, const struct context *x, const struct uidranges *match)
{
    CLEANUP(uidranges_release) struct uidranges sorted = { 0 };
    const struct uidranges *found = x->sorted ? &sorted : &x->found;
    int r = x->sorted ? uidranges_add_all(&sorted, x->v, x->n) : 0;

    for (size_t i = 0; i < k->now.n && r == 0; i++)
        for (uint32_t uid = k->now.r[i].lo; uid <= k->now.r[i].hi && r == 0; uid++) {
            bool is = uidranges_has(match, uid), was = uidranges_has(found, uid);

            if (is != was)
                r = uidranges_add(is ? &k->add : &k->remove, uid, uid);
            if (uid == UINT32_MAX)
                break;
        }
    return r;
}

static void searched(struct imap_conn *c, int status, struct str body)
{
    CLEANUP(uidranges_release) struct uidranges match = { 0 };
    struct arena a = { .max = MIB(16) };
    struct contexts *k = c->contexts;
    Store__SearchResponse *m = NULL;

    if (k && k->at && c->view) {
        if (status == 0 && !(m = RPC_UNPACK(&a, body, store__search_response)))
            status = E_CORRUPT;
        if (status == 0 && (status = in_view(c, m, &match)) == 0)
            status = compare(k, k->at, &match);
        if (status == 0)
            k->asked = true;
        else
            failed(c, status);
    }
    arena_release(&a);
}

static int ask_search(struct imap_conn *c, struct contexts *k)
{
    struct arena a = { .max = MIB(4) };
    Store__SearchRequest m = STORE__SEARCH_REQUEST__INIT;
    Store__SortRequest *q = request(&a, k, k->at, false);
    int r = E_NOMEM;

    uidranges_clear(&k->add);
    uidranges_clear(&k->remove);
    if (q) {
        m.session = imap_session(c);
        m.folder_id = c->view->folder_id;
        m.key = q->key;
        r = imap_ask_store(c, STORE__OP__SEARCH, &m.base, false, searched);
    }
    arena_release(&a);
    if (r < 0)
        failed(c, r);
    return r < 0;
}

static int sort_data(struct imap_conn *c, struct str data)
{
    struct contexts *k = c->contexts;
    uint32_t uid;

    while (k && word_next(&k->words, &data, &uid)) {
        if (!c->view || !uidranges_has(&c->view->uids, uid) || uidranges_has(&c->view->vanished, uid))
            continue;
        if (k->nv == k->cap) {
            size_t cap = k->cap ? 2 * k->cap : 256;
            uint32_t *v = realloc(k->v, cap * sizeof *v);

            if (!v)
                return E_NOMEM;
            k->v = v;
            k->cap = cap;
        }
        k->v[k->nv++] = uid;
    }
    return 0;
}

/* Keys of a message never change: those that were and are stand in one order in both. */
static int tell_sorted(struct imap_conn *c, struct contexts *k, struct context *x)
{
    CLEANUP(uidranges_release) struct uidranges was = { 0 }, is = { 0 };
    int r;

    uidranges_clear(&k->add);
    uidranges_clear(&k->remove);
    if ((r = uidranges_add_all(&was, x->v, x->n)) < 0 || (r = uidranges_add_all(&is, k->v, k->nv)) < 0 ||
        (r = merge(&was, &is, true, &k->remove)) < 0 || (r = merge(&is, &was, true, &k->add)) < 0)
        return r;
    if (k->add.n == 0 && k->remove.n == 0)
        return 0;
    head(c, x);
    tell_positions(c, x, "REMOVEFROM", x->v, x->n, &k->remove, true);
    tell_positions(c, x, "ADDTO", k->v, k->nv, &k->add, false);
    resp_crlf(&c->w);
    return found_set(x, k->v, k->nv);
}

static int tell_found(struct imap_conn *c, struct contexts *k, struct context *x)
{
    int r = uidranges_subtract(&x->found, &k->remove);

    for (size_t i = 0; i < k->add.n && r == 0; i++)
        r = uidranges_add(&x->found, k->add.r[i].lo, k->add.r[i].hi);
    head(c, x);
    tell_set(c, x, "REMOVEFROM", &k->remove);
    tell_set(c, x, "ADDTO", &k->add);
    resp_crlf(&c->w);
    return r;
}

/* Told; what a context holds may have grown. */
static void told(struct imap_conn *c, struct contexts *k, int status)
{
    struct context *x = k->at;

    if (status == 0 && bytes_of_all(k) > CONTEXTS_BYTES_MAX) {
        resp_z(&c->w, "* NO [NOUPDATE ");
        resp_string(&c->w, buf_str(&x->tag));
        resp_z(&c->w, "] It has grown too large\r\n");
        next(k);
        context_cancel(c, buf_str(&x->tag));
    } else if (status == 0) {
        next(k);
    } else {
        failed(c, status);
    }
}

static void sorted(struct imap_conn *c, int status, struct str body UNUSED)
{
    struct contexts *k = c->contexts;

    if (!k || !k->at || !c->view)
        return;
    if (status == 0 && !c->closing)
        told(c, k, tell_sorted(c, k, k->at));
    else
        failed(c, status);
}

static int ask_sort(struct imap_conn *c, struct contexts *k)
{
    struct arena a = { .max = MIB(4) };
    Store__SortRequest *m = request(&a, k, k->at, true);
    int r = E_NOMEM;

    k->nv = 0;
    k->words.n = 0;
    if (m) {
        m->session = imap_session(c);
        m->folder_id = c->view->folder_id;
        r = imap_ask_down(c, STORE__OP__SORT, &m->base, false, sort_data, sorted);
    }
    arena_release(&a);
    if (r < 0)
        failed(c, r);
    return r < 0;
}

/* ---- FETCH of what is new in it (RFC 5465 7) ---- */

bool contexts_fit(const struct imap_conn *c, struct str notify, struct str more)
{
    CLEANUP(buf_release) struct buf all = { .max = MIB(1) };
    struct arena scratch = { .max = MIB(4) };
    struct args a;
    struct fetch_items items;
    int r = notify.n && more.n ? buf_puts(&all, str_slice(notify, 0, notify.n - 1)) : buf_puts(&all, notify);

    if (!notify.n) /* then each is told by itself: tell_new */
        return true;
    if (more.n && r == 0 && (r = buf_putc(&all, ' ')) == 0)
        r = buf_puts(&all, str_slice(more, 1, more.n));
    for (const struct context *x = c->contexts ? c->contexts->list : NULL; x && r == 0; x = x->next) {
        if (!x->fetch.n)
            continue;
        all.n--; /* the ")" */
        if ((r = buf_putc(&all, ' ')) == 0)
            r = buf_puts(&all, str_slice(buf_str(&x->fetch), 1, x->fetch.n));
    }
    a = args_of(&scratch, buf_str(&all), c->w.utf8);
    r = r < 0 ? r : fetch_atts_parse(&a, &items);
    arena_release(&scratch);
    return r == 0;
}

bool contexts_fetch(const struct imap_conn *c, uint32_t uid, struct str also, struct buf *out)
{
    bool any = false;
    int r = also.n ? buf_puts(out, str_slice(also, 0, also.n - 1)) : E_NOTFOUND;

    for (const struct context *x = c->contexts ? c->contexts->list : NULL; x && r == 0; x = x->next) {
        if (!x->fetch.n || !context_contains(x, uid))
            continue;
        any = true;
        if ((r = buf_putc(out, ' ')) == 0)
            r = buf_puts(out, str_slice(buf_str(&x->fetch), 1, x->fetch.n - 1));
    }
    if (any && r == 0 && buf_putc(out, ')') == 0)
        return true;
    buf_clear(out);
    return false;
}

/* Before ADDTO (RFC 5465 7), unless MessageNew tells it behind that (5.2), with its own items. */
static bool tell_new(struct imap_conn *c, struct contexts *k)
{
    CLEANUP(uidranges_release) struct uidranges some = { 0 };
    struct str own = buf_str(&k->at->fetch);
    int r;

    if (k->fetched || !own.n || notify_fetch(c).n || merge(&k->add, &k->now_new, false, &some) < 0 ||
        some.n == 0)
        return false;
    k->fetched = true;
    if (imap_aside(c) < 0)
        return false;
    own = arena_dup(&c->arena, own);
    if (!own.p || (r = fetch_aside(c, own, &some)) < 0)
        imap_fail_status(c, own.p ? r : E_NOMEM); /* to nobody */
    return true;
}

static int tell(struct imap_conn *c, struct contexts *k)
{
    struct context *x = k->at;

    if (k->add.n == 0 && k->remove.n == 0) {
        next(k);
        return 1;
    }
    if (tell_new(c, k))
        return 1;
    if (x->sorted)
        return ask_sort(c, k);
    told(c, k, tell_found(c, k, x));
    return 1;
}

int contexts_step(struct imap_conn *c)
{
    struct contexts *k = c->contexts;

    if (k->at)
        return k->asked ? tell(c, k) : ask_search(c, k);
    uidranges_release(&k->now);
    uidranges_release(&k->now_new);
    k->now = k->todo;
    k->now_new = k->todo_new;
    k->todo = k->todo_new = (struct uidranges){ 0 };
    k->at = k->list;
    if (!k->at) {
        uidranges_clear(&k->now);
        uidranges_clear(&k->now_new);
    }
    return 1;
}
