/* src/courier/conf.h: settings of the courier role. */
#ifndef SRC_COURIER_CONF_H
#define SRC_COURIER_CONF_H
#include "lib/conf/conf.h"

struct courier_conf {
    const char *smarthost;
    bool bounce_addresses, webhook_http;
    uint64_t message_bytes, staging_bytes, queue_bytes, attempts_max, per_destination, recipients_max;
    uint64_t retry_first_ms, retry_max_ms, give_up_ms, delay_ms, clock_ahead_ms;
    uint64_t dkim_rsa_bits, dkim_spread_ms, report_whole_bytes, webhook_bytes, suppress_ms;
    bool tls_reports;
};

#define COURIER_CONF_ITEMS 20
extern const struct conf_item courier_conf_items[COURIER_CONF_ITEMS];
extern struct courier_conf courier_conf;
#endif
