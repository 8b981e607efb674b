/* src/mx/conf.h
 *
 * Settings of the mx role: section [mx] of the configuration. */
#ifndef SRC_MX_CONF_H
#define SRC_MX_CONF_H
#include "lib/conf/conf.h"
#include "src/common/smtp_session.h"

struct mx_conf {
    struct conf_addrs listen;
    struct smtp_limits smtp;
    uint64_t max_connections, max_connections_per_network;
    uint64_t stall_timeout_ms, directory_timeout_ms, commit_timeout_ms;
    const char *blocklists, *allowlists;
    bool reverse_name;
    uint64_t lookup_timeout_ms;
    struct netset proxy_from;
    bool auth_checks, dmarc_reject, dmarc_reports;
    const char *dmarc_report_from;
    uint64_t dmarc_interval_ms;
    struct netset auth_exempt;
    uint64_t max_header_bytes, max_fields;
    const char *lmtp_socket; /* the supervisor's */
    bool lmtp_checks;
    /* before content: policy.h */
    struct netset trusted, xclient_from;
    uint64_t network_bits_v4, network_bits_v6;
    uint64_t connection_rate, recipient_rate, sender_rate; /* 0: no limit */
    uint64_t greet_delay_ms, error_delay_ms;
    uint32_t helo_check, sender_check;
    bool greylist;
    uint64_t greylist_delay_ms, greylist_window_ms, greylist_keep_ms;
    const char *greylist_known;
    /* content: spam.h */
    bool spam;
    struct netset spam_exempt;
    const char *spam_header, *spam_junk, *spam_reject, *spam_url_lists, *spam_traps;
    uint64_t spam_scan_bytes, spam_timeout_ms;
    /* other scanners: filter.h */
    const char *clamav, *rspamd;
    uint32_t clamav_action;
    uint64_t rspamd_weight, filter_bytes, filter_timeout_ms;
};

/* What is refused: each value what stands before it, too. */
enum { MX_HELO_OFF, MX_HELO_NOTE, MX_HELO_OWN, MX_HELO_SYNTAX, MX_HELO_RESOLVE };
enum { MX_SENDER_CHECK_OFF, MX_SENDER_CHECK_NOTE, MX_SENDER_CHECK_KNOWN, MX_SENDER_CHECK_STRICT };

enum { MX_CLAMAV_REJECT, MX_CLAMAV_JUNK, MX_CLAMAV_NOTE };

#define MX_CONF_ITEMS      65
#define MX_SPAM_FIELDS_MAX KIB(4) /* of what is put before a message for each recipient */
extern const struct conf_item mx_conf_items[MX_CONF_ITEMS];
#endif
