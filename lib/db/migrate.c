#include "lib/db/migrate.h"
#include "lib/base/errors.h"
#include "lib/db/db_private.h"
#include <pthread.h>

#define OBJECTS_MAX  1024u
#define SQL_TEXT_MAX MIB(1)
#define SETS_MAX     16u

/* One row of sqlite_schema, its text normalized. */
struct object {
    char *name; /* "table message", one allocation with `sql` behind it */
    char *sql;  /* normalized, for comparing */
    char *raw;  /* as it stands, for making it again */
    bool index, seen;
};

struct schema {
    struct object *list; /* by name */
    size_t n;
};

/* What a set makes, computed once per process: opening a mailbox must not cost a second database. */
static struct known {
    const struct migration_set *set;
    struct schema schema;
} known[SETS_MAX];
static pthread_mutex_t known_lock = PTHREAD_MUTEX_INITIALIZER;

static void schema_release(struct schema *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->list[i].name);
        free(s->list[i].sql);
        free(s->list[i].raw);
    }
    free(s->list);
    *s = (struct schema){ 0 };
}

PRINTF_LIKE(2, 3) static void say(struct buf *why, const char *fmt, ...)
{
    va_list ap;

    if (!why)
        return;
    va_start(ap, fmt);
    if (buf_vprintf(why, fmt, ap) < 0)
        buf_clear(why); /* too long for it, or no memory: the code alone has to do */
    va_end(ap);
}

/* Length of the quoted token, comment or run of blanks at s; 0 for a plain character. */
static size_t token_len(struct str s, bool *blank_out)
{
    static const char close_of[128] = { ['\''] = '\'', ['"'] = '"', ['`'] = '`', ['['] = ']' };
    char c = s.p[0], close = (unsigned char)c < 128 ? close_of[(unsigned char)c] : 0;
    ptrdiff_t end;
    size_t n = 0;

    *blank_out = false;
    if (close) {
        end = str_chr(str_skip(s, 1), close);
        return end < 0 ? s.n : (size_t)end + 2;
    }
    *blank_out = true;
    if (str_starts(s, STR("--")))
        return (end = str_chr(s, '\n')) < 0 ? s.n : (size_t)end + 1;
    if (str_starts(s, STR("/*")))
        return (end = str_find(str_skip(s, 2), STR("*/"))) < 0 ? s.n : (size_t)end + 4;
    while (n < s.n && strchr(" \t\r\n\f", s.p[n]) && s.p[n])
        n++;
    return n;
}

static bool word_byte(char c)
{
    return ascii_alpha(c) || ascii_digit(c) || c == '_' || (c & 0x80);
}

int migrate_normalize(struct str sql, struct buf *out)
{
    bool blank = false, pending = false;
    int r = 0;

    while (sql.n && r == 0) {
        size_t n = token_len(sql, &blank);

        if (n == 0 || !blank) {
            n = n ? n : 1;
            /* A space counts only between two words: "a,b" is "a , b". */
            if (pending && out->n && word_byte(out->p[out->n - 1]) && word_byte(sql.p[0]))
                r = buf_putc(out, ' ');
            if (r == 0)
                r = buf_append(out, sql.p, n);
            pending = false;
        } else {
            pending = true;
        }
        sql = str_skip(sql, n);
    }
    return r;
}

static char *dup_z(struct str s)
{
    char *p = malloc(s.n + 1);

    if (!p)
        return NULL;
    if (s.n)
        memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return p;
}

static int object_fill(struct object *o, struct stmt *st)
{
    CLEANUP(buf_release) struct buf name = { .max = KIB(64) }, sql = { .max = SQL_TEXT_MAX };
    int r;

    if ((r = buf_puts(&name, stmt_str(st, 0))) < 0 || (r = buf_putc(&name, ' ')) < 0 ||
        (r = buf_puts(&name, stmt_str(st, 1))) < 0 || (r = migrate_normalize(stmt_str(st, 2), &sql)) < 0)
        return r;
    o->index = str_eq(stmt_str(st, 0), STR("index"));
    o->name = dup_z(buf_str(&name));
    o->sql = dup_z(buf_str(&sql));
    o->raw = dup_z(stmt_str(st, 2));
    return o->name && o->sql && o->raw ? 0 : E_NOMEM;
}

/* ANALYZE's tables come and go; everything else in sqlite_schema is ours to account for. */
static const char SQL_SCHEMA[] =
    "SELECT type, name, sql FROM sqlite_schema WHERE name NOT GLOB 'sqlite_stat*' ORDER BY type, name";

static int schema_read(struct db *db, struct schema *out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(db, SQL_SCHEMA, &st);

    while (r == 0 && (r = stmt_step(st)) > 0) {
        struct object *list = out->n < OBJECTS_MAX ? realloc(out->list, (out->n + 1) * sizeof *list) : NULL;

        if (!list)
            return E_NOMEM;
        out->list = list;
        list[out->n] = (struct object){ 0 };
        r = object_fill(&list[out->n++], st);
    }
    return r;
}

static int migrate_one(struct db *db, const struct migration_set *set, size_t i)
{
    CLEANUP(txn_end) struct txn txn = { 0 };
    int r;

    if ((r = txn_begin(&txn, db)) < 0 || (r = db_exec_literal(db, set->list[i].sql)) < 0 ||
        (r = db_exec_literal(db, set->list[i].set_version)) < 0 ||
        (i == 0 && (r = db_exec_literal(db, set->set_application_id)) < 0))
        return r;
    return txn_commit(&txn);
}

static int migrate_from(struct db *db, const struct migration_set *set, size_t version, struct buf *why)
{
    for (size_t i = version; i < set->n; i++) {
        int r = migrate_one(db, set, i);

        if (r < 0) {
            say(why, "migration %s of %s fails: %s (%s)", set->list[i].name, set->name, db->error.text,
                error_name(r));
            return r;
        }
    }
    return 0;
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
        if (known[i].set && known[i].set != set)
            continue;
        r = known[i].set ? 0 : expected_make(set, &known[i].schema, why);
        if (r == 0) {
            known[i].set = set;
            *out = &known[i].schema;
        }
    }
    pthread_mutex_unlock(&known_lock);
    return r;
}

static struct object *schema_find(const struct schema *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->list[i].name, name) == 0)
            return &s->list[i];
    return NULL;
}

static int index_make(struct db *db, const struct object *want, struct buf *why)
{
    int r = db_exec_literal(db, want->raw);

    if (r < 0)
        say(why, "%s is missing and cannot be made: %s", want->name, db->error.text);
    return r;
}

static int schema_compare(struct db *db, const struct schema *want, struct schema *have, struct buf *why)
{
    int r = 0;

    for (size_t i = 0; i < want->n; i++) {
        struct object *o = schema_find(have, want->list[i].name);

        if (!o && (!want->list[i].index || !want->list[i].raw[0])) {
            say(why, "%s is missing", want->list[i].name);
            return E_CORRUPT;
        }
        if (o)
            o->seen = true;
        if (o && strcmp(o->sql, want->list[i].sql) != 0) {
            say(why, "%s differs: it is \"%s\", expected \"%s\"", o->name, o->sql, want->list[i].sql);
            return E_CORRUPT;
        }
    }
    for (size_t i = 0; i < have->n; i++) {
        if (!have->list[i].seen) {
            say(why, "%s is not ours", have->list[i].name);
            return E_CORRUPT;
        }
    }
    for (size_t i = 0; i < want->n && r == 0; i++) /* last: what is refused is not changed */
        if (!schema_find(have, want->list[i].name))
            r = index_make(db, &want->list[i], why);
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
        say(why, "not a %s database: application_id %lld, version %lld", set->name, (long long)app,
            (long long)version);
        return E_CORRUPT;
    }
    if (version > (int64_t)set->n) {
        say(why, "written by a newer program: %s version %lld, this program knows %zu", set->name,
            (long long)version, set->n);
        return E_VERSION;
    }
    *version_out = version;
    return 0;
}

int migrate_run(struct db *db, const struct migration_set *set, struct buf *why)
{
    CLEANUP(schema_release) struct schema have = { 0 };
    const struct schema *want = NULL;
    int64_t version = 0;
    int r;

    if ((r = version_check(db, set, &version, why)) < 0 || (r = expected(set, &want, why)) < 0 ||
        (r = migrate_from(db, set, (size_t)version, why)) < 0 || (r = schema_read(db, &have)) < 0)
        return r;
    return schema_compare(db, want, &have, why);
}
