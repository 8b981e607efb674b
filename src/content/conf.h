/* src/content/conf.h: settings of the content role. */
#ifndef SRC_CONTENT_CONF_H
#define SRC_CONTENT_CONF_H
#include "lib/conf/conf.h"

struct content_conf {
    uint64_t max_at_once, messages_per_worker;
};

#define CONTENT_CONF_ITEMS 2
extern const struct conf_item content_conf_items[CONTENT_CONF_ITEMS];
#endif
