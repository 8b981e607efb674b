/* bench/bare.h: one table, one row a letter: what SQLite does without us. */
#ifndef BENCH_BARE_H
#define BENCH_BARE_H
#include "bench/append.h"

/* encrypted: under whichever cipher this program was linked with; indexed: with the text in an FTS5 table
 * like the store's, in the same transaction. */
extern bool bare_encrypted, bare_indexed;
extern const struct append_ops bare_ops;
#endif
