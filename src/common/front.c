#include "src/common/front.h"
#include "lib/base/errors.h"
#include "lib/event/proxy.h"

int front_listen(struct loop *l, int fd, const struct netset *from, listener_fn *fn, void *ctx,
                 struct listener **listener_out)
{
    struct proxy_gate *g = from->n ? proxy_gate_new(l, from, fn, ctx) : NULL; /* as long as the process */
    struct listener *s = NULL;

    if (!from->n)
        s = listener_new(l, fd, fn, ctx);
    else if (g)
        s = listener_new(l, fd, proxy_gate_accept, g);
    if (!s) {
        proxy_gate_free(&g);
        return E_NOMEM;
    }
    if (listener_out)
        *listener_out = s;
    return 0;
}
