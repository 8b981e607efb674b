/* src/monitor/journal.h
 *
 * The journal: what was decided about whose mail, in one encrypted file, for some days. Blocks on disk; one thread at a
 * time. A commit is not synced: after a power loss the last seconds of it may be missing, and nothing else is. */
#ifndef SRC_MONITOR_JOURNAL_H
#define SRC_MONITOR_JOURNAL_H
#include "lib/base/arena.h"
#include "lib/db/db.h"
#include "proto/monitor.pb-c.h"

#define JOURNAL_FILE "journal.sqlite"

/* Made when it is not there. E_CORRUPT, E_VERSION, E_IO, …; `why` says which object, or what was mended. */
MUST_CHECK int journal_open(const uint8_t key[DB_KEY_BYTES], struct db **db_out, struct db_error *error,
                            struct buf *why);
/* All of them in one transaction; what has no place in the journal (no person, bytes that are no UTF-8 …) is made to fit. */
MUST_CHECK int journal_add(struct db *db, Monitor__Note *const *notes, size_t n);
/* An answer in the arena. */
MUST_CHECK int journal_query(struct db *db, struct arena *a, const Monitor__QueryRequest *q,
                             Monitor__QueryResponse *out);
/* Remove entries from before `before_ms`, and the oldest beyond `entries_max`, some at a time: how many went (fewer than
 * a step's: nothing is left to remove), or E_*. */
#define JOURNAL_STEP 2000
MUST_CHECK int64_t journal_expire(struct db *db, int64_t before_ms, uint64_t entries_max);
MUST_CHECK int journal_count(struct db *db, uint64_t *entries_out);
#endif
