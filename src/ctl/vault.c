/* src/ctl/vault.c: a stream of sealed chunks of 64 KiB (secretstream), in it
 *
 *   u16 length of the name, the name, then u32 length and so many bytes, again and again, u32 0;
 *   u16 0: there is nothing more. */
#include "src/ctl/vault.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/hex.h"
#include <errno.h>
#include <sodium.h>
#include <unistd.h>

#define FIRST_LINE  "LLSB1\n"
#define LABEL       "letterlock service backup v1"
#define CHUNK       KIB(64)
#define SEALED      (CHUNK + crypto_secretstream_xchacha20poly1305_ABYTES)
#define SEGMENT_MAX KIB(64)

struct vault {
    int fd;
    crypto_secretstream_xchacha20poly1305_state state;
    struct buf plain;
};

static void key_of(const uint8_t server_key[KEY_BYTES], struct str wrap, uint8_t out[KEY_BYTES])
{
    kdf(out, server_key, LABEL, wrap);
}

int vault_new(int fd, const uint8_t server_key[KEY_BYTES], struct str wrap, struct vault **out)
{
    uint8_t key[KEY_BYTES], header[crypto_secretstream_xchacha20poly1305_HEADERBYTES];
    struct vault *v = calloc(1, sizeof *v);
    int r;

    if (!v)
        return E_NOMEM;
    v->fd = fd;
    v->plain.max = CHUNK;
    key_of(server_key, wrap, key);
    crypto_secretstream_xchacha20poly1305_init_push(&v->state, header, key);
    sodium_memzero(key, sizeof key);
    if ((r = file_write(fd, STR(FIRST_LINE))) < 0 || (r = file_write(fd, wrap)) < 0 ||
        (r = file_write(fd, str_of(header, sizeof header))) < 0) {
        vault_free(&v);
        return r;
    }
    *out = v;
    return 0;
}

static int chunk_write(struct vault *v, uint8_t tag)
{
    uint8_t *sealed = malloc(SEALED);
    unsigned long long n = 0;
    int r;

    if (!sealed)
        return E_NOMEM;
    crypto_secretstream_xchacha20poly1305_push(&v->state, sealed, &n, (const uint8_t *)v->plain.p, v->plain.n,
                                               NULL, 0, tag);
    r = file_write(v->fd, str_of(sealed, (size_t)n));
    free(sealed);
    buf_clear(&v->plain);
    return r;
}

static int put(struct vault *v, struct str s)
{
    int r = 0;

    while (s.n && r == 0) {
        size_t n = size_min(s.n, CHUNK - v->plain.n);

        r = buf_append(&v->plain, s.p, n);
        s = str_skip(s, n);
        if (r == 0 && v->plain.n == CHUNK)
            r = chunk_write(v, 0);
    }
    return r;
}

int vault_begin(struct vault *v, const char *name)
{
    uint8_t n[2];
    int r;

    le16_put(n, (uint16_t)strlen(name));
    return (r = put(v, str_of(n, sizeof n))) < 0 ? r : put(v, str_from(name));
}

int vault_add(struct vault *v, struct str bytes)
{
    int r = 0;

    while (bytes.n && r == 0) {
        struct str now = str_slice(bytes, 0, SEGMENT_MAX);
        uint8_t n[4];

        le32_put(n, (uint32_t)now.n);
        if ((r = put(v, str_of(n, sizeof n))) == 0)
            r = put(v, now);
        bytes = str_skip(bytes, now.n);
    }
    return r;
}

int vault_end(struct vault *v)
{
    return put(v, STR("\0\0\0\0"));
}

int vault_close(struct vault *v)
{
    int r = put(v, STR("\0\0"));

    if (r == 0)
        r = chunk_write(v, crypto_secretstream_xchacha20poly1305_TAG_FINAL);
    return r == 0 && fsync(v->fd) < 0 ? error_from_errno(errno) : r;
}

void vault_free(struct vault **vp)
{
    struct vault *v = *vp;

    *vp = NULL;
    if (!v)
        return;
    buf_release(&v->plain);
    sodium_memzero(&v->state, sizeof v->state);
    free(v);
}

/* ---- reading ---- */

/* Behind it stands the header of the stream. */
int vault_wrap(int fd, struct buf *out)
{
    char c, first[sizeof FIRST_LINE - 1];
    int64_t n;
    int r;

    if (lseek(fd, 0, SEEK_SET) < 0)
        return E_IO;
    if ((n = file_read_next(fd, first, sizeof first)) < 0)
        return (int)n;
    if (n != (int64_t)sizeof first || memcmp(first, "LLSB", 4) != 0)
        return E_CORRUPT;
    if (memcmp(first, FIRST_LINE, sizeof first) != 0)
        return E_VERSION;
    do {
        if ((n = file_read_next(fd, &c, 1)) <= 0)
            return n < 0 ? (int)n : E_CORRUPT;
        if ((r = buf_putc(out, c)) < 0)
            return r == E_LIMIT ? E_CORRUPT : r;
    } while (c != '\n');
    return 0;
}

/* The plain bytes as they come, cut anywhere. */
struct parsing {
    const struct vault_reader *r;
    enum { NAME_LENGTH, NAME, LENGTH, BYTES, NOTHING } at;
    uint8_t number[4];
    size_t have;
    uint32_t left;
    char name[VAULT_NAME_MAX + 1];
};

/* Collects the `size` bytes of a number; true when they are there. */
static bool number_take(struct parsing *g, struct str *s, size_t size, uint32_t *out)
{
    while (g->have < size && s->n) {
        g->number[g->have++] = (uint8_t)s->p[0];
        *s = str_skip(*s, 1);
    }
    if (g->have < size)
        return false;
    *out = size == 2 ? le16_get(g->number) : le32_get(g->number);
    g->have = 0;
    return true;
}

static int name_take(struct parsing *g, struct str *s)
{
    while (g->left && s->n) {
        g->name[g->have++] = s->p[0];
        *s = str_skip(*s, 1);
        g->left--;
    }
    if (g->left)
        return 0;
    g->name[g->have] = '\0';
    g->have = 0;
    g->at = LENGTH;
    return strlen(g->name) == 0 ? E_CORRUPT : g->r->begin(g->r->ctx, g->name);
}

static int parse_step(struct parsing *g, struct str *s)
{
    struct str now;

    switch (g->at) {
    case NAME_LENGTH:
        if (!number_take(g, s, 2, &g->left))
            return 0;
        g->at = g->left ? NAME : NOTHING;
        return g->left > VAULT_NAME_MAX ? E_CORRUPT : 0;
    case NAME: return name_take(g, s);
    case LENGTH:
        if (!number_take(g, s, 4, &g->left))
            return 0;
        g->at = g->left ? BYTES : NAME_LENGTH;
        return g->left ? 0 : g->r->end(g->r->ctx);
    case BYTES:
        now = str_slice(*s, 0, g->left);
        *s = str_skip(*s, now.n);
        if (!(g->left -= (uint32_t)now.n))
            g->at = LENGTH;
        return g->r->take(g->r->ctx, now);
    case NOTHING: break;
    }
    return E_CORRUPT;
}

static int chunks_read(int fd, crypto_secretstream_xchacha20poly1305_state *state, struct parsing *g,
                       char *sealed, uint8_t *plain)
{
    uint8_t tag = 0;
    int r = 0;

    while (r == 0 && tag != crypto_secretstream_xchacha20poly1305_TAG_FINAL) {
        int64_t n = file_read_next(fd, sealed, SEALED);
        unsigned long long got = 0;
        struct str s;

        if (n < 0)
            return (int)n;
        if (n < (int64_t)crypto_secretstream_xchacha20poly1305_ABYTES ||
            crypto_secretstream_xchacha20poly1305_pull(state, plain, &got, &tag, (const uint8_t *)sealed,
                                                       (size_t)n, NULL, 0) != 0)
            return E_CORRUPT;
        for (s = str_of(plain, (size_t)got); s.n && r == 0;)
            r = parse_step(g, &s);
    }
    return r < 0 ? r : g->at == NOTHING && file_read_next(fd, sealed, 1) == 0 ? 0 : E_CORRUPT;
}

int vault_read(int fd, const uint8_t server_key[KEY_BYTES], const struct vault_reader *r)
{
    CLEANUP(buf_release) struct buf wrap = { .max = SERVER_KEY_TEXT_MAX };
    uint8_t key[KEY_BYTES], header[crypto_secretstream_xchacha20poly1305_HEADERBYTES], *plain = malloc(CHUNK);
    crypto_secretstream_xchacha20poly1305_state state;
    char *sealed = malloc(SEALED);
    struct parsing g = { .r = r };
    int64_t n;
    int e = plain && sealed ? vault_wrap(fd, &wrap) : E_NOMEM;

    if (e == 0 && (n = file_read_next(fd, header, sizeof header)) < 0) {
        e = (int)n;
    } else if (e == 0) {
        key_of(server_key, buf_str(&wrap), key);
        e = n == (int64_t)sizeof header &&
                    crypto_secretstream_xchacha20poly1305_init_pull(&state, header, key) == 0
                ? chunks_read(fd, &state, &g, sealed, plain)
                : E_CORRUPT;
    }
    sodium_memzero(key, sizeof key);
    sodium_memzero(&state, sizeof state);
    if (plain)
        sodium_memzero(plain, CHUNK);
    free(plain);
    free(sealed);
    return e;
}
