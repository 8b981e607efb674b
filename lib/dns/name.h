/* lib/dns/name.h
 *
 * Names of the domain name system: text in, the bytes that are compared and sent, and text again. Text may
 * be an international name (IDNA2008 with the mapping of UTS 46). Pure. */
#ifndef LIB_DNS_NAME_H
#define LIB_DNS_NAME_H
#include "lib/dns/dns.h"
#include <sys/socket.h>

struct dns_name {
    uint8_t wire[DNS_WIRE_MAX]; /* labels with their lengths, in lower case, the empty one last */
    uint8_t n;
};

/* E_SYNTAX: an empty label, a bad escape, no international name. E_LIMIT: a label over 63 bytes, a name
 * over 255. */
MUST_CHECK int dns_name_parse(struct str text, struct dns_name *out);
/* From the wire, uncompressed, all of `in`: E_SYNTAX, E_LIMIT. Letters become small. */
MUST_CHECK int dns_name_from_wire(struct str in, struct dns_name *out);
/* E_LIMIT when `out` is too small. */
MUST_CHECK int dns_name_print(const struct dns_name *n, struct buf *out);
/* In the arena; E_NOMEM. */
MUST_CHECK int dns_name_text(const struct dns_name *n, struct arena *a, struct str *out);
bool dns_name_eq(const struct dns_name *a, const struct dns_name *b);
/* For tables whose names strangers choose: SipHash under a random key. */
#define DNS_HASH_KEY 16u
uint64_t dns_name_hash(const struct dns_name *n, uint16_t type, const uint8_t key[DNS_HASH_KEY]);

/* Letters, digits, hyphens and dots, as RFC 1123 2.1 wants a host's name: what may stand in a header or in
 * a command to another server. */
bool dns_is_host(struct str text);

/* "4.3.2.1.in-addr.arpa", "…ip6.arpa" (RFC 1035 3.5, RFC 3596 2.5): where an address's PTR is; with
 * another `suffix` ("zen.example.org"), where a list of addresses has it (RFC 5782 2.1). IPv4-mapped counts
 * as IPv4. E_SYNTAX: no such address; E_LIMIT. */
MUST_CHECK int dns_name_reverse(const struct sockaddr *sa, struct str suffix, struct buf *out);
#endif
