/* src/resolver/conf.h: settings of the resolver role. */
#ifndef SRC_RESOLVER_CONF_H
#define SRC_RESOLVER_CONF_H
#include "lib/conf/conf.h"

enum resolver_method { RESOLVER_POST, RESOLVER_GET };

struct resolver_conf {
    const char *upstreams, *ca_file;
    uint32_t method;
    uint64_t cache_bytes, questions_max, patience_ms, timeout_ms, keep_max_ms, no_max_ms;
    bool prefetch, mix_case;
};

#define RESOLVER_CONF_ITEMS 11
extern const struct conf_item resolver_conf_items[RESOLVER_CONF_ITEMS];
#endif
