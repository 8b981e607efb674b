/* src/mx/forward.h
 *
 * A message that leaves again, to other addresses and webhooks, or whose arrival is reported: what has to be known of its bytes as they pass. Each target
 * gets a delivery id from the sender, the target and all bytes, so that a message which comes once more is not sent once
 * more (DESIGN: exactly once); and a message that already was in the alias which would send it on has come
 * in a circle. It knows bytes, not the courier (courier_leg.h). */
#ifndef SRC_MX_FORWARD_H
#define SRC_MX_FORWARD_H
#include "src/common/smtp_session.h"

#define MX_DELIVERY_ID_BYTES 32u
#define MX_FACTS_MAX         KIB(32)

struct mx_forwarding;
/* Parts of the session's service. Without memory nothing can be forwarded: mx_forward_id says so. */
void mx_forward_begin(struct smtp_session *s);
void mx_forward_feed(struct smtp_session *s, struct str in);
void mx_forward_forget(struct smtp_session *s);
/* Forwards that would go in a circle are taken out: this alias had the message before. When nothing else is left, the refusal. */
const struct smtp_reply *mx_forward_verdict(struct smtp_session *s);

/* Of all bytes, which have come; borrowed until the transaction ends. Empty: there was no memory. */
struct str mx_forward_digest(struct smtp_session *s);
/* E_NOMEM. Without a Message-ID it is random: two messages may be alike and both meant. */
MUST_CHECK int mx_forward_id(struct smtp_session *s, const struct smtp_forward *f,
                             uint8_t out[MX_DELIVERY_ID_BYTES]);
/* What is known of the session, as JSON: who connected, TLS, what the checks found. Errors of buf. */
MUST_CHECK int mx_forward_facts(const struct smtp_session *s, struct str alias, struct buf *out);
#endif
