#include "lib/db/trigram.h"
#include "lib/base/errors.h"
#include <sqlite3.h>
#include <string.h>

#define SEEN_BITS  12u
#define ASCII_BITS 13u /* slots of 16 bits: half of the first-level cache */

/* The stock tokenizer, of this handle, and one that stands before it. */
struct stock {
    fts5_tokenizer module;
    void *user;
};

struct once {
    struct stock *stock;
    Fts5Tokenizer *inner;
};

/* One text under way. A slot holds the last trigram that fell into it: some come twice, none is left out. */
struct seen {
    uint16_t ascii[1u << ASCII_BITS];
    uint64_t other[1u << SEEN_BITS];
};
struct filter {
    void *to;
    int (*token)(void *to, int flags, const char *p, int n, int from, int end);
    struct seen *seen;
    bool other; /* seen->other is made */
};

/* Three bytes are three letters of ASCII: 24 bits, shuffled by what can be undone. Thirteen say where, the other
 * eleven are kept, with one more that says that anything is. */
static bool ascii_seen(struct filter *f, const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    uint32_t key = ((uint32_t)u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16) * UINT32_C(0x9E3779B1);
    uint16_t *slot, kept;

    key = (key ^ (key & 0xFFFFFF) >> 12) & 0xFFFFFF;
    slot = &f->seen->ascii[key & ((1u << ASCII_BITS) - 1)];
    kept = (uint16_t)(key >> ASCII_BITS | 1u << 15);
    if (*slot == kept)
        return true;
    *slot = kept;
    return false;
}

static uint64_t *other_slot(struct filter *f, uint64_t key)
{
    if (!f->other)
        memset(f->seen->other, 0, sizeof f->seen->other);
    f->other = true;
    return &f->seen->other[key * UINT64_C(0x9E3779B97F4A7C15) >> (64 - SEEN_BITS)];
}

static int once_token(void *ctx, int flags, const char *p, int n, int from, int end)
{
    struct filter *f = ctx;
    uint64_t key = 0;

    if (n == 3) {
        if (ascii_seen(f, p))
            return SQLITE_OK;
    } else if (n > 0 && (size_t)n <= sizeof key) {
        uint64_t *slot;

        memcpy(&key, p, (size_t)n);
        slot = other_slot(f, key);
        if (*slot == key)
            return SQLITE_OK;
        *slot = key;
    }
    return f->token(f->to, flags, p, n, from, end);
}

/* How many bytes the character takes that begins here, where the stock tokenizer would write the same bytes again; 0:
 * it would not, as for a NUL, which it passes over, and for what is no UTF-8. */
static size_t char_bytes(const unsigned char *p, const unsigned char *end)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t n = *p < 0x80 ? *p != 0 : *p < 0xC2 ? 0 : *p < 0xE0 ? 2 : *p < 0xF0 ? 3 : *p < 0xF5 ? 4 : 0;
    uint32_t c = n > 1 ? *p & (0x7Fu >> n) : 0;

    if (n <= 1 || (size_t)(end - p) < n)
        return n > 1 ? 0 : n;
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3Fu);
    }
    if (p + n < end && (p[n] & 0xC0) == 0x80) /* the stock one takes all that follow */
        return 0;
    return c < least[n] || c > 0x10FFFF || (c & 0xFFFFF800) == 0xD800 || (c & 0xFFFFFFFE) == 0xFFFE ? 0 : n;
}

/* As the stock tokenizer does, which decodes each character, writes it again and is asked for by a pointer. Returns
 * where it could not go on: the text's end when all is done. */
static int trigrams(struct filter *f, const char *text, int n, const unsigned char **at_out)
{
    const unsigned char *from = (const unsigned char *)text, *at = from, *end = from + n;
    const unsigned char *first = NULL, *second = NULL; /* the two characters before */
    int rc = SQLITE_OK;

    while (at < end && rc == SQLITE_OK) {
        size_t bytes = *at - 1u < 0x7F ? 1 : char_bytes(at, end);
        const unsigned char *behind = at + bytes;

        if (!bytes)
            break;
        if (first && behind - first > 3)
            rc = once_token(f, 0, (const char *)first, (int)(behind - first), (int)(first - from),
                            (int)(behind - from));
        else if (first && !ascii_seen(f, (const char *)first))
            rc = f->token(f->to, 0, (const char *)first, 3, (int)(first - from), (int)(behind - from));
        first = second;
        second = at;
        at = behind;
    }
    *at_out = at;
    return rc;
}

static int once_tokenize(Fts5Tokenizer *t, void *to, int flags, const char *text, int n,
                         int (*token)(void *, int, const char *, int, int, int))
{
    struct once *o = (struct once *)(void *)t;
    struct filter f = { .to = to, .token = token };
    const unsigned char *at;
    int rc;

    if (!(flags & FTS5_TOKENIZE_DOCUMENT))
        return o->stock->module.xTokenize(o->inner, to, flags, text, n, token);
    if (!(f.seen = sqlite3_malloc(sizeof *f.seen)))
        return SQLITE_NOMEM;
    memset(f.seen->ascii, 0, sizeof f.seen->ascii);
    rc = trigrams(&f, text, n, &at);
    if (rc == SQLITE_OK &&
        at < (const unsigned char *)text + n) /* once more: what comes twice harms nobody */
        rc = o->stock->module.xTokenize(o->inner, &f, flags, text, n, once_token);
    sqlite3_free(f.seen); /* wiped, as all that SQLite gives back */
    return rc;
}

static int once_create(void *user, const char **args, int n, Fts5Tokenizer **out)
{
    struct once *o = sqlite3_malloc(sizeof *o);
    int rc;

    if (!o)
        return SQLITE_NOMEM;
    *o = (struct once){ .stock = user };
    if ((rc = o->stock->module.xCreate(o->stock->user, args, n, &o->inner)) != SQLITE_OK) {
        sqlite3_free(o);
        return rc;
    }
    *out = (Fts5Tokenizer *)(void *)o;
    return SQLITE_OK;
}

static void once_delete(Fts5Tokenizer *t)
{
    struct once *o = (struct once *)(void *)t;

    o->stock->module.xDelete(o->inner);
    sqlite3_free(o);
}

static int fts5_of(sqlite3 *db, fts5_api **out)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, "SELECT fts5(?1)", -1, &st, NULL);

    *out = NULL;
    if (rc == SQLITE_OK && (rc = sqlite3_bind_pointer(st, 1, out, "fts5_api_ptr", NULL)) == SQLITE_OK)
        rc = sqlite3_step(st) == SQLITE_ROW ? SQLITE_OK : SQLITE_ERROR;
    sqlite3_finalize(st);
    return rc != SQLITE_OK ? rc : *out ? SQLITE_OK : SQLITE_ERROR;
}

int db_trigrams_once(struct db *db)
{
    fts5_tokenizer once = { once_create, once_delete, once_tokenize };
    struct stock *stock = sqlite3_malloc(sizeof *stock);
    fts5_api *api;
    int rc = stock ? fts5_of(db_sqlite(db), &api) : SQLITE_NOMEM;

    if (rc == SQLITE_OK)
        rc = api->xFindTokenizer(api, "trigram", &stock->user, &stock->module);
    if (rc == SQLITE_OK)
        rc = api->xCreateTokenizer(api, "trigram", stock, &once, sqlite3_free);
    if (rc != SQLITE_OK)
        sqlite3_free(stock);
    return db_error_from_sqlite(rc);
}
