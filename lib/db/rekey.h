/* lib/db/rekey.h
 *
 * Another key for a database file that nobody has open. Never in place: a copy under the new key is made
 * beside it, read through, and takes its name; a crash leaves the file under one key or the other. */
#ifndef LIB_DB_REKEY_H
#define LIB_DB_REKEY_H
#include "lib/db/db.h"

/* 1: it has the new key now, durably; 0: it had it already (an earlier try came so far). E_NOTFOUND;
 * E_CORRUPT: neither key is its, or it is damaged; E_BUSY: somebody has it open; E_FULL, E_IO, E_NOMEM.
 * On error the file is as it was. */
MUST_CHECK int db_rekey(const char *path, const uint8_t old_key[DB_KEY_BYTES],
                        const uint8_t new_key[DB_KEY_BYTES]);
/* Every page and index of the file is well under this key; changes nothing but a -wal that is moved in. */
MUST_CHECK int db_check_file(const char *path, const uint8_t key[DB_KEY_BYTES]);
#endif
