/* lib/base/base.h
 *
 * The few words every file uses: attributes, sizes, array length, cleanup. No types, no I/O. */
#ifndef LIB_BASE_BASE_H
#define LIB_BASE_BASE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_CHECK                      __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a)               __attribute__((format(printf, f, a)))
#define UNUSED                          __attribute__((unused))
#define CLEANUP(fn)                     __attribute__((cleanup(fn)))
#define ARRAY_LEN(a)                    (sizeof(a) / sizeof((a)[0]))
#define BIT(n)                          (UINT32_C(1) << (n))
#define KIB(n)                          (1024u * (size_t)(n))
#define MIB(n)                          (1024u * 1024u * (size_t)(n))
#define GIB(n)                          (1024u * 1024u * 1024u * (uint64_t)(n))
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)&((char *)(ptr))[-(ptrdiff_t)offsetof(type, member)])

static inline size_t size_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t size_max(size_t a, size_t b)
{
    return a > b ? a : b;
}
#endif
