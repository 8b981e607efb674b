/* Landlock by raw system calls: the library is newer than the systems we run on, and the numbers are
 * the same on every architecture. Rights that an older ABI does not know are left out. */
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/sandbox/sandbox.h"
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NR_CREATE_RULESET 444
#define NR_ADD_RULE       445
#define NR_RESTRICT_SELF  446
#define CREATE_VERSION    1u
#define RULE_PATH_BENEATH 1
#define RULE_NET_PORT     2

enum { /* linux/landlock.h, LANDLOCK_ACCESS_FS_* */
       FS_EXECUTE = 1 << 0,
       FS_READ_FILE = 1 << 2,
       FS_READ_DIR = 1 << 3,
       FS_ABI1 = (1 << 13) - 1,
       FS_ABI2 = (1 << 14) - 1, /* + REFER: rename between folders */
       FS_ABI3 = (1 << 15) - 1, /* + TRUNCATE */
       FS_ABI5 = (1 << 16) - 1, /* + IOCTL_DEV */
       FS_MAKE_CHAR = 1 << 6,
       FS_MAKE_SOCK = 1 << 9,
       FS_MAKE_FIFO = 1 << 10,
       FS_MAKE_BLOCK = 1 << 11,
       FS_MAKE_SYM = 1 << 12,
       FS_IOCTL_DEV = 1 << 15,
};
#define NET_BIND_CONNECT 3u /* ABI 4 */
#define NET_CONNECT      2u
#define SCOPE_ALL        3u /* ABI 6: abstract sockets, signals */

struct ruleset_attr {
    uint64_t fs, net, scoped;
};
struct path_attr {
    uint64_t allowed;
    int32_t parent;
} __attribute__((packed));

struct port_attr {
    uint64_t allowed, port;
};

static int abi_now(void)
{
    long v = syscall(NR_CREATE_RULESET, NULL, 0, CREATE_VERSION);

    return v < 0 ? 0 : (int)v;
}

static int allow(int ruleset, int folder, uint64_t rights)
{
    struct path_attr a = { .allowed = rights, .parent = folder };

    return syscall(NR_ADD_RULE, ruleset, RULE_PATH_BENEATH, &a, 0) < 0 ? E_IO : 0;
}

/* SQLite asks it for seeds; it holds nothing. */
static void allow_urandom(int ruleset)
{
    CLEANUP(fd_close) int fd = open("/dev/urandom", O_PATH | O_CLOEXEC);
    int r = fd < 0 ? 0 : allow(ruleset, fd, FS_READ_FILE);

    (void)r;
}

/* LeakSanitizer looks at its own process. */
static void allow_proc(int ruleset)
{
    CLEANUP(fd_close) int fd = open("/proc", O_PATH | O_CLOEXEC);
    int r = fd < 0 ? 0 : allow(ruleset, fd, FS_READ_FILE | FS_READ_DIR);

    (void)r;
}

static int allow_port(int ruleset, uint16_t port)
{
    struct port_attr a = { .allowed = NET_CONNECT, .port = port };

    return syscall(NR_ADD_RULE, ruleset, RULE_NET_PORT, &a, 0) < 0 ? E_IO : 0;
}

static int restrict_to(const int *folders, size_t n, const uint16_t *ports, size_t nports,
                       struct sandbox_state *st)
{
    int abi = abi_now(), r = 0;
    struct ruleset_attr attr = {
        .fs = abi >= 5   ? FS_ABI5
              : abi >= 3 ? FS_ABI3
              : abi == 2 ? FS_ABI2
                         : FS_ABI1,
        .net = abi >= 4 ? NET_BIND_CONNECT : 0,
        .scoped = abi >= 6 ? SCOPE_ALL : 0,
    };
    size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
    const uint64_t never =
        FS_EXECUTE | FS_MAKE_CHAR | FS_MAKE_SOCK | FS_MAKE_FIFO | FS_MAKE_BLOCK | FS_MAKE_SYM | FS_IOCTL_DEV;
    CLEANUP(fd_close) int ruleset = -1;

    if (abi == 0)
        return E_UNSUPPORTED;
    ruleset = (int)syscall(NR_CREATE_RULESET, &attr, size, 0);
    if (ruleset < 0)
        return E_IO;
    for (size_t i = 0; i < n && r == 0; i++)
        r = allow(ruleset, folders[i], attr.fs & ~never);
    for (size_t i = 0; i < nports && r == 0 && abi >= 4; i++)
        r = allow_port(ruleset, ports[i]);
    if (n > 0)
        allow_urandom(ruleset);
    if (SANDBOX_RELAXED)
        allow_proc(ruleset);
    if (r < 0)
        return r;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(NR_RESTRICT_SELF, ruleset, 0) < 0)
        return E_IO;
    st->landlock_abi = abi;
    return 0;
}

int sandbox_files(const int *folders, size_t n, struct sandbox_state *st)
{
    return restrict_to(folders, n, NULL, 0, st);
}

int sandbox_ports(const uint16_t *ports, size_t n, struct sandbox_state *st)
{
    return restrict_to(NULL, 0, ports, n, st);
}
