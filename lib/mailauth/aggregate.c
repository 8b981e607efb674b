#include "lib/mailauth/aggregate.h"

/* Text of an element: ASCII that XML 1.0 may hold. */
static int put_text(struct buf *out, struct str s)
{
    int r = 0;

    for (size_t i = 0; i < s.n && r == 0; i++) {
        char c = s.p[i];

        r = c == '&'                               ? buf_putz(out, "&amp;")
            : c == '<'                             ? buf_putz(out, "&lt;")
            : c == '>'                             ? buf_putz(out, "&gt;")
            : (uint8_t)c < ' ' || (uint8_t)c > 126 ? buf_putc(out, '?')
                                                   : buf_putc(out, c);
    }
    return r;
}

static int put(struct buf *out, const char *name, struct str value)
{
    int r = buf_printf(out, "<%s>", name);

    if (r < 0 || (r = put_text(out, value)) < 0)
        return r;
    return buf_printf(out, "</%s>\n", name);
}

static int put_policy(const struct aggregate_report *rep, struct buf *out)
{
    const struct dmarc_record *p = rep->policy;
    enum dmarc_policy main = p->p == DMARC_POLICY_ABSENT ? DMARC_POLICY_NONE : p->p,
                      sub = p->sp == DMARC_POLICY_ABSENT ? main : p->sp,
                      none = p->np == DMARC_POLICY_ABSENT ? sub : p->np; /* RFC 9989 4.7 */
    int r;

    /* What was not said stands here as what it means; in the order of RFC 9990's table, though any would do. */
    if ((r = buf_putz(out, "<policy_published>\n")) < 0 || (r = put(out, "domain", rep->domain)) < 0 ||
        (r = put(out, "discovery_method", STR("treewalk"))) < 0 ||
        (r = put(out, "p", str_from(dmarc_policy_name(main)))) < 0 ||
        (r = put(out, "sp", str_from(dmarc_policy_name(sub)))) < 0 ||
        (r = put(out, "np", str_from(dmarc_policy_name(none)))) < 0 ||
        (r = put(out, "fo", p->fo.n ? p->fo : STR("0"))) < 0 ||
        (r = put(out, "adkim", p->strict_dkim ? STR("s") : STR("r"))) < 0 ||
        (r = put(out, "aspf", p->strict_spf ? STR("s") : STR("r"))) < 0 ||
        (r = put(out, "testing", p->testing ? STR("y") : STR("n"))) < 0)
        return r;
    return buf_putz(out, "</policy_published>\n");
}

int aggregate_begin(const struct aggregate_report *rep, struct buf *out)
{
    int r;

    if ((r = buf_putz(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                           "<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">\n<version>1.0</version>\n"
                           "<report_metadata>\n")) < 0 ||
        (r = put(out, "org_name", rep->org)) < 0 || (r = put(out, "email", rep->email)) < 0 ||
        (r = put(out, "report_id", rep->id)) < 0 ||
        (r = buf_printf(out, "<date_range>\n<begin>%lld</begin>\n<end>%lld</end>\n</date_range>\n",
                        (long long)rep->begin_s, (long long)rep->end_s)) < 0 ||
        (r = put(out, "generator", rep->generator)) < 0 || (r = buf_putz(out, "</report_metadata>\n")) < 0)
        return r;
    return put_policy(rep, out);
}

static int put_signatures(struct str all, struct buf *out)
{
    struct str line, domain, selector, result;
    int r = 0;

    while (all.n && r == 0) {
        str_cut(all, '\n', &line, &all);
        if (!str_cut(line, ' ', &domain, &line) || !str_cut(line, ' ', &selector, &result))
            continue;
        if ((r = buf_putz(out, "<dkim>\n")) < 0 || (r = put(out, "domain", domain)) < 0 ||
            (r = put(out, "selector", selector)) < 0 || (r = put(out, "result", result)) < 0)
            return r;
        r = buf_putz(out, "</dkim>\n");
    }
    return r;
}

static int put_evaluated(const struct aggregate_row *row, struct buf *out)
{
    static const char *const dispositions[] = { "none", "pass", "quarantine", "reject" };
    int r;

    if ((r = buf_putz(out, "<policy_evaluated>\n")) < 0 ||
        (r = put(out, "disposition",
                 str_from(dispositions[row->disposition < ARRAY_LEN(dispositions) ? row->disposition : 0]))) <
            0 ||
        (r = put(out, "dkim", row->dkim ? STR("pass") : STR("fail"))) < 0 ||
        (r = put(out, "spf", row->spf ? STR("pass") : STR("fail"))) < 0)
        return r;
    if (row->reason.n && ((r = buf_putz(out, "<reason>\n")) < 0 || (r = put(out, "type", row->reason)) < 0 ||
                          (r = buf_putz(out, "</reason>\n")) < 0))
        return r;
    return buf_putz(out, "</policy_evaluated>\n");
}

int aggregate_row_put(const struct aggregate_row *row, struct buf *out)
{
    int r;

    if ((r = buf_putz(out, "<record>\n<row>\n")) < 0 || (r = put(out, "source_ip", row->ip)) < 0 ||
        (r = buf_printf(out, "<count>%llu</count>\n", (unsigned long long)row->count)) < 0 ||
        (r = put_evaluated(row, out)) < 0 || (r = buf_putz(out, "</row>\n<identifiers>\n")) < 0 ||
        (r = put(out, "header_from", row->header_from)) < 0 ||
        (r = put(out, "envelope_from", row->envelope_from)) < 0 ||
        (r = buf_putz(out, "</identifiers>\n<auth_results>\n")) < 0 ||
        (r = put_signatures(row->signatures, out)) < 0)
        return r;
    if (row->spf_domain.n &&
        ((r = buf_putz(out, "<spf>\n")) < 0 || (r = put(out, "domain", row->spf_domain)) < 0 ||
         (r = put(out, "scope", row->spf_scope)) < 0 || (r = put(out, "result", row->spf_result)) < 0 ||
         (r = buf_putz(out, "</spf>\n")) < 0))
        return r;
    return buf_putz(out, "</auth_results>\n</record>\n");
}

int aggregate_end(struct buf *out)
{
    return buf_putz(out, "</feedback>\n");
}

int aggregate_file_name(const struct aggregate_report *r, struct str receiver, struct buf *out)
{
    int e = buf_printf(out, "%.*s!%.*s!%lld!%lld!", STR_ARG(receiver), STR_ARG(r->domain),
                       (long long)r->begin_s, (long long)r->end_s);

    for (size_t i = 0; i < r->id.n && e == 0; i++)
        if (ascii_alpha(r->id.p[i]) || ascii_digit(r->id.p[i])) /* unique-id = 1*(ALPHA / DIGIT) */
            e = buf_putc(out, r->id.p[i]);
    return e < 0 ? e : buf_putz(out, ".xml.gz");
}

int aggregate_subject(const struct aggregate_report *r, struct str receiver, struct buf *out)
{
    return buf_printf(out, "Report Domain: %.*s Submitter: %.*s Report-ID: <%.*s>", STR_ARG(r->domain),
                      STR_ARG(receiver), STR_ARG(r->id));
}

/* ---- who wants one ---- */

static bool size_of(struct str s, uint64_t *out)
{
    static const char units[] = "kmgt";
    const char *u = s.n ? memchr(units, ascii_lower(s.p[s.n - 1]), 4) : NULL;
    unsigned shift = u ? 10u * (unsigned)(u - units + 1) : 0;
    uint64_t n;

    if (u)
        s.n--;
    if (!str_to_u64(s, &n) || n > (UINT64_MAX >> shift))
        return false;
    *out = n << shift;
    return true;
}

static int hex_digit(char c)
{
    char l = ascii_lower(c);

    return l >= '0' && l <= '9' ? l - '0' : l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

bool aggregate_uri(struct str uri, struct buf *out, uint64_t *bytes_max_out)
{
    struct str address, size;

    if (!str_istarts(uri, STR("mailto:")))
        return false;
    *bytes_max_out = UINT64_MAX;
    if (str_cut(str_skip(uri, 7), '!', &address, &size) && !size_of(str_trim(size), bytes_max_out))
        *bytes_max_out = UINT64_MAX; /* RFC 9989 does not know it any more: nonsense is nothing said */
    str_cut(str_trim(address), '?', &address, &size);
    for (size_t i = 0; i < address.n; i++) {
        char c = address.p[i];

        if (c == '%') {
            int hi = i + 2 < address.n ? hex_digit(address.p[i + 1]) : -1,
                lo = i + 2 < address.n ? hex_digit(address.p[i + 2]) : -1;

            if (hi < 0 || lo < 0)
                return false;
            c = (char)(hi * 16 + lo);
            i += 2;
        }
        if ((uint8_t)c <= ' ' || (uint8_t)c > 126 || buf_putc(out, c) < 0)
            return false;
    }
    return str_rchr(buf_str(out), '@') > 0 && str_chr(buf_str(out), ',') < 0;
}

bool aggregate_agrees(struct str record, struct str host, struct buf *out, uint64_t *bytes_max_out)
{
    struct dmarc_record r;
    bool found = false;

    if (!dmarc_record_parse(record, &r))
        return false;
    for (size_t i = 0; i < r.nrua; i++) {
        CLEANUP(buf_release) struct buf address = { .max = out->max };
        uint64_t max;

        if (!aggregate_uri(r.rua[i], &address, &max))
            continue;
        if (!str_ieq(str_skip(buf_str(&address), (size_t)str_rchr(buf_str(&address), '@') + 1), host))
            return false;
        if (!found && buf_puts(out, buf_str(&address)) == 0)
            *bytes_max_out = max;
        found = true;
    }
    return found || r.nrua == 0;
}

bool aggregate_internal(const struct psl *psl, struct str domain, struct str host)
{
    CLEANUP(buf_release) struct buf a = { .max = KIB(1) }, b = { .max = KIB(1) };

    if (str_ieq(domain, host))
        return true;
    return psl && psl_registrable(psl, domain, &a) && psl_registrable(psl, host, &b) &&
           str_ieq(buf_str(&a), buf_str(&b));
}

int aggregate_verification(struct str domain, struct str host, struct buf *out)
{
    int r = buf_printf(out, "%.*s._report._dmarc.%.*s", STR_ARG(domain), STR_ARG(host));

    return r < 0 || out->n > LOOKUP_NAME_MAX ? E_LIMIT : 0;
}
