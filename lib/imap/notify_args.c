#include "lib/imap/notify_args.h"
#include "lib/base/errors.h"
#include "lib/imap/fetch_items.h"

#define SELECTED (BIT(MBOX_SELECTED) | BIT(MBOX_SELECTED_DELAYED))
#define OTHERS \
    (BIT(MBOX_INBOXES) | BIT(MBOX_PERSONAL) | BIT(MBOX_SUBSCRIBED) | BIT(MBOX_SUBTREE) | BIT(MBOX_MAILBOXES))

static const struct {
    const char *name;
    enum notify_event event;
} events[] = {
    { "MessageNew", NOTIFY_NEW },
    { "MessageExpunge", NOTIFY_EXPUNGE },
    { "FlagChange", NOTIFY_FLAGS },
    { "MailboxName", NOTIFY_NAME },
    { "SubscriptionChange", NOTIFY_SUBSCRIPTION },
    { "MailboxMetadataChange", NOTIFY_METADATA },
    { "ServerMetadataChange", NOTIFY_SERVER_METADATA },
};

struct parser {
    struct args *a;
    struct notify_args out;
    struct notify_group groups[NOTIFY_GROUPS_MAX];
    bool selected, unsupported;
};

/* What is told of new messages of the selected mailbox, and of no other (RFC 5465 8). */
static int fetch_atts(struct parser *p, bool selected)
{
    size_t from = p->a->at;
    struct fetch_items f;
    int r;

    if (!selected)
        return args_fail(p->a, "no FETCH items, which are for the selected mailbox");
    if ((r = fetch_atts_parse(p->a, &f)) == 0)
        p->out.fetch = str_slice(p->a->text, from, p->a->at);
    return r;
}

static int event(struct parser *p, bool selected, uint32_t *out)
{
    struct args *a = p->a;
    size_t was;
    struct str name;
    int r;

    for (size_t i = 0; i < ARRAY_LEN(events); i++) {
        if (!args_skip_word(a, events[i].name))
            continue;
        if (selected && !(events[i].event & NOTIFY_MESSAGES)) /* RFC 5465 6.1: an error */
            return args_fail(a, "an event of messages");
        *out |= events[i].event;
        was = a->at;
        if (events[i].event != NOTIFY_NEW || !args_skip(a, ' '))
            return 0;
        if (args_peek(a) == '(')
            return fetch_atts(p, selected);
        a->at = was;
        return 0;
    }
    if ((r = args_atom(a, &name)) == 0) /* "AnnotationChange", and what is yet to come */
        p->unsupported = true;
    return r;
}

/* RFC 5465 5: who wants to hear of flags wants to hear of messages that come and go, and those only together. */
static int check(struct parser *p, uint32_t v)
{
    const uint32_t both = NOTIFY_NEW | NOTIFY_EXPUNGE;

    if ((v & NOTIFY_MESSAGES) && (v & both) != both && !p->unsupported)
        return args_fail(p->a, "MessageNew and MessageExpunge together");
    return 0;
}

/* events = "(" event *(SP event) ")" / "NONE"; the example of 3.1 has no parentheses, which is good enough. */
static int event_list(struct parser *p, bool selected, uint32_t *out)
{
    bool closed = false;
    int r;

    if (args_skip_word(p->a, "NONE"))
        return 0;
    closed = args_skip(p->a, '(');
    do {
        if ((r = event(p, selected, out)) < 0)
            return r;
    } while (args_skip(p->a, ' '));
    if (closed && (r = args_char(p->a, ')', "the end of the events")) < 0)
        return r;
    return check(p, *out);
}

/* event-group = "(" filter-mailboxes SP events ")" */
static int group(struct parser *p)
{
    struct args *a = p->a;
    struct notify_group g = { .events = 0 };
    bool selected;
    int r;

    if ((r = args_char(a, '(', "a group of events")) < 0 ||
        (r = mbox_filter_parse(a, p->selected ? OTHERS : OTHERS | SELECTED, &g.where)) < 0 ||
        (r = args_sp(a)) < 0)
        return r;
    selected = BIT(g.where.kind) & SELECTED;
    if ((r = event_list(p, selected, &g.events)) < 0 ||
        (r = args_char(a, ')', "the end of the group of events")) < 0)
        return r;
    if (selected) {
        p->selected = true;
        p->out.selected = g.events;
        p->out.delayed = g.where.kind == MBOX_SELECTED_DELAYED;
    } else if (g.events) {
        if (p->out.n == NOTIFY_GROUPS_MAX)
            return E_LIMIT;
        p->groups[p->out.n++] = g;
    }
    return 0;
}

static int set(struct parser *p)
{
    struct notify_group *v;
    size_t was;
    int r = args_sp(p->a);

    if (r < 0)
        return r;
    was = p->a->at;
    p->out.status = args_skip_word(p->a, "STATUS");
    if (p->out.status && (r = args_sp(p->a)) < 0)
        return r;
    if (p->a->at == p->a->text.n && !p->out.status) {
        p->a->at = was;
        return args_fail(p->a, "STATUS or a group of events");
    }
    do {
        if ((r = group(p)) < 0)
            return r;
    } while (args_skip(p->a, ' '));
    if ((r = args_end(p->a)) < 0)
        return r;
    if (p->unsupported)
        return E_UNSUPPORTED;
    if (!(v = ARENA_ARRAY(p->a->arena, p->out.n, struct notify_group)))
        return E_NOMEM;
    memcpy(v, p->groups, p->out.n * sizeof *v);
    p->out.groups = v;
    return 0;
}

int notify_args_parse(struct args *a, struct notify_args *out)
{
    struct parser p = { .a = a };
    int r = args_sp(a);

    if (r < 0)
        return r;
    if (args_skip_word(a, "NONE"))
        r = args_end(a);
    else if (args_skip_word(a, "SET"))
        r = set(&p);
    else
        r = args_fail(a, "SET or NONE");
    if (r == 0)
        *out = p.out;
    return r;
}
