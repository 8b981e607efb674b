/* lib/crypto/filehash.h
 *
 * The hash of a whole file that passes in pieces: SHA-256, which processors have instructions for, so that a backup does not
 * wait for its hash, and `sha256sum` tells the same. BLAKE2b-256 for what was written before. No I/O. */
#ifndef LIB_CRYPTO_FILEHASH_H
#define LIB_CRYPTO_FILEHASH_H
#include "lib/crypto/box.h"
#include <openssl/types.h>
#include <sodium.h>

enum filehash_kind { FILEHASH_BLAKE2B, FILEHASH_SHA256 };

struct filehash {
    EVP_MD_CTX *sha;
    crypto_generichash_state blake2b;
    enum filehash_kind kind;
    bool failed; /* no memory: the hash will be zeros, which no file has */
};

void filehash_begin(struct filehash *f, enum filehash_kind kind);
void filehash_add(struct filehash *f, struct str bytes);
/* Once, whatever happened; frees. */
void filehash_end(struct filehash *f, uint8_t out[HASH_BYTES]);
#endif
