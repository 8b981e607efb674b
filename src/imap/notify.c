#include "src/imap/notify.h"
#include "lib/base/log.h"
#include "lib/imap/mboxname.h"
#include "lib/imap/status_items.h"
#include "src/imap/list.h"
#include "src/imap/news.h"
#include "src/imap/oldname.h"
#include "src/imap/special_use.h"

#define ASK_ALL_FROM 16u /* folders to look at: then all of them in one answer */

/* A folder as this client was told of it. */
struct folder {
    uint64_t id, modseq, name; /* name: a hash, with the subscription */
    uint32_t uidnext, messages, unseen;
    uint32_t epoch; /* in which `events` was found out; another one: names have changed since */
    uint8_t events; /* of messages */
    bool dirty;     /* it may have changed: to be looked at */
};

/* Something that is told by its name. */
struct item {
    struct item *next;
    uint32_t events; /* that want it */
    size_t bytes;
    struct str name, old;
    struct str *entries; /* METADATA */
    size_t n;
};

struct notify {
    struct arena arena; /* of args */
    struct notify_args args;
    struct folder *folders; /* by id */
    size_t n, cap, dirty;
    uint32_t epoch, others; /* others: events wanted of any folder but the selected one */
    bool again;             /* the store began anew: all folders are looked at */
    bool overflow;          /* to be told */
    uint64_t asked;
    struct item *items;
    size_t items_bytes;
};

struct notify *notify_new(void)
{
    struct notify *n = calloc(1, sizeof *n);

    if (n) {
        n->arena.max = NOTIFY_BYTES_MAX;
        n->epoch = 1;
    }
    return n;
}

static void item_pop(struct notify *n)
{
    struct item *i = n->items;

    n->items = i->next;
    n->items_bytes -= i->bytes;
    free(i);
}

static void clear(struct notify *n)
{
    while (n->items)
        item_pop(n);
    free(n->folders);
    arena_release(&n->arena);
    *n = (struct notify){ .arena.max = NOTIFY_BYTES_MAX, .epoch = n->epoch + 1 };
}

void notify_free(struct notify **np)
{
    if (*np)
        clear(*np);
    free(*np);
    *np = NULL;
}

struct notify_args *notify_args_of(struct notify *n)
{
    return &n->args;
}

struct arena *notify_arena(struct notify *n)
{
    return &n->arena;
}

/* ---- what is wanted ---- */

static uint32_t others(const struct notify *n)
{
    uint32_t v = 0;

    for (size_t i = 0; i < n->args.n; i++)
        v |= n->args.groups[i].events;
    return v;
}

bool notify_wants_folders(const struct notify *n)
{
    return others(n) & NOTIFY_MESSAGES;
}

/* Names and subscriptions also decide which folders are meant. */
uint32_t notify_watch(const struct notify *n)
{
    uint32_t v = n ? others(n) : 0, watch = 0;

    if (v & NOTIFY_MESSAGES)
        watch |= STORE__WATCH__WATCH_MESSAGES | STORE__WATCH__WATCH_NAMES | STORE__WATCH__WATCH_SUBSCRIPTIONS;
    if (v & NOTIFY_NAME)
        watch |= STORE__WATCH__WATCH_NAMES;
    if (v & NOTIFY_SUBSCRIPTION)
        watch |= STORE__WATCH__WATCH_SUBSCRIPTIONS;
    if (v & (NOTIFY_METADATA | NOTIFY_SERVER_METADATA))
        watch |= STORE__WATCH__WATCH_METADATA;
    return watch;
}

bool notify_listens(const struct imap_conn *c)
{
    return c->notify && (c->notify->others || c->notify->args.selected || c->notify->overflow);
}

uint32_t notify_selected(const struct imap_conn *c)
{
    return c->notify ? c->notify->args.selected : NOTIFY_MESSAGES;
}

bool notify_delays(const struct imap_conn *c)
{
    return c->notify && c->notify->args.delayed;
}

struct str notify_fetch(const struct imap_conn *c)
{
    return c->notify ? c->notify->args.fetch : STR("");
}

/* Several groups may mean one mailbox (RFC 5465 6). */
static uint32_t wanted(const struct notify *n, struct str name, bool subscribed)
{
    uint32_t v = 0;

    for (size_t i = 0; i < n->args.n; i++)
        if (mbox_filter_match(&n->args.groups[i].where, name, subscribed))
            v |= n->args.groups[i].events;
    return v;
}

/* ---- folders ---- */

static struct folder *folder_at(const struct notify *n, uint64_t id)
{
    size_t lo = 0, hi = n->n;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;

        if (n->folders[mid].id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return n->folders + lo;
}

static struct folder *folder_find(const struct notify *n, uint64_t id)
{
    struct folder *f = n->n ? folder_at(n, id) : NULL;

    return f && f < n->folders + n->n && f->id == id ? f : NULL;
}

/* One that is not known: its rows begin empty, since it is new or was not wanted. NULL: no room. */
static struct folder *folder_add(struct notify *n, uint64_t id)
{
    struct folder *f;

    if (n->n == NOTIFY_WATCHED_MAX)
        return NULL;
    if (n->n == n->cap) {
        size_t cap = n->cap ? 2 * n->cap : 16;
        struct folder *v = realloc(n->folders, cap * sizeof *v);

        if (!v)
            return NULL;
        n->folders = v;
        n->cap = cap;
    }
    f = folder_at(n, id);
    memmove(f + 1, f, (size_t)(n->folders + n->n - f) * sizeof *f);
    *f = (struct folder){ .id = id, .uidnext = 1 };
    n->n++;
    return f;
}

static void set_dirty(struct notify *n, struct folder *f, bool dirty)
{
    n->dirty += dirty;
    n->dirty -= f->dirty;
    f->dirty = dirty;
}

static void folder_drop(struct notify *n, struct folder *f)
{
    set_dirty(n, f, false);
    n->n--;
    memmove(f, f + 1, (size_t)(n->folders + n->n - f) * sizeof *f);
}

static uint64_t name_hash(const Store__Folder *f)
{
    uint64_t h = UINT64_C(1469598103934665603) + (f->subscribed ? 1 : 0);

    for (size_t i = 0; i < f->name.len; i++) /* FNV-1a */
        h = (h ^ f->name.data[i]) * UINT64_C(1099511628211);
    return h;
}

static void folder_learn(struct notify *n, struct folder *f, const Store__Folder *m)
{
    f->uidnext = m->uidnext;
    f->messages = m->messages;
    f->unseen = m->unseen;
    f->modseq = m->highest_modseq > f->modseq ? m->highest_modseq : f->modseq;
    f->name = name_hash(m);
    f->epoch = n->epoch;
    f->events = (uint8_t)(wanted(n, pb_str(m->name), m->subscribed) & NOTIFY_MESSAGES);
}

static bool is_folder(const Store__Folder *m)
{
    return m->id && !m->noselect;
}

static bool is_selected(const struct imap_conn *c, uint64_t id)
{
    return c->view && c->view->folder_id == id;
}

/* RFC 5465 3.1: what STATUS must have. */
static uint32_t status_of_events(uint32_t events)
{
    uint32_t items = 0;

    if (events & NOTIFY_NEW)
        items |= BIT(STATUS_MESSAGES) | BIT(STATUS_UIDNEXT) | BIT(STATUS_UIDVALIDITY);
    if (events & NOTIFY_FLAGS)
        items |= BIT(STATUS_UIDVALIDITY) | BIT(STATUS_HIGHESTMODSEQ) | BIT(STATUS_UNSEEN);
    return items;
}

int notify_begin(struct imap_conn *c, struct notify *n, const Store__FoldersResponse *m)
{
    for (size_t i = 0; m && i < m->n_folders; i++) {
        const Store__Folder *one = m->folders[i];
        struct folder *f = folder_find(n, one->id);

        if (!is_folder(one) || !(wanted(n, pb_str(one->name), one->subscribed) & NOTIFY_MESSAGES))
            continue;
        if (!f && !(f = folder_add(n, one->id)))
            return n->n == NOTIFY_WATCHED_MAX ? E_LIMIT : E_NOMEM;
        if (f->modseq <= one->highest_modseq) /* else it changed while we looked */
            set_dirty(n, f, false);
        folder_learn(n, f, one);
        if (n->args.status && !is_selected(c, one->id))
            list_status(c, status_of_events(f->events) | (c->condstore ? BIT(STATUS_HIGHESTMODSEQ) : 0), one);
    }
    n->others = others(n);
    return 0;
}

/* ---- what happens ---- */

static void overflow(struct notify *n)
{
    clear(n); /* RFC 5465 5.8: as if NOTIFY NONE had come */
    n->overflow = true;
}

static void changed(struct notify *n, uint64_t id, uint64_t modseq)
{
    struct folder *f;

    if (!n || !notify_wants_folders(n))
        return;
    f = folder_find(n, id);
    if (f && (modseq <= f->modseq || (f->epoch == n->epoch && !f->events)))
        return;
    if (!f && !(f = folder_add(n, id))) {
        overflow(n);
        return;
    }
    set_dirty(n, f, true);
}

void notify_changed(struct imap_conn *c, uint64_t folder_id, uint64_t modseq)
{
    changed(c->notify, folder_id, modseq);
    changed(c->notify_next, folder_id, modseq);
}

void notify_renamed(struct imap_conn *c)
{
    if (c->notify)
        c->notify->epoch++;
}

void notify_left(struct imap_conn *c)
{
    const struct view *v = c->view;
    struct folder *f = c->notify && v ? folder_find(c->notify, v->folder_id) : NULL;

    if (!f)
        return;
    f->messages = uidranges_count(&v->uids);
    f->uidnext = uidranges_last(&v->uids) >= f->uidnext ? uidranges_last(&v->uids) + 1 : f->uidnext;
    f->modseq = v->modseq > f->modseq ? v->modseq : f->modseq;
    set_dirty(c->notify, f, v->stale || v->vanished.n);
}

void notify_reattached(struct imap_conn *c)
{
    struct notify *n = c->notify;

    if (!n || !n->others)
        return;
    if (!(n->others & NOTIFY_MESSAGES) || (n->others & (NOTIFY_METADATA | NOTIFY_SERVER_METADATA)))
        overflow(n); /* what was missed cannot be found out */
    else
        n->again = true;
}

static struct str put(char **at, struct str s)
{
    char *p = *at;

    if (s.n)
        memcpy(p, s.p, s.n);
    *at += s.n;
    return str_of(p, s.n);
}

static struct item *item_new(struct str name, struct str old, const ProtobufCBinaryData *v, size_t n)
{
    size_t bytes = sizeof(struct item) + n * sizeof(struct str) + name.n + old.n;
    struct item *i;
    char *p;

    for (size_t k = 0; k < n; k++)
        bytes += v[k].len;
    if (!(i = malloc(bytes)))
        return NULL;
    *i = (struct item){ .bytes = bytes, .entries = (struct str *)(i + 1), .n = n };
    p = (char *)(i->entries + n);
    i->name = put(&p, name);
    i->old = old.n ? put(&p, old) : STR_NONE;
    for (size_t k = 0; k < n; k++)
        i->entries[k] = put(&p, pb_str(v[k]));
    return i;
}

/* What is wanted of it, were it subscribed; the store is asked whether it is when it is told. */
static uint32_t may_want(const struct notify *n, struct str name, struct str old)
{
    return wanted(n, name, true) | (old.n ? wanted(n, old, true) : 0);
}

static void queue(struct notify *n, uint32_t events, struct str name, struct str old,
                  const Store__NewsEvent *m)
{
    bool plain = !old.n && !(events & NOTIFY_METADATA);
    struct item *i, **end = &n->items;

    for (; *end; end = &(*end)->next) {
        i = *end;
        if (plain && !i->old.n && !i->n && str_eq(i->name, name)) { /* told once, as it is then */
            i->events |= events;
            return;
        }
    }
    i = item_new(name, old, m->entries, events & NOTIFY_METADATA ? m->n_entries : 0);
    if (!i || n->items_bytes + i->bytes > NOTIFY_BYTES_MAX) {
        free(i);
        overflow(n);
        return;
    }
    i->events = events;
    n->items_bytes += i->bytes;
    *end = i;
}

static struct str parent_of(struct str name)
{
    size_t n = name.n;

    while (n && name.p[n - 1] != MBOXNAME_SEP)
        n--;
    return n ? str_slice(name, 0, n - 1) : STR("");
}

static void happened(struct notify *n, const Store__NewsEvent *m)
{
    struct str name = pb_str(m->name), old = pb_str(m->old_name), parent = parent_of(name);
    bool made = m->kind == STORE__NEWS_EVENT__KIND__CREATED || m->kind == STORE__NEWS_EVENT__KIND__REMOVED;
    uint32_t want;

    if (!n || !others(n))
        return;
    if (m->kind == STORE__NEWS_EVENT__KIND__LOST) {
        overflow(n);
        return;
    }
    if (m->kind == STORE__NEWS_EVENT__KIND__ANNOTATED) {
        want = name.n ? NOTIFY_METADATA & may_want(n, name, STR("")) : NOTIFY_SERVER_METADATA & others(n);
        if (want && m->n_entries)
            queue(n, NOTIFY_METADATA, name, STR(""), m);
        return;
    }
    n->epoch++;
    want = m->kind == STORE__NEWS_EVENT__KIND__SUBSCRIBED ? NOTIFY_SUBSCRIPTION : NOTIFY_NAME;
    if (want & may_want(n, name, old))
        queue(n, want, name, old, m);
    if (made && parent.n && (want & may_want(n, parent, STR("")))) /* RFC 5465 5.4: affected, too */
        queue(n, want, parent, STR(""), m);
}

void notify_news(struct imap_conn *c, const Store__NewsEvent *m)
{
    happened(c->notify, m);
    happened(c->notify_next, m);
}

/* ---- telling ---- */

bool notify_due(const struct imap_conn *c)
{
    const struct notify *n = c->notify;

    return n && (n->overflow || (!c->sync_failed && (n->items || n->again || n->dirty)));
}

static void folder_tell(struct imap_conn *c, struct folder *f, const Store__Folder *m)
{
    struct folder was = *f;
    uint32_t items = 0;

    folder_learn(c->notify, f, m);
    if (m->uidnext > was.uidnext || m->messages != was.messages)
        items = BIT(STATUS_MESSAGES) | BIT(STATUS_UIDNEXT);
    if ((f->events & NOTIFY_FLAGS) && m->unseen != was.unseen)
        items |= BIT(STATUS_UNSEEN) | BIT(STATUS_UIDVALIDITY);
    if ((f->events & NOTIFY_FLAGS) && c->condstore && !items)
        items = BIT(STATUS_UIDVALIDITY) | BIT(STATUS_HIGHESTMODSEQ);
    if (items && c->condstore)
        items |= BIT(STATUS_HIGHESTMODSEQ);
    if (f->events && items && m->highest_modseq > was.modseq)
        list_status(c, items, m);
}

static Store__FoldersResponse *folders_unpack(struct arena *a, int *status, struct str body)
{
    Store__FoldersResponse *m = NULL;

    if (*status == 0 && !(m = RPC_UNPACK(a, body, store__folders_response)))
        *status = E_CORRUPT;
    return m;
}

static void folder_came(struct imap_conn *c, int status, struct str body)
{
    struct arena a = { .max = KIB(64) };
    struct notify *n = c->notify;
    struct folder *f = n ? folder_find(n, n->asked) : NULL;
    Store__FoldersResponse *m = folders_unpack(&a, &status, body);

    if (f && status == 0 && m->n_folders && is_folder(m->folders[0])) {
        set_dirty(n, f, false);
        folder_tell(c, f, m->folders[0]);
    } else if (f && (status == 0 || status == E_NOTFOUND)) {
        folder_drop(n, f); /* deleted: MailboxName tells */
    } else if (status < 0) {
        c->sync_failed = true;
    }
    arena_release(&a);
}

/* The store began anew, or much has changed. Names that are others now than we knew happened while nobody told. */
static void all_came(struct imap_conn *c, int status, struct str body)
{
    struct arena a = { .max = MIB(16) };
    struct notify *n = c->notify;
    Store__FoldersResponse *m = folders_unpack(&a, &status, body);
    size_t known = 0;
    bool moved = false, full = false;

    for (size_t i = 0; n && status == 0 && i < m->n_folders && !moved; i++) {
        const Store__Folder *one = m->folders[i];
        struct folder *f = folder_find(n, one->id);

        if (!is_folder(one) || (!f && !(wanted(n, pb_str(one->name), one->subscribed) & NOTIFY_MESSAGES)))
            continue;
        moved = n->again && (!f || (f->name && f->name != name_hash(one)));
        if (moved || (full = !f && !(f = folder_add(n, one->id))))
            break;
        known++;
        set_dirty(n, f, false);
        if (!is_selected(c, one->id))
            folder_tell(c, f, one);
    }
    arena_release(&a);
    if (status < 0) {
        c->sync_failed = true;
    } else if (n) {
        if (moved || full || (n->again && known != n->n)) {
            overflow(n);
        } else {
            for (size_t i = n->n; i-- > 0;)
                if (n->folders[i].dirty)
                    folder_drop(n, &n->folders[i]);
        }
        n->again = false;
    }
}

static int ask(struct imap_conn *c, uint64_t id, struct str name, imap_done_fn *done)
{
    Store__FoldersRequest m = STORE__FOLDERS_REQUEST__INIT;

    m.session = imap_session(c);
    m.folder_id = id;
    m.name = str_pb(name);
    m.counts = !name.n;
    if (imap_ask_store(c, STORE__OP__FOLDERS, &m.base, false, done) == 0)
        return 0;
    c->sync_failed = true;
    return 1;
}

static int folders_step(struct imap_conn *c)
{
    struct notify *n = c->notify;
    struct folder *f = n->folders;

    if (n->again || n->dirty >= ASK_ALL_FROM)
        return ask(c, 0, STR(""), all_came);
    while (!f->dirty)
        f++;
    if (is_selected(c, f->id)) { /* told as such */
        set_dirty(n, f, false);
        return 1;
    }
    n->asked = f->id;
    return ask(c, f->id, STR(""), folder_came);
}

static void tell_list(struct imap_conn *c, const struct item *i, const Store__Folder *f)
{
    const char *use = f ? special_use_name(f->special_use) : NULL;
    char attributes[120];

    snprintf(attributes, sizeof attributes, "%s%s%s%s%s", f && is_folder(f) ? "" : "\\NonExistent ",
             f && f->has_children ? "\\HasChildren" : "\\HasNoChildren",
             f && f->subscribed ? " \\Subscribed" : "", use ? " \\" : "", use ? use : "");
    oldname_list(c, attributes, i->name, i->old);
}

static void tell_metadata(struct imap_conn *c, const struct item *i)
{
    resp_z(&c->w, "* METADATA ");
    if (i->name.n)
        resp_mailbox(&c->w, i->name);
    else
        resp_z(&c->w, "\"\"");
    for (size_t k = 0; k < i->n; k++) {
        resp_z(&c->w, " ");
        resp_astring(&c->w, i->entries[k]);
    }
    resp_crlf(&c->w);
}

/* Who watches what is subscribed also hears that it no longer is. */
static bool is_wanted(const struct notify *n, const struct item *i, bool subscribed)
{
    uint32_t v = wanted(n, i->name, subscribed) | (i->old.n ? wanted(n, i->old, subscribed) : 0);

    v &= ~(uint32_t)NOTIFY_SUBSCRIPTION;
    return i->events & (v | (may_want(n, i->name, i->old) & NOTIFY_SUBSCRIPTION));
}

static void name_came(struct imap_conn *c, int status, struct str body)
{
    struct arena a = { .max = KIB(64) };
    struct notify *n = c->notify;
    Store__FoldersResponse *m = folders_unpack(&a, &status, body);
    const Store__Folder *f = m && m->n_folders ? m->folders[0] : NULL;

    if (status < 0 && status != E_NOTFOUND) {
        c->sync_failed = true;
    } else if (n && n->items) {
        const struct item *i = n->items;

        if (is_wanted(n, i, f && f->subscribed)) {
            if (i->n)
                tell_metadata(c, i);
            else
                tell_list(c, i, f);
        }
        item_pop(n);
    }
    arena_release(&a);
}

static int item_step(struct imap_conn *c)
{
    struct notify *n = c->notify;
    const struct item *i = n->items;

    if (i->n && (!i->name.n || is_wanted(n, i, false))) {
        tell_metadata(c, i);
        item_pop(n);
        return 1;
    }
    return ask(c, 0, i->name, name_came);
}

int notify_step(struct imap_conn *c)
{
    struct notify *n = c->notify;

    if (!n->overflow)
        return n->items ? item_step(c) : folders_step(c);
    n->overflow = false;
    resp_z(&c->w, "* OK [NOTIFICATIONOVERFLOW] More happens than can be told; NOTIFY again\r\n");
    if (imap_news_watch(c, NULL) < 0)
        log_event(LOG_WARN, "imap.watch", F_ERR(E_NOMEM));
    return 1;
}
