#include "src/courier/tls_required.h"

#define NAME STR("tls-required:")

static void field_end(struct tls_required *t)
{
    struct str line = str_of(t->line, t->n);

    t->n = 0;
    if (!str_istarts(line, NAME))
        return;
    t->fields++;
    t->no += str_ieq_z(str_skip(line, NAME.n), "no");
}

/* White is left out: a field that is folded, or has spaces where they may be, reads as one that is not. */
static void take(struct tls_required *t, char c)
{
    if (c == '\n') {
        if (!t->begun) { /* an empty line */
            field_end(t);
            t->over = true;
        }
        t->begun = false;
        return;
    }
    if (c == '\r')
        return;
    if (!t->begun && c != ' ' && c != '\t')
        field_end(t);
    t->begun = true;
    if (c != ' ' && c != '\t' && t->n < sizeof t->line)
        t->line[t->n++] = c;
}

void tls_required_feed(struct tls_required *t, struct str bytes)
{
    for (size_t i = 0; i < bytes.n && !t->over; i++)
        take(t, bytes.p[i]);
}

bool tls_required_no(struct tls_required *t)
{
    if (!t->over)
        field_end(t);
    t->over = true;
    return t->fields > 0 && t->no == t->fields;
}
