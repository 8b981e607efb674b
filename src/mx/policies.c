/* src/mx/policies.c: what the whole role has of policy.h. */
#include "lib/base/errors.h"
#include "lib/base/log.h"
#include "src/common/peers.h"
#include "src/mx/policy.h"

#define LIMIT_KEYS       32768u  /* networks and domains that are busy: 768 KiB */
#define GREYLIST_ENTRIES 262144u /* 6 MiB, where it is on */

int mx_policies_make(struct mx_policies *p, const struct mx_conf *c)
{
    const struct greylist_conf grey = { (int64_t)c->greylist_delay_ms, (int64_t)c->greylist_window_ms,
                                        (int64_t)c->greylist_keep_ms, GREYLIST_ENTRIES };
    int e = peer_lists_parse(str_from(c->greylist_known), &p->known);

    if (e < 0) {
        log_event(LOG_ERROR, "mx.bad_lists", F_Z("keys", "mx.greylist_known"), F_ERR(e));
        return E_RANGE;
    }
    if (!(p->limits = limits_new(LIMIT_KEYS)) || (c->greylist && !(p->grey = greylist_new(&grey))))
        return E_NOMEM;
    return 0;
}

void mx_policies_free(struct mx_policies *p)
{
    limits_free(&p->limits);
    greylist_free(&p->grey);
}

void mx_policy_local(int fd, char out[MX_NETWORK_TEXT_MAX])
{
    struct sockaddr_storage sa = { .ss_family = AF_UNSPEC };
    socklen_t n = sizeof sa;

    if (getsockname(fd, (struct sockaddr *)(void *)&sa, &n) == 0 && sa.ss_family != AF_UNIX)
        peer_text((const struct sockaddr *)(const void *)&sa, out);
}
