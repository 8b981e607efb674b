/* bench/imap_load.c
 *
 * Load on any IMAP server: connections on one thread that each send a command, wait for its end, and send
 * the next. What they do is chosen at random, the same at every run.
 *   imap_load HOST PORT tls|clear CONNECTIONS LOGINS MODE N
 * LOGINS is a file with a user and a password on each line; connections take them in turn. MODE is
 *   prepare N   every user appends N letters of 10 KB to his INBOX, and has a folder "Bench"
 *   mixed N     for N seconds: LOGIN, SELECT, then FETCH, STORE, APPEND, COPY, SEARCH, EXPUNGE, IDLE, NOOP
 *   fetch N     for N seconds: FETCH 1:* BODY.PEEK[] again and again
 *   login N     for N seconds: connect, LOGIN, LOGOUT
 * Prints one JSON object: commands/s (behind LOGIN; logins/s in that mode), bytes/s, and for each command how many, how many were refused, and
 * its latency in microseconds. */
#include "bench/letters.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define SAMPLES_MAX  200000u
#define LETTERS      50u
#define LETTER_BYTES 10240u
#define PER_SESSION  200u /* commands, then LOGOUT and a new connection */
#define LINE_KEPT    400u /* of a response line; more is not looked at */
#define FETCH_LAST   50u
#define HEADERS_LAST 20u

enum command {
    CONNECT,
    LOGIN,
    SELECT,
    CREATE,
    FETCH_FLAGS,
    FETCH_HEADERS,
    FETCH_BODY,
    FETCH_ALL,
    STORE,
    APPEND,
    COPY,
    SEARCH,
    DELETE_ONE,
    EXPUNGE,
    IDLE,
    NOOP,
    LOGOUT,
    COMMANDS
};

enum mode { PREPARE, MIXED, FETCH, LOGINS };

/* How often each is chosen in `mixed`, in a hundred; DELETE_ONE is followed by its EXPUNGE. */
static const struct {
    const char *name;
    unsigned weight;
} commands[COMMANDS] = {
    [CONNECT] = { "CONNECT", 0 },
    [LOGIN] = { "LOGIN", 0 },
    [SELECT] = { "SELECT", 4 },
    [CREATE] = { "CREATE", 0 },
    [FETCH_FLAGS] = { "FETCH FLAGS", 20 },
    [FETCH_HEADERS] = { "FETCH HEADER.FIELDS", 15 },
    [FETCH_BODY] = { "FETCH BODY[]", 22 },
    [FETCH_ALL] = { "FETCH 1:* BODY[]", 0 },
    [STORE] = { "STORE", 12 },
    [APPEND] = { "APPEND", 7 },
    [COPY] = { "COPY", 3 },
    [SEARCH] = { "SEARCH", 6 },
    [DELETE_ONE] = { "STORE \\Deleted", 3 },
    [EXPUNGE] = { "EXPUNGE", 0 },
    [IDLE] = { "IDLE", 4 },
    [NOOP] = { "NOOP", 4 },
    [LOGOUT] = { "LOGOUT", 0 },
};

struct login {
    char user[256], password[256];
};

struct conn {
    int fd;
    uint32_t index;
    SSL *ssl;
    const struct login *login;
    enum command now;
    int64_t began_us;
    uint32_t exists, done, appended, tag;
    uint64_t literal_left;
    char line[LINE_KEPT], tail[24]; /* the line's beginning, its last bytes */
    size_t line_n, tail_n;
    bool ended, greeted, was_ready;
};

static struct {
    uint32_t *us;
    size_t n, failed;
} seen[COMMANDS];

static struct sockaddr_in server;
static SSL_CTX *tls;
static struct login *logins;
static size_t nlogins;
static enum mode mode;
static uint32_t count, live;
static int64_t began_us, end_us; /* from when all connections were ready */
static uint32_t connections, ready;
static uint64_t bytes_in, seed = 88172645463325252u;
static struct letter letters[LETTERS];
static int epoll;

static uint32_t roll(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)((seed >> 11) % (below ? below : 1));
}

static void give_up(const struct conn *c, const char *what)
{
    fprintf(stderr, "imap_load: connection %u, %s: %s: %.*s\n", c->index, commands[c->now].name, what,
            (int)c->line_n, c->line);
    exit(1);
}

/* ---- bytes -------------------------------------------------------------------------------------- */

static void wait_for(const struct conn *c, int events)
{
    struct pollfd p = { .fd = c->fd, .events = (short)events };

    poll(&p, 1, 10000);
}

/* Waits when the server does not read: a client does, too. */
static void put(struct conn *c, struct str s)
{
    while (s.n) {
        ssize_t n = c->ssl ? SSL_write(c->ssl, s.p, (int)s.n) : send(c->fd, s.p, s.n, MSG_NOSIGNAL);

        if (n > 0) {
            s = str_skip(s, (size_t)n);
            continue;
        }
        if (c->ssl ? SSL_get_error(c->ssl, (int)n) == SSL_ERROR_WANT_READ : errno == EAGAIN)
            wait_for(c, c->ssl ? POLLIN : POLLOUT);
        else if (c->ssl && SSL_get_error(c->ssl, (int)n) == SSL_ERROR_WANT_WRITE)
            wait_for(c, POLLOUT);
        else
            give_up(c, "the connection broke while writing");
    }
}

static void PRINTF_LIKE(3, 4) say(struct conn *c, enum command what, const char *fmt, ...)
{
    CLEANUP(buf_release) struct buf line = { .max = KIB(2) };
    va_list ap;

    c->now = what;
    c->began_us = clock_mono_us();
    va_start(ap, fmt);
    must(buf_printf(&line, "a%u ", ++c->tag), "a tag");
    must(buf_vprintf(&line, fmt, ap), "a command");
    must(buf_putz(&line, "\r\n"), "a command");
    va_end(ap);
    put(c, buf_str(&line));
}

static void note(const struct conn *c, bool ok)
{
    if (seen[c->now].n < SAMPLES_MAX)
        seen[c->now].us[seen[c->now].n++] = (uint32_t)(clock_mono_us() - c->began_us);
    seen[c->now].failed += !ok;
}

/* ---- connections -------------------------------------------------------------------------------- */

static void conn_close(struct conn *c)
{
    SSL_free(c->ssl);
    c->ssl = NULL;
    close(c->fd);
    c->fd = -1;
}

static void conn_open(struct conn *c)
{
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
    int one = 1;

    c->now = CONNECT;
    c->began_us = clock_mono_us();
    c->done = c->exists = 0;
    c->line_n = c->tail_n = 0;
    c->greeted = false;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&server, sizeof server) < 0)
        give_up(c, strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (tls && (!(c->ssl = SSL_new(tls)) || SSL_set_fd(c->ssl, c->fd) != 1 || SSL_connect(c->ssl) != 1))
        give_up(c, "TLS failed");
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &ev) < 0)
        give_up(c, strerror(errno));
}

static void conn_end(struct conn *c)
{
    c->ended = true;
    live--;
    conn_close(c);
}

/* ---- what comes next ---------------------------------------------------------------------------- */

static void append_begin(struct conn *c)
{
    say(c, APPEND, "APPEND INBOX (\\Seen) {%zu}", letters[c->appended % LETTERS].bytes.n);
}

static void search(struct conn *c)
{
    static const char *const queries[] = { "UNSEEN", "FROM \"person17@\"", "TEXT \"verdo\"",
                                           "SINCE 1-Oct-2026", "SUBJECT \"linsa\"" };

    say(c, SEARCH, "SEARCH %s", queries[roll(ARRAY_LEN(queries))]);
}

static enum command chosen(void)
{
    uint32_t left = roll(100);

    for (enum command k = 0; k < COMMANDS; k++) {
        if (left < commands[k].weight)
            return k;
        left -= commands[k].weight;
    }
    return NOOP;
}

static void next_mixed(struct conn *c)
{
    enum command k = c->exists ? chosen() : APPEND;
    uint32_t one = 1 + roll(c->exists), last = c->exists;

    switch (k) {
    case SELECT: say(c, k, "SELECT INBOX"); break;
    case FETCH_FLAGS:
        say(c, k, "FETCH %u:%u (UID FLAGS)", last > FETCH_LAST ? last - FETCH_LAST : 1, last);
        break;
    case FETCH_HEADERS:
        say(c, k, "FETCH %u:%u (UID BODY.PEEK[HEADER.FIELDS (FROM SUBJECT DATE)])",
            last > HEADERS_LAST ? last - HEADERS_LAST : 1, last);
        break;
    case FETCH_BODY: say(c, k, "FETCH %u BODY.PEEK[]", one); break;
    case STORE: say(c, k, "STORE %u %cFLAGS.SILENT (\\Flagged)", one, roll(2) ? '+' : '-'); break;
    case APPEND: append_begin(c); break;
    case COPY: say(c, k, "COPY %u Bench", one); break;
    case SEARCH: search(c); break;
    case DELETE_ONE: say(c, k, "STORE %u +FLAGS.SILENT (\\Deleted)", one); break;
    case IDLE: say(c, k, "IDLE"); break;
    default: say(c, NOOP, "NOOP"); break;
    }
}

/* The time runs from when all are there; what was before was for warming up, but for its latencies. */
static void count_ready(struct conn *c)
{
    if (c->was_ready)
        return;
    c->was_ready = true;
    if (++ready < connections)
        return;
    for (int k = FETCH_FLAGS; k < LOGOUT; k++)
        seen[k].n = seen[k].failed = 0;
    bytes_in = 0;
    began_us = clock_mono_us();
    end_us = began_us + (int64_t)count * 1000000;
}

static void next_of_mode(struct conn *c)
{
    count_ready(c);
    if (mode == PREPARE && c->appended < count)
        append_begin(c);
    else if (mode == FETCH)
        say(c, FETCH_ALL, "FETCH 1:* BODY.PEEK[]");
    else if (mode == MIXED && c->done < PER_SESSION)
        next_mixed(c);
    else
        say(c, LOGOUT, "LOGOUT");
}

static void next(struct conn *c)
{
    bool over = mode != PREPARE && ready == connections && clock_mono_us() >= end_us;

    c->done++;
    if (c->now == LOGOUT || (over && c->now != CONNECT)) {
        if (over || mode == PREPARE) {
            conn_end(c);
        } else {
            conn_close(c);
            conn_open(c);
        }
    } else if (c->now == CONNECT) {
        say(c, LOGIN, "LOGIN \"%s\" \"%s\"", c->login->user, c->login->password);
    } else if (c->now == LOGIN && mode == PREPARE) {
        say(c, CREATE, "CREATE Bench");
    } else if (c->now == LOGIN && mode != LOGINS) {
        say(c, SELECT, "SELECT INBOX");
    } else if (c->now == DELETE_ONE) {
        say(c, EXPUNGE, "EXPUNGE");
    } else {
        next_of_mode(c);
    }
}

/* ---- responses ---------------------------------------------------------------------------------- */

static void untagged(struct conn *c, struct str line)
{
    struct str head, rest, word;
    uint32_t n;

    if (!str_cut(str_skip(line, 2), ' ', &head, &rest) || !str_to_u32(head, &n))
        return;
    if (!str_cut(rest, ' ', &word, &head))
        word = rest;
    if (str_ieq_z(word, "EXISTS"))
        c->exists = n;
    else if (str_ieq_z(word, "EXPUNGE") && c->exists)
        c->exists--;
}

static void go_on(struct conn *c)
{
    const struct letter *l = &letters[c->appended % LETTERS];

    if (c->now == APPEND) {
        put(c, buf_str(&l->bytes));
        put(c, STR("\r\n"));
        c->appended++;
    } else if (c->now == IDLE) {
        put(c, STR("DONE\r\n"));
    }
}

static void tagged(struct conn *c, struct str line)
{
    struct str tag, rest = STR_NONE;
    bool ok = str_cut(line, ' ', &tag, &rest) && str_istarts(rest, STR("OK"));

    note(c, ok);
    if (!ok && (c->now == LOGIN || c->now == SELECT || (c->now == APPEND && mode == PREPARE)))
        give_up(c, "refused");
    next(c);
}

static void line_done(struct conn *c)
{
    struct str line = str_trim(str_of(c->line, c->line_n));

    c->line_n = c->tail_n = 0;
    if (!c->greeted) {
        c->greeted = true;
        c->line_n = 0;
        note(c, true);
        next(c);
    } else if (str_starts(line, STR("* "))) {
        untagged(c, line);
    } else if (str_starts(line, STR("+"))) {
        go_on(c);
    } else if (line.n && line.p[0] == 'a') {
        tagged(c, line);
    }
}

/* "{123}" at the end of a line: so many bytes follow that are none of our business. */
static uint64_t literal_of(const struct conn *c)
{
    struct str tail = str_trim(str_of(c->tail, c->tail_n));
    ptrdiff_t open = str_rchr(tail, '{');
    uint64_t n = 0;

    if (open < 0 || !str_ends(tail, STR("}")) ||
        !str_to_u64(str_slice(tail, (size_t)open + 1, tail.n - 1), &n))
        return 0;
    return n;
}

static void take(struct conn *c, struct str in)
{
    int fd = c->fd;

    bytes_in += in.n;
    while (in.n && c->fd == fd && !c->ended) {
        ptrdiff_t nl;
        struct str part;

        if (c->literal_left) {
            size_t n = in.n < c->literal_left ? in.n : (size_t)c->literal_left;

            c->literal_left -= n;
            in = str_skip(in, n);
            continue;
        }
        nl = str_chr(in, '\n');
        part = nl < 0 ? in : str_slice(in, 0, (size_t)nl + 1);
        in = str_skip(in, part.n);
        for (size_t i = 0, room = LINE_KEPT - c->line_n; i < part.n && i < room; i++)
            c->line[c->line_n++] = part.p[i];
        for (size_t i = part.n > sizeof c->tail ? part.n - sizeof c->tail : 0; i < part.n; i++) {
            if (c->tail_n == sizeof c->tail)
                memmove(c->tail, c->tail + 1, --c->tail_n);
            c->tail[c->tail_n++] = part.p[i];
        }
        if (nl >= 0 && !(c->literal_left = literal_of(c)))
            line_done(c);
        else if (nl >= 0)
            c->tail_n = 0;
    }
}

static void readable(struct conn *c)
{
    static char in[KIB(64)];
    ssize_t n;
    int fd = c->fd;

    do {
        n = c->ssl ? SSL_read(c->ssl, in, sizeof in) : recv(fd, in, sizeof in, 0);
        if (n > 0)
            take(c, str_of(in, (size_t)n));
    } while (n > 0 && c->fd == fd && !c->ended &&
             (c->ssl ? SSL_pending(c->ssl) > 0 : n == (ssize_t)sizeof in));
    if (n > 0 || c->ended || c->fd != fd)
        return;
    if (c->ssl ? SSL_get_error(c->ssl, (int)n) != SSL_ERROR_WANT_READ : n == 0 || errno != EAGAIN)
        give_up(c, "the server hung up");
}

/* ---- the run ------------------------------------------------------------------------------------ */

static void logins_read(const char *path)
{
    char line[600];
    FILE *f = fopen(path, "re");

    if (!f || !(logins = calloc(10000, sizeof *logins)))
        must(E_NOTFOUND, path);
    while (nlogins < 10000 && fgets(line, sizeof line, f)) {
        struct login *l = &logins[nlogins];

        nlogins += sscanf(line, "%255s %255[^\n]", l->user, l->password) == 2;
    }
    fclose(f);
    if (!nlogins)
        must(E_NOTFOUND, "logins");
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static void report(int64_t took_us)
{
    const char *comma = "";
    size_t all = 0;

    for (int k = 0; k < COMMANDS; k++)
        all += mode == LOGINS ? (k == LOGIN ? seen[k].n : 0) : k > CREATE && k < LOGOUT ? seen[k].n : 0;
    printf("{\"connections\":%u,\"commands\":%zu,\"rate\":%.1f,\"mb_s\":%.2f,\"each\":[", connections, all,
           (double)all * 1e6 / (double)took_us, (double)bytes_in / (double)took_us);
    for (int k = 0; k < COMMANDS; k++) {
        size_t n = seen[k].n;

        if (!n)
            continue;
        qsort(seen[k].us, n, sizeof *seen[k].us, by_value);
        printf("%s\n {\"name\":\"%s\",\"n\":%zu,\"refused\":%zu,\"p50_us\":%u,\"p99_us\":%u}", comma,
               k == DELETE_ONE ? "STORE \\\\Deleted" : commands[k].name, n, seen[k].failed, seen[k].us[n / 2],
               seen[k].us[n * 99 / 100]);
        comma = ",";
    }
    printf("]}\n");
}

static void setup(char **argv)
{
    static const char *const modes[] = { "prepare", "mixed", "fetch", "login" };
    uint32_t port = 0;
    size_t m = 0;

    while (m < ARRAY_LEN(modes) && strcmp(argv[6], modes[m]) != 0)
        m++;
    if (m == ARRAY_LEN(modes) || !str_to_u32(str_from(argv[2]), &port) || port > 65535 ||
        !str_to_u32(str_from(argv[4]), &connections) || !str_to_u32(str_from(argv[7]), &count) ||
        inet_pton(AF_INET, argv[1], &server.sin_addr) != 1)
        must(E_SYNTAX, "arguments");
    mode = (enum mode)m;
    server.sin_family = AF_INET;
    server.sin_port = htons((uint16_t)port);
    logins_read(argv[5]);
    if (strcmp(argv[3], "tls") == 0 && !(tls = SSL_CTX_new(TLS_client_method())))
        must(E_NOMEM, "TLS"); /* certificates are not looked at: this is a bench on loopback */
    if (tls)
        SSL_CTX_set_mode(tls, SSL_MODE_AUTO_RETRY);
    for (uint32_t i = 0; i < LETTERS; i++)
        letter_make(&letters[i], i, LETTER_BYTES);
    for (int k = 0; k < COMMANDS; k++)
        if (!(seen[k].us = calloc(SAMPLES_MAX, sizeof *seen[k].us)))
            must(E_NOMEM, "samples");
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (mode == PREPARE)
        connections = (uint32_t)nlogins;
}

int main(int argc, char **argv)
{
    struct epoll_event ev[64];
    struct conn *conns;

    if (argc != 8) {
        fprintf(stderr,
                "usage: imap_load HOST PORT tls|clear CONNECTIONS LOGINS prepare|mixed|fetch|login N\n");
        return 64;
    }
    setup(argv);
    if (!(conns = calloc(connections, sizeof *conns)))
        return 1;
    live = connections;
    for (uint32_t i = 0; i < connections; i++) {
        conns[i].index = i;
        conns[i].login = &logins[i % nlogins];
        conn_open(&conns[i]);
    }
    while (live) {
        int n = epoll_wait(epoll, ev, ARRAY_LEN(ev), 30000);

        if (n == 0) {
            fprintf(stderr, "imap_load: nothing comes for 30 s\n");
            return 1;
        }
        for (int i = 0; i < n; i++)
            readable(ev[i].data.ptr);
    }
    report(clock_mono_us() - began_us);
    free(conns);
    free(logins);
    return 0;
}
