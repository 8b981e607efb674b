#include "lib/s3/answer.h"
#include "lib/base/errors.h"
#include "lib/s3/xml.h"
#include <stdio.h>

struct page_reading {
    struct arena *a;
    enum s3_listed kind;
    struct s3_page page;
    struct s3_entry now, **last;
    bool inside; /* an entry */
};

static bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static bool begins_entry(const struct page_reading *g, const char *name)
{
    if (is(name, "CommonPrefixes"))
        return true;
    return g->kind == S3_OBJECTS    ? is(name, "Contents")
           : g->kind == S3_VERSIONS ? is(name, "Version") || is(name, "DeleteMarker")
                                    : is(name, "Upload");
}

static int page_begin(void *ctx, const char *name, unsigned depth)
{
    struct page_reading *g = ctx;

    if (depth != 1 || !begins_entry(g, name))
        return 0;
    g->inside = true;
    g->now =
        (struct s3_entry){ .is_folder = is(name, "CommonPrefixes"), .is_marker = is(name, "DeleteMarker") };
    return 0;
}

static int keep(struct page_reading *g, struct str text, struct str *out)
{
    char *p = arena_dupz(g->a, text);

    if (!p)
        return E_NOMEM;
    *out = str_of(p, text.n);
    return 0;
}

static int entry_field(struct page_reading *g, const char *name, struct str text)
{
    if (is(name, "Key") || (g->now.is_folder && is(name, "Prefix")))
        return keep(g, text, &g->now.key);
    if (is(name, "VersionId") || is(name, "UploadId"))
        return keep(g, text, &g->now.version);
    if (is(name, "Size") && !str_to_u64(text, &g->now.bytes))
        return E_SYNTAX;
    return 0;
}

static int entry_end(struct page_reading *g)
{
    struct s3_entry *e;

    g->inside = false;
    if (!g->now.key.n)
        return E_SYNTAX;
    if (!(e = ARENA_NEW(g->a, struct s3_entry)))
        return E_NOMEM;
    *e = g->now;
    *g->last = e;
    g->last = &e->next;
    g->page.n++;
    return 0;
}

static int page_field(struct page_reading *g, const char *name, struct str text)
{
    if (is(name, "IsTruncated"))
        g->page.more = str_ieq_z(text, "true");
    else if (is(name, g->kind == S3_OBJECTS ? "NextContinuationToken" : "NextKeyMarker"))
        return keep(g, text, &g->page.next);
    else if (is(name, "NextVersionIdMarker") || is(name, "NextUploadIdMarker"))
        return keep(g, text, &g->page.next_version);
    return 0;
}

static int page_end(void *ctx, const char *name, unsigned depth, struct str text)
{
    struct page_reading *g = ctx;

    if (depth == 1 && g->inside)
        return entry_end(g);
    if (depth == 1)
        return page_field(g, name, text);
    return depth == 2 && g->inside ? entry_field(g, name, text) : 0;
}

int s3_page_parse(struct str xml, enum s3_listed kind, struct arena *a, struct s3_page *out)
{
    struct page_reading g = { .a = a, .kind = kind };
    int r;

    g.last = &g.page.list;
    r = xml_read(xml, &(struct xml_reader){ .begin = page_begin, .end = page_end, .ctx = &g });
    if (r == 0 && g.page.more && !g.page.next.n)
        r = E_CORRUPT;
    if (r == 0)
        *out = g.page;
    return r;
}

/* ---- single elements ---- */

struct finding {
    const char *name;
    char *out;
    size_t cap;
    bool found, root_is_error;
};

static int error_begin(void *ctx, const char *name, unsigned depth)
{
    struct finding *f = ctx;

    if (depth == 0)
        f->root_is_error = is(name, "Error");
    return 0;
}

static int find_end(void *ctx, const char *name, unsigned depth UNUSED, struct str text)
{
    struct finding *f = ctx;

    if (f->found || !is(name, f->name) || text.n >= f->cap)
        return 0;
    memcpy(f->out, text.p ? text.p : "", text.n);
    f->out[text.n] = '\0';
    f->found = true;
    return 0;
}

void s3_error_code(struct str xml, char out[S3_CODE_MAX])
{
    char code[S3_CODE_MAX] = "";
    struct finding f = { .name = "Code", .out = code, .cap = sizeof code };
    int r = xml_read(xml, &(struct xml_reader){ .begin = error_begin, .end = find_end, .ctx = &f });

    out[0] = '\0';
    if (r < 0 || !f.root_is_error)
        return;
    for (const char *p = code; *p; p++) /* it goes to the log */
        if (!ascii_alpha(*p) && !ascii_digit(*p))
            return;
    snprintf(out, S3_CODE_MAX, "%s", code[0] ? code : "Error");
}

int s3_element(struct str xml, const char *name, struct arena *a, struct str *out)
{
    char text[XML_TEXT_MAX + 1] = "";
    struct finding f = { .name = name, .out = text, .cap = sizeof text };
    int r = xml_read(xml, &(struct xml_reader){ .end = find_end, .ctx = &f });
    char *p;

    if (r < 0 || !f.found)
        return r < 0 ? r : E_NOTFOUND;
    if (!(p = arena_dupz(a, str_from(text))))
        return E_NOMEM;
    *out = str_from(p);
    return 0;
}
