#include "src/store/target.h"
#include "lib/base/errors.h"

void target_close(struct target **tp)
{
    struct target *t = *tp;

    *tp = NULL;
    if (t)
        t->ops->close(t);
}

int target_stage(struct target *t, const char *name, char path_out[TARGET_PATH_MAX], uint64_t *room_out)
{
    return t->ops->stage(t, name, path_out, room_out);
}

int target_put(struct target *t, const char *name, const bool *stop)
{
    return t->ops->put(t, name, stop);
}

void target_unstage(struct target *t, const char *name)
{
    t->ops->unstage(t, name);
}

int target_put_file(struct target *t, const char *name, int fd, uint64_t bytes, const bool *stop)
{
    return t->ops->put_file(t, name, fd, bytes, stop);
}

int target_replace(struct target *t, const char *name, struct str bytes)
{
    return bytes.n > TARGET_SMALL_MAX ? E_TOO_BIG : t->ops->replace(t, name, bytes);
}

int64_t target_read(struct target *t, const char *name, uint64_t at, uint64_t max, target_take *take,
                    void *ctx)
{
    return t->ops->read(t, name, at, max, take, ctx);
}

static int take_to_buf(void *ctx, struct str slice)
{
    return buf_append(ctx, slice.p, slice.n);
}

int64_t target_get(struct target *t, const char *name, uint64_t at, size_t max, struct buf *out)
{
    return t->ops->read(t, name, at, max, take_to_buf, out);
}

int target_delete(struct target *t, const char *name)
{
    return t->ops->delete (t, name);
}

int target_list(struct target *t, const char *folder, target_visit *visit, void *ctx)
{
    return t->ops->list(t, folder, visit, ctx);
}

int target_sweep(struct target *t, const char *folder)
{
    return t->ops->sweep ? t->ops->sweep(t, folder) : 0;
}

int target_purge(struct target *t, const char *folder, target_told *told, void *ctx)
{
    return t->ops->purge(t, folder, told, ctx);
}
