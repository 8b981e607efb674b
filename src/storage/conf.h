/* src/storage/conf.h: settings of the storage role. */
#ifndef SRC_STORAGE_CONF_H
#define SRC_STORAGE_CONF_H
#include "lib/conf/conf.h"

struct storage_conf {
    const char *target, *endpoint, *region, *ca_file;
    uint32_t style;
    uint64_t part_bytes, tries, backoff_ms, request_ms, stall_ms;
};

enum storage_style { STORAGE_HOST, STORAGE_PATH };

#define STORAGE_CONF_ITEMS 10
extern const struct conf_item storage_conf_items[STORAGE_CONF_ITEMS];
#endif
