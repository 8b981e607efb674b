/* check_host (RFC 7208 4), written as the RFC tells it: a recursive function that asks for what it needs.
 * When an answer is not there yet the whole evaluation ends with WAITS and starts over later (lookup.h).
 * One run costs at most SPF_TERMS_MAX records of SPF_RECORD_MAX bytes to parse.
 *
 * Inside, functions that evaluate return an spf_code, or WAITS. */
#include "lib/mailauth/spf.h"
#include "lib/mailauth/spf_record.h"
#include <arpa/inet.h>

enum { WAITS = 100, NO_MATCH, MATCH };

struct eval {
    struct lookups *l;
    const struct spf_request *rq;
    struct spf_result *res;
    struct str sender, local, sender_domain;
    unsigned terms, voids;
};

/* One record under evaluation. */
struct record {
    struct str text, domain;
    struct str redirect, explanation; /* domain-specs; .p NULL: none */
};

static int check_host(struct eval *e, struct str domain, unsigned depth, bool top);

static int permerror(struct eval *e, const char *problem)
{
    e->res->problem = problem;
    return SPF_PERMERROR;
}

int spf_ip_parse(struct str text, struct spf_ip *out)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    struct spf_ip ip = { 0 };
    char z[64];

    if (text.n == 0 || text.n >= sizeof z)
        return E_SYNTAX;
    memcpy(z, text.p, text.n);
    z[text.n] = '\0';
    if (inet_pton(AF_INET, z, ip.bytes) != 1) {
        if (inet_pton(AF_INET6, z, ip.bytes) != 1)
            return E_SYNTAX;
        ip.v6 = true;
    }
    if (ip.v6 && memcmp(ip.bytes, mapped, sizeof mapped) == 0) {
        memmove(ip.bytes, ip.bytes + 12, 4);
        memset(ip.bytes + 4, 0, 12);
        ip.v6 = false;
    }
    *out = ip;
    return 0;
}

const char *spf_code_name(enum spf_code code)
{
    static const char *const names[] = { "none",     "neutral",   "pass",     "fail",
                                         "softfail", "temperror", "permerror" };

    return (unsigned)code < ARRAY_LEN(names) ? names[code] : "none";
}

static bool same_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned bytes = bits / 8, rest = bits % 8;

    return memcmp(a, b, bytes) == 0 && (rest == 0 || ((a[bytes] ^ b[bytes]) >> (8 - rest)) == 0);
}

/* ---- names ---- */

/* Does `name` have the client's address? MATCH, NO_MATCH, WAITS or SPF_TEMPERROR. *void_out: no records. */
static int has_address(struct eval *e, struct str name, const struct spf_term *t, bool *void_out)
{
    const struct spf_ip *ip = &e->rq->ip;
    const struct lookup_answer *a = lookups_get(e->l, ip->v6 ? LOOKUP_AAAA : LOOKUP_A, name);

    if (!a)
        return WAITS;
    *void_out = a->status == LOOKUP_NODATA || a->status == LOOKUP_NXDOMAIN;
    if (a->status == LOOKUP_FAILED)
        return SPF_TEMPERROR;
    for (size_t i = 0; i < a->n; i++)
        if (same_prefix(a->records[i].ip, ip->bytes, ip->v6 ? t->prefix6 : t->prefix4))
            return MATCH;
    return NO_MATCH;
}

/* RFC 7208 4.6.4: more than two look-ups that find nothing are an error. */
static int count_void(struct eval *e, bool is_void, int then)
{
    if (is_void && ++e->voids > SPF_VOIDS_MAX)
        return permerror(e, "too many look-ups that find nothing");
    return then;
}

/* The client's PTR names; NULL: wait. */
static const struct lookup_answer *client_names(struct eval *e)
{
    CLEANUP(buf_release) struct buf name = { .max = 128 };

    if (spf_reverse_name(&name, &e->rq->ip) < 0)
        name.n = 0; /* then the name is malformed, and does not exist */
    return lookups_get(e->l, LOOKUP_PTR, buf_str(&name));
}

/* Is `name` one of the client's for sure (5.5)? A failing look-up is "no". */
static int name_valid(struct eval *e, struct str name)
{
    static const struct spf_term host = { .prefix4 = 32, .prefix6 = 128 };
    bool is_void;
    int r = has_address(e, name, &host, &is_void);

    return r == SPF_TEMPERROR ? NO_MATCH : r;
}

static struct str undotted(struct str s)
{
    return s.n && s.p[s.n - 1] == '.' ? str_slice(s, 0, s.n - 1) : s;
}

/* Macro p (7.3): the domain itself, else a name below it, else any; else "unknown". 0 or WAITS. */
static int validated_name(struct eval *e, struct str domain, struct str *out)
{
    const struct lookup_answer *ptr = client_names(e);
    unsigned best = 0;
    bool waits = !ptr;

    *out = STR("unknown");
    for (size_t i = 0; ptr && ptr->status == LOOKUP_OK && i < size_min(ptr->n, SPF_NAMES_MAX); i++) {
        struct str name = undotted(ptr->records[i].text);
        unsigned rank = str_ieq(name, domain) ? 3 : domain_is_within(name, domain) ? 2 : 1;
        int r = name_valid(e, name);

        waits = waits || r == WAITS;
        if (r == MATCH && rank > best) {
            best = rank;
            *out = name;
        }
    }
    return waits ? WAITS : 0;
}

static int expand(struct eval *e, struct str spec, struct str domain, struct buf *out)
{
    struct spf_macros m = { .rq = e->rq,
                            .sender = e->sender,
                            .local = e->local,
                            .sender_domain = e->sender_domain,
                            .domain = domain };

    if (spf_macro_needs_p(spec) && validated_name(e, domain, &m.validated) == WAITS)
        return WAITS;
    return spf_macro_expand(out, spec, &m);
}

/* The name that a term is about. 0, WAITS, or SPF_PERMERROR. */
static int target(struct eval *e, const struct record *rec, struct str spec, struct buf *out)
{
    int r = spec.n ? expand(e, spec, rec->domain, out) : buf_puts(out, rec->domain);

    if (r == WAITS)
        return WAITS;
    if (r < 0)
        return permerror(e, "a name that is too long");
    if (out->n && out->p[out->n - 1] == '.')
        out->n--;
    while (out->n >
           LOOKUP_NAME_MAX) { /* 7.3: "the left side is truncated … removing successive domain labels" */
        ptrdiff_t dot = str_chr(buf_str(out), '.');

        buf_drop(out, dot < 0 ? out->n : (size_t)dot + 1);
    }
    return 0;
}

/* ---- mechanisms: MATCH, NO_MATCH, WAITS or an spf_code that ends it all ---- */

static int match_a(struct eval *e, const struct spf_term *t, struct str name)
{
    bool is_void = false;
    int r = has_address(e, name, t, &is_void);

    return count_void(e, is_void, r);
}

static int match_mx(struct eval *e, const struct spf_term *t, struct str name)
{
    const struct lookup_answer *mx = lookups_get(e->l, LOOKUP_MX, name);
    bool waits = false, is_void;

    if (!mx)
        return WAITS;
    if (mx->status != LOOKUP_OK)
        return mx->status == LOOKUP_FAILED ? SPF_TEMPERROR : count_void(e, true, NO_MATCH);
    if (mx->n > SPF_NAMES_MAX)
        return permerror(e, "more than ten MX records");
    for (size_t i = 0; i < mx->n; i++) {
        int r = has_address(e, mx->records[i].text, t, &is_void);

        if (r == MATCH && !waits)
            return MATCH;
        if (r == SPF_TEMPERROR && !waits)
            return r;
        waits = waits || r == WAITS; /* ask for the others too, at once */
    }
    return waits ? WAITS : NO_MATCH;
}

static int match_ptr(struct eval *e, const struct spf_term *t, struct str name)
{
    const struct lookup_answer *ptr = client_names(e);
    bool waits = false;

    (void)t;
    if (!ptr)
        return WAITS;
    if (ptr->status != LOOKUP_OK) /* 5.5: a DNS error is "no match" */
        return count_void(e, ptr->status != LOOKUP_FAILED, NO_MATCH);
    for (size_t i = 0; i < size_min(ptr->n, SPF_NAMES_MAX); i++) {
        struct str found = undotted(ptr->records[i].text);
        int r = domain_is_within(found, name) ? name_valid(e, found) : NO_MATCH;

        if (r == MATCH)
            return MATCH;
        waits = waits || r == WAITS;
    }
    return waits ? WAITS : NO_MATCH;
}

static int match_exists(struct eval *e, const struct spf_term *t, struct str name)
{
    const struct lookup_answer *a =
        lookups_get(e->l, LOOKUP_A, name); /* A, whatever the client's family is (5.7) */

    (void)t;
    if (!a)
        return WAITS;
    if (a->status == LOOKUP_FAILED)
        return SPF_TEMPERROR;
    return a->status == LOOKUP_OK ? MATCH : count_void(e, true, NO_MATCH);
}

static int match_ip(struct eval *e, const struct spf_term *t)
{
    const struct spf_ip *ip = &e->rq->ip;

    if (ip->v6 != (t->mechanism == SPF_IP6))
        return NO_MATCH;
    return same_prefix(ip->bytes, t->ip, ip->v6 ? t->prefix6 : t->prefix4) ? MATCH : NO_MATCH;
}

/* The table of 5.2. */
static int match_include(struct eval *e, struct str name, unsigned depth)
{
    int r = check_host(e, name, depth + 1, false);

    switch (r) {
    case SPF_PASS: return MATCH;
    case SPF_FAIL:
    case SPF_SOFTFAIL:
    case SPF_NEUTRAL: return NO_MATCH;
    case SPF_NONE: return permerror(e, "includes a domain without a record");
    default: return r;
    }
}

static int match_term(struct eval *e, const struct record *rec, const struct spf_term *t, unsigned depth)
{
    static int (*const matchers[])(struct eval *, const struct spf_term *, struct str) = {
        [SPF_A] = match_a,
        [SPF_MX] = match_mx,
        [SPF_PTR] = match_ptr,
        [SPF_EXISTS] = match_exists,
    };
    CLEANUP(buf_release) struct buf name = { .max = KIB(4) };
    int r;

    if (t->mechanism == SPF_ALL)
        return MATCH;
    if (t->mechanism == SPF_IP4 || t->mechanism == SPF_IP6)
        return match_ip(e, t);
    if (++e->terms > SPF_TERMS_MAX)
        return permerror(e, "more than ten terms that need look-ups");
    if ((r = target(e, rec, t->domain, &name)) != 0)
        return r;
    return t->mechanism == SPF_INCLUDE ? match_include(e, buf_str(&name), depth)
                                       : matchers[t->mechanism](e, t, buf_str(&name));
}

/* ---- records ---- */

static struct str next_word(struct str *text)
{
    struct str word = { text->p, 0 };

    while (text->n && *text->p == ' ')
        *text = str_skip(*text, 1);
    str_cut(*text, ' ', &word, text);
    return word;
}

/* The whole record is parsed before any of it counts: "syntax errors anywhere" (4.6). False: permerror. */
static bool record_scan(struct eval *e, struct record *rec)
{
    struct str rest = rec->text, word;
    struct spf_term t;

    while ((word = next_word(&rest)).n) {
        struct str *slot;

        if (spf_term_parse(word, &t) < 0) {
            (void)permerror(e, "a term that is not well-formed");
            return false;
        }
        slot = t.mechanism == SPF_REDIRECT ? &rec->redirect
               : t.mechanism == SPF_EXP    ? &rec->explanation
                                           : NULL;
        if (slot && slot->p) {
            (void)permerror(e, "redirect or exp is there twice");
            return false;
        }
        if (slot)
            *slot = t.domain;
    }
    return true;
}

/* The domain's explanation (6.2): any trouble, and there is none. 0 or WAITS. */
static int explain(struct eval *e, const struct record *rec)
{
    CLEANUP(buf_release) struct buf name = { .max = KIB(4) }, text = { .max = KIB(4) };
    const struct lookup_answer *a;
    int r;

    if (!rec->explanation.p)
        return 0;
    if ((r = target(e, rec, rec->explanation, &name)) != 0) {
        e->res->problem = NULL;
        return r == WAITS ? WAITS : 0;
    }
    if (!(a = lookups_get(e->l, LOOKUP_TXT, buf_str(&name))))
        return WAITS;
    if (a->status != LOOKUP_OK || a->n != 1 || !spf_macro_valid(a->records[0].text, true))
        return 0;
    if ((r = expand(e, a->records[0].text, rec->domain, &text)) == WAITS)
        return WAITS;
    if (r < 0 || text.n > SPF_EXPLANATION_MAX)
        return 0;
    for (size_t i = 0; i < text.n; i++) /* macros bring in foreign bytes: HELO, local-part */
        e->res->explanation[i] = text.p[i] >= ' ' && text.p[i] <= '~' ? text.p[i] : '?';
    e->res->explanation[text.n] = '\0';
    return 0;
}

static void note_mechanism(struct eval *e, struct str word)
{
    size_t n = size_min(word.n, sizeof e->res->mechanism - 1);

    memcpy(e->res->mechanism, word.p, n); /* printable: it parsed */
    e->res->mechanism[n] = '\0';
}

static int matched(struct eval *e, const struct record *rec, const struct spf_term *t, struct str word,
                   bool top)
{
    if (!top)
        return (int)t->qualifier;
    note_mechanism(e, word);
    if (t->qualifier == SPF_FAIL && explain(e, rec) == WAITS)
        return WAITS;
    return (int)t->qualifier;
}

static int record_eval(struct eval *e, struct record *rec, unsigned depth, bool top)
{
    CLEANUP(buf_release) struct buf name = { .max = KIB(4) };
    struct str rest = rec->text, word;
    int r;

    if (!record_scan(e, rec))
        return SPF_PERMERROR;
    while ((word = next_word(&rest)).n) {
        struct spf_term t;

        if (spf_term_parse(word, &t) < 0 || t.mechanism >= SPF_REDIRECT)
            continue;
        r = match_term(e, rec, &t, depth);
        if (r == MATCH)
            return matched(e, rec, &t, word, top);
        if (r != NO_MATCH)
            return r;
    }
    if (!rec->redirect.p)
        return SPF_NEUTRAL; /* 4.7 */
    if (++e->terms > SPF_TERMS_MAX)
        return permerror(e, "more than ten terms that need look-ups");
    if ((r = target(e, rec, rec->redirect, &name)) != 0)
        return r;
    r = check_host(e, buf_str(&name), depth + 1, top);
    return r == SPF_NONE ? permerror(e, "redirects to a domain without a record") : r;
}

static bool is_spf(struct str text)
{
    return str_istarts(text, STR("v=spf1")) && (text.n == 6 || text.p[6] == ' ');
}

static int check_host(struct eval *e, struct str domain, unsigned depth, bool top)
{
    const struct lookup_answer *a;
    struct record rec = { .domain = domain };
    size_t found = 0;

    domain = rec.domain = undotted(domain);
    if (!domain_is_fqdn(domain) || depth > SPF_TERMS_MAX)
        return SPF_NONE; /* 4.3 */
    if (!(a = lookups_get(e->l, LOOKUP_TXT, domain)))
        return WAITS;
    if (a->status == LOOKUP_FAILED)
        return SPF_TEMPERROR;
    for (size_t i = 0; i < a->n; i++) {
        if (!is_spf(a->records[i].text))
            continue;
        rec.text = str_skip(a->records[i].text, 6);
        found++;
    }
    if (found > 1)
        return permerror(e, "more than one record");
    if (rec.text.n > SPF_RECORD_MAX)
        return permerror(e, "a record that is too long");
    return found ? record_eval(e, &rec, depth, top) : SPF_NONE;
}

/* RFC 7208 2.4, 4.3: no sender is postmaster@helo, no local-part is postmaster. False: out of memory. */
static bool identity(struct eval *e, struct buf *sender)
{
    ptrdiff_t at = str_rchr(e->rq->sender, '@');

    e->local = at > 0 ? str_slice(e->rq->sender, 0, (size_t)at) : STR("postmaster");
    e->sender_domain = e->rq->sender.n == 0 ? e->rq->helo : str_skip(e->rq->sender, (size_t)(at + 1));
    if (buf_puts(sender, e->local) < 0 || buf_putc(sender, '@') < 0 || buf_puts(sender, e->sender_domain) < 0)
        return false;
    e->sender = buf_str(sender);
    return true;
}

int spf_check(struct lookups *l, const struct spf_request *rq, struct spf_result *out)
{
    CLEANUP(buf_release) struct buf sender = { .max = KIB(2) };
    struct spf_result res = { .problem = NULL };
    struct eval e = { .l = l, .rq = rq, .res = &res };
    struct str domain;
    int r;

    if (!identity(&e, &sender)) {
        *out = (struct spf_result){ .code = SPF_PERMERROR, .problem = "an address that is too long" };
        return 0;
    }
    domain = undotted(e.sender_domain);
    r = check_host(&e, e.sender_domain, 0, true);
    if (r == WAITS)
        return MAILAUTH_WAITS;
    res.code = (enum spf_code)r;
    if (res.code != SPF_PERMERROR)
        res.problem = NULL;
    if (domain.n < sizeof res.domain && domain.n)
        memcpy(res.domain, domain.p, domain.n);
    *out = res;
    return 0;
}

/* ---- Received-SPF ---- */

static bool in_plain(char c)
{
    return c && strchr("-._", c);
}

/* dot-atom or quoted-string (RFC 7208 9.1), foreign bytes made harmless. */
static int put_value(struct buf *out, const char *key, struct str s)
{
    bool plain = s.n > 0;
    int r;

    for (size_t i = 0; i < s.n; i++)
        plain = plain && (ascii_alpha(s.p[i]) || ascii_digit(s.p[i]) || in_plain(s.p[i]));
    if ((r = buf_printf(out, ";\r\n\t%s=%s", key, plain ? "" : "\"")) < 0)
        return r;
    for (size_t i = 0; i < s.n && i < 320 && r == 0; i++) {
        char c = s.p[i];

        if (c < ' ' || c > '~')
            c = '?';
        r = c == '"' || c == '\\' ? buf_printf(out, "\\%c", c) : buf_putc(out, c);
    }
    return r < 0 || plain ? r : buf_putc(out, '"');
}

static int put_comment(struct buf *out, const struct spf_request *rq, const struct spf_result *res)
{
    static const char *const says[] = {
        [SPF_NONE] = "has no SPF record",
        [SPF_NEUTRAL] = "says nothing about",
        [SPF_PASS] = "permits",
        [SPF_FAIL] = "does not permit",
        [SPF_SOFTFAIL] = "would rather not permit",
        [SPF_TEMPERROR] = "could not be looked up for",
        [SPF_PERMERROR] = "has a faulty SPF record for",
    };
    struct str domain = str_from(res->domain);

    return buf_printf(out, " (%.*s: %.*s %s%s)",
                      STR_ARG(domain_is_plain(rq->receiver) ? rq->receiver : STR("mx")),
                      STR_ARG(domain_is_plain(domain) ? domain : STR("the domain")), says[res->code],
                      res->code == SPF_NONE ? "" : " this client");
}

static int put_received(struct buf *out, const struct spf_request *rq, const struct spf_result *res,
                        const char *identity_name)
{
    char ip[INET6_ADDRSTRLEN] = "";
    int r;

    if (!inet_ntop(rq->ip.v6 ? AF_INET6 : AF_INET, rq->ip.bytes, ip, sizeof ip))
        return E_BUG;
    if ((r = buf_printf(out, "Received-SPF: %s", spf_code_name(res->code))) < 0 ||
        (r = put_comment(out, rq, res)) < 0 ||
        (r = buf_printf(out, "\r\n\tidentity=%s", identity_name)) < 0 ||
        (r = put_value(out, "client-ip", str_from(ip))) < 0 || (r = put_value(out, "helo", rq->helo)) < 0 ||
        (r = put_value(out, "envelope-from", rq->sender)) < 0 ||
        (r = put_value(out, "receiver", rq->receiver)) < 0 ||
        (r = res->mechanism[0] ? put_value(out, "mechanism", str_from(res->mechanism)) : 0) < 0 ||
        (r = res->problem ? put_value(out, "problem", str_from(res->problem)) : 0) < 0)
        return r;
    return buf_putz(out, "\r\n");
}

int spf_received(struct buf *out, const struct spf_request *rq, const struct spf_result *res,
                 const char *identity_name)
{
    size_t was = out->n;
    int r = put_received(out, rq, res, identity_name);

    if (r < 0)
        out->n = was;
    return r;
}
