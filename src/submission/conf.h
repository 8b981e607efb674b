/* src/submission/conf.h
 *
 * Settings of the submission role: section [submission] of the configuration. */
#ifndef SRC_SUBMISSION_CONF_H
#define SRC_SUBMISSION_CONF_H
#include "lib/conf/conf.h"
#include "src/common/smtp_session.h"

struct submission_conf {
    struct smtp_limits smtp;
    uint64_t max_connections, max_connections_per_network, max_logins;
    uint64_t stall_timeout_ms, directory_timeout_ms, login_timeout_ms, commit_timeout_ms;
    uint64_t alias_messages, alias_recipients, domain_messages, domain_recipients, account_messages,
        account_recipients; /* a day; 0: no limit */
    struct netset proxy_from;
    bool show_client;
};

#define SUBMISSION_CONF_ITEMS 23
extern const struct conf_item submission_conf_items[SUBMISSION_CONF_ITEMS];
#endif
