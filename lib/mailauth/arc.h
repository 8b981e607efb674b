/* lib/mailauth/arc.h
 *
 * ARC (RFC 8617): who handled a message before us and what they saw. Validate the chain of a message, and
 * add a set of our own before handing it on. */
#ifndef LIB_MAILAUTH_ARC_H
#define LIB_MAILAUTH_ARC_H
#include "lib/mailauth/dkim.h"

#define ARC_SETS_MAX 50u /* RFC 8617 5.2: "no more than 50" */

enum arc_code { ARC_NONE, ARC_PASS, ARC_FAIL, ARC_TEMPERROR };
const char *arc_code_name(enum arc_code code);

struct arc_result {
    enum arc_code code;
    const char *why;   /* static; NULL for a pass */
    unsigned sets;     /* highest instance */
    struct str domain; /* who sealed last; plain */
    bool sealed_fail;  /* the last seal says cv=fail already: nothing may be added (5.1.2) */
};

/* 0 and *out set, or MAILAUTH_WAITS. Before mailauth_message_end it only asks for keys, and waits. */
MUST_CHECK int arc_check(struct mailauth_message *m, struct lookups *l, struct arc_result *out);

/* Make a set: ARC-Seal, ARC-Message-Signature, ARC-Authentication-Results, in this order, appended.
 *
 * s        signs; its identity, expiry and header_simple are not used; body: from dkim_signer_want
 * chain    what arc_check found when the message came; ARC_TEMPERROR cannot be sealed (E_UNAVAIL)
 * results  "mx.example; spf=pass …": the content of an Authentication-Results field, unfolded or not
 *
 * E_DENIED: the chain is sealed as failed, or full. E_SYNTAX, E_LIMIT, E_NOMEM, E_BUG as dkim_make. */
MUST_CHECK int arc_seal(struct mailauth_message *m, const struct dkim_signer *s, int body,
                        const struct arc_result *chain, struct str results, struct buf *out);
#endif
