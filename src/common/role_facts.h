/* src/common/role_facts.h
 *
 * What each role is trusted with, in one table: what its sandbox lets it do, which keys it is given, whether the command
 * line may speak to it. The supervisor gives by it, the role confines itself by it. A role's own affairs (settings, whom it
 * asks, what it serves) are in its struct role_def. */
#ifndef SRC_COMMON_ROLE_FACTS_H
#define SRC_COMMON_ROLE_FACTS_H
#include "lib/rpc/rpc.h"

struct role_facts {
    uint32_t powers;    /* SANDBOX_*; SANDBOX_FILES: it is given the data folder and its lock */
    uint32_t subkeys;   /* BIT(SUBKEY_*): nothing else of the server key ever reaches it */
    const char *socket; /* for the command line, in the run folder; NULL: none */
    bool
        in_commands; /* the socket is there, too, when a command starts the roles it needs without the service */
    bool tls;        /* it is given the certificate and its key */
    bool is_process; /* it has a user, and a command line `letterlock role NAME` */
};

const struct role_facts *role_facts(enum role_id id);
#endif
