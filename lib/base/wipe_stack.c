#include "lib/base/wipe_stack.h"
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>

#if defined(__has_feature)
#define FEATURE(x) __has_feature(x)
#else
#define FEATURE(x) 0
#endif

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !FEATURE(address_sanitizer) && \
    !FEATURE(thread_sanitizer) && !FEATURE(memory_sanitizer) &&                                       \
    (defined(__x86_64__) || defined(__aarch64__))

#define STEP       4096u
#define LEAF_BYTES 256u    /* the red zone and what wipe_stack itself keeps below its frame's address */
#define EDGE_BYTES KIB(64) /* never so near to the end of the stack */
#define DEEPEST    MIB(8)  /* the most that is looked through where the limit is "unlimited" */

/* 0: not known. The lowest address that may be touched. */
static _Thread_local uintptr_t floor_at;

void wipe_stack_init(void)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    pthread_attr_t attr;
    void *low = NULL;
    size_t size = 0;

    if (floor_at != 0 || pthread_getattr_np(pthread_self(), &attr) != 0)
        return;
    if (pthread_attr_getstack(&attr, &low, &size) == 0 && (uintptr_t)low < here)
        floor_at = (uintptr_t)low + EDGE_BYTES;
    pthread_attr_destroy(&attr);
    if (floor_at != 0 && here - floor_at > DEEPEST)
        floor_at = here - DEEPEST;
}

/* Words, not memset: a call would leave its own frame in what is being wiped. */
static inline __attribute__((always_inline)) bool clear_step(uintptr_t at)
{
    volatile uint64_t *w = (volatile uint64_t *)at;
    uint64_t seen = 0;

    for (size_t i = 0; i < STEP / sizeof *w; i++)
        seen |= w[i];
    if (seen == 0)
        return false;
    for (size_t i = 0; i < STEP / sizeof *w; i++)
        w[i] = 0;
    return true;
}

/* A leaf, so that nothing of its own lies where it writes. */
__attribute__((noinline)) void wipe_stack(void)
{
    uintptr_t at = ((uintptr_t)__builtin_frame_address(0) - LEAF_BYTES) & ~(uintptr_t)7;
    size_t quiet = 0;

    if (floor_at == 0)
        return;
    for (; at - STEP > floor_at && quiet < WIPE_STACK_GAP; at -= STEP)
        quiet = clear_step(at - STEP) ? 0 : quiet + STEP;
}

bool wipe_stack_active(void)
{
    return floor_at != 0;
}

#else

void wipe_stack_init(void)
{
}

void wipe_stack(void)
{
}

bool wipe_stack_active(void)
{
    return false;
}

#endif
