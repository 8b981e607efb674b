/* lib/db/schema.h: shared by the files of this folder only.
 *
 * What sqlite_schema says of a database, object by object, and how far two of them are apart. Texts are
 * compared with whitespace and comments folded, so columns, types, defaults, CHECKs, foreign keys, orders
 * and collations all count. Shadow tables of virtual tables are the module's own affair: they must be
 * there, and what their text is depends on the version that made them. */
#ifndef LIB_DB_SCHEMA_H
#define LIB_DB_SCHEMA_H
#include "lib/db/db_private.h"

struct object {
    char *name; /* "table message" */
    char *sql;  /* normalized, for comparing */
    char *raw;  /* as it stands, for making it again */
    bool shadow;
};

struct schema {
    struct object *list; /* by type, then name */
    size_t n;
};

MUST_CHECK int schema_read(struct db *db, struct schema *out);
void schema_release(struct schema *s);
/* Make what `want` has and db lacks, in one transaction, and refuse any other difference with E_CORRUPT
 * and nothing changed. `why` (may be NULL): lines of what was made, or what is refused. */
MUST_CHECK int schema_settle(struct db *db, const struct schema *want, struct buf *why);
/* A line for the operator; `why` may be NULL. */
PRINTF_LIKE(2, 3) void schema_say(struct buf *why, const char *fmt, ...);
#endif
