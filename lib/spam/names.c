#include "lib/spam/names.h"
#include "lib/spam/confusable.h"
#include <idn2.h>

#define HOST_MAX    255u
#define LIKE_LEAST  4u /* letters: shorter names look like each other by chance */
#define NEAR_LEAST  6u
#define CLAIM_LEAST 6u /* Chase and Apple are people too */

/* Lower case, without the dot at the end, in UTF-8. */
static int unicode(struct str host, struct buf *out)
{
    char ascii[HOST_MAX + 1], *utf8 = NULL;
    int r;

    if (host.n && host.p[host.n - 1] == '.')
        host.n--;
    if (host.n == 0 || host.n > HOST_MAX || memchr(host.p, 0, host.n))
        return E_RANGE;
    for (size_t i = 0; i < host.n; i++)
        ascii[i] = ascii_lower(host.p[i]);
    ascii[host.n] = '\0';
    if (str_find(str_of(ascii, host.n), STR("xn--")) < 0 || idn2_to_unicode_8z8z(ascii, &utf8, 0) != IDN2_OK)
        return buf_puts(out, str_of(ascii, host.n));
    r = buf_putz(out, utf8);
    idn2_free(utf8);
    return r;
}

static struct str last_two(struct str host)
{
    ptrdiff_t dot = str_rchr(host, '.');

    if (dot <= 0)
        return host;
    dot = str_rchr(str_slice(host, 0, (size_t)dot), '.');
    return dot < 0 ? host : str_skip(host, (size_t)dot + 1);
}

static int base_of(struct str host, const struct psl *psl, struct buf *out)
{
    size_t from = out->n;

    if (psl && psl_registrable(psl, host, out))
        return 0;
    out->n = from;
    return buf_puts(out, last_two(host));
}

int spam_name_base(struct str host, const struct psl *psl, struct buf *out)
{
    CLEANUP(buf_release) struct buf lower = { .max = HOST_MAX + 1 };

    if (host.n && host.p[host.n - 1] == '.')
        host.n--;
    for (size_t i = 0; i < host.n; i++)
        if (buf_putc(&lower, ascii_lower(host.p[i])) < 0)
            return E_LIMIT;
    return base_of(buf_str(&lower), psl, out);
}

static struct str first_label(struct str domain)
{
    ptrdiff_t dot = str_chr(domain, '.');

    return dot < 0 ? domain : str_slice(domain, 0, (size_t)dot);
}

/* One letter more, less, other, or two exchanged. */
static bool is_near(struct str a, struct str b)
{
    size_t i = 0, j = 0;

    if (a.n > b.n) {
        struct str t = a;

        a = b;
        b = t;
    }
    if (b.n - a.n > 1 || a.n < NEAR_LEAST)
        return false;
    while (i < a.n && a.p[i] == b.p[i])
        i++;
    while (j < a.n - i && a.p[a.n - 1 - j] == b.p[b.n - 1 - j])
        j++;
    if (a.n < b.n)
        return i + j >= a.n;
    return a.n - i - j <= 1 || (a.n - i - j == 2 && a.p[i] == b.p[i + 1] && a.p[i + 1] == b.p[i]);
}

struct name {
    struct buf host, base, like; /* as written; registered; skeleton of the label that was registered */
    struct str label;
};

static void name_release(struct name *n)
{
    buf_release(&n->host);
    buf_release(&n->base);
    buf_release(&n->like);
}

static int name_make(struct name *n, struct str host, const struct psl *psl)
{
    int r;

    *n = (struct name){ .host = { .max = 1024 }, .base = { .max = 1024 }, .like = { .max = 1024 } };
    if ((r = unicode(host, &n->host)) < 0 || (r = base_of(buf_str(&n->host), psl, &n->base)) < 0)
        return r;
    n->label = first_label(buf_str(&n->base));
    return spam_skeleton(n->label, &n->like);
}

/* Is the name dressed up as `known`? Who has the very label under another suffix (amazon.de) is not. */
static enum spam_name compare(const struct name *n, struct str known)
{
    CLEANUP(buf_release) struct buf like = { .max = 1024 };
    struct str label = first_label(known);

    if (label.n < LIKE_LEAST || str_eq(label, n->label) || spam_skeleton(label, &like) < 0)
        return SPAM_NAME_PLAIN;
    if (str_eq(buf_str(&like), buf_str(&n->like)))
        return str_is_ascii(n->label) ? SPAM_NAME_LOOKALIKE : SPAM_NAME_HOMOGRAPH;
    return is_near(n->label, label) ? SPAM_NAME_NEAR : SPAM_NAME_PLAIN;
}

/* "paypal.com" as whole labels before what was registered. */
static bool is_inside(const struct name *n, struct str known)
{
    struct str front = str_slice(buf_str(&n->host), 0, n->host.n - n->base.n);
    ptrdiff_t at = str_find(front, known);

    return at >= 0 && (at == 0 || front.p[at - 1] == '.') && (size_t)at + known.n < front.n &&
           front.p[(size_t)at + known.n] == '.';
}

static bool is_mixed(struct str host)
{
    struct str label;

    while (host.n) {
        str_cut(host, '.', &label, &host);
        if (spam_mixed_script(label))
            return true;
    }
    return false;
}

enum spam_name spam_name_check(struct str host, struct str own, const struct psl *psl)
{
    CLEANUP(name_release) struct name n = { .label = STR_NONE }, mine = { .label = STR_NONE };
    enum spam_name found = SPAM_NAME_PLAIN, one;

    if (name_make(&n, host, psl) < 0)
        return SPAM_NAME_PLAIN;
    for (size_t i = 0; spam_known[i]; i++) {
        if (str_eq(buf_str(&n.base), str_from(spam_known[i])))
            return SPAM_NAME_PLAIN;
        one = compare(&n, str_from(spam_known[i]));
        if (one == SPAM_NAME_PLAIN && is_inside(&n, str_from(spam_known[i])))
            one = SPAM_NAME_INSIDE;
        if (one && (!found || one < found))
            found = one;
    }
    if (own.n && name_make(&mine, own, psl) == 0 && !str_eq(buf_str(&mine.base), buf_str(&n.base))) {
        one = compare(&n, buf_str(&mine.base));
        if (one && (!found || one < found))
            found = one;
    }
    return found || !is_mixed(buf_str(&n.host)) ? found : SPAM_NAME_MIXED;
}

bool spam_name_claims(struct str shown, struct str domain, const struct psl *psl)
{
    CLEANUP(buf_release) struct buf like = { .max = 1024 }, known = { .max = 256 };
    CLEANUP(name_release) struct name n = { .label = STR_NONE };

    if (shown.n > 128 || spam_skeleton(str_trim(shown), &like) < 0 || name_make(&n, domain, psl) < 0)
        return false;
    for (size_t i = 0; spam_known[i]; i++) {
        struct str label = first_label(str_from(spam_known[i])), s = buf_str(&like);

        buf_clear(&known);
        if (label.n < CLAIM_LEAST || spam_skeleton(label, &known) < 0 || !str_starts(s, buf_str(&known)) ||
            (s.n > known.n &&
             (ascii_alpha(s.p[known.n]) || ascii_digit(s.p[known.n]) || (unsigned char)s.p[known.n] >= 0x80)))
            continue;
        return str_find(buf_str(&n.host), label) <
               0; /* amazon-news.com is somebody's; not named so is worse */
    }
    return false;
}
