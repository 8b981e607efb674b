/* src/imap/cmd_multisearch.c: ESEARCH (RFC 7377): one search in several folders, one after the other, each answered as
 * soon as it is done. Numbers and sets mean the messages of each folder; what is told are UIDs. */
#include "lib/imap/esearch_args.h"
#include "src/imap/esearch.h"

struct multi {
    struct esearch e; /* first: see esearch_answer; of the folder at hand */
    struct esearch_sources from;
    struct args again; /* before the result options */
    struct arena scratch;
    Store__FoldersResponse *folders;
    size_t at;
    bool sets;         /* numbers or UIDs are named: the folder's own are needed */
    bool have_uids;    /* of the folder at hand */
    bool no_update;    /* UPDATE was asked for, and the selected folder is none of them, yet */
    struct view other; /* of the folder at hand, when it is not the selected one */
};

static void multi_release(struct imap_conn *c)
{
    struct multi *m = c->step_data;

    esearch_release(&m->e);
    arena_release(&m->scratch);
    uidranges_release(&m->other.uids);
}

static bool names_messages(const struct search_key *k)
{
    if (k->kind == KEY_SEQ || k->kind == KEY_UID)
        return true;
    for (const struct search_key *child = k->child; child; child = child->next)
        if (names_messages(child))
            return true;
    return false;
}

static const Store__Folder *folder_of(const struct multi *m)
{
    return m->folders->folders[m->at];
}

static bool is_selected(const struct imap_conn *c, const Store__Folder *f)
{
    return c->view && c->state == IMAP_ST_SELECTED && c->view->folder_id == f->id;
}

static bool is_source(const struct imap_conn *c, const struct multi *m, const Store__Folder *f)
{
    if (!f->id || f->noselect)
        return false;
    return (m->from.selected && is_selected(c, f)) ||
           esearch_sources_match(&m->from, pb_str(f->name), f->subscribed);
}

static void failed(struct imap_conn *c, int status)
{
    c->step = NULL;
    if (status == E_SYNTAX)
        imap_no(c, "CANNOT", "That regular expression cannot be used");
    else
        imap_fail_status(c, status);
}

/* The next one, please. A folder that has gone meanwhile has no messages. */
static bool skips(struct multi *m, int status)
{
    if (status != E_NOTFOUND && status != E_GONE)
        return false;
    m->at++;
    m->have_uids = false;
    return true;
}

static void answered(struct imap_conn *c)
{
    struct multi *m = c->step_data;

    m->at++;
    m->have_uids = false;
}

static void found(struct imap_conn *c, int status, struct str body)
{
    struct arena a = { .max = MIB(16) };
    struct multi *m = c->step_data;
    bool selected = is_selected(c, folder_of(m));
    Store__SearchResponse *in = NULL;

    if (status == 0 && !(in = RPC_UNPACK(&a, body, store__search_response)))
        status = E_CORRUPT;
    for (size_t i = 0, k = 0; status == 0 && i + 1 < in->n_uid_ranges; i += 2)
        for (uint64_t uid = in->uid_ranges[i]; uid <= in->uid_ranges[i + 1] && status == 0; uid++, k++)
            if (!selected || uidranges_has(&c->view->uids, (uint32_t)uid))
                status = esearch_push(&m->e, (uint32_t)uid, k < in->n_relevance ? in->relevance[k] : 0);
    if (status == 0)
        m->e.modseq = in->highest_modseq;
    arena_release(&a);
    if (status == 0)
        esearch_answer(c, &m->e);
    else if (!skips(m, status))
        failed(c, status);
}

static int ask(struct imap_conn *c, const struct multi *m, Store__SearchKey *key, imap_done_fn *done)
{
    Store__SearchRequest q = STORE__SEARCH_REQUEST__INIT;

    q.session = imap_session(c);
    q.folder_id = folder_of(m)->id;
    q.key = key;
    q.relevance = done == found && (m->e.program.returns & SEARCH_RETURN_RELEVANCY);
    return imap_ask_store(c, STORE__OP__SEARCH, &q.base, false, done);
}

/* The program, as it is meant in this folder; in the scratch arena. */
static int read_program(struct imap_conn *c, struct multi *m, const struct view *v, Store__SearchKey **out)
{
    struct search_view view = { uidranges_count(&v->uids), uidranges_last(&v->uids) };
    struct args again = m->again;
    int r = search_program_parse(&again, &view, &m->e.program);

    if (r < 0)
        return r;
    m->e.program.has_return = true;
    if (!m->e.program.returns)
        m->e.program.returns = SEARCH_RETURN_ALL; /* RFC 7377 2.1 */
    *out = esearch_key(c, &m->e.program);
    return *out ? 0 : E_NOMEM;
}

/* "$" and \Recent are of the selected folder alone; everywhere else nothing is. */
static int key_elsewhere(struct imap_conn *c, struct multi *m, Store__SearchKey **out)
{
    struct view *view = c->view;
    struct uidranges saved = c->saved;
    int r;

    c->view = &m->other;
    c->saved = (struct uidranges){ 0 };
    r = read_program(c, m, c->view, out);
    c->view = view;
    c->saved = saved;
    m->e.program.returns &= ~(uint32_t)SEARCH_RETURN_UPDATE; /* RFC 7377 2.2 */
    return r;
}

static int key_selected(struct imap_conn *c, struct multi *m, Store__SearchKey **out)
{
    int r = read_program(c, m, c->view, out);

    if (r < 0)
        return r;
    m->no_update = false;
    if (!esearch_update(c, &m->e, m->again))
        return 1; /* BAD */
    esearch_forget(c, &m->e.program);
    return 0;
}

static int search(struct imap_conn *c, struct multi *m)
{
    const Store__Folder *f = folder_of(m);
    struct arena was = c->arena;
    Store__SearchKey *key = NULL;
    int r;

    esearch_release(&m->e);
    arena_reset(&m->scratch);
    m->e.mailbox = pb_str(f->name);
    m->e.uidvalidity = f->uidvalidity;
    m->e.folder_id = f->id;
    m->e.then = answered;
    c->arena = m->scratch;
    r = is_selected(c, f) ? key_selected(c, m, &key) : key_elsewhere(c, m, &key);
    if (r == 0)
        r = ask(c, m, key, found);
    m->scratch = c->arena;
    c->arena = was;
    return r;
}

static void uids_came(struct imap_conn *c, int status, struct str body)
{
    struct arena a = { .max = MIB(16) };
    struct multi *m = c->step_data;
    Store__SearchResponse *in = NULL;

    if (status == 0 && !(in = RPC_UNPACK(&a, body, store__search_response)))
        status = E_CORRUPT;
    uidranges_clear(&m->other.uids);
    if (status == 0)
        status = imap_unpack_ranges(in->uid_ranges, in->n_uid_ranges, &m->other.uids);
    arena_release(&a);
    m->have_uids = true;
    if (status < 0 && !skips(m, status))
        failed(c, status);
}

static int ask_uids(struct imap_conn *c, const struct multi *m)
{
    Store__SearchKey all = STORE__SEARCH_KEY__INIT;

    return ask(c, m, &all, uids_came);
}

static int step(struct imap_conn *c)
{
    struct multi *m = c->step_data;
    int r;

    while (m->at < m->folders->n_folders && !is_source(c, m, folder_of(m)))
        m->at++;
    if (m->at == m->folders->n_folders) {
        if (m->no_update)
            esearch_no_update(c);
        imap_ok(c, "Completed");
        return 1;
    }
    if (m->sets && !m->have_uids && !is_selected(c, folder_of(m)))
        r = ask_uids(c, m);
    else
        r = search(c, m);
    if (r < 0)
        imap_fail_status(c, r);
    return r != 0;
}

static uint32_t how_far(const struct imap_conn *c)
{
    const struct multi *m = c->step_data;

    return (uint32_t)m->at;
}

static void folders_came(struct imap_conn *c, int status, struct str body)
{
    struct multi *m = c->step_data;

    if (status == 0 && !(m->folders = RPC_UNPACK(&c->arena, body, store__folders_response)))
        status = E_CORRUPT;
    if (status < 0) {
        imap_fail_status(c, status);
        return;
    }
    c->step = step;
    c->how_far = how_far;
    c->progress_goal = (uint32_t)m->folders->n_folders;
}

static bool may(struct imap_conn *c, const struct multi *m)
{
    const char *why = NULL;

    if (m->from.selected && c->state != IMAP_ST_SELECTED)
        why = "No mailbox is selected"; /* RFC 7377 2.2: BAD, all of them */
    else if ((m->e.program.returns & SEARCH_RETURN_SAVE) && (m->from.n || !m->from.selected))
        why = "SAVE is for the selected mailbox alone";
    else if ((m->e.program.returns & SEARCH_RETURN_UPDATE) && c->state != IMAP_ST_SELECTED)
        why = "UPDATE is for the selected mailbox";
    if (why)
        imap_bad(c, why);
    return !why;
}

/* First read as in a folder that has all numbers, to refuse what is wrong. */
int imap_cmd_esearch(struct imap_conn *c, struct args *a)
{
    const struct search_view any = { UINT32_MAX, UINT32_MAX };
    Store__FoldersRequest q = STORE__FOLDERS_REQUEST__INIT;
    struct multi *m = ARENA_NEW(&c->arena, struct multi);
    int r;

    if (!m)
        return E_NOMEM;
    m->scratch.max = MIB(8);
    if ((r = args_sp(a)) < 0 || (r = esearch_sources_parse(a, &m->from)) < 0)
        return r;
    m->again = *a;
    if ((r = search_program_parse(a, &any, &m->e.program)) < 0)
        return r;
    if (!may(c, m) || !esearch_check(c, &m->e.program))
        return 0;
    m->sets = names_messages(m->e.program.root);
    m->no_update = m->e.program.returns & SEARCH_RETURN_UPDATE;
    c->uid = true;
    c->step_data = m;
    c->cleanup = multi_release;
    q.session = imap_session(c);
    if (!m->from.n)
        q.folder_id = c->view->folder_id;
    return imap_ask_store(c, STORE__OP__FOLDERS, &q.base, false, folders_came);
}
