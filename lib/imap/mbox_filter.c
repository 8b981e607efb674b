#include "lib/imap/mbox_filter.h"
#include "lib/base/errors.h"
#include "lib/imap/mboxname.h"

static const struct {
    const char *name;
    enum mbox_filter_kind kind;
    bool names;
} rows[] = {
    { "selected", MBOX_SELECTED, false },      { "selected-delayed", MBOX_SELECTED_DELAYED, false },
    { "inboxes", MBOX_INBOXES, false },        { "personal", MBOX_PERSONAL, false },
    { "subscribed", MBOX_SUBSCRIBED, false },  { "subtree", MBOX_SUBTREE, true },
    { "subtree-one", MBOX_SUBTREE_ONE, true }, { "mailboxes", MBOX_MAILBOXES, true },
};

/* What cannot be a mailbox is none that exists, and such are ignored (RFC 5465 3.1). */
static int one_name(struct args *a, struct str *v, size_t *n)
{
    size_t was = a->at;
    struct str s;
    int r = args_mailbox(a, &s);

    if (r == E_RANGE) {
        a->at = was;
        return args_astring(a, &s);
    }
    if (r == 0)
        v[(*n)++] = s;
    return r;
}

/* one-or-more-mailbox = mailbox / "(" mailbox *(SP mailbox) ")" */
static int names(struct args *a, struct mbox_filter *f)
{
    struct str v[MBOX_FILTER_NAMES_MAX], *copy;
    bool many;
    int r = args_sp(a);

    if (r < 0)
        return r;
    many = args_skip(a, '(');
    do {
        if (f->n == MBOX_FILTER_NAMES_MAX)
            return E_LIMIT;
        if ((r = one_name(a, v, &f->n)) < 0)
            return r;
    } while (many && args_skip(a, ' '));
    if (many && (r = args_char(a, ')', "the end of the mailboxes")) < 0)
        return r;
    if (!(copy = ARENA_ARRAY(a->arena, f->n, struct str)))
        return E_NOMEM;
    memcpy(copy, v, f->n * sizeof *v);
    f->names = copy;
    return 0;
}

int mbox_filter_parse(struct args *a, uint32_t kinds, struct mbox_filter *out)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct mbox_filter f = { .kind = rows[i].kind };
        int r = 0;

        if (!(kinds & BIT(rows[i].kind)) || !args_skip_word(a, rows[i].name))
            continue;
        if (rows[i].names && (r = names(a, &f)) < 0)
            return r;
        *out = f;
        return 0;
    }
    return args_fail(a, "which mailboxes");
}

static bool below(struct str name, struct str parent, bool one)
{
    if (!mboxname_is_child(name, parent))
        return false;
    return !one || str_chr(str_skip(name, parent.n + 1), MBOXNAME_SEP) < 0;
}

bool mbox_filter_match(const struct mbox_filter *f, struct str name, bool subscribed)
{
    switch (f->kind) {
    case MBOX_SELECTED:
    case MBOX_SELECTED_DELAYED: return false;
    case MBOX_INBOXES: return mboxname_is_inbox(name);
    case MBOX_PERSONAL: return true;
    case MBOX_SUBSCRIBED: return subscribed;
    case MBOX_SUBTREE:
    case MBOX_SUBTREE_ONE:
    case MBOX_MAILBOXES: break;
    }
    for (size_t i = 0; i < f->n; i++)
        if (str_eq(name, f->names[i]) ||
            (f->kind != MBOX_MAILBOXES && below(name, f->names[i], f->kind == MBOX_SUBTREE_ONE)))
            return true;
    return false;
}
