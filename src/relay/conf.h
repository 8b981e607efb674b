/* src/relay/conf.h: settings of the relay role. */
#ifndef SRC_RELAY_CONF_H
#define SRC_RELAY_CONF_H
#include "lib/conf/conf.h"

struct relay_conf {
    const char *smarthost, *webhook_ports, *ca_file;
    uint64_t smtp_port, connections_max, idle_ms, reuse_max, time_percent, webhook_ms, sts_port,
        sts_timeout_ms;
    struct conf_addrs mx_listen;
    bool private_networks, mta_sts, dane;
    uint32_t tls;
};

enum relay_tls { RELAY_TLS_AUTO, RELAY_TLS_NEVER };

#define RELAY_CONF_ITEMS 16
extern const struct conf_item relay_conf_items[RELAY_CONF_ITEMS];
extern struct relay_conf relay_conf;
#endif
