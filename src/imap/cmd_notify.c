/* src/imap/cmd_notify.c: NOTIFY (RFC 5465 3.1). What was asked for before holds until the new wish is whole: what
 * happens meanwhile is noted for both. */
#include "lib/base/log.h"
#include "src/imap/context.h"
#include "src/imap/news.h"
#include "src/imap/notify.h"

static void drop_next(struct imap_conn *c)
{
    notify_free(&c->notify_next);
}

static void refuse(struct imap_conn *c, int status)
{
    if (status == E_LIMIT)
        imap_no(c, "NOTIFICATIONOVERFLOW", "That is more than can be watched");
    else
        imap_fail_status(c, status);
}

/* The store has heard of it: what it watches is told again. The former wish was watched all the time. */
static void give_up(struct imap_conn *c, int status)
{
    drop_next(c);
    if (imap_news_watch(c, NULL) < 0)
        status = E_NOMEM;
    refuse(c, status);
}

/* RFC 5465 3.1: it is a NOOP too. */
static void install(struct imap_conn *c)
{
    bool less = notify_watch(c->notify) & ~notify_watch(c->notify_next);

    notify_free(&c->notify);
    c->notify = c->notify_next;
    c->notify_next = NULL;
    if (less && imap_news_watch(c, NULL) < 0)
        log_event(LOG_WARN, "imap.watch"); /* more is said to us than is told */
    if (c->view)
        c->view->stale = true;
    imap_ok(c, "Completed");
}

static void folders_came(struct imap_conn *c, int status, struct str body)
{
    struct arena a = { .max = MIB(16) };
    Store__FoldersResponse *m = NULL;

    if (status == 0 && !(m = RPC_UNPACK(&a, body, store__folders_response)))
        status = E_CORRUPT;
    if (status == 0)
        status = notify_begin(c, c->notify_next, m);
    arena_release(&a);
    if (status == 0) {
        install(c);
        return;
    }
    give_up(c, status);
}

static void watched(struct imap_conn *c, int status, struct str body UNUSED)
{
    Store__FoldersRequest m = STORE__FOLDERS_REQUEST__INIT;

    if (status == 0 && !notify_wants_folders(c->notify_next) &&
        (status = notify_begin(c, c->notify_next, NULL)) == 0) {
        install(c);
        return;
    }
    m.session = imap_session(c);
    m.counts = true;
    if (status == 0)
        status = imap_ask_store(c, STORE__OP__FOLDERS, &m.base, false, folders_came);
    if (status < 0)
        give_up(c, status);
}

/* The strings must outlive the command. */
static int parse(struct imap_conn *c, struct args *a, struct notify *n)
{
    struct arena *command = a->arena;
    struct notify_args *out = notify_args_of(n);
    int r;

    a->arena = notify_arena(n);
    r = notify_args_parse(a, out);
    if (r == 0 && out->fetch.n && !(out->fetch = arena_dup(a->arena, out->fetch)).p)
        r = E_NOMEM;
    a->arena = command;
    if (r == 0 && out->fetch.n && !contexts_fit(c, out->fetch, STR("")))
        r = E_LIMIT;
    return r == E_NOMEM ? E_LIMIT : r; /* of its own arena: too complex */
}

int imap_cmd_notify(struct imap_conn *c, struct args *a)
{
    struct notify *n = notify_new();
    int r;

    if (!n)
        return E_NOMEM;
    c->notify_next = n;
    c->cleanup = drop_next;
    r = parse(c, a, n);
    if (r < 0)
        drop_next(c); /* the store has not heard of it */
    if (r == E_UNSUPPORTED)
        return imap_no(c, "BADEVENT (" NOTIFY_EVENT_NAMES ")", "There is no such event");
    if (r == E_LIMIT)
        refuse(c, r);
    if (r < 0)
        return r == E_LIMIT ? 0 : r;
    return imap_news_watch(c, watched);
}
