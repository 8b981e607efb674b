/* test/upgrade/sample.h
 *
 * Databases of every kind with rows in every table, of our own making, always the same; and the proof that
 * one of them still says what it said. tools/schema-dump writes them down, as text, for each version of each
 * schema; the test opens what was written down by earlier programs with today's. */
#ifndef TEST_UPGRADE_SAMPLE_H
#define TEST_UPGRADE_SAMPLE_H
#include "lib/base/test.h"
#include "lib/db/migrate.h"

/* A folder of its own for files; the working folder of the process from then on. */
void sample_begin(void);
void sample_end(void);

struct sample {
    const char *name; /* "mailbox" */
    const struct migration_set *set;
    const char *path;    /* of its file, in the working folder */
    void (*make)(void);  /* with today's program; closed again */
    void (*check)(void); /* opened by today's program, as the roles open it */
};
extern const struct sample samples[];
extern const size_t nsamples;
/* Everything is encrypted under this. */
extern const uint8_t sample_key[DB_KEY_BYTES];

/* ---- as text (dump.c) ---- */
/* All of a database as SQL that makes it again, a statement a line. */
void dump_write(struct db *db, struct buf *out);
/* A new file from such a text, at the version that the text says. */
void dump_load(const char *path, struct str sql);
/* Where the text of that version is kept. */
void dump_path(const struct sample *s, size_t version, char *out, size_t n);
/* False when there is none. */
bool dump_read(const struct sample *s, size_t version, struct buf *out);
#endif
