/* bench/pop3_load.c
 *
 * Full downloads from any POP3 server over TLS: each connection logs in, lists, takes every message with pipelined
 * RETR, and leaves; again and again. A thread each, since a maildrop is for one session.
 *   pop3_load HOST PORT CONNECTIONS LOGINS SECONDS
 * LOGINS is a file with a user and a password on each line: a connection each. Prints one JSON object. */
#include "bench/letters.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define AT_ONCE 50u /* RETRs under way */

struct puller {
    pthread_t thread;
    char user[256], password[256];
    SSL *ssl;
    int fd;
    char in[KIB(64)];
    size_t at, n;
    uint64_t bytes, messages, downloads;
};

static struct sockaddr_in server;
static SSL_CTX *tls;
static int64_t end_us;

static void broke(const struct puller *p, const char *what)
{
    fprintf(stderr, "pop3_load: %s: %s\n", p->user, what);
    exit(1);
}

static void fill(struct puller *p)
{
    int n = SSL_read(p->ssl, p->in, sizeof p->in);

    if (n <= 0)
        broke(p, "the server hung up");
    p->at = 0;
    p->n = (size_t)n;
    p->bytes += (size_t)n;
}

/* The next line without its CRLF: its beginning, as much as `cap` holds. */
static struct str line(struct puller *p, char *out, size_t cap)
{
    size_t n = 0;

    for (;;) {
        struct str rest;
        ptrdiff_t nl;

        if (p->at == p->n)
            fill(p);
        rest = str_of(p->in + p->at, p->n - p->at);
        nl = str_chr(rest, '\n');
        for (size_t i = 0; i < (nl < 0 ? rest.n : (size_t)nl) && n < cap; i++)
            out[n++] = rest.p[i];
        p->at += nl < 0 ? rest.n : (size_t)nl + 1;
        if (nl >= 0)
            return str_trim(str_of(out, n));
    }
}

static void PRINTF_LIKE(2, 3) say(struct puller *p, const char *fmt, ...)
{
    char text[KIB(4)];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof text || SSL_write(p->ssl, text, n) != n)
        broke(p, "the connection broke while writing");
}

static struct str ok(struct puller *p, char *out, size_t cap)
{
    struct str s = line(p, out, cap);

    if (!str_starts(s, STR("+OK")))
        broke(p, "refused");
    return s;
}

static void begin(struct puller *p)
{
    char reply[200];

    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    p->at = p->n = 0;
    if (p->fd < 0 || connect(p->fd, (struct sockaddr *)&server, sizeof server) < 0 ||
        !(p->ssl = SSL_new(tls)) || SSL_set_fd(p->ssl, p->fd) != 1 || SSL_connect(p->ssl) != 1)
        broke(p, "cannot connect");
    ok(p, reply, sizeof reply);
    say(p, "USER %s\r\n", p->user);
    ok(p, reply, sizeof reply);
    say(p, "PASS %s\r\n", p->password);
    ok(p, reply, sizeof reply);
}

static void finish(struct puller *p)
{
    char reply[200];

    say(p, "QUIT\r\n");
    ok(p, reply, sizeof reply);
    SSL_free(p->ssl);
    close(p->fd);
}

static void skip_text(struct puller *p)
{
    char begins[4];

    while (!str_eq(line(p, begins, sizeof begins), STR(".")))
        ;
}

static uint32_t list(struct puller *p)
{
    char reply[200];
    struct str word, rest;
    uint32_t n = 0;

    say(p, "STAT\r\n");
    rest = ok(p, reply, sizeof reply);
    if (!str_cut(rest, ' ', &word, &rest) || !str_cut(rest, ' ', &word, &rest) || !str_to_u32(word, &n))
        broke(p, "STAT is not understood");
    say(p, "UIDL\r\n");
    ok(p, reply, sizeof reply);
    skip_text(p);
    return n;
}

static void download(struct puller *p)
{
    char reply[200];
    uint32_t n, asked = 0;

    begin(p);
    n = list(p);
    for (uint32_t i = 1; i <= n; i++) {
        while (asked < n && asked < i + AT_ONCE)
            say(p, "RETR %u\r\n", ++asked);
        ok(p, reply, sizeof reply);
        skip_text(p);
        p->messages++;
    }
    finish(p);
    p->downloads++;
}

static void *pull(void *arg)
{
    struct puller *p = arg;

    do
        download(p);
    while (clock_mono_us() < end_us);
    return NULL;
}

static void setup(char **argv, struct puller *p, uint32_t n)
{
    uint32_t port = 0;
    FILE *f = fopen(argv[4], "re");
    char text[600];

    if (!f || !str_to_u32(str_from(argv[2]), &port) || port > 65535 ||
        inet_pton(AF_INET, argv[1], &server.sin_addr) != 1 || !(tls = SSL_CTX_new(TLS_client_method())))
        must(E_SYNTAX, "arguments");
    server.sin_family = AF_INET;
    server.sin_port = htons((uint16_t)port);
    for (uint32_t i = 0; i < n; i++)
        if (!fgets(text, sizeof text, f) || sscanf(text, "%255s %255[^\n]", p[i].user, p[i].password) != 2)
            must(E_NOTFOUND, "a login for each connection");
    fclose(f);
}

int main(int argc, char **argv)
{
    uint64_t bytes = 0, messages = 0, downloads = 0;
    uint32_t n = 0, seconds = 0;
    struct puller *p;
    int64_t began;

    if (argc != 6 || !str_to_u32(str_from(argv[3]), &n) || !n || !str_to_u32(str_from(argv[5]), &seconds)) {
        fprintf(stderr, "usage: pop3_load HOST PORT CONNECTIONS LOGINS SECONDS\n");
        return 64;
    }
    if (!(p = calloc(n, sizeof *p)))
        return 1;
    setup(argv, p, n);
    began = clock_mono_us();
    end_us = began + (int64_t)seconds * 1000000;
    for (uint32_t i = 0; i < n; i++)
        if (pthread_create(&p[i].thread, NULL, pull, &p[i]) != 0)
            return 1;
    for (uint32_t i = 0; i < n; i++) {
        pthread_join(p[i].thread, NULL);
        bytes += p[i].bytes;
        messages += p[i].messages;
        downloads += p[i].downloads;
    }
    began = clock_mono_us() - began;
    printf("{\"connections\":%u,\"downloads\":%llu,\"messages\":%llu,\"rate\":%.1f,\"mb_s\":%.2f}\n", n,
           (unsigned long long)downloads, (unsigned long long)messages,
           (double)messages * 1e6 / (double)began, (double)bytes / (double)began);
    free(p);
    return 0;
}
