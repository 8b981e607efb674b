/* lib/db/migrate.h
 *
 * Numbered migrations that the program carries, and the proof that a file has the schema they make.
 *
 * sql/<set>/NNNN_name.sql, numbered 0001, 0002, ... without gaps, become a C table at build time:
 *     sql_mailbox = custom_target('sql_mailbox', output: ['sql_mailbox.c', 'sql_mailbox.h'],
 *       input: files('../../sql/mailbox/0001_first.sql', ...),
 *       command: [embed_sql, 'mailbox', '0x4c4c6d62', '@OUTPUT@', '@INPUT@'])
 * which defines `const struct migration_set sql_mailbox`. A file that lies in the folder and is not
 * listed fails the build. The version of a database is its PRAGMA user_version, its kind its
 * application_id; both are set by literals of that table. A migration that was released is never
 * edited: SQLite keeps the text of every CREATE, and we compare it. */
#ifndef LIB_DB_MIGRATE_H
#define LIB_DB_MIGRATE_H
#include "lib/db/db.h"

struct migration {
    const char *name;        /* "0001_first" */
    const char *sql;         /* any number of statements, without BEGIN and COMMIT */
    const char *set_version; /* "PRAGMA user_version=1" */
};

struct migration_set {
    const char *name;               /* "mailbox" */
    const char *set_application_id; /* "PRAGMA application_id=..." */
    int64_t application_id;
    const struct migration *list;
    size_t n; /* the version that list brings a file to */
};

/* Bring the database to the set's version, each migration in a transaction of its own, and then
 * compare its schema, object by object, with that of a new database made by the same migrations in
 * memory. Tables, indexes and (at the end of a table) columns that are missing are made, all or none of
 * them; anything else that differs is refused.
 * E_VERSION: a newer program wrote it. E_CORRUPT: another kind of database, or a schema that differs.
 * `why` (may be NULL) then says which object and how, for the operator; when 0 comes back and something
 * is in it, it says what was made. Nothing is changed by what is refused, but migrations that succeeded
 * before stay. */
MUST_CHECK int migrate_run(struct db *db, const struct migration_set *set, struct buf *why);
/* Whitespace and comments outside quotes folded, so that texts compare by meaning. For tests. */
MUST_CHECK int migrate_normalize(struct str sql, struct buf *out);
#endif
