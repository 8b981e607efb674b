/* src/imap/cmd_language.c: LANGUAGE (RFC 5255 3). What this server says is English, which a client may ask for by
 * name; there is nothing in it to translate. */
#include "src/imap/imap.h"

/* RFC 4647 3.4: a range loses its last subtags until it is known. */
static const char *match(struct str range)
{
    if (str_ieq_z(range, "default") || str_ieq_z(range, "i-default"))
        return "i-default";
    if (str_eq_z(range, "*") || str_ieq_z(range, "en") ||
        (range.n > 3 && range.p[2] == '-' && str_ieq_z(str_slice(range, 0, 2), "en")))
        return "en";
    return NULL;
}

static bool range_valid(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_alpha(s.p[i]) && !ascii_digit(s.p[i]) && s.p[i] != '-' && s.p[i] != '*')
            return false;
    return s.n > 0;
}

int imap_cmd_language(struct imap_conn *c, struct args *a)
{
    const char *found = NULL;
    struct str range;
    int r;

    if (args_end(a) == 0) {
        resp_z(&c->w, "* LANGUAGE (en i-default)\r\n");
        return imap_ok(c, "These are all");
    }
    for (int n = 0; args_end(a) < 0; n++) {
        if (n == 100)
            return E_LIMIT;
        if ((r = args_sp(a)) < 0 || (r = args_astring(a, &range)) < 0)
            return r;
        if (!range_valid(range))
            return args_fail(a, "a language");
        found = found ? found : match(range);
    }
    if (!found)
        return imap_no(c, "CANNOT", "That language is not spoken here");
    resp_printf(&c->w, "* LANGUAGE (%s)\r\n", found);
    if (c->state != IMAP_ST_NOT_AUTH) /* RFC 5255 3.2: what may be translated is told again */
        resp_z(&c->w, "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
    return imap_ok(c, "English it is");
}
