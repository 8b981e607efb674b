/* The system calls a role may make, as tables. To allow one more: a row, and the reason when it is not
 * obvious. Names that this architecture lacks are skipped. */
#include "lib/base/errors.h"
#include "lib/sandbox/sandbox.h"
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Reading, writing and waiting on what it has; memory; time; its own end. */
static const char *const base_calls[] = {
    "read",
    "readv",
    "pread64",
    "preadv",
    "write",
    "writev",
    "pwrite64",
    "pwritev",
    "close",
    "lseek",
    "recvmsg",
    "recvfrom",
    "sendmsg",
    "sendto",
    "shutdown",
    "getsockopt",
    "setsockopt",
    "getsockname",
    "getpeername",
    "fcntl",
    "fcntl64",
    "fstat",
    "dup",
    "dup3",
    "poll",
    "ppoll",
    "select",
    "pselect6",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "eventfd2",
    "timerfd_create",
    "timerfd_settime",
    "pipe2",
    "futex",
    "munmap",
    "mremap",
    "brk",
    "madvise",
    "membarrier",
    "getrandom",
    "clock_gettime",
    "clock_getres",
    "clock_nanosleep",
    "nanosleep",
    "gettimeofday",
    "time",
    "getpid",
    "getppid",
    "gettid",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "uname",
    "sysinfo",
    "getrusage",
    "sched_yield",
    "sched_getaffinity",
    "getcpu",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sigaltstack",
    "restart_syscall",
    "set_robust_list",
    "rseq",
    "exit",
    "exit_group",
};

static const char *const file_calls[] = {
    "open",         "openat",          "creat",      "unlink",          "unlinkat",
    "rename",       "renameat",        "renameat2",  "mkdir",           "mkdirat",
    "rmdir",        "fsync",           "fdatasync",  "sync_file_range", "truncate",
    "ftruncate",    "fallocate",       "fadvise64",  "flock",           "stat",
    "lstat",        "newfstatat",      "fstatat64",  "statx",           "statfs",
    "fstatfs",      "access",          "faccessat",  "faccessat2",      "readlink",
    "readlinkat",   "getcwd",          "getdents64", "fchmod",          "fchown",
    "utimensat",    "copy_file_range", "link",       "linkat",          "umask",
    "memfd_create",
};

static const char *const accept_calls[] = { "accept", "accept4" };

static const char *const memlock_calls[] = { "mlock", "mlock2", "munlock" };

/* Refused with EACCES instead of death where files are not allowed: libraries look for files that may
 * be missing (locales, character sets, CPU lists) and go on without. */
static const char *const refused_calls[] = {
    "open",   "openat",    "openat2",    "stat",     "lstat",      "statx",
    "access", "faccessat", "faccessat2", "readlink", "readlinkat", "getcwd",
};

static int add_all(scmp_filter_ctx f, uint32_t action, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int nr = seccomp_syscall_resolve_name(names[i]);

        if (nr != __NR_SCMP_ERROR && seccomp_rule_add(f, action, nr, 0) < 0)
            return E_UNSUPPORTED;
    }
    return 0;
}
#define ADD(f, action, names) add_all((f), (action), (names), ARRAY_LEN(names))

/* Calls that are fine with some arguments only. */
static int add_filtered(scmp_filter_ctx f, uint32_t powers)
{
    /* no memory that is both written and executed, none that becomes executable */
    if (seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) <
            0 ||
        seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                         SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) < 0 ||
        /* abort() and raise(): itself only */
        seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                         SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid())) < 0 ||
        /* a worker thread that is still starting: its name and its priority */
        seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME)) < 0 ||
        seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(setpriority), 1, SCMP_A0(SCMP_CMP_EQ, PRIO_PROCESS)) <
            0 ||
        seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, FIONREAD)) < 0 ||
        seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, FIONBIO)) < 0 ||
        /* stdio asks whether it writes to a terminal */
        seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOTTY), SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, TCGETS)) < 0)
        return E_UNSUPPORTED;
    /* fstat() is newfstatat(fd, "", AT_EMPTY_PATH) in newer C libraries */
    if (!(powers & SANDBOX_FILES) && (seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
                                                       SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH)) < 0 ||
                                      seccomp_rule_add(f, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(newfstatat), 1,
                                                       SCMP_A3(SCMP_CMP_NE, AT_EMPTY_PATH)) < 0))
        return E_UNSUPPORTED;
    return 0;
}

/* Sockets of the Internet only, and no raw ones; never listen or bind. */
static int add_dialling(scmp_filter_ctx f)
{
    static const scmp_datum_t families[] = { AF_INET, AF_INET6 }, types[] = { SOCK_STREAM, SOCK_DGRAM };
    const scmp_datum_t type_bits = UINT32_MAX & ~(scmp_datum_t)(SOCK_NONBLOCK | SOCK_CLOEXEC);

    for (size_t i = 0; i < ARRAY_LEN(families); i++)
        for (size_t k = 0; k < ARRAY_LEN(types); k++)
            if (seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2, SCMP_A0(SCMP_CMP_EQ, families[i]),
                                 SCMP_A1(SCMP_CMP_MASKED_EQ, type_bits, types[k])) < 0)
                return E_UNSUPPORTED;
    return seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(connect), 0) < 0 ? E_UNSUPPORTED : 0;
}

/* Streams to sockets of the file system; connect is allowed with add_dialling. */
static int add_dialling_unix(scmp_filter_ctx f)
{
    const scmp_datum_t type_bits = UINT32_MAX & ~(scmp_datum_t)(SOCK_NONBLOCK | SOCK_CLOEXEC);

    return seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2, SCMP_A0(SCMP_CMP_EQ, AF_UNIX),
                            SCMP_A1(SCMP_CMP_MASKED_EQ, type_bits, SOCK_STREAM)) < 0
               ? E_UNSUPPORTED
               : 0;
}

static int build(scmp_filter_ctx f, uint32_t powers)
{
    int r;

    if ((r = ADD(f, SCMP_ACT_ALLOW, base_calls)) < 0 || (r = add_filtered(f, powers)) < 0)
        return r;
    r = powers & SANDBOX_FILES ? ADD(f, SCMP_ACT_ALLOW, file_calls)
                               : ADD(f, SCMP_ACT_ERRNO(EACCES), refused_calls);
    if (r == 0 && (powers & SANDBOX_ACCEPT))
        r = ADD(f, SCMP_ACT_ALLOW, accept_calls);
    if (r == 0 && (powers & SANDBOX_DIAL))
        r = add_dialling(f);
    if (r == 0 && (powers & SANDBOX_DIAL_UNIX))
        r = add_dialling_unix(f);
    if (r == 0 && (powers & SANDBOX_MEMLOCK))
        r = ADD(f, SCMP_ACT_ALLOW, memlock_calls);
    return r;
}

int sandbox_enter(uint32_t powers, struct sandbox_state *st)
{
    scmp_filter_ctx f;
    int r;

    sandbox_no_dumps();
    if (SANDBOX_RELAXED)
        return 0;
    f = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!f)
        return E_UNSUPPORTED;
    r = seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1) < 0 ? E_UNSUPPORTED : build(f, powers);
    if (r == 0 && seccomp_load(f) < 0)
        r = E_UNSUPPORTED;
    seccomp_release(f);
    if (r == 0)
        st->seccomp = true;
    return r;
}
