#include "lib/imap/list_args.h"
#include "lib/base/errors.h"
#include "lib/imap/metadata_args.h"
#include "lib/imap/status_items.h"

struct option {
    const char *name;
    uint32_t bit;
};
static const struct option selections[] = {
    { "SUBSCRIBED", LIST_SUBSCRIBED },
    { "SPECIAL-USE", LIST_SPECIAL_USE },
    { "REMOTE", LIST_REMOTE },
    { "RECURSIVEMATCH", LIST_RECURSIVEMATCH },
};
static const struct option returns[] = {
    { "SUBSCRIBED", LIST_RETURN_SUBSCRIBED },   { "CHILDREN", LIST_RETURN_CHILDREN },
    { "SPECIAL-USE", LIST_RETURN_SPECIAL_USE }, { "STATUS", LIST_RETURN_STATUS },
    { "METADATA", LIST_RETURN_METADATA },
};

static int option(struct args *a, const struct option *v, size_t n, uint32_t *bits, const char *expected)
{
    for (size_t i = 0; i < n; i++)
        if (args_skip_word(a, v[i].name)) {
            *bits |= v[i].bit;
            return (int)v[i].bit;
        }
    return args_fail(a, expected);
}

/* Behind "(". */
static int parse_selection(struct args *a, struct list_args *l)
{
    int r;

    l->extended = true;
    while (!args_skip(a, ')'))
        if ((r = option(a, selections, ARRAY_LEN(selections), &l->select, "a selection option")) < 0 ||
            (args_peek(a) != ')' && (r = args_sp(a)) < 0))
            return r;
    if ((l->select & LIST_RECURSIVEMATCH) && !(l->select & (LIST_SUBSCRIBED | LIST_SPECIAL_USE)))
        return args_fail(a, "a selection beside RECURSIVEMATCH"); /* RFC 5258 3.1 */
    return args_sp(a);
}

static int parse_pattern(struct args *a, struct str reference, struct str *out, struct str *text_out)
{
    char *both;
    int r = args_list_pattern(a, text_out);

    if (r < 0)
        return r;
    both = arena_printf(a->arena, "%.*s%.*s", STR_ARG(reference), STR_ARG(*text_out));
    *out = str_from(both);
    return both ? 0 : E_NOMEM;
}

/* mbox-or-pat = list-mailbox / patterns. A pattern that cannot match is left out; E_RANGE when all are. */
static int parse_patterns(struct args *a, struct str reference, struct list_args *l)
{
    struct str *v = ARENA_ARRAY(a->arena, LIST_PATTERNS_MAX, struct str), text;
    bool many = v && args_skip(a, '(');
    size_t seen = 0;
    int r;

    if (!v)
        return E_NOMEM;
    l->extended = l->extended || many;
    do {
        if (seen++ == LIST_PATTERNS_MAX)
            return E_LIMIT;
        r = parse_pattern(a, reference, &v[l->npatterns], &text);
        if (r == 0)
            l->npatterns++;
        else if (r != E_RANGE)
            return r;
    } while (many && args_skip(a, ' '));
    if (many && (r = args_char(a, ')', "the end of the patterns")) < 0)
        return r;
    l->patterns = v;
    l->separator = !many && l->npatterns && text.n == 0;
    return l->npatterns ? 0 : E_RANGE;
}

static int parse_returns(struct args *a, struct list_args *l)
{
    int r;

    if (!args_skip(a, ' '))
        return args_end(a);
    l->extended = true;
    if (!args_skip_word(a, "RETURN"))
        return args_fail(a, "RETURN");
    if ((r = args_sp(a)) < 0 || (r = args_char(a, '(', "return options")) < 0)
        return r;
    while (!args_skip(a, ')')) {
        if ((r = option(a, returns, ARRAY_LEN(returns), &l->returns, "a return option")) < 0)
            return r;
        if (r == LIST_RETURN_STATUS && ((r = args_sp(a)) < 0 || (r = status_items_parse(a, &l->status)) < 0))
            return r;
        if (r == LIST_RETURN_METADATA &&
            ((r = args_sp(a)) < 0 || (r = metadata_entries_parse(a, false, &l->entries, &l->nentries)) < 0))
            return r;
        if (args_peek(a) != ')' && (r = args_sp(a)) < 0)
            return r;
    }
    return args_end(a);
}

int list_args_parse(struct args *a, struct list_args *out)
{
    struct list_args l = { 0 };
    struct str reference;
    int r = args_sp(a), range = 0;

    if (r < 0 || (args_skip(a, '(') && (r = parse_selection(a, &l)) < 0) ||
        (r = args_list_pattern(a, &reference)) < 0 || (r = args_sp(a)) < 0)
        return r;
    if ((range = parse_patterns(a, reference, &l)) < 0 && range != E_RANGE)
        return range;
    if ((r = parse_returns(a, &l)) < 0)
        return r;
    if (l.extended)
        l.separator = false;
    *out = l;
    return range;
}
