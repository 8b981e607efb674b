#include "lib/base/descriptors.h"
#include <sys/resource.h>

uint64_t descriptors_raise(uint64_t want)
{
    struct rlimit l;
    rlim_t had;

    if (getrlimit(RLIMIT_NOFILE, &l) < 0)
        return want;
    had = l.rlim_cur;
    l.rlim_cur = l.rlim_max < want ? l.rlim_max : (rlim_t)want;
    return setrlimit(RLIMIT_NOFILE, &l) < 0 ? had : l.rlim_cur;
}
