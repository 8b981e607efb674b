/* src/mx/verdict.h
 *
 * The place between DATA and commit: all bytes are staged, nothing is promised yet. Every check that
 * looks at a whole message is a row here; they look at evidence that was gathered while the message flowed by
 * (auth.h), never at bytes. */
#ifndef SRC_MX_VERDICT_H
#define SRC_MX_VERDICT_H
#include "src/mx/conf.h"
#include "src/common/smtp_message.h"

/* NULL: commit. Else the reply that refuses the message, and *name_out the check that did. */
const struct smtp_reply *mx_verdict(const struct mx_conf *conf, const struct smtp_message *m,
                                    const char **name_out);
#endif
