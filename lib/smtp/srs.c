#include "lib/smtp/srs.h"
#include "lib/base/errors.h"
#include "lib/crypto/box.h"

#define HASH_CHARS  6u /* 30 bits: 21 days are over long before they are guessed, one RCPT each */
#define DAY_CHARS   2u
#define TOKEN_CHARS SRS_TOKEN_CHARS
#define DAYS        1024 /* until TT comes again; the hash knows which day it is */
#define TEXT_MAX    1024u
#define PREFIX      5u /* "SRS0=" */

static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567"; /* RFC 4648 6 */

static int digit_value(char c)
{
    const char *at = c ? strchr(digits, ascii_lower(c)) : NULL;

    return at ? (int)(at - digits) : -1;
}

/* The first 5n bits of p. */
static void base32_put(const uint8_t *p, size_t n, char *out)
{
    uint32_t bits = 0, have = 0;

    for (size_t i = 0; i < n; i++) {
        if (have < 5) {
            bits = bits << 8 | *p++;
            have += 8;
        }
        have -= 5;
        out[i] = digits[bits >> have & 31];
    }
}

void srs_token_put(const uint8_t token[SRS_TOKEN_BYTES], char out[SRS_TOKEN_CHARS])
{
    base32_put(token, SRS_TOKEN_CHARS, out);
}

bool srs_token_get(struct str s, uint8_t out[SRS_TOKEN_BYTES])
{
    uint32_t bits = 0, have = 0;
    size_t n = 0;

    if (s.n != TOKEN_CHARS)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        int v = digit_value(s.p[i]);

        if (v < 0)
            return false;
        bits = bits << 5 | (uint32_t)v;
        if ((have += 5) >= 8) {
            have -= 8;
            out[n++] = (uint8_t)(bits >> have);
        }
    }
    return true;
}

/* kind: '0' with its day, '1' without. E_LIMIT: nothing of this length is ours. */
static int hash_of(const struct srs *k, char kind, int64_t day, struct str tail, char out[HASH_CHARS])
{
    CLEANUP(buf_release) struct buf text = { .max = TEXT_MAX };
    uint8_t hash[HASH_BYTES];
    int r =
        buf_printf(&text, "%c\n%lld\n%.*s\n%.*s", kind, (long long)day, STR_ARG(k->domain), STR_ARG(tail));

    if (r < 0)
        return r;
    for (size_t i = 0; i < text.n; i++)
        text.p[i] = ascii_lower(text.p[i]);
    kdf(hash, k->key, "letterlock srs v1", buf_str(&text));
    base32_put(hash, HASH_CHARS, out);
    return 0;
}

bool srs_is(struct str local)
{
    return local.n > PREFIX && (str_istarts(local, STR("SRS0=")) || str_istarts(local, STR("SRS1=")));
}

/* ---- forward ---- */

static bool is_separator(struct str s)
{
    return s.n > 1 && (s.p[0] == '=' || s.p[0] == '+' || s.p[0] == '-');
}

/* Was it rewritten before? Then who did first, and what stood behind his SRS0. */
static bool rewritten(const struct smtp_path *p, struct str *host, struct str *rest)
{
    struct str hash, tail = str_skip(p->local, PREFIX);
    bool literal, utf8;

    *host = p->domain;
    *rest = str_skip(p->local, PREFIX - 1);
    if (p->local.n <= PREFIX || !is_separator(*rest))
        return false;
    if (str_istarts(p->local, STR("SRS0")))
        return true;
    return str_istarts(p->local, STR("SRS1")) && str_cut(tail, '=', &hash, &tail) &&
           str_cut(tail, '=', host, rest) && is_separator(*rest) &&
           smtp_domain_valid(*host, &literal, &utf8) && !literal;
}

static int put_address(const struct srs *k, char kind, struct str tail, struct buf *out)
{
    char hash[HASH_CHARS];
    int r;

    if (PREFIX + HASH_CHARS + 1 + tail.n > SMTP_LOCAL_MAX)
        return E_TOO_BIG;
    if (PREFIX + HASH_CHARS + 1 + tail.n + 1 + k->domain.n > SMTP_PATH_MAX - 2)
        return E_LIMIT;
    if ((r = hash_of(k, kind, kind == '0' ? k->day : 0, tail, hash)) < 0)
        return r;
    return buf_printf(out, "SRS%c=%.*s=%.*s@%.*s", kind, (int)HASH_CHARS, hash, STR_ARG(tail),
                      STR_ARG(k->domain));
}

static void day_put(int64_t day, char out[DAY_CHARS])
{
    out[0] = digits[day >> 5 & 31];
    out[1] = digits[day & 31];
}

/* E_TOO_BIG: it does not fit. */
static int put_plain(const struct srs *k, const struct smtp_path *p, struct buf *out)
{
    CLEANUP(buf_release) struct buf tail = { .max = TEXT_MAX };
    struct str host, rest;
    char day[DAY_CHARS];
    int r;

    if (rewritten(p, &host, &rest)) {
        r = buf_printf(&tail, "%.*s=%.*s", STR_ARG(host), STR_ARG(rest));
        return r < 0 ? r : put_address(k, '1', buf_str(&tail), out);
    }
    day_put(k->day, day);
    r = buf_printf(&tail, "%.*s=%.*s=%.*s", (int)DAY_CHARS, day, STR_ARG(p->domain), STR_ARG(p->local));
    return r < 0 ? r : put_address(k, '0', buf_str(&tail), out);
}

static int put_token(const struct srs *k, struct str sender, struct buf *out, uint8_t token[SRS_TOKEN_BYTES])
{
    char tail[DAY_CHARS + 2 + TOKEN_CHARS];
    uint8_t hash[HASH_BYTES];
    int r;

    kdf(hash, k->key, "letterlock srs token v1", sender);
    day_put(k->day, tail);
    tail[DAY_CHARS] = tail[DAY_CHARS + 1] = '=';
    base32_put(hash, TOKEN_CHARS, tail + DAY_CHARS + 2);
    if ((r = put_address(k, '0', str_of(tail, sizeof tail), out)) < 0)
        return r;
    memcpy(token, hash, SRS_TOKEN_BYTES);
    return 1;
}

int srs_forward(const struct srs *k, struct str sender, struct buf *out, uint8_t token_out[SRS_TOKEN_BYTES])
{
    struct smtp_path p;
    int r = E_TOO_BIG;

    if (sender.n == 0)
        return 0;
    if (smtp_mailbox_parse(sender, SMTP_PATH_REVERSE, &p) < 0)
        return E_SYNTAX;
    if (str_ieq(p.domain, k->domain))
        return buf_puts(out, sender);
    if (!p.quoted && !p.literal && !p.utf8)
        r = put_plain(k, &p, out);
    return r == E_TOO_BIG ? put_token(k, sender, out, token_out) : r;
}

/* ---- reverse ---- */

/* "HHHHHH=tail", and the hash is right. */
static int verify(const struct srs *k, char kind, int64_t day, struct str hash, struct str tail)
{
    char want[HASH_CHARS], got[HASH_CHARS];

    if (hash.n != HASH_CHARS || hash_of(k, kind, day, tail, want) < 0)
        return E_AUTH;
    for (size_t i = 0; i < HASH_CHARS; i++)
        got[i] = ascii_lower(hash.p[i]);
    return bytes_same(want, got, HASH_CHARS) ? 0 : E_AUTH;
}

static int reverse_first(const struct srs *k, struct str hash, struct str tail, struct buf *out,
                         uint8_t token[SRS_TOKEN_BYTES])
{
    struct str day, body, domain, local;
    int64_t age;
    int hi, lo, r;

    if (!str_cut(tail, '=', &day, &body) || day.n != DAY_CHARS || !str_cut(body, '=', &domain, &local) ||
        (hi = digit_value(day.p[0])) < 0 || (lo = digit_value(day.p[1])) < 0)
        return E_AUTH;
    age = (k->day - (hi << 5 | lo)) & (DAYS - 1);
    if ((r = verify(k, '0', k->day - age, hash, tail)) < 0)
        return r;
    if (age > SRS_DAYS)
        return E_STALE;
    if (domain.n == 0)
        return srs_token_get(local, token) ? 1 : E_AUTH;
    return buf_printf(out, "%.*s@%.*s", STR_ARG(local), STR_ARG(domain));
}

int srs_reverse(const struct srs *k, struct str local, struct buf *out, uint8_t token_out[SRS_TOKEN_BYTES])
{
    struct str hash, tail, host, rest;
    int r;

    if (!srs_is(local))
        return E_NOTFOUND;
    if (!str_cut(str_skip(local, PREFIX), '=', &hash, &tail))
        return E_AUTH;
    if (local.p[3] == '0')
        return reverse_first(k, hash, tail, out, token_out);
    if ((r = verify(k, '1', 0, hash, tail)) < 0)
        return r;
    if (!str_cut(tail, '=', &host, &rest))
        return E_AUTH;
    return buf_printf(out, "SRS0%.*s@%.*s", STR_ARG(rest), STR_ARG(host));
}
