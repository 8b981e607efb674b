/* src/mx/deliver.h: a message as the store takes it (proto/store.proto). */
#ifndef SRC_MX_DELIVER_H
#define SRC_MX_DELIVER_H
#include "proto/store.pb-c.h"
#include "src/common/smtp_message.h"

/* All mailboxes of m; what it makes lives in the arena. E_NOMEM, E_LIMIT. */
MUST_CHECK int mx_deliver_request(struct arena *a, const struct smtp_message *m, struct str staging,
                                  Store__DeliverRequest *q);
/* LMTP: how it went for each, into its recipients. E_BUG: that was not said. */
MUST_CHECK int mx_deliver_results(struct smtp_message *to, const Store__DeliverResponse *m);
#endif
