#include "lib/mailauth/psl.h"
#include <libpsl.h>
#include <stdlib.h>

struct psl {
    psl_ctx_t *owned; /* NULL: the built-in list */
    const psl_ctx_t *list;
};

int psl_open(const char *file, struct psl **out)
{
    struct psl *p = calloc(1, sizeof *p);

    if (!p)
        return E_NOMEM;
    p->owned = file ? psl_load_file(file) : psl_latest(NULL);
    p->list = p->owned || file ? p->owned : psl_builtin();
    if (!p->list) {
        free(p);
        return E_NOTFOUND;
    }
    *out = p;
    return 0;
}

void psl_close(struct psl **p)
{
    if (*p) {
        psl_free(p[0]->owned); /* knows NULL and the built-in one */
        free(*p);
    }
    *p = NULL;
}

/* As libpsl wants it: a C string, lower case, no NUL inside, no dot at either end. */
static const char *lowered(struct str domain, struct buf *out)
{
    if (domain.n == 0 || domain.n > 253 || domain.p[0] == '.' || domain.p[domain.n - 1] == '.' ||
        str_chr(domain, '\0') >= 0)
        return NULL;
    for (size_t i = 0; i < domain.n; i++)
        if (buf_putc(out, ascii_lower(domain.p[i])) < 0)
            return NULL;
    return buf_z(out);
}

bool psl_is_suffix(const struct psl *p, struct str domain)
{
    CLEANUP(buf_release) struct buf z = { .max = 256 };
    const char *name = lowered(domain, &z);

    return name && psl_is_public_suffix2(p->list, name, PSL_TYPE_ICANN) == 1;
}

bool psl_registrable(const struct psl *p, struct str domain, struct buf *out)
{
    CLEANUP(buf_release) struct buf z = { .max = 256 };
    const char *name = lowered(domain, &z), *found = name ? psl_registrable_domain(p->list, name) : NULL;

    return found && buf_putz(out, found) == 0;
}
