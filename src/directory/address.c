#include "src/directory/address.h"
#include "lib/base/errors.h"
#include "lib/smtp/path.h"
#include <idn2.h>
#include <utf8proc.h>

int address_domain(struct arena *a, struct str text, struct str *out)
{
    bool literal = false, utf8 = false;
    char *z, *ascii = NULL;
    struct str r;

    if (text.n > 1 && text.p[text.n - 1] == '.')
        text.n--;
    if (text.n == 0 || text.n > 4 * SMTP_DOMAIN_MAX || !smtp_domain_valid(text, &literal, &utf8) || literal)
        return E_SYNTAX;
    if (!(z = arena_dupz(a, text)))
        return E_NOMEM;
    if (utf8) {
        if (idn2_to_ascii_8z(z, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
            return E_SYNTAX;
        r = arena_dup(a, str_from(ascii));
        idn2_free(ascii);
    } else {
        r = str_of(z, text.n);
    }
    if (!r.p)
        return E_NOMEM;
    if (r.n > 253)
        return E_SYNTAX;
    for (size_t i = 0; i < r.n; i++)
        ((char *)(uintptr_t)r.p)[i] = ascii_lower(r.p[i]);
    *out = r;
    return 0;
}

static int nfc(struct arena *a, struct str s, struct str *out)
{
    utf8proc_uint8_t *composed = NULL;
    utf8proc_ssize_t n = utf8proc_map((const utf8proc_uint8_t *)s.p, (utf8proc_ssize_t)s.n, &composed,
                                      UTF8PROC_STABLE | UTF8PROC_COMPOSE);

    if (n < 0)
        return n == UTF8PROC_ERROR_NOMEM ? E_NOMEM : E_SYNTAX;
    *out = arena_dup(a, str_of(composed, (size_t)n));
    free(composed);
    return out->p ? 0 : E_NOMEM;
}

int address_parse(struct arena *a, struct str text, struct address *out)
{
    CLEANUP(buf_release) struct buf raw = { .max = KIB(1) }, shown = { .max = KIB(2) };
    struct smtp_path p = { .quoted = false };
    struct address r;
    char *fold;
    int e;

    if ((e = smtp_mailbox_parse(text, 0, &p)) < 0)
        return e;
    if (p.literal || p.domain.n == 0)
        return E_SYNTAX;
    if ((e = smtp_path_local(&p, &raw)) < 0 || (e = nfc(a, buf_str(&raw), &r.local)) < 0 ||
        (e = address_domain(a, p.domain, &r.domain)) < 0)
        return e;
    if (r.local.n == 0 || r.local.n > SMTP_LOCAL_MAX)
        return E_LIMIT;
    /* shown in canonical quoting, with the domain as compared */
    p.local = r.local;
    p.domain = r.domain;
    if ((e = smtp_path_print(&p, &shown)) < 0)
        return e;
    r.text = arena_dup(a, buf_str(&shown));
    fold = arena_dupz(a, r.local);
    if (!r.text.p || !fold)
        return E_NOMEM;
    for (size_t i = 0; i < r.local.n; i++)
        fold[i] = ascii_lower(fold[i]);
    r.local.p = fold;
    *out = r;
    return 0;
}
