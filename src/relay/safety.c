/* src/relay/safety.c: what counts for one host: its own records (DANE, RFC 7672), the domain's policy (MTA-STS, RFC 8461),
 * what the message asks for (REQUIRETLS, RFC 8689), in this order. Where DANE says who a host is, MTA-STS has no say. */
#include "lib/base/log.h"
#include "src/relay/relay.h"
#include <openssl/evp.h>

const char *relay_verdict_result(enum tls_verdict v, enum tls_need need)
{
    switch (v) {
    case TLS_WRONG_NAME: return "certificate-host-mismatch";
    case TLS_EXPIRED: return "certificate-expired";
    case TLS_UNTRUSTED: return need == TLS_DANE ? "validation-failure" : "certificate-not-trusted";
    case TLS_FINE:
    case TLS_INVALID: break;
    }
    return "validation-failure";
}

static void hash_str(EVP_MD_CTX *c, struct str s)
{
    uint8_t n[4] = { (uint8_t)(s.n >> 24), (uint8_t)(s.n >> 16), (uint8_t)(s.n >> 8), (uint8_t)s.n };

    EVP_DigestUpdate(c, n, sizeof n);
    EVP_DigestUpdate(c, s.p, s.n);
}

/* A name for all that has to be proven, so that what was proven of another set of records is not taken for it. */
static uint64_t tag_of(const struct tls_peer *p)
{
    uint8_t out[EVP_MAX_MD_SIZE] = { 0 };
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    uint64_t tag = 0;

    if (c && EVP_DigestInit_ex(c, EVP_sha256(), NULL) == 1) {
        hash_str(c, p->need == TLS_DANE ? STR("dane") : STR("pkix"));
        for (size_t i = 0; i < TLS_PEER_NAMES_MAX; i++)
            hash_str(c, str_from(p->names[i]));
        for (size_t i = 0; i < p->ntlsa; i++) {
            uint8_t head[3] = { p->tlsa[i].usage, p->tlsa[i].selector, p->tlsa[i].matching };

            EVP_DigestUpdate(c, head, sizeof head);
            hash_str(c, p->tlsa[i].data);
        }
        EVP_DigestFinal_ex(c, out, NULL);
    }
    EVP_MD_CTX_free(c);
    memcpy(&tag, out, sizeof tag);
    return tag | 1;
}

/* The records as lines "3 1 1 ab…" (RFC 8460 4.4, policy-string). */
static struct str tlsa_text(struct arena *a, const struct dane *d)
{
    CLEANUP(buf_release) struct buf b = { .max = KIB(16) };
    int r = 0;

    for (size_t i = 0; i < d->n && r == 0; i++) {
        const struct tls_tlsa *t = &d->v[i];

        r = buf_printf(&b, "%s%u %u %u ", i ? "\n" : "", t->usage, t->selector, t->matching);
        for (size_t k = 0; k < t->data.n && k < 64 && r == 0; k++)
            r = buf_printf(&b, "%02x", (unsigned)(uint8_t)t->data.p[k]);
    }
    return r < 0 ? STR_NONE : arena_dup(a, buf_str(&b));
}

/* RFC 7672 3.2.1: who the records are of, who mail is for (where the list of hosts is authenticated, as it is here), and the
 * name that aliases began with. */
static bool by_dane(struct arena *a, const struct route_host *h, const struct dane *d, struct str domain,
                    struct need *n)
{
    n->peer = (struct tls_peer){ .need = TLS_DANE, .tlsa = d->v, .ntlsa = d->n };
    n->peer.names[0] = arena_dupz(a, d->base);
    n->peer.names[1] = arena_dupz(a, domain);
    n->peer.names[2] = arena_dupz(a, h->name);
    n->policy = RELAY__TLS_NOTE__POLICY__TLSA;
    n->policy_text = tlsa_text(a, d);
    n->strict = true;
    n->tag = tag_of(&n->peer);
    return n->peer.names[0] != NULL;
}

static bool by_name(struct arena *a, const struct route_host *h, bool strict, struct need *n)
{
    n->peer = (struct tls_peer){ .need = TLS_PKIX, .names = { arena_dupz(a, h->name) } };
    n->strict = n->strict || strict;
    n->tag = tag_of(&n->peer);
    return n->peer.names[0] != NULL;
}

/* The policy's lines. */
static struct str sts_text(struct arena *a, const struct sts_policy *p)
{
    CLEANUP(buf_release) struct buf b = { .max = STS_TEXT_MAX + KIB(1) };
    struct str mx;
    size_t at = 0, n = 0;
    int r = buf_printf(&b, "version: STSv1\nmode: %s", sts_mode_name(p->mode));

    while (r == 0 && n++ < 50 && sts_policy_mx(p, &at, &mx))
        r = buf_printf(&b, "\nmx: %.*s", STR_ARG(mx));
    if (r == 0)
        r = buf_printf(&b, "\nmax_age: %u", p->max_age_s);
    return r < 0 ? STR_NONE : arena_dup(a, buf_str(&b));
}

static bool by_policy(struct arena *a, const struct safety *f, const struct route_host *h, struct need *n)
{
    bool enforce = f->sts.mode == STS_ENFORCE;

    n->policy = RELAY__TLS_NOTE__POLICY__STS;
    n->policy_text = sts_text(a, &f->sts);
    if (sts_policy_allows(&f->sts, h->name))
        return by_name(a, h, enforce, n);
    n->result = "validation-failure";
    n->why = "the mail server is not among those that the domain's policy (MTA-STS) names";
    return !enforce; /* a policy that is tested is told of it */
}

/* RFC 8689 4.2.1: the host has to be vouched for, by DNSSEC or by a policy, and its certificate too. */
static bool by_message(struct arena *a, const struct safety *f, const struct route *r,
                       const struct route_host *h, struct need *n)
{
    n->strict = true;
    if (h->own || h->verify || n->peer.need == TLS_DANE)
        return true;
    if (!r->secure && !(f->sts_applies && sts_policy_allows(&f->sts, h->name))) {
        n->result = NULL;
        n->why =
            "nobody vouches for the domain's mail servers (neither DNSSEC nor MTA-STS), which REQUIRETLS asks for";
        return false;
    }
    return n->peer.need == TLS_PKIX || by_name(a, h, true, n);
}

bool relay_need_of(struct arena *a, const struct safety *f, const struct route *r, const struct route_host *h,
                   const struct dane *d, struct str domain, struct need *out)
{
    *out = (struct need){ .policy = RELAY__TLS_NOTE__POLICY__NONE };
    if (f->counts && !h->own && d && d->state == DANE_USABLE) {
        if (!by_dane(a, h, d, domain, out))
            return false;
    } else if (f->counts && !h->own) {
        if (d && d->state == DANE_UNUSABLE) {
            out->policy = RELAY__TLS_NOTE__POLICY__TLSA;
            out->strict = true;
        }
        if (f->sts_applies && !by_policy(a, f, h, out))
            return false;
    }
    return !f->requiretls || by_message(a, f, r, h, out);
}
