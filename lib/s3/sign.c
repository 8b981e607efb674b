#include "lib/s3/sign.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/hex.h"
#include <sodium.h>
#include <stdio.h>

#define CANONICAL_MAX KIB(64)
#define PAIRS_MAX     24u

/* ---- credentials ---- */

static bool keep(char *out, size_t max, struct str v)
{
    if (v.n == 0 || v.n > max || out[0])
        return false;
    for (size_t i = 0; i < v.n; i++) /* it stands in a field of HTTP */
        if (v.p[i] <= ' ' || v.p[i] > '~')
            return false;
    memcpy(out, v.p, v.n);
    out[v.n] = '\0';
    return true;
}

static bool line_take(struct str line, struct s3_credentials *c)
{
    struct str name, value;

    line = str_trim(line);
    if (!line.n || line.p[0] == '#' || line.p[0] == ';' || line.p[0] == '[')
        return true;
    if (!str_cut(line, '=', &name, &value))
        return false;
    name = str_trim(name);
    value = str_trim(value);
    if (str_ieq_z(name, "aws_access_key_id"))
        return keep(c->key_id, S3_KEY_ID_MAX, value);
    if (str_ieq_z(name, "aws_secret_access_key"))
        return keep(c->secret, S3_SECRET_MAX, value);
    if (str_ieq_z(name, "aws_session_token"))
        return keep(c->token, S3_TOKEN_MAX, value);
    return false;
}

int s3_credentials_parse(struct str text, struct s3_credentials *out)
{
    struct s3_credentials c = { .key_id = "" };
    struct str line;
    bool more = true, ok = text.n <= S3_FILE_MAX;

    while (ok && more) {
        more = str_cut(text, '\n', &line, &text);
        ok = line_take(line, &c);
    }
    ok = ok && c.key_id[0] && c.secret[0];
    if (ok)
        *out = c;
    s3_credentials_wipe(&c);
    return ok ? 0 : E_SYNTAX;
}

void s3_credentials_wipe(struct s3_credentials *c)
{
    explicit_bzero(c, sizeof *c);
}

/* ---- encoding ---- */

int s3_encode(struct str s, bool path, struct buf *out)
{
    int r = 0;

    for (size_t i = 0; i < s.n && r == 0; i++) {
        char c = s.p[i];

        if (ascii_alpha(c) || ascii_digit(c) || c == '-' || c == '.' || c == '_' || c == '~' ||
            (path && c == '/'))
            r = buf_putc(out, c);
        else
            r = buf_printf(out, "%%%02X", (unsigned)(unsigned char)c);
    }
    return r;
}

/* Indices in the order of the names, then of the values. */
static int order(const struct s3_pair *v, size_t n, size_t out[PAIRS_MAX])
{
    if (n > PAIRS_MAX)
        return E_LIMIT;
    for (size_t i = 0; i < n; i++) {
        size_t at = i;

        for (; at > 0; at--) {
            int c = strcmp(v[out[at - 1]].name, v[i].name);

            if (c < 0 || (c == 0 && strcmp(v[out[at - 1]].value, v[i].value) <= 0))
                break;
            out[at] = out[at - 1];
        }
        out[at] = i;
    }
    return 0;
}

int s3_query(const struct s3_pair *query, size_t n, struct buf *out)
{
    size_t sorted[PAIRS_MAX];
    int r = order(query, n, sorted);

    for (size_t i = 0; i < n && r == 0; i++) {
        const struct s3_pair *p = &query[sorted[i]];

        if ((r = i ? buf_putc(out, '&') : 0) < 0 || (r = s3_encode(str_from(p->name), false, out)) < 0 ||
            (r = buf_putc(out, '=')) < 0 || (r = s3_encode(str_from(p->value), false, out)) < 0)
            return r;
    }
    return r;
}

void s3_date(int64_t wall_ms, char out[S3_DATE_LEN + 1])
{
    char iso[CLOCK_ISO_LEN + 1];

    clock_iso(wall_ms, iso);
    snprintf(out, S3_DATE_LEN + 1, "%.4s%.2s%.2sT%.2s%.2s%.2sZ", iso, iso + 5, iso + 8, iso + 11, iso + 14,
             iso + 17);
}

/* ---- signing ---- */

static int names_put(const struct s3_request *q, const size_t sorted[], struct buf *out)
{
    int r = 0;

    for (size_t i = 0; i < q->nfields && r == 0; i++)
        r = buf_printf(out, i ? ";%s" : "%s", q->fields[sorted[i]].name);
    return r;
}

static int canonical(const struct s3_request *q, const size_t sorted[], struct buf *out)
{
    int r;

    if ((r = buf_printf(out, "%s\n", q->method)) < 0 || (r = s3_encode(q->path, true, out)) < 0 ||
        (r = buf_putc(out, '\n')) < 0 || (r = s3_query(q->query, q->nquery, out)) < 0 ||
        (r = buf_putc(out, '\n')) < 0)
        return r;
    for (size_t i = 0; i < q->nfields && r == 0; i++)
        r = buf_printf(out, "%s:%.*s\n", q->fields[sorted[i]].name,
                       STR_ARG(str_trim(str_from(q->fields[sorted[i]].value))));
    if (r < 0 || (r = buf_putc(out, '\n')) < 0 || (r = names_put(q, sorted, out)) < 0)
        return r;
    return buf_printf(out, "\n%s", q->payload_hash);
}

static void hmac(const void *key, size_t nkey, struct str text, uint8_t out[crypto_auth_hmacsha256_BYTES])
{
    crypto_auth_hmacsha256_state s;

    crypto_auth_hmacsha256_init(&s, key, nkey);
    crypto_auth_hmacsha256_update(&s, (const uint8_t *)text.p, text.n);
    crypto_auth_hmacsha256_final(&s, out);
    sodium_memzero(&s, sizeof s);
}

static void signature(const struct s3_credentials *c, const struct s3_request *q, struct str text,
                      char hex[S3_HASH_HEX + 1])
{
    char first[sizeof "AWS4" + S3_SECRET_MAX];
    uint8_t key[crypto_auth_hmacsha256_BYTES];
    const struct str steps[] = { str_of(q->date, 8), str_from(q->region), str_from(q->service),
                                 STR("aws4_request"), text };
    size_t n = (size_t)snprintf(first, sizeof first, "AWS4%s", c->secret);

    hmac(first, n, steps[0], key);
    for (size_t i = 1; i < ARRAY_LEN(steps); i++)
        hmac(key, sizeof key, steps[i], key);
    hex_encode(key, sizeof key, hex);
    sodium_memzero(first, sizeof first);
    sodium_memzero(key, sizeof key);
}

int s3_sign(const struct s3_credentials *c, const struct s3_request *q, struct buf *out)
{
    CLEANUP(buf_release) struct buf text = { .max = CANONICAL_MAX };
    uint8_t hash[crypto_hash_sha256_BYTES];
    char hex[S3_HASH_HEX + 1];
    size_t sorted[PAIRS_MAX];
    int r;

    if ((r = order(q->fields, q->nfields, sorted)) < 0 || (r = canonical(q, sorted, &text)) < 0)
        return r;
    crypto_hash_sha256(hash, (const uint8_t *)text.p, text.n);
    hex_encode(hash, sizeof hash, hex);
    buf_clear(&text);
    if ((r = buf_printf(&text, "AWS4-HMAC-SHA256\n%s\n%.8s/%s/%s/aws4_request\n%s", q->date, q->date,
                        q->region, q->service, hex)) < 0)
        return r;
    signature(c, q, buf_str(&text), hex);
    if ((r = buf_printf(out, "AWS4-HMAC-SHA256 Credential=%s/%.8s/%s/%s/aws4_request, SignedHeaders=",
                        c->key_id, q->date, q->region, q->service)) < 0 ||
        (r = names_put(q, sorted, out)) < 0)
        return r;
    return buf_printf(out, ", Signature=%s", hex);
}
