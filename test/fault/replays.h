/* test/fault/replays.h: how often power is lost at each point, and saying so. */
#ifndef TEST_FAULT_REPLAYS_H
#define TEST_FAULT_REPLAYS_H
#include "lib/base/str.h"
#include "lib/base/test.h"
#include <stdio.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define FAULT_SHARE 3 /* what is slow asks for a third: the other build asks for all */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FAULT_SHARE 3
#endif
#endif
#ifndef FAULT_SHARE
#define FAULT_SHARE 1
#endif

/* Seeds at each point: `least`, or what FAULT_REPLAYS asks for when that is more. */
static inline size_t replays_each(size_t least)
{
    const char *z = getenv("FAULT_REPLAYS");
    uint64_t n = 0;

    return z && str_to_u64(str_from(z), &n) && n > least ? (size_t)n : least;
}

/* faultfs_replay has done n with `each` seeds. Below four of them each point has its own: faultfs.h. */
static inline void replays_tell(const char *of, size_t n, size_t each)
{
    char seeds[48];

    snprintf(seeds, sizeof seeds, each < 4 ? "%zu from %zu times the point on" : "0 to %zu at each point",
             each < 4 ? each : each - 1, each);
    runs_tell("power loss", of, n, seeds);
}
#endif
