/* src/common/rotation.h
 *
 * Another server key for everything that hangs on the old one, while no role runs: what its subkeys close
 * is written anew, file by file, each beside the old one, read through, and swapped in by a rename. MAC keys
 * are carried (lib/crypto/carried.h). Every step may be the last one before a crash: from the first on,
 * `<key file>.next` holds the new key and `server-key.rotation` in the data folder the old one under it, and
 * whoever starts next goes on from where it stopped, until the key file holds the new key and both are gone.
 * The new key is never written under the old one: who has the old one gains nothing from the folder at any
 * moment of this.
 *
 * Synchronous. Whoever calls it holds the lock on the data folder. */
#ifndef SRC_COMMON_ROTATION_H
#define SRC_COMMON_ROTATION_H
#include "lib/crypto/subkey.h"

#define ROTATION_PATH_MAX 512u

/* Whose files: with users of their own, each part is done as the user that owns it. */
enum rotation_part { ROTATION_DIRECTORY, ROTATION_STORE, ROTATION_QUEUE, ROTATION_JOURNAL, ROTATION_PARTS };

struct rotation_count {
    uint64_t databases, temporaries, key_files, labels_lost /* opened under neither key: left as they are */;
};

struct rotation {
    int dir;            /* the data folder */
    const char *prefix; /* what SQLite puts before a path below it: "" when it is the working folder */
    uint8_t old_key[KEY_BYTES], new_key[KEY_BYTES];
    struct rotation_count count;
    char at[ROTATION_PATH_MAX]; /* the file in hand, for the operator when something fails */
};

/* The subkeys of this data folder under its server key: derived, and those that were carried.
 * E_AUTH: they were carried under another server key. E_CORRUPT, E_IO. */
MUST_CHECK int server_subkeys(int dir, const uint8_t key[KEY_BYTES], uint8_t out[SUBKEY_PURPOSES][KEY_BYTES]);

/* Before: is every file well, and does the old key open it? A damaged one is no reason to lose the rest:
 * E_CORRUPT, with its name in r->at, and nothing was changed. */
MUST_CHECK int rotation_check(struct rotation *r, enum rotation_part part);
/* Draws the new key and writes it down; from here on it must be ended. */
MUST_CHECK int rotation_begin(struct rotation *r, const char *key_file);
/* Is one under way? 1: r has both keys; `key` is what the key file holds. 0: no. E_AUTH: yes, and `key` is
 * neither of its keys. */
MUST_CHECK int rotation_find(struct rotation *r, const char *key_file, const uint8_t key[KEY_BYTES]);
/* The files of a part. What has the new key already is left. */
MUST_CHECK int rotation_files(struct rotation *r, enum rotation_part part);
/* After all parts: the carried subkeys, the key file, and the end. */
MUST_CHECK int rotation_end(struct rotation *r, const char *key_file);
#endif
