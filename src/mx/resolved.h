/* src/mx/resolved.h: the directory's answer (proto/directory.proto) as the session wants it. */
#ifndef SRC_MX_RESOLVED_H
#define SRC_MX_RESOLVED_H
#include "proto/directory.pb-c.h"
#include "src/mx/recipients.h"

/* Borrows from m; arrays live in the arena. E_BUG: not what was promised; E_NOMEM. */
MUST_CHECK int mx_resolved_of(struct arena *a, const Directory__ResolveResponse *m,
                              enum smtp_found *found_out, struct mx_resolved *out);
#endif
