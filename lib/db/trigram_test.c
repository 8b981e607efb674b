#include "lib/db/trigram.h"
#include "lib/base/rand.h"
#include "lib/base/test.h"
#include "lib/db/db_private.h"

#define ROUNDS 300

static struct db *dbs[2]; /* the stock tokenizer, and ours */
static uint64_t seed = 88172645463325252u;

static uint32_t roll(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)((seed >> 11) % below);
}

/* Letters of one to four bytes, and now and then what is none. */
static size_t text_make(char *out, size_t max, bool broken)
{
    static const char *const letters[] = {
        "a", "b", " ", "\n", "\xc3\xbc", "\xcc\x88", "\xe6\x97\xa5", "\xe2\x82\xac", "\xf0\x9f\x98\x80"
    };
    static const struct {
        const char *p;
        size_t n;
    } none[] = { { "\0", 1 },           { "\x80", 1 },
                 { "\xc3", 1 },         { "\xc0\x80", 2 },
                 { "\xed\xa0\x80", 3 }, { "\xef\xbf\xbf", 3 },
                 { "\xe0\x90\x80", 3 }, { "\xf5\x80\x80\x80", 4 },
                 { "\xf0\x9f", 2 } };
    size_t n = 0, want = roll((uint32_t)max - 8);

    while (n < want) {
        size_t k = roll(ARRAY_LEN(none));

        if (broken && roll(20) == 0) {
            memcpy(out + n, none[k].p, none[k].n);
            n += none[k].n;
        } else {
            const char *l = letters[roll(ARRAY_LEN(letters))];

            memcpy(out + n, l, strlen(l));
            n += strlen(l);
        }
    }
    return n;
}

static void text_add(struct db *db, int64_t id, struct str text)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;

    CHECK(stmt_get(db, "INSERT INTO t (rowid, a) VALUES (?1, ?2)", &st) == 0);
    stmt_bind_i64(st, 1, id);
    stmt_bind_str(st, 2, text);
    CHECK(stmt_run(st) == 0);
}

/* Every text has the same trigrams, whoever took them. */
static void test_same(void **state)
{
    CLEANUP(stmt_release) struct stmt *a = NULL, *b = NULL;
    static const char terms[] = "SELECT DISTINCT doc, hex(term) FROM v ORDER BY 1, 2";
    char text[400];
    int more;

    (void)state;
    for (int i = 0; i < 2; i++) {
        CHECK(db_open_memory(&dbs[i]) == 0 && (i == 0 || db_trigrams_once(dbs[i]) == 0));
        CHECK(db_run(dbs[i],
                     "CREATE VIRTUAL TABLE t USING fts5(a, content='', contentless_delete=1, detail=none, "
                     "tokenize='trigram case_sensitive 1')") == 0);
        CHECK(db_run(dbs[i], "CREATE VIRTUAL TABLE v USING fts5vocab(t, instance)") == 0);
    }
    for (int i = 0; i < ROUNDS; i++) {
        size_t n = text_make(text, sizeof text, i % 3 == 0);

        text_add(dbs[0], i + 1, str_of(text, n));
        text_add(dbs[1], i + 1, str_of(text, n));
    }
    CHECK(stmt_get(dbs[0], terms, &a) == 0 && stmt_get(dbs[1], terms, &b) == 0);
    while ((more = stmt_step(a)) > 0) {
        CHECK(stmt_step(b) > 0);
        CHECK(stmt_i64(a, 0) == stmt_i64(b, 0) && str_eq(stmt_str(a, 1), stmt_str(b, 1)));
    }
    CHECK(more == 0 && stmt_step(b) == 0);
    stmt_release(&a);
    stmt_release(&b);
    for (int i = 0; i < 2; i++)
        CHECK(db_close(&dbs[i]) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_same) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
