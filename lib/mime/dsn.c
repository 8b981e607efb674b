#include "lib/mime/dsn.h"
#include "lib/mime/header.h"

/* "rfc822; ann@example.org", "dns; mx", "5.1.1 (no such user)". */
static struct str value_of(struct arena *a, struct str value, bool typed, bool *full)
{
    struct str line = mime_unfold(a, value), type, rest;

    *full |= line.p == NULL;
    if (typed && str_cut(line, ';', &type, &rest))
        line = str_trim(rest);
    return line;
}

static struct str first_word(struct str s)
{
    size_t n = 0;

    while (n < s.n && s.p[n] != ' ' && s.p[n] != '\t' && s.p[n] != '(' && s.p[n] != ';')
        n++;
    return str_slice(s, 0, n);
}

static struct str unbracket(struct str s)
{
    return s.n > 1 && s.p[0] == '<' && s.p[s.n - 1] == '>' ? str_slice(s, 1, s.n - 1) : s;
}

static void recipient_field(struct arena *a, const struct mime_field *f, struct dsn_recipient *to, bool *full)
{
    if (str_ieq_z(f->name, "Final-Recipient"))
        to->final = unbracket(value_of(a, f->value, true, full));
    else if (str_ieq_z(f->name, "Original-Recipient"))
        to->original = unbracket(value_of(a, f->value, true, full));
    else if (str_ieq_z(f->name, "Action"))
        to->action = first_word(value_of(a, f->value, false, full));
    else if (str_ieq_z(f->name, "Status"))
        to->status = first_word(value_of(a, f->value, false, full));
    else if (str_ieq_z(f->name, "Diagnostic-Code"))
        to->diagnostic = value_of(a, f->value, true, full);
    else if (str_ieq_z(f->name, "Remote-MTA"))
        to->remote = first_word(value_of(a, f->value, true, full));
}

/* Past blank lines; false: nothing is left. */
static bool next_group(struct str *text)
{
    while (text->n && (text->p[0] == '\r' || text->p[0] == '\n'))
        *text = str_skip(*text, 1);
    return text->n > 0;
}

int dsn_parse(struct arena *a, struct str text, struct dsn *out)
{
    struct dsn d = { .n = 0 };
    struct mime_field f;
    bool full = false;

    if (!(d.recipients = ARENA_ARRAY(a, DSN_RECIPIENTS_MAX, struct dsn_recipient)))
        return E_NOMEM;
    while (next_group(&text) && d.n < DSN_RECIPIENTS_MAX) {
        struct dsn_recipient to = { .final = STR_NONE };
        size_t before = text.n;

        while (mime_header_next(&text, &f)) {
            if (str_ieq_z(f.name, "Reporting-MTA"))
                d.reporter = first_word(value_of(a, f.value, true, &full));
            recipient_field(a, &f, &to, &full);
        }
        if (to.final.n && to.action.n)
            d.recipients[d.n++] = to;
        if (text.n == before) /* what is neither field nor line end */
            break;
    }
    if (full)
        return E_NOMEM;
    *out = d;
    return 0;
}
