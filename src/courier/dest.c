/* src/courier/dest.c: where a copy for an address goes. */
#include "src/courier/report.h"
#include "lib/base/errors.h"
#include "lib/smtp/path.h"
#include <idn2.h>

int courier_address_dest(struct arena *a, struct str address, struct str *dest_out)
{
    struct smtp_path p;
    char ascii[256 * 4], *out = NULL;
    struct str dest;
    int r = smtp_mailbox_parse(address, SMTP_PATH_REVERSE, &p); /* bounces go to whatever sent */

    if (r < 0)
        return r;
    if (p.domain.n >= sizeof ascii || p.domain.n == 0)
        return E_SYNTAX;
    memcpy(ascii, p.domain.p, p.domain.n);
    ascii[p.domain.n] = '\0';
    if (p.utf8 && idn2_to_ascii_8z(ascii, &out, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) == IDN2_OK) {
        dest = arena_dup(a, str_from(out));
        idn2_free(out);
    } else {
        dest = arena_dup(a, str_from(ascii));
    }
    if (!dest.p)
        return E_NOMEM;
    for (size_t i = 0; i < dest.n; i++)
        ((char *)(uintptr_t)dest.p)[i] = ascii_lower(dest.p[i]);
    *dest_out = dest;
    return 0;
}

int courier_address_key(struct arena *a, struct str address, struct str *key_out)
{
    struct str dest;
    ptrdiff_t at = str_rchr(address, '@');
    char *z;
    int r = courier_address_dest(a, address, &dest);

    if (r < 0)
        return r;
    if (!(z = arena_printf(a, "%.*s@%.*s", (int)at, address.p, STR_ARG(dest))))
        return E_NOMEM;
    for (ptrdiff_t i = 0; i < at; i++)
        z[i] = ascii_lower(z[i]);
    *key_out = str_from(z);
    return 0;
}
