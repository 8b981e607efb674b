/* src/pop3/conf.h: settings of the pop3 role; the rows are their manual. */
#ifndef SRC_POP3_CONF_H
#define SRC_POP3_CONF_H
#include "lib/conf/conf.h"

struct pop3_conf {
    uint64_t max_connections, max_connections_per_network, login_timeout_ms, idle_timeout_ms, max_messages,
        login_delay_ms;
    uint32_t delete_to; /* enum pop3_delete */
    struct netset proxy_from;
};
enum pop3_delete { POP3_DELETE_FOR_GOOD, POP3_DELETE_TO_TRASH };

#define POP3_CONF_ITEMS 8
extern const struct conf_item pop3_conf_items[POP3_CONF_ITEMS];
#endif
