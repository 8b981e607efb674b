/* lib/base/rand.h
 *
 * Random bytes from the kernel. There is no fallback: a machine without getrandom cannot keep a
 * secret, so failure aborts. Safe across fork, from any thread. */
#ifndef LIB_BASE_RAND_H
#define LIB_BASE_RAND_H
#include "lib/base/base.h"

void rand_bytes(void *p, size_t n);
uint64_t rand_u64(void);
#endif
