#include "lib/conf/conf.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/conf/value.h"
#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>

#define ENV_PREFIX "LETTERLOCK_"

struct entry { /* one row of one table, and what was read for it */
    const struct conf_item *item;
    struct str text; /* .p NULL: not set */
    bool from_env;
};

struct conf {
    struct entry *entries;
    size_t n;
    struct arena arena;
    const char *base;
};

static struct entry *entry_of(const struct conf *c, struct str key)
{
    for (size_t i = 0; i < c->n; i++)
        if (str_eq_z(key, c->entries[i].item->key))
            return &c->entries[i];
    return NULL;
}

static void entry_add(struct conf *c, const struct conf_item *item)
{
    CLEANUP(buf_release) struct buf def = { .max = KIB(4) };
    struct arena scratch = { .max = KIB(64) };
    const struct entry *other = entry_of(c, str_from(item->key));
    bool fine = strchr(item->key, '.') && value_default(item, &def) == 0 &&
                value_parse(item, buf_str(&def), NULL, &scratch, NULL) == 0 &&
                (!other || other->item->type == item->type);

    arena_release(&scratch);
    assert(fine); /* a key of two types, or a default out of its own range */
    if (!other)
        c->entries[c->n++] = (struct entry){ .item = item };
}

struct conf *conf_new(const struct conf_table *tables, size_t n)
{
    struct conf *c = calloc(1, sizeof *c);
    size_t total = 0;

    for (size_t i = 0; i < n; i++)
        total += tables[i].n;
    if (!c || !(c->entries = calloc(total + 1, sizeof *c->entries))) {
        free(c);
        return NULL;
    }
    c->arena.max = MIB(4);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < tables[i].n; k++)
            entry_add(c, &tables[i].items[k]);
    return c;
}

void conf_free(struct conf **c)
{
    if (!*c)
        return;
    arena_release(&(*c)->arena);
    free((*c)->entries);
    free(*c);
    *c = NULL;
}

int conf_set_base(struct conf *c, const char *folder)
{
    const char *p = arena_dupz(&c->arena, str_from(folder));

    if (!p)
        return E_NOMEM;
    c->base = p;
    return 0;
}

/* One line for the operator; the code is the answer whether or not the text fitted. */
static int refuse(struct buf *err, int code, const char *where, const char *what)
{
    int r = buf_printf(err, "%s: %s", where, what);

    (void)r;
    return code;
}

static int set(struct conf *c, struct entry *e, struct str value, const char *where, struct buf *err)
{
    CLEANUP(buf_release) struct buf expected = { .max = KIB(4) };
    struct str copy;
    int r = value_parse(e->item, value, c->base, &c->arena, NULL);

    if (r == E_SYNTAX || r == E_RANGE) {
        if (buf_printf(&expected, "%s = %.*s: expected ", e->item->key, STR_ARG(str_slice(value, 0, 80))) <
                0 ||
            value_expected(e->item, &expected) < 0)
            return E_NOMEM;
        return refuse(err, r, where, buf_z(&expected));
    }
    if (r < 0)
        return r;
    copy = arena_dup(&c->arena, value);
    if (!copy.p)
        copy = STR("");
    if (value.n > 0 && copy.n == 0)
        return E_NOMEM;
    e->text = copy;
    return 0;
}

/* What a line may hold: everything but control bytes. Tabs are fine. */
static bool line_is_text(struct str line)
{
    for (size_t i = 0; i < line.n; i++)
        if (((unsigned char)line.p[i] < 0x20 && line.p[i] != '\t') || line.p[i] == 0x7f)
            return false;
    return true;
}

struct reader {
    struct conf *c;
    const char *name;
    unsigned line_no;
    char section[64], where[512];
    struct buf *err;
};

static int read_section(struct reader *rd, struct str line)
{
    struct str name = line.p[line.n - 1] == ']' ? str_trim(str_slice(line, 1, line.n - 1)) : STR_NONE;

    if (name.n == 0 || name.n >= sizeof rd->section)
        return refuse(rd->err, E_SYNTAX, rd->where, "expected [section]");
    memcpy(rd->section, name.p, name.n);
    rd->section[name.n] = '\0';
    return 0;
}

static int read_pair(struct reader *rd, struct str line)
{
    char key[160], text[256];
    struct str name, value;
    struct entry *e;

    if (!str_cut(line, '=', &name, &value))
        return refuse(rd->err, E_SYNTAX, rd->where, "expected [section], key = value, or a comment (#)");
    name = str_trim(name);
    if (!rd->section[0])
        return refuse(rd->err, E_SYNTAX, rd->where, "expected a [section] before the first key");
    snprintf(key, sizeof key, "%s.%.*s", rd->section, STR_ARG(str_slice(name, 0, 64)));
    if (name.n == 0 || name.n > 64 || !(e = entry_of(rd->c, str_from(key)))) {
        snprintf(text, sizeof text, "unknown key %s (letterlock.conf(5) lists them all)", key);
        return refuse(rd->err, E_SYNTAX, rd->where, text);
    }
    if (e->text.p) {
        snprintf(text, sizeof text, "%s is given twice", key);
        return refuse(rd->err, E_SYNTAX, rd->where, text);
    }
    return set(rd->c, e, str_trim(value), rd->where, rd->err);
}

int conf_read_text(struct conf *c, struct str text, const char *name, struct buf *err)
{
    struct reader rd = { .c = c, .name = name, .err = err };
    bool more = true;
    struct str line;
    int r = 0;

    while (more && r == 0) {
        more = str_cut(text, '\n', &line, &text);
        rd.line_no++;
        snprintf(rd.where, sizeof rd.where, "%s:%u", name, rd.line_no);
        if (line.n > CONF_LINE_MAX)
            return refuse(err, E_SYNTAX, rd.where, "line too long");
        line = str_trim(line);
        if (!line_is_text(line))
            return refuse(err, E_SYNTAX, rd.where, "control bytes");
        if (line.n == 0 || line.p[0] == '#' || line.p[0] == ';')
            continue;
        r = line.p[0] == '[' ? read_section(&rd, line) : read_pair(&rd, line);
    }
    return r;
}

int conf_read_file(struct conf *c, const char *path, struct buf *err)
{
    CLEANUP(buf_release) struct buf text = { .max = CONF_FILE_MAX };
    char *real = realpath(path, NULL), *slash;
    int r = real ? file_read(AT_FDCWD, real, &text) : E_NOTFOUND;

    if (r < 0) {
        free(real);
        return refuse(err, r, path, error_text(r));
    }
    if ((slash = strrchr(real, '/')))
        *slash = '\0';
    r = conf_set_base(c, real);
    free(real);
    return r < 0 ? r : conf_read_text(c, buf_str(&text), path, err);
}

/* LETTERLOCK_MX_MAX_MESSAGE is mx.max_message: compared letter by letter, '_' standing for '.'. */
static bool env_names(struct str name, const char *key)
{
    size_t n = strlen(key);

    if (name.n != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (name.p[i] != (key[i] == '.' ? '_' : ascii_upper(key[i])))
            return false;
    return true;
}

static struct entry *entry_of_env(struct conf *c, struct str name)
{
    for (size_t i = 0; i < c->n; i++)
        if (env_names(name, c->entries[i].item->key))
            return &c->entries[i];
    return NULL;
}

int conf_read_env(struct conf *c, char *const *env, const char *const *others, struct buf *err)
{
    struct str name, value;
    char where[160];
    bool other;
    int r = 0;

    for (; *env && r == 0; env++) {
        struct entry *e;

        if (!str_starts(str_from(*env), STR(ENV_PREFIX)) || !str_cut(str_from(*env), '=', &name, &value))
            continue;
        other = false;
        for (const char *const *o = others; o && *o; o++)
            other = other || str_eq_z(name, *o);
        if (other)
            continue;
        snprintf(where, sizeof where, "environment %.*s", STR_ARG(str_slice(name, 0, 120)));
        e = entry_of_env(c, str_skip(name, sizeof ENV_PREFIX - 1));
        if (!e)
            return refuse(err, E_SYNTAX, where, "no such setting (letterlock.conf(5) lists them all)");
        value = str_trim(value);
        if (value.n > CONF_LINE_MAX || !line_is_text(value))
            return refuse(err, E_SYNTAX, where, "too long, or control bytes");
        r = set(c, e, value, where, err);
    }
    return r;
}

static int text_of(const struct conf *c, const struct conf_item *item, struct buf *scratch, struct str *out)
{
    const struct entry *e = entry_of(c, str_from(item->key));
    int r;

    if (e && e->text.p) {
        *out = e->text;
        return 0;
    }
    buf_clear(scratch);
    if ((r = value_default(item, scratch)) < 0)
        return r;
    *out = buf_str(scratch);
    return 0;
}

int conf_values(const struct conf *c, const struct conf_item *items, size_t n, struct arena *a, void *out)
{
    CLEANUP(buf_release) struct buf scratch = { .max = KIB(4) };
    struct str text;
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i++)
        if ((r = text_of(c, &items[i], &scratch, &text)) == 0)
            r = value_parse(&items[i], text, c->base, a, (char *)out + items[i].off);
    return r;
}

static int print_item(const struct conf *c, const struct conf_item *it, struct buf *out)
{
    CLEANUP(buf_release) struct buf scratch = { .max = KIB(4) };
    struct str section, name, text;
    int r;

    str_cut(str_from(it->key), '.', &section, &name);
    if ((r = text_of(c, it, &scratch, &text)) < 0 || (r = buf_printf(out, "%.*s = ", STR_ARG(name))) < 0 ||
        (r = value_print(it, text, c->base, out)) < 0)
        return r;
    return buf_putc(out, '\n');
}

int conf_print(const struct conf *c, const struct conf_item *items, size_t n, struct buf *out)
{
    struct str section = STR_NONE, one, name;
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i++) {
        str_cut(str_from(items[i].key), '.', &one, &name);
        if (!str_eq(one, section))
            r = buf_printf(out, "%s[%.*s]\n", section.n ? "\n" : "", STR_ARG(one));
        section = one;
        if (r == 0)
            r = print_item(c, &items[i], out);
    }
    return r;
}

/* '\' and a leading '.' or '\'' mean something to troff. */
static int put_roff(struct buf *out, const char *z)
{
    int r = *z == '.' || *z == '\'' ? buf_putz(out, "\\&") : 0;

    for (; *z && r == 0; z++)
        r = *z == '\\' ? buf_putz(out, "\\e") : *z == '-' ? buf_putz(out, "\\-") : buf_putc(out, *z);
    return r;
}

static int print_manual_item(const struct conf_item *it, struct buf *out)
{
    CLEANUP(buf_release) struct buf expected = { .max = KIB(4) }, def = { .max = KIB(4) };
    int r;

    if ((r = value_expected(it, &expected)) < 0 || (r = value_default(it, &def)) < 0 ||
        (r = buf_putz(out, ".TP\n.B ")) < 0 || (r = put_roff(out, strchr(it->key, '.') + 1)) < 0 ||
        (r = buf_putc(out, '\n')) < 0 || (r = put_roff(out, it->help ? it->help : "")) < 0 ||
        (r = buf_putz(out, "\nExpected: ")) < 0 || (r = put_roff(out, buf_z(&expected))) < 0 ||
        (r = buf_putz(out, ". Default: ")) < 0 || (r = put_roff(out, def.n ? buf_z(&def) : "empty")) < 0)
        return r;
    return buf_putz(out, ".\n");
}

/* Is the key in a table before number t? Then its row there is the manual's. */
static bool stands_before(const struct conf_table *tables, size_t t, const char *key)
{
    for (size_t i = 0; i < t; i++)
        for (size_t k = 0; k < tables[i].n; k++)
            if (strcmp(tables[i].items[k].key, key) == 0)
                return true;
    return false;
}

/* Every key once, the rows of a section together, whatever table they come from: what the manual and
 * the configuration in effect have in common. `c` is NULL for the manual. */
static int print_section(const struct conf *c, const struct conf_table *tables, size_t n, struct str section,
                         struct buf *out)
{
    struct str one, name;
    int r = buf_printf(out, c ? "[%.*s]\n" : ".SS [%.*s]\n", STR_ARG(section));

    for (size_t t = 0; t < n && r == 0; t++)
        for (size_t k = 0; k < tables[t].n && r == 0; k++) {
            const struct conf_item *it = &tables[t].items[k];

            str_cut(str_from(it->key), '.', &one, &name);
            if (str_eq(one, section) && !stands_before(tables, t, it->key))
                r = c ? print_item(c, it, out) : print_manual_item(it, out);
        }
    return r == 0 && c ? buf_putc(out, '\n') : r;
}

static int print_sections(const struct conf *c, const struct conf_table *tables, size_t n, struct buf *out)
{
    struct str done[64], section, name;
    size_t ndone = 0;
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i++)
        for (size_t k = 0; k < tables[i].n && r == 0; k++) {
            bool seen = false;

            str_cut(str_from(tables[i].items[k].key), '.', &section, &name);
            for (size_t d = 0; d < ndone; d++)
                seen = seen || str_eq(done[d], section);
            if (seen || ndone == ARRAY_LEN(done))
                continue;
            done[ndone++] = section;
            r = print_section(c, tables, n, section, out);
        }
    return r;
}

int conf_print_all(const struct conf *c, const struct conf_table *tables, size_t n, struct buf *out)
{
    return print_sections(c, tables, n, out);
}

int conf_print_manual(const struct conf_table *tables, size_t n, struct buf *out)
{
    return print_sections(NULL, tables, n, out);
}
