/* src/ctl/cmd_mailbox_search.c: `mailbox search`: the messages of a mailbox that are like what is asked for, and
 * the lines where it stands. */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "proto/store.pb-c.h"
#include "src/ctl/cmd_alias.h"
#include <jansson.h>
#include <sysexits.h>
#include <unistd.h>

#define PATIENCE_MS   INT64_C(300000)
#define LIMIT_DEFAULT 20u
#define LIMIT_MAX     100u /* of one folder */

struct search {
    struct args a;
    bool exact, regex;
    const char *folder, *limit_text;
    uint32_t limit;
    struct buf password;
    struct service *s;
    Directory__Alias *alias;
    Store__AttachResponse *attached;
    json_t *results;
    uint64_t found;
};

struct hit {
    uint32_t uid, relevance;
};

static void search_release(struct search *q)
{
    buf_release(&q->password);
    if (q->results)
        json_decref(q->results);
    service_close(&q->s);
}

static int say(const struct search *q, int e)
{
    const char *address = q->a.words[0];

    switch (e) {
    case E_AUTH: return ctl_fail(EX_NOPERM, "that password does not open the mailbox of %s", address);
    case E_SYNTAX: return ctl_fail(EX_DATAERR, "that cannot be searched for");
    default: return ctl_fail(ctl_exit_code(e), "%s: %s", address, error_text(e));
    }
}

static int search_take(struct search *q, int argc, char **argv)
{
    const struct option opts[] = { { "--exact", NULL, &q->exact },
                                   { "--regex", NULL, &q->regex },
                                   { "--folder", &q->folder, NULL },
                                   { "--limit", &q->limit_text, NULL } };
    int r = args_parse(argc, argv, opts, ARRAY_LEN(opts), 2, &q->a);

    q->limit = LIMIT_DEFAULT;
    if (r == 0 && q->limit_text &&
        (!str_to_u32(str_from(q->limit_text), &q->limit) || q->limit == 0 || q->limit > LIMIT_MAX))
        return ctl_fail(EX_USAGE, "--limit is a number from 1 to %u", LIMIT_MAX);
    if (r != 0 || (r = mailbox_ask(&q->a, &q->s, &q->alias)) != 0 || (r = password_read(&q->password)) != 0)
        return r;
    service_patience(q->s, PATIENCE_MS);
    return 0;
}

/* ---- the store -------------------------------------------------------------------------------- */

static int attach(struct search *q)
{
    Store__AttachRequest m = STORE__ATTACH_REQUEST__INIT;

    m.mailbox_id = q->alias->mailbox_id;
    m.n_key_states = q->alias->n_key_states;
    m.key_states = q->alias->key_states;
    m.password = str_pb(buf_str(&q->password));
    m.network = (char[]){ "local" };
    m.limited = true; /* not known here: the mailbox knows */
    return service_ask(q->s, ROLE_STORE, STORE__OP__ATTACH, &m.base, &store__attach_response__descriptor,
                       &q->attached);
}

/* Best first; of equal ones the newest. */
static int by_relevance(const void *a, const void *b)
{
    const struct hit *x = a, *y = b;

    if (x->relevance != y->relevance)
        return x->relevance > y->relevance ? -1 : 1;
    return x->uid > y->uid ? -1 : x->uid < y->uid;
}

static int by_uid(const void *a, const void *b)
{
    const struct hit *x = a, *y = b;

    return x->uid < y->uid ? -1 : x->uid > y->uid;
}

static uint64_t uid_count(const Store__SearchResponse *m)
{
    uint64_t n = 0;

    for (size_t i = 0; i + 1 < m->n_uid_ranges; i += 2)
        n += (uint64_t)m->uid_ranges[i + 1] - m->uid_ranges[i] + 1;
    return n;
}

/* The best q->limit of what was found, in *hits (the caller frees it). */
static int hits_of(const struct search *q, const Store__SearchResponse *m, struct hit **hits, size_t *n_out)
{
    uint64_t count = uid_count(m);
    struct hit *v = calloc(count ? count : 1, sizeof *v);
    size_t n = 0;

    if (!v)
        return E_NOMEM;
    for (size_t i = 0; i + 1 < m->n_uid_ranges; i += 2)
        for (uint64_t uid = m->uid_ranges[i]; uid <= m->uid_ranges[i + 1]; uid++, n++)
            v[n] = (struct hit){ (uint32_t)uid, n < m->n_relevance ? m->relevance[n] : 0 };
    qsort(v, n, sizeof *v, by_relevance);
    *n_out = n < q->limit ? n : q->limit;
    *hits = v;
    return 0;
}

static void key_make(const struct search *q, Store__SearchKey *text, Store__SearchKey *fuzzy,
                     Store__SearchKey **list)
{
    store__search_key__init(text);
    store__search_key__init(fuzzy);
    text->type = q->regex ? STORE__SEARCH_KEY__TYPE__REGEX : STORE__SEARCH_KEY__TYPE__TEXT;
    text->text = str_pb(str_from(q->a.words[1]));
    if (q->regex)
        text->name = str_pb(STR("text"));
    fuzzy->type = q->regex || q->exact ? STORE__SEARCH_KEY__TYPE__AND : STORE__SEARCH_KEY__TYPE__FUZZY;
    list[0] = text;
    fuzzy->children = list;
    fuzzy->n_children = 1;
}

/* ---- what is said ----------------------------------------------------------------------------- */

static json_t *text_of(ProtobufCBinaryData b)
{
    json_t *j = json_stringn((const char *)b.data, b.len);

    return j ? j : json_string("");
}

static json_t *line_of(const Store__SnippetsResponse__Line *l)
{
    json_t *matches = json_array();

    for (size_t i = 0; i + 1 < l->n_matches; i += 2)
        json_array_append_new(matches,
                              json_pack("[I, I]", (json_int_t)l->matches[i], (json_int_t)l->matches[i + 1]));
    return json_pack("{s:o, s:o, s:o, s:b, s:b}", "field", text_of(l->field), "text", text_of(l->text),
                     "matches", matches, "cut_before", l->cut_before, "cut_after", l->cut_after);
}

static void print_line(const Store__SnippetsResponse__Line *l)
{
    bool bold = isatty(STDOUT_FILENO);
    struct str text = pb_str(l->text);
    size_t at = 0;

    printf("    %.*s%s%s", STR_ARG(pb_str(l->field)), l->field.len ? ": " : "", l->cut_before ? "… " : "");
    for (size_t i = 0; i + 1 < l->n_matches; i += 2) {
        printf("%.*s%s%.*s%s", STR_ARG(str_slice(text, at, l->matches[i])), bold ? "\033[1m" : "",
               STR_ARG(str_slice(text, l->matches[i], l->matches[i + 1])), bold ? "\033[0m" : "");
        at = l->matches[i + 1];
    }
    printf("%.*s%s\n", STR_ARG(str_skip(text, at)), l->cut_after ? " …" : "");
}

static void result(struct search *q, const Store__Folder *f, const struct hit *h,
                   const Store__SnippetsResponse__Snippet *m)
{
    char date[CLOCK_ISO_LEN + 1];
    uint32_t percent = h->relevance < 100 ? h->relevance > 0 : h->relevance / 100;

    clock_iso(m->internal_date_ms, date);
    if (q->a.json) {
        json_t *lines = json_array();

        for (size_t i = 0; i < m->n_lines; i++)
            json_array_append_new(lines, line_of(m->lines[i]));
        json_array_append_new(
            q->results, json_pack("{s:o, s:I, s:I, s:s, s:o, s:o, s:o}", "folder", text_of(f->name), "uid",
                                  (json_int_t)h->uid, "relevance", (json_int_t)percent, "date", date, "from",
                                  text_of(m->from), "subject", text_of(m->subject), "lines", lines));
        return;
    }
    printf("%.*s %u", STR_ARG(pb_str(f->name)), h->uid);
    if (percent)
        printf("  %u%%", percent);
    printf("  %.10s  %.*s  %.*s\n", date, STR_ARG(pb_str(m->from)), STR_ARG(pb_str(m->subject)));
    for (size_t i = 0; i < m->n_lines; i++)
        print_line(m->lines[i]);
}

/* ---- a folder --------------------------------------------------------------------------------- */

static int show(struct search *q, const Store__Folder *f, Store__SearchKey *key, struct hit *hits, size_t n)
{
    Store__SnippetsRequest m = STORE__SNIPPETS_REQUEST__INIT;
    Store__SnippetsResponse *out = NULL;
    uint32_t ranges[2 * LIMIT_MAX];
    int r;

    qsort(hits, n, sizeof *hits, by_uid);
    for (size_t i = 0; i < n; i++)
        ranges[2 * i] = ranges[2 * i + 1] = hits[i].uid;
    m.session = q->attached->session;
    m.folder_id = f->id;
    m.uid_ranges = ranges;
    m.n_uid_ranges = 2 * n;
    m.key = key;
    if ((r = service_ask(q->s, ROLE_STORE, STORE__OP__SNIPPETS, &m.base,
                         &store__snippets_response__descriptor, &out)) < 0)
        return r;
    qsort(hits, n, sizeof *hits, by_relevance);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < out->n_snippets; k++)
            if (out->snippets[k]->uid == hits[i].uid)
                result(q, f, &hits[i], out->snippets[k]);
    return 0;
}

static int search_folder(struct search *q, const Store__Folder *f)
{
    Store__SearchRequest m = STORE__SEARCH_REQUEST__INIT;
    Store__SearchKey text, fuzzy, *list[1];
    Store__SearchResponse *out = NULL;
    struct hit *hits = NULL;
    size_t n = 0;
    int r;

    key_make(q, &text, &fuzzy, list);
    m.session = q->attached->session;
    m.folder_id = f->id;
    m.key = &fuzzy;
    m.relevance = !q->exact && !q->regex;
    if ((r = service_ask(q->s, ROLE_STORE, STORE__OP__SEARCH, &m.base, &store__search_response__descriptor,
                         &out)) < 0 ||
        (r = hits_of(q, out, &hits, &n)) < 0)
        return r;
    q->found += uid_count(out);
    if (n)
        r = show(q, f, &fuzzy, hits, n);
    free(hits);
    return r;
}

int cmd_mailbox_search(int argc, char **argv)
{
    CLEANUP(search_release) struct search q = { .password = { .max = KIB(2) }, .results = json_array() };
    Store__FoldersRequest m = STORE__FOLDERS_REQUEST__INIT;
    Store__FoldersResponse *folders = NULL;
    int r;

    if ((r = search_take(&q, argc, argv)) != 0)
        return r;
    if ((r = attach(&q)) < 0)
        return say(&q, r);
    m.session = q.attached->session;
    m.name = str_pb(str_from(q.folder ? q.folder : ""));
    r = service_ask(q.s, ROLE_STORE, STORE__OP__FOLDERS, &m.base, &store__folders_response__descriptor,
                    &folders);
    if (r == E_NOTFOUND || (r == 0 && q.folder && folders->n_folders == 0))
        return ctl_fail(EX_DATAERR, "%s has no folder %s", q.a.words[0], q.folder ? q.folder : "");
    for (size_t i = 0; r == 0 && i < folders->n_folders; i++)
        if (folders->folders[i]->id && (r = search_folder(&q, folders->folders[i])) < 0)
            break;
    if (r < 0)
        return say(&q, r);
    if (q.a.json) {
        json_dumpf(q.results, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    return q.found ? EX_OK : 1;
}
