/* src/imap/cmd_search.c: SEARCH (RFC 9051 6.4.4). The program becomes the store's tree; numbers become
 * UIDs of this client's view on the way there, and numbers again on the way back. */
#include "lib/base/clock.h"
#include "lib/mime/charset.h"
#include "src/imap/context.h"
#include "src/imap/esearch.h"

#define DAY_MS INT64_C(86400000)

/* ---- the tree ---- */

static Store__SearchKey *key_new(struct arena *a, Store__SearchKey__Type type)
{
    Store__SearchKey *k = ARENA_NEW(a, Store__SearchKey);

    if (k) {
        store__search_key__init(k);
        k->type = type;
    }
    return k;
}

static Store__SearchKey *key_number(struct arena *a, Store__SearchKey__Type type, int64_t number)
{
    Store__SearchKey *k = key_new(a, type);

    if (k)
        k->number = number;
    return k;
}

static Store__SearchKey *key_parent(struct arena *a, Store__SearchKey__Type type, Store__SearchKey **children,
                                    size_t n)
{
    Store__SearchKey *k = key_new(a, type);

    if (!k)
        return NULL;
    k->n_children = n;
    k->children = children;
    for (size_t i = 0; i < n; i++)
        if (!children[i])
            return NULL;
    return k;
}

/* [from, to) of two number keys */
static Store__SearchKey *key_between(struct arena *a, Store__SearchKey__Type from,
                                     Store__SearchKey__Type before, int64_t at, int64_t until)
{
    Store__SearchKey **two = ARENA_ARRAY(a, 2, Store__SearchKey *);

    if (!two)
        return NULL;
    two[0] = key_number(a, from, at);
    two[1] = key_number(a, before, until);
    return key_parent(a, STORE__SEARCH_KEY__TYPE__AND, two, 2);
}

static Store__SearchKey *key_uids(struct arena *a, const struct uidranges *u)
{
    Store__SearchKey *k = key_new(a, STORE__SEARCH_KEY__TYPE__UID);

    if (!k || imap_pack_ranges(a, u, &k->n_uid_ranges, &k->uid_ranges) < 0)
        return NULL;
    if (k->n_uid_ranges == 0)
        k->type = STORE__SEARCH_KEY__TYPE__NONE;
    return k;
}

static Store__SearchKey *key_set(struct imap_conn *c, const struct search_program *s,
                                 const struct search_key *in)
{
    struct uidranges u = { 0 };
    Store__SearchKey *k = NULL;
    const struct seqset *set = in->set;
    struct seq_range one;
    int r = 0;

    if (in->kind == KEY_UID && !s->open)
        r = uidranges_pick_uids(&c->view->uids, set, &u);
    for (size_t i = 0; in->kind == KEY_UID && s->open && i < seqset_ranges(set) && r == 0; i++)
        r = uidranges_add(&u, seqset_range(set, i).lo, seqset_range(set, i).hi);
    for (size_t i = 0; in->kind == KEY_SEQ && i < seqset_ranges(set) && r == 0; i++) {
        uint32_t count = uidranges_count(&c->view->uids);

        one = seqset_range(set, i); /* numbers beyond the last match nothing */
        if (one.lo <= count) {
            const struct seqset *clipped;

            one.hi = one.hi < count ? one.hi : count;
            if ((r = seqset_make(&c->arena, &one, 1, &clipped)) == 0)
                r = uidranges_pick_seqs(&c->view->uids, clipped, &u);
        }
    }
    if (r == 0)
        k = key_uids(&c->arena, &u);
    uidranges_release(&u);
    return k;
}

/* "$", as far as it is still there (RFC 5182 2.1). */
static Store__SearchKey *key_saved(struct imap_conn *c)
{
    struct uidranges u = { 0 };
    Store__SearchKey *k = imap_pick_saved(c, &u) == 0 ? key_uids(&c->arena, &u) : NULL;

    uidranges_release(&u);
    return k;
}

static Store__SearchKey *key_flag(struct imap_conn *c, uint32_t flag)
{
    if (flag == IMAP_FLAG_RECENT) /* of the session: the store does not know it */
        return key_uids(&c->arena, &c->view->recent);
    return key_number(&c->arena, STORE__SEARCH_KEY__TYPE__FLAGS_SET, flag);
}

/* To UTF-8 from the charset that the program names. */
static bool text_of(struct imap_conn *c, const struct search_program *s, struct str in,
                    ProtobufCBinaryData *out)
{
    CLEANUP(buf_release) struct buf b = { .max = MIB(4) };
    struct str charset = s->charset;

    if (charset.p && !str_ieq_z(charset, "UTF-8") && !str_ieq_z(charset, "US-ASCII")) {
        if (mime_charset_append(charset, in, &b) < 0)
            return false;
        in = arena_dup(&c->arena, buf_str(&b));
    }
    *out = str_pb(in);
    return in.p != NULL;
}

static Store__SearchKey *key_text(struct imap_conn *c, const struct search_program *s,
                                  Store__SearchKey__Type type, struct str field, struct str text)
{
    Store__SearchKey *k = key_new(&c->arena, type);
    char *lower = arena_dupz(&c->arena, field);

    if (!k || !lower || !text_of(c, s, text, &k->text))
        return NULL;
    for (size_t i = 0; i < field.n; i++)
        lower[i] = ascii_lower(lower[i]);
    k->name = str_pb(str_of(lower, field.n));
    return k;
}

static Store__SearchKey *convert(struct imap_conn *c, const struct search_program *s,
                                 const struct search_key *in);

static Store__SearchKey *convert_children(struct imap_conn *c, const struct search_program *s,
                                          const struct search_key *in, Store__SearchKey__Type type)
{
    Store__SearchKey **v;
    size_t n = 0;

    for (const struct search_key *k = in->child; k; k = k->next)
        n++;
    if (!(v = ARENA_ARRAY(&c->arena, n, Store__SearchKey *)))
        return NULL;
    n = 0;
    for (const struct search_key *k = in->child; k; k = k->next)
        if (!(v[n++] = convert(c, s, k)))
            return NULL;
    return n == 1 && type == STORE__SEARCH_KEY__TYPE__AND ? v[0] : key_parent(&c->arena, type, v, n);
}

#define T(name) STORE__SEARCH_KEY__TYPE__##name

/* NULL: out of memory. Recursion is bounded by SEARCH_DEPTH_MAX. */
static Store__SearchKey *convert(struct imap_conn *c, const struct search_program *s,
                                 const struct search_key *in)
{
    struct arena *a = &c->arena;
    int64_t day = in->day * DAY_MS, ago = clock_wall_ms() - (int64_t)in->number * 1000;

    switch (in->kind) {
    case KEY_AND: return convert_children(c, s, in, T(AND));
    case KEY_OR: return convert_children(c, s, in, T(OR));
    case KEY_NOT: return convert_children(c, s, in, T(NOT));
    case KEY_FUZZY: return convert_children(c, s, in, T(FUZZY));
    case KEY_ALL:
    case KEY_SAVEDATESUPPORTED: return key_new(a, T(ALL));
    case KEY_FLAG: return key_flag(c, in->flag);
    case KEY_KEYWORD: return key_text(c, s, T(KEYWORD), STR(""), in->text);
    case KEY_SEQ:
    case KEY_UID: return key_set(c, s, in);
    case KEY_SAVED: return key_saved(c);
    case KEY_BEFORE: return key_number(a, T(INTERNAL_BEFORE), day);
    case KEY_ON: return key_between(a, T(INTERNAL_FROM), T(INTERNAL_BEFORE), day, day + DAY_MS);
    case KEY_SINCE: return key_number(a, T(INTERNAL_FROM), day);
    case KEY_SENTBEFORE: return key_number(a, T(SENT_BEFORE), day);
    case KEY_SENTON: return key_between(a, T(SENT_FROM), T(SENT_BEFORE), day, day + DAY_MS);
    case KEY_SENTSINCE: return key_number(a, T(SENT_FROM), day);
    case KEY_SAVEDBEFORE: return key_number(a, T(SAVED_BEFORE), day);
    case KEY_SAVEDON: return key_between(a, T(SAVED_FROM), T(SAVED_BEFORE), day, day + DAY_MS);
    case KEY_SAVEDSINCE: return key_number(a, T(SAVED_FROM), day);
    case KEY_OLDER: return key_number(a, T(INTERNAL_BEFORE), ago + 1);
    case KEY_YOUNGER: return key_number(a, T(INTERNAL_FROM), ago);
    case KEY_LARGER: return key_number(a, T(LARGER), (int64_t)in->number);
    case KEY_SMALLER: return key_number(a, T(SMALLER), (int64_t)in->number);
    case KEY_MODSEQ: return key_number(a, T(MODSEQ), (int64_t)in->number);
    case KEY_BCC: return key_text(c, s, T(HEADER), STR("bcc"), in->text);
    case KEY_CC: return key_text(c, s, T(HEADER), STR("cc"), in->text);
    case KEY_FROM: return key_text(c, s, T(HEADER), STR("from"), in->text);
    case KEY_SUBJECT: return key_text(c, s, T(HEADER), STR("subject"), in->text);
    case KEY_TO: return key_text(c, s, T(HEADER), STR("to"), in->text);
    case KEY_HEADER: return key_text(c, s, T(HEADER), in->field, in->text);
    case KEY_BODY: return key_text(c, s, T(BODY), STR(""), in->text);
    case KEY_TEXT: return key_text(c, s, T(TEXT), STR(""), in->text);
    case KEY_REGEX: return key_text(c, s, T(REGEX), in->field, in->text);
    case KEY_EMAILID: return key_text(c, s, T(EMAIL_ID), STR(""), in->text);
    case KEY_THREADID: return key_text(c, s, T(THREAD_ID), STR(""), in->text);
    }
    return NULL;
}

Store__SearchKey *esearch_key(struct imap_conn *c, const struct search_program *p)
{
    return convert(c, p, p->root);
}

/* ---- the command ---- */

static void search_release(struct imap_conn *c)
{
    esearch_release(c->step_data);
}

static bool has_kind(const struct search_key *k, enum search_kind kind)
{
    if (k->kind == kind)
        return true;
    for (const struct search_key *child = k->child; child; child = child->next)
        if (has_kind(child, kind))
            return true;
    return false;
}

static void found(struct imap_conn *c, int status, struct str body)
{
    struct arena a = { .max = MIB(16) };
    struct esearch *e = c->step_data;
    Store__SearchResponse *m = NULL;

    if (status == 0 && !(m = RPC_UNPACK(&a, body, store__search_response)))
        status = E_CORRUPT;
    for (size_t i = 0, at = 0; status == 0 && i + 1 < m->n_uid_ranges; i += 2) {
        uint32_t first = m->uid_ranges[i], uid = first ? uidranges_next(&c->view->uids, first - 1) : 0;

        for (; uid && uid <= m->uid_ranges[i + 1] && status == 0; uid = uidranges_next(&c->view->uids, uid))
            status = at + (uid - first) < m->n_relevance
                         ? esearch_add_scored(c, e, uid, m->relevance[at + (uid - first)])
                         : esearch_add(c, e, uid);
        at += m->uid_ranges[i + 1] - first + 1;
    }
    if (status == 0)
        e->modseq = m->highest_modseq;
    arena_release(&a);
    if (status == E_SYNTAX && has_kind(e->program.root, KEY_REGEX))
        imap_no(c, "CANNOT", "That regular expression cannot be used");
    else if (status < 0)
        imap_fail_status(c, status);
    else
        esearch_answer(c, e);
}

/* RFC 9738 3.1: of a folder that is too large the newest messages are searched. */
static Store__SearchKey *within_limit(struct imap_conn *c, Store__SearchKey *key)
{
    CLEANUP(uidranges_release) struct uidranges all = { 0 };
    Store__SearchKey **v, *newest;

    if (!c->srv->conf.message_limit || uidranges_count(&c->view->uids) <= c->srv->conf.message_limit)
        return key;
    if (!(v = ARENA_ARRAY(&c->arena, 2, Store__SearchKey *)) ||
        !(newest = key_new(&c->arena, STORE__SEARCH_KEY__TYPE__UID)) ||
        uidranges_copy(&all, &c->view->uids) < 0 || imap_limit(c, &all) < 0 ||
        imap_pack_ranges(&c->arena, &all, &newest->n_uid_ranges, &newest->uid_ranges) < 0)
        return NULL;
    v[0] = newest;
    v[1] = key;
    return key_parent(&c->arena, STORE__SEARCH_KEY__TYPE__AND, v, 2);
}

int imap_cmd_search(struct imap_conn *c, struct args *a)
{
    struct search_view view = { uidranges_count(&c->view->uids), uidranges_last(&c->view->uids) };
    struct esearch *e = ARENA_NEW(&c->arena, struct esearch);
    Store__SearchRequest m = STORE__SEARCH_REQUEST__INIT;
    struct args again;
    int r;

    if (!e)
        return E_NOMEM;
    if ((r = args_sp(a)) < 0)
        return r;
    again = *a;
    if ((r = search_program_parse(a, &view, &e->program)) < 0)
        return r;
    if (c->rev2 && !e->program.has_return) { /* RFC 9051 6.4.4 */
        e->program.has_return = true;
        e->program.returns = SEARCH_RETURN_ALL;
    }
    if (!esearch_check(c, &e->program))
        return 0;
    if (!(m.key = esearch_key(c, &e->program)) ||
        !(m.key = within_limit(c, m.key))) /* first: "$" may stand in what is saved as "$" */
        return E_NOMEM;
    c->step_data = e;
    c->cleanup = search_release;
    if (!esearch_update(c, e, again))
        return 0;
    esearch_forget(c, &e->program);
    m.session = imap_session(c);
    m.folder_id = c->view->folder_id;
    m.relevance = (e->program.returns & SEARCH_RETURN_RELEVANCY) != 0;
    return imap_ask_store(c, STORE__OP__SEARCH, &m.base, false, found);
}

/* RFC 5267 4.3.5: one that does not go on is no error. */
int imap_cmd_cancelupdate(struct imap_conn *c, struct args *a)
{
    struct args again = *a;
    struct str tag;
    int r;

    do {
        if ((r = args_sp(a)) < 0 || (r = args_string(a, &tag)) < 0)
            return r;
    } while (args_end(a) < 0);
    while (args_sp(&again) == 0 && args_string(&again, &tag) == 0)
        context_cancel(c, tag);
    return imap_ok(c, "No further updates");
}
