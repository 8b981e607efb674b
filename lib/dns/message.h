/* lib/dns/message.h
 *
 * Queries as bytes, and answers read from bytes that nobody vouches for (RFC 1035 4, RFC 6891). Answers are
 * taken apart by ldns; what is kept of them is a reply: where the aliases led, the records of the type that
 * was asked for, and how long that holds. Pure. */
#ifndef LIB_DNS_MESSAGE_H
#define LIB_DNS_MESSAGE_H
#include "lib/dns/name.h"

#define DNS_MESSAGE_MAX 65535u
#define DNS_HEAD_LEN    12u
#define DNS_ALIASES_MAX 16u   /* of one chain */
#define DNS_UDP_BYTES   1232u /* what we say that we take: fits every path unfragmented (DNS flag day 2020) */
#define DNS_PAD_BLOCK   128u  /* queries are as long as a multiple of it (RFC 8467 4.1) */
#define DNS_QUERY_MAX   KIB(1)

struct dns_query {
    struct dns_name name;
    uint16_t type, id;
    bool pad;
    uint64_t
        mixed; /* bit i: the i-th letter of the name goes out as a capital (draft-vixie-dnsext-dns0x20); later ones by turns */
};

/* Recursion wanted, EDNS, AD set to be told of it (RFC 6840 5.7). */
MUST_CHECK int dns_query_write(const struct dns_query *q, struct buf *out);
/* Id and question of an answer are those of `query`, byte by byte: whoever forges one has to guess them.
 * With `any_case` the letters of the name may differ. */
bool dns_message_answers(struct str query, struct str message, bool any_case);
/* The TC bit: there is more than fits; ask again over TCP. */
bool dns_message_truncated(struct str message);

struct dns_reply {
    enum dns_status status;
    bool ad;
    uint8_t rcode;
    uint32_t ttl_s; /* the shortest on the way; of "no" by the zone's SOA (RFC 2308 5); 0: not to be kept */
    struct dns_name name;
    size_t n;
    struct dns_rdata {
        uint32_t ttl_s;
        struct str bytes; /* as on the wire, names in it not compressed */
    } * v;
};

/* An answer to (name, type). Everything lives in the arena. E_SYNTAX: not well-formed, in any part of it, or
 * truncated; E_LIMIT: more than DNS_RECORDS_MAX or DNS_RDATA_MAX, aliases that go on and on; E_NOMEM.
 * E_UNSUPPORTED: a type that has no row in dns_type. */
MUST_CHECK int dns_reply_parse(struct str message, const struct dns_name *name, uint16_t type,
                               struct arena *a, struct dns_reply *out);

/* One record from its bytes. E_SYNTAX, E_NOMEM, E_UNSUPPORTED. */
MUST_CHECK int dns_record_decode(uint16_t type, uint32_t ttl_s, struct str rdata, struct arena *a,
                                 struct dns_record *out);
/* The reply as the asker sees it. E_NOMEM, E_SYNTAX. */
MUST_CHECK int dns_answer_decode(const struct dns_reply *r, uint16_t type, struct arena *a,
                                 struct dns_answer *out);

/* A reply as one run of bytes, for the cache, and back (into the arena, `bytes` borrowed). */
MUST_CHECK int dns_reply_pack(const struct dns_reply *r, struct buf *out);
MUST_CHECK int dns_reply_unpack(struct str bytes, struct arena *a, struct dns_reply *out);
#endif
