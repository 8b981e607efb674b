/* src/store/target_remote.c: an errand is a request that a worker wants, and the loop makes. Both meet in it under one
 * lock: the worker says what it has for the loop (bytes to go up, bytes it has used, that it no longer wants) and
 * waits; the loop does what it is told and says what came. */
#include "src/store/target_remote.h"
#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "proto/storage.pb-c.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define SLICE_BYTES  KIB(128)
#define ANSWER_MS    30000 /* for what is small: who waits is a command, or holds a lane */
#define TRANSFER_MS  INT64_C(300000)
#define SLOWEST_BPMS 64  /* bytes in a millisecond: a transfer that takes longer is given up */
#define LOOK_MS      200 /* so often a worker that waits looks whether it should stop */
#define PAGES_MAX    100000u
#define LISTING_MS \
    INT64_C(1800000) /* all pages, and what is done with what is on them: who lists keeps a thread */
#define BATCH         1000u
#define VERSION_SHOWN 48u

struct remote {
    struct target target, *stage;
    struct rpc_link *link;
    const char *place;
    struct watch wake;
    pthread_mutex_t lock;
    struct errand *todo;   /* the loop shall look at these */
    struct errand *active; /* begun; the loop's */
    bool stopped, no_versions;
};

struct errand {
    struct remote *remote;
    struct errand *next, *next_active;
    struct rpc_ask ask;
    const bool *stop;
    struct rpc_call *call; /* the loop's */
    pthread_cond_t moved;
    /* under the lock */
    bool queued, begun, finished, cancel, end;
    struct str slice; /* to go up; p is NULL when it went */
    size_t used;      /* of what came down */
    struct buf came;  /* down, or the answer */
    int status;
};

static struct remote *remote_of(struct target *t)
{
    return CONTAINER_OF(t, struct remote, target);
}

/* ---- the loop's side (the lock is held) ---- */

static void active_remove(struct errand *e)
{
    for (struct errand **at = &e->remote->active; *at; at = &(*at)->next_active)
        if (*at == e) {
            *at = e->next_active;
            return;
        }
}

static void finish(struct errand *e, int status)
{
    if (e->begun && !e->finished)
        active_remove(e);
    e->call = NULL;
    e->status = status;
    e->finished = true;
    pthread_cond_signal(&e->moved);
}

static void give_up(struct errand *e)
{
    struct rpc_call *c = e->call;

    finish(e, E_CANCELED);
    if (c)
        rpc_call_cancel(c);
}

static void push(struct errand *e)
{
    if (e->slice.p && rpc_call_room(e->call) > 0 && rpc_call_send(e->call, e->slice) == 0) {
        e->slice = STR_NONE; /* else later: on_room */
        pthread_cond_signal(&e->moved);
    }
    if (e->call && e->end && !e->slice.p) {
        e->end = false;
        rpc_call_end(e->call);
    }
}

static void on_room(void *ctx)
{
    struct errand *e = ctx;

    pthread_mutex_lock(&e->remote->lock);
    if (!e->finished)
        push(e);
    pthread_mutex_unlock(&e->remote->lock);
}

static void on_data(void *ctx, struct str data)
{
    struct errand *e = ctx;

    pthread_mutex_lock(&e->remote->lock);
    if (buf_puts(&e->came, data) < 0)
        e->cancel = true; /* seen when the worker looks */
    pthread_cond_signal(&e->moved);
    pthread_mutex_unlock(&e->remote->lock);
}

static void on_done(void *ctx, int status, struct str body)
{
    struct errand *e = ctx;
    struct remote *m = e->remote;

    pthread_mutex_lock(&m->lock);
    if (status == 0 && !e->ask.download && buf_puts(&e->came, body) < 0)
        status = E_TOO_BIG;
    finish(e, status);
    pthread_mutex_unlock(&m->lock);
}

static void begin(struct errand *e)
{
    struct rpc_call *c;

    e->begun = true;
    e->next_active = e->remote->active;
    e->remote->active = e;
    c = rpc_link_ask(e->remote->link, &e->ask);
    if (!c)
        finish(e, E_NOMEM);
    else if (!e->finished)
        e->call = c;
}

static void look(struct errand *e)
{
    if (e->finished)
        return;
    if (e->cancel || e->remote->stopped) {
        give_up(e);
        return;
    }
    if (!e->begun)
        begin(e);
    if (e->call && e->used) {
        rpc_call_consumed(e->call, e->used);
        e->used = 0;
    }
    if (e->call && e->ask.upload)
        push(e);
}

static void woken(struct watch *w)
{
    struct remote *m = CONTAINER_OF(w, struct remote, wake);
    struct errand *e;
    uint64_t n;

    if (read(w->fd, &n, sizeof n) < 0 && errno != EAGAIN)
        log_event(LOG_ERROR, "store.storage_wake_failed", F_ERRNO());
    pthread_mutex_lock(&m->lock);
    while ((e = m->todo)) {
        m->todo = e->next;
        e->queued = false;
        look(e);
        if (e->finished)
            pthread_cond_signal(&e->moved); /* its worker waits in errand_end for just this */
    }
    pthread_mutex_unlock(&m->lock);
}

/* ---- the worker's side ---- */

/* Under the lock. */
static void tell(struct errand *e)
{
    uint64_t one = 1;

    if (e->queued)
        return;
    e->queued = true;
    e->next = e->remote->todo;
    e->remote->todo = e;
    if (write(e->remote->wake.fd, &one, sizeof one) < 0)
        log_event(LOG_ERROR, "store.storage_wake_failed", F_ERRNO());
}

/* Under the lock: until something happened, or a while is over. */
static void wait_a_while(struct errand *e)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_nsec += LOOK_MS * 1000000L;
    t.tv_sec += t.tv_nsec / 1000000000L;
    t.tv_nsec %= 1000000000L;
    pthread_cond_timedwait(&e->moved, &e->remote->lock, &t);
    if (!e->cancel && e->stop && __atomic_load_n(e->stop, __ATOMIC_RELAXED)) {
        e->cancel = true;
        tell(e);
    }
}

static void errand_init(struct errand *e, struct remote *m, uint32_t op, const ProtobufCMessage *body)
{
    pthread_condattr_t a;

    *e = (struct errand){ .remote = m, .came = { .max = RPC_BODY_MAX } };
    e->ask = (struct rpc_ask){ .op = op,
                               .body = body,
                               .deadline_ms = ANSWER_MS,
                               .done = on_done,
                               .on_data = on_data,
                               .on_room = on_room,
                               .ctx = e };
    pthread_condattr_init(&a);
    pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
    pthread_cond_init(&e->moved, &a);
    pthread_condattr_destroy(&a);
}

/* Not before the loop is done with it. */
static int errand_end(struct errand *e)
{
    pthread_mutex_lock(&e->remote->lock);
    while (!e->finished || e->queued)
        wait_a_while(e);
    pthread_mutex_unlock(&e->remote->lock);
    pthread_cond_destroy(&e->moved);
    return e->status;
}

static void errand_begin(struct errand *e)
{
    pthread_mutex_lock(&e->remote->lock);
    tell(e);
    pthread_mutex_unlock(&e->remote->lock);
}

/* A request and its answer, which is unpacked into `a`. */
static int errand_run(struct remote *m, uint32_t op, const ProtobufCMessage *body,
                      const ProtobufCMessageDescriptor *d, struct arena *a, void *out)
{
    struct errand e;
    void *answer;
    int r;

    errand_init(&e, m, op, body);
    errand_begin(&e);
    r = errand_end(&e);
    if (r == 0 && d) {
        answer = rpc_unpack(d, a, buf_str(&e.came));
        if (answer)
            memcpy(out, &answer, sizeof answer);
        else
            r = E_CORRUPT;
    }
    buf_release(&e.came);
    return r;
}

/* ---- writing ---- */

/* Where the bytes are: a file, or memory. */
struct source {
    int fd; /* -1: memory */
    struct str bytes;
    uint64_t size;
};

static int slice_of(const struct source *s, uint64_t at, char *space, struct str *out)
{
    size_t n = (size_t)(s->size - at < SLICE_BYTES ? s->size - at : SLICE_BYTES);
    int r;

    if (s->fd < 0) {
        *out = str_slice(s->bytes, (size_t)at, (size_t)at + n);
        return 0;
    }
    if ((r = file_read_exact(s->fd, space, n, at)) < 0)
        return r; /* E_CORRUPT: it was longer when it was measured */
    *out = str_of(space, n);
    return 0;
}

static int send_slice(struct errand *e, struct str slice)
{
    int r;

    pthread_mutex_lock(&e->remote->lock);
    e->slice = slice;
    tell(e);
    while (e->slice.p && !e->finished)
        wait_a_while(e);
    r = e->finished ? E_CANCELED : 0; /* why, errand_end tells */
    pthread_mutex_unlock(&e->remote->lock);
    return r;
}

static int send_all(struct errand *e, const struct source *s)
{
    char *space = malloc(SLICE_BYTES);
    struct str slice = STR_NONE;
    uint64_t at = 0;
    int r = space ? 0 : E_NOMEM;

    while (r == 0 && at < s->size && (r = slice_of(s, at, space, &slice)) == 0) {
        r = send_slice(e, slice);
        at += slice.n;
    }
    pthread_mutex_lock(&e->remote->lock);
    e->end = r == 0;
    e->cancel |= r < 0;
    tell(e);
    pthread_mutex_unlock(&e->remote->lock);
    free(space);
    return r;
}

/* *version_out: in the arena; NULL when the bucket keeps none. */
static int send(struct remote *m, const char *name, const struct source *s, const bool *stop, struct arena *a,
                const char **version_out)
{
    Storage__PutRequest q = STORAGE__PUT_REQUEST__INIT;
    Storage__PutResponse *answer;
    struct errand e;
    int r, sent;

    q.name = str_pb(str_from(name));
    q.place = str_pb(str_from(m->place));
    q.bytes = s->size;
    errand_init(&e, m, STORAGE__OP__PUT, &q.base);
    e.ask.upload = true;
    e.ask.deadline_ms = TRANSFER_MS + (int64_t)(s->size / SLOWEST_BPMS);
    e.stop = stop;
    errand_begin(&e);
    sent = send_all(&e, s);
    r = errand_end(&e);
    if (sent < 0 && sent != E_CANCELED)
        r = sent; /* the file could not be read */
    *version_out = NULL;
    if (r == 0 && !(answer = RPC_UNPACK(a, buf_str(&e.came), storage__put_response)))
        r = E_CORRUPT;
    else if (r == 0 && answer->versioned && !(*version_out = arena_dupz(a, pb_str(answer->version))))
        r = E_NOMEM;
    buf_release(&e.came);
    return r;
}

/* ---- listing ---- */

static int list_page(struct remote *m, const Storage__ListRequest *q, struct arena *a,
                     Storage__ListResponse **out)
{
    return errand_run(m, STORAGE__OP__LIST, &q->base, &storage__list_response__descriptor, a, out);
}

typedef int entry_fn(void *ctx, const Storage__Entry *e);

/* Every page. What a page lists may be deleted by the visitor; the next begins behind it. */
static int list_all(struct remote *m, Storage__Kind kind, const char *prefix, bool by_folder, entry_fn *fn,
                    void *ctx)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(16) };
    CLEANUP(buf_release) struct buf after = { .max = KIB(8) }, version = { .max = KIB(8) };
    int64_t until = clock_mono_ms() + LISTING_MS;
    int r = 0;

    for (unsigned pages = 0; r >= 0; pages++) {
        Storage__ListRequest q = STORAGE__LIST_REQUEST__INIT;
        Storage__ListResponse *page;

        q.kind = kind;
        q.place = str_pb(str_from(m->place));
        q.prefix = str_pb(str_from(prefix));
        q.by_folder = by_folder;
        q.after = str_pb(buf_str(&after));
        q.after_version = str_pb(buf_str(&version));
        arena_reset(&a);
        if ((r = list_page(m, &q, &a, &page)) < 0)
            return r;
        for (size_t i = 0; i < page->n_entries && r >= 0; i++)
            r = clock_mono_ms() > until ? E_TIMEOUT : fn(ctx, page->entries[i]);
        if (r < 0 || !page->more)
            return r < 0 ? r : 0;
        if (clock_mono_ms() > until)
            return E_TIMEOUT;
        if (pages == PAGES_MAX || (str_eq(pb_str(page->after), buf_str(&after)) &&
                                   str_eq(pb_str(page->after_version), buf_str(&version))))
            return E_CORRUPT; /* it goes round in circles */
        buf_clear(&after);
        buf_clear(&version);
        if ((r = buf_puts(&after, pb_str(page->after))) == 0)
            r = buf_puts(&version, pb_str(page->after_version));
    }
    return r;
}

static bool name_of(const Storage__Entry *e, char out[TARGET_NAME_MAX])
{
    if (e->name.len == 0 || e->name.len >= TARGET_NAME_MAX)
        return false;
    memcpy(out, e->name.data, e->name.len);
    out[e->name.len] = '\0';
    return true;
}

struct visiting {
    target_visit *visit;
    void *ctx;
    bool folders;
};

static int visit_entry(void *ctx, const Storage__Entry *e)
{
    struct visiting *v = ctx;
    char name[TARGET_NAME_MAX];

    return e->folder == v->folders && name_of(e, name) ? v->visit(v->ctx, name, e->bytes) : 0;
}

static int remote_list(struct target *t, const char *folder, target_visit *visit, void *ctx)
{
    struct visiting v = { visit, ctx, !folder[0] };
    char prefix[TARGET_NAME_MAX + 1];
    int r;

    snprintf(prefix, sizeof prefix, folder[0] ? "%s/" : "%s", folder);
    r = list_all(remote_of(t), STORAGE__KIND__OBJECTS, prefix, true, visit_entry, &v);
    return r < 0 ? r : 0;
}

/* ---- deleting ---- */

static int delete_one(struct remote *m, Storage__Kind kind, struct str name, struct str version)
{
    Storage__DeleteRequest q = STORAGE__DELETE_REQUEST__INIT;

    q.kind = kind;
    q.place = str_pb(str_from(m->place));
    q.name = str_pb(name);
    q.version = str_pb(version);
    return errand_run(m, STORAGE__OP__DELETE, &q.base, NULL, NULL, NULL);
}

/* For a receipt, that people read on a terminal: what the storage calls a version is its own choice. */
static void version_text(struct str version, char out[VERSION_SHOWN + 1])
{
    size_t n = size_min(version.n, VERSION_SHOWN);

    for (size_t i = 0; i < n; i++)
        out[i] = version.p[i] > ' ' && version.p[i] <= '~' ? version.p[i] : '?';
    out[n] = '\0';
}

struct erasing {
    struct remote *m;
    const char *name, *keep; /* of this object only; but this version. NULL: all */
    Storage__Kind kind;
    target_told *told;
    void *ctx;
    int gone;
};

static int erase_entry(void *ctx, const Storage__Entry *e)
{
    struct erasing *x = ctx;
    struct str version = pb_str(e->version);
    char name[TARGET_NAME_MAX], text[TARGET_NAME_MAX + 64], shown[VERSION_SHOWN + 1];
    int r;

    if (e->folder || !name_of(e, name) || (x->name && strcmp(name, x->name) != 0) ||
        (x->keep && str_eq_z(version, x->keep)) || (x->kind != STORAGE__KIND__OBJECTS && !version.n))
        return 0;
    if ((r = delete_one(x->m, x->kind, pb_str(e->name), version)) < 0)
        return r;
    x->gone++;
    version_text(version, shown);
    snprintf(text, sizeof text, version.n && !str_eq_z(version, "null") ? "%s %s%s" : "%s", name,
             x->kind == STORAGE__KIND__UPLOADS ? "upload "
             : e->mark                         ? "mark "
                                               : "version ",
             shown);
    if (x->told)
        x->told(x->ctx, text, e->bytes);
    return 0;
}

/* What storage without versions makes of the question: an error, or the list of objects (which has none). */
static int erase_versions(struct erasing *x, const char *prefix)
{
    int r;

    if (__atomic_load_n(&x->m->no_versions, __ATOMIC_RELAXED))
        return 0;
    x->kind = STORAGE__KIND__VERSIONS;
    r = list_all(x->m, STORAGE__KIND__VERSIONS, prefix, false, erase_entry, x);
    if (r == E_UNSUPPORTED) {
        __atomic_store_n(&x->m->no_versions, true, __ATOMIC_RELAXED);
        r = 0;
    }
    return r;
}

static int remote_delete(struct target *t, const char *name)
{
    struct erasing x = { .m = remote_of(t), .name = name };
    int r = delete_one(x.m, STORAGE__KIND__OBJECTS, str_from(name), STR_NONE);

    return r < 0 ? r : erase_versions(&x, name);
}

/* Parts of an upload that nobody ends are stored, and paid for, as long as the bucket lets them. */
static int remote_sweep(struct target *t, const char *folder)
{
    struct erasing x = { .m = remote_of(t), .kind = STORAGE__KIND__UPLOADS };
    char prefix[TARGET_NAME_MAX + 1];
    int r;

    snprintf(prefix, sizeof prefix, "%s/", folder);
    r = list_all(x.m, STORAGE__KIND__UPLOADS, prefix, false, erase_entry, &x);
    return r == E_UNSUPPORTED || r > 0 ? 0 : r;
}

static int remote_purge(struct target *t, const char *folder, target_told *told, void *ctx)
{
    struct erasing x = { .m = remote_of(t), .told = told, .ctx = ctx, .kind = STORAGE__KIND__UPLOADS };
    char prefix[TARGET_NAME_MAX + 1];
    int r;

    snprintf(prefix, sizeof prefix, "%s/", folder);
    r = list_all(x.m, STORAGE__KIND__UPLOADS, prefix, false, erase_entry, &x);
    if ((r < 0 && r != E_UNSUPPORTED) || (r = erase_versions(&x, prefix)) < 0)
        return r;
    x.kind = STORAGE__KIND__OBJECTS;
    r = list_all(x.m, STORAGE__KIND__OBJECTS, prefix, false, erase_entry, &x);
    if (r == 0)
        r = target_purge(x.m->stage, folder, NULL, NULL);
    return r < 0 ? r : x.gone;
}

/* ---- the target ---- */

static int remote_stage(struct target *t, const char *name, char path_out[TARGET_PATH_MAX],
                        uint64_t *room_out)
{
    return target_stage(remote_of(t)->stage, name, path_out, room_out);
}

static void remote_unstage(struct target *t, const char *name)
{
    target_unstage(remote_of(t)->stage, name);
}

static int remote_put_file(struct target *t, const char *name, int fd, uint64_t bytes, const bool *stop)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(16) };
    const struct source s = { .fd = fd, .size = bytes };
    const char *version;

    return send(remote_of(t), name, &s, stop, &a, &version);
}

static int remote_put(struct target *t, const char *name, const bool *stop)
{
    CLEANUP(fd_close) int fd = -1;
    off_t bytes;
    int r = target_folder_staged(remote_of(t)->stage, name, &fd);

    if (r < 0)
        return r;
    if ((bytes = lseek(fd, 0, SEEK_END)) < 0)
        return error_from_errno(errno);
    if ((r = remote_put_file(t, name, fd, (uint64_t)bytes, stop)) == 0)
        remote_unstage(t, name);
    return r;
}

/* Where versions are kept, the old ones must go: what they open was revoked. */
static int remote_replace(struct target *t, const char *name, struct str bytes)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(16) };
    const struct source s = { .fd = -1, .bytes = bytes, .size = bytes.n };
    struct erasing x = { .m = remote_of(t), .name = name };
    int r = send(x.m, name, &s, NULL, &a, &x.keep);

    return r < 0 || !x.keep ? r : erase_versions(&x, name);
}

static int64_t read_on(struct errand *e, target_take *take, void *ctx)
{
    struct buf mine = { .max = RPC_BODY_MAX };
    uint64_t got = 0;
    bool more = true;
    int r = 0;

    while (r == 0 && more) {
        pthread_mutex_lock(&e->remote->lock);
        while (!e->finished && e->came.n == 0)
            wait_a_while(e);
        more = !e->finished;
        mine.n = 0;
        if (buf_puts(&mine, buf_str(&e->came)) < 0)
            r = E_NOMEM;
        buf_clear(&e->came);
        if (more && mine.n) {
            e->used += mine.n;
            tell(e);
        }
        pthread_mutex_unlock(&e->remote->lock);
        got += mine.n;
        if (r == 0 && mine.n)
            r = take(ctx, buf_str(&mine));
    }
    buf_release(&mine);
    return r < 0 ? r : (int64_t)got;
}

static int64_t remote_read(struct target *t, const char *name, uint64_t at, uint64_t max, target_take *take,
                           void *ctx)
{
    Storage__GetRequest q = STORAGE__GET_REQUEST__INIT;
    struct errand e;
    int64_t got;
    int r;

    if (max == 0)
        return 0;
    q.name = str_pb(str_from(name));
    q.place = str_pb(str_from(remote_of(t)->place));
    q.at = at;
    q.max = max == UINT64_MAX ? 0 : max;
    errand_init(&e, remote_of(t), STORAGE__OP__GET, &q.base);
    e.ask.download = true;
    e.ask.deadline_ms = max <= TARGET_SMALL_MAX ? ANSWER_MS : INT64_C(86400000);
    errand_begin(&e);
    got = read_on(&e, take, ctx);
    if (got < 0) {
        pthread_mutex_lock(&e.remote->lock);
        e.cancel = true;
        tell(&e);
        pthread_mutex_unlock(&e.remote->lock);
    }
    r = errand_end(&e);
    buf_release(&e.came);
    return got < 0 ? got : r < 0 ? r : got;
}

void target_remote_stop(struct target *t)
{
    struct remote *m = remote_of(t);

    pthread_mutex_lock(&m->lock);
    m->stopped = true;
    while (m->active)
        give_up(m->active);
    pthread_mutex_unlock(&m->lock);
}

static void remote_close(struct target *t)
{
    struct remote *m = remote_of(t);
    int fd = m->wake.fd;

    watch_release(&m->wake);
    close(fd);
    target_close(&m->stage);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

static const struct target_ops remote_ops = {
    .close = remote_close,
    .stage = remote_stage,
    .put = remote_put,
    .unstage = remote_unstage,
    .put_file = remote_put_file,
    .replace = remote_replace,
    .read = remote_read,
    .delete = remote_delete,
    .list = remote_list,
    .sweep = remote_sweep,
    .purge = remote_purge,
};

/* What the loop asks of a link may answer at once, when its connection breaks. */
static void lock_init(pthread_mutex_t *lock)
{
    pthread_mutexattr_t a;

    pthread_mutexattr_init(&a);
    pthread_mutexattr_settype(&a, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(lock, &a);
    pthread_mutexattr_destroy(&a);
}

static int clear_folder(void *ctx, const char *name, uint64_t bytes UNUSED)
{
    int r = target_purge(ctx, name, NULL, NULL);

    return r < 0 ? r : 0;
}

int target_remote_open(struct loop *l, struct rpc_link *storage, const char *place, struct target *stage,
                       struct target **out)
{
    struct remote *m = calloc(1, sizeof *m);
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), r = 0;

    if (!m || fd < 0 || (r = target_list(stage, "", clear_folder, stage)) < 0) {
        r = !m ? E_NOMEM : fd < 0 ? E_IO : r;
        goto failed;
    }
    *m = (struct remote){ .target = { &remote_ops }, .stage = stage, .link = storage, .place = place };
    lock_init(&m->lock);
    if ((r = watch_init(&m->wake, l, fd, woken)) < 0)
        goto failed;
    *out = &m->target;
    return 0;
failed:
    if (fd >= 0)
        close(fd);
    target_close(&stage);
    free(m);
    return r;
}
