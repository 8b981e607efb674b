#include "src/store/conf.h"
#include "src/common/server_conf.h"

#define ROW(k, field, lo, hi, dflt, u, text)                                                               \
    {                                                                                                      \
        .key = (k), .type = CONF_U64, .off = offsetof(struct store_conf, field), .min = (lo), .max = (hi), \
        .def = (dflt), .unit = (u), .help = (text)                                                         \
    }

const struct conf_item store_conf_items[STORE_CONF_ITEMS] = {
    ROW("store.workers", workers, 1, 64, 8, "threads",
        "Threads that read and write mailboxes. More than the processors there are is right: most wait for the disk."),
    ROW("store.cache", cache_bytes, KIB(64), MIB(256), MIB(1), "bytes",
        "Page cache of the writing handle of an open mailbox."),
    ROW("store.reader_cache", reader_cache_bytes, KIB(64), MIB(256), KIB(256), "bytes",
        "Page cache of each reading handle of an open mailbox."),
    ROW("store.staging", staging_bytes, MIB(64), MIB(1024 * 1024), MIB(4096), "bytes",
        "Messages on their way in, in all. Those above 256 KiB wait in unlinked files in the data folder, encrypted."),
    ROW("store.staging_network", staging_network_bytes, MIB(16), MIB(1024 * 1024), MIB(1024), "bytes",
        "The same for all clients of one network."),
    ROW("store.max_message", message_bytes, KIB(64), MIB(2048), MIB(1024), "bytes",
        "Largest message kept, whoever sends it. What SMTP announces is mx.max_message."),
    ROW("store.temporary_handles", temp_handles, 1, 10000, 256, "files",
        "Temporary mailboxes kept open between deliveries."),
    ROW("store.drain_batch", drain_batch, 1, 1000, 64, "messages",
        "Messages that waited for a closed mailbox and come in with one transaction."),
    ROW("store.login_queue", derive_queue, 1, 10000, 32, "logins",
        "Logins with a person's own password that may wait for their turn (each costs 64 MiB and a fifth of a second)."),
    ROW("store.ticket_lifetime", ticket_ms, 60000, UINT64_C(2592000000), UINT64_C(604800000), "ms",
        "How long a session may go on after the store was restarted without a new login."),
    ROW("store.open_mailboxes", mailboxes_open, 16, 1000000, 20000, "mailboxes",
        "Mailboxes attached at the same time; beyond, logins are told to come later."),
    ROW("store.connections_per_alias", alias_connections, 1, 1000000, 60, "connections",
        "Sessions of one alias at once, IMAP and POP3 together; one more is told so at its login."),
    ROW("store.note_interval", note_ms, 1000, 3600000, 60000, "ms",
        "So often it is noted, outside of the mailboxes, how far each is: an older file that comes back is an alarm."),
    ROW("store.check_interval", check_days, 0, 3650, 7, "days",
        "An attached mailbox that was not checked for so long is, beside other work: pages, counts, every message. 0: only by letterlock mailbox check."),
    ROW("store.trash_days", trash_days, 0, 36500, 30, "days",
        "Messages that came into a Trash folder so long ago are removed while their mailbox is attached. 0: never."),
    ROW("store.junk_days", junk_days, 0, 36500, 30, "days", "The same for Junk."),
    ROW("store.readers", read_workers, 1, 64, 4, "threads",
        "Threads that read messages. They wait for nobody who writes, searches or copies."),
    ROW("store.searchers", search_workers, 1, 64, 2, "threads",
        "Threads that search. A search more than that waits for its turn, and keeps nobody else from reading or writing."),
    ROW("store.handles", handles, 3, 1000000, 4000, "files",
        "Mailbox files kept open. Beyond, the one longest unused is closed; its sessions stay, and it is opened again when wanted. Each takes three descriptors."),
    ROW("store.handle_memory", handle_bytes, MIB(1), MIB(1024 * 1024), MIB(512), "bytes",
        "The same by the memory that open files take."),
    { .key = "store.backup_dir",
      .type = CONF_PATH,
      .off = offsetof(struct store_conf, backup_dir),
      .sdef = "",
      .help =
          "Folder for backups, best on another disk. It is made when its parent is there. Empty: \"backups\" in the "
          "data folder, which helps against mistakes and not against a lost disk." },
    ROW("store.backup_interval", backup_ms, 0, UINT64_C(31536000000), 86400000, "ms",
        "An attached mailbox that changed is backed up so often. 0: only by letterlock mailbox backup."),
    ROW("store.backup_daily", backup_daily, 0, 1000, 7, "backups",
        "The last backup of so many days is kept, of those days that have one. The very last one always is."),
    ROW("store.backup_weekly", backup_weekly, 0, 1000, 4, "backups", "The same of weeks, from Monday."),
    ROW("store.backup_monthly", backup_monthly, 0, 1000, 6, "backups", "The same of months."),
    { .key = "store.ship",
      .type = CONF_BOOL,
      .off = offsetof(struct store_conf, ship),
      .def = false,
      .help =
          "Whether every commit goes to where the backups are within a second, so that a mailbox can be brought back to any "
          "moment (letterlock mailbox restore --at). Takes about five bytes there for each byte of mail that comes." },
    ROW("store.ship_days", ship_days, 1, 3650, 7, "days", "How far back that reaches."),
    ROW("store.ship_spool", ship_spool_bytes, MIB(16), MIB(1024 * 1024), MIB(1024), "bytes",
        "What may wait for a storage that does not answer. Beyond, mail goes on, and a moment in between cannot be had."),
    { .key = "storage.target",
      .type = CONF_STR,
      .off = offsetof(struct store_conf, storage_target),
      .max = STORAGE_TARGET_MAX,
      .help = STORAGE_TARGET_HELP },
};
