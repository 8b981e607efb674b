#include "lib/imap/sort_args.h"

static const struct {
    const char *name;
    enum sort_key key;
} sort_keys[] = {
    { "ARRIVAL", SORT_ARRIVAL },
    { "CC", SORT_CC },
    { "DATE", SORT_DATE },
    { "FROM", SORT_FROM },
    { "SIZE", SORT_SIZE },
    { "SUBJECT", SORT_SUBJECT },
    { "TO", SORT_TO },
    { "DISPLAYFROM", SORT_DISPLAYFROM },
    { "DISPLAYTO", SORT_DISPLAYTO },
    { "RELEVANCY", SORT_RELEVANCY },
};
static const char *const algorithms[] = {
    [THREAD_ORDEREDSUBJECT] = "ORDEREDSUBJECT",
    [THREAD_REFERENCES] = "REFERENCES",
    [THREAD_REFS] = "REFS",
};

/* sort-criterion = ["REVERSE" SP] sort-key */
static int criterion(struct args *a, struct sort_args *out)
{
    bool reverse = args_skip_word(a, "REVERSE");
    int r;

    if (reverse && (r = args_sp(a)) < 0)
        return r;
    if (out->n == SORT_CRITERIA_MAX)
        return E_LIMIT;
    for (size_t i = 0; i < ARRAY_LEN(sort_keys); i++) {
        if (!args_skip_word(a, sort_keys[i].name))
            continue;
        out->criteria[out->n].key = sort_keys[i].key;
        out->criteria[out->n++].reverse = reverse;
        return 0;
    }
    return args_fail(a, "a sort key");
}

/* charset SP keys: unlike that of SEARCH the charset must be there */
static int charset_and_keys(struct args *a, const struct search_view *view, struct search_program *out)
{
    int r;

    if ((r = args_astring(a, &out->charset)) < 0 || (r = args_sp(a)) < 0)
        return r;
    return search_keys_parse(a, view, out);
}

int sort_args_parse(struct args *a, const struct search_view *view, struct sort_args *out)
{
    struct sort_args s = { .n = 0 };
    int r;

    if ((r = search_return_parse(a, &s.program)) < 0 || (r = args_char(a, '(', "sort criteria")) < 0)
        return r;
    do {
        if ((r = criterion(a, &s)) < 0)
            return r;
    } while (args_skip(a, ' '));
    if ((r = args_char(a, ')', "the end of the sort criteria")) < 0 || (r = args_sp(a)) < 0 ||
        (r = charset_and_keys(a, view, &s.program)) < 0)
        return r;
    for (size_t i = 0; i < s.n && !s.program.fuzzy; i++)
        if (s.criteria[i].key == SORT_RELEVANCY) /* RFC 6203 6 */
            return args_fail(a, "a FUZZY key, for RELEVANCY");
    *out = s;
    return 0;
}

int thread_args_parse(struct args *a, const struct search_view *view, struct thread_args *out)
{
    struct thread_args t = { .algorithm = THREAD_ORDEREDSUBJECT };
    size_t i = 0;
    int r;

    while (i < ARRAY_LEN(algorithms) && !args_skip_word(a, algorithms[i]))
        i++;
    if (i == ARRAY_LEN(algorithms))
        return args_fail(a, "a threading algorithm");
    t.algorithm = (enum thread_algorithm)i;
    if ((r = args_sp(a)) < 0 || (r = charset_and_keys(a, view, &t.program)) < 0)
        return r;
    *out = t;
    return 0;
}
