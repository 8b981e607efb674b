/* src/ctl/vault.h
 *
 * A service backup as a file: named pieces, closed under the server key, which stands at its beginning under the
 * operator's passphrase (doc/formats.md 11). Whoever lacks the passphrase learns its length, and nothing else. */
#ifndef SRC_CTL_VAULT_H
#define SRC_CTL_VAULT_H
#include "lib/crypto/subkey.h"

#define VAULT_NAME_MAX 64u

struct vault; /* opaque: being written */
/* fd: a new file, the caller's. `wrap`: the server key under a passphrase (server_key_wrap). */
MUST_CHECK int vault_new(int fd, const uint8_t server_key[KEY_BYTES], struct str wrap, struct vault **out);
/* A piece: its name, its bytes in any slices, its end. */
MUST_CHECK int vault_begin(struct vault *v, const char *name);
MUST_CHECK int vault_add(struct vault *v, struct str bytes);
MUST_CHECK int vault_end(struct vault *v);
/* All of it is written, and synced. */
MUST_CHECK int vault_close(struct vault *v);
void vault_free(struct vault **v);

/* The wrapped key of a vault, from its beginning. E_CORRUPT: it is none; E_VERSION. */
MUST_CHECK int vault_wrap(int fd, struct buf *out);
/* From the beginning to the end: every piece, its bytes in slices. What a callback returns when negative ends it.
 * E_CORRUPT: damaged, cut off, or of another server key; what was told until then is not to be believed. */
struct vault_reader {
    int (*begin)(void *ctx, const char *name);
    int (*take)(void *ctx, struct str bytes);
    int (*end)(void *ctx);
    void *ctx;
};
MUST_CHECK int vault_read(int fd, const uint8_t server_key[KEY_BYTES], const struct vault_reader *r);
#endif
