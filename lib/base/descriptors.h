/* lib/base/descriptors.h: how many files and sockets this process may have open. */
#ifndef LIB_BASE_DESCRIPTORS_H
#define LIB_BASE_DESCRIPTORS_H
#include "lib/base/base.h"

/* Raise the limit to `want` (UINT64_MAX: all there is), or as far as the system lets us. Returns what it is now; want, when
 * nobody can say. */
uint64_t descriptors_raise(uint64_t want);
#endif
