/* lib/smtp/path.h
 *
 * Envelope addresses: Path and Mailbox of RFC 5321 4.1.2 with UTF-8 of RFC 6531 3.3. Grammar only:
 * it does not know whether a domain is ours, resolves nothing and maps no U-label to an A-label.
 * Everything in a struct smtp_path borrows from the parsed text.
 *
 * Stricter or laxer than the RFC, on purpose:
 *   - source routes ("<@a,@b:c@d>") are accepted and ignored (RFC 5321 3.3, appendix C);
 *   - '_' is let through in domains, since senders' host names have it; no other byte is;
 *   - a reverse path may have a local part over 64 octets, since bounce addresses (VERP, SRS) do and
 *     the limit is a minimum to support (RFC 5321 4.5.3.1); the path limit of 256 holds always. */
#ifndef LIB_SMTP_PATH_H
#define LIB_SMTP_PATH_H
#include "lib/base/buf.h"
#include "lib/base/str.h"

#define SMTP_LOCAL_MAX  64u  /* RFC 5321 4.5.3.1.1 */
#define SMTP_DOMAIN_MAX 255u /* RFC 5321 4.5.3.1.2 */
#define SMTP_PATH_MAX   256u /* RFC 5321 4.5.3.1.3, with the angle brackets, without a source route */
#define SMTP_LABEL_MAX  63u  /* RFC 1035 2.3.4 */

struct smtp_path {
    struct str local;  /* as written, without the quotes when `quoted` */
    struct str domain; /* as written, with its brackets when `literal`; empty: null path or <Postmaster> */
    bool quoted, literal;
    bool utf8; /* holds bytes above 127: legal with SMTPUTF8 only, the caller decides */
};

#define SMTP_PATH_REVERSE BIT(0) /* may be <>, may have a long local part */
#define SMTP_PATH_FORWARD BIT(1) /* may be <Postmaster> without a domain (RFC 5321 4.1.1.3) */

/* Parse "<...>" at the start of `in`; *used_out is how much of it the path took. Returns 0, E_SYNTAX
 * or E_LIMIT (a length). Bytes above 127 must be valid UTF-8 without C1 controls. */
MUST_CHECK int smtp_path_parse(struct str in, uint32_t allow, struct smtp_path *out, size_t *used_out);
/* The whole of `in` is a mailbox, local@domain, without brackets. Same errors. */
MUST_CHECK int smtp_mailbox_parse(struct str in, uint32_t allow, struct smtp_path *out);
/* A domain or address literal, whole; false for anything else. *utf8_out is set when it has U-labels. */
bool smtp_domain_valid(struct str domain, bool *literal_out, bool *utf8_out);

/* May mail be addressed to this name (A-labels, no literal) from anywhere? It needs two labels or more, for it is
 * fully qualified (RFC 5321 2.3.5), and the last may not be a number, or it would be taken for an address (RFC
 * 1123 2.1). */
bool smtp_domain_public(struct str domain);

static inline bool smtp_path_is_null(const struct smtp_path *p)
{
    return p->local.n == 0 && !p->quoted;
}

/* Append the local part with quoting undone. Errors of buf. */
MUST_CHECK int smtp_path_local(const struct smtp_path *p, struct buf *out);
/* Append the canonical address, without brackets: quoted only where needed, so that "a"@b and a@b read
 * the same; domain in lower case (ASCII); local part in the case it came in. Nothing for a null path. */
MUST_CHECK int smtp_path_print(const struct smtp_path *p, struct buf *out);
/* Well-formed UTF-8 (RFC 3629) without C0 or C1 controls, DEL, U+2028 and U+2029. */
bool smtp_utf8_clean(struct str s);
#endif
