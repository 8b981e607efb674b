/* src/directory/conf.h: settings of the directory role. */
#ifndef SRC_DIRECTORY_CONF_H
#define SRC_DIRECTORY_CONF_H
#include "lib/conf/conf.h"

struct directory_conf {
    uint64_t max_targets, max_patterns, max_access;
    bool webhook_http;
};

#define DIRECTORY_CONF_ITEMS 4
extern const struct conf_item directory_conf_items[DIRECTORY_CONF_ITEMS];
extern struct directory_conf directory_conf; /* the defaults until the role reads its own */
#endif
