#include "lib/mailauth/arc_impl.h"
#include "lib/mailauth/canon.h"
#include "lib/mailauth/dkim_impl.h"
#include <openssl/evp.h>

static const char *const field_names[ARC_FIELDS] = { "ARC-Authentication-Results", "ARC-Message-Signature",
                                                     "ARC-Seal" };

const char *arc_code_name(enum arc_code code)
{
    static const char *const names[] = { "none", "pass", "fail", "temperror" };

    return (unsigned)code < ARRAY_LEN(names) ? names[code] : "none";
}

static int kind_of(struct str name)
{
    for (int i = 0; i < ARC_FIELDS; i++)
        if (str_ieq_z(name, field_names[i]))
            return i;
    return -1;
}

/* 1 to 50; 0: anything else. */
static unsigned instance_of(int kind, struct str value)
{
    struct str i, rest;
    struct tags tags;
    uint32_t n;

    if (kind == ARC_AAR) { /* "i=1; …": the instance comes first (RFC 8617 4.1.1) */
        if (!str_cut(value, ';', &i, &rest) || !str_cut(i, '=', &i, &value) || !str_eq_z(str_trim(i), "i"))
            return 0;
        i = str_trim(value);
    } else {
        if (tags_parse(value, &tags) < 0)
            return 0;
        i = tags_get(&tags, "i");
    }
    return i.n <= 2 && str_to_u32(i, &n) && n >= 1 && n <= ARC_SETS_MAX ? n : 0;
}

static const char *sort_field(struct arc_chain *c, const struct mailauth_field *f, int kind)
{
    unsigned n = instance_of(kind, f->value);
    const struct mailauth_field **slot;

    if (f->raw.n > DKIM_FIELD_MAX)
        return "a field is too long";
    if (n == 0)
        return "a field without a valid instance";
    slot = &c->sets[n - 1].field[kind];
    if (*slot)
        return "a field is there twice";
    *slot = f;
    if (n > c->n)
        c->n = n;
    return NULL;
}

static const char *seal_parse(struct mailauth_message *m, struct arc_set *set, unsigned instance, unsigned n)
{
    const char *why;
    struct tags tags;

    if (tags_parse(set->field[ARC_SEAL]->value, &tags) < 0)
        return "a seal is not a list of tags";
    set->seal.field = set->field[ARC_SEAL];
    set->cv = tags_get(&tags, "cv");
    if ((why = dkim_tags_common(m, &tags, &set->seal)))
        return why;
    if (set->seal.algorithm == DKIM_RSA_SHA1)
        return "rsa-sha1 is too weak";
    if (tags_get(&tags, "h").p)
        return "a seal with h"; /* RFC 8617 4.1.3 */
    if (instance == n && str_eq_z(set->cv, "fail"))
        return "the last seal says that it fails";
    return str_eq_z(set->cv, instance == 1 ? "none" : "pass") ? NULL : "cv is not what it must be";
}

static bool names_seal(struct str names)
{
    struct str item;

    while (tags_list_next(&names, &item))
        if (str_ieq_z(item, "ARC-Seal"))
            return true;
    return false;
}

static const char *newest_parse(struct mailauth_message *m, struct arc_chain *c)
{
    const struct mailauth_field *f = c->sets[c->n - 1].field[ARC_AMS];
    struct tags tags;
    const char *why;

    c->newest.field = f;
    if (tags_parse(f->value, &tags) < 0)
        return "a signature is not a list of tags";
    if ((why = dkim_signature_parse(m, &tags, &c->newest)))
        return why;
    if (c->newest.algorithm == DKIM_RSA_SHA1)
        return "rsa-sha1 is too weak";
    if (names_seal(c->newest.names))
        return "a signature over a seal"; /* RFC 8617 4.1.2 */
    c->newest.body = mailauth_body_want(m, c->newest.body_relaxed, c->newest.body_limit);
    return c->newest.body < 0 ? "too many different signatures" : NULL;
}

static const char *chain_parse(struct mailauth_message *m, struct arc_chain *c)
{
    const char *why;

    for (unsigned i = 0; i < c->n; i++)
        for (int k = 0; k < ARC_FIELDS; k++)
            if (!c->sets[i].field[k])
                return "a field is missing";
    for (unsigned i = 0; i < c->n; i++)
        if ((why = seal_parse(m, &c->sets[i], i + 1, c->n)))
            return why;
    return newest_parse(m, c);
}

void arc_collect(struct mailauth_message *m)
{
    struct arc_chain *c = NULL;

    for (size_t i = 0; i < m->nfields; i++) {
        int kind = kind_of(m->fields[i].name);
        const char *why;

        if (kind < 0)
            continue;
        if (!c && (!(c = ARENA_NEW(&m->arena, struct arc_chain)) ||
                   !(c->sets = ARENA_ARRAY(&m->arena, ARC_SETS_MAX, struct arc_set)))) {
            m->error = E_NOMEM;
            return;
        }
        why = sort_field(c, &m->fields[i], kind);
        if (!c->broken)
            c->broken = why;
    }
    if (c && !c->broken)
        c->broken = chain_parse(m, c);
    m->arc = c;
}

/* ---- verifying ---- */

static int hash_field(EVP_MD_CTX *md, struct str field, bool own)
{
    CLEANUP(buf_release) struct buf text = { .max = DKIM_FIELD_MAX + KIB(1) };
    int r = own ? canon_signature(&text, field, true) : canon_header(&text, field, true);

    return r < 0 ? r : EVP_DigestUpdate(md, text.p, text.n) == 1 ? 0 : E_BUG;
}

static int hash_sets(EVP_MD_CTX *md, const struct arc_chain *c, unsigned first, unsigned n,
                     const struct str *own_aar, const struct str *own_ams, struct str own_seal)
{
    int r = 0;

    for (unsigned i = first; i < n && r == 0; i++)
        for (int k = 0; k < ARC_FIELDS && r == 0; k++)
            r = hash_field(md, c->sets[i - 1].field[k]->raw, false);
    if (r == 0 && (r = hash_field(md, own_aar ? *own_aar : c->sets[n - 1].field[ARC_AAR]->raw, false)) == 0 &&
        (r = hash_field(md, own_ams ? *own_ams : c->sets[n - 1].field[ARC_AMS]->raw, false)) == 0)
        r = hash_field(md, own_seal, true);
    return r;
}

int arc_seal_hash(const struct arc_chain *c, unsigned first, unsigned n, const struct str *own_aar,
                  const struct str *own_ams, struct str own_seal, uint8_t out[DKIM_HASH_BYTES])
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    int r = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 ? 0 : E_NOMEM;

    if (r == 0)
        r = hash_sets(md, c, first, n, own_aar, own_ams, own_seal);
    if (r == 0 && EVP_DigestFinal_ex(md, out, NULL) != 1)
        r = E_BUG;
    EVP_MD_CTX_free(md);
    return r;
}

/* 0, MAILAUTH_WAITS, or a code with *why_out. */
static int seal_check(struct mailauth_message *m, struct lookups *l, unsigned n, const char **why_out)
{
    struct dkim_signature *seal = &m->arc->sets[n - 1].seal;
    struct dkim_public key = { .algorithm = DKIM_UNKNOWN };
    uint8_t hash[DKIM_HASH_BYTES];
    int r;

    if (seal->code == DKIM_PASS)
        return 0;
    if ((r = dkim_key_find(m, l, seal, &key, why_out)) != 0)
        return r;
    *why_out = "key is of another type";
    if (key.algorithm != seal->algorithm)
        return DKIM_PERMERROR;
    if (arc_seal_hash(m->arc, 1, n, NULL, NULL, seal->field->raw, hash) < 0) {
        *why_out = "out of memory";
        return DKIM_TEMPERROR;
    }
    if ((*why_out = dkim_public_verify(&key, hash, seal->signature, &seal->key_bits)))
        return *why_out == dkim_wrong_signature ? DKIM_FAIL : DKIM_PERMERROR;
    seal->code = DKIM_PASS;
    return 0;
}

static void fail(struct arc_result *res, int code, const char *why)
{
    if (res->code == ARC_FAIL)
        return; /* what fails for certain stands */
    res->code = code == DKIM_TEMPERROR ? ARC_TEMPERROR : ARC_FAIL;
    res->why = why;
}

int arc_check(struct mailauth_message *m, struct lookups *l, struct arc_result *out)
{
    struct arc_result res = { .code = ARC_PASS };
    struct arc_chain *c = m->arc;
    bool waits = !m->ended;

    if (!c || m->error) {
        *out = (struct arc_result){ .code = ARC_NONE };
        return m->in_body ? 0 : MAILAUTH_WAITS;
    }
    res.sets = c->n;
    if (c->n && c->sets[c->n - 1].seal.field) {
        res.domain = c->sets[c->n - 1].seal.domain;
        res.sealed_fail = str_eq_z(c->sets[c->n - 1].cv, "fail");
    }
    if (c->broken) {
        fail(&res, ARC_FAIL, c->broken);
        *out = res;
        return 0;
    }
    if (dkim_signature_check(m, l, &c->newest) == MAILAUTH_WAITS)
        waits = true;
    for (unsigned n = c->n; n >= 1; n--) {
        const char *why = NULL;
        int r = seal_check(m, l, n, &why);

        waits = waits || r == MAILAUTH_WAITS;
        if (r != 0 && r != MAILAUTH_WAITS)
            fail(&res, r, why);
    }
    if (waits)
        return MAILAUTH_WAITS;
    if (c->newest.code != DKIM_PASS)
        fail(&res, (int)c->newest.code, c->newest.why);
    *out = res;
    return 0;
}
