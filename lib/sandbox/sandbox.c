#include "lib/sandbox/sandbox.h"
#include "lib/base/errors.h"
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

void sandbox_no_dumps(void)
{
    struct rlimit none = { 0, 0 };

    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    setrlimit(RLIMIT_CORE, &none);
    if (!SANDBOX_RELAXED) /* LeakSanitizer attaches to its own process */
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/* By the raw call: it is one, and libcap would be a library for it. */
static void keep_rights(uint32_t rights)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { { 0 } };
    long r;

    if (SANDBOX_RELAXED || geteuid() != 0)
        return;
    data[0].effective = data[0].permitted = rights;
    r = syscall(SYS_capset, &head, data);
    (void)r; /* less than all is allowed to everybody */
}

void sandbox_drop_rights(bool files)
{
    keep_rights(files ? BIT(CAP_DAC_OVERRIDE) : 0);
}

void sandbox_drop_rights_but_starting(void)
{
    keep_rights(BIT(CAP_SETUID) | BIT(CAP_SETGID) | BIT(CAP_KILL) | BIT(CAP_DAC_OVERRIDE));
}
