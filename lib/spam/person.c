#include "lib/spam/person.h"
#include <sodium.h>
#include <stdlib.h>

#define TOKEN_BITS 40 /* fewer bytes a row than 64; a million tokens share one in a million */

/* Odds that a known sender's letter is junk, against a stranger's with the same words. */
#define ODDS_WRITTEN 0.001
#define ODDS_HAM     0.03
#define HAM_OFTEN    3u

static int64_t address_hash(const uint8_t key[SPAM_KEY_BYTES], struct str address)
{
    uint64_t h;

    crypto_shorthash((unsigned char *)&h, (const unsigned char *)address.p, address.n, key);
    h >>= 2;
    return h ? (int64_t)h : 1;
}

/* The next thing in `s` that looks like an address. */
static bool address_next(struct str *s, struct str *out)
{
    while (s->n) {
        size_t n = 0;
        ptrdiff_t at;

        while (s->n && strchr(" \t,;:<>()[]\"", s->p[0]))
            *s = str_skip(*s, 1);
        while (n < s->n && !strchr(" \t,;:<>()[]\"", s->p[n]))
            n++;
        *out = str_slice(*s, 0, n);
        *s = str_skip(*s, n);
        at = str_rchr(*out, '@');
        if (at > 0 && (size_t)at + 1 < out->n)
            return true;
    }
    return false;
}

/* "ann@a.example" <eve@b.example> is of eve: what stands in brackets last, else what stands last. */
static struct str address_of_sender(struct str value)
{
    ptrdiff_t open = str_rchr(value, '<');
    struct str rest = open >= 0 ? str_skip(value, (size_t)open) : value, one, found = STR("");

    while (address_next(&rest, &one))
        found = one;
    return found;
}

/* "tests=spf_pass,dmarc_pass": is `name` among them? */
static bool has_test(struct str value, const char *name)
{
    ptrdiff_t at = str_find(value, STR("tests="));
    struct str rest = at >= 0 ? str_skip(value, (size_t)at + 6) : STR(""), one;

    while (rest.n) {
        str_cut(rest, ',', &one, &rest);
        if (str_eq_z(str_trim(one), name))
            return true;
    }
    return false;
}

/* "-7.5" is -750. */
static bool points_parse(struct str s, int *out)
{
    bool minus = s.n && s.p[0] == '-';
    struct str whole, part;
    uint32_t a, b = 0;

    str_cut(minus ? str_skip(s, 1) : s, '.', &whole, &part);
    if (!str_to_u32(whole, &a) || a > 1000000 || part.n > 2 || (part.n && !str_to_u32(part, &b)))
        return false;
    a = a * 100 + (part.n == 1 ? b * 10 : b);
    *out = minus ? -(int)a : (int)a;
    return true;
}

/* The mx has taken out what others wrote in these fields, whenever it wrote them itself. */
static void read_field(const uint8_t key[SPAM_KEY_BYTES], struct str name, struct str value,
                       struct person_letter *out)
{
    if (str_eq_z(name, "from") && !out->sender) {
        struct str a = address_of_sender(value);

        out->sender = a.n ? address_hash(key, a) : 0;
    } else if (str_eq_z(name, "x-spam-score") && !out->scanned) {
        out->scanned = points_parse(value, &out->points);
    } else if (str_eq_z(name, "x-spam-status")) {
        out->forged |= has_test(value, "dmarc_fail") || has_test(value, "spf_fail") ||
                       has_test(value, "from_homograph") || has_test(value, "from_lookalike");
    } else if (str_eq_z(name, "x-virus-status")) {
        out->infected |= str_starts(value, STR("infected"));
    }
}

static bool line_next(struct str *lines, struct str *name, struct str *value)
{
    struct str line;

    while (lines->n) {
        str_cut(*lines, '\n', &line, lines);
        if (str_cut(line, ':', name, value)) {
            *value = str_trim(*value);
            return true;
        }
    }
    return false;
}

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

/* The first tokens: From and Subject stand in front of any text. */
static void take_tokens(const struct spam_tokens *t, struct person_letter *out)
{
    size_t n = t->n < PERSON_TOKENS_MAX ? t->n : PERSON_TOKENS_MAX, kept = 0;

    for (size_t i = 0; i < n; i++)
        out->tokens[i] = (int64_t)(t->list[i] >> (64 - TOKEN_BITS));
    qsort(out->tokens, n, sizeof out->tokens[0], ascending);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || out->tokens[i] != out->tokens[i - 1])
            out->tokens[kept++] = out->tokens[i];
    out->n = kept;
}

/* Its words and its Message-ID: what a server or a client writes above a letter makes it no other. */
static void take_id(const uint8_t key[SPAM_KEY_BYTES], struct str message_id, struct person_letter *out)
{
    crypto_generichash_state h;

    crypto_generichash_init(&h, key, SPAM_KEY_BYTES, PERSON_ID_BYTES);
    crypto_generichash_update(&h, (const unsigned char *)out->tokens, out->n * sizeof out->tokens[0]);
    crypto_generichash_update(&h, (const unsigned char *)message_id.p, message_id.n);
    crypto_generichash_final(&h, out->id, PERSON_ID_BYTES);
}

int person_read(const uint8_t key[SPAM_KEY_BYTES], struct str header, struct str body, struct str message_id,
                struct person_letter *out)
{
    struct spam_tokens *t = malloc(sizeof *t);
    struct str lines, name, value;

    if (!t)
        return E_NOMEM;
    lines = header = str_slice(header, 0, header.n < PERSON_TEXT_MAX ? header.n : PERSON_TEXT_MAX);
    body = str_slice(body, 0, body.n < PERSON_TEXT_MAX ? body.n : PERSON_TEXT_MAX);
    *out = (struct person_letter){ 0 };
    spam_tokens_init(t, key);
    spam_tokens_feed(t, header);
    spam_tokens_body(t);
    spam_tokens_feed(t, body);
    spam_tokens_end(t);
    take_tokens(t, out);
    explicit_bzero(t, sizeof *t);
    free(t);
    take_id(key, message_id, out);
    while (line_next(&lines, &name, &value))
        read_field(key, name, value, out);
    return 0;
}

size_t person_recipients(const uint8_t key[SPAM_KEY_BYTES], struct str header, int64_t out[PERSON_SENT_MAX])
{
    struct str name, value, one;
    size_t n = 0;

    while (line_next(&header, &name, &value)) {
        if (!str_eq_z(name, "to") && !str_eq_z(name, "cc") && !str_eq_z(name, "bcc"))
            continue;
        while (n < PERSON_SENT_MAX && address_next(&value, &one))
            out[n++] = address_hash(key, one);
    }
    return n;
}

/* Only ever in favour of the letter: a sender of junk is a word like others. Whose name is borrowed gets nothing. */
double person_weigh(double p, const struct person_letter *l, const struct person_sender *s)
{
    double odds = l->forged                             ? 1.0
                  : s->written                          ? ODDS_WRITTEN
                  : s->ham >= HAM_OFTEN && s->junk == 0 ? ODDS_HAM
                                                        : 1.0;
    double sum = p * odds + (1.0 - p);

    return sum > 0 ? p * odds / sum : p;
}

enum person_verdict person_verdict(double p, const struct person_letter *l, bool to_junk)
{
    if (!to_junk)
        return p >= PERSON_JUNK ? PERSON_SAYS_JUNK : PERSON_SAYS_NOTHING;
    /* What the server did not weigh, or weighed too heavy, is not for words to bring back. */
    return p <= PERSON_HAM && l->scanned && l->points < PERSON_FIRM && !l->forged && !l->infected
               ? PERSON_SAYS_HAM
               : PERSON_SAYS_NOTHING;
}
