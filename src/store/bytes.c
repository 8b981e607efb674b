#include "src/store/bytes.h"
#include "lib/base/errors.h"

static int mem_read(const struct bytes_in *in, uint64_t off, void *p, size_t n)
{
    const struct bytes_mem *m = (const struct bytes_mem *)(const void *)in;

    memcpy(p, m->s.p + off, n);
    return 0;
}

struct bytes_in *bytes_mem_init(struct bytes_mem *m, struct str s)
{
    *m = (struct bytes_mem){ .in = { .bytes = s.n, .read = mem_read }, .s = s };
    return &m->in;
}

static int cat_read(const struct bytes_in *in, uint64_t off, void *p, size_t n)
{
    const struct bytes_cat *c = (const struct bytes_cat *)(const void *)in;
    size_t head = 0;

    if (off < c->head.n) {
        head = size_min(n, c->head.n - (size_t)off);
        memcpy(p, c->head.p + off, head);
    }
    return head == n ? 0 : bytes_read(c->tail, off + head - c->head.n, (char *)p + head, n - head);
}

struct bytes_in *bytes_cat_init(struct bytes_cat *c, struct str head, const struct bytes_in *tail)
{
    *c = (struct bytes_cat){ .in = { .bytes = head.n + tail->bytes, .read = cat_read },
                             .head = head,
                             .tail = tail };
    return &c->in;
}

int bytes_read(const struct bytes_in *in, uint64_t off, void *p, size_t n)
{
    if (n == 0)
        return 0;
    if (off > in->bytes || n > in->bytes - off)
        return E_RANGE;
    return in->read(in, off, p, n);
}
