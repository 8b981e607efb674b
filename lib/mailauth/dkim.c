#include "lib/mailauth/dkim.h"
#include "lib/mailauth/canon.h"
#include "lib/mailauth/dkim_impl.h"
#include <openssl/crypto.h>
#include <openssl/evp.h>

const char *dkim_code_name(enum dkim_code code)
{
    static const char *const names[] = {
        "none", "pass", "fail", "policy", "neutral", "temperror", "permerror"
    };

    return (unsigned)code < ARRAY_LEN(names) ? names[code] : "none";
}

static void decide(struct dkim_signature *sig, enum dkim_code code, const char *why)
{
    sig->code = code;
    sig->why = why;
}

/* ---- parsing ---- */

const char *dkim_tags_common(struct mailauth_message *m, const struct tags *tags, struct dkim_signature *sig)
{
    struct str a = tags_get(tags, "a"), t = tags_get(tags, "t");

    if (!a.p || !tags_get(tags, "b").p || !tags_get(tags, "d").p || !tags_get(tags, "s").p)
        return "a tag is missing";
    sig->algorithm = dkim_algorithm_of(a);
    sig->domain = tags_get(tags, "d");
    sig->selector = tags_get(tags, "s");
    sig->signature_text = tags_get(tags, "b");
    if (sig->algorithm == DKIM_UNKNOWN)
        return "unknown algorithm";
    if (!domain_is_plain(sig->domain) || !domain_is_fqdn(sig->domain) || !domain_is_plain(sig->selector))
        return "d or s is not a name";
    if (base64_decode(&m->arena, sig->signature_text, &sig->signature) < 0)
        return "b is not base64";
    if (t.p && !tags_time(t, &sig->made_s))
        return "t is not a time";
    return NULL;
}

/* RFC 6376 3.5: simple/simple when nothing is said. In ARC the public vectors want relaxed headers then. */
static bool canonicalization(struct str c, struct dkim_signature *sig)
{
    struct str header, body;

    if (!c.p) {
        sig->header_relaxed = str_istarts(sig->field->name, STR("ARC-"));
        return true;
    }
    if (!str_cut(c, '/', &header, &body))
        body = STR("simple");
    sig->header_relaxed = str_eq_z(header, "relaxed");
    sig->body_relaxed = str_eq_z(body, "relaxed");
    return (sig->header_relaxed || str_eq_z(header, "simple")) &&
           (sig->body_relaxed || str_eq_z(body, "simple"));
}

const char *dkim_signature_parse(struct mailauth_message *m, const struct tags *tags,
                                 struct dkim_signature *sig)
{
    struct str l = tags_get(tags, "l"), x = tags_get(tags, "x"), bh = tags_get(tags, "bh");
    const char *why = dkim_tags_common(m, tags, sig);

    sig->body = -1;
    sig->body_limit = UINT64_MAX;
    sig->names = tags_get(tags, "h");
    if (why)
        return why;
    if (!bh.p || !sig->names.p)
        return "a tag is missing";
    if (!canonicalization(tags_get(tags, "c"), sig))
        return "unknown canonicalization";
    if (base64_decode(&m->arena, bh, &sig->body_hash) < 0)
        return "bh is not base64";
    sig->limited = l.p != NULL;
    if (l.p && !str_to_u64(l, &sig->body_limit))
        return "l is not a number";
    if (x.p && (!tags_time(x, &sig->expires_s) || sig->expires_s < sig->made_s))
        return "x is not a time after t";
    return NULL;
}

static bool names_from(struct str names)
{
    struct str item;

    while (tags_list_next(&names, &item))
        if (str_ieq_z(item, "from"))
            return true;
    return false;
}

static bool identity_fits(struct dkim_signature *sig)
{
    ptrdiff_t at = str_rchr(sig->identity, '@');

    return at >= 0 && domain_is_within(str_skip(sig->identity, (size_t)at + 1), sig->domain);
}

static bool queries_dns(struct str q)
{
    struct str item;

    if (!q.p)
        return true;
    while (tags_list_next(&q, &item))
        if (str_eq_z(item, "dns/txt"))
            return true;
    return false;
}

/* RFC 6376 6.1.1. */
static const char *field_parse(struct mailauth_message *m, struct dkim_signature *sig)
{
    const char *why;
    struct tags tags;

    if (sig->field->raw.n > DKIM_FIELD_MAX || tags_parse(sig->field->value, &tags) < 0)
        return "not a list of tags";
    if (!str_eq_z(tags_get(&tags, "v"), "1"))
        return "unknown version";
    if ((why = dkim_signature_parse(m, &tags, sig)))
        return why;
    if (!names_from(sig->names))
        return "From is not signed";
    sig->identity = tags_get(&tags, "i");
    if (sig->identity.p && !identity_fits(sig))
        return "i is not within d";
    if (!queries_dns(tags_get(&tags, "q")))
        return "key is not in the DNS";
    return NULL;
}

static void signature_open(struct mailauth_message *m, struct dkim_signature *sig)
{
    const char *why = field_parse(m, sig);

    if (why)
        decide(sig, DKIM_PERMERROR, why);
    else if (sig->algorithm == DKIM_RSA_SHA1)
        decide(sig, DKIM_POLICY, "rsa-sha1 is too weak"); /* RFC 8301 3.1: "MUST NOT" verify */
    else if ((sig->body = mailauth_body_want(m, sig->body_relaxed, sig->body_limit)) < 0)
        decide(sig, DKIM_POLICY, "too many different signatures");
}

void dkim_collect(struct mailauth_message *m)
{
    size_t n = 0;

    for (size_t i = 0; i < m->nfields; i++)
        n += str_ieq_z(m->fields[i].name, "DKIM-Signature");
    m->nsignatures_seen = n;
    n = size_min(n, MAILAUTH_SIGNATURES_MAX);
    if (n && !(m->signatures = ARENA_ARRAY(&m->arena, n, struct dkim_signature))) {
        m->error = E_NOMEM;
        return;
    }
    for (size_t i = 0; i < m->nfields && m->nsignatures < n; i++) {
        if (!str_ieq_z(m->fields[i].name, "DKIM-Signature"))
            continue;
        m->signatures[m->nsignatures].field = &m->fields[i];
        signature_open(m, &m->signatures[m->nsignatures++]);
    }
}

/* ---- hashing the header ---- */

/* The last field of that name not used yet (RFC 6376 5.4.2: from the bottom up). */
static const struct mailauth_field *take(const struct mailauth_message *m, struct str name, bool *used)
{
    for (size_t i = m->nfields; i-- > 0;) {
        if (used[i] || !str_ieq(m->fields[i].name, name))
            continue;
        used[i] = true;
        return &m->fields[i];
    }
    return NULL; /* 5.4: a field that is not there is the empty string */
}

static int hash_text(EVP_MD_CTX *md, const struct buf *text)
{
    return text->n == 0 || EVP_DigestUpdate(md, text->p, text->n) == 1 ? 0 : E_BUG;
}

static int hash_fields(EVP_MD_CTX *md, const struct mailauth_message *m, struct str names, struct str own,
                       bool relaxed)
{
    CLEANUP(buf_release) struct buf text = { .max = MAILAUTH_HEADER_MAX + KIB(1) };
    bool used[MAILAUTH_FIELDS_MAX] = { false };
    unsigned n = 0;
    struct str name;
    int r = 0;

    while (r == 0 && tags_list_next(&names, &name)) {
        const struct mailauth_field *f = name.n ? take(m, name, used) : NULL;

        if (++n > DKIM_NAMES_MAX)
            return E_LIMIT;
        if (!f)
            continue;
        buf_clear(&text);
        if ((r = canon_header(&text, f->raw, relaxed)) == 0)
            r = hash_text(md, &text);
    }
    buf_clear(&text);
    if (r == 0 && (r = canon_signature(&text, own, relaxed)) == 0)
        r = hash_text(md, &text);
    return r;
}

int dkim_header_hash(const struct mailauth_message *m, struct str names, struct str own, bool relaxed,
                     uint8_t out[DKIM_HASH_BYTES])
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    int r = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 ? 0 : E_NOMEM;

    if (r == 0)
        r = hash_fields(md, m, names, own, relaxed);
    if (r == 0 && EVP_DigestFinal_ex(md, out, NULL) != 1)
        r = E_BUG;
    EVP_MD_CTX_free(md);
    return r;
}

/* ---- verifying ---- */

int dkim_key_find(struct mailauth_message *m, struct lookups *l, const struct dkim_signature *sig,
                  struct dkim_public *out, const char **why_out)
{
    CLEANUP(buf_release) struct buf name = { .max = KIB(1) };
    const struct lookup_answer *a;
    int r = buf_printf(&name, "%.*s._domainkey.%.*s", STR_ARG(sig->selector), STR_ARG(sig->domain));

    if (r < 0)
        name.n = 0;
    if (!(a = lookups_get(l, LOOKUP_TXT, buf_str(&name))))
        return MAILAUTH_WAITS;
    *why_out = a->status == LOOKUP_FAILED ? "key could not be looked up" : "no key";
    for (size_t i = 0; i < a->n; i++)
        if (!(*why_out = dkim_public_parse(&m->arena, a->records[i].text, out)))
            return 0;
    return a->status == LOOKUP_FAILED ? (int)DKIM_TEMPERROR
                                      : (int)DKIM_PERMERROR; /* neither is MAILAUTH_WAITS */
}

/* NULL, or what is wrong with the body; *code_out says how bad. */
static const char *body_check(const struct mailauth_message *m, struct dkim_signature *sig,
                              enum dkim_code *code_out)
{
    uint8_t hash[MAILAUTH_HASH_BYTES];
    uint64_t bytes;

    *code_out = DKIM_TEMPERROR;
    if (!mailauth_body_hash(m, sig->body, hash, &bytes))
        return "out of memory";
    *code_out = DKIM_PERMERROR;
    if (sig->limited && sig->body_limit > bytes)
        return "l is more than there is";
    *code_out = DKIM_FAIL;
    sig->partial = sig->limited && sig->body_limit < bytes;
    if (sig->body_hash.n != sizeof hash || CRYPTO_memcmp(hash, sig->body_hash.p, sizeof hash) != 0)
        return "body was changed";
    return NULL;
}

/* A failure that its signer calls a test is as if it were not signed (RFC 6376 3.6.1, t=y). */
static void decide_failure(struct dkim_signature *sig, enum dkim_code code, const char *why)
{
    decide(sig, code == DKIM_FAIL && sig->testing ? DKIM_NEUTRAL : code, why);
}

static bool same_domain(const struct dkim_signature *sig)
{
    ptrdiff_t at = str_rchr(sig->identity, '@');

    return !sig->identity.p || str_ieq(str_skip(sig->identity, (size_t)(at + 1)), sig->domain);
}

static enum dkim_code signature_verify(struct mailauth_message *m, struct dkim_signature *sig,
                                       const struct dkim_public *key, const char **why)
{
    uint8_t hash[DKIM_HASH_BYTES];
    int r = dkim_header_hash(m, sig->names, sig->field->raw, sig->header_relaxed, hash);

    if (r < 0) {
        *why = "header cannot be hashed";
        return r == E_LIMIT ? DKIM_PERMERROR : DKIM_TEMPERROR;
    }
    *why = dkim_public_verify(key, hash, sig->signature, &sig->key_bits);
    if (!*why)
        return DKIM_PASS;
    if (*why == dkim_wrong_signature)
        return DKIM_FAIL;
    return sig->key_bits && sig->key_bits < DKIM_RSA_BITS_MIN ? DKIM_POLICY : DKIM_PERMERROR;
}

int dkim_signature_check(struct mailauth_message *m, struct lookups *l, struct dkim_signature *sig)
{
    struct dkim_public key = { .algorithm = DKIM_UNKNOWN };
    enum dkim_code code = DKIM_NONE;
    const char *why;
    int r;

    if (sig->code != DKIM_NONE)
        return 0;
    r = dkim_key_find(m, l, sig, &key, &why);
    if (r == MAILAUTH_WAITS || !m->ended)
        return MAILAUTH_WAITS;
    if (r != 0) {
        decide(sig, (enum dkim_code)r, why);
        return 0;
    }
    sig->testing = key.testing;
    if (key.algorithm != sig->algorithm)
        decide(sig, DKIM_PERMERROR, "key is of another type");
    else if (key.same_domain && !same_domain(sig))
        decide(sig, DKIM_PERMERROR, "i is not d, as the key wants");
    else if ((why = body_check(m, sig, &code)) || (code = signature_verify(m, sig, &key, &why)) != DKIM_PASS)
        decide_failure(sig, code, why);
    else
        decide(sig, DKIM_PASS, NULL);
    return 0;
}

int dkim_check(struct mailauth_message *m, struct lookups *l, int64_t now_s)
{
    int waits = 0;

    if (m->error)
        return 0;
    for (size_t i = 0; i < m->nsignatures; i++) {
        struct dkim_signature *sig = &m->signatures[i];

        if (sig->code == DKIM_NONE && sig->expires_s && sig->expires_s < now_s)
            decide(sig, DKIM_FAIL, "signature has expired");
        if (sig->code == DKIM_NONE && sig->made_s > now_s + DKIM_CLOCK_SKEW_S)
            decide(sig, DKIM_PERMERROR, "signature is from the future");
        if (dkim_signature_check(m, l, sig) == MAILAUTH_WAITS)
            waits = MAILAUTH_WAITS;
    }
    return waits || m->ended ? waits : MAILAUTH_WAITS;
}
