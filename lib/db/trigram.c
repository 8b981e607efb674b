#include "lib/db/trigram.h"
#include "lib/base/errors.h"
#include <sqlite3.h>
#include <string.h>

#define SEEN_BITS 12u

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
struct filter {
    void *to;
    int (*token)(void *to, int flags, const char *p, int n, int from, int end);
    uint64_t *seen;
};

static int once_token(void *ctx, int flags, const char *p, int n, int from, int end)
{
    struct filter *f = ctx;
    uint64_t key = 0;

    if (n > 0 && (size_t)n <= sizeof key) {
        uint64_t *slot;

        memcpy(&key, p, (size_t)n);
        slot = &f->seen[key * UINT64_C(0x9E3779B97F4A7C15) >> (64 - SEEN_BITS)];
        if (*slot == key)
            return SQLITE_OK;
        *slot = key;
    }
    return f->token(f->to, flags, p, n, from, end);
}

static int once_tokenize(Fts5Tokenizer *t, void *to, int flags, const char *text, int n,
                         int (*token)(void *, int, const char *, int, int, int))
{
    struct once *o = (struct once *)(void *)t;
    struct filter f = { .to = to, .token = token };
    int rc;

    if (!(flags & FTS5_TOKENIZE_DOCUMENT))
        return o->stock->module.xTokenize(o->inner, to, flags, text, n, token);
    if (!(f.seen = sqlite3_malloc(sizeof *f.seen << SEEN_BITS)))
        return SQLITE_NOMEM;
    memset(f.seen, 0, sizeof *f.seen << SEEN_BITS);
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
