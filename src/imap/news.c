#include "src/imap/news.h"
#include "src/imap/notify.h"

struct news_item {
    struct news_item *next;
    struct arena arena;
    const Store__NewsEvent *m;
};

static uint32_t wanted(const struct imap_conn *c)
{
    if (c->notify ||
        c->notify_next) /* NOTIFY says all there is to say; both, since the new wish may be refused yet */
        return notify_watch(c->notify) | notify_watch(c->notify_next);
    return c->metadata ? STORE__WATCH__WATCH_METADATA : 0;
}

static void nothing(void *ctx UNUSED, int status UNUSED, struct str body UNUSED)
{
}

int imap_news_watch(struct imap_conn *c, imap_done_fn *done)
{
    Store__WatchRequest m = STORE__WATCH_REQUEST__INIT;
    struct rpc_ask what = { .op = STORE__OP__WATCH,
                            .body = &m.base,
                            .deadline_ms = IMAP_ASK_MS,
                            .flags = RPC_NO_REPEAT,
                            .done = nothing };

    m.session = imap_session(c);
    m.watch = wanted(c);
    if (done)
        return imap_ask_store(c, STORE__OP__WATCH, &m.base, false, done);
    return rpc_link_ask(c->srv->store, &what) ? 0 : E_NOMEM;
}

static void pop(struct imap_conn *c)
{
    struct news_item *i = c->news;

    c->news = i->next;
    c->nnews--;
    arena_release(&i->arena);
    free(i);
}

void imap_news_clear(struct imap_conn *c)
{
    while (c->news)
        pop(c);
}

void imap_news_event(struct imap_conn *c, struct str body)
{
    struct news_item *i, **end = &c->news;

    if (c->notify || !(i = calloc(1, sizeof *i)))
        return;
    i->arena.max = KIB(256);
    if (c->nnews >= NEWS_WAITING_MAX || !(i->m = RPC_UNPACK(&i->arena, body, store__news_event))) {
        arena_release(&i->arena);
        free(i);
        return;
    }
    while (*end)
        end = &(*end)->next;
    *end = i;
    c->nnews++;
}

bool imap_news_due(const struct imap_conn *c)
{
    return c->news != NULL;
}

static void tell_annotated(struct imap_conn *c, const Store__NewsEvent *m)
{
    resp_z(&c->w, "* METADATA ");
    if (m->name.len)
        resp_mailbox(&c->w, pb_str(m->name));
    else
        resp_z(&c->w, "\"\"");
    for (size_t i = 0; i < m->n_entries; i++) {
        resp_z(&c->w, " ");
        resp_astring(&c->w, pb_str(m->entries[i]));
    }
    resp_crlf(&c->w);
}

int imap_news_step(struct imap_conn *c)
{
    const Store__NewsEvent *m = c->news->m;

    if (m->kind == STORE__NEWS_EVENT__KIND__ANNOTATED && m->n_entries && c->metadata)
        tell_annotated(c, m);
    pop(c);
    return 1;
}
