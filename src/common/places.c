#include "src/common/places.h"
#include "lib/base/errors.h"

static int bad(struct buf *err, unsigned line, const char *what)
{
    if (err && buf_printf(err, "line %u: %s", line, what) < 0)
        return E_NOMEM;
    return E_SYNTAX;
}

static bool name_is_good(struct str s)
{
    if (s.n == 0 || s.n > PLACE_NAME_MAX || s.p[0] == '-' || str_eq_z(s, PLACE_DEFAULT))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_digit(s.p[i]) && !(s.p[i] >= 'a' && s.p[i] <= 'z') && s.p[i] != '-')
            return false;
    return true;
}

static bool known(const struct places *p, struct str name)
{
    for (size_t i = 0; i < p->n; i++)
        if (str_eq_z(name, p->rows[i].name))
            return true;
    return false;
}

/* [example] */
static int section_take(struct str line, unsigned n, struct arena *a, struct places *p, struct buf *err)
{
    struct str name = str_slice(line, 1, line.n - 1);
    struct place_row *row;

    if (line.p[line.n - 1] != ']' || !name_is_good(name) || known(p, name))
        return bad(err, n, "expected [name], of a-z, 0-9 and -, each once");
    if (p->n == PLACES_MAX)
        return E_LIMIT;
    row = &p->rows[p->n++];
    *row = (struct place_row){ .target = "", .endpoint = "", .region = "auto" };
    return (row->name = arena_dupz(a, name)) ? 0 : E_NOMEM;
}

/* In the arena, behind what is there. */
static int credential_take(struct str line, struct arena *a, struct place_row *row)
{
    const char *all = arena_printf(a, "%.*s%.*s\n", STR_ARG(row->credentials), STR_ARG(line));

    if (!all)
        return E_NOMEM;
    row->credentials = str_from(all);
    return 0;
}

static int row_take(struct str line, unsigned n, struct arena *a, struct place_row *row, struct buf *err)
{
    struct str key, value;
    const struct {
        const char *key;
        const char **to;
    } texts[] = { { "target", &row->target }, { "endpoint", &row->endpoint }, { "region", &row->region } };

    if (str_starts(line, STR("aws_")))
        return credential_take(line, a, row);
    if (!str_cut(line, '=', &key, &value))
        return bad(err, n, "expected key = value");
    key = str_trim(key);
    value = str_trim(value);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (str_eq_z(key, texts[i].key))
            return (*texts[i].to = arena_dupz(a, value)) ? 0 : E_NOMEM;
    row->path_style = str_eq_z(value, "path");
    return str_eq_z(key, "style") && (row->path_style || str_eq_z(value, "host"))
               ? 0
               : bad(err, n, "expected target, endpoint, region, style (host or path) or aws_...");
}

int places_parse(struct str text, struct arena *a, struct places *out, struct buf *err)
{
    struct places p = { .n = 0 };
    struct str line;
    unsigned n = 0;
    bool more = true;
    int r = text.n > PLACES_TEXT_MAX ? E_LIMIT : 0;

    while (r == 0 && more) {
        more = str_cut(text, '\n', &line, &text);
        line = str_trim(line);
        n++;
        if (!line.n || line.p[0] == '#' || line.p[0] == ';')
            continue;
        if (line.p[0] == '[')
            r = section_take(line, n, a, &p, err);
        else
            r = p.n ? row_take(line, n, a, &p.rows[p.n - 1], err) : bad(err, n, "expected [name] first");
    }
    for (size_t i = 0; i < p.n && r == 0; i++)
        if (!place_is_folder(&p.rows[i]) && !str_starts(str_from(p.rows[i].target), STR("s3://")))
            r = bad(err, n, "each place has a target: a folder (/...) or s3://bucket/prefix");
    if (r == 0)
        *out = p;
    return r;
}

int places_public(const struct places *p, struct buf *out)
{
    int r = 0;

    for (size_t i = 0; i < p->n && r == 0; i++)
        r = buf_printf(out, "[%s]\ntarget = %s\n", p->rows[i].name, p->rows[i].target);
    return r;
}
