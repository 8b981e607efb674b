#include "lib/base/wipe_alloc.h"
#include <errno.h>
#include <malloc.h>

#if defined(__has_feature)
#define FEATURE(x) __has_feature(x)
#else
#define FEATURE(x) 0
#endif

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && \
    !FEATURE(address_sanitizer) && !FEATURE(thread_sanitizer) && !FEATURE(memory_sanitizer)

#include <dlfcn.h>

void __libc_free(void *p);
void *__libc_malloc(size_t n);
void *__libc_realloc(void *p, size_t n);

#define IS_MMAPPED 2u /* second-lowest bit of the size that stands before a block, since 1996 */

/* A block with a mapping of its own goes back to the kernel, or is remapped, whole: nothing stays. */
static bool has_own_mapping(const void *p)
{
    return ((const size_t *)p)[-1] & IS_MMAPPED;
}

static void wipe(void *p, size_t n)
{
    memset(p, 0, n);
    __asm__ volatile("" : : "r"(p) : "memory"); /* or the compiler, seeing nobody read it, leaves it out */
}

void free(void *p)
{
    if (p && !has_own_mapping(p))
        wipe(p, malloc_usable_size(p));
    __libc_free(p);
}

/* glibc would move the bytes and free the old place by itself, unwiped. */
void *realloc(void *p, size_t n)
{
    size_t had;
    void *to;

    if (!p || n == 0 || has_own_mapping(p))
        return p && n == 0 ? (free(p), NULL) : __libc_realloc(p, n);
    had = malloc_usable_size(p);
    if (n <= had && n >= had / 2) {
        wipe((char *)p + n, had - n);
        return p;
    }
    if (!(to = __libc_malloc(n)))
        return NULL; /* errno is set, p as before */
    memcpy(to, p, n < had ? n : had);
    free(p);
    return to;
}

bool wipe_alloc_active(void)
{
    return dlsym(RTLD_DEFAULT, "free") == (void *)(uintptr_t)free; /* libraries find ours */
}

#else

bool wipe_alloc_active(void)
{
    return false;
}

#endif
