#include "lib/sandbox/sandbox.h"
#include "lib/base/errors.h"
#include <sys/prctl.h>
#include <sys/resource.h>

void sandbox_no_dumps(void)
{
    struct rlimit none = { 0, 0 };

    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    setrlimit(RLIMIT_CORE, &none);
    if (!SANDBOX_RELAXED) /* LeakSanitizer attaches to its own process */
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}
