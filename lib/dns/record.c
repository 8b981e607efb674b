/* lib/dns/record.c: the bytes of one record, and replies as the asker sees them. */
#include "lib/base/errors.h"
#include "lib/dns/message.h"

static unsigned u16_at(struct str s, size_t at)
{
    return (unsigned)(uint8_t)s.p[at] << 8 | (uint8_t)s.p[at + 1];
}

static int host_at(struct str rdata, size_t at, struct arena *a, struct str *out)
{
    struct dns_name n;
    int r = dns_name_from_wire(str_skip(rdata, at), &n);

    return r < 0 ? E_SYNTAX : dns_name_text(&n, a, out);
}

static int keep(struct str s, struct arena *a, struct str *out)
{
    *out = arena_dup(a, s);
    return out->p || s.n == 0 ? 0 : E_NOMEM;
}

static int decode_address(struct str d, uint8_t *out, size_t n)
{
    if (d.n != n)
        return E_SYNTAX;
    memcpy(out, d.p, n);
    return 0;
}

static int decode_text(struct str d, struct arena *a, struct str *out)
{
    char *p = arena_alloc(a, d.n + 1);
    size_t n = 0;

    if (!p)
        return E_NOMEM;
    if (d.n == 0)
        return E_SYNTAX;
    for (size_t at = 0; at < d.n;) {
        size_t len = (uint8_t)d.p[at];

        if (at + 1 + len > d.n)
            return E_SYNTAX;
        memcpy(p + n, d.p + at + 1, len);
        n += len;
        at += 1 + len;
    }
    *out = str_of(p, n);
    return 0;
}

static int decode_srv(struct str d, struct arena *a, struct dns_record *r)
{
    if (d.n < 7)
        return E_SYNTAX;
    r->srv.priority = (uint16_t)u16_at(d, 0);
    r->srv.weight = (uint16_t)u16_at(d, 2);
    r->srv.port = (uint16_t)u16_at(d, 4);
    return host_at(d, 6, a, &r->srv.target);
}

static int decode_mx(struct str d, struct arena *a, struct dns_record *r)
{
    if (d.n < 3)
        return E_SYNTAX;
    r->mx.preference = (uint16_t)u16_at(d, 0);
    return host_at(d, 2, a, &r->mx.host);
}

static int decode_tlsa(struct str d, struct arena *a, struct dns_record *r)
{
    if (d.n < 4)
        return E_SYNTAX;
    r->tlsa.usage = (uint8_t)d.p[0];
    r->tlsa.selector = (uint8_t)d.p[1];
    r->tlsa.matching = (uint8_t)d.p[2];
    return keep(str_skip(d, 3), a, &r->tlsa.data);
}

/* RFC 8659 4.1: a tag of letters and digits, at least one. */
static int decode_caa(struct str d, struct arena *a, struct dns_record *r)
{
    size_t n = d.n >= 3 ? (uint8_t)d.p[1] : 0;
    int e;

    if (n == 0 || 2 + n > d.n)
        return E_SYNTAX;
    for (size_t i = 0; i < n; i++)
        if (!ascii_alpha(d.p[2 + i]) && !ascii_digit(d.p[2 + i]))
            return E_SYNTAX;
    r->caa.flags = (uint8_t)d.p[0];
    if ((e = keep(str_slice(d, 2, 2 + n), a, &r->caa.tag)) < 0)
        return e;
    return keep(str_skip(d, 2 + n), a, &r->caa.value);
}

int dns_record_decode(uint16_t type, uint32_t ttl_s, struct str d, struct arena *a, struct dns_record *out)
{
    struct dns_record r = { .type = type, .ttl_s = ttl_s };
    int e = E_UNSUPPORTED;

    switch ((enum dns_type)type) {
    case DNS_A: e = decode_address(d, r.a, sizeof r.a); break;
    case DNS_AAAA: e = decode_address(d, r.aaaa, sizeof r.aaaa); break;
    case DNS_CNAME:
    case DNS_PTR:
    case DNS_NS: e = host_at(d, 0, a, &r.name); break;
    case DNS_TXT: e = decode_text(d, a, &r.txt); break;
    case DNS_MX: e = decode_mx(d, a, &r); break;
    case DNS_SRV: e = decode_srv(d, a, &r); break;
    case DNS_TLSA: e = decode_tlsa(d, a, &r); break;
    case DNS_CAA: e = decode_caa(d, a, &r); break;
    case DNS_SOA: break;
    }
    if (e == 0)
        *out = r;
    return e;
}

/* By preference, else as they came: a handful, so by insertion. */
static void sort_mx(struct dns_record *v, size_t n)
{
    for (size_t i = 1; i < n; i++)
        for (size_t k = i; k > 0 && v[k - 1].mx.preference > v[k].mx.preference; k--) {
            struct dns_record t = v[k];

            v[k] = v[k - 1];
            v[k - 1] = t;
        }
}

int dns_answer_decode(const struct dns_reply *r, uint16_t type, struct arena *a, struct dns_answer *out)
{
    struct dns_answer ans = { .status = r->status, .ad = r->ad, .ttl_s = r->ttl_s, .n = r->n };
    int e = dns_name_text(&r->name, a, &ans.name);

    if (e == 0 && r->n > 0 && !(ans.records = ARENA_ARRAY(a, r->n, struct dns_record)))
        return E_NOMEM;
    for (size_t i = 0; i < r->n && e == 0; i++)
        e = dns_record_decode(type, r->v[i].ttl_s, r->v[i].bytes, a, &ans.records[i]);
    if (e < 0)
        return e;
    if (type == DNS_MX)
        sort_mx(ans.records, ans.n);
    *out = ans;
    return 0;
}

/* ---- for the cache: status, ad, rcode, ttl, name, then (ttl, length, bytes) each ---- */

enum { PACK_HEAD = 8 };

int dns_reply_pack(const struct dns_reply *r, struct buf *out)
{
    uint8_t head[PACK_HEAD] = { (uint8_t)r->status, r->ad, r->rcode, r->name.n };
    size_t was = out->n;
    int e;

    memcpy(head + 4, &r->ttl_s, 4); /* never leaves this process: the order of bytes is its own */
    e = buf_append(out, head, sizeof head);
    if (e == 0)
        e = buf_append(out, r->name.wire, r->name.n);
    for (size_t i = 0; i < r->n && e == 0; i++) {
        uint32_t nums[2] = { r->v[i].ttl_s, (uint32_t)r->v[i].bytes.n };

        if ((e = buf_append(out, nums, sizeof nums)) == 0)
            e = buf_puts(out, r->v[i].bytes);
    }
    if (e < 0)
        out->n = was;
    return e;
}

int dns_reply_unpack(struct str b, struct arena *a, struct dns_reply *out)
{
    struct dns_reply r = { .n = 0 };
    uint32_t nums[2];
    size_t at, n = 0;

    if (b.n < PACK_HEAD || b.n < PACK_HEAD + (size_t)(uint8_t)b.p[3])
        return E_CORRUPT;
    r.status = (enum dns_status)b.p[0];
    r.ad = b.p[1] != 0;
    r.rcode = (uint8_t)b.p[2];
    r.name.n = (uint8_t)b.p[3];
    memcpy(&r.ttl_s, b.p + 4, 4);
    memcpy(r.name.wire, b.p + PACK_HEAD, r.name.n);
    at = PACK_HEAD + r.name.n;
    if (at < b.n && !(r.v = ARENA_ARRAY(a, DNS_RECORDS_MAX, struct dns_rdata)))
        return E_NOMEM;
    for (; at < b.n; at += sizeof nums + nums[1]) {
        if (n == DNS_RECORDS_MAX || b.n - at < sizeof nums)
            return E_CORRUPT;
        memcpy(nums, b.p + at, sizeof nums);
        if (b.n - at - sizeof nums < nums[1])
            return E_CORRUPT;
        r.v[n++] = (struct dns_rdata){ nums[0], str_of(b.p + at + sizeof nums, nums[1]) };
    }
    r.n = n;
    *out = r;
    return 0;
}
