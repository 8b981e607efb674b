/* test/tools/inject.c
 *
 * Makes a running process do one system call of our choosing, as somebody would who had taken it over, and
 * says what came of it: its sandbox, seen from inside the live role.
 *   inject PID CALL     "KILLED" (by SIGSYS), "E<number>" or "OK <result>"
 *   inject --list       the names of the calls
 * Needs the rights of root (roles are not dumpable). Exit 77 when the system does not let us, or is not x86-64.
 *
 * The call runs at a `syscall` instruction that is in the process already; texts and structs stand below its
 * stack. Whoever lives goes on as after an interrupted wait. */
#include "lib/base/base.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/mman.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define SKIP 77

/* What lies outside is one file that the test makes: where a sandbox fails, nothing else suffers. */
#ifndef __x86_64__
int main(void)
{
    puts("only x86-64");
    return SKIP;
}
#else

#define TEXT     (-1L) /* the row's text, in the process */
#define PARENT   (-2L) /* its parent's pid */
#define SELF_MEM (-3L) /* a page of its own */

static const struct call {
    const char *name;
    long nr, args[6];
    const char *text;
    size_t text_bytes;
} calls[] = {
#define Z(s)     (s), sizeof(s)
#define OUTSIDE  Z("/tmp/letterlock-injected")
    { "socket-inet", SYS_socket, { AF_INET, SOCK_STREAM, 0 }, NULL, 0 },
    { "socket-unix", SYS_socket, { AF_UNIX, SOCK_STREAM, 0 }, NULL, 0 },
    { "socket-packet", SYS_socket, { AF_PACKET, SOCK_RAW, 0 }, NULL, 0 },
    { "connect", SYS_connect, { 0, TEXT, 16 }, Z("\2\0\0\11\177\0\0\1\0\0\0\0\0\0\0") },
    { "bind", SYS_bind, { 0, TEXT, 16 }, Z("\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0") },
    { "listen", SYS_listen, { 0, 1 }, NULL, 0 },
    { "accept",
      SYS_accept4,
      { -5, 0, 0, SOCK_NONBLOCK },
      NULL,
      0 }, /* no such descriptor: EBADF says "allowed" */
    { "open-passwd", SYS_openat, { AT_FDCWD, TEXT, O_RDONLY }, Z("/etc/passwd") },
    { "open-tls-key", SYS_openat, { AT_FDCWD, TEXT, O_RDONLY }, Z("../tls/key.pem") },
    { "open-server-key", SYS_openat, { AT_FDCWD, TEXT, O_RDONLY }, Z("../server.key") },
    { "open-proc-maps", SYS_openat, { AT_FDCWD, TEXT, O_RDONLY }, Z("/proc/self/maps") },
    { "open-data", SYS_openat, { AT_FDCWD, TEXT, O_RDONLY }, Z("directory.sqlite") },
    { "create-outside", SYS_openat, { AT_FDCWD, TEXT, O_WRONLY | O_CREAT, 0600 }, OUTSIDE },
    { "rename-outside", SYS_rename, { TEXT, TEXT }, OUTSIDE },
    { "unlink-outside", SYS_unlink, { TEXT }, OUTSIDE },
    { "symlink", SYS_symlink, { TEXT, TEXT }, OUTSIDE },
    { "mknod", SYS_mknod, { TEXT, 0010600, 0 }, OUTSIDE },
    { "chmod", SYS_chmod, { TEXT, 0777 }, OUTSIDE },
    { "execve", SYS_execve, { TEXT, 0, 0 }, Z("/bin/true") },
    { "fork", SYS_clone, { SIGCHLD, 0, 0, 0, 0 }, NULL, 0 },
    { "new-namespace", SYS_unshare, { CLONE_NEWUSER }, NULL, 0 },
    { "ptrace-parent", SYS_ptrace, { PTRACE_ATTACH, PARENT, 0, 0 }, NULL, 0 },
    { "kill-parent", SYS_kill, { PARENT, 0 }, NULL, 0 },
    { "read-parent", SYS_process_vm_readv, { PARENT, TEXT, 0, TEXT, 0, 0 }, Z("") },
    { "executable-memory",
      SYS_mmap,
      { 0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 },
      NULL,
      0 },
    { "make-executable", SYS_mprotect, { SELF_MEM, 4096, PROT_READ | PROT_EXEC }, NULL, 0 },
    { "dumpable", SYS_prctl, { PR_SET_DUMPABLE, 1, 0, 0, 0 }, NULL, 0 },
    { "setuid", SYS_setuid, { 0 }, NULL, 0 },
    { "chroot", SYS_chroot, { TEXT }, Z("/") },
    { "mount", SYS_mount, { TEXT, TEXT, TEXT, 0, 0 }, Z("/tmp") },
    { "io_uring", SYS_io_uring_setup, { 8, TEXT }, Z("") },
    { "bpf", SYS_bpf, { 0, TEXT, 16 }, Z("") },
    { "keyctl", SYS_keyctl, { 0, -3, 0 }, NULL, 0 },
    { "userfaultfd", SYS_userfaultfd, { 0 }, NULL, 0 },
    { "mlock", SYS_mlock, { SELF_MEM, 4096 }, NULL, 0 },
    { "getpid", SYS_getpid, { 0 }, NULL, 0 },
};

static pid_t pid;

static _Noreturn void cannot(const char *what)
{
    printf("cannot %s: %s\n", what, strerror(errno));
    exit(SKIP);
}

/* A `syscall` instruction in what the process may execute. */
static unsigned long find_instruction(void)
{
    char path[64], line[512];
    unsigned long from, to, found = 0;
    FILE *maps;

    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    if (!(maps = fopen(path, "r")))
        cannot("read its maps");
    while (!found && fgets(line, sizeof line, maps)) {
        unsigned char *code;
        struct iovec here, there;

        if (sscanf(line, "%lx-%lx", &from, &to) != 2 || strstr(line, "xp ") == NULL || strstr(line, "[v"))
            continue;
        code = malloc(to - from);
        here = (struct iovec){ code, to - from };
        there = (struct iovec){ (void *)from, to - from };
        if (code && process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)(to - from))
            for (unsigned long i = 0; !found && i + 1 < to - from; i++)
                if (code[i] == 0x0f && code[i + 1] == 0x05)
                    found = from + i;
        free(code);
    }
    fclose(maps);
    return found;
}

static long parent_of(void)
{
    char path[64], line[256];
    long parent = 0;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    if (!(f = fopen(path, "r")))
        cannot("read its status");
    while (fgets(line, sizeof line, f) && sscanf(line, "PPid: %ld", &parent) != 1)
        ;
    fclose(f);
    return parent;
}

static unsigned long long argument(long arg, unsigned long text)
{
    return (unsigned long long)(arg == TEXT       ? (long)text
                                : arg == PARENT   ? parent_of()
                                : arg == SELF_MEM ? (long)(text & ~4095ul)
                                                  : arg);
}

static void put_text(const struct call *c, unsigned long at)
{
    char block[256] = "";
    struct iovec here = { block, sizeof block }, there = { (void *)at, sizeof block };

    if (c->text)
        memcpy(block, c->text, c->text_bytes);
    if (process_vm_writev(pid, &here, 1, &there, 1, 0) != (ssize_t)sizeof block)
        cannot("write its memory");
}

/* To the end of the next call or to its death; true when it lives. */
static bool step(int *status)
{
    if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) < 0)
        cannot("step");
    for (;;) {
        if (waitpid(pid, status, __WALL) != pid)
            cannot("wait");
        if (!WIFSTOPPED(*status))
            return false;
        if (WSTOPSIG(*status) == SIGTRAP)
            return true;
        if (ptrace(PTRACE_SINGLESTEP, pid, NULL, (long)(WSTOPSIG(*status) == SIGSYS ? SIGSYS : 0)) < 0)
            return false;
    }
}

static int inject(const struct call *c)
{
    struct user_regs_struct was, r;
    unsigned long instruction = find_instruction(), text;
    int status = 0;

    if (!instruction)
        cannot("find an instruction");
    if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) < 0 || waitpid(pid, &status, __WALL) != pid)
        cannot("attach");
    if (ptrace(PTRACE_GETREGS, pid, NULL, &was) < 0)
        cannot("read its registers");
    r = was;
    text = (was.rsp - 8192) & ~63ul; /* below the stack's red zone */
    put_text(c, text);
    r.rip = instruction;
    r.orig_rax = (unsigned long long)-1; /* no call is to be begun again */
    r.rax = (unsigned long long)c->nr;
    r.rdi = argument(c->args[0], text);
    r.rsi = argument(c->args[1], text);
    r.rdx = argument(c->args[2], text);
    r.r10 = argument(c->args[3], text);
    r.r8 = argument(c->args[4], text);
    r.r9 = argument(c->args[5], text);
    if (ptrace(PTRACE_SETREGS, pid, NULL, &r) < 0)
        cannot("set its registers");
    if (!step(&status)) {
        puts(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS ? "KILLED" : "DEAD");
        return 0;
    }
    if (ptrace(PTRACE_GETREGS, pid, NULL, &r) < 0)
        cannot("read what came of it");
    was.orig_rax = (unsigned long long)-1;
    if ((long long)was.rax < 0 && (long long)was.rax > -600)
        was.rax = (unsigned long long)-EINTR; /* the wait it was in ends early */
    ptrace(PTRACE_SETREGS, pid, NULL, &was);
    ptrace(PTRACE_DETACH, pid, NULL, NULL);
    if ((long long)r.rax < 0 && (long long)r.rax > -4096)
        printf("E%lld\n", -(long long)r.rax);
    else
        printf("OK %lld\n", (long long)r.rax);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < ARRAY_LEN(calls); i++)
            puts(calls[i].name);
        return 0;
    }
    if (argc != 3 || (pid = (pid_t)strtol(argv[1], NULL, 10)) <= 1)
        return 64;
    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        if (strcmp(argv[2], calls[i].name) == 0)
            return inject(&calls[i]);
    return 64;
}
#endif
