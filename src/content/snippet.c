#include "src/content/snippet.h"
#include "lib/match/snippet.h"
#include "lib/mime/text.h"

#define TREE_MAX  MIB(2)
#define FIELD_MAX KIB(1)

struct job {
    struct rpc_req *req;
    void (*done)(void *ctx);
    void *ctx;
    struct arena arena;
    struct mime_text text;
    struct snippet snippet;
    struct buf subject, from, date, *field; /* field: the one that comes */
    bool in_header;                         /* the message's own, the first */
};

static void job_reply(struct job *j, int status, const ProtobufCMessage *body)
{
    rpc_req_on_data(j->req, NULL, NULL);
    rpc_reply(j->req, status, body, NULL);
    mime_text_release(&j->text);
    arena_release(&j->arena);
    snippet_release(&j->snippet);
    buf_release(&j->subject);
    buf_release(&j->from);
    buf_release(&j->date);
    j->done(j->ctx);
    free(j);
}

static int take_text(void *user UNUSED, struct str text UNUSED)
{
    return 0;
}

/* What a list of results shows of a message. The first of a kind counts. */
static void note_field(struct job *j, struct str field, struct str text)
{
    if (field.p && field.n == 0)
        j->in_header = false;
    if (field.p)
        j->field = !j->in_header                                      ? NULL
                   : str_ieq_z(field, "subject") && j->subject.n == 0 ? &j->subject
                   : str_ieq_z(field, "from") && j->from.n == 0       ? &j->from
                   : str_ieq_z(field, "date") && j->date.n == 0       ? &j->date
                                                                      : NULL;
    if (j->field) {
        struct str rest = str_slice(text, 0, j->field->max - j->field->n);

        while (rest.n < text.n && rest.n && ((unsigned char)text.p[rest.n] & 0xC0) == 0x80)
            rest.n--;
        (void)!buf_puts(j->field, rest);
    }
}

static int take_plain(void *user, struct str field, struct str text, bool end)
{
    struct job *j = user;

    note_field(j, field, text);
    return snippet_feed(&j->snippet, field, text, end);
}

static struct str one_line(const struct buf *b)
{
    for (size_t i = 0; i < b->n; i++)
        if ((unsigned char)b->p[i] < 0x20 || b->p[i] == 0x7F)
            b->p[i] = ' ';
    return str_trim(buf_str(b));
}

static void answer(struct job *j)
{
    Content__SnippetResponse out = CONTENT__SNIPPET_RESPONSE__INIT;
    Content__SnippetLine lines[SNIPPET_LINES_MAX], *list[SNIPPET_LINES_MAX];

    for (size_t i = 0; i < j->snippet.nlines; i++) {
        struct snippet_line *l = &j->snippet.line[i];

        content__snippet_line__init(&lines[i]);
        lines[i].field = str_pb(buf_str(&l->field));
        lines[i].text = str_pb(buf_str(&l->text));
        lines[i].matches = &l->match[0].from;
        lines[i].n_matches = l->nmatches * 2;
        lines[i].cut_before = l->cut_before;
        lines[i].cut_after = l->cut_after;
        list[i] = &lines[i];
    }
    out.lines = list;
    out.n_lines = j->snippet.nlines;
    out.subject = str_pb(one_line(&j->subject));
    out.from = str_pb(one_line(&j->from));
    out.date = str_pb(one_line(&j->date));
    job_reply(j, 0, &out.base);
}

static void take_data(void *ctx, struct str data, bool end)
{
    struct job *j = ctx;
    struct mime_part *root;
    int r = mime_text_feed(&j->text, data);

    if (r >= 0 && end)
        r = mime_text_finish(&j->text, &root);
    if (r < 0)
        job_reply(j, r, NULL);
    else if (end)
        answer(j);
    else
        rpc_req_consumed(j->req, data.n);
}

static void cancelled(void *ctx)
{
    job_reply(ctx, E_CANCELED, NULL);
}

int snippet_start(struct rpc_req *q, const Content__SnippetRequest *m, void (*done)(void *ctx), void *ctx)
{
    static const enum snippet_kind kinds[] = { SNIPPET_EXACT, SNIPPET_FUZZY, SNIPPET_REGEX };
    struct job *j = calloc(1, sizeof *j);

    if (!j)
        return E_NOMEM;
    *j = (struct job){ .req = q, .done = done, .ctx = ctx, .arena = { .max = TREE_MAX }, .in_header = true };
    j->subject.max = j->from.max = j->date.max = FIELD_MAX;
    if (mime_text_init(&j->text, &j->arena, take_text, j) < 0) {
        mime_text_release(&j->text);
        arena_release(&j->arena);
        free(j);
        return E_NOMEM;
    }
    mime_text_also_plain(&j->text, take_plain);
    snippet_init(&j->snippet, m->chars_max, m->lines_max);
    for (size_t i = 0; i < m->n_questions; i++) {
        const Content__SnippetRequest__Question *in = m->questions[i];
        struct snippet_question ask = { .field = pb_str(in->field), .text = pb_str(in->text) };

        if ((size_t)in->kind >= ARRAY_LEN(kinds))
            continue;
        ask.kind = kinds[in->kind];
        snippet_ask(&j->snippet, &ask);
    }
    rpc_req_on_data(q, take_data, j);
    rpc_req_on_cancel(q, cancelled, j);
    return 0;
}
