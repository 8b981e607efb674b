/* src/store/purge.c: MAILBOX_REMOVE: a mailbox and all that is left of it goes, and the answer says what was where. Keys
 * first, wherever a copy lies: from then on nobody can read the rest, whatever becomes of it. After a crash anywhere the
 * same request goes on: the directory forgets the mailbox only when all is gone. */
#include "src/store/keyop.h"
#include "src/store/places.h"
#include "src/store/restore.h"
#include "src/store/shipop.h"

struct purge {
    struct arena arena;
    struct purged {
        struct purged *next;
        const char *where, *name;
        uint64_t bytes;
    } * list;
    size_t n;
};

static void told(void *ctx, const char *where, const char *name, uint64_t bytes)
{
    struct purge *p = ctx;
    struct purged *one = ARENA_NEW(&p->arena, struct purged);

    if (!one || !(one->name = arena_dupz(&p->arena, str_from(name))))
        return; /* gone it is; the receipt says how many at least */
    one->where = where;
    one->bytes = bytes;
    one->next = p->list;
    p->list = one;
    p->n++;
}

static void told_file(void *ctx, const char *path, uint64_t bytes)
{
    told(ctx, "data", path, bytes);
}

/* Of one place. */
struct told_of {
    struct purge *purge;
    const char *where;
};

static void told_object(void *ctx, const char *name, uint64_t bytes)
{
    const struct told_of *t = ctx;

    told(t->purge, t->where, name, bytes);
}

static int here_end(struct keyop *k)
{
    k->actor->epoch++;
    backup_cancel(k->actor);
    k->ended += sessions_end_all(k->actor, 0, STORE__SESSION_ENDED_EVENT__WHY__REMOVED);
    return 0;
}

/* A backup that ends from now on removes itself. */
static int here_gone(struct keyop *k)
{
    k->actor->purged = true;
    return 0;
}

/* In every place where it has or had backups; one that cannot be reached ends it: a receipt would not be true. */
static int in_places(struct keyop *k,
                     int (*remove)(const struct place *p, struct keyop *k, struct told_of *t))
{
    struct place *where[PLACES_EACH_MAX];
    size_t n = places_of(k->actor->id, where);
    int r = 0;

    for (size_t i = 0; i < n && r >= 0; i++) {
        struct told_of t = { k->purge, where[i]->where };

        r = where[i]->target ? remove(where[i], k, &t) : E_UNAVAIL;
    }
    return r;
}

static int remove_keys(const struct place *p, struct keyop *k, struct told_of *t)
{
    return backup_remove_keys(p->target, k->actor->id, told_object, t);
}

static int remove_all(const struct place *p, struct keyop *k, struct told_of *t)
{
    int r = backup_remove_all(p->target, k->actor->id, told_object, t);

    return r < 0 ? r : ship_remove(p, k->actor->id, told_object, t);
}

static int pool_keys(struct keyop *k)
{
    int r = in_places(k, remove_keys);

    return r < 0 ? r : files_remove_keys(&store.files, k->actor->id, told_file, k->purge);
}

static int lane_files(struct keyop *k)
{
    if (k->actor->key)
        return E_BUSY;
    tempbox_close(&k->actor->temp);
    k->actor->have_public = false;
    noting_forget(k->actor);
    restore_forget(&store.files, k->actor->id);
    return files_remove_all(&store.files, k->actor->id, told_file, k->purge);
}

static int pool_backups(struct keyop *k)
{
    int r = in_places(k, remove_all);

    if (r >= 0)
        place_forget(k->actor->id);
    return r < 0 ? r : 0;
}

void purge_free(struct purge **p)
{
    if (*p)
        arena_release(&(*p)->arena);
    free(*p);
    *p = NULL;
}

static void answer_purged(struct keyop *k)
{
    Store__MailboxRemoveResponse r = STORE__MAILBOX_REMOVE_RESPONSE__INIT;
    struct purge *p = k->purge;
    Store__Purged *all = calloc(p->n + 1, sizeof *all), **list = calloc(p->n + 1, sizeof(Store__Purged *));
    size_t i = p->n;

    for (struct purged *one = p->list; one && all && list;
         one = one->next) { /* the first is the last of the list */
        store__purged__init(&all[--i]);
        all[i].where = (char *)(uintptr_t)one->where;
        all[i].name = (char *)(uintptr_t)one->name;
        all[i].bytes = one->bytes;
        list[i] = &all[i];
    }
    r.purged = list;
    r.n_purged = all && list ? p->n : 0;
    r.sessions_ended = k->ended;
    request_reply(k->q, 0, &r.base, NULL);
    free(all);
    free(list);
}

static const struct stage_row purge_stages[] = {
    { HERE, here_end },      { WHEN_CLOSED, NULL },     { HERE, here_gone }, { IN_POOL, pool_keys },
    { IN_LANE, lane_files }, { IN_POOL, pool_backups }, { 0, NULL },
};

int op_mailbox_remove(struct rpc_req *q, struct str body)
{
    Store__MailboxRemoveRequest *m = RPC_UNPACK(rpc_req_arena(q), body, store__mailbox_remove_request);
    struct keyop *k = NULL;
    int r;

    if (!m || m->mailbox_id.len != MAILBOX_ID_LEN)
        return E_SYNTAX;
    if ((r = keyop_begin(q, m->mailbox_id.data, purge_stages, answer_purged, &k)) < 0)
        return r;
    if (!(k->purge = calloc(1, sizeof *k->purge)))
        return keyop_go(k, E_NOMEM);
    k->purge->arena.max = MIB(1);
    return keyop_go(k, 0);
}
