/* lib/imap/store_args.h
 *
 * What follows the message set in STORE (RFC 9051 6.4.6, RFC 7162 3.1.3):
 *   (UNCHANGEDSINCE 12) +FLAGS.SILENT (\Seen $Todo) */
#ifndef LIB_IMAP_STORE_ARGS_H
#define LIB_IMAP_STORE_ARGS_H
#include "lib/imap/flags.h"

struct store_args {
    enum { STORE_FLAGS_REPLACE, STORE_FLAGS_ADD, STORE_FLAGS_REMOVE } how;
    bool silent, has_unchangedsince;
    uint64_t unchangedsince;
    struct imap_flags flags;
};

/* To the end of the command. E_SYNTAX, E_LIMIT, E_NOMEM. */
MUST_CHECK int store_args_parse(struct args *a, struct store_args *out);
#endif
