/* RFC 9989 4.10, as functions that ask (lookup.h). A walk is asked for all at once: its names are known before
 * any answer is, so eight look-ups cost the time of one; what lies above a record that ends the walk is then
 * not looked at. */
#include "lib/mailauth/dmarc.h"

enum { FAILED = 100, WAITS };

struct step {
    struct str domain;
    struct str text; /* of its one record; .p NULL: none */
    struct dmarc_record record;
};

struct walk {
    struct step step[DMARC_QUERIES_MAX];
    size_t n;
    struct str org; /* the organizational domain */
};

const char *dmarc_code_name(enum dmarc_code code)
{
    static const char *const names[] = { "none", "pass", "fail", "temperror", "permerror" };

    return (unsigned)code < ARRAY_LEN(names) ? names[code] : "none";
}

const char *dmarc_policy_name(enum dmarc_policy p)
{
    static const char *const names[] = { "none", "quarantine", "reject" };

    return (unsigned)p < ARRAY_LEN(names) ? names[p] : "none";
}

static struct str parent(struct str domain)
{
    ptrdiff_t dot = str_chr(domain, '.');

    return dot < 0 ? STR("") : str_skip(domain, (size_t)dot + 1);
}

static size_t labels(struct str domain)
{
    size_t n = 0;

    for (; domain.n; domain = parent(domain))
        n++;
    return n;
}

/* 0, FAILED or WAITS. */
static int record_at(struct lookups *l, struct step *s)
{
    CLEANUP(buf_release) struct buf name = { .max = KIB(1) };
    const struct lookup_answer *a;
    size_t found = 0;

    if (buf_printf(&name, "_dmarc.%.*s", STR_ARG(s->domain)) < 0)
        return FAILED;
    if (!(a = lookups_get(l, LOOKUP_TXT, buf_str(&name))))
        return WAITS;
    for (size_t i = 0; i < a->n; i++) {
        struct dmarc_record rec;

        if (!dmarc_record_parse(a->records[i].text, &rec))
            continue;
        s->text = a->records[i].text;
        s->record = rec;
        found++;
    }
    if (found > 1)
        s->text = STR_NONE; /* "they are all discarded" */
    return a->status == LOOKUP_FAILED ? FAILED : 0;
}

/* Names from the domain itself up to the top: all, or the first and the last seven (4.10 step 4). */
static void walk_names(struct walk *w, struct str domain)
{
    size_t n = labels(domain);

    w->n = 0;
    w->step[w->n++].domain = domain;
    for (domain = parent(domain); domain.n; domain = parent(domain))
        if (--n <= DMARC_QUERIES_MAX - 1)
            w->step[w->n++].domain = domain;
}

/* The name one label below `upper` on the way from `domain`. */
static struct str one_below(struct str domain, struct str upper)
{
    while (parent(domain).n > upper.n)
        domain = parent(domain);
    return domain;
}

/* 4.10.2. What is a public suffix by the list and does not say psd=n is taken for one, whether its record says
 * so or not: else two strangers below it would be one organization. */
static void walk_select(struct walk *w, const struct psl *psl)
{
    struct str start = w->step[0].domain;

    w->org = start;
    for (size_t i = 0; i < w->n; i++) {
        struct step *s = &w->step[i];

        if (!s->text.p)
            continue;
        if (s->record.psd == 'n') {
            w->org = s->domain;
            return;
        }
        if (i > 0 && (s->record.psd == 'y' || (psl && psl_is_suffix(psl, s->domain)))) {
            w->org = one_below(start, s->domain);
            return;
        }
        w->org = s->domain; /* the shortest name with a record, in the end */
    }
}

/* 0, FAILED or WAITS. */
static int walk_up(struct lookups *l, const struct psl *psl, struct str domain, struct walk *w)
{
    bool waits = false, failed = false;

    *w = (struct walk){ .n = 0 };
    walk_names(w, domain);
    for (size_t i = 0; i < w->n; i++) {
        int r = record_at(l, &w->step[i]);

        waits = waits || r == WAITS;
        failed = failed || r == FAILED;
        if (!waits && !failed && w->step[i].text.p && w->step[i].record.psd != 'u') {
            w->n = i + 1; /* psd=y or psd=n: the walk ends */
            break;
        }
    }
    if (!waits && !failed)
        walk_select(w, psl);
    return waits ? WAITS : failed ? FAILED : 0;
}

/* ---- the policy ---- */

/* Does the name exist: has it an address or takes it mail (RFC 9989 3.2.13)? 0 no, 1 yes, FAILED, WAITS. */
static int exists(struct lookups *l, struct str domain)
{
    static const enum lookup_type types[] = { LOOKUP_A, LOOKUP_AAAA, LOOKUP_MX };
    bool waits = false, failed = false;

    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        const struct lookup_answer *a = lookups_get(l, types[i], domain);

        waits = waits || !a;
        failed = failed || (a && a->status == LOOKUP_FAILED);
        if (a && a->status == LOOKUP_OK)
            return 1;
    }
    return waits ? WAITS : failed ? FAILED : 0;
}

/* The record that counts (4.10.1): of the domain itself, of its organization, of the suffix above. NULL: none. */
static const struct step *policy_step(const struct walk *w)
{
    const struct step *top = NULL;

    for (size_t i = 0; i < w->n; i++) {
        const struct step *s = &w->step[i];

        if (!s->text.p)
            continue;
        if (i == 0 || str_ieq(s->domain, w->org))
            return s;
        if (!top && s->domain.n < w->org.n)
            top = s; /* above the organization: a suffix that speaks for itself */
    }
    return top;
}

/* p, sp or np; 0, FAILED or WAITS. */
static int policy_choose(struct lookups *l, const struct walk *w, const struct step *s,
                         struct dmarc_result *res)
{
    const struct dmarc_record *rec = &s->record;
    struct str domain = w->step[0].domain;
    int r;

    res->policy =
        rec->p == DMARC_POLICY_ABSENT ? DMARC_POLICY_NONE : rec->p; /* 4.7: without p it is "none" */
    res->policy_tag = "p";
    if (!str_ieq(s->domain, domain)) {
        if (rec->sp != DMARC_POLICY_ABSENT) {
            res->policy = rec->sp;
            res->policy_tag = "sp";
        }
        if (rec->np != DMARC_POLICY_ABSENT) {
            if ((r = exists(l, domain)) == WAITS || r == FAILED)
                return r;
            if (r == 0) {
                res->policy = rec->np;
                res->policy_tag = "np";
            }
        }
    }
    return 0;
}

/* ---- alignment ---- */

/* 1 aligned, 0 not, FAILED, WAITS. */
static int aligned(struct lookups *l, const struct psl *psl, const struct walk *from, struct str domain,
                   bool strict)
{
    struct walk w;
    int r;

    if (str_ieq(domain, from->step[0].domain))
        return 1;
    if (strict || domain.n == 0)
        return 0;
    if (!domain_is_within(domain, from->org)) /* an organizational domain is above what belongs to it */
        return 0;
    if ((r = walk_up(l, psl, domain, &w)) != 0)
        return r;
    return str_ieq(w.org, from->org);
}

/* All of them: one that aligns settles it, whatever became of the others. 0, FAILED or WAITS. */
static int alignment(struct lookups *l, const struct psl *psl, const struct dmarc_request *rq,
                     const struct walk *from, const struct dmarc_record *rec, struct dmarc_result *res)
{
    int r = aligned(l, psl, from, rq->spf_domain, rec->strict_spf);
    bool waits = r == WAITS, failed = r == FAILED;

    res->aligned_spf = r == 1;
    for (size_t i = 0; i < size_min(rq->ndkim, DMARC_DOMAINS_MAX); i++) {
        r = aligned(l, psl, from, rq->dkim_domains[i], rec->strict_dkim);
        res->aligned_dkim = res->aligned_dkim || r == 1;
        waits = waits || r == WAITS;
        failed = failed || r == FAILED;
    }
    return waits ? WAITS : failed && !res->aligned_spf && !res->aligned_dkim ? FAILED : 0;
}

static int verdict(struct lookups *l, const struct psl *psl, const struct dmarc_request *rq,
                   struct dmarc_result *res)
{
    struct walk w;
    const struct step *s;
    int r = walk_up(l, psl, rq->from_domain, &w), p;

    if (r != 0)
        return r;
    s = policy_step(&w);
    if (!s || (s->record.p_wrong && s->record.nrua == 0)) /* 4.10.1: "applies no DMARC processing" */
        return 0;
    if (s->record.p_wrong)
        res->policy = DMARC_POLICY_NONE; /* "act as if a record containing p=none was retrieved" */
    p = s->record.p_wrong ? 0 : policy_choose(l, &w, s, res);
    r = alignment(l, psl, rq, &w, &s->record, res);
    if (p == WAITS || r == WAITS)
        return WAITS;
    memcpy(res->domain, s->domain.p, s->domain.n);
    res->domain[s->domain.n] = '\0';
    res->record = s->text;
    res->testing = s->record.testing;
    res->code = res->aligned_spf || res->aligned_dkim ? DMARC_PASS : DMARC_FAIL;
    return res->code == DMARC_PASS ? 0 : r == FAILED || p == FAILED ? FAILED : 0;
}

int dmarc_check(struct lookups *l, const struct psl *psl, const struct dmarc_request *rq,
                struct dmarc_result *out)
{
    struct dmarc_result res = { .code = DMARC_NONE, .policy_tag = "p" };
    int r = 0;

    if (!domain_is_plain(rq->from_domain) || !domain_is_fqdn(rq->from_domain)) {
        res.code = DMARC_PERMERROR;
        res.why = "no one domain in From";
    } else if ((r = verdict(l, psl, rq, &res)) == WAITS) {
        return MAILAUTH_WAITS;
    }
    if (r == FAILED) {
        res = (struct dmarc_result){ .code = DMARC_TEMPERROR,
                                     .policy_tag = "p",
                                     .why = "policy could not be looked up" };
    }
    if (res.code == DMARC_FAIL)
        res.applied = !res.testing || res.policy == DMARC_POLICY_NONE ? res.policy : res.policy - 1;
    *out = res;
    return 0;
}
