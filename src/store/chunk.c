#include "src/store/chunk.h"
#include "lib/base/errors.h"
#include "src/store/delta.h"
#include "src/store/dictionary.h"
#include <lz4.h>
#include <pthread.h>
#include <sys/types.h>
#include <zstd.h>
#include <zstd_errors.h>

#define LEVEL         3
#define LEVEL_LIKE    1
#define MATCH_LIKE    7       /* what text and its source have in common is long */
#define LZ4_INPUT_MAX KIB(32) /* of what is read; what is written: */
#define LZ4_QUICK_MAX \
    KIB(16)             /* larger ones are few, and are most of the bytes: zstd keeps them a third smaller */
#define WORTH_BYTES 64u /* smaller inputs cost more as a frame than they save */
#define PROBE_BYTES KIB(16) /* of a large input: tells base64 and pictures from text */
#define DICTIONARY_INPUT_MAX \
    KIB(8)             /* above, an input is its own best dictionary: 0.3 % of disk for 0.3 ms a letter */
#define DELTA_SHARE 4u /* what has more of its own is left to zstd */
#define IDLE_MAX    4u /* contexts of each kind kept, some 1 MiB each */

/* ---- contexts ----------------------------------------------------------------------------------- */

/* One of zstd's contexts of either kind, and the dictionary that it was given. */
struct context {
    ZSTD_CCtx *c;
    ZSTD_DCtx *d;
    uint64_t epoch; /* of its making: older than `epoch` below, it may know a closed mailbox */
};
static struct {
    pthread_mutex_t lock;
    uint64_t epoch;
    struct context idle[IDLE_MAX];
    size_t n;
} contexts = { .lock = PTHREAD_MUTEX_INITIALIZER };

static pthread_once_t dictionary_once = PTHREAD_ONCE_INIT;
static ZSTD_CDict *dictionary_c;
static ZSTD_DDict *dictionary_d;

static void dictionary_make(void)
{
    dictionary_c = ZSTD_createCDict(dictionary_mail_1, dictionary_mail_1_bytes, LEVEL);
    dictionary_d = ZSTD_createDDict(dictionary_mail_1, dictionary_mail_1_bytes);
}

/* Both, made once and for all threads; without memory for them what needs them says E_NOMEM. */
static bool dictionary_ready(void)
{
    pthread_once(&dictionary_once, dictionary_make);
    return dictionary_c && dictionary_d;
}

static void context_free(struct context *x)
{
    ZSTD_freeCCtx(x->c);
    ZSTD_freeDCtx(x->d);
    *x = (struct context){ 0 };
}

static bool context_settle(ZSTD_CCtx *c)
{
    return !ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, LEVEL)) &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_dictIDFlag, 0)); /* the row's codec says it */
}

static int context_take(struct context *x)
{
    pthread_mutex_lock(&contexts.lock);
    *x = (struct context){ .epoch = contexts.epoch };
    if (contexts.n)
        *x = contexts.idle[--contexts.n];
    pthread_mutex_unlock(&contexts.lock);
    if (x->c)
        return 0;
    x->c = ZSTD_createCCtx();
    x->d = ZSTD_createDCtx();
    if (x->c && x->d && context_settle(x->c))
        return 0;
    context_free(x);
    return E_NOMEM;
}

static void context_give(struct context *x)
{
    pthread_mutex_lock(&contexts.lock);
    if (x->c && x->epoch == contexts.epoch && contexts.n < IDLE_MAX) {
        contexts.idle[contexts.n++] = *x;
        *x = (struct context){ 0 };
    }
    pthread_mutex_unlock(&contexts.lock);
    context_free(x);
}

void chunk_forget(void)
{
    struct context old[IDLE_MAX];
    size_t n;

    pthread_mutex_lock(&contexts.lock);
    contexts.epoch++;
    n = contexts.n;
    memcpy(old, contexts.idle, n * sizeof *old);
    contexts.n = 0;
    pthread_mutex_unlock(&contexts.lock);
    for (size_t i = 0; i < n; i++)
        context_free(&old[i]);
}

/* ---- frames ------------------------------------------------------------------------------------- */

/* Compressed size, 0 when it does not fit `cap` (not worth it), or E_NOMEM. */
static ssize_t squeeze(struct context *x, const ZSTD_CDict *dict, struct str in, void *out, size_t cap)
{
    size_t n = ZSTD_CCtx_refCDict(x->c, dict);

    if (!ZSTD_isError(n))
        n = ZSTD_compress2(x->c, out, cap, in.p, in.n);
    if (!ZSTD_isError(n))
        return (ssize_t)n;
    ZSTD_CCtx_reset(x->c, ZSTD_reset_session_only);
    return ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation ? E_NOMEM : 0;
}

static int expand(ZSTD_DCtx *d, const ZSTD_DDict *dict, struct str data, void *out, size_t n)
{
    size_t got = ZSTD_DCtx_refDDict(d, dict);

    if (!ZSTD_isError(got))
        got = ZSTD_decompressDCtx(d, out, n, data.p, data.n);
    if (ZSTD_isError(got) && ZSTD_getErrorCode(got) == ZSTD_error_memory_allocation)
        return E_NOMEM;
    return got == n ? 0 : E_CORRUPT;
}

/* An eighth is the least that pays for every reader's decompression. */
static size_t worth(size_t n)
{
    return n - n / 8;
}

/* `out` is a frame, or stays as it is when that does not pay. p: room for twice the input. */
static int frame_make(struct context *x, struct str in, bool dictionary, char *p, struct chunk *out)
{
    ssize_t n;
    int r;

    if (in.n > 2 * PROBE_BYTES) {
        struct str probe = { in.p + (in.n - PROBE_BYTES) / 2, PROBE_BYTES };

        if ((n = squeeze(x, NULL, probe, p, worth(probe.n))) <= 0)
            return (int)n;
    }
    if ((n = squeeze(x, dictionary ? dictionary_c : NULL, in, p, worth(in.n))) <= 0)
        return (int)n;
    r = expand(x->d, dictionary ? dictionary_d : NULL, (struct str){ p, (size_t)n }, p + in.n, in.n);
    if (r == E_NOMEM || (r == 0 && memcmp(p + in.n, in.p, in.n) != 0))
        return r;
    if (r == 0)
        *out = (struct chunk){ .codec = dictionary ? CHUNK_MAIL_1 : CHUNK_ZSTD, .data = { p, (size_t)n } };
    return 0;
}

int chunk_encode(struct str in, struct buf *scratch, struct chunk *out)
{
    CLEANUP(context_give) struct context x = { 0 };
    bool dictionary = in.n <= DICTIONARY_INPUT_MAX;
    char *p;
    int r;

    *out = (struct chunk){ .codec = CHUNK_RAW, .data = in };
    if (in.n < WORTH_BYTES)
        return 0;
    buf_clear(scratch);
    if ((dictionary && !dictionary_ready()) || !(p = buf_reserve(scratch, 2 * in.n)))
        return E_NOMEM;
    return (r = context_take(&x)) < 0 ? r : frame_make(&x, in, dictionary, p, out);
}

int chunk_encode_letter(struct str in, struct buf *scratch, struct chunk *out)
{
    char *p;
    int n;

    if (in.n < WORTH_BYTES || in.n > LZ4_QUICK_MAX)
        return chunk_encode(in, scratch, out);
    buf_clear(scratch);
    if (!(p = buf_reserve(scratch, 2 * in.n)))
        return E_NOMEM;
    n = LZ4_compress_default(in.p, p, (int)in.n, (int)worth(in.n));
    if (n <= 0 || LZ4_decompress_safe(p, p + in.n, n, (int)in.n) != (int)in.n ||
        memcmp(p + in.n, in.p, in.n) != 0)
        return chunk_encode(in, scratch, out);
    *out = (struct chunk){ .codec = CHUNK_LZ4, .data = { p, (size_t)n } };
    return 0;
}

/* ---- text that is like another ------------------------------------------------------------------ */

#ifdef __clang__
#define VECTORS /* at -O2 already */
#else
#define VECTORS __attribute__((optimize("O3")))
#endif

VECTORS static void lower_copy(char *restrict to, const char *restrict from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (char)(from[i] + ((unsigned char)(from[i] - 'A') < 26 ? 'a' - 'A' : 0));
}

static int hex_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One line without its end; quoted-printable undone where it looks like that. Returns where `to` ends, and
 * *soft: the next line belongs to this one. Nothing depends on what it does but that it never changes: it
 * is part of the codec. */
static char *like_line(char *to, struct str line, bool *soft)
{
    const char *eq;

    *soft = false;
    while (line.n && (eq = memchr(line.p, '=', line.n))) {
        size_t n = (size_t)(eq - line.p);
        int hi = line.n - n > 2 ? hex_of(eq[1]) : -1, lo = hi >= 0 ? hex_of(eq[2]) : -1;

        lower_copy(to, line.p, n);
        to += n;
        line = str_skip(line, n + (lo >= 0 ? 3 : 1));
        *soft = line.n == 0 && lo < 0;
        if (lo >= 0)
            *to++ = (char)(hi << 4 | lo);
        else if (!*soft)
            *to++ = '=';
    }
    lower_copy(to, line.p ? line.p : "", line.n);
    return to + line.n;
}

/* The same of all lines when none has a '=': lowered in one go, then moved together. */
static char *like_plain(char *to, struct str like)
{
    char *from = to, *end = to + like.n;

    lower_copy(to, like.p, like.n);
    while (from < end) {
        char *eol = memchr(from, '\n', (size_t)(end - from));
        size_t n = (size_t)((eol ? eol : end) - from), keep = n && from[n - 1] == '\r' ? n - 1 : n;

        memmove(to, from, keep);
        to += keep;
        from += n + (eol != NULL);
        if (eol)
            *to++ = ' ';
    }
    return to;
}

/* `like` as zstd gets it; out: cleared. */
static int like_fold(struct str like, struct buf *out)
{
    char *begin = buf_reserve(out, like.n + 1), *to = begin;
    struct str line;
    bool soft;

    if (!begin)
        return E_NOMEM;
    if (like.n && !memchr(like.p, '=', like.n)) {
        out->n = (size_t)(like_plain(begin, like) - begin);
        return 0;
    }
    while (like.n) {
        const char *end = memchr(like.p, '\n', like.n);

        line = str_slice(like, 0, end ? (size_t)(end - like.p) : like.n);
        like = str_skip(like, line.n + (end != NULL));
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        to = like_line(to, line, &soft);
        if (end && !soft)
            *to++ = ' ';
    }
    out->n = (size_t)(to - begin);
    return 0;
}

static int expand_like(ZSTD_DCtx *d, struct str data, struct str like, void *out, size_t n)
{
    size_t got = ZSTD_DCtx_refPrefix(d, like.p, like.n);

    if (!ZSTD_isError(got))
        got = ZSTD_decompressDCtx(d, out, n, data.p, data.n);
    if (ZSTD_isError(got) && ZSTD_getErrorCode(got) == ZSTD_error_memory_allocation)
        return E_NOMEM;
    return got == n ? 0 : E_CORRUPT;
}

/* As frame_make. */
static int frame_make_like(struct context *x, struct str in, struct str like, char *p, struct chunk *out)
{
    size_t n = ZSTD_CCtx_refPrefix(x->c, like.p, like.n);
    int r;

    ZSTD_CCtx_setParameter(x->c, ZSTD_c_compressionLevel, LEVEL_LIKE);
    ZSTD_CCtx_setParameter(x->c, ZSTD_c_minMatch, MATCH_LIKE);
    ZSTD_CCtx_setParameter(x->c, ZSTD_c_checksumFlag, 1); /* behind other bytes it would say something else */
    if (!ZSTD_isError(n))
        n = ZSTD_compress2(x->c, p, worth(in.n), in.p, in.n);
    ZSTD_CCtx_reset(x->c, ZSTD_reset_session_and_parameters);
    if (!context_settle(x->c))
        return E_BUG;
    if (ZSTD_isError(n))
        return ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation ? E_NOMEM : 0;
    r = expand_like(x->d, (struct str){ p, n }, like, p + in.n, in.n);
    if (r == E_NOMEM || (r == 0 && memcmp(p + in.n, in.p, in.n) != 0))
        return r;
    if (r == 0)
        *out = (struct chunk){ .codec = CHUNK_LIKE, .data = { p, n } };
    return 0;
}

/* Plain words need no compressor: ten times as fast both ways. */
static bool delta_use(struct str in, struct str like, char *p, struct chunk *out)
{
    size_t n = delta_make(in, like, p, in.n / DELTA_SHARE);

    if (n == 0 || !delta_apply(str_of(p, n), like, p + in.n, in.n) || memcmp(p + in.n, in.p, in.n) != 0)
        return false;
    *out = (struct chunk){ .codec = CHUNK_DELTA, .data = { p, n } };
    return true;
}

int chunk_encode_like(struct str in, struct str like, struct buf *scratch, struct chunk *out)
{
    CLEANUP(context_give) struct context x = { 0 };
    CLEANUP(buf_release) struct buf folded = { .max = CHUNK_BYTES_MAX + 1 };
    char *p;
    int r;

    if (in.n < WORTH_BYTES || like.n < WORTH_BYTES)
        return chunk_encode(in, scratch, out);
    *out = (struct chunk){ .codec = CHUNK_RAW, .data = in };
    buf_clear(scratch);
    if (!(p = buf_reserve(scratch, 2 * in.n)))
        return E_NOMEM;
    if ((r = like_fold(like, &folded)) < 0)
        return r;
    if (delta_use(in, buf_str(&folded), p, out))
        return 0;
    if ((r = context_take(&x)) < 0)
        return r;
    return frame_make_like(&x, in, buf_str(&folded), p, out);
}

/* ---- decoding ----------------------------------------------------------------------------------- */

static int decode_lz4(struct str data, size_t bytes, struct buf *out)
{
    char *p = bytes <= LZ4_INPUT_MAX ? buf_reserve(out, bytes) : NULL;

    if (bytes > LZ4_INPUT_MAX || data.n > LZ4_INPUT_MAX)
        return E_CORRUPT;
    if (!p)
        return E_NOMEM;
    if (LZ4_decompress_safe(data.p, p, (int)data.n, (int)bytes) != (int)bytes)
        return E_CORRUPT;
    out->n += bytes;
    return 0;
}

static int decode(ZSTD_DCtx *d, int64_t codec, struct str data, size_t bytes, struct buf *out)
{
    void *p = codec == CHUNK_MAIL_1 && !dictionary_ready() ? NULL : buf_reserve(out, bytes);
    int r = p ? expand(d, codec == CHUNK_MAIL_1 ? dictionary_d : NULL, data, p, bytes) : E_NOMEM;

    if (r == 0)
        out->n += bytes;
    return r;
}

int chunk_decode(int64_t codec, struct str data, size_t bytes, struct buf *out)
{
    CLEANUP(context_give) struct context x = { 0 };
    int r;

    if (codec == CHUNK_RAW)
        return data.n == bytes ? buf_puts(out, data) : E_CORRUPT;
    if (codec == CHUNK_LZ4)
        return decode_lz4(data, bytes, out);
    if (codec != CHUNK_ZSTD && codec != CHUNK_MAIL_1)
        return E_VERSION;
    return (r = context_take(&x)) < 0 ? r : decode(x.d, codec, data, bytes, out);
}

int chunk_decode_with(struct chunk_decoder *k, int64_t codec, struct str data, size_t bytes, struct buf *out)
{
    if (codec != CHUNK_ZSTD && codec != CHUNK_MAIL_1)
        return chunk_decode(codec, data, bytes, out);
    if (!k->d && !(k->d = ZSTD_createDCtx()))
        return E_NOMEM;
    return decode(k->d, codec, data, bytes, out);
}

static int undo_like(struct chunk_decoder *k, int64_t codec, struct str data, struct str like, char *p,
                     size_t bytes)
{
    if (codec == CHUNK_DELTA)
        return delta_apply(data, like, p, bytes) ? 0 : E_CORRUPT;
    if (!k->d && !(k->d = ZSTD_createDCtx()))
        return E_NOMEM;
    return expand_like(k->d, data, like, p, bytes);
}

int chunk_decode_like(struct chunk_decoder *k, int64_t codec, struct str data, size_t bytes, struct str like,
                      struct buf *out)
{
    char *p;
    int r;

    if (like.n > CHUNK_BYTES_MAX)
        return E_CORRUPT;
    k->like.max = CHUNK_BYTES_MAX + 1;
    buf_clear(&k->like);
    if ((r = like_fold(like, &k->like)) < 0)
        return r;
    if (!(p = buf_reserve(out, bytes)))
        return E_NOMEM;
    if ((r = undo_like(k, codec, data, buf_str(&k->like), p, bytes)) == 0)
        out->n += bytes;
    return r;
}

void chunk_decoder_release(struct chunk_decoder *k)
{
    ZSTD_freeDCtx(k->d);
    buf_release(&k->like);
    k->d = NULL;
}
