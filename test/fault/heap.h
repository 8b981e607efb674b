/* test/fault/heap.h
 *
 * Memory that runs out: linked into a test program, it stands between everybody in the process (our code,
 * SQLite, zstd, OpenSSL, the C library itself) and glibc's malloc, and lets one request fail. Not under sanitizers,
 * which have an allocator of their own, nor with another C library. */
#ifndef TEST_FAULT_HEAP_H
#define TEST_FAULT_HEAP_H
#include "lib/base/base.h"

/* Can it? */
bool heap_can(void);
/* The nth request (from 1) of this thread from now fails, once; 0: none does. */
void heap_fail(size_t nth);
/* Has it come to that? Nothing fails any more. */
bool heap_failed(void);
#endif
