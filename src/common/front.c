#include "src/common/front.h"
#include "lib/base/errors.h"
#include "lib/base/log.h"
#include "lib/event/proxy.h"
#include "src/common/counts.h"
#include <stdlib.h>
#include <unistd.h>

#define GATES_MAX 64u

static struct proxy_gate *gates[GATES_MAX]; /* as long as the process */
static size_t ngates;

int front_listen(struct loop *l, int fd, const struct netset *from, listener_fn *fn, void *ctx,
                 struct listener **listener_out)
{
    struct proxy_gate *g = from->n && ngates < GATES_MAX ? proxy_gate_new(l, from, fn, ctx) : NULL;
    struct listener *s = NULL;

    if (!from->n)
        s = listener_new(l, fd, fn, ctx);
    else if (g)
        s = listener_new(l, fd, proxy_gate_accept, g);
    if (!s) {
        proxy_gate_free(&g);
        return E_NOMEM;
    }
    if (g)
        gates[ngates++] = g;
    if (listener_out)
        *listener_out = s;
    return 0;
}

struct port {
    struct role *role;
    front_accept *accept;
    bool tls;
};

static void port_accepted(void *ctx, int fd, const struct sockaddr *peer, socklen_t len UNUSED)
{
    struct port *p = ctx;

    p->accept(p->role, fd, peer, p->tls);
}

int front_listen_all(struct role *r, const struct netset *from, const char *tls_key, const char *event,
                     front_accept *fn)
{
    size_t n;
    const struct role_listener *v = role_listeners(r, &n);

    for (size_t i = 0; i < n; i++) {
        bool tls = strcmp(v[i].key, tls_key) == 0;
        struct port *p;

        if (!role_tls(r))
            log_event(LOG_WARN, event, F_Z("key", v[i].key));
        if (tls && !role_tls(r))
            continue;
        if (!(p = calloc(1, sizeof *p))) /* as long as the process */
            return E_NOMEM;
        *p = (struct port){ r, fn, tls };
        if (front_listen(role_loop(r), v[i].fd, from, port_accepted, p, NULL) < 0)
            return E_NOMEM;
    }
    return 0;
}

void front_turn_away(int fd, const char *line, const char *event, const char *why)
{
    ssize_t n = send(fd, line, strlen(line), MSG_DONTWAIT | MSG_NOSIGNAL);

    close(fd);
    count_one(COUNT_CONNECTIONS_REFUSED);
    log_event(LOG_DEBUG, event, F_Z("why", why), F_U64("told", n > 0));
}
