/* src/mx/verdict.h
 *
 * The place between DATA and commit: all bytes are staged, nothing is promised yet. Every check that
 * looks at a whole message is a row here; authentication and spam checks will be rows too (they look
 * at evidence that content and resolver gather while the message flows by, never at bytes here). */
#ifndef SRC_MX_VERDICT_H
#define SRC_MX_VERDICT_H
#include "src/mx/conf.h"
#include "src/mx/message.h"

/* NULL: commit. Else the reply that refuses the message, and *name_out the check that did. */
const struct smtp_reply *mx_verdict(const struct mx_conf *conf, const struct mx_message *m,
                                    const char **name_out);
#endif
