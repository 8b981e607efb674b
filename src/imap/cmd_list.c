/* src/imap/cmd_list.c: LIST, LSUB, STATUS (RFC 3501 6.3.8 to 6.3.10; RFC 5258 for the extended form, RFC 5819
 * for STATUS in it, RFC 6154 for the uses). */
#include "src/imap/imap.h"
#include "lib/imap/list_args.h"
#include "lib/imap/mboxname.h"
#include "lib/imap/status_items.h"
#include "src/imap/list.h"
#include "src/imap/metadata.h"
#include "src/imap/qresync.h"
#include "src/imap/special_use.h"

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
    case STATUS_DELETED_STORAGE: /* RFC 9208 4.1.4: in units of 1024 octets */
        resp_printf(&c->w, "%llu", (unsigned long long)(f->deleted_bytes + 1023) / 1024);
        break;
    case STATUS_ITEMS: resp_z(&c->w, "0"); break;
    }
}

void list_status(struct imap_conn *c, uint32_t items, const Store__Folder *f)
{
    const char *sep = "";

    resp_z(&c->w, "* STATUS ");
    resp_mailbox(&c->w, pb_str(f->name));
    resp_z(&c->w, " (");
    for (uint32_t i = 0; i < STATUS_ITEMS; i++) {
        if (!(items & BIT(i)))
            continue;
        resp_z(&c->w, sep);
        status_item(c, (enum status_item)i, f);
        sep = " ";
    }
    resp_z(&c->w, ")\r\n");
}

/* At which output a long listing rests until its client has read some. */
#define LIST_TURN KIB(16)

struct list {
    struct list_args args;
    uint32_t status; /* items of STATUS */
    const Store__FoldersResponse *m;
    struct entry *entries; /* LIST, in the order in which they are told */
    size_t n, at;
};

/* A name that may be told: a folder, a subscription without one, or an ancestor of such. */
struct entry {
    struct str name;
    const Store__Folder *folder; /* NULL: only an ancestor */
    bool matches, selected;      /* the pattern; the selection criteria */
    bool parent, parent_needed;  /* of a selected one; of one that is not told itself */
};

static bool any_match(const struct list_args *l, struct str name)
{
    for (size_t i = 0; i < l->npatterns; i++)
        if (mboxname_match(l->patterns[i], name))
            return true;
    return false;
}

static bool exists(const Store__Folder *f)
{
    return f && f->id && !f->noselect;
}

/* RFC 5258 3: a name satisfies every selection option, or, without any, exists. */
static bool is_selected(const struct list_args *l, const Store__Folder *f)
{
    if ((l->select & LIST_SUBSCRIBED) && !f->subscribed)
        return false;
    if ((l->select & LIST_SPECIAL_USE) && !special_use_name(f->special_use))
        return false;
    if (l->select & (LIST_SUBSCRIBED | LIST_SPECIAL_USE))
        return true;
    return f->id || f->has_children; /* a parent that is only a name stands for its children */
}

/* INBOX first, then by name. */
static int entry_order(const void *x, const void *y)
{
    const struct entry *a = x, *b = y;
    bool ai = mboxname_is_inbox(a->name), bi = mboxname_is_inbox(b->name);

    return ai != bi ? bi - ai : str_cmp(a->name, b->name);
}

/* Folders of the same name are one entry; what is known of either stays. */
static void entries_join(struct list *l)
{
    size_t n = 0;

    qsort(l->entries, l->n, sizeof *l->entries, entry_order);
    for (size_t i = 0; i < l->n; i++) {
        struct entry *last = n ? &l->entries[n - 1] : NULL, *e = &l->entries[i];

        if (!last || !str_eq(last->name, e->name)) {
            l->entries[n++] = *e;
            continue;
        }
        last->folder = last->folder ? last->folder : e->folder;
        last->selected |= e->selected;
        last->parent |= e->parent;
        last->parent_needed |= e->parent_needed;
    }
    l->n = n;
}

/* RFC 5258 3.5: RECURSIVEMATCH also names those below which there is a selected one. */
static void add_ancestors(struct list *l, const struct entry *e)
{
    for (size_t i = 1; i < e->name.n; i++)
        if (e->name.p[i] == MBOXNAME_SEP)
            l->entries[l->n++] = (struct entry){ .name = str_slice(e->name, 0, i),
                                                 .parent = true,
                                                 .parent_needed = !e->matches };
}

static int entries_make(struct imap_conn *c, struct list *l)
{
    bool recursive = l->args.select & LIST_RECURSIVEMATCH;
    size_t room = l->m->n_folders;

    for (size_t i = 0; i < l->m->n_folders && recursive; i++)
        for (size_t k = 0; k < l->m->folders[i]->name.len; k++)
            room += l->m->folders[i]->name.data[k] == MBOXNAME_SEP;
    l->entries = ARENA_ARRAY(&c->arena, room, struct entry);
    if (room && !l->entries)
        return E_LIMIT;
    for (size_t i = 0; i < l->m->n_folders; i++) {
        const Store__Folder *f = l->m->folders[i];
        struct entry e = { .name = pb_str(f->name), .folder = f, .selected = is_selected(&l->args, f) };

        e.matches = any_match(&l->args, e.name);
        if (recursive && e.selected)
            add_ancestors(l, &e);
        l->entries[l->n++] = e;
    }
    entries_join(l);
    for (size_t i = 0; i < l->n && recursive; i++)
        l->entries[i].matches = any_match(&l->args, l->entries[i].name);
    return 0;
}

static void list_line(struct imap_conn *c, const char *what, const char *attributes, struct str name)
{
    resp_printf(&c->w, "* %s (%s) \"/\" ", what, attributes);
    resp_mailbox(&c->w, name);
}

/* What RECURSIVEMATCH was asked for: the criteria below which something was found (RFC 5258 3.5). */
static void child_info(struct imap_conn *c, uint32_t select)
{
    resp_printf(&c->w, " (\"CHILDINFO\" (%s%s%s))", select & LIST_SUBSCRIBED ? "\"SUBSCRIBED\"" : "",
                (select & LIST_SUBSCRIBED) && (select & LIST_SPECIAL_USE) ? " " : "",
                select & LIST_SPECIAL_USE ? "\"SPECIAL-USE\"" : "");
}

static void list_entry(struct imap_conn *c, const struct list *l, const struct entry *e)
{
    const Store__Folder *f = e->folder;
    const char *use = f ? special_use_name(f->special_use) : NULL,
               *none = l->args.extended || c->rev2 ? "\\NonExistent " : "\\Noselect ";
    bool subscribed = f && f->subscribed &&
                      ((l->args.select & LIST_SUBSCRIBED) || (l->args.returns & LIST_RETURN_SUBSCRIBED));
    bool children = f ? f->has_children : false;
    char attributes[120];

    snprintf(attributes, sizeof attributes, "%s%s%s%s%s", exists(f) ? "" : none,
             children ? "\\HasChildren" : "\\HasNoChildren", subscribed ? " \\Subscribed" : "",
             use ? " \\" : "", use ? use : "");
    list_line(c, "LIST", attributes, e->name);
    if (e->parent && (l->args.select & LIST_RECURSIVEMATCH))
        child_info(c, l->args.select);
    resp_crlf(&c->w);
    if ((l->args.returns & LIST_RETURN_STATUS) && e->selected && exists(f)) /* RFC 5819 2 */
        list_status(c, l->args.status, f);
    if ((l->args.returns & LIST_RETURN_METADATA) && e->selected && exists(f)) /* RFC 9590 3 */
        metadata_write(c, e->name, f->annotations, f->n_annotations, UINT64_MAX);
}

/* As far as the client reads: with STATUS a listing may be long. */
static int list_step(struct imap_conn *c)
{
    struct list *l = c->step_data;

    for (; l->at < l->n && c->out.n < LIST_TURN; l->at++) {
        const struct entry *e = &l->entries[l->at];

        /* One that is not selected is told for what is below it and not told itself (RFC 5258 3.3, 3.5). */
        if (e->matches && (e->selected || e->parent_needed))
            list_entry(c, l, e);
    }
    if (l->at < l->n)
        return 0;
    imap_ok(c, "Completed");
    return 1;
}

/* RFC 3501 6.3.9: "%" also names parents that are not subscribed but have children that are. Folders
 * come in name order, so one parent's children stand together. */
static void lsub_folder(struct imap_conn *c, const struct list *l, const Store__Folder *f, struct str *told)
{
    struct str name = pb_str(f->name);

    if (!f->subscribed)
        return;
    if (any_match(&l->args, name)) {
        list_line(c, "LSUB", exists(f) ? "" : "\\Noselect", name);
        resp_crlf(&c->w);
        *told = name;
        return;
    }
    for (size_t n = name.n; n > 0; n--) {
        struct str parent = str_slice(name, 0, n - 1);

        if (name.p[n - 1] != MBOXNAME_SEP || !any_match(&l->args, parent))
            continue;
        if (!str_eq(*told, parent)) {
            list_line(c, "LSUB", "\\Noselect", parent);
            resp_crlf(&c->w);
        }
        *told = parent;
        return;
    }
}

static int folders_of(struct imap_conn *c, int status, struct str body, struct list *l)
{
    if (status == 0 && !(l->m = RPC_UNPACK(&c->arena, body, store__folders_response)))
        status = E_CORRUPT;
    return status;
}

static void listed(struct imap_conn *c, int status, struct str body)
{
    struct list *l = c->step_data;

    if ((status = folders_of(c, status, body, l)) < 0 || (status = entries_make(c, l)) < 0)
        imap_fail_status(c, status);
    else
        c->step = list_step;
}

static void listed_lsub(struct imap_conn *c, int status, struct str body)
{
    struct list *l = c->step_data;
    struct str told = STR_NONE;

    if ((status = folders_of(c, status, body, l)) < 0) {
        imap_fail_status(c, status);
        return;
    }
    for (size_t i = 0; i < l->m->n_folders; i++)
        lsub_folder(c, l, l->m->folders[i], &told);
    imap_ok(c, "Completed");
}

static int ask_folders(struct imap_conn *c, const struct list_args *l, imap_done_fn *done)
{
    int r;
    Store__FoldersRequest m = STORE__FOLDERS_REQUEST__INIT;

    m.session = imap_session(c);
    m.counts = l->returns & LIST_RETURN_STATUS;
    if ((r = metadata_pack(&c->arena, l->entries, l->nentries, &m.annotations)) < 0)
        return r;
    m.n_annotations = l->nentries;
    return imap_ask_store(c, STORE__OP__FOLDERS, &m.base, false, done);
}

int imap_cmd_list(struct imap_conn *c, struct args *a)
{
    struct list *l = ARENA_NEW(&c->arena, struct list);
    int r;

    if (!l)
        return E_NOMEM;
    c->step_data = l;
    if ((r = list_args_parse(a, &l->args)) < 0)
        return r == E_RANGE ? imap_ok(c, "No mailbox can match") : r;
    if (l->args.status & BIT(STATUS_HIGHESTMODSEQ))
        condstore_enable(c);
    if (l->args.separator) {
        resp_z(&c->w, "* LIST (\\Noselect) \"/\" \"\"\r\n");
        return imap_ok(c, "Completed");
    }
    return ask_folders(c, &l->args, listed);
}

int imap_cmd_lsub(struct imap_conn *c, struct args *a)
{
    struct list *l = ARENA_NEW(&c->arena, struct list);
    int r;

    if (!l)
        return E_NOMEM;
    c->step_data = l;
    if ((r = list_args_parse(a, &l->args)) < 0 && r != E_RANGE)
        return r;
    if (l->args.extended)
        return args_fail(a, "the end of the command");
    if (r == E_RANGE)
        return imap_ok(c, "No mailbox can match");
    return ask_folders(c, &l->args, listed_lsub);
}

/* ---- STATUS ---- */

static void status_came(struct imap_conn *c, int status, struct str body)
{
    const struct list *l = c->step_data;
    Store__FoldersResponse *m = NULL;

    if (status == 0 && !(m = RPC_UNPACK(&c->arena, body, store__folders_response)))
        status = E_CORRUPT;
    if (status == 0 && (m->n_folders == 0 || m->folders[0]->id == 0))
        status = E_NOTFOUND;
    if (status < 0) {
        imap_fail_status(c, status);
        return;
    }
    list_status(c, l->status, m->folders[0]);
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
        condstore_enable(c);
    m.session = imap_session(c);
    m.name = str_pb(name);
    m.counts = true;
    return imap_ask_store(c, STORE__OP__FOLDERS, &m.base, false, status_came);
}
