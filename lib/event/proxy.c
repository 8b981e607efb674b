#include "lib/event/proxy.h"
#include "lib/base/errors.h"
#include "lib/base/log.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

#define WAITING_MAX 1000u /* hosts that were named, and send nothing */

static const char v2_signature[12] = "\r\n\r\n\0\r\nQUIT\n";

static void peer_v4(struct proxy_peer *p, const void *addr, uint16_t port_be)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = port_be };

    memcpy(&a.sin_addr, addr, 4);
    memcpy(&p->sa, &a, sizeof a);
    p->len = sizeof a;
    p->known = true;
}

static void peer_v6(struct proxy_peer *p, const void *addr, uint16_t port_be)
{
    struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = port_be };

    memcpy(&a.sin6_addr, addr, 16);
    memcpy(&p->sa, &a, sizeof a);
    p->len = sizeof a;
    p->known = true;
}

/* ---- version 1: "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443" CRLF ---- */

static bool v1_address(struct str text, int family, uint8_t out[16])
{
    char z[INET6_ADDRSTRLEN + 1];

    if (text.n == 0 || text.n >= sizeof z)
        return false;
    memcpy(z, text.p, text.n);
    z[text.n] = '\0';
    return inet_pton(family, z, out) == 1;
}

static bool v1_port(struct str text, uint16_t *out)
{
    uint32_t n;

    if (text.n == 0 || text.n > 5 || (text.n > 1 && text.p[0] == '0') || !str_to_u32(text, &n) || n > 65535)
        return false;
    *out = htons((uint16_t)n);
    return true;
}

static int v1_line(struct str line, struct proxy_peer *out)
{
    struct str proxy, family, source, destination, port, to_port;
    uint8_t from[16], to[16];
    uint16_t from_be, to_be;
    bool v6;

    str_cut(line, ' ', &proxy, &line);
    str_cut(line, ' ', &family, &line);
    if (str_eq_z(family, "UNKNOWN"))
        return 0; /* what follows is to be ignored */
    v6 = str_eq_z(family, "TCP6");
    if (!v6 && !str_eq_z(family, "TCP4"))
        return E_SYNTAX;
    str_cut(line, ' ', &source, &line);
    str_cut(line, ' ', &destination, &line);
    str_cut(line, ' ', &port, &to_port);
    if (!v1_address(source, v6 ? AF_INET6 : AF_INET, from) ||
        !v1_address(destination, v6 ? AF_INET6 : AF_INET, to) || !v1_port(port, &from_be) ||
        !v1_port(to_port, &to_be))
        return E_SYNTAX;
    if (v6)
        peer_v6(out, from, from_be);
    else
        peer_v4(out, from, from_be);
    return 0;
}

static ssize_t v1_parse(struct str in, struct proxy_peer *out, size_t *need_out)
{
    struct str head = str_slice(in, 0, PROXY_V1_MAX);
    ptrdiff_t end = str_find(head, STR("\r\n"));

    if (end < 0 && head.n == PROXY_V1_MAX)
        return E_LIMIT;
    if (end < 0) {
        *need_out = in.n + 1;
        return 0;
    }
    return v1_line(str_slice(in, 0, (size_t)end), out) < 0 ? (ssize_t)E_SYNTAX : end + 2;
}

/* ---- version 2: signature, version and command, family, length, addresses ---- */

static uint16_t be16(const char *p)
{
    return (uint16_t)((uint8_t)p[0] << 8 | (uint8_t)p[1]);
}

static int v2_address(uint8_t family, const char *p, size_t n, struct proxy_peer *out)
{
    uint16_t port;

    if (family == 0x11 && n >= 12) { /* TCP over IPv4 */
        memcpy(&port, p + 8, 2);
        peer_v4(out, p, port);
    } else if (family == 0x21 && n >= 36) {
        memcpy(&port, p + 32, 2);
        peer_v6(out, p, port);
    } else if (family == 0x11 || family == 0x21) {
        return E_SYNTAX;
    }
    return 0; /* another family is nobody we could count */
}

static ssize_t v2_parse(struct str in, struct proxy_peer *out, size_t *need_out)
{
    uint8_t command;
    size_t n;

    if (in.n < 16) {
        *need_out = 16;
        return 0;
    }
    command = (uint8_t)in.p[12];
    n = be16(in.p + 14);
    if (command != 0x20 && command != 0x21) /* version 2, LOCAL or PROXY */
        return E_SYNTAX;
    if (16 + n > PROXY_HEADER_MAX)
        return E_LIMIT;
    if (in.n < 16 + n) {
        *need_out = 16 + n;
        return 0;
    }
    if (command == 0x21 && v2_address((uint8_t)in.p[13], in.p + 16, n, out) < 0)
        return E_SYNTAX;
    return (ssize_t)(16 + n);
}

ssize_t proxy_parse(struct str in, struct proxy_peer *out, size_t *need_out)
{
    struct str v2 = str_of(v2_signature, sizeof v2_signature);

    *out = (struct proxy_peer){ .known = false };
    if (str_starts(in, v2))
        return v2_parse(in, out, need_out);
    if (str_starts(in, STR("PROXY ")))
        return v1_parse(in, out, need_out);
    if (str_starts(v2, in) || str_starts(STR("PROXY "), in)) {
        *need_out = in.n + 1;
        return 0;
    }
    return E_SYNTAX;
}

/* ---- the gate ---- */

struct proxy_gate {
    struct loop *loop;
    const struct netset *from;
    listener_fn *fn;
    void *ctx;
    struct waiting *waiting;
    size_t nwaiting;
};

/* One that has not said who it speaks for. The header is looked at where it lies, so that not a byte of the
 * client is taken with it. */
struct waiting {
    struct proxy_gate *gate;
    struct watch watch;
    struct timer timer;
    struct sockaddr_storage peer;
    socklen_t len;
    int fd;
    struct waiting *next, **prev;
};

static void waiting_free(struct waiting *w, bool close_fd)
{
    watch_release(&w->watch);
    timer_release(&w->timer);
    *w->prev = w->next;
    if (w->next)
        w->next->prev = w->prev;
    w->gate->nwaiting--;
    if (close_fd)
        close(w->fd);
    free(w);
}

static void refuse(struct waiting *w, const char *why)
{
    log_event(LOG_WARN, "proxy.refused", F_Z("why", why));
    waiting_free(w, true);
}

static void too_late(struct timer *t)
{
    refuse(CONTAINER_OF(t, struct waiting, timer), "timeout");
}

static void pass(struct waiting *w, const struct proxy_peer *p, size_t n)
{
    struct proxy_gate *g = w->gate;
    struct sockaddr_storage sa = p->known ? p->sa : w->peer;
    socklen_t len = p->known ? p->len : w->len;
    char header[PROXY_HEADER_MAX];
    int fd = w->fd, one = 1;

    if (recv(fd, header, n, 0) != (ssize_t)n) {
        refuse(w, "closed");
        return;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof one);
    waiting_free(w, false);
    g->fn(g->ctx, fd, (struct sockaddr *)&sa, len);
}

static void readable(struct watch *watch)
{
    struct waiting *w = CONTAINER_OF(watch, struct waiting, watch);
    char header[PROXY_HEADER_MAX];
    ssize_t got = recv(w->fd, header, sizeof header, MSG_PEEK), n;
    struct proxy_peer p;
    size_t need = 0;

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        refuse(w, "closed");
        return;
    }
    n = proxy_parse(str_of(header, (size_t)got), &p, &need);
    if (n > 0) {
        pass(w, &p, (size_t)n);
    } else if (n < 0) {
        refuse(w, "header");
    } else { /* not to be woken before there is more: what was looked at still lies there */
        int low = (int)need;

        setsockopt(w->fd, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof low);
    }
}

struct proxy_gate *proxy_gate_new(struct loop *l, const struct netset *from, listener_fn *fn, void *ctx)
{
    struct proxy_gate *g = calloc(1, sizeof *g);

    if (g)
        *g = (struct proxy_gate){ .loop = l, .from = from, .fn = fn, .ctx = ctx };
    return g;
}

void proxy_gate_accept(void *gate, int fd, const struct sockaddr *peer, socklen_t len)
{
    struct proxy_gate *g = gate;
    struct waiting *w;

    if (!netset_has(g->from, peer)) {
        g->fn(g->ctx, fd, peer, len);
        return;
    }
    if (g->nwaiting >= WAITING_MAX || !(w = calloc(1, sizeof *w))) {
        close(fd);
        return;
    }
    w->gate = g;
    w->fd = fd;
    memcpy(&w->peer, peer, len);
    w->len = len;
    w->next = g->waiting;
    w->prev = &g->waiting;
    if (w->next)
        w->next->prev = &w->next;
    g->waiting = w;
    g->nwaiting++;
    if (timer_init(&w->timer, g->loop, too_late) < 0 || watch_init(&w->watch, g->loop, fd, readable) < 0)
        waiting_free(w, true);
    else
        timer_set(&w->timer, PROXY_WAIT_MS);
}

void proxy_gate_free(struct proxy_gate **g)
{
    while (*g && (*g)->waiting)
        waiting_free((*g)->waiting, true);
    free(*g);
    *g = NULL;
}
