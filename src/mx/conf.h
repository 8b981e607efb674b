/* src/mx/conf.h
 *
 * Settings of the mx role: section [mx] of the configuration. */
#ifndef SRC_MX_CONF_H
#define SRC_MX_CONF_H
#include "lib/conf/conf.h"
#include "src/common/smtp_session.h"

struct mx_conf {
    struct conf_addrs listen;
    struct smtp_limits smtp;
    uint64_t max_connections, max_connections_per_network;
    uint64_t stall_timeout_ms, directory_timeout_ms, commit_timeout_ms;
    const char *blocklists, *allowlists;
    bool reverse_name;
    uint64_t lookup_timeout_ms;
    struct netset proxy_from;
    bool auth_checks, dmarc_reject;
    struct netset auth_exempt;
};

#define MX_CONF_ITEMS 27
extern const struct conf_item mx_conf_items[MX_CONF_ITEMS];
#endif
