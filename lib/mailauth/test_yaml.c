#include "lib/mailauth/test_yaml.h"
#include "lib/base/buf.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct reader {
    struct arena *a;
    struct str *lines;
    size_t n, at;
};

static size_t indent_of(struct str line)
{
    size_t i = 0;

    while (i < line.n && line.p[i] == ' ')
        i++;
    return i;
}

static bool is_blank(struct str line)
{
    size_t i = indent_of(line);

    return i == line.n || line.p[i] == '#';
}

static void skip_blank(struct reader *r)
{
    while (r->at < r->n && is_blank(r->lines[r->at]))
        r->at++;
}

static struct yaml *node(struct reader *r, enum yaml_kind kind)
{
    struct yaml *y = ARENA_NEW(r->a, struct yaml);

    if (!y)
        abort();
    y->kind = kind;
    return y;
}

static struct yaml *scalar(struct reader *r, struct str text)
{
    struct yaml *y = node(r, YAML_SCALAR);

    y->text = arena_dup(r->a, text);
    return y;
}

static void must(int e)
{
    if (e < 0)
        abort();
}

/* '|' or '>' and the lines below, deeper than `indent`. */
static struct yaml *block_scalar(struct reader *r, struct str style, size_t indent)
{
    CLEANUP(buf_release) struct buf out = { .max = MIB(1) };
    bool folded = style.p[0] == '>', strip = style.n > 1 && style.p[1] == '-';
    size_t deep = 0, kept = 0;

    for (; r->at < r->n; r->at++) {
        struct str line = r->lines[r->at];
        size_t in = indent_of(line);
        bool blank = in == line.n;

        if (!blank && in <= indent)
            break;
        if (!deep && !blank)
            deep = in;
        line = str_skip(line, size_min(deep ? deep : in, in));
        if (folded && out.n && out.p[out.n - 1] == '\n' && !blank)
            out.p[out.n - 1] = ' ';
        must(buf_puts(&out, line));
        must(buf_putc(&out, '\n'));
        if (!blank)
            kept = out.n;
    }
    out.n = kept;
    if ((strip || folded) && out.n && out.p[out.n - 1] == '\n')
        out.n--;
    return scalar(r, buf_str(&out));
}

/* The text from p on, and lines below that belong to it, joined with spaces. */
static void gather(struct reader *r, struct buf *out, struct str rest, size_t indent, char quote)
{
    must(buf_puts(out, rest));
    while (r->at < r->n) {
        struct str line = r->lines[r->at];
        struct str t = str_trim(buf_str(out));

        if (quote && t.n > 1 && t.p[t.n - 1] == quote)
            break;
        if (is_blank(line) || indent_of(line) <= indent)
            break;
        must(buf_putc(out, ' '));
        must(buf_puts(out, str_trim(line)));
        r->at++;
    }
}

static int hex1(char c)
{
    return ascii_digit(c) ? c - '0' : ascii_lower(c) - 'a' + 10;
}

/* A quoted scalar starting at text[0]; returns bytes used. */
static size_t quoted(struct str text, struct buf *out)
{
    char q = text.p[0];
    size_t i = 1;

    for (; i < text.n; i++) {
        char c = text.p[i];

        if (c == q && q == '\'' && i + 1 < text.n && text.p[i + 1] == '\'')
            i++;
        else if (c == q)
            break;
        if (c == '\\' && q == '"' && i + 1 < text.n) {
            c = text.p[++i];
            if (c == 'x' && i + 2 < text.n) {
                c = (char)(hex1(text.p[i + 1]) * 16 + hex1(text.p[i + 2]));
                i += 2;
            } else if (c == 'n') {
                c = '\n';
            } else if (c == 't') {
                c = '\t';
            } else if (c == '0') {
                c = '\0';
            }
        }
        must(buf_putc(out, c));
    }
    return i + 1;
}

static struct yaml *one_scalar(struct reader *r, struct str text, size_t *used_out, const char *stops)
{
    CLEANUP(buf_release) struct buf out = { .max = MIB(1) };
    size_t n = 0;

    if (text.n && (text.p[0] == '"' || text.p[0] == '\'')) {
        *used_out = quoted(text, &out);
        return scalar(r, buf_str(&out));
    }
    while (n < text.n && !strchr(stops, text.p[n]) && !(text.p[n] == '#' && n && text.p[n - 1] == ' '))
        n++;
    *used_out = n;
    return scalar(r, str_trim(str_slice(text, 0, n)));
}

static struct yaml *flow_seq(struct reader *r, struct str text)
{
    struct yaml *seq = node(r, YAML_SEQ), **last = &seq->first;

    text = str_trim(str_skip(text, 1));
    while (text.n && text.p[0] != ']') {
        size_t used;

        *last = one_scalar(r, text, &used, ",]");
        last = &(*last)->next;
        text = str_trim(str_skip(text, used));
        if (text.n && text.p[0] == ',')
            text = str_trim(str_skip(text, 1));
    }
    return seq;
}

static struct yaml *block(struct reader *r, size_t indent);

/* What follows "key:" or "- " on its line. `indent`: of the line. */
static struct yaml *value(struct reader *r, struct str rest, size_t indent)
{
    CLEANUP(buf_release) struct buf text = { .max = MIB(1) };
    size_t used;
    char quote;

    rest = str_trim(rest);
    if (rest.n && (rest.p[0] == '|' || rest.p[0] == '>'))
        return block_scalar(r, rest, indent);
    if (rest.n == 0 || rest.p[0] == '#') {
        skip_blank(r);
        if (r->at < r->n && (indent_of(r->lines[r->at]) > indent ||
                             (indent_of(r->lines[r->at]) == indent && r->lines[r->at].p[indent] == '-')))
            return block(r, indent_of(r->lines[r->at]));
        return scalar(r, STR(""));
    }
    quote = rest.p[0] == '"' || rest.p[0] == '\'' ? rest.p[0] : '\0';
    gather(r, &text, rest, indent, quote);
    if (rest.p[0] == '[')
        return flow_seq(r, buf_str(&text));
    return one_scalar(r, buf_str(&text), &used, "");
}

/* "key:" at the start of text; returns bytes used with the colon, or 0. */
static size_t key_of(struct reader *r, struct str text, struct str *key_out)
{
    CLEANUP(buf_release) struct buf out = { .max = KIB(64) };
    size_t n = 0;

    if (text.n && (text.p[0] == '"' || text.p[0] == '\'')) {
        n = quoted(text, &out);
        if (n >= text.n || text.p[n] != ':')
            return 0;
        *key_out = arena_dup(r->a, buf_str(&out));
        return n + 1;
    }
    for (n = 0; n < text.n; n++)
        if (text.p[n] == ':' && (n + 1 == text.n || text.p[n + 1] == ' '))
            break;
    if (n == text.n)
        return 0;
    *key_out = arena_dup(r->a, str_slice(text, 0, n));
    return n + 1;
}

static struct yaml *map_entry(struct reader *r, struct str text, size_t indent)
{
    struct str key = STR_NONE;
    size_t used = key_of(r, text, &key);
    struct yaml *v;

    if (!used)
        abort(); /* not the YAML that this reader knows */
    v = value(r, str_skip(text, used), indent);
    v->key = key;
    return v;
}

static struct yaml *seq_item(struct reader *r, struct str text, size_t indent)
{
    struct str key;
    struct yaml *m;

    text = str_trim(str_skip(text, 1));
    if (!key_of(r, text, &key))
        return value(r, text, indent);
    m = node(r, YAML_MAP);
    m->first = map_entry(r, text, indent);
    return m;
}

static struct yaml *block(struct reader *r, size_t indent)
{
    bool seq = r->lines[r->at].p[indent] == '-';
    struct yaml *y = node(r, seq ? YAML_SEQ : YAML_MAP), **last = &y->first;

    for (skip_blank(r); r->at < r->n && indent_of(r->lines[r->at]) == indent; skip_blank(r)) {
        struct str text = str_skip(r->lines[r->at], indent);

        if ((text.p[0] == '-') != seq)
            break;
        r->at++;
        *last = seq ? seq_item(r, text, indent) : map_entry(r, text, indent);
        last = &(*last)->next;
    }
    return y;
}

static struct str *split(struct arena *a, struct str all, size_t *n_out)
{
    size_t n = 1, i = 0;
    struct str *lines;

    for (size_t k = 0; k < all.n; k++)
        n += all.p[k] == '\n';
    lines = ARENA_ARRAY(a, n, struct str);
    while (lines && all.n) {
        str_cut(all, '\n', &lines[i], &all);
        if (lines[i].n && lines[i].p[lines[i].n - 1] == '\r')
            lines[i].n--;
        i++;
    }
    *n_out = i;
    return lines;
}

static struct yaml *documents(struct arena *a, struct str all)
{
    struct reader r = { .a = a };
    struct yaml *docs, **last;

    r.lines = split(a, all, &r.n);
    docs = node(&r, YAML_SEQ);
    last = &docs->first;
    for (skip_blank(&r); r.at < r.n; skip_blank(&r)) {
        size_t was = r.at;

        if (str_starts(r.lines[r.at], STR("---"))) {
            r.at++;
            continue;
        }
        *last = block(&r, 0);
        last = &(*last)->next;
        if (r.at == was)
            abort();
    }
    return docs;
}

struct yaml *yaml_load(struct arena *a, const char *path)
{
    CLEANUP(buf_release) struct buf all = { .max = MIB(4) };
    FILE *f = fopen(path, "rb");
    size_t n = 1;

    if (!f)
        return NULL;
    while (n) {
        char *at = buf_reserve(&all, KIB(64));

        n = at ? fread(at, 1, KIB(64), f) : 0;
        all.n += n;
    }
    fclose(f);
    return documents(a, arena_dup(a, buf_str(&all)));
}

const struct yaml *yaml_get(const struct yaml *map, const char *key)
{
    for (const struct yaml *y = map ? map->first : NULL; y; y = y->next)
        if (str_eq_z(y->key, key))
            return y;
    return NULL;
}

struct str yaml_text(const struct yaml *map, const char *key)
{
    const struct yaml *y = yaml_get(map, key);

    return y && y->kind == YAML_SCALAR ? y->text : STR("");
}

bool vectors_path(char *out, size_t size, const char *file)
{
    const char *env = getenv("LETTERLOCK_CORPUS"), *src = getenv("SRCDIR");

    if (env)
        snprintf(out, size, "%s/vectors/%s", env, file);
    else
        snprintf(out, size, "%s/../shared/corpus/vectors/%s", src ? src : ".", file);
    if (access(out, R_OK) == 0)
        return true;
    fprintf(stderr, "SKIPPED: no public vectors at %s (set LETTERLOCK_CORPUS)\n", out);
    return false;
}
