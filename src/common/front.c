#include "src/common/front.h"
#include "lib/base/errors.h"
#include "lib/base/log.h"
#include "lib/event/proxy.h"
#include "src/common/counts.h"
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

void front_turn_away(int fd, const char *line, const char *event, const char *why)
{
    ssize_t n = send(fd, line, strlen(line), MSG_DONTWAIT | MSG_NOSIGNAL);

    close(fd);
    count_one(COUNT_CONNECTIONS_REFUSED);
    log_event(LOG_DEBUG, event, F_Z("why", why), F_U64("told", n > 0));
}
