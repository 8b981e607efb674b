/* src/common/front.h: what the roles that meet clients share: listening, also behind a balancer. */
#ifndef SRC_COMMON_FRONT_H
#define SRC_COMMON_FRONT_H
#include "lib/base/netset.h"
#include "lib/conf/conf.h"
#include "lib/event/conn.h"
#include "src/common/role.h"

/* The row "<section>.proxy_from" of a role whose values have a `struct netset proxy_from`. */
#define FRONT_PROXY_FROM(section, values)                                                                    \
    {                                                                                                        \
        .key = section ".proxy_from", .type = CONF_NETS, .off = offsetof(values, proxy_from),                \
        .help =                                                                                              \
            "Hosts that connect for others and must say for whom (PROXY protocol, version 1 or 2): limits, " \
            "penalties and logs then see the client. Nobody else can say it."                                \
    }

/* Accept on fd from now on, for as long as the process lives; `from` is borrowed for that time. *listener_out may be
 * wanted (NULL: not) to stop it. E_NOMEM. */
MUST_CHECK int front_listen(struct loop *l, int fd, const struct netset *from, listener_fn *fn, void *ctx,
                            struct listener **listener_out);
typedef void front_accept(struct role *r, int fd, const struct sockaddr *peer, bool tls);
/* The same on all listeners of a role where clients log in; those of tls_key speak TLS from the first byte. Without a
 * certificate nobody can log in, which is said (event), and those are left out. E_NOMEM. */
MUST_CHECK int front_listen_all(struct role *r, const struct netset *from, const char *tls_key,
                                const char *event, front_accept *fn);
/* One line ("": none) and away: a connection that is not taken may cost nothing. event, why: for the log. */
void front_turn_away(int fd, const char *line, const char *event, const char *why);
#endif
