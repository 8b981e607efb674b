#include "lib/mailauth/arc_impl.h"
#include "lib/mailauth/dkim_impl.h"

/* Line ends only where white space follows: nothing in it can start a field. */
static bool results_valid(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool folds = i + 1 < s.n && (s.p[i + 1] == ' ' || s.p[i + 1] == '\t');

        if (c == '\r'   ? !(i + 1 < s.n && s.p[i + 1] == '\n')
            : c == '\n' ? !folds || !i || s.p[i - 1] != '\r'
                        : c < ' ' && c != '\t')
            return false;
    }
    return s.n > 0 && s.n < KIB(8);
}

struct seal {
    struct mailauth_message *m;
    const struct dkim_signer *s;
    const struct arc_result *chain;
    struct str names;
    unsigned instance;
    struct buf aar, ams, seal;
};

static void seal_release(struct seal *s)
{
    buf_release(&s->aar);
    buf_release(&s->ams);
    buf_release(&s->seal);
}

/* head + "b=" + value + tail; without a hash b stays empty. The base64 is one line up to 900 bytes: the public
 * vectors have signatures over it in that form, and white space in it would count. */
static int finish(const struct seal *k, const char *name, const struct buf *tail,
                  const uint8_t hash[DKIM_HASH_BYTES], struct buf *out)
{
    CLEANUP(buf_release) struct buf b = { .max = KIB(2) };
    struct sigtext t = { out, 0 };
    int r;

    out->n = 0;
    if ((r = buf_printf(out, "%s: a=%s;\r\n\tb=", name,
                        dkim_algorithm_name(dkim_private_algorithm(k->s->key)))) < 0 ||
        (hash && (r = dkim_private_sign(k->s->key, hash, &b)) < 0))
        return r;
    t.column = 3; /* after the tab and "b=" */
    r = b.n <= 900 ? buf_puts(out, buf_str(&b)) : sigtext_wrap(&t, buf_str(&b));
    if (r < 0)
        return r;
    return buf_puts(out, buf_str(tail));
}

static int put_ams_tail(const struct seal *k, int body, struct buf *tail)
{
    CLEANUP(buf_release) struct buf bh = { .max = 64 };
    struct sigtext t = { tail, 80 };
    char i[16], when[24];
    uint8_t hash[MAILAUTH_HASH_BYTES];
    uint64_t bytes;
    int r;

    if (!mailauth_body_hash(k->m, body, hash, &bytes))
        return E_BUG;
    snprintf(i, sizeof i, "%u", k->instance);
    snprintf(when, sizeof when, "%lld", (long long)k->s->now_s);
    if ((r = base64_put(&bh, hash, sizeof hash)) < 0 || (r = buf_putc(tail, ';')) < 0 ||
        (r = sigtext_tag(&t, "bh", buf_str(&bh), false)) < 0 ||
        (r = sigtext_tag(&t, "c", k->s->body_simple ? STR("relaxed/simple") : STR("relaxed/relaxed"),
                         false)) < 0 ||
        (r = sigtext_tag(&t, "d", k->s->domain, false)) < 0 ||
        (r = sigtext_tag(&t, "h", k->names, false)) < 0 ||
        (r = sigtext_tag(&t, "i", str_from(i), false)) < 0 ||
        (r = sigtext_tag(&t, "s", k->s->selector, false)) < 0 ||
        (r = sigtext_tag(&t, "t", str_from(when), true)) < 0)
        return r;
    return buf_putz(tail, "\r\n");
}

static int make_ams(struct seal *k, int body)
{
    CLEANUP(buf_release) struct buf tail = { .max = KIB(8) };
    uint8_t hash[DKIM_HASH_BYTES];
    int r;

    if ((r = put_ams_tail(k, body, &tail)) < 0 ||
        (r = finish(k, "ARC-Message-Signature", &tail, NULL, &k->ams)) < 0 ||
        (r = dkim_header_hash(k->m, k->names, buf_str(&k->ams), true, hash)) < 0)
        return r;
    return finish(k, "ARC-Message-Signature", &tail, hash, &k->ams);
}

static int put_seal_tail(const struct seal *k, struct buf *tail)
{
    struct sigtext t = { tail, 80 };
    char i[16], when[24];
    int r;

    snprintf(i, sizeof i, "%u", k->instance);
    snprintf(when, sizeof when, "%lld", (long long)k->s->now_s);
    if ((r = buf_putc(tail, ';')) < 0 ||
        (r = sigtext_tag(&t, "cv", str_from(arc_code_name(k->chain->code)), false)) < 0 ||
        (r = sigtext_tag(&t, "d", k->s->domain, false)) < 0 ||
        (r = sigtext_tag(&t, "i", str_from(i), false)) < 0 ||
        (r = sigtext_tag(&t, "s", k->s->selector, false)) < 0 ||
        (r = sigtext_tag(&t, "t", str_from(when), true)) < 0)
        return r;
    return buf_putz(tail, "\r\n");
}

/* RFC 8617 5.1.2: a seal that says "fail" covers its own set only, since the others may be anything. */
static int make_seal(struct seal *k)
{
    CLEANUP(buf_release) struct buf tail = { .max = KIB(2) };
    struct str aar = buf_str(&k->aar), ams = buf_str(&k->ams);
    unsigned first = k->chain->code == ARC_PASS ? 1 : k->instance;
    uint8_t hash[DKIM_HASH_BYTES];
    int r;

    if ((r = put_seal_tail(k, &tail)) < 0 || (r = finish(k, "ARC-Seal", &tail, NULL, &k->seal)) < 0 ||
        (r = arc_seal_hash(k->m->arc, first, k->instance, &aar, &ams, buf_str(&k->seal), hash)) < 0)
        return r;
    return finish(k, "ARC-Seal", &tail, hash, &k->seal);
}

static int seal_make(struct seal *k, int body, struct str results, struct buf *out)
{
    size_t was = out->n;
    int r;

    if ((r = buf_printf(&k->aar, "ARC-Authentication-Results: i=%u; ", k->instance)) < 0 ||
        (r = buf_puts(&k->aar, results)) < 0 || (r = buf_putz(&k->aar, "\r\n")) < 0 ||
        (r = make_ams(k, body)) < 0 || (r = make_seal(k)) < 0 || (r = buf_puts(out, buf_str(&k->seal))) < 0 ||
        (r = buf_puts(out, buf_str(&k->ams))) < 0 || (r = buf_puts(out, buf_str(&k->aar))) < 0)
        out->n = was;
    return r;
}

static bool signer_valid(const struct dkim_signer *s, struct str names)
{
    for (size_t i = 0; i < names.n; i++)
        if (names.p[i] <= ' ' || names.p[i] > '~' || names.p[i] == ';')
            return false;
    return names.n && domain_is_plain(s->domain) && domain_is_plain(s->selector) &&
           str_ifind(names, STR("arc-seal")) < 0;
}

int arc_seal(struct mailauth_message *m, const struct dkim_signer *s, int body,
             const struct arc_result *chain, struct str results, struct buf *out)
{
    CLEANUP(buf_release) struct buf listed = { .max = KIB(4) };
    CLEANUP(seal_release)
    struct seal k = { .m = m, .s = s, .chain = chain, .names = s->names, .instance = chain->sets + 1 };
    int r;

    k.aar.max = k.ams.max = k.seal.max = KIB(16);
    results = str_trim(results);
    if (m->error)
        return m->error;
    if (chain->code == ARC_TEMPERROR)
        return E_UNAVAIL;
    if (chain->sealed_fail || k.instance > ARC_SETS_MAX)
        return E_DENIED;
    if (!k.names.n) {
        if ((r = dkim_default_names(m, true, &listed)) < 0)
            return r;
        k.names = buf_str(&listed);
    }
    if (!signer_valid(s, k.names) || !results_valid(results))
        return E_SYNTAX;
    return seal_make(&k, body, results, out);
}
