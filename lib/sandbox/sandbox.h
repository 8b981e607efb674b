/* lib/sandbox/sandbox.h
 *
 * Giving up power, in two steps, before the first foreign byte: files (Landlock), then system calls
 * (seccomp, an allowlist; anything else kills the process with SIGSYS). It knows groups of powers, no
 * roles. What the kernel lacks is said in sandbox_state, and the caller decides.
 *
 * Built with AddressSanitizer, sandbox_enter does nothing and /proc may be read: the sanitizer itself needs what a role
 * must not have (ptrace, clone, /proc). */
#ifndef LIB_SANDBOX_SANDBOX_H
#define LIB_SANDBOX_SANDBOX_H
#include "lib/base/base.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANDBOX_RELAXED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) || __has_feature(thread_sanitizer)
#define SANDBOX_RELAXED 1
#endif
#endif
#ifndef SANDBOX_RELAXED
#define SANDBOX_RELAXED 0
#endif

enum {
    SANDBOX_FILES = 1 << 0,   /* open, write, rename, sync… files (Landlock says where) */
    SANDBOX_ACCEPT = 1 << 1,  /* accept connections on listeners that it has */
    SANDBOX_MEMLOCK = 1 << 2, /* lock memory, set its protection: guarded keys */
    SANDBOX_DIAL = 1 << 3, /* make TCP and UDP sockets and connect them (Landlock says to which TCP ports) */
    SANDBOX_DIAL_UNIX =
        1 << 4, /* besides: sockets that lie in the file system. Landlock says nothing of them */
};

struct sandbox_state {
    bool seccomp;
    int landlock_abi; /* 0: none */
};

/* No core dumps, not dumpable, no_new_privs: for every process of the service. Harmless twice. */
void sandbox_no_dumps(void);

/* Of the rights of root a role keeps none, but with `files` the one to open files that another user left in
 * its folder. Nothing for who is not root. Before threads are started. */
void sandbox_drop_rights(bool files);
/* What a supervisor started as root needs from here on: to start roles as other users and to end them. */
void sandbox_drop_rights_but_starting(void);

/* From here on this thread and what it starts open only files beneath the n folders (descriptors), bind
 * and connect no TCP port and signal nobody outside. Call before starting threads. 0; E_UNSUPPORTED where
 * the kernel has no Landlock; E_IO. */
MUST_CHECK int sandbox_files(const int *folders, size_t n, struct sandbox_state *st);

/* The same without files, for who dials: connects to these n TCP ports, of whatever address (Landlock ABI 4;
 * older kernels do not look at ports). */
MUST_CHECK int sandbox_ports(const uint16_t *ports, size_t n, struct sandbox_state *st);

/* Allow only what `powers` need, for all threads of the process. Opening a file without SANDBOX_FILES
 * answers EACCES (libraries try, and must live); sockets, connect, execve, fork, ptrace kill. 0;
 * E_UNSUPPORTED. */
MUST_CHECK int sandbox_enter(uint32_t powers, struct sandbox_state *st);
#endif
