/* src/store/backupget.c: BACKUP_LIST and BACKUP_GET: what lies in the target, for whoever may have it. */
#include "lib/base/file.h"
#include "src/store/keyop.h"
#include "src/store/places.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLICE_MAX KIB(192)

/* ---- which there are ----------------------------------------------------------------------------- */

struct listing {
    struct work_job work;
    struct rpc_req *q;
    uint8_t mailbox[MAILBOX_ID_LEN];
    struct found {
        struct backup_info *list;
        int n;
        const struct place *place;
    } found[PLACES_EACH_MAX]; /* where it is, and where it was */
    size_t nfound, n;
    int status;
    bool here;
};

void backup_pb(const struct backup_info *i, Store__Backup *out)
{
    store__backup__init(out);
    out->id = str_pb(str_of(i->id, BACKUP_ID_LEN));
    out->taken_ms = i->taken_ms;
    out->bytes = i->bytes;
    out->generation = i->generation;
    out->changes = i->changes;
    out->hash = str_pb(str_of(i->hash, HASH_BYTES));
    out->sha256 = i->hashed == FILEHASH_SHA256;
    out->ours = backup_info_ours(i, role_subkey(store.role, SUBKEY_SHIP_MAC));
}

static void list_run(struct work_job *w)
{
    struct listing *l = CONTAINER_OF(w, struct listing, work);

    struct place *where[PLACES_EACH_MAX];
    char path[FILES_PATH_MAX];

    files_path(l->mailbox, FILES_MAILBOX, path);
    l->here = faccessat(store.files.dir, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    l->nfound = places_of(l->mailbox, where);
    for (size_t i = 0; i < l->nfound && l->status >= 0; i++) {
        struct found *f = &l->found[i];

        f->place = where[i];
        f->n = where[i]->target ? backup_list(where[i]->target, l->mailbox, &f->list) : E_UNAVAIL;
        l->status = f->n < 0 ? f->n : 0;
        l->n += f->n > 0 ? (size_t)f->n : 0;
    }
}

static int newest_first(const void *a, const void *b)
{
    const Store__Backup *x = *(Store__Backup *const *)a, *y = *(Store__Backup *const *)b;

    return x->taken_ms < y->taken_ms ? 1 : -(x->taken_ms > y->taken_ms);
}

static void list_done(struct work_job *w)
{
    struct listing *l = CONTAINER_OF(w, struct listing, work);
    Store__BackupListResponse r = STORE__BACKUP_LIST_RESPONSE__INIT;
    Store__Backup *all = calloc(l->n + 1, sizeof *all), **list = calloc(l->n + 1, sizeof(Store__Backup *));
    size_t n = 0;

    for (size_t k = 0; k < l->nfound && all && list; k++)
        for (int i = 0; i < l->found[k].n; i++, n++) {
            backup_pb(&l->found[k].list[i], &all[n]);
            if (strcmp(l->found[k].place->name, PLACE_DEFAULT) != 0)
                all[n].place = (char *)(uintptr_t)l->found[k].place->name;
            list[n] = &all[n];
        }
    if (n)
        qsort(list, n, sizeof(Store__Backup *), newest_first);
    r.backups = list;
    r.n_backups = n;
    r.here = l->here;
    request_reply(l->q, l->status < 0 ? l->status : all && list ? 0 : E_NOMEM, &r.base, NULL);
    free(all);
    free(list);
    for (size_t k = 0; k < l->nfound; k++)
        free(l->found[k].list);
    free(l);
}

int op_backup_list(struct rpc_req *q, struct str body)
{
    Store__BackupListRequest *m = RPC_UNPACK(rpc_req_arena(q), body, store__backup_list_request);
    struct listing *l;

    if (!m || m->mailbox_id.len != MAILBOX_ID_LEN)
        return E_SYNTAX;
    if (!place_target(m->mailbox_id.data) || store.stopping)
        return E_UNAVAIL;
    if (!(l = calloc(1, sizeof *l)))
        return E_NOMEM;
    l->q = q;
    memcpy(l->mailbox, m->mailbox_id.data, MAILBOX_ID_LEN);
    l->work = (struct work_job){ .run = list_run, .done = list_done };
    request_begin();
    if (work_submit(store.pool, &l->work) < 0) {
        request_reply(q, E_UNAVAIL, NULL, NULL);
        free(l);
    }
    return 0;
}

/* ---- one of them --------------------------------------------------------------------------------- */

struct giving {
    struct work_job work;
    struct rpc_req *q;
    struct backup_info info;
    bool keys, found, reading;
    struct target *target; /* where it was found */
    int fd;                /* a file that has no name any more, instead of an object; -1: none */
    uint64_t at;
    int64_t got;
    struct buf out;
};

static void give_end(struct giving *g, int status)
{
    Store__Backup m;

    rpc_req_on_room(g->q, NULL, NULL);
    backup_pb(&g->info, &m);
    request_reply(g->q, status, &m.base, NULL);
    buf_release(&g->out);
    fd_close(&g->fd);
    free(g);
}

static int64_t give_file(struct giving *g)
{
    char *p = buf_reserve(&g->out, SLICE_MAX);
    int64_t got = p ? file_read_at(g->fd, p, SLICE_MAX, g->at) : E_NOMEM;

    g->out.n += got > 0 ? (size_t)got : 0;
    return got;
}

static int give_find(struct giving *g)
{
    struct place *where[PLACES_EACH_MAX];
    size_t n = places_of(g->info.mailbox, where);
    int r = E_NOTFOUND;

    for (size_t i = 0; i < n && r == E_NOTFOUND; i++) {
        struct backup_info info;

        g->target = where[i]->target;
        r = g->target ? backup_find(g->target, g->info.mailbox, g->info.id, &info) : E_UNAVAIL;
        if (r == 0)
            g->info = info;
    }
    return r;
}

static void give_run(struct work_job *w)
{
    struct giving *g = CONTAINER_OF(w, struct giving, work);
    char name[TARGET_NAME_MAX], hex[2 * MAILBOX_ID_LEN + 1];

    if (g->fd >= 0) {
        g->got = give_file(g);
        return;
    }
    if (!g->found && (g->got = give_find(g)) < 0)
        return;
    g->found = true;
    hex_encode(g->info.mailbox, MAILBOX_ID_LEN, hex);
    if (g->keys)
        snprintf(name, sizeof name, "%s/keys", hex);
    else
        backup_name(g->info.mailbox, g->info.id, ".sqlite", name);
    g->got = target_get(g->target, name, g->at, SLICE_MAX, &g->out);
}

static void give_go_on(struct giving *g);

static void give_done(struct work_job *w)
{
    struct giving *g = CONTAINER_OF(w, struct giving, work);
    int r = g->got < 0 ? (int)g->got : 0;

    g->reading = false;
    if (r == 0 && g->out.n)
        r = rpc_req_send(g->q, buf_str(&g->out));
    buf_clear(&g->out);
    g->at += g->got > 0 ? (uint64_t)g->got : 0;
    if (r < 0 || g->got < (int64_t)SLICE_MAX)
        give_end(g, r);
    else
        give_go_on(g);
}

static void give_go_on(struct giving *g)
{
    if (g->reading || (rpc_req_room(g->q) == 0 && !rpc_req_cancelled(g->q)))
        return;
    if (rpc_req_cancelled(g->q) || store.stopping) {
        give_end(g, E_CANCELED);
        return;
    }
    g->work = (struct work_job){ .run = give_run, .done = give_done };
    g->reading = true;
    if (work_submit(store.pool, &g->work) < 0)
        give_end(g, E_UNAVAIL);
}

static void give_room(void *ctx)
{
    give_go_on(ctx);
}

static void give_cancelled(void *ctx)
{
    struct giving *g = ctx;

    if (!g->reading)
        give_end(g, E_CANCELED);
}

static void give_begin(struct giving *g)
{
    g->out.max = SLICE_MAX;
    rpc_req_on_cancel(g->q, give_cancelled, g);
    rpc_req_on_room(g->q, give_room, g);
    give_go_on(g);
}

/* ---- of a moment -------------------------------------------------------------------------------- */

/* Made beside the mailbox, as restoring makes it, and without a name before anybody gets a byte of it. What waited sealed
 * then is not in it. */
static int pool_moment(struct keyop *k)
{
    char path[FILES_PATH_MAX];
    struct ship_back b;
    int r = ship_restore_to(k->actor->id, k->restore.at_ms, false, &b);

    if (r < 0)
        return r;
    files_path(k->actor->id, FILES_RESTORE, path);
    k->restore.given = openat(store.files.dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    r = k->restore.given < 0 ? error_from_errno(errno) : 0;
    k->restore.reached_ms = b.reached_ms;
    ship_back_drop(&store.files, k->actor->id);
    restore_drop(&store.files, k->actor->id);
    return r;
}

static void answer_moment(struct keyop *k)
{
    struct giving *g = calloc(1, sizeof *g);
    struct stat st;

    if (!g || fstat(k->restore.given, &st) < 0) {
        close(k->restore.given);
        free(g);
        request_reply(k->q, E_NOMEM, NULL, NULL);
        return;
    }
    g->q = k->q;
    g->fd = k->restore.given;
    g->info.taken_ms = k->restore.reached_ms;
    g->info.bytes = (uint64_t)st.st_size;
    give_begin(g);
}

static int moment_get(struct rpc_req *q, const Store__BackupGetRequest *m)
{
    static const struct stage_row stages[] = { { IN_POOL, pool_moment }, { 0, NULL } };
    struct keyop *k = NULL;
    int r = keyop_begin(q, m->mailbox_id.data, stages, answer_moment, &k);

    if (r < 0)
        return r;
    k->restore.at_ms = m->at_ms;
    k->patient = true;
    return keyop_go(k, 0);
}

/* The live `.keys`: a mailbox that is shipped need not have a backup. */
static int keys_live(const uint8_t mailbox[MAILBOX_ID_LEN], int *fd_out)
{
    char path[FILES_PATH_MAX];

    files_path(mailbox, FILES_KEYS, path);
    *fd_out = openat(store.files.dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return *fd_out < 0 ? error_from_errno(errno) : 0;
}

int op_backup_get(struct rpc_req *q, struct str body)
{
    Store__BackupGetRequest *m = RPC_UNPACK(rpc_req_arena(q), body, store__backup_get_request);
    struct giving *g;
    int fd = -1, r;

    if (!m || m->mailbox_id.len != MAILBOX_ID_LEN || (m->at_ms <= 0 && m->id.len != BACKUP_ID_LEN))
        return E_SYNTAX;
    if (!place_target(m->mailbox_id.data) || store.stopping)
        return E_UNAVAIL;
    if (m->at_ms > 0 && !m->keys)
        return moment_get(q, m);
    if (m->at_ms > 0 && (r = keys_live(m->mailbox_id.data, &fd)) < 0)
        return r;
    if (!(g = calloc(1, sizeof *g))) {
        fd_close(&fd);
        return E_NOMEM;
    }
    g->q = q;
    g->fd = fd;
    g->keys = m->keys;
    memcpy(g->info.mailbox, m->mailbox_id.data, MAILBOX_ID_LEN);
    if (m->id.len == BACKUP_ID_LEN)
        memcpy(g->info.id, m->id.data, BACKUP_ID_LEN);
    request_begin();
    give_begin(g);
    return 0;
}
