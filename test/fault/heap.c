#include "test/fault/heap.h"
#include <errno.h>

#if defined(__has_feature)
#define FEATURE(x) __has_feature(x)
#else
#define FEATURE(x) 0
#endif

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && \
    !FEATURE(address_sanitizer) && !FEATURE(thread_sanitizer) && !FEATURE(memory_sanitizer)

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t to, size_t n);

static _Thread_local size_t left; /* requests until the one that fails; 0: none does */

static bool fails(void)
{
    if (left == 0 || --left > 0)
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t n)
{
    return fails() ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    return fails() ? NULL : __libc_realloc(p, n);
}

void *aligned_alloc(size_t to, size_t n)
{
    return fails() ? NULL : __libc_memalign(to, n);
}

int posix_memalign(void **out, size_t to, size_t n)
{
    void *p = fails() ? NULL : __libc_memalign(to, n);

    if (!p)
        return ENOMEM;
    *out = p;
    return 0;
}

bool heap_can(void)
{
    return true;
}

void heap_fail(size_t nth)
{
    left = nth;
}

bool heap_failed(void)
{
    bool came = left == 0;

    left = 0;
    return came;
}

#else

bool heap_can(void)
{
    return false;
}

void heap_fail(size_t nth UNUSED)
{
}

bool heap_failed(void)
{
    return false;
}

#endif
