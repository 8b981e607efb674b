/* src/imap/cmd_select.c: SELECT, EXAMINE, CLOSE, UNSELECT (RFC 9051 6.3.1 to 6.4.2). */
#include "src/imap/oldname.h"
#include "src/imap/qresync.h"
#include "src/imap/special_use.h"

struct select {
    bool read_only;
    struct qresync qresync;
    struct str given; /* the name, as the client has it */
};

static struct view *view_new(const Store__SelectResponse *m, bool read_only)
{
    struct view *v = m->folder ? calloc(1, sizeof *v) : NULL;

    if (!v)
        return NULL;
    v->folder_id = m->folder->id;
    v->uidvalidity = m->folder->uidvalidity;
    v->modseq = v->modseq_base = m->folder->highest_modseq;
    v->read_only = read_only;
    if (imap_unpack_ranges(m->uid_ranges, m->n_uid_ranges, &v->uids) < 0 ||
        imap_unpack_ranges(m->recent_ranges, m->n_recent_ranges, &v->recent) < 0)
        view_free(&v);
    return v;
}

static void tell_flags(struct imap_conn *c, const Store__SelectResponse *m, bool read_only)
{
    struct str *keywords = ARENA_ARRAY(&c->arena, m->n_keywords, struct str);
    struct imap_flags f = { .system = IMAP_FLAGS_SETTABLE, .keywords = keywords };
    struct resp permanent = { .out = &c->out };

    for (size_t i = 0; keywords && i < m->n_keywords; i++)
        keywords[f.nkeywords++] = str_from(m->keywords[i]);
    resp_z(&c->w, "* FLAGS ");
    resp_flags(&c->w, &f);
    resp_z(&c->w, "\r\n* OK [PERMANENTFLAGS ");
    if (read_only) {
        resp_z(&c->w, "()] Nothing can be changed\r\n");
        return;
    }
    permanent.r = c->w.r;
    resp_flags(&permanent, &f);
    if (permanent.r == 0)
        c->out.n--; /* the parenthesis: \* belongs inside */
    c->w.r = permanent.r;
    resp_z(&c->w, " \\*)] Keywords may be made up\r\n");
}

static void tell_selected(struct imap_conn *c, const Store__SelectResponse *m)
{
    struct view *v = c->view;
    uint32_t unseen = m->first_unseen_uid ? uidranges_seq(&v->uids, m->first_unseen_uid) : 0;

    tell_flags(c, m, v->read_only);
    view_new_keywords(v, m->keywords, m->n_keywords);
    imap_tell_exists(c);
    if (unseen && !c->rev2 && !c->uidonly) /* deprecated by RFC 9051; RFC 9586 3: it is a number */
        resp_printf(&c->w, "* OK [UNSEEN %u] First unseen\r\n", unseen);
    resp_printf(&c->w, "* OK [UIDVALIDITY %u] Valid\r\n* OK [UIDNEXT %u] Next\r\n", v->uidvalidity,
                m->folder->uidnext);
    resp_printf(&c->w, "* OK [HIGHESTMODSEQ %llu] Highest\r\n",
                (unsigned long long)v->modseq); /* RFC 7162 3.1.2.1 */
    resp_printf(&c->w, "* OK [MAILBOXID (%.*s)] Forever\r\n",
                STR_ARG(pb_str(m->folder->object_id))); /* RFC 8474 4.1 */
}

/* RFC 9051 6.3.2: what has been opened, by its name. */
static void tell_name(struct imap_conn *c, const Store__SelectResponse *m, struct str given)
{
    const char *use = special_use_name(m->folder->special_use);
    char attributes[40];

    snprintf(attributes, sizeof attributes, "%s%s", use ? "\\" : "", use ? use : "");
    if (c->rev2 || given.p)
        oldname_list(c, attributes, pb_str(m->folder->name), given);
}

static void selected(struct imap_conn *c, int status, struct str body)
{
    const struct select *s = c->step_data;
    const char *code = s->read_only ? "READ-ONLY" : "READ-WRITE";
    struct arena a = { .max = MIB(16) };
    Store__SelectResponse *m = NULL;

    if (status == 0 &&
        (!(m = RPC_UNPACK(&a, body, store__select_response)) || !(c->view = view_new(m, s->read_only))))
        status = m ? E_NOMEM : E_CORRUPT;
    if (status < 0) {
        imap_fail_status(c, status);
    } else {
        imap_enter(c, IMAP_ST_SELECTED);
        tell_selected(c, m);
        tell_name(c, m, s->given);
        /* RFC 7162 3.2.5.1: of another UIDVALIDITY the client knows nothing */
        if (!s->qresync.given || s->qresync.uidvalidity != c->view->uidvalidity)
            imap_ok_code(c, code, "Selected");
        else if ((status = qresync_answer(c, &s->qresync, code)) < 0)
            imap_fail_status(c, status);
    }
    arena_release(&a);
}

static int select_folder(struct imap_conn *c, struct args *a, bool read_only)
{
    Store__SelectRequest m = STORE__SELECT_REQUEST__INIT;
    struct select *s = ARENA_NEW(&c->arena, struct select);
    struct str name;
    int r;

    if (!s)
        return E_NOMEM;
    if ((r = args_sp(a)) < 0)
        return r;
    if ((r = oldname_mailbox(a, &name, &s->given)) == 0 && (r = qresync_parse(c, a, &s->qresync)) == 0)
        r = args_end(a);
    if (r == E_SYNTAX)
        return r;
    if (c->state == IMAP_ST_SELECTED) { /* RFC 9051 6.3.2: whatever happens, the former one is left */
        imap_unselect(c);
        resp_z(&c->w, "* OK [CLOSED] The former mailbox is closed\r\n");
    }
    if (r < 0)
        return r == E_RANGE ? E_NOTFOUND : r;
    s->read_only = read_only;
    c->step_data = s;
    m.session = imap_session(c);
    m.name = str_pb(name);
    m.read_only = read_only;
    return imap_ask_store(c, STORE__OP__SELECT, &m.base, false, selected);
}

int imap_cmd_select(struct imap_conn *c, struct args *a)
{
    return select_folder(c, a, false);
}

int imap_cmd_examine(struct imap_conn *c, struct args *a)
{
    return select_folder(c, a, true);
}

static void unselected(struct imap_conn *c, int status, struct str body)
{
    imap_unselect(c);
    imap_done_plain(c, status, body);
}

static int ask_unselect(struct imap_conn *c)
{
    Store__SessionRequest m = STORE__SESSION_REQUEST__INIT;

    m.session = imap_session(c);
    return imap_ask_store(c, STORE__OP__UNSELECT, &m.base, false, unselected);
}

int imap_cmd_unselect(struct imap_conn *c, struct args *a)
{
    int r = args_end(a);

    return r < 0 ? r : ask_unselect(c);
}

static void closed_expunged(struct imap_conn *c, int status, struct str body UNUSED)
{
    if (status == 0)
        status = ask_unselect(c);
    if (status < 0)
        imap_fail_status(c, status);
}

/* CLOSE expunges without a word (RFC 9051 6.4.1), unless the folder was only examined. */
int imap_cmd_close(struct imap_conn *c, struct args *a)
{
    Store__ExpungeRequest m = STORE__EXPUNGE_REQUEST__INIT;
    int r = args_end(a);

    if (r < 0)
        return r;
    if (c->view->read_only)
        return ask_unselect(c);
    m.session = imap_session(c);
    m.folder_id = c->view->folder_id;
    return imap_ask_store(c, STORE__OP__EXPUNGE, &m.base, true, closed_expunged);
}
