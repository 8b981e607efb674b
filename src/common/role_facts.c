#include "src/common/role_facts.h"
#include "lib/crypto/subkey.h"
#include "lib/sandbox/sandbox.h"

static const struct role_facts facts[ROLE_COUNT] = {
    [ROLE_STORE] = { .is_process = true,
                     .powers = SANDBOX_FILES | SANDBOX_ACCEPT | SANDBOX_MEMLOCK,
                     .subkeys = BIT(SUBKEY_TEMP_OUTER) | BIT(SUBKEY_KEYSTATE_MAC) |
                                BIT(SUBKEY_SEALED_CHAIN_MAC) | BIT(SUBKEY_ROLLBACK_MAC) |
                                BIT(SUBKEY_DELIVERY_ID) | BIT(SUBKEY_SLOT_NAMES) | BIT(SUBKEY_SHIP_MAC),
                     .socket = "store.sock",
                     .in_commands = true },
    [ROLE_DIRECTORY] = { .is_process = true,
                         .powers = SANDBOX_FILES | SANDBOX_ACCEPT,
                         .subkeys = BIT(SUBKEY_DIRECTORY_DB) | BIT(SUBKEY_DIRECTORY_SECRETS) |
                                    BIT(SUBKEY_API_TOKENS),
                         .socket = "directory.sock",
                         .in_commands = true },
    [ROLE_COURIER] = { .is_process = true,
                       .powers = SANDBOX_FILES | SANDBOX_ACCEPT,
                       .subkeys = BIT(SUBKEY_QUEUE_DB) | BIT(SUBKEY_QUEUE_SECRETS) | BIT(SUBKEY_SRS),
                       .socket = "courier.sock",
                       .in_commands = true },
    [ROLE_MONITOR] = { .is_process = true,
                       .powers = SANDBOX_FILES | SANDBOX_ACCEPT,
                       .subkeys = BIT(SUBKEY_JOURNAL_DB),
                       .socket = "monitor.sock" },
    [ROLE_JOBS] = { .is_process = true, .powers = SANDBOX_ACCEPT, .socket = "jobs.sock" },
    [ROLE_RESOLVER] = { .is_process = true,
                        .powers = SANDBOX_DIAL | SANDBOX_ACCEPT,
                        .socket = "resolver.sock" },
    [ROLE_MX] = { .is_process = true,
                  .powers = SANDBOX_ACCEPT,
                  .subkeys = BIT(SUBKEY_DELIVERY_ID),
                  .tls = true },
    [ROLE_SUBMISSION] = { .is_process = true,
                          .powers = SANDBOX_ACCEPT,
                          .subkeys = BIT(SUBKEY_DELIVERY_ID),
                          .tls = true },
    [ROLE_IMAP] = { .is_process = true, .powers = SANDBOX_ACCEPT, .tls = true },
    [ROLE_POP3] = { .is_process = true, .powers = SANDBOX_ACCEPT, .tls = true },
    [ROLE_RELAY] = { .is_process = true, .powers = SANDBOX_DIAL },
    [ROLE_STORAGE] = { .is_process = true, .powers = SANDBOX_DIAL },
    [ROLE_FILTER] = { .is_process = true, .powers = SANDBOX_DIAL }, /* and SANDBOX_DIAL_UNIX as configured */
    [ROLE_CONTENT] = { .is_process = true },
};

const struct role_facts *role_facts(enum role_id id)
{
    return &facts[id < ROLE_COUNT ? id : ROLE_NONE];
}
