#include "lib/db/migrate.h"
#include "lib/base/errors.h"
#include "lib/db/db_private.h"
#include "lib/db/schema.h"
#include <pthread.h>

#define SETS_MAX 16u

/* What a set makes, computed once per process: opening a mailbox must not cost a second database. */
static struct known {
    const struct migration *list;
    size_t n;
    struct schema schema;
} known[SETS_MAX];
static pthread_mutex_t known_lock = PTHREAD_MUTEX_INITIALIZER;

static int migrate_one(struct db *db, const struct migration_set *set, size_t i)
{
    int r = i == 0 ? db_exec_literal(db, set->set_application_id) : 0;

    return r < 0 || (r = db_exec_literal(db, set->list[i].sql)) < 0
               ? r
               : db_exec_literal(db, set->list[i].set_version);
}

/* [*at, end) in one transaction; *at: the one that fails. */
static int migrate_some(struct db *db, const struct migration_set *set, size_t *at, size_t end)
{
    CLEANUP(txn_end) struct txn txn = { 0 };
    int r = txn_begin(&txn, db);

    for (; r >= 0 && *at < end; ++*at)
        if ((r = migrate_one(db, set, *at)) < 0)
            return r;
    return r < 0 ? r : txn_commit(&txn);
}

/* Each in a transaction of its own, but that of a new file there is nothing to keep if it fails halfway: it is made
 * with one sync. */
static int migrate_from(struct db *db, const struct migration_set *set, size_t version, struct buf *why)
{
    size_t at = version;
    int r = 0;

    while (at < set->n && (r = migrate_some(db, set, &at, version ? at + 1 : set->n)) >= 0)
        ;
    if (r < 0)
        schema_say(why, "migration %s of %s fails: %s (%s)", set->list[at < set->n ? at : set->n - 1].name,
                   set->name, db->error.text, error_name(r));
    return r < 0 ? r : 0;
}

static int expected_make(const struct migration_set *set, struct schema *out, struct buf *why)
{
    struct db *db = NULL;
    int r = db_open_memory(&db);

    if (r == 0 && (r = migrate_from(db, set, 0, why)) == 0)
        r = schema_read(db, out);
    db_close(&db);
    if (r < 0)
        schema_release(out);
    return r;
}

/* The set's schema; the answer lives as long as the process. */
static int expected(const struct migration_set *set, const struct schema **out, struct buf *why)
{
    int r = E_LIMIT;

    pthread_mutex_lock(&known_lock);
    for (size_t i = 0; i < SETS_MAX && r == E_LIMIT; i++) {
        if (known[i].list && (known[i].list != set->list || known[i].n != set->n))
            continue;
        r = known[i].list ? 0 : expected_make(set, &known[i].schema, why);
        if (r == 0) {
            known[i].list = set->list;
            known[i].n = set->n;
            *out = &known[i].schema;
        }
    }
    pthread_mutex_unlock(&known_lock);
    return r;
}

static const char SQL_VERSION[] = "PRAGMA user_version";
static const char SQL_APPLICATION[] = "PRAGMA application_id";
static const char SQL_EMPTY[] = "SELECT count(*) FROM sqlite_schema";

static int version_check(struct db *db, const struct migration_set *set, int64_t *version_out,
                         struct buf *why)
{
    int64_t version = 0, app = 0, objects = 0;
    int r;

    if ((r = db_get_i64(db, SQL_VERSION, &version)) < 0 || (r = db_get_i64(db, SQL_APPLICATION, &app)) < 0 ||
        (r = db_get_i64(db, SQL_EMPTY, &objects)) < 0)
        return r;
    if (version == 0 && app == 0 && objects == 0) {
        *version_out = 0;
        return 0;
    }
    if (app != set->application_id || version < 1) {
        schema_say(why, "not a %s database: application_id %lld, version %lld", set->name, (long long)app,
                   (long long)version);
        return E_CORRUPT;
    }
    if (version > (int64_t)set->n) {
        schema_say(why, "written by a newer program: %s version %lld, this program knows %zu", set->name,
                   (long long)version, set->n);
        return E_VERSION;
    }
    *version_out = version;
    return 0;
}

int migrate_run(struct db *db, const struct migration_set *set, struct buf *why)
{
    const struct schema *want = NULL;
    int64_t version = 0;
    int r;

    if ((r = version_check(db, set, &version, why)) < 0 || (r = expected(set, &want, why)) < 0 ||
        (r = migrate_from(db, set, (size_t)version, why)) < 0)
        return r;
    return schema_settle(db, want, why);
}
