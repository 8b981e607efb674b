/* src/filter/conf.h: settings of the filter role, which are the mx's, too. */
#ifndef SRC_FILTER_CONF_H
#define SRC_FILTER_CONF_H
#include "lib/conf/conf.h"
#include "lib/event/dial.h"

struct filter_conf {
    const char *clamav, *rspamd;
    uint64_t timeout_ms;
};

#define FILTER_CONF_ITEMS 3
extern const struct conf_item filter_conf_items[FILTER_CONF_ITEMS];

/* "/path", "192.0.2.1:3310", "[::1]:3310", with or without "http://" before an address. E_SYNTAX: no such thing. */
MUST_CHECK int filter_endpoint(struct str text, struct dial_addr *out);
#endif
