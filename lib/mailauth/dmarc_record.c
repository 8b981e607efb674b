#include "lib/mailauth/dmarc.h"
#include "lib/mailauth/tags.h"

static enum dmarc_policy policy_of(struct str s, bool *wrong)
{
    static const char *const names[] = { "none", "quarantine", "reject" };

    if (!s.p)
        return DMARC_POLICY_ABSENT;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_ieq_z(s, names[i]))
            return (enum dmarc_policy)i;
    *wrong = true;
    return DMARC_POLICY_ABSENT;
}

/* A scheme and something after it; "!10m" at its end is of older days and not looked at (RFC 9989 C.4). */
static bool uri_valid(struct str s)
{
    ptrdiff_t colon = str_chr(s, ':');

    for (ptrdiff_t i = 0; i < colon; i++)
        if (!ascii_alpha(s.p[i]) && !(i && (ascii_digit(s.p[i]) || strchr("+-.", s.p[i]))))
            return false;
    return colon > 0 && (size_t)colon + 1 < s.n;
}

static size_t uris(struct str list, struct str *out)
{
    struct str one;
    size_t n = 0;
    bool more = list.p != NULL;

    while (more && n < DMARC_URIS_MAX) {
        more = str_cut(list, ',', &one, &list);
        one = str_trim(one);
        if (uri_valid(one))
            out[n++] = one;
    }
    return n;
}

/* RFC 9989 4.8: "v" equals "DMARC1", first, and only white space around. */
static bool version_fits(struct str text)
{
    struct str first, rest, name, value;

    str_cut(text, ';', &first, &rest);
    return str_cut(first, '=', &name, &value) && str_eq_z(str_trim(name), "v") &&
           str_eq_z(str_trim(value), "DMARC1");
}

bool dmarc_record_parse(struct str text, struct dmarc_record *out)
{
    struct dmarc_record rec = { .psd = 'u' };
    struct str psd;
    struct tags t;

    if (!version_fits(text))
        return false;
    tags_parse_lenient(text, &t);
    rec.p = policy_of(tags_get(&t, "p"), &rec.p_wrong);
    rec.sp = policy_of(tags_get(&t, "sp"), &rec.p_wrong);
    rec.np = policy_of(tags_get(&t, "np"), &rec.p_wrong);
    rec.strict_dkim = str_ieq_z(tags_get(&t, "adkim"), "s");
    rec.strict_spf = str_ieq_z(tags_get(&t, "aspf"), "s");
    rec.testing = str_ieq_z(tags_get(&t, "t"), "y");
    psd = tags_get(&t, "psd");
    if (psd.n == 1 && (ascii_lower(psd.p[0]) == 'y' || ascii_lower(psd.p[0]) == 'n'))
        rec.psd = ascii_lower(psd.p[0]);
    rec.fo = tags_get(&t, "fo");
    rec.nrua = uris(tags_get(&t, "rua"), rec.rua);
    rec.nruf = uris(tags_get(&t, "ruf"), rec.ruf);
    *out = rec;
    return true;
}
