/* lib/dns/reply.c: what an answer says, from bytes that anybody may have written. ldns takes the message
 * apart (compression, sections, every type's fields); here is what it means. */
#include "lib/base/errors.h"
#include "lib/dns/message.h"
#include <ldns/ldns.h>

#define ANSWERS_MAX 1024u /* resource records of one section that are looked at */

static void packet_free(ldns_pkt **p)
{
    ldns_pkt_free(*p);
}

static struct str data_of(const ldns_rdf *f)
{
    return str_of(ldns_rdf_data(f), ldns_rdf_size(f));
}

static int name_of(const ldns_rdf *f, struct dns_name *out)
{
    return !f || ldns_rdf_get_type(f) != LDNS_RDF_TYPE_DNAME ? E_SYNTAX : dns_name_from_wire(data_of(f), out);
}

/* RFC 2181 8: the first bit set means zero. */
static uint32_t ttl_of(const ldns_rr *rr)
{
    uint32_t t = ldns_rr_ttl(rr);

    return t & UINT32_C(0x80000000) ? 0 : t;
}

static bool is_record(const ldns_rr *rr, const struct dns_name *owner, uint16_t type)
{
    struct dns_name n;

    return (uint16_t)ldns_rr_get_type(rr) == type && ldns_rr_get_class(rr) == LDNS_RR_CLASS_IN &&
           name_of(ldns_rr_owner(rr), &n) == 0 && dns_name_eq(&n, owner);
}

static const ldns_rr *find(const ldns_rr_list *list, const struct dns_name *owner, uint16_t type)
{
    for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++)
        if (is_record(ldns_rr_list_rr(list, i), owner, type))
            return ldns_rr_list_rr(list, i);
    return NULL;
}

static void shorten(struct dns_reply *r, uint32_t ttl_s)
{
    r->ttl_s = ttl_s < r->ttl_s ? ttl_s : r->ttl_s;
}

/* From the name that was asked for along the aliases; r->name is where they end. */
static int follow(const ldns_rr_list *list, uint16_t type, struct dns_reply *r)
{
    const ldns_rr *rr;
    size_t hops = 0;

    while (type != DNS_CNAME && (rr = find(list, &r->name, DNS_CNAME))) {
        if (++hops > DNS_ALIASES_MAX)
            return E_LIMIT;
        if (ldns_rr_rd_count(rr) != 1 || name_of(ldns_rr_rdf(rr, 0), &r->name) < 0)
            return E_SYNTAX;
        shorten(r, ttl_of(rr));
    }
    return 0;
}

static size_t rdata_len(const ldns_rr *rr)
{
    size_t n = 0;

    for (size_t i = 0; i < ldns_rr_rd_count(rr); i++)
        n += ldns_rr_rdf(rr, i) ? ldns_rdf_size(ldns_rr_rdf(rr, i)) : 0;
    return n;
}

static int take_rdata(const ldns_rr *rr, uint16_t type, struct arena *a, struct dns_rdata *out)
{
    struct arena scratch = { .max = 8 * DNS_RDATA_MAX };
    size_t n = rdata_len(rr), at = 0;
    char *p = arena_alloc(a, n + 1);
    struct dns_record checked;
    int e;

    if (!p)
        return E_NOMEM;
    for (size_t i = 0; i < ldns_rr_rd_count(rr); i++) {
        const ldns_rdf *f = ldns_rr_rdf(rr, i);

        if (f) {
            memcpy(p + at, ldns_rdf_data(f), ldns_rdf_size(f));
            at += ldns_rdf_size(f);
        }
    }
    *out = (struct dns_rdata){ ttl_of(rr), str_of(p, n) };
    /* what could not be read by the one who asked is refused here, where another server may be asked */
    e = dns_record_decode(type, 0, out->bytes, &scratch, &checked);
    arena_release(&scratch);
    return e;
}

static int collect(const ldns_rr_list *list, uint16_t type, struct arena *a, struct dns_reply *r)
{
    size_t n = 0, bytes = 0;
    int e = 0;

    for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++)
        if (is_record(ldns_rr_list_rr(list, i), &r->name, type)) {
            n++;
            bytes += rdata_len(ldns_rr_list_rr(list, i));
        }
    if (n > DNS_RECORDS_MAX || bytes > DNS_RDATA_MAX)
        return E_LIMIT;
    if (n > 0 && !(r->v = ARENA_ARRAY(a, n, struct dns_rdata)))
        return E_NOMEM;
    for (size_t i = 0; i < ldns_rr_list_rr_count(list) && e == 0; i++) {
        const ldns_rr *rr = ldns_rr_list_rr(list, i);

        if (!is_record(rr, &r->name, type))
            continue;
        shorten(r, ttl_of(rr));
        e = take_rdata(rr, type, a, &r->v[r->n++]);
    }
    return e;
}

/* RFC 2308 5: the smaller of the SOA's own life and its last field; without one "no" is not kept (3). */
static void no_until(const ldns_rr_list *authority, struct dns_reply *r)
{
    uint32_t ttl = 0;

    for (size_t i = 0; i < ldns_rr_list_rr_count(authority); i++) {
        const ldns_rr *rr = ldns_rr_list_rr(authority, i);
        const ldns_rdf *minimum = ldns_rr_get_type(rr) == LDNS_RR_TYPE_SOA ? ldns_rr_rdf(rr, 6) : NULL;

        if (!minimum || ldns_rdf_size(minimum) != 4)
            continue;
        ttl = ldns_rdf2native_int32(minimum);
        ttl = ttl < ttl_of(rr) ? ttl : ttl_of(rr);
    }
    shorten(r, ttl);
}

/* RFC 8914: a failure that has to do with signatures says so, 6 to 12 and 1, 2 do not mean that. */
static bool says_bogus(const ldns_pkt *p)
{
    const ldns_rdf *opt = ldns_pkt_edns(p) ? ldns_pkt_edns_data(p) : NULL;
    struct str d = opt ? data_of(opt) : STR_NONE;

    while (d.n >= 4) {
        const uint8_t *b = (const uint8_t *)d.p;
        size_t n = (size_t)b[2] << 8 | b[3];

        if (n > d.n - 4)
            return false;
        if (b[0] == 0 && b[1] == 15 && n >= 2 && b[4] == 0 && b[5] >= 6 && b[5] <= 12)
            return true;
        d = str_skip(d, 4 + n);
    }
    return false;
}

static enum dns_status status_of(const ldns_pkt *p, const struct dns_reply *r)
{
    if (r->rcode == LDNS_RCODE_NXDOMAIN)
        return DNS_NXDOMAIN; /* of the end of the chain (RFC 6604 3) */
    if (r->rcode != LDNS_RCODE_NOERROR || (ldns_pkt_edns(p) && ldns_pkt_edns_extended_rcode(p) != 0))
        return says_bogus(p) ? DNS_BOGUS : DNS_SERVFAIL;
    return r->n > 0 ? DNS_OK : DNS_NODATA;
}

static int read_packet(const ldns_pkt *p, uint16_t type, struct arena *a, struct dns_reply *r)
{
    const ldns_rr_list *answers = ldns_pkt_answer(p);
    int e;

    if (!ldns_pkt_qr(p) || ldns_pkt_tc(p) || ldns_pkt_get_opcode(p) != LDNS_PACKET_QUERY)
        return E_SYNTAX;
    if (ldns_rr_list_rr_count(answers) > ANSWERS_MAX)
        return E_LIMIT;
    r->rcode = (uint8_t)ldns_pkt_get_rcode(p);
    r->ad = ldns_pkt_ad(p);
    if ((e = follow(answers, type, r)) < 0)
        return e;
    if (r->rcode == LDNS_RCODE_NOERROR && (e = collect(answers, type, a, r)) < 0)
        return e;
    r->status = status_of(p, r);
    if (r->status != DNS_OK) {
        r->n = 0;
        r->v = NULL;
        no_until(ldns_pkt_authority(p), r);
    }
    if (dns_status_is_temporary(r->status)) {
        r->ad = false;
        r->ttl_s = 0;
    }
    return 0;
}

int dns_reply_parse(struct str m, const struct dns_name *name, uint16_t type, struct arena *a,
                    struct dns_reply *out)
{
    CLEANUP(packet_free) ldns_pkt *p = NULL;
    struct dns_reply r = { .name = *name, .ttl_s = UINT32_MAX };
    ldns_status st;
    int e;

    if (m.n < DNS_HEAD_LEN || m.n > DNS_MESSAGE_MAX)
        return m.n > DNS_MESSAGE_MAX ? E_LIMIT : E_SYNTAX;
    st = ldns_wire2pkt(&p, (const uint8_t *)m.p, m.n);
    if (st != LDNS_STATUS_OK) {
        p = NULL;
        return st == LDNS_STATUS_MEM_ERR ? E_NOMEM : E_SYNTAX;
    }
    if ((e = read_packet(p, type, a, &r)) == 0)
        *out = r;
    return e;
}
