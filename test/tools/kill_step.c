/* test/tools/kill_step.c
 *
 * Runs a command and ends it, with all that it has forked, as a power cut ends it: after its Nth system
 * call that changes something on a disk, which was carried out. Counted over all its processes.
 *   kill_step N COMMAND [ARGUMENTS]
 * With KILL_STEP_SENDS in the environment, what is sent to others counts, too.
 * N 0: to the end. Its last line on standard error is "steps K"; exit 137 when it was killed, else the
 * command's own code. */
#include "lib/base/base.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES_MAX 256u

static struct {
    pid_t pid;
    bool counts; /* the call that it is in changes the disk */
} procs[PROCESSES_MAX];
static unsigned long steps, last;
static bool sends;

static bool changes(const struct __ptrace_syscall_info *i)
{
    switch (i->entry.nr) {
    case SYS_openat: return i->entry.args[2] & O_CREAT;
    case SYS_write:
    case SYS_pwrite64:
    case SYS_writev:
    case SYS_fsync:
    case SYS_fdatasync:
    case SYS_ftruncate:
    case SYS_unlinkat:
    case SYS_mkdirat:
    case SYS_renameat2:
#ifdef SYS_renameat
    case SYS_renameat:
#endif
#ifdef SYS_rename
    case SYS_rename:
    case SYS_unlink:
    case SYS_mkdir:
    case SYS_open:
#endif
        return true;
    case SYS_sendto:
    case SYS_sendmsg: return sends;
    default: return false;
    }
}

static size_t slot_of(pid_t pid)
{
    for (size_t i = 0; i < PROCESSES_MAX; i++)
        if (procs[i].pid == pid || procs[i].pid == 0) {
            procs[i].pid = pid;
            return i;
        }
    exit(70);
}

static void kill_all(void)
{
    for (size_t i = 0; i < PROCESSES_MAX && procs[i].pid; i++)
        if (procs[i].pid > 0)
            kill(procs[i].pid, SIGKILL);
    while (waitpid(-1, NULL, __WALL) > 0)
        ;
    fprintf(stderr, "steps %lu\n", steps);
    exit(137);
}

static void stopped_in_call(pid_t pid)
{
    struct __ptrace_syscall_info i;
    size_t p = slot_of(pid);

    if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof i, &i) <= 0)
        return;
    if (i.op == PTRACE_SYSCALL_INFO_ENTRY)
        procs[p].counts = changes(&i);
    else if (i.op == PTRACE_SYSCALL_INFO_EXIT && procs[p].counts && i.exit.rval >= 0 && ++steps == last)
        kill_all();
}

/* What a stop means, and the signal to go on with. */
static int stop_signal(pid_t pid, int status)
{
    int sig = WSTOPSIG(status);

    if (sig == (SIGTRAP | 0x80)) {
        stopped_in_call(pid);
        return 0;
    }
    return sig == SIGTRAP || sig == SIGSTOP ? 0 : sig; /* events; the first stop of a new process */
}

int main(int argc, char **argv)
{
    const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                         PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
    int status, code = 70;
    pid_t first, pid;

    if (argc < 3)
        return 64;
    last = strtoul(argv[1], NULL, 10);
    sends = getenv("KILL_STEP_SENDS") != NULL;
    first = fork();
    if (first == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        execv(argv[2], argv + 2);
        _exit(69);
    }
    if (first < 0 || waitpid(first, &status, 0) != first ||
        ptrace(PTRACE_SETOPTIONS, first, NULL, options) < 0)
        return 71;
    slot_of(first);
    ptrace(PTRACE_SYSCALL, first, NULL, NULL);
    while ((pid = waitpid(-1, &status, __WALL)) > 0) {
        size_t p = slot_of(pid);

        if (WIFSTOPPED(status)) {
            ptrace(PTRACE_SYSCALL, pid, NULL, (long)stop_signal(pid, status));
            continue;
        }
        procs[p].pid = -1;
        if (pid == first)
            code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    fprintf(stderr, "steps %lu\n", steps);
    return code;
}
