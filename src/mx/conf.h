/* src/mx/conf.h
 *
 * Settings of the mx role: section [mx] of the configuration. */
#ifndef SRC_MX_CONF_H
#define SRC_MX_CONF_H
#include "lib/conf/conf.h"

struct mx_conf {
    struct conf_addrs listen;
    uint64_t max_message_bytes, max_recipients, max_total_bytes;
    uint64_t max_connections, max_connections_per_network;
    uint64_t max_errors, max_unknown, max_junk, max_received;
    uint64_t command_timeout_ms, data_timeout_ms, message_timeout_ms, stall_timeout_ms;
    uint64_t directory_timeout_ms, commit_timeout_ms;
    uint64_t max_line;
    const char *postmaster, *blocklists, *allowlists;
    bool reverse_name;
    uint64_t lookup_timeout_ms;
    struct netset proxy_from;
    bool auth_checks, dmarc_reject;
    uint64_t auth_timeout_ms;
    struct netset auth_exempt;
};

#define MX_CONF_ITEMS 27
extern const struct conf_item mx_conf_items[MX_CONF_ITEMS];
#endif
