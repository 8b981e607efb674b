/* src/store/conf.h: settings of the store role. */
#ifndef SRC_STORE_CONF_H
#define SRC_STORE_CONF_H
#include "lib/conf/conf.h"

struct store_conf {
    uint64_t workers, cache_bytes, reader_cache_bytes, staging_bytes, staging_network_bytes, message_bytes,
        temp_handles, drain_batch, derive_queue, ticket_ms, mailboxes_open, note_ms, check_days, trash_days,
        junk_days, read_workers, search_workers, handles, handle_bytes, alias_connections;
    uint64_t backup_ms, backup_daily, backup_weekly, backup_monthly;
    const char *backup_dir, *storage_target;
    bool ship;
    uint64_t ship_days, ship_spool_bytes;
};

#define STORE_CONF_ITEMS 29
extern const struct conf_item store_conf_items[STORE_CONF_ITEMS];
#endif
