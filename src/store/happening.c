#include "src/store/happening.h"
#include "src/store/mailbox_private.h"

void happenings_free(struct happening *list)
{
    while (list) {
        struct happening *n = list;

        list = n->next;
        arena_release(&n->arena);
        free(n);
    }
}

uint32_t happening_watch(const struct happening *n)
{
    switch (n->event.kind) {
    case STORE__NEWS_EVENT__KIND__CREATED:
    case STORE__NEWS_EVENT__KIND__REMOVED:
    case STORE__NEWS_EVENT__KIND__RENAMED: return STORE__WATCH__WATCH_NAMES;
    case STORE__NEWS_EVENT__KIND__SUBSCRIBED: return STORE__WATCH__WATCH_SUBSCRIPTIONS;
    case STORE__NEWS_EVENT__KIND__ANNOTATED: return STORE__WATCH__WATCH_METADATA;
    default: return ~UINT32_C(0);
    }
}

static struct happening *push(struct mailbox *box, Store__NewsEvent__Kind kind)
{
    struct happening *n = calloc(1, sizeof *n);

    if (!n)
        return NULL;
    n->arena.max = KIB(64);
    store__news_event__init(&n->event);
    n->event.kind = kind;
    memcpy(n->by, box->by, sizeof n->by);
    n->next = box->happenings;
    box->happenings = n;
    box->nhappenings++;
    return n;
}

int happening_note(struct mailbox *box, Store__NewsEvent__Kind kind, struct str name, struct str old_name,
                   struct happening **out)
{
    struct happening *n;
    struct str copy, old;

    if (box->nhappenings >= HAPPENINGS_MAX) {
        kind = STORE__NEWS_EVENT__KIND__LOST;
        if (box->happenings->event.kind == kind)
            return 0;
    }
    if (!(n = push(box, kind)))
        return E_NOMEM;
    copy = arena_dup(&n->arena, name);
    old = arena_dup(&n->arena, old_name);
    if (!copy.p || !old.p)
        return E_NOMEM; /* the step is undone, and this with it */
    n->event.name = str_pb(copy);
    n->event.old_name = str_pb(old);
    if (out)
        *out = kind == STORE__NEWS_EVENT__KIND__LOST ? NULL : n;
    return 0;
}

int happening_as_renamed(struct mailbox *box, struct str old_name)
{
    struct happening *n = box->happenings;
    struct str old;

    if (!n || n->event.kind != STORE__NEWS_EVENT__KIND__CREATED)
        return 0; /* too much happened already */
    if (!(old = arena_dup(&n->arena, old_name)).p)
        return E_NOMEM;
    n->event.kind = STORE__NEWS_EVENT__KIND__RENAMED;
    n->event.old_name = str_pb(old);
    return 0;
}

void happenings_undo(struct mailbox *box, size_t to)
{
    while (box->nhappenings > to) {
        struct happening *n = box->happenings;

        box->happenings = n->next;
        n->next = NULL;
        happenings_free(n);
        box->nhappenings--;
    }
}

struct happening *mailbox_happenings_take(struct mailbox *box)
{
    struct happening *first = NULL;

    while (box->happenings) { /* the last stands first */
        struct happening *n = box->happenings;

        box->happenings = n->next;
        n->next = first;
        first = n;
    }
    box->nhappenings = 0;
    return first;
}

void mailbox_by(struct mailbox *box, const uint8_t session[HAPPENING_BY_LEN])
{
    if (session)
        memcpy(box->by, session, sizeof box->by);
    else
        memset(box->by, 0, sizeof box->by);
}
