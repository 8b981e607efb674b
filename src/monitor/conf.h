/* src/monitor/conf.h: settings of the monitor role. */
#ifndef SRC_MONITOR_CONF_H
#define SRC_MONITOR_CONF_H
#include "lib/conf/conf.h"

struct monitor_conf {
    uint64_t keep_ms, entries_max;
};
#define MONITOR_CONF_ITEMS 2
extern const struct conf_item monitor_conf_items[MONITOR_CONF_ITEMS];
#endif
