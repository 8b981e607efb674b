#include "lib/db/schema.h"
#include "lib/base/errors.h"
#include "lib/db/migrate.h"

#define OBJECTS_MAX  1024u
#define PARTS_MAX    256u
#define SQL_TEXT_MAX MIB(1)

void schema_release(struct schema *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->list[i].name);
        free(s->list[i].sql);
        free(s->list[i].raw);
    }
    free(s->list);
    *s = (struct schema){ 0 };
}

void schema_say(struct buf *why, const char *fmt, ...)
{
    va_list ap;

    if (!why)
        return;
    va_start(ap, fmt);
    if ((why->n && buf_puts(why, STR("; ")) < 0) || buf_vprintf(why, fmt, ap) < 0)
        buf_clear(why); /* too long for it, or no memory: the code alone has to do */
    va_end(ap);
}

/* ---- texts ---- */

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

/* A normalized CREATE TABLE taken apart. */
struct parts {
    struct str head, tail; /* before and behind the parentheses */
    struct str columns[PARTS_MAX], rules[PARTS_MAX];
    size_t ncolumns, nrules;
};

static bool is_rule(struct str part)
{
    static const struct str words[] = {
        { "CONSTRAINT", 10 }, { "PRIMARY", 7 }, { "UNIQUE", 6 }, { "CHECK", 5 }, { "FOREIGN", 7 }
    };

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_istarts(part, words[i]) && (part.n == words[i].n || !word_byte(part.p[words[i].n])))
            return true;
    return false;
}

static bool part_add(struct parts *p, struct str part)
{
    bool rule = is_rule(part);

    if ((rule ? p->nrules : p->ncolumns) == PARTS_MAX)
        return false;
    if (rule)
        p->rules[p->nrules++] = part;
    else
        p->columns[p->ncolumns++] = part;
    return true;
}

/* False when it is not of the form that CREATE TABLE name (...) has. */
static bool take_apart(struct str sql, struct parts *out)
{
    size_t depth = 0, begin = 0, n;
    bool blank;

    out->ncolumns = out->nrules = 0;
    for (size_t i = 0; i < sql.n; i += n) {
        char c = sql.p[i];

        n = token_len(str_skip(sql, i), &blank);
        n = n ? n : 1;
        if (c == '(' && depth++ == 0) {
            out->head = str_slice(sql, 0, i);
            begin = i + 1;
        } else if (depth == 1 && (c == ',' || c == ')')) {
            if (!part_add(out, str_slice(sql, begin, i)))
                return false;
            begin = i + 1;
            if (c == ')') {
                out->tail = str_skip(sql, begin);
                return true;
            }
        } else if (c == ')' && depth) {
            depth--;
        }
    }
    return false;
}

static struct str column_name(struct str column)
{
    bool blank;
    size_t n = token_len(column, &blank);

    if (n && !blank)
        return str_slice(column, 0, n);
    for (n = 0; n < column.n && word_byte(column.p[n]);)
        n++;
    return str_slice(column, 0, n);
}

static struct str rest_of(const struct object *o) /* its name without "table " */
{
    ptrdiff_t at = str_chr(str_from(o->name), ' ');

    return str_skip(str_from(o->name), (size_t)(at + 1));
}

/* ---- reading ---- */

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
    o->name = dup_z(buf_str(&name));
    o->sql = dup_z(buf_str(&sql));
    o->raw = dup_z(stmt_str(st, 2));
    return o->name && o->sql && o->raw ? 0 : E_NOMEM;
}

/* FTS5's and R*Tree's, by name: whether SQLite itself calls them so depends on the modules it has. */
static bool is_shadow(const struct schema *s, const struct object *o)
{
    static const char *const ends[] = { "_data",   "_idx",  "_content", "_docsize",
                                        "_config", "_node", "_rowid",   "_parent" };
    struct str name = rest_of(o);

    for (size_t i = 0; i < s->n; i++) {
        struct str virtual = rest_of(&s->list[i]);

        if (!str_istarts(str_from(s->list[i].sql), STR("CREATE VIRTUAL TABLE")) || !str_starts(name, virtual))
            continue;
        for (size_t k = 0; k < ARRAY_LEN(ends); k++)
            if (str_eq_z(str_skip(name, virtual.n), ends[k]))
                return true;
    }
    return false;
}

/* ANALYZE's tables come and go; everything else in sqlite_schema is ours to account for. */
static const char SQL_SCHEMA[] =
    "SELECT type, name, sql FROM sqlite_schema WHERE name NOT GLOB 'sqlite_stat*' ORDER BY type, name";

int schema_read(struct db *db, struct schema *out)
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
    for (size_t i = 0; i < out->n && r == 0; i++)
        out->list[i].shadow = is_shadow(out, &out->list[i]);
    return r;
}

static const struct object *schema_find(const struct schema *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->list[i].name, name) == 0)
            return &s->list[i];
    return NULL;
}

/* ---- comparing ---- */

static int refuse_table(const struct object *have, const struct object *want, struct buf *why)
{
    schema_say(why, "%s differs: it is \"%s\", expected \"%s\"", have->name, have->sql, want->sql);
    return E_CORRUPT;
}

static bool same_list(const struct str *a, size_t na, const struct str *b, size_t nb)
{
    for (size_t i = 0; i < na && i < nb; i++)
        if (!str_eq(a[i], b[i]))
            return false;
    return na == nb;
}

/* Where is the column of this name? n: nowhere. */
static size_t column_at(const struct parts *p, struct str name)
{
    size_t i = 0;

    while (i < p->ncolumns && !str_ieq(column_name(p->columns[i]), name))
        i++;
    return i;
}

/* The first column in which they differ, in words. */
static int refuse_column(const struct object *o, const struct parts *have, const struct parts *want, size_t i,
                         struct buf *why)
{
    struct str name = column_name(have->columns[i]);
    size_t there = column_at(want, name);

    if (there == want->ncolumns)
        schema_say(why, "column %.*s of %s is not ours", STR_ARG(name), o->name);
    else if (there == i)
        schema_say(why, "column %.*s of %s differs: it is \"%.*s\", expected \"%.*s\"", STR_ARG(name),
                   o->name, STR_ARG(have->columns[i]), STR_ARG(want->columns[i]));
    else
        schema_say(why, "column %.*s of %s is missing, and columns are only added behind the others",
                   STR_ARG(column_name(want->columns[i])), o->name);
    return E_CORRUPT;
}

/* How many columns at the end of `want` are missing; E_CORRUPT: that is not all. */
static int columns_missing(const struct object *have, const struct object *want, struct parts *h,
                           struct parts *w, struct buf *why)
{
    if (!take_apart(str_from(have->sql), h) || !take_apart(str_from(want->sql), w) ||
        !str_eq(h->head, w->head) || !str_eq(h->tail, w->tail) ||
        !same_list(h->rules, h->nrules, w->rules, w->nrules))
        return refuse_table(have, want, why);
    for (size_t i = 0; i < h->ncolumns; i++)
        if (i >= w->ncolumns || !str_eq(h->columns[i], w->columns[i]))
            return refuse_column(have, h, w, i, why);
    return (int)(w->ncolumns - h->ncolumns);
}

/* 0: all the same; 1: something is missing that can be made; E_CORRUPT. */
static int compare(const struct schema *want, const struct schema *have, struct parts *h, struct parts *w,
                   struct buf *why)
{
    int lacking = 0;

    for (size_t i = 0; i < want->n; i++) {
        const struct object *need = &want->list[i], *o = schema_find(have, need->name);
        int r;

        if (!o)
            lacking = 1;
        if (!o || o->shadow || strcmp(o->sql, need->sql) == 0)
            continue;
        if (!str_istarts(str_from(need->sql), STR("CREATE TABLE")))
            return refuse_table(o, need, why);
        if ((r = columns_missing(o, need, h, w, why)) < 0)
            return r;
        lacking |= r > 0;
    }
    for (size_t i = 0; i < have->n; i++)
        if (!have->list[i].shadow && !schema_find(want, have->list[i].name)) {
            schema_say(why, "%s is not ours", have->list[i].name);
            return E_CORRUPT;
        }
    return lacking;
}

/* ---- making what is missing ---- */

static int object_make(struct db *db, const struct object *want, struct buf *why)
{
    int r = db_exec_literal(db, want->raw);

    if (r < 0)
        schema_say(why, "%s is missing and cannot be made: %s", want->name, db->error.text);
    else
        schema_say(why, "%s was missing and is made", want->name);
    return r;
}

/* The text is put together from that of our own migrations; there is no other way to say it. */
static int column_make(struct db *db, const struct object *table, struct str column, struct buf *why)
{
    CLEANUP(buf_release) struct buf sql = { .max = SQL_TEXT_MAX };
    struct str name = column_name(column);
    int r;

    if ((r = buf_putz(&sql, "ALTER TABLE ")) < 0 || (r = buf_puts(&sql, rest_of(table))) < 0 ||
        (r = buf_putz(&sql, " ADD COLUMN ")) < 0 || (r = buf_puts(&sql, column)) < 0)
        return r;
    if ((r = db_exec_literal(db, buf_z(&sql))) < 0)
        schema_say(why, "column %.*s of %s is missing and cannot be added: %s", STR_ARG(name), table->name,
                   db->error.text);
    else
        schema_say(why, "column %.*s of %s was missing and is added", STR_ARG(name), table->name);
    return r;
}

static int columns_make(struct db *db, const struct object *have, const struct object *want, struct parts *h,
                        struct parts *w, struct buf *why)
{
    int r = columns_missing(have, want, h, w, why);

    for (size_t i = h->ncolumns; r >= 0 && i < w->ncolumns; i++)
        r = column_make(db, want, w->columns[i], why);
    return r;
}

/* Which objects a round makes: what stands on a table comes after all tables. */
static bool of_round(const struct object *o, int round)
{
    bool table = str_starts(str_from(o->name), STR("table "));

    /* SQLite's own (sqlite_sequence, sqlite_autoindex_...) and shadow tables come with theirs. */
    return o->raw[0] && !o->shadow && !str_starts(rest_of(o), STR("sqlite_")) && table == (round == 0);
}

static int make_missing(struct db *db, const struct schema *want, const struct schema *have, struct parts *h,
                        struct parts *w, struct buf *why)
{
    int r = 0;

    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < want->n && r >= 0; i++) {
            const struct object *need = &want->list[i], *o = schema_find(have, need->name);

            if (!of_round(need, round))
                continue;
            if (!o)
                r = object_make(db, need, why);
            else if (round == 0 && strcmp(o->sql, need->sql) != 0)
                r = columns_make(db, o, need, h, w, why);
        }
    return r < 0 ? r : 0;
}

/* What was made must now be what was wanted. */
static int made_check(struct db *db, const struct schema *want, struct parts *h, struct parts *w,
                      struct buf *why)
{
    CLEANUP(schema_release) struct schema now = { 0 };
    int r = schema_read(db, &now);

    if (r < 0 || (r = compare(want, &now, h, w, why)) <= 0)
        return r;
    schema_say(why, "parts of it are missing and cannot be made");
    return E_CORRUPT;
}

int schema_settle(struct db *db, const struct schema *want, struct buf *why)
{
    CLEANUP(schema_release) struct schema have = { 0 };
    CLEANUP(txn_end) struct txn txn = { 0 };
    struct parts *h = calloc(2, sizeof *h), *w = h ? h + 1 : NULL;
    int r = h ? schema_read(db, &have) : E_NOMEM;

    if (r == 0)
        r = compare(want, &have, h, w, why);
    if (r > 0 && (r = txn_begin(&txn, db)) == 0 && (r = make_missing(db, want, &have, h, w, why)) == 0 &&
        (r = made_check(db, want, h, w, why)) == 0)
        r = txn_commit(&txn);
    free(h);
    return r;
}
