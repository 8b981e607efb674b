#include "src/ctl/imap_client.h"
#include "lib/base/errors.h"
#include "lib/tls/tls.h"
#include "proto/resolver.pb-c.h"
#include "src/common/resolve.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sodium.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECT_MS  15000
#define SILENCE_S   120 /* RFC 9051 5.4 gives a server its time */
#define INPUT_BYTES KIB(64)
#define ADDRS_MAX   8u
#define WHY_MAX     300u

struct imap_client {
    int fd;
    struct tls_ctx *tls;
    SSL *ssl; /* NULL: before STARTTLS */
    struct imap_answers answers;
    char *in; /* INPUT_BYTES */
    size_t at, n;
    struct buf capabilities;
    bool utf8, closed;
    uint32_t tag;
};

void imap_client_say(struct str text, struct buf *why)
{
    buf_clear(why);
    for (size_t i = 0; i < text.n && i < WHY_MAX; i++)
        if (buf_putc(why, (uint8_t)text.p[i] < 0x20 || text.p[i] == 0x7f ? ' ' : text.p[i]) < 0)
            return;
}

static int fail(struct buf *why, int e, const char *words)
{
    imap_client_say(str_from(words), why);
    return e;
}

/* ---- where it is ---- */

struct addrs {
    struct sockaddr_storage v[ADDRS_MAX];
    size_t n;
};

static void add(struct addrs *a, int family, const void *ip, uint16_t port)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&a->v[a->n];
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&a->v[a->n];

    if (a->n == ADDRS_MAX)
        return;
    memset(&a->v[a->n++], 0, sizeof a->v[0]);
    if (family == AF_INET) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        memcpy(&v4->sin_addr, ip, sizeof v4->sin_addr);
    } else {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        memcpy(&v6->sin6_addr, ip, sizeof v6->sin6_addr);
    }
}

static int ask_resolver(const struct imap_client_options *o, uint16_t type, struct addrs *out)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(1) };
    CLEANUP(buf_release) struct buf body = { .max = MIB(1) };
    Resolver__ResolveRequest m = RESOLVER__RESOLVE_REQUEST__INIT;
    struct dns_answer ans;
    int r;

    m.name = str_pb(str_from(o->host));
    m.type = type;
    if ((r = service_ask_bytes(o->service, ROLE_RESOLVER, RESOLVER__OP__RESOLVE, &m.base, &body)) < 0 ||
        (r = resolve_unpack(&a, buf_str(&body), type, &ans)) < 0)
        return r;
    for (size_t i = 0; ans.status == DNS_OK && i < ans.n; i++)
        if (ans.records[i].type == type)
            add(out, type == DNS_A ? AF_INET : AF_INET6,
                type == DNS_A ? ans.records[i].a : ans.records[i].aaaa, o->port);
    return dns_status_is_temporary(ans.status) ? E_UNAVAIL : 0;
}

static int ask_system(const struct imap_client_options *o, struct addrs *out)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;

    if (getaddrinfo(o->host, NULL, &hints, &list) != 0)
        return 0;
    for (struct addrinfo *i = list; i; i = i->ai_next) {
        if (i->ai_family == AF_INET)
            add(out, AF_INET, &((struct sockaddr_in *)(void *)i->ai_addr)->sin_addr, o->port);
        else if (i->ai_family == AF_INET6)
            add(out, AF_INET6, &((struct sockaddr_in6 *)(void *)i->ai_addr)->sin6_addr, o->port);
    }
    freeaddrinfo(list);
    return 0;
}

static int find(const struct imap_client_options *o, struct addrs *out)
{
    uint8_t ip[16];
    int r = 0;

    if (inet_pton(AF_INET, o->host, ip) == 1)
        add(out, AF_INET, ip, o->port);
    else if (inet_pton(AF_INET6, o->host, ip) == 1)
        add(out, AF_INET6, ip, o->port);
    else if (service_is_own(o->service))
        r = ask_system(o, out);
    else if ((r = ask_resolver(o, DNS_AAAA, out)) == 0 || r == E_UNAVAIL)
        r = ask_resolver(o, DNS_A, out);
    return out->n ? 0 : r < 0 ? r : E_NOTFOUND;
}

/* ---- the connection ---- */

static int dial_one(const struct sockaddr_storage *a, int *fd_out)
{
    struct timeval silence = { .tv_sec = SILENCE_S };
    struct pollfd p = { .events = POLLOUT };
    socklen_t n = a->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    int error = 0, flags;
    socklen_t size = sizeof error;

    p.fd = socket(a->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (p.fd < 0)
        return E_UNAVAIL;
    if (connect(p.fd, (const struct sockaddr *)(const void *)a, n) < 0 && errno != EINPROGRESS) {
        close(p.fd);
        return E_UNAVAIL;
    }
    if (poll(&p, 1, CONNECT_MS) != 1 || getsockopt(p.fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error) {
        close(p.fd);
        return error ? E_UNAVAIL : E_TIMEOUT;
    }
    flags = fcntl(p.fd, F_GETFL);
    if (flags < 0 || fcntl(p.fd, F_SETFL, flags & ~O_NONBLOCK) < 0 ||
        setsockopt(p.fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof silence) < 0 ||
        setsockopt(p.fd, SOL_SOCKET, SO_SNDTIMEO, &silence, sizeof silence) < 0) {
        close(p.fd);
        return E_IO;
    }
    *fd_out = p.fd;
    return 0;
}

static int tls_start(struct imap_client *c, const char *host, struct buf *why)
{
    long bad;

    ERR_clear_error();
    c->ssl = SSL_new(tls_ctx_ssl(c->tls));
    if (!c->ssl || SSL_set_fd(c->ssl, c->fd) != 1 || SSL_set_tlsext_host_name(c->ssl, host) != 1 ||
        (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(c->ssl), host) != 1 &&
         SSL_set1_host(c->ssl, host) != 1))
        return E_NOMEM; /* a name that cannot be checked would be one that nobody checks */
    if (SSL_connect(c->ssl) == 1)
        return 0;
    c->closed = true;
    bad = SSL_get_verify_result(c->ssl);
    ERR_clear_error();
    if (bad != X509_V_OK)
        return fail(why, E_DENIED, X509_verify_cert_error_string(bad));
    return fail(why, E_UNAVAIL, "no TLS could be agreed on");
}

static int write_all(struct imap_client *c, struct str s)
{
    while (s.n) {
        int n = c->ssl ? SSL_write(c->ssl, s.p, (int)size_min(s.n, KIB(16)))
                       : (int)send(c->fd, s.p, size_min(s.n, KIB(16)), MSG_NOSIGNAL);

        if (n <= 0) {
            c->closed = true;
            ERR_clear_error();
            return E_CLOSED;
        }
        s = str_skip(s, (size_t)n);
    }
    return 0;
}

static int read_some(struct imap_client *c)
{
    int n;

    errno = 0;
    n = c->ssl ? SSL_read(c->ssl, c->in, (int)INPUT_BYTES) : (int)recv(c->fd, c->in, INPUT_BYTES, 0);
    if (n <= 0) {
        bool silent = errno == EAGAIN || errno == EWOULDBLOCK;

        c->closed = true;
        ERR_clear_error();
        return silent ? E_TIMEOUT : E_CLOSED;
    }
    c->at = 0;
    c->n = (size_t)n;
    return 0;
}

int imap_client_next(struct imap_client *c, struct str *line_out, struct str *slice_out)
{
    for (;;) {
        size_t used = 0;
        int r;

        if (c->at == c->n && (r = read_some(c)) < 0)
            return r;
        r = imap_answers_feed(&c->answers, str_of(c->in + c->at, c->n - c->at), &used, slice_out);
        c->at += used;
        if (r == IMAP_ANSWERS_MORE)
            continue;
        c->closed |= r < 0;
        *line_out = buf_str(&c->answers.line);
        return r;
    }
}

uint64_t imap_client_body_bytes(const struct imap_client *c)
{
    return c->answers.body_bytes;
}

uint32_t imap_client_tag(struct str tag)
{
    uint32_t n = 0;

    return tag.n > 1 && tag.p[0] == 'L' && str_to_u32(str_skip(tag, 1), &n) ? n : 0;
}

int imap_client_send(struct imap_client *c, struct str command, uint32_t *tag_out)
{
    CLEANUP(buf_release) struct buf line = { .max = KIB(64) };
    int r = buf_printf(&line, "L%u %.*s\r\n", ++c->tag, STR_ARG(command));

    if (r == 0)
        r = write_all(c, buf_str(&line));
    if (line.p)
        sodium_memzero(line.p, line.n);
    *tag_out = c->tag;
    return r;
}

int imap_client_no(const struct imap_answer *a)
{
    static const char *const pass[] = {
        "UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "THROTTLED", "OVERQUOTA"
    };
    struct str word, rest;

    if (!str_cut(a->code, ' ', &word, &rest))
        word = a->code;
    for (size_t i = 0; i < ARRAY_LEN(pass); i++)
        if (str_ieq_z(word, pass[i]))
            return E_UNAVAIL;
    return E_DENIED;
}

/* One response as an answer; bodies that nobody asked for are passed over. */
static int answer_next(struct imap_client *c, struct imap_answer *a)
{
    struct str line, slice;
    int r;

    do {
        if ((r = imap_client_next(c, &line, &slice)) < 0)
            return r;
    } while (r != IMAP_ANSWERS_LINE);
    return imap_answer_parse(line, a);
}

int imap_client_ask(struct imap_client *c, struct str command,
                    int (*take)(void *ctx, const struct imap_answer *a), void *ctx, struct buf *why)
{
    struct imap_answer a;
    uint32_t tag = 0;
    int r = imap_client_send(c, command, &tag), told = 0;

    while (r == 0 && (r = answer_next(c, &a)) == 0) {
        if (a.status == IMAP_BYE) {
            c->closed = true;
            return fail(why, E_CLOSED, "the server says goodbye");
        }
        if (imap_client_tag(a.tag) == tag) {
            imap_client_say(a.text, why);
            return told < 0              ? told
                   : a.status == IMAP_OK ? 0
                   : a.status == IMAP_NO ? imap_client_no(&a)
                                         : E_SYNTAX;
        }
        if (str_eq_z(a.tag, "+"))
            r = write_all(c, STR("*\r\n")); /* nothing of ours wants one here */
        else if (take && told == 0)
            told = take(ctx, &a);
    }
    return r;
}

/* ---- logging in ---- */

static int capability_take(void *ctx, const struct imap_answer *a)
{
    struct imap_client *c = ctx;

    if (!str_ieq_z(a->name, "CAPABILITY"))
        return 0;
    buf_clear(&c->capabilities);
    return buf_puts(&c->capabilities, a->rest);
}

bool imap_client_can(const struct imap_client *c, const char *capability)
{
    return imap_words_have(buf_str(&c->capabilities), capability);
}

bool imap_client_utf8(const struct imap_client *c)
{
    return c->utf8;
}

static int capabilities(struct imap_client *c, struct buf *why)
{
    return imap_client_ask(c, STR("CAPABILITY"), capability_take, c, why);
}

/* RFC 4616, as an initial response (RFC 4959) or after the server's "+". */
static int login_plain(struct imap_client *c, const struct imap_client_options *o, struct buf *why)
{
    CLEANUP(buf_release) struct buf plain = { .max = KIB(8) }, text = { .max = KIB(16) };
    size_t n;
    int r;

    if ((r = buf_putc(&plain, '\0')) < 0 || (r = buf_puts(&plain, o->user)) < 0 ||
        (r = buf_putc(&plain, '\0')) < 0 || (r = buf_puts(&plain, o->password)) < 0 ||
        (r = buf_putz(&text, "AUTHENTICATE PLAIN ")) < 0)
        return r;
    n = sodium_base64_encoded_len(plain.n, sodium_base64_VARIANT_ORIGINAL);
    char *to = buf_reserve(&text, n);

    if (!to)
        return E_NOMEM;
    sodium_bin2base64(to, n, (const uint8_t *)plain.p, plain.n, sodium_base64_VARIANT_ORIGINAL);
    text.n += n - 1;
    r = imap_client_ask(c, buf_str(&text), NULL, NULL, why);
    sodium_memzero(plain.p, plain.n);
    sodium_memzero(text.p, text.n);
    return r;
}

static int login_command(struct imap_client *c, const struct imap_client_options *o, struct buf *why)
{
    CLEANUP(buf_release) struct buf text = { .max = KIB(16) };
    int r;

    for (size_t i = 0; i < o->user.n + o->password.n; i++)
        if ((i < o->user.n ? o->user.p[i] : o->password.p[i - o->user.n]) & 0x80)
            return fail(why, E_AUTH, "this server takes ASCII passwords only");
    if ((r = buf_putz(&text, "LOGIN ")) < 0 || (r = imap_quote(o->user, &text)) < 0 ||
        (r = buf_putc(&text, ' ')) < 0 || (r = imap_quote(o->password, &text)) < 0)
        return r == E_SYNTAX ? fail(why, E_AUTH, "a name or password that cannot be sent") : r;
    r = imap_client_ask(c, buf_str(&text), NULL, NULL, why);
    sodium_memzero(text.p, text.n);
    return r;
}

static int login(struct imap_client *c, const struct imap_client_options *o, struct buf *why)
{
    bool plain = imap_client_can(c, "AUTH=PLAIN") && imap_client_can(c, "SASL-IR");
    int r;

    if (!plain && imap_client_can(c, "LOGINDISABLED"))
        return fail(why, E_DENIED, "the server takes no password");
    r = plain ? login_plain(c, o, why) : login_command(c, o, why);
    if (r == E_DENIED)
        return E_AUTH;
    if (r < 0 || (r = capabilities(c, why)) < 0)
        return r;
    if (imap_client_can(c, "IMAP4rev2") || imap_client_can(c, "UTF8=ACCEPT"))
        c->utf8 = imap_client_ask(c,
                                  imap_client_can(c, "UTF8=ACCEPT") ? STR("ENABLE UTF8=ACCEPT")
                                                                    : STR("ENABLE IMAP4rev2"),
                                  NULL, NULL, why) == 0;
    return c->closed ? E_CLOSED : 0;
}

/* RFC 9051 6.2.1: what came in the clear behind the answer is not to be believed. */
static int starttls(struct imap_client *c, const struct imap_client_options *o, struct buf *why)
{
    int r = capabilities(c, why);

    if (r < 0)
        return r;
    if (!imap_client_can(c, "STARTTLS") || (r = imap_client_ask(c, STR("STARTTLS"), NULL, NULL, why)) < 0)
        return r < 0 && r != E_DENIED ? r : fail(why, E_DENIED, "the server offers no TLS");
    if (c->at != c->n)
        return fail(why, E_DENIED, "the server, or who stands between, sent more than TLS allows");
    buf_clear(&c->capabilities);
    return tls_start(c, o->host, why);
}

static int greeting(struct imap_client *c, bool clear, struct buf *why)
{
    struct imap_answer a;
    int r = answer_next(c, &a);

    if (r < 0)
        return r == E_LIMIT ? E_SYNTAX : r;
    if (a.status == IMAP_BYE) {
        imap_client_say(a.text, why);
        return E_UNAVAIL;
    }
    if (clear && a.status == IMAP_PREAUTH)
        return fail(why, E_DENIED, "the server wants no TLS");
    return a.status == IMAP_OK || a.status == IMAP_PREAUTH ? 0 : fail(why, E_SYNTAX, "no IMAP server");
}

static int begin(struct imap_client *c, const struct imap_client_options *o, struct buf *why)
{
    struct addrs addrs = { .n = 0 };
    int r;

    if ((r = tls_ctx_new_client(&c->tls)) < 0)
        return r;
    if ((r = tls_ctx_verify(c->tls, o->ca_file)) < 0)
        return fail(why, E_DENIED, "the certificates to check it with cannot be read");
    if ((r = find(o, &addrs)) < 0)
        return r;
    r = E_UNAVAIL;
    for (size_t i = 0; i < addrs.n && r < 0; i++)
        r = dial_one(&addrs.v[i], &c->fd);
    if (r < 0)
        return r;
    if (!o->starttls && (r = tls_start(c, o->host, why)) < 0)
        return r;
    if ((r = greeting(c, o->starttls, why)) < 0 || (o->starttls && (r = starttls(c, o, why)) < 0) ||
        (r = capabilities(c, why)) < 0)
        return r;
    return login(c, o, why);
}

int imap_client_open(const struct imap_client_options *o, struct buf *why, struct imap_client **out)
{
    struct imap_client *c = calloc(1, sizeof *c);
    int r;

    if (!c || !(c->in = malloc(INPUT_BYTES))) {
        free(c);
        return E_NOMEM;
    }
    c->fd = -1;
    c->answers.line.max = IMAP_ANSWER_MAX;
    c->capabilities.max = KIB(16);
    if ((r = begin(c, o, why)) < 0) {
        c->closed = true;
        imap_client_close(&c);
        return r;
    }
    *out = c;
    return 0;
}

void imap_client_close(struct imap_client **cp)
{
    struct imap_client *c = *cp;
    uint32_t tag;

    *cp = NULL;
    if (!c)
        return;
    if (!c->closed && imap_client_send(c, STR("LOGOUT"), &tag) == 0 && c->ssl)
        SSL_shutdown(c->ssl);
    SSL_free(c->ssl);
    if (c->fd >= 0)
        close(c->fd);
    tls_ctx_free(&c->tls);
    imap_answers_release(&c->answers);
    buf_release(&c->capabilities);
    free(c->in);
    free(c);
}
