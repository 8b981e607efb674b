#include "lib/imap/esearch_args.h"
#include "lib/base/errors.h"

#define SOURCES                                                                           \
    (BIT(MBOX_SELECTED) | BIT(MBOX_INBOXES) | BIT(MBOX_PERSONAL) | BIT(MBOX_SUBSCRIBED) | \
     BIT(MBOX_SUBTREE) | BIT(MBOX_SUBTREE_ONE) | BIT(MBOX_MAILBOXES))

/* source-mbox = filter-mailboxes *(SP filter-mailboxes) */
static int sources(struct args *a, struct esearch_sources *out)
{
    struct mbox_filter *v = ARENA_ARRAY(a->arena, ESEARCH_SOURCES_MAX, struct mbox_filter), one;
    int r;

    if (!v)
        return E_NOMEM;
    out->others = v;
    do {
        if ((r = mbox_filter_parse(a, SOURCES, &one)) < 0)
            return r;
        if (one.kind == MBOX_SELECTED)
            out->selected = true;
        else if (out->n == ESEARCH_SOURCES_MAX)
            return E_LIMIT;
        else
            v[out->n++] = one;
    } while (args_skip(a, ' '));
    return args_char(a, ')', "the end of the sources");
}

int esearch_sources_parse(struct args *a, struct esearch_sources *out)
{
    struct esearch_sources s = { .selected = false };
    int r;

    if (!args_skip_word(a, "IN")) {
        *out = (struct esearch_sources){ .selected = true };
        return 0;
    }
    if ((r = args_sp(a)) < 0 || (r = args_char(a, '(', "a list of sources")) < 0 ||
        (r = sources(a, &s)) < 0 || (r = args_sp(a)) < 0)
        return r;
    *out = s;
    return 0;
}

bool esearch_sources_match(const struct esearch_sources *s, struct str name, bool subscribed)
{
    for (size_t i = 0; i < s->n; i++)
        if (mbox_filter_match(&s->others[i], name, subscribed))
            return true;
    return false;
}
