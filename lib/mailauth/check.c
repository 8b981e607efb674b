#include "lib/mailauth/check.h"
#include "lib/mailauth/authres.h"
#include "lib/mime/address.h"
#include <idn2.h>

static int keep(struct arena *a, struct str from, struct str *out)
{
    *out = arena_dup(a, from);
    return from.n && !out->p ? E_NOMEM : 0;
}

int mailauth_check_start(struct mailauth_check *c, const struct mailauth_envelope *e, const struct psl *psl)
{
    int r;

    *c = (struct mailauth_check){ .arena = { .max = KIB(16) }, .psl = psl };
    lookups_init(&c->lookups);
    mailauth_message_init(&c->message);
    c->rq.now_s = e->now_s;
    if ((r = keep(&c->arena, e->helo, &c->rq.helo)) < 0 ||
        (r = keep(&c->arena, e->sender, &c->rq.sender)) < 0 ||
        (r = keep(&c->arena, e->receiver, &c->rq.receiver)) < 0) {
        mailauth_check_release(c);
        return r;
    }
    c->has_ip = spf_ip_parse(e->ip, &c->rq.ip) == 0;
    c->null_sender = e->sender.n == 0;
    c->helo_rq = c->rq;
    c->helo_rq.sender = STR("");
    return 0;
}

void mailauth_check_release(struct mailauth_check *c)
{
    if (c->arena.max == 0)
        return;
    mailauth_message_release(&c->message);
    lookups_release(&c->lookups);
    arena_release(&c->arena);
    *c = (struct mailauth_check){ 0 };
}

void mailauth_check_feed(struct mailauth_check *c, struct str in)
{
    mailauth_message_feed(&c->message, in);
}

/* ---- the domain in From (RFC 9989 5.3.1) ---- */

static bool to_a_labels(struct str domain, char out[LOOKUP_NAME_MAX + 1])
{
    char z[LOOKUP_NAME_MAX + 1], *found = NULL;
    bool ok;

    if (domain.n == 0 || domain.n >= sizeof z || str_chr(domain, '\0') >= 0)
        return false;
    memcpy(z, domain.p, domain.n);
    z[domain.n] = '\0';
    ok = idn2_to_ascii_8z(z, &found, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT | IDN2_NO_TR46) == IDN2_OK ||
         idn2_to_ascii_8z(z, &found, IDN2_NONTRANSITIONAL) == IDN2_OK;
    ok = ok && found && strlen(found) <= LOOKUP_NAME_MAX && domain_is_plain(str_from(found));
    if (ok)
        for (size_t i = 0; i <= strlen(found); i++)
            out[i] = ascii_lower(found[i]);
    idn2_free(found);
    return ok;
}

/* The one domain of all addresses. NULL, or why there is none. */
static const char *from_domain(struct arena *a, struct str value, char out[LOOKUP_NAME_MAX + 1])
{
    char name[LOOKUP_NAME_MAX + 1];

    out[0] = '\0';
    for (const struct mime_address *m = mime_address_parse(a, value); m; m = m->next) {
        if (mime_address_is_group(m))
            continue;
        /* names with an underscore and the like are no host names, and are looked up as they are */
        if (!to_a_labels(m->host, name)) {
            if (!domain_is_plain(m->host))
                return "an address without a domain in From";
            for (size_t i = 0; i < m->host.n; i++)
                name[i] = ascii_lower(m->host.p[i]);
            name[m->host.n] = '\0';
        }
        if (out[0] && strcmp(out, name) != 0)
            return "several domains in From";
        memcpy(out, name, sizeof name);
    }
    return out[0] ? NULL : "no address in From";
}

static void find_from(struct mailauth_check *c)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(256) };
    size_t n;
    const struct mailauth_field *from = mailauth_field_last(&c->message, "From", &n);

    c->from_problem = n == 0  ? "no From"
                      : n > 1 ? "several From fields"
                              : from_domain(&a, from->value, c->from_domain);
    if (c->from_problem)
        c->from_domain[0] = '\0';
}

static bool has_field(const struct mailauth_check *c, const char *name)
{
    size_t n;

    return mailauth_field_last(&c->message, name, &n) != NULL;
}

void mailauth_check_end(struct mailauth_check *c)
{
    mailauth_message_end(&c->message);
    find_from(c);
}

/* ---- running ---- */

static bool check_spf(struct mailauth_check *c)
{
    if (!c->has_ip)
        c->spf_done = c->helo_done = true;
    if (!c->spf_done)
        c->spf_done = spf_check(&c->lookups, &c->rq, &c->spf) == 0;
    if (!c->helo_done && !c->null_sender)
        c->helo_done = spf_check(&c->lookups, &c->helo_rq, &c->helo) == 0;
    return c->spf_done && (c->helo_done || c->null_sender);
}

/* A signature that leaves a part of the body open proves nothing about it (RFC 6376 8.2). */
static bool proves(const struct dkim_signature *sig)
{
    return sig->code == DKIM_PASS && !sig->partial;
}

static bool check_dmarc(struct mailauth_check *c)
{
    struct dmarc_request rq = { .from_domain = str_from(c->from_domain) };

    if (c->spf.code == SPF_PASS)
        rq.spf_domain = str_from(c->spf.domain);
    for (size_t i = 0; i < c->message.nsignatures && rq.ndkim < DMARC_DOMAINS_MAX; i++)
        if (proves(&c->message.signatures[i]))
            rq.dkim_domains[rq.ndkim++] = c->message.signatures[i].domain;
    if (dmarc_check(&c->lookups, c->psl, &rq, &c->dmarc) != 0)
        return false;
    if (c->dmarc.code == DMARC_PERMERROR && c->from_problem)
        c->dmarc.why = c->from_problem;
    return true;
}

/* What DMARC cannot decide while an answer that might have made it pass is missing. */
static bool undecided(const struct mailauth_check *c)
{
    bool some = c->spf.code == SPF_TEMPERROR;

    for (size_t i = 0; i < c->message.nsignatures; i++)
        some = some || c->message.signatures[i].code == DKIM_TEMPERROR;
    return some;
}

int mailauth_check_run(struct mailauth_check *c)
{
    bool spf = check_spf(c);
    bool dkim = dkim_check(&c->message, &c->lookups, c->rq.now_s) == 0;
    bool arc = arc_check(&c->message, &c->lookups, &c->arc) == 0;

    if (c->done)
        return 0;
    if (!spf || !dkim || !arc || !c->message.ended || !check_dmarc(c))
        return MAILAUTH_WAITS;
    if (c->dmarc.code == DMARC_FAIL && (undecided(c) || c->message.error)) {
        c->dmarc.code = DMARC_TEMPERROR;
        c->dmarc.applied = DMARC_POLICY_NONE;
        c->dmarc.why = "SPF or DKIM could not be decided";
    }
    c->from_list = c->arc.code == ARC_PASS || has_field(c, "List-Id") || has_field(c, "List-Post") ||
                   has_field(c, "Mailing-List");
    c->done = true;
    return 0;
}

/* ---- what was found ---- */

static void add_spf(struct authres *a, const struct spf_result *res, const char *prop, struct str value)
{
    struct authres_result *r = authres_add(a, STR("spf"), str_from(spf_code_name(res->code)));

    if (r && res->problem)
        r->reason = str_from(res->problem);
    authres_prop(r, "smtp", prop, value);
}

static void add_signature(struct authres *a, const struct dkim_signature *sig)
{
    struct authres_result *r = authres_add(a, STR("dkim"), str_from(dkim_code_name(sig->code)));

    if (r && sig->why)
        r->reason = str_from(sig->why);
    if (r && sig->partial && sig->code == DKIM_PASS)
        r->comment = STR("covers a part of the body only");
    if (sig->domain.n)
        authres_prop(r, "header", "d", sig->domain);
    if (sig->identity.n)
        authres_prop(r, "header", "i", sig->identity);
    if (sig->selector.n)
        authres_prop(r, "header", "s", sig->selector);
    if (sig->algorithm != DKIM_UNKNOWN)
        authres_prop(r, "header", "a", str_from(dkim_algorithm_name(sig->algorithm)));
    if (sig->signature_text.n) /* RFC 6008: tells signatures apart */
        authres_prop(r, "header", "b", str_slice(sig->signature_text, 0, 8));
}

static void add_dkim(struct authres *a, const struct mailauth_message *m)
{
    struct authres_result *r;

    for (size_t i = 0; i < m->nsignatures; i++)
        add_signature(a, &m->signatures[i]);
    if (m->nsignatures)
        return;
    r = authres_add(a, STR("dkim"), m->error ? STR("temperror") : STR("none"));
    if (r && m->error)
        r->reason = STR("header block is too large");
}

static void add_arc(struct authres *a, const struct mailauth_check *c, char *text, size_t size)
{
    struct authres_result *r;

    if (c->arc.code == ARC_NONE)
        return;
    r = authres_add(a, STR("arc"), str_from(arc_code_name(c->arc.code)));
    snprintf(text, size, "i=%u", c->arc.sets);
    if (r)
        r->comment = str_from(text);
    if (r && c->arc.why)
        r->reason = str_from(c->arc.why);
    if (c->arc.code == ARC_PASS)
        authres_prop(r, "header", "d", c->arc.domain);
}

static void add_dmarc(struct authres *a, const struct mailauth_check *c, char *text, size_t size)
{
    const struct dmarc_result *d = &c->dmarc;
    struct authres_result *r = authres_add(a, STR("dmarc"), str_from(dmarc_code_name(d->code)));

    if (r && (d->code == DMARC_PASS || d->code == DMARC_FAIL)) {
        snprintf(text, size, "%s=%s%s, asks for %s", d->policy_tag, dmarc_policy_name(d->policy),
                 d->testing ? ", t=y" : "", dmarc_policy_name(d->applied));
        r->comment = str_from(text);
    }
    if (r && d->why)
        r->reason = str_from(d->why);
    if (c->from_domain[0])
        authres_prop(r, "header", "from", str_from(c->from_domain));
}

int mailauth_check_fields(const struct mailauth_check *c, struct buf *out)
{
    CLEANUP(arena_release) struct arena mem = { .max = KIB(64) };
    struct authres *a = ARENA_NEW(&mem, struct authres);
    char arc[32], dmarc[96];
    int r;

    if (!a)
        return E_NOMEM;
    a->id = c->rq.receiver;
    if (c->has_ip) {
        add_spf(a, &c->spf, c->null_sender ? "helo" : "mailfrom", c->null_sender ? c->rq.helo : c->rq.sender);
        if (!c->null_sender)
            add_spf(a, &c->helo, "helo", c->rq.helo);
    }
    add_dkim(a, &c->message);
    add_arc(a, c, arc, sizeof arc);
    add_dmarc(a, c, dmarc, sizeof dmarc);
    if ((r = buf_putz(out, "Authentication-Results: ")) < 0 || (r = authres_print(out, a)) < 0 ||
        (r = buf_putz(out, "\r\n")) < 0 || !c->has_ip)
        return r;
    return spf_received(out, &c->rq, &c->spf, c->null_sender ? "helo" : "mailfrom");
}
