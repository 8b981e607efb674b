/* lib/dns/dns.h
 *
 * A question to the domain name system and its answer, as everybody but the resolver sees them. No wire
 * format, no I/O. How the answer is got is somebody else's (src/common/resolve.h). */
#ifndef LIB_DNS_DNS_H
#define LIB_DNS_DNS_H
#include "lib/base/arena.h"
#include "lib/base/buf.h"

#define DNS_WIRE_MAX    255u               /* of a name on the wire (RFC 1035 2.3.4) */
#define DNS_TEXT_MAX    (4 * DNS_WIRE_MAX) /* of a name as text: each byte may need "\ddd" */
#define DNS_RECORDS_MAX 256u               /* of one answer; more is no answer */
#define DNS_RDATA_MAX   KIB(32)            /* of all records of one answer together */

enum dns_type { /* the numbers of RFC 1035 3.2.2 and the registry */
                DNS_A = 1,
                DNS_NS = 2,
                DNS_CNAME = 5,
                DNS_SOA = 6,
                DNS_PTR = 12,
                DNS_MX = 15,
                DNS_TXT = 16,
                DNS_AAAA = 28,
                DNS_SRV = 33,
                DNS_TLSA = 52,
                DNS_CAA = 257,
};

enum dns_status {
    DNS_OK,       /* there are records */
    DNS_NXDOMAIN, /* there is no such name, nor anything below it (RFC 8020) */
    DNS_NODATA,   /* the name is there, records of this type are not */
    DNS_BADNAME,  /* no name that could be asked for: as good as DNS_NXDOMAIN */
    /* From here on: nothing is known, ask again later. Never a reason to refuse mail for good. */
    DNS_SERVFAIL, /* the resolvers that were asked could not say */
    DNS_BOGUS,    /* they say that signatures (DNSSEC) are wrong */
    DNS_TIMEOUT,  /* nobody answered in time */
};

struct dns_question {
    struct str name; /* "example.org", also "bücher.example" in UTF-8; a final dot changes nothing */
    uint16_t type;   /* enum dns_type */
};

/* Names of hosts in lower case without a final dot ("." alone is the root); bytes that are no printable
 * ASCII, dots inside a label and backslashes as \ddd. Good for another question as they are. */
struct dns_record {
    uint16_t type; /* says which one of the union it is */
    uint32_t ttl_s;
    union {
        uint8_t a[4];
        uint8_t aaaa[16];
        struct str name; /* CNAME, PTR, NS */
        struct str txt;  /* its strings put together (RFC 7208 3.3, RFC 6376 3.6.2.2); any bytes */
        struct {
            uint16_t preference;
            struct str host;
        } mx;
        struct {
            uint16_t priority, weight, port;
            struct str target;
        } srv;
        struct {
            uint8_t usage, selector, matching;
            struct str data;
        } tlsa;
        struct {
            uint8_t flags;
            struct str tag, value;
        } caa;
    };
};

struct dns_answer {
    enum dns_status status;
    bool ad;         /* a resolver that we have reason to believe has validated it (RFC 6840 5.8) */
    uint32_t ttl_s;  /* how long it stays true; of "no" too (RFC 2308) */
    struct str name; /* where aliases (CNAME) led; the name that was asked for when there were none */
    size_t n;        /* 0 unless DNS_OK */
    struct dns_record *records; /* of the type asked for only; MX by preference */
};

/* Try again later? */
bool dns_status_is_temporary(enum dns_status s);
const char *dns_status_name(enum dns_status s); /* "nxdomain"; static */

/* "MX", "65" -> "TYPE65"; static or in `out`. */
#define DNS_TYPE_TEXT_MAX 10u
const char *dns_type_name(uint16_t type, char out[DNS_TYPE_TEXT_MAX]);
/* Of the types above, any case. False when it is none. */
bool dns_type_from(struct str text, uint16_t *out);

/* RFC 7505: this domain takes no mail. */
bool dns_is_null_mx(const struct dns_answer *a);

/* A record as zone files write it, without owner, TTL and type: "10 mx.example.org", "\"v=spf1 -all\"". */
MUST_CHECK int dns_record_print(const struct dns_record *r, struct buf *out);
#endif
