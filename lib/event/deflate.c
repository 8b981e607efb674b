#include "lib/event/deflate.h"
#include "lib/base/errors.h"
#include <stdlib.h>
#include <zlib.h>

#define OUT_WINDOW (-12) /* negative: raw, without zlib's header (RFC 4978 4) */
#define IN_WINDOW  (-15)
#define OUT_MEMORY 5
#define OUT_LEVEL  3
#define OUT_CHUNK  KIB(4)

struct deflate_layer {
    z_stream in, out;
};

struct deflate_layer *deflate_layer_new(void)
{
    struct deflate_layer *d = calloc(1, sizeof *d);

    if (!d)
        return NULL;
    if (deflateInit2(&d->out, OUT_LEVEL, Z_DEFLATED, OUT_WINDOW, OUT_MEMORY, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(d);
        return NULL;
    }
    if (inflateInit2(&d->in, IN_WINDOW) != Z_OK) {
        deflateEnd(&d->out);
        free(d);
        return NULL;
    }
    return d;
}

void deflate_layer_free(struct deflate_layer **d)
{
    if (*d) {
        deflateEnd(&(*d)->out);
        inflateEnd(&(*d)->in);
        free(*d);
    }
    *d = NULL;
}

int deflate_layer_out(struct deflate_layer *d, struct str in, struct buf *out)
{
    d->out.next_in = (Bytef *)(uintptr_t)in.p; /* zlib's type is older than const */
    d->out.avail_in = (uInt)in.n;
    do {
        uint8_t *p = buf_reserve(out, OUT_CHUNK);

        if (!p)
            return out->max - out->n < OUT_CHUNK ? E_LIMIT : E_NOMEM;
        d->out.next_out = p;
        d->out.avail_out = OUT_CHUNK;
        if (deflate(&d->out, Z_SYNC_FLUSH) == Z_STREAM_ERROR)
            return E_BUG;
        out->n += OUT_CHUNK - d->out.avail_out;
    } while (d->out.avail_out == 0);
    return 0;
}

ssize_t deflate_layer_in(struct deflate_layer *d, struct str *in, void *out, size_t room)
{
    int r;

    d->in.next_in = (Bytef *)(uintptr_t)in->p;
    d->in.avail_in = (uInt)in->n;
    d->in.next_out = out;
    d->in.avail_out = (uInt)room;
    r = inflate(&d->in, Z_SYNC_FLUSH);
    *in = str_skip(*in, in->n - d->in.avail_in);
    if (r != Z_OK && r != Z_BUF_ERROR) /* Z_BUF_ERROR: nothing could be done, for want of input */
        return E_SYNTAX;
    return (ssize_t)(room - d->in.avail_out);
}
