/* lib/db/trigram.h
 *
 * FTS5's trigram tokenizer, which gives a text's trigrams as often as they stand in it, made to give each
 * (nearly) once: for tables with detail=none, which keep no more than that. What it writes is what the stock
 * tokenizer would have written, and either reads the other's tables; it costs about a third. */
#ifndef LIB_DB_TRIGRAM_H
#define LIB_DB_TRIGRAM_H
#include "lib/db/db.h"

/* For this handle, before it touches such a table. */
MUST_CHECK int db_trigrams_once(struct db *db);
#endif
