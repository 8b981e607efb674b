#include "lib/mailauth/lookup.h"

static const struct lookup_answer failed = { LOOKUP_FAILED, NULL, 0 }, nothing = { LOOKUP_NXDOMAIN, NULL, 0 };

void lookups_init(struct lookups *l)
{
    *l = (struct lookups){ .arena = { .max = LOOKUPS_ARENA_BYTES } };
    l->last = &l->first;
}

void lookups_release(struct lookups *l)
{
    arena_release(&l->arena);
    *l = (struct lookups){ 0 };
}

/* Labels of 1 to 63 octets; returns how many, 0 when malformed. One dot at the end was taken off. */
static unsigned label_count(struct str name)
{
    unsigned labels = 1, len = 0;

    if (name.n == 0 || name.n > LOOKUP_NAME_MAX)
        return 0;
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] != '.') {
            if (++len > 63)
                return 0;
            continue;
        }
        if (len == 0)
            return 0;
        len = 0;
        labels++;
    }
    return len ? labels : 0;
}

static struct str without_dot(struct str name)
{
    return name.n && name.p[name.n - 1] == '.' ? str_slice(name, 0, name.n - 1) : name;
}

bool domain_is_fqdn(struct str name)
{
    return label_count(without_dot(name)) >= 2;
}

bool domain_is_within(struct str name, struct str parent)
{
    struct str tail;

    if (name.n < parent.n || parent.n == 0)
        return false;
    tail = str_skip(name, name.n - parent.n);
    return str_ieq(tail, parent) && (tail.n == name.n || name.p[name.n - parent.n - 1] == '.');
}

bool domain_is_plain(struct str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];

        if (!ascii_alpha(c) && !ascii_digit(c) && c != '-' && c != '_' && c != '.')
            return false;
    }
    return label_count(name) > 0;
}

static struct lookup *find(struct lookups *l, enum lookup_type type, struct str name)
{
    for (struct lookup *q = l->first; q; q = q->next)
        if (q->type == type && str_ieq(q->name, name))
            return q;
    return NULL;
}

const struct lookup_answer *lookups_get(struct lookups *l, enum lookup_type type, struct str name)
{
    struct lookup *q;
    char *p;

    name = without_dot(name);
    if (label_count(name) == 0)
        return &nothing;
    if ((q = find(l, type, name)))
        return q->answered ? &q->answer : l->over ? &failed : NULL;
    if (l->over || l->n >= LOOKUPS_MAX || !(q = ARENA_NEW(&l->arena, struct lookup)) ||
        !(p = arena_alloc(&l->arena, name.n)))
        return &failed;
    for (size_t i = 0; i < name.n; i++)
        p[i] = ascii_lower(name.p[i]);
    q->type = type;
    q->name = str_of(p, name.n);
    *l->last = q;
    l->last = &q->next;
    l->n++;
    return NULL;
}

struct lookup *lookups_next(struct lookups *l)
{
    for (struct lookup *q = l->first; q; q = q->next) {
        if (!q->asked) {
            q->asked = true;
            return q;
        }
    }
    return NULL;
}

/* Copy what there is room for. False: none was kept though there were some. */
static bool keep_records(struct lookups *l, struct lookup *q, const struct lookup_answer *a)
{
    size_t n = size_min(a->n, LOOKUP_RECORDS_MAX), kept = 0;
    struct lookup_record *out = n ? ARENA_ARRAY(&l->arena, n, struct lookup_record) : NULL;

    if (n && !out)
        return false;
    for (size_t i = 0; i < n; i++) {
        struct lookup_record r = a->records[i];

        if (r.text.n > LOOKUP_TEXT_MAX)
            continue;
        r.text = arena_dup(&l->arena, r.text);
        if (!r.text.p && a->records[i].text.n)
            return false;
        out[kept++] = r;
    }
    q->answer = (struct lookup_answer){ kept ? LOOKUP_OK : LOOKUP_NODATA, out, kept };
    return true;
}

void lookup_answer(struct lookups *l, struct lookup *q, const struct lookup_answer *a)
{
    if (q->answered)
        return;
    q->asked = q->answered = true;
    q->answer = (struct lookup_answer){ .status = a->status };
    if (a->status == LOOKUP_OK && !keep_records(l, q, a))
        q->answer = failed;
}

void lookups_give_up(struct lookups *l)
{
    l->over = true;
    for (struct lookup *q = l->first; q; q = q->next)
        lookup_answer(l, q, &failed);
}
