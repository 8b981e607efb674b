/* Every row runs in a forked child under one profile: what must be refused is refused, what must work
 * works. The same again from a thread that was there before the sandbox. */
#include "lib/base/test.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/sandbox/sandbox.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int folder = -1, listen_fd = -1, pair_fd[2];
static char inside[64];
#define DIALLED 9

static int try_open_outside(void)
{
    return open("/etc/passwd", O_RDONLY);
}
static int try_open_inside(void)
{
    int fd = openat(folder, "file", O_RDWR | O_CREAT, 0600);

    return fd >= 0 && write(fd, "x", 1) == 1 && fsync(fd) == 0 ? 0 : -1;
}
static int try_rename_inside(void)
{
    return try_open_inside() == 0 && renameat(folder, "file", folder, "other") == 0
               ? unlinkat(folder, "other", 0)
               : -1;
}
static int try_socket(void)
{
    return socket(AF_INET, SOCK_STREAM, 0);
}
static int try_socket_unix(void)
{
    return socket(AF_UNIX, SOCK_STREAM, 0);
}
static int try_socket_raw(void)
{
    return socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
}
static int try_bind(void)
{
    struct sockaddr_in in = { .sin_family = AF_INET };

    return bind(pair_fd[0], (struct sockaddr *)(void *)&in, sizeof in);
}
/* Where nobody listens: refused by the peer, when the sandbox lets it out. */
static int try_dial(in_port_t port)
{
    struct sockaddr_in in = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    return fd >= 0 && connect(fd, (struct sockaddr *)(void *)&in, sizeof in) < 0 && errno == ECONNREFUSED
               ? 0
               : -1;
}
static int try_dial_allowed(void)
{
    return try_dial(DIALLED);
}
static int try_dial_other(void)
{
    return try_dial(DIALLED + 1);
}
static int try_datagram(void)
{
    return socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}
static int try_connect(void)
{
    struct sockaddr_in in = { .sin_family = AF_INET,
                              .sin_port = htons(9),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

    return connect(pair_fd[0], (struct sockaddr *)(void *)&in, sizeof in);
}
static int try_execve(void)
{
    char *none[] = { NULL };

    return execve("/bin/true", none, none);
}
static int try_fork(void)
{
    pid_t p = fork();

    if (p == 0)
        _exit(0);
    return p;
}
static int try_ptrace(void)
{
    return (int)ptrace(PTRACE_TRACEME, 0, 0, 0);
}
static int try_kill_parent(void)
{
    return kill(getppid(), 0);
}
static int try_exec_memory(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
                   MAP_FAILED
               ? -1
               : 0;
}
static int try_accept(void)
{
    return accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK) < 0 && errno == EAGAIN ? 0 : -1;
}
static int try_talk(void)
{
    char c = 0;

    return write(pair_fd[0], "y", 1) == 1 && read(pair_fd[1], &c, 1) == 1 && c == 'y' ? 0 : -1;
}
static int try_memory(void)
{
    void *p = malloc(MIB(3)), *q = malloc(100);
    int r = p && q && getrandom(q, 16, 0) == 16 ? 0 : -1;

    free(p);
    free(q);
    return r;
}
static int try_stat_fd(void)
{
    struct stat s;

    return fstat(pair_fd[0], &s);
}
static int try_mlock(void)
{
    return mlock(inside, sizeof inside);
}

enum { WORKS, REFUSED, KILLED }; /* KILLED: by SIGSYS; REFUSED: an error, the process lives */
#define STORE (SANDBOX_FILES | SANDBOX_ACCEPT | SANDBOX_MEMLOCK)
#define NET   SANDBOX_ACCEPT
#define BARE  0
#define DIAL  SANDBOX_DIAL

static const struct {
    const char *name;
    int (*run)(void);
    int store, net, bare, dial;
} rows[] = {
    { "open outside", try_open_outside, REFUSED, REFUSED, REFUSED, REFUSED },
    { "open inside", try_open_inside, WORKS, REFUSED, REFUSED, REFUSED },
    { "rename inside", try_rename_inside, WORKS, REFUSED, REFUSED, REFUSED },
    { "socket", try_socket, KILLED, KILLED, KILLED, WORKS },
    { "connect", try_connect, KILLED, KILLED, KILLED, REFUSED },
    { "socket of this machine", try_socket_unix, KILLED, KILLED, KILLED, KILLED },
    { "raw socket", try_socket_raw, KILLED, KILLED, KILLED, KILLED },
    { "datagrams", try_datagram, KILLED, KILLED, KILLED, WORKS },
    { "bind", try_bind, KILLED, KILLED, KILLED, KILLED },
    { "dial", try_dial_allowed, KILLED, KILLED, KILLED, WORKS },
    { "dial another port", try_dial_other, KILLED, KILLED, KILLED, REFUSED },
    { "execve", try_execve, KILLED, KILLED, KILLED, KILLED },
    { "fork", try_fork, KILLED, KILLED, KILLED, KILLED },
    { "ptrace", try_ptrace, KILLED, KILLED, KILLED, KILLED },
    { "kill another", try_kill_parent, KILLED, KILLED, KILLED, KILLED },
    { "executable memory", try_exec_memory, KILLED, KILLED, KILLED, KILLED },
    { "accept", try_accept, WORKS, WORKS, KILLED, KILLED },
    { "mlock", try_mlock, WORKS, KILLED, KILLED, KILLED },
    { "talk", try_talk, WORKS, WORKS, WORKS, WORKS },
    { "memory", try_memory, WORKS, WORKS, WORKS, WORKS },
    { "fstat", try_stat_fd, WORKS, WORKS, WORKS, WORKS },
};

static void *in_thread(void *arg)
{
    int (*run)(void) = *(int (**)(void))arg;
    char go;

    while (read(pair_fd[1], &go, 1) != 1)
        ;
    _exit(run() >= 0 ? WORKS : REFUSED);
}

static int close_files(uint32_t powers, struct sandbox_state *st)
{
    const uint16_t port = DIALLED;

    return powers & SANDBOX_DIAL ? sandbox_ports(&port, 1, st)
                                 : sandbox_files(&folder, powers & SANDBOX_FILES ? 1 : 0, st);
}

static _Noreturn void child(int (*run)(void), uint32_t powers, bool threaded)
{
    struct sandbox_state st = { 0 };
    pthread_t t;

    if (close_files(powers, &st) < 0 || (threaded && pthread_create(&t, NULL, in_thread, &run) != 0) ||
        sandbox_enter(powers, &st) < 0)
        _exit(99);
    if (!threaded)
        _exit(run() >= 0 ? WORKS : REFUSED);
    if (write(pair_fd[0], "g", 1) != 1)
        _exit(98);
    pthread_join(t, NULL);
    _exit(97);
}

static int outcome(int (*run)(void), uint32_t powers, bool threaded)
{
    int status = 0;
    pid_t p = fork();

    if (p == 0)
        child(run, powers, threaded);
    CHECK(waitpid(p, &status, 0) == p);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
        return KILLED;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool ports_are_seen; /* by Landlock: ABI 4 */

static void check_rows(bool threaded)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_case = rows[i].name;
        CHECK(outcome(rows[i].run, STORE, threaded) == rows[i].store);
        CHECK(outcome(rows[i].run, NET, threaded) == rows[i].net);
        CHECK(outcome(rows[i].run, BARE, threaded) == rows[i].bare);
        CHECK(outcome(rows[i].run, DIAL, threaded) == rows[i].dial ||
              (rows[i].run == try_dial_other && !ports_are_seen));
    }
    check_case = "";
}

static bool kernel_has_it(void)
{
    int status = 0;
    pid_t p = fork();

    if (p == 0) {
        struct sandbox_state st = { 0 };

        _exit(sandbox_files(NULL, 0, &st) == 0 && sandbox_enter(0, &st) == 0 ? 0 : 1);
    }
    waitpid(p, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void test_sandbox(void **state)
{
    (void)state;
    if (SANDBOX_RELAXED || !kernel_has_it()) {
        print_message("SKIPPED: sanitizer build, or a kernel without seccomp or Landlock\n");
        skip();
    }
    ports_are_seen = syscall(SYS_landlock_create_ruleset, NULL, 0, 1) >= 4;
    check_rows(false);
    check_rows(true);
}

static int set_up(void **state)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

    (void)state;
    snprintf(inside, sizeof inside, "/tmp/sandbox_test.XXXXXX");
    if (!mkdtemp(inside) || (folder = open(inside, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
        return -1;
    listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    return bind(listen_fd, (struct sockaddr *)(void *)&in, sizeof in) < 0 || listen(listen_fd, 1) < 0 ||
                   socketpair(AF_UNIX, SOCK_STREAM, 0, pair_fd) < 0
               ? -1
               : 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlinkat(folder, "file", 0);
    return rmdir(inside);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_sandbox) };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
