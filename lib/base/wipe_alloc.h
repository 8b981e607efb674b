/* lib/base/wipe_alloc.h
 *
 * Memory that anyone gives back to malloc is wiped first: ours, and that of every library in the
 * process. Link dep_wipe_alloc into the program and it is so; nothing is to be called. It stands over
 * glibc's allocator (free and realloc only: blocks stay glibc's). Left out under sanitizers and with
 * other C libraries. */
#ifndef LIB_BASE_WIPE_ALLOC_H
#define LIB_BASE_WIPE_ALLOC_H
#include "lib/base/base.h"

/* Is it in force in this program? For `status`, and for the test. */
bool wipe_alloc_active(void);
#endif
