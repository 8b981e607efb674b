/* src/store/purge.c: MAILBOX_REMOVE: a mailbox and all that is left of it goes, and the answer says what was where. Keys
 * first, wherever a copy lies: from then on nobody can read the rest, whatever becomes of it. After a crash anywhere the
 * same request goes on: the directory forgets the mailbox only when all is gone. */
#include "src/store/keyop.h"
#include "src/store/places.h"
#include "src/store/receipt.h"
#include "src/store/restore.h"
#include "src/store/shipop.h"

struct purge {
    struct receipt *receipt;
};

static void told_file(void *ctx, const char *path, uint64_t bytes)
{
    receipt_told(ctx, "data", path, bytes);
}

static void plan_file(void *ctx, const char *path, uint64_t bytes)
{
    receipt_plan(ctx, "data", path, bytes);
}

/* Of one place. */
struct told_of {
    struct receipt *receipt;
    const char *where;
};

static void told_object(void *ctx, const char *name, uint64_t bytes)
{
    const struct told_of *t = ctx;

    receipt_told(t->receipt, t->where, name, bytes);
}

static int plan_object(void *ctx, const char *name, uint64_t bytes)
{
    const struct told_of *t = ctx;

    receipt_plan(t->receipt, t->where, name, bytes);
    return 0;
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
        struct told_of t = { k->purge->receipt, where[i]->where };

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

static int plan(const struct place *p, struct keyop *k, struct told_of *t)
{
    char folder[TARGET_NAME_MAX], hex[2 * MAILBOX_ID_LEN + 1];
    int r;

    hex_encode(k->actor->id, MAILBOX_ID_LEN, hex);
    ship_folder_of(k->actor->id, folder);
    return (r = target_list(p->target, hex, plan_object, t)) < 0
               ? r
               : target_list(p->target, folder, plan_object, t);
}

/* What is to go is written down before anything goes. */
static int pool_keys(struct keyop *k)
{
    int r;

    if ((r = receipt_open(&store.files, k->actor->id, &k->purge->receipt)) < 0 ||
        (r = in_places(k, plan)) < 0 ||
        (r = files_each(&store.files, k->actor->id, plan_file, k->purge->receipt)) < 0 ||
        (r = receipt_settle(k->purge->receipt)) < 0 || (r = in_places(k, remove_keys)) < 0)
        return r;
    return files_remove_keys(&store.files, k->actor->id, told_file, k->purge->receipt);
}

static int lane_files(struct keyop *k)
{
    if (k->actor->key)
        return E_BUSY;
    tempbox_close(&k->actor->temp);
    k->actor->have_public = false;
    noting_forget(k->actor);
    restore_forget(&store.files, k->actor->id);
    return files_remove_all(&store.files, k->actor->id, told_file, k->purge->receipt);
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
        receipt_free(&(*p)->receipt);
    free(*p);
    *p = NULL;
}

static void answer_purged(struct keyop *k)
{
    Store__MailboxRemoveResponse r = STORE__MAILBOX_REMOVE_RESPONSE__INIT;
    size_t n, i = 0;
    const struct receipt_line *l = receipt_lines(k->purge->receipt, &n);
    Store__Purged *all = calloc(n + 1, sizeof *all), **list = calloc(n + 1, sizeof(Store__Purged *));

    for (; l && all && list; l = l->next, i++) {
        store__purged__init(&all[i]);
        all[i].where = (char *)(uintptr_t)l->where;
        all[i].name = (char *)(uintptr_t)l->name;
        all[i].bytes = l->bytes;
        list[i] = &all[i];
    }
    r.purged = list;
    r.n_purged = i;
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
    return keyop_go(k, 0);
}
