/* bench/smtp_load.c
 *
 * Durable deliveries per second: `connections` threads send messages of `bytes` over SMTP as fast as they
 * are acknowledged, recipients in turn.
 *   smtp_load [-p CLIENT] [-l FILE] [-t LOGIN] [-f SENDER] PORT CONNECTIONS SECONDS BYTES RECIPIENT...
 *     -p  comes from 127.0.0.2 and says by the PROXY protocol that the client is CLIENT (an IPv4 address)
 *     -l  sends the letters of FILE in turns, each under a Message-ID of its own: "LENGTH\n" and as many bytes
 *         as go over the wire, without the last dot, one after another
 *     -t  TLS from the first byte; then AUTH PLAIN with LOGIN (base64), unless it is "-"
 *     -f  who sends, in the envelope and in From
 * Prints one JSON line: rate, latencies in microseconds. */
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#define SAMPLES_MAX 400000u
#define LETTERS_MAX 8000u

struct client {
    pthread_t thread;
    unsigned index;
    int fd;
    SSL *tls;
    char in[4096];
    size_t n;
    uint64_t sent, failed;
};

static struct {
    uint16_t port;
    unsigned clients, seconds, nrcpt;
    size_t bytes;
    char **rcpt;
    const char *proxy, *login, *sender;
    SSL_CTX *tls;
    struct str letters[LETTERS_MAX];
    size_t nletters;
    int64_t end_us;
    uint32_t *samples;
    size_t nsamples;
    pthread_mutex_t lock;
} load = { .lock = PTHREAD_MUTEX_INITIALIZER, .sender = "bench@example.net" };

static bool put(struct client *c, struct str s)
{
    while (s.n) {
        ssize_t w = c->tls ? SSL_write(c->tls, s.p, (int)s.n) : send(c->fd, s.p, s.n, MSG_NOSIGNAL);

        if (w <= 0)
            return false;
        s = str_skip(s, (size_t)w);
    }
    return true;
}

/* The code of the next reply's last line; 0 when the connection is gone. */
static int reply(struct client *c)
{
    for (;;) {
        char *nl = memchr(c->in, '\n', c->n);

        if (nl) {
            int code = (c->in[0] - '0') * 100 + (c->in[1] - '0') * 10 + (c->in[2] - '0');
            bool last = c->in[3] != '-';
            size_t used = (size_t)(nl - c->in) + 1;

            memmove(c->in, c->in + used, c->n - used);
            c->n -= used;
            if (last)
                return code;
            continue;
        }
        ssize_t got = c->tls ? SSL_read(c->tls, c->in + c->n, (int)(sizeof c->in - c->n))
                             : recv(c->fd, c->in + c->n, sizeof c->in - c->n, 0);

        if (got <= 0)
            return 0;
        c->n += (size_t)got;
    }
}

static void hang_up(struct client *c)
{
    if (c->tls)
        SSL_free(c->tls);
    c->tls = NULL;
    close(c->fd);
}

static bool secure(struct client *c)
{
    return !load.tls ||
           ((c->tls = SSL_new(load.tls)) && SSL_set_fd(c->tls, c->fd) == 1 && SSL_connect(c->tls) == 1);
}

static bool login(struct client *c)
{
    char line[512];

    if (!load.login || load.login[0] == '-')
        return true;
    snprintf(line, sizeof line, "AUTH PLAIN %s\r\n", load.login);
    return put(c, str_from(line)) && reply(c) == 235;
}

static bool hello(struct client *c)
{
    struct sockaddr_in sa = { .sin_family = AF_INET,
                              .sin_port = htons(load.port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1) };
    char proxy[80] = "";
    int one = 1;

    if (load.proxy)
        snprintf(proxy, sizeof proxy, "PROXY TCP4 %s 127.0.0.1 56324 25\r\n", load.proxy);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    c->n = 0;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (load.proxy && bind(c->fd, (struct sockaddr *)&from, sizeof from) < 0)
        return false;
    return connect(c->fd, (struct sockaddr *)&sa, sizeof sa) == 0 && put(c, str_from(proxy)) && secure(c) &&
           reply(c) == 220 && put(c, STR("EHLO bench.example.net\r\n")) && reply(c) == 250 && login(c);
}

static void body(struct buf *b, unsigned client, uint64_t i)
{
    uint64_t x = (client + 1) * UINT64_C(0x9e3779b97f4a7c15) + i * UINT64_C(0xbf58476d1ce4e5b9);
    static const char *const words[] = { "letter", "harbour", "window",   "Tuesday", "please",  "invoice",
                                         "garden", "meeting", "attached", "regards", "station", "number" };

    buf_clear(b);
    if (load.nletters) {
        if (buf_printf(b, "Message-ID: <%u.%llu.%d@example.net>\r\n", client, (unsigned long long)i,
                       (int)getpid()) < 0 ||
            buf_puts(b, load.letters[(client + i * load.clients) % load.nletters]) < 0 ||
            buf_putz(b, ".\r\n") < 0)
            abort();
        return;
    }
    if (buf_printf(b,
                   "From: Bench <%s>\r\nTo: reader@example.test\r\nSubject: bench %u %llu\r\n"
                   "Message-ID: <%u.%llu.%d@example.net>\r\nDate: Tue, 3 Nov 2026 09:08:07 +0100\r\n\r\n",
                   load.sender, client, (unsigned long long)i, client, (unsigned long long)i,
                   (int)getpid()) < 0)
        abort();
    while (b->n < load.bytes) {
        for (int k = 0; k < 8; k++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            if (buf_printf(b, "%s%llx ", words[x % ARRAY_LEN(words)], (unsigned long long)(x & 0xfff)) < 0)
                abort();
        }
        if (buf_putz(b, "\r\n") < 0)
            abort();
    }
    if (buf_putz(b, ".\r\n") < 0)
        abort();
}

static bool transaction(struct client *c, struct buf *b, struct buf *head)
{
    buf_clear(head);
    if (buf_printf(head, "MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n", load.sender,
                   load.rcpt[(c->index + c->sent * load.clients) % load.nrcpt]) < 0)
        abort();
    return put(c, buf_str(head)) && reply(c) == 250 && reply(c) == 250 && reply(c) == 354 &&
           put(c, buf_str(b)) && reply(c) == 250;
}

static void *client_run(void *arg)
{
    struct client *c = arg;
    struct buf b = { .max = MIB(64) }, head = { .max = KIB(4) };

    if (!hello(c)) {
        c->failed++;
        return NULL;
    }
    while (clock_mono_us() < load.end_us) {
        int64_t began;

        body(&b, c->index, c->sent);
        began = clock_mono_us();
        if (!transaction(c, &b, &head)) {
            c->failed++;
            hang_up(c);
            if (!hello(c))
                break;
            continue;
        }
        c->sent++;
        pthread_mutex_lock(&load.lock);
        if (load.nsamples < SAMPLES_MAX)
            load.samples[load.nsamples++] = (uint32_t)(clock_mono_us() - began);
        pthread_mutex_unlock(&load.lock);
    }
    hang_up(c);
    buf_release(&b);
    buf_release(&head);
    return NULL;
}

static bool letters_read(const char *path)
{
    static struct buf all = { .max = GIB(1) };
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char piece[KIB(64)];
    struct str rest;
    ssize_t n;

    if (fd < 0)
        return false;
    while ((n = read(fd, piece, sizeof piece)) > 0)
        if (buf_puts(&all, (struct str){ piece, (size_t)n }) < 0)
            return false;
    close(fd);
    rest = buf_str(&all);
    while (rest.n && load.nletters < LETTERS_MAX) {
        const char *nl = memchr(rest.p, '\n', rest.n);
        uint32_t bytes = 0;

        if (!nl || !str_to_u32((struct str){ rest.p, (size_t)(nl - rest.p) }, &bytes) ||
            bytes > rest.n - (size_t)(nl + 1 - rest.p))
            return false;
        load.letters[load.nletters++] = (struct str){ nl + 1, bytes };
        rest = str_skip(rest, (size_t)(nl + 1 - rest.p) + bytes);
    }
    return load.nletters > 0;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    uint32_t v[4];
    struct client *clients;
    uint64_t sent = 0, failed = 0;

    for (; argc > 2 && argv[1][0] == '-'; argc -= 2, argv += 2) {
        if (argv[1][1] == 'p') {
            load.proxy = argv[2];
        } else if (argv[1][1] == 't') {
            load.login = argv[2];
            load.tls = SSL_CTX_new(TLS_client_method());
        } else if (argv[1][1] == 'f') {
            load.sender = argv[2];
        } else if (argv[1][1] != 'l' || !letters_read(argv[2])) {
            fprintf(stderr, "smtp_load: %s %s: no letters\n", argv[1], argv[2]);
            return 64;
        }
    }
    for (int i = 0; i < 4; i++)
        if (argc < 6 || !str_to_u32(str_from(argv[i + 1]), &v[i])) {
            fprintf(
                stderr,
                "usage: smtp_load [-p CLIENT] [-l FILE] [-t LOGIN] [-f SENDER] PORT CONNECTIONS SECONDS BYTES RECIPIENT...\n");
            return 64;
        }
    load.port = (uint16_t)v[0];
    load.clients = v[1];
    load.seconds = v[2];
    load.bytes = v[3];
    load.rcpt = argv + 5;
    load.nrcpt = (unsigned)argc - 5;
    load.samples = calloc(SAMPLES_MAX, sizeof *load.samples);
    clients = calloc(load.clients, sizeof *clients);
    load.end_us = clock_mono_us() + (int64_t)load.seconds * 1000000;
    for (unsigned i = 0; i < load.clients; i++) {
        clients[i].index = i;
        pthread_create(&clients[i].thread, NULL, client_run, &clients[i]);
    }
    for (unsigned i = 0; i < load.clients; i++) {
        pthread_join(clients[i].thread, NULL);
        sent += clients[i].sent;
        failed += clients[i].failed;
    }
    qsort(load.samples, load.nsamples, sizeof *load.samples, by_value);
    printf("{\"sent\":%llu,\"failed\":%llu,\"rate\":%.1f,\"p50_us\":%u,\"p99_us\":%u}\n",
           (unsigned long long)sent, (unsigned long long)failed, (double)sent / load.seconds,
           load.nsamples ? load.samples[load.nsamples / 2] : 0,
           load.nsamples ? load.samples[load.nsamples * 99 / 100] : 0);
    return 0;
}
