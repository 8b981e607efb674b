#include "src/common/records.h"
#include "lib/base/hex.h"

enum { RECORD_ROW = 1, RECORD_BYTES = 2 };

void records_init(struct records *r)
{
    *r = (struct records){ .row.max = ROW_BYTES_MAX, .arena.max = 4 * ROW_BYTES_MAX };
}

void records_release(struct records *r)
{
    buf_release(&r->row);
    arena_release(&r->arena);
}

void records_restart(struct records *r)
{
    r->head_n = 0;
    r->left = 0;
    buf_clear(&r->row);
}

static int row_complete(struct records *r, void *ctx)
{
    Store__Row *row;

    arena_reset(&r->arena);
    row = RPC_UNPACK(&r->arena, buf_str(&r->row), store__row);
    if (r->row.cap > KIB(16))
        buf_release(&r->row);
    buf_clear(&r->row);
    r->row.max = ROW_BYTES_MAX;
    return row ? r->on_row(ctx, row) : E_CORRUPT;
}

static int head_complete(struct records *r, void *ctx)
{
    r->left = le32_get(r->head + 1);
    if (r->head[0] == RECORD_ROW && r->left <= ROW_BYTES_MAX) {
        if (r->left)
            return 0;
        r->head_n = 0;
        return row_complete(r, ctx);
    }
    if (r->head[0] != RECORD_BYTES || !r->on_bytes)
        return E_CORRUPT;
    if (r->left == 0)
        r->head_n = 0;
    return 0;
}

static int payload(struct records *r, void *ctx, struct str part)
{
    int e;

    r->left -= (uint32_t)part.n;
    if (r->left == 0)
        r->head_n = 0;
    if (r->head[0] == RECORD_BYTES)
        return r->on_bytes(ctx, part);
    e = buf_puts(&r->row, part);
    return e < 0 || r->left ? e : row_complete(r, ctx);
}

int records_take(struct records *r, void *ctx, struct str *in)
{
    int e = 0;

    while (in->n && e == 0) {
        if (r->head_n < sizeof r->head) {
            r->head[r->head_n++] = (uint8_t)in->p[0];
            *in = str_skip(*in, 1);
            if (r->head_n == sizeof r->head)
                e = head_complete(r, ctx);
        } else {
            struct str part = str_slice(*in, 0, r->left);

            *in = str_skip(*in, part.n);
            e = payload(r, ctx, part);
        }
    }
    return e;
}

int records_feed(struct records *r, void *ctx, struct str in)
{
    return records_take(r, ctx, &in);
}
