#include "lib/crypto/filehash.h"
#include <openssl/evp.h>

void filehash_begin(struct filehash *f, enum filehash_kind kind)
{
    f->kind = kind;
    f->sha = NULL;
    f->failed = false;
    if (kind == FILEHASH_BLAKE2B)
        crypto_generichash_init(&f->blake2b, NULL, 0, HASH_BYTES);
    else
        f->failed = !(f->sha = EVP_MD_CTX_new()) || EVP_DigestInit_ex(f->sha, EVP_sha256(), NULL) != 1;
}

void filehash_add(struct filehash *f, struct str bytes)
{
    if (f->kind == FILEHASH_BLAKE2B)
        crypto_generichash_update(&f->blake2b, (const uint8_t *)bytes.p, bytes.n);
    else if (!f->failed)
        f->failed = EVP_DigestUpdate(f->sha, bytes.p, bytes.n) != 1;
}

void filehash_end(struct filehash *f, uint8_t out[HASH_BYTES])
{
    unsigned n = 0;

    memset(out, 0, HASH_BYTES);
    if (f->kind == FILEHASH_BLAKE2B)
        crypto_generichash_final(&f->blake2b, out, HASH_BYTES);
    else if (!f->failed && (EVP_DigestFinal_ex(f->sha, out, &n) != 1 || n != HASH_BYTES))
        memset(out, 0, HASH_BYTES);
    EVP_MD_CTX_free(f->sha);
    f->sha = NULL;
}
