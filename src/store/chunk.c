#include "src/store/chunk.h"
#include "lib/base/errors.h"
#include <zstd.h>
#include <zstd_errors.h>
#include <sys/types.h>

#define LEVEL       3
#define WORTH_BYTES 64u     /* smaller inputs cost more as a frame than they save */
#define PROBE_BYTES KIB(16) /* of a large input: tells base64 and pictures from text */

/* Compressed size, 0 when it does not fit `cap` (not worth it), or E_NOMEM. */
static ssize_t squeeze(struct str in, void *out, size_t cap)
{
    ZSTD_CCtx *c = ZSTD_createCCtx();
    size_t n;

    if (!c)
        return E_NOMEM;
    n = ZSTD_compressCCtx(c, out, cap, in.p, in.n, LEVEL);
    ZSTD_freeCCtx(c);
    if (ZSTD_isError(n))
        return ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation ? E_NOMEM : 0;
    return (ssize_t)n;
}

static int expand_with(struct chunk_decoder *k, struct str data, void *out, size_t n)
{
    if (!k->d && !(k->d = ZSTD_createDCtx()))
        return E_NOMEM;
    return ZSTD_decompressDCtx(k->d, out, n, data.p, data.n) == n ? 0 : E_CORRUPT;
}

void chunk_decoder_release(struct chunk_decoder *k)
{
    ZSTD_freeDCtx(k->d);
    k->d = NULL;
}

static int expand(struct str data, void *out, size_t n)
{
    CLEANUP(chunk_decoder_release) struct chunk_decoder k = { 0 };

    return expand_with(&k, data, out, n);
}

/* Base64 shrinks to 0.76, and costs every reader its decompression: it stays as it is. */
static size_t worth(size_t n)
{
    return n - n * 3 / 10;
}

int chunk_encode(struct str in, struct buf *scratch, struct chunk *out)
{
    ssize_t n = 0;
    char *p;
    int r;

    *out = (struct chunk){ .codec = CHUNK_RAW, .data = in };
    if (in.n < WORTH_BYTES)
        return 0;
    buf_clear(scratch);
    if (!(p = buf_reserve(scratch, 2 * in.n)))
        return E_NOMEM;
    if (in.n > 2 * PROBE_BYTES) {
        struct str probe = { in.p + (in.n - PROBE_BYTES) / 2, PROBE_BYTES };

        if ((n = squeeze(probe, p, worth(probe.n))) <= 0)
            return (int)n;
    }
    if ((n = squeeze(in, p, worth(in.n))) <= 0)
        return (int)n;
    if ((r = expand((struct str){ p, (size_t)n }, p + in.n, in.n)) == E_NOMEM)
        return r;
    if (r == 0 && memcmp(p + in.n, in.p, in.n) == 0)
        *out = (struct chunk){ .codec = CHUNK_ZSTD, .data = { p, (size_t)n } };
    return 0;
}

int chunk_decode(int64_t codec, struct str data, size_t bytes, struct buf *out)
{
    CLEANUP(chunk_decoder_release) struct chunk_decoder k = { 0 };

    return chunk_decode_with(&k, codec, data, bytes, out);
}

int chunk_decode_with(struct chunk_decoder *k, int64_t codec, struct str data, size_t bytes, struct buf *out)
{
    void *p;
    int r;

    if (codec == CHUNK_RAW)
        return data.n == bytes ? buf_puts(out, data) : E_CORRUPT;
    if (codec != CHUNK_ZSTD)
        return E_VERSION;
    if (!(p = buf_reserve(out, bytes)))
        return E_NOMEM;
    if ((r = expand_with(k, data, p, bytes)) < 0)
        return r;
    out->n += bytes;
    return 0;
}
