/* lib/crypto/secret_slab.h
 *
 * Live keys in one piece of memory that is locked (never swapped), kept out of dumps and forks,
 * between two guard pages. Entries are 64 bytes with a canary on each side, wiped when given back.
 * sodium_malloc costs four maps an entry, and 16k of them exhaust the map limit. Thread-safe. */
#ifndef LIB_CRYPTO_SECRET_SLAB_H
#define LIB_CRYPTO_SECRET_SLAB_H
#include "lib/base/base.h"

#define SECRET_BYTES_MAX      64u
#define SECRET_SLAB_COUNT_MAX (1u << 20)

struct secret_slab; /* opaque */

/* Room for `count` secrets (96 bytes each). E_LIMIT, E_NOMEM. Memory that the kernel will not lock
 * (RLIMIT_MEMLOCK) is used all the same: ask secret_slab_locked and say it loudly. */
MUST_CHECK int secret_slab_new(size_t count, struct secret_slab **out);
/* Wipes all; asserts nothing about what is still out. NULL is accepted, sets NULL. */
void secret_slab_free(struct secret_slab **s);
bool secret_slab_locked(const struct secret_slab *s);
size_t secret_slab_used(struct secret_slab *s);
/* SECRET_BYTES_MAX zero bytes, aligned to 16; NULL when full. */
void *secret_alloc(struct secret_slab *s);
/* Wipes and gives back; NULL is accepted. Aborts when a canary was overwritten or p is not a live
 * secret of this slab: someone wrote beside his memory. */
void secret_free(struct secret_slab *s, void *p);
#endif
