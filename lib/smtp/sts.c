#include "lib/smtp/sts.h"
#include "lib/base/errors.h"

static bool is_wsp(char c)
{
    return c == ' ' || c == '\t';
}

static struct str trim_wsp(struct str s)
{
    while (s.n && is_wsp(s.p[0]))
        s = str_skip(s, 1);
    while (s.n && is_wsp(s.p[s.n - 1]))
        s.n--;
    return s;
}

/* ---- records: "v=…" and fields between semicolons ---- */

/* What stands behind the version and its semicolon. */
static int record_begin(struct str txt, struct str version, struct str *rest_out)
{
    struct str rest = str_skip(txt, version.n);

    if (!str_starts(txt, version))
        return E_NOTFOUND;
    while (rest.n && is_wsp(rest.p[0]))
        rest = str_skip(rest, 1);
    if (rest.n == 0 || rest.p[0] != ';')
        return E_NOTFOUND;
    *rest_out = str_skip(rest, 1);
    return 0;
}

static bool field_name_ok(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_alpha(s.p[i]) && !ascii_digit(s.p[i]) &&
            (i == 0 || (s.p[i] != '_' && s.p[i] != '-' && s.p[i] != '.')))
            return false;
    return s.n >= 1 && s.n <= 32;
}

/* Value of an extension (RFC 8461 3.1): printable without '=', ';' and spaces. */
static bool ext_value_ok(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 0x7F || s.p[i] == '=')
            return false;
    return s.n > 0;
}

static bool id_ok(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_alpha(s.p[i]) && !ascii_digit(s.p[i]))
            return false;
    return s.n >= 1 && s.n <= STS_ID_MAX;
}

int sts_record_parse(struct str txt, struct str *id_out)
{
    struct str rest, field, name, value, id = STR_NONE;
    int r = record_begin(txt, STR("v=STSv1"), &rest);

    if (r < 0)
        return r;
    while (rest.n) {
        (void)str_cut(rest, ';', &field, &rest);
        field = trim_wsp(field);
        if (field.n == 0 && trim_wsp(rest).n == 0)
            break; /* the last semicolon */
        if (!str_cut(field, '=', &name, &value) || !field_name_ok(name))
            return E_SYNTAX;
        if (str_eq_z(name, "id")) {
            if (!id_ok(value))
                return E_SYNTAX;
            if (!id.n)
                id = value; /* of several the first counts */
        } else if (!ext_value_ok(value)) {
            return E_SYNTAX;
        }
    }
    if (!id.n)
        return E_SYNTAX;
    *id_out = id;
    return 0;
}

int tlsrpt_record_next(struct str txt, size_t *at, struct str *uri_out)
{
    struct str rest, field, name, value, one;
    size_t count = 0;
    int r = record_begin(txt, STR("v=TLSRPTv1"), &rest);

    if (r < 0)
        return r;
    while (rest.n) {
        (void)str_cut(rest, ';', &field, &rest);
        field = trim_wsp(field);
        if (field.n == 0)
            continue;
        if (!str_cut(field, '=', &name, &value) || !field_name_ok(trim_wsp(name)))
            return E_SYNTAX;
        if (!str_eq_z(trim_wsp(name), "rua"))
            continue;
        while (value.n) {
            (void)str_cut(value, ',', &one, &value);
            one = trim_wsp(one);
            if (str_chr(one, ':') <= 0)
                return E_SYNTAX;
            if (count++ == *at) {
                ++*at;
                *uri_out = one;
                return 1;
            }
        }
        return count ? 0 : E_SYNTAX;
    }
    return E_SYNTAX;
}

/* ---- the policy: lines of "key: value" ---- */

/* The next line's key and value; an empty key: a line that is empty, or no field. False: the end. */
static bool next_field(struct str text, size_t *at, struct str *key, struct str *value, bool *bad)
{
    struct str line, rest = str_skip(text, *at);

    if (*at >= text.n)
        return false;
    if (!str_cut(rest, '\n', &line, &rest))
        *at = text.n;
    else
        *at += line.n + 1;
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    *key = *value = STR_NONE;
    line = trim_wsp(line);
    *bad = line.n > 0 && (!str_cut(line, ':', key, value) || !field_name_ok(*key));
    *value = trim_wsp(*value);
    return true;
}

/* "mx.example.org" or "*.example.org", as A-labels. */
static bool pattern_ok(struct str s)
{
    size_t label = 0;

    if (str_starts(s, STR("*.")))
        s = str_skip(s, 2);
    if (s.n == 0 || s.n > 253)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (c == '.' ? label == 0 : !ascii_alpha(c) && !ascii_digit(c) && c != '-' && c != '_')
            return false;
        label = c == '.' ? 0 : label + 1;
        if (label > 63)
            return false;
    }
    return label > 0;
}

static const char *const modes[] = {
    [STS_NONE] = "none", [STS_TESTING] = "testing", [STS_ENFORCE] = "enforce"
};

const char *sts_mode_name(enum sts_mode m)
{
    return modes[m];
}

static bool mode_from(struct str s, enum sts_mode *out)
{
    for (size_t i = 0; i < ARRAY_LEN(modes); i++)
        if (str_eq_z(s, modes[i])) {
            *out = (enum sts_mode)i;
            return true;
        }
    return false;
}

/* Of a key that comes twice the first counts (RFC 8461 3.2). */
enum { HAS_VERSION = 1, HAS_MODE = 2, HAS_AGE = 4 };

static int take_field(struct sts_policy *p, unsigned *has, struct str key, struct str value)
{
    uint64_t age;

    if (str_eq_z(key, "mx")) {
        if (!pattern_ok(value))
            return E_SYNTAX;
        return ++p->nmx > STS_MX_MAX ? E_LIMIT : 0;
    }
    if (str_eq_z(key, "version") && !(*has & HAS_VERSION)) {
        *has |= HAS_VERSION;
        return str_eq_z(value, "STSv1") ? 0 : E_SYNTAX;
    }
    if (str_eq_z(key, "mode") && !(*has & HAS_MODE)) {
        *has |= HAS_MODE;
        return mode_from(value, &p->mode) ? 0 : E_SYNTAX;
    }
    if (str_eq_z(key, "max_age") && !(*has & HAS_AGE)) {
        *has |= HAS_AGE;
        if (value.n > 10 || !str_to_u64(value, &age))
            return E_SYNTAX;
        p->max_age_s = (uint32_t)(age < STS_MAX_AGE_MAX ? age : STS_MAX_AGE_MAX);
    }
    return 0; /* what is not known is for others */
}

int sts_policy_parse(struct str text, struct sts_policy *out)
{
    struct sts_policy p = { .text = text };
    struct str key, value;
    unsigned has = 0;
    size_t at = 0;
    bool bad;
    int r;

    if (text.n > STS_TEXT_MAX)
        return E_TOO_BIG;
    while (next_field(text, &at, &key, &value, &bad)) {
        if (bad)
            return E_SYNTAX;
        if (key.n && (r = take_field(&p, &has, key, value)) < 0)
            return r;
    }
    if (has != (HAS_VERSION | HAS_MODE | HAS_AGE) || (p.mode != STS_NONE && p.nmx == 0))
        return E_SYNTAX;
    *out = p;
    return 0;
}

bool sts_policy_mx(const struct sts_policy *p, size_t *at, struct str *pattern_out)
{
    struct str key, value;
    bool bad;

    while (next_field(p->text, at, &key, &value, &bad))
        if (str_eq_z(key, "mx")) {
            *pattern_out = value;
            return true;
        }
    return false;
}

static bool matches(struct str pattern, struct str host)
{
    ptrdiff_t dot;

    if (!str_starts(pattern, STR("*.")))
        return str_ieq(pattern, host);
    dot = str_chr(host, '.');
    return dot > 0 && str_ieq(str_skip(pattern, 1), str_skip(host, (size_t)dot));
}

bool sts_policy_allows(const struct sts_policy *p, struct str host)
{
    struct str pattern;
    size_t at = 0;

    if (host.n && host.p[host.n - 1] == '.')
        host.n--;
    while (sts_policy_mx(p, &at, &pattern))
        if (matches(pattern, host))
            return true;
    return false;
}
