/* src/imap/cmd_list.c: LIST, LSUB, STATUS (RFC 3501 6.3.8 to 6.3.10, RFC 6154 for the uses). */
#include "src/imap/imap.h"
#include "lib/imap/mboxname.h"
#include "lib/imap/status_items.h"
#include "src/imap/special_use.h"

struct list {
    struct str pattern;
    bool lsub, only_special;
    uint32_t status; /* items of STATUS */
};

static void list_line(struct imap_conn *c, const char *what, const char *attributes, struct str name)
{
    resp_printf(&c->w, "* %s (%s) \"/\" ", what, attributes);
    resp_mailbox(&c->w, name);
    resp_crlf(&c->w);
}

static void list_folder(struct imap_conn *c, const struct list *l, const Store__Folder *f)
{
    const char *use = special_use_name(f->special_use);
    char attributes[80];

    if (l->only_special && !use)
        return;
    snprintf(attributes, sizeof attributes, "%s%s%s%s", f->noselect || f->id == 0 ? "\\Noselect " : "",
             f->has_children ? "\\HasChildren" : "\\HasNoChildren", use ? " \\" : "", use ? use : "");
    list_line(c, "LIST", attributes, pb_str(f->name));
}

/* RFC 3501 6.3.9: "%" also names parents that are not subscribed but have children that are. Folders
 * come in name order, so one parent's children stand together. */
static void lsub_folder(struct imap_conn *c, const struct list *l, const Store__Folder *f, struct str *told)
{
    struct str name = pb_str(f->name);

    if (!f->subscribed)
        return;
    if (mboxname_match(l->pattern, name)) {
        list_line(c, "LSUB", f->noselect || f->id == 0 ? "\\Noselect" : "", name);
        *told = name;
        return;
    }
    for (size_t n = name.n; n > 0; n--) {
        struct str parent = str_slice(name, 0, n - 1);

        if (name.p[n - 1] != MBOXNAME_SEP || !mboxname_match(l->pattern, parent))
            continue;
        if (!str_eq(*told, parent))
            list_line(c, "LSUB", "\\Noselect", parent);
        *told = parent;
        return;
    }
}

static void listed(struct imap_conn *c, int status, struct str body)
{
    const struct list *l = c->step_data;
    Store__FoldersResponse *m = NULL;
    struct str told = STR_NONE;

    if (status == 0 && !(m = RPC_UNPACK(&c->arena, body, store__folders_response)))
        status = E_CORRUPT;
    if (status < 0) {
        imap_fail_status(c, status);
        return;
    }
    for (size_t i = 0; i < m->n_folders; i++) {
        const Store__Folder *f = m->folders[i];

        if (l->lsub)
            lsub_folder(c, l, f, &told);
        else if ((f->id || f->noselect) && mboxname_match(l->pattern, pb_str(f->name)))
            list_folder(c, l, f);
    }
    imap_ok(c, "Completed");
}

/* The reference is a prefix (RFC 9051 6.3.9.1 leaves it to us). */
static int parse_pattern(struct imap_conn *c, struct args *a, struct list *l, bool *empty_out)
{
    struct str reference, pattern;
    char *both;
    int r;

    if ((r = args_list_pattern(a, &reference)) < 0 || (r = args_sp(a)) < 0 ||
        (r = args_list_pattern(a, &pattern)) < 0)
        return r;
    *empty_out = pattern.n == 0;
    both = arena_printf(&c->arena, "%.*s%.*s", STR_ARG(reference), STR_ARG(pattern));
    l->pattern = str_from(both);
    return both ? 0 : E_NOMEM;
}

/* "RETURN (SPECIAL-USE)" (RFC 6154 2): what is asked for is always there. */
static int skip_return(struct args *a)
{
    struct str option;
    int r;

    if (!args_skip(a, ' '))
        return args_end(a);
    if (!args_skip_word(a, "RETURN"))
        return args_fail(a, "RETURN");
    if ((r = args_sp(a)) < 0 || (r = args_char(a, '(', "return options")) < 0)
        return r;
    while (!args_skip(a, ')')) {
        if ((r = args_word(a, &option)) < 0)
            return r;
        if (!str_ieq_z(option, "SPECIAL-USE") && !str_ieq_z(option, "CHILDREN"))
            return args_fail(a, "a return option that is known");
        args_skip(a, ' ');
    }
    return args_end(a);
}

static int ask_folders(struct imap_conn *c)
{
    Store__FoldersRequest m = STORE__FOLDERS_REQUEST__INIT;

    m.session = imap_session(c);
    return imap_ask_store(c, STORE__OP__FOLDERS, &m.base, false, listed);
}

int imap_cmd_list(struct imap_conn *c, struct args *a)
{
    struct list *l = ARENA_NEW(&c->arena, struct list);
    bool empty = false;
    int r;

    if (!l)
        return E_NOMEM;
    c->step_data = l;
    if ((r = args_sp(a)) < 0)
        return r;
    if (args_skip(a, '(')) { /* "LIST (SPECIAL-USE) …" (RFC 6154 5.1) */
        l->only_special = args_skip_word(a, "SPECIAL-USE");
        if ((r = args_char(a, ')', "the end of the selection")) < 0 || (r = args_sp(a)) < 0)
            return r;
    }
    if ((r = parse_pattern(c, a, l, &empty)) < 0 || (r = skip_return(a)) < 0)
        return r == E_RANGE ? imap_ok(c, "No mailbox can match") : r;
    if (empty) { /* asks for the separator only (RFC 3501 6.3.8) */
        resp_z(&c->w, "* LIST (\\Noselect) \"/\" \"\"\r\n");
        return imap_ok(c, "Completed");
    }
    return ask_folders(c);
}

int imap_cmd_lsub(struct imap_conn *c, struct args *a)
{
    struct list *l = ARENA_NEW(&c->arena, struct list);
    bool empty = false;
    int r;

    if (!l)
        return E_NOMEM;
    l->lsub = true;
    c->step_data = l;
    if ((r = args_sp(a)) < 0 || (r = parse_pattern(c, a, l, &empty)) < 0 || (r = args_end(a)) < 0)
        return r == E_RANGE ? imap_ok(c, "No mailbox can match") : r;
    return ask_folders(c);
}

/* ---- STATUS ---- */

static void status_item(struct imap_conn *c, enum status_item item, const Store__Folder *f)
{
    resp_printf(&c->w, "%s ", status_item_name(item));
    switch (item) {
    case STATUS_MESSAGES: resp_printf(&c->w, "%u", f->messages); break;
    case STATUS_RECENT: resp_printf(&c->w, "%u", f->recent); break;
    case STATUS_UIDNEXT: resp_printf(&c->w, "%u", f->uidnext); break;
    case STATUS_UIDVALIDITY: resp_printf(&c->w, "%u", f->uidvalidity); break;
    case STATUS_UNSEEN: resp_printf(&c->w, "%u", f->unseen); break;
    case STATUS_DELETED: resp_printf(&c->w, "%u", f->deleted); break;
    case STATUS_SIZE: resp_printf(&c->w, "%llu", (unsigned long long)f->bytes); break;
    case STATUS_HIGHESTMODSEQ: resp_printf(&c->w, "%llu", (unsigned long long)f->highest_modseq); break;
    case STATUS_MAILBOXID:
        resp_z(&c->w, "(");
        resp_raw(&c->w, pb_str(f->object_id));
        resp_z(&c->w, ")");
        break;
    case STATUS_APPENDLIMIT:
        resp_printf(&c->w, "%llu", (unsigned long long)c->srv->conf.max_message_bytes);
        break;
    case STATUS_DELETED_STORAGE:
    case STATUS_ITEMS: resp_z(&c->w, "0"); break;
    }
}

static void status_came(struct imap_conn *c, int status, struct str body)
{
    const struct list *l = c->step_data;
    Store__FoldersResponse *m = NULL;
    const char *sep = "";

    if (status == 0 && !(m = RPC_UNPACK(&c->arena, body, store__folders_response)))
        status = E_CORRUPT;
    if (status == 0 && (m->n_folders == 0 || m->folders[0]->id == 0))
        status = E_NOTFOUND;
    if (status < 0) {
        imap_fail_status(c, status);
        return;
    }
    resp_z(&c->w, "* STATUS ");
    resp_mailbox(&c->w, pb_str(m->folders[0]->name));
    resp_z(&c->w, " (");
    for (uint32_t i = 0; i < STATUS_ITEMS; i++) {
        if (!(l->status & BIT(i)))
            continue;
        resp_z(&c->w, sep);
        status_item(c, (enum status_item)i, m->folders[0]);
        sep = " ";
    }
    resp_z(&c->w, ")\r\n");
    imap_ok(c, "Completed");
}

int imap_cmd_status(struct imap_conn *c, struct args *a)
{
    Store__FoldersRequest m = STORE__FOLDERS_REQUEST__INIT;
    struct list *l = ARENA_NEW(&c->arena, struct list);
    struct str name;
    int r;

    if (!l)
        return E_NOMEM;
    c->step_data = l;
    if ((r = args_sp(a)) < 0 || (r = args_mailbox(a, &name)) < 0 || (r = args_sp(a)) < 0 ||
        (r = status_items_parse(a, &l->status)) < 0 || (r = args_end(a)) < 0)
        return r == E_RANGE ? E_NOTFOUND : r;
    if (l->status & BIT(STATUS_HIGHESTMODSEQ))
        c->condstore = true; /* RFC 7162 3.1: it enables */
    if (l->status & BIT(STATUS_DELETED_STORAGE))
        return E_UNSUPPORTED;
    m.session = imap_session(c);
    m.name = str_pb(name);
    m.counts = true;
    return imap_ask_store(c, STORE__OP__FOLDERS, &m.base, false, status_came);
}
