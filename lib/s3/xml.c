#include "lib/s3/xml.h"
#include "lib/base/buf.h"
#include "lib/base/errors.h"
#include <expat.h>

struct reading {
    const struct xml_reader *r;
    XML_Parser parser;
    struct buf text;
    unsigned depth, elements;
    bool leaf;
    int status;
};

static void stop(struct reading *g, int r)
{
    if (g->status == 0)
        g->status = r;
    XML_StopParser(g->parser, XML_FALSE);
}

static void on_begin(void *ctx, const XML_Char *name, const XML_Char **attributes UNUSED)
{
    struct reading *g = ctx;
    int r = 0;

    if (g->status < 0)
        return;
    buf_clear(&g->text);
    g->leaf = true;
    if (g->depth == XML_DEPTH_MAX || ++g->elements > XML_ELEMENTS_MAX)
        r = E_LIMIT;
    else if (g->r->begin)
        r = g->r->begin(g->r->ctx, name, g->depth);
    g->depth++;
    if (r < 0)
        stop(g, r);
}

static void on_end(void *ctx, const XML_Char *name)
{
    struct reading *g = ctx;
    int r = 0;

    if (g->status < 0)
        return;
    g->depth--;
    if (g->r->end)
        r = g->r->end(g->r->ctx, name, g->depth, g->leaf ? buf_str(&g->text) : STR_NONE);
    g->leaf = false;
    if (r < 0)
        stop(g, r);
}

static void on_text(void *ctx, const XML_Char *p, int n)
{
    struct reading *g = ctx;

    if (g->status == 0 && g->leaf && buf_append(&g->text, p, (size_t)n) < 0)
        stop(g, E_LIMIT);
}

/* No answer has one; entities are declared nowhere else. */
static void on_doctype(void *ctx, const XML_Char *name UNUSED, const XML_Char *system UNUSED,
                       const XML_Char *public UNUSED, int internal UNUSED)
{
    stop(ctx, E_SYNTAX);
}

int xml_read(struct str document, const struct xml_reader *r)
{
    struct reading g = { .r = r, .text = { .max = XML_TEXT_MAX } };

    if (document.n > INT32_MAX)
        return E_LIMIT;
    if (!(g.parser = XML_ParserCreate(NULL)))
        return E_NOMEM;
    XML_SetUserData(g.parser, &g);
    XML_SetElementHandler(g.parser, on_begin, on_end);
    XML_SetCharacterDataHandler(g.parser, on_text);
    XML_SetStartDoctypeDeclHandler(g.parser, on_doctype);
    if (XML_Parse(g.parser, document.p ? document.p : "", (int)document.n, 1) != XML_STATUS_OK &&
        g.status == 0)
        g.status = XML_GetErrorCode(g.parser) == XML_ERROR_NO_MEMORY ? E_NOMEM : E_SYNTAX;
    XML_ParserFree(g.parser);
    buf_release(&g.text);
    return g.status;
}
