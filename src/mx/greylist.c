#include "src/mx/greylist.h"
#include "lib/base/clock.h"
#include "lib/limit/keytable.h"
#include <stdlib.h>

#define KNOWN INT64_MIN /* as the value of an entry; else the time of the first attempt */

struct greylist {
    struct greylist_conf conf;
    struct keytable *table;
};

struct greylist *greylist_new(const struct greylist_conf *c)
{
    struct greylist *g = calloc(1, sizeof *g);

    if (!g || !(g->table = keytable_new(c->entries))) {
        free(g);
        return NULL;
    }
    g->conf = *c;
    return g;
}

void greylist_free(struct greylist **g)
{
    if (*g)
        keytable_free(&(*g)->table);
    free(*g);
    *g = NULL;
}

/* Lists and forwarders write something new into each sender ("bounce-4711=x@…", "SRS0=…", "prvs=…"): what comes
 * after '+' or '=' does not count, and numbers are all alike. */
static int put_sender(struct buf *out, const struct smtp_path *p)
{
    int r = 0;

    for (size_t i = 0; i < p->local.n && r == 0 && p->local.p[i] != '+' && p->local.p[i] != '='; i++) {
        if (!ascii_digit(p->local.p[i]))
            r = buf_putc(out, ascii_lower(p->local.p[i]));
        else if (i == 0 || !ascii_digit(p->local.p[i - 1]))
            r = buf_putc(out, '#');
    }
    if (r == 0)
        r = buf_putc(out, '@');
    for (size_t i = 0; i < p->domain.n && r == 0; i++)
        r = buf_putc(out, ascii_lower(p->domain.p[i]));
    return r;
}

static int put_key(struct buf *out, struct str network, const struct smtp_path *sender, struct str domain)
{
    int r = buf_puts(out, network);

    if (r == 0)
        r = buf_putc(out, '\0');
    if (r == 0)
        r = put_sender(out, sender);
    if (r == 0)
        r = buf_putc(out, '\0');
    for (size_t i = 0; i < domain.n && r == 0; i++)
        r = buf_putc(out, ascii_lower(domain.p[i]));
    return r;
}

bool greylist_pass(struct greylist *g, struct str network, const struct smtp_path *sender, struct str domain,
                   int64_t *wait_ms_out)
{
    CLEANUP(buf_release) struct buf key = { .max = KIB(1) };
    int64_t now = clock_mono_ms() + 1, since;
    const struct keytable_entry *e;

    if (put_key(&key, network, sender, domain) < 0)
        return true; /* our trouble */
    e = keytable_find(g->table, "greylist", buf_str(&key), now);
    since = e ? e->value : now;
    if (e && (since == KNOWN || now - since >= g->conf.delay_ms)) {
        keytable_put(g->table, "greylist", buf_str(&key), now, now + g->conf.keep_ms, KNOWN);
        return true;
    }
    if (!e)
        keytable_put(g->table, "greylist", buf_str(&key), now, now + g->conf.window_ms, now);
    *wait_ms_out = g->conf.delay_ms - (now - since);
    return false;
}
