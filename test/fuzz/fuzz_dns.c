/* Answers of name servers. Laws: what is accepted keeps the limits; every name in it is the same after being
 * printed and read; packed and unpacked it is equal; and written out anew as a message it means the same. */
#include "lib/base/errors.h"
#include "lib/dns/message.h"
#include "test/fuzz/fuzz.h"

static const uint16_t types[] = { DNS_A,     DNS_AAAA, DNS_MX,  DNS_TXT,  DNS_PTR,
                                  DNS_CNAME, DNS_NS,   DNS_SRV, DNS_TLSA, DNS_CAA };

/* The name in the question, when there is a plain one. */
static bool question(struct str m, struct dns_name *out, size_t *end)
{
    size_t at = DNS_HEAD_LEN;

    while (at < m.n && (uint8_t)m.p[at] > 0)
        at += 1u + (uint8_t)m.p[at];
    *end = at + 5;
    return *end <= m.n && dns_name_from_wire(str_slice(m, DNS_HEAD_LEN, at + 1), out) == 0;
}

static void same_name(struct str text)
{
    CLEANUP(buf_release) struct buf again = { .max = DNS_TEXT_MAX };
    struct dns_name n;

    LAW(text.n <= DNS_TEXT_MAX);
    LAW(dns_name_parse(text, &n) == 0);
    LAW(dns_name_print(&n, &again) == 0 && str_eq(buf_str(&again), text));
}

static void same_reply(const struct dns_reply *a, const struct dns_reply *b)
{
    LAW(a->status == b->status && a->ad == b->ad && a->ttl_s == b->ttl_s && a->n == b->n);
    LAW(dns_name_eq(&a->name, &b->name));
    for (size_t i = 0; i < a->n; i++)
        LAW(a->v[i].ttl_s == b->v[i].ttl_s && str_eq(a->v[i].bytes, b->v[i].bytes));
}

static void put(struct buf *b, const void *p, size_t n)
{
    LAW(buf_append(b, p, n) == 0);
}

static void put_number(struct buf *b, uint32_t v, size_t n)
{
    const uint8_t all[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };

    put(b, all + 4 - n, n);
}

/* The same records under the name at the end of the chain, uncompressed, as an answer to a question for it. */
static void written_anew(const struct dns_reply *r, uint16_t type, struct arena *a)
{
    CLEANUP(buf_release) struct buf m = { .max = DNS_MESSAGE_MAX * 8 };
    struct dns_reply again;

    put(&m, "\0\0\x81\x80\0\1", 6);
    m.p[3] = (char)(m.p[3] | (r->ad ? 0x20 : 0));
    put_number(&m, (uint32_t)r->n, 2);
    put(&m, "\0\0\0\0", 4);
    put(&m, r->name.wire, r->name.n);
    put_number(&m, type, 2);
    put_number(&m, 1, 2);
    for (size_t i = 0; i < r->n; i++) {
        put(&m, r->name.wire, r->name.n);
        put_number(&m, type, 2);
        put_number(&m, 1, 2);
        put_number(&m, r->v[i].ttl_s, 4);
        put_number(&m, (uint32_t)r->v[i].bytes.n, 2);
        put(&m, r->v[i].bytes.p, r->v[i].bytes.n);
    }
    if (m.n > DNS_MESSAGE_MAX)
        return;
    LAW(dns_reply_parse(buf_str(&m), &r->name, type, a, &again) == 0);
    LAW(again.ttl_s >= r->ttl_s); /* aliases may have lived shorter */
    again.ttl_s = r->ttl_s;
    same_reply(r, &again);
}

static void check(const struct dns_reply *r, uint16_t type, struct arena *a)
{
    CLEANUP(buf_release) struct buf packed = { .max = 4 * DNS_RDATA_MAX };
    struct dns_reply again;
    struct dns_answer ans;
    size_t bytes = 0;

    LAW((r->status == DNS_OK) == (r->n > 0) && r->n <= DNS_RECORDS_MAX);
    LAW(dns_reply_pack(r, &packed) == 0 && dns_reply_unpack(buf_str(&packed), a, &again) == 0);
    same_reply(r, &again);
    LAW(dns_answer_decode(r, type, a, &ans) == 0 && ans.n == r->n);
    same_name(ans.name);
    for (size_t i = 0; i < ans.n; i++) {
        CLEANUP(buf_release) struct buf text = { .max = 8 * DNS_RDATA_MAX };
        const struct dns_record *one = &ans.records[i];

        bytes += r->v[i].bytes.n;
        LAW(one->type == type && dns_record_print(one, &text) == 0);
        if (type == DNS_MX)
            same_name(one->mx.host);
        if (type == DNS_PTR || type == DNS_CNAME || type == DNS_NS)
            same_name(one->name);
    }
    LAW(bytes <= DNS_RDATA_MAX);
    if (r->status == DNS_OK)
        written_anew(r, type, a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(4) };
    struct str m = str_of(data, size);
    struct dns_name name;
    struct dns_reply r;
    size_t end;

    if (!question(m, &name, &end))
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (dns_reply_parse(m, &name, types[i], &a, &r) == 0)
            check(&r, types[i], &a);
        arena_reset(&a);
    }
    return 0;
}
