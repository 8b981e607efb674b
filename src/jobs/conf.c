#include "src/jobs/conf.h"
#include "src/common/server_conf.h"

#define WHEN(k, field, dflt, text)                                                                \
    {                                                                                             \
        .key = "jobs." k, .type = CONF_STR, .off = offsetof(struct jobs_conf, field), .max = 120, \
        .sdef = (dflt), .help = text                                                              \
    }

const struct conf_item jobs_conf_items[JOBS_CONF_ITEMS] = {
    { .key = "jobs.operator",
      .type = CONF_STR,
      .off = offsetof(struct jobs_conf, operator),
      .max = 254,
      .help =
          "One of this service's addresses that is told, by mail, when a job fails or finds something: once when it "
          "begins, and once a day while it lasts. Empty: the log and letterlock jobs say it." },
    { .key = "jobs.notify",
      .type = CONF_STR,
      .off = offsetof(struct jobs_conf, notify),
      .max = 2000,
      .help =
          "A URL (https://..., http://...) that is told the same, and when a job is well again, as JSON: posted by the "
          "courier and signed as every webhook, with the key that letterlock jobs webhook-key prints." },
    WHEN(
        "backups", backups, "every 10 minutes",
        "When to look which attached mailboxes are due for a backup (store.backup_interval), and how those since then "
        "went. Times of jobs are in UTC: every 6 hours; daily at 03:10; weekly at Sun 03:10; monthly at 1 03:10; five "
        "fields of cron; a date; never."),
    WHEN("backup_keys", backup_keys, "daily at 04:40",
         "When to compare .keys beside all backups with the live ones."),
    WHEN("retention", retention, "hourly at 20",
         "When to look for old mail in Trash and Junk of attached mailboxes."),
    WHEN(
        "checks", checks, "hourly at 40",
        "When to look which attached mailboxes are due for a check (store.check_interval), and what those since then found."),
    WHEN("orphans", orphans, "daily at 04:20", "When to remove files that were set aside long ago."),
    WHEN("dns", dns, "daily at 05:10",
         "When to look whether MX, SPF, DMARC and DKIM records of our domains are as they should be."),
    WHEN("certificate", certificate, "daily at 06:00",
         "When to look how long the certificate is still good."),
    WHEN("server_key", server_key, "monthly at 1 06:10", "When to look how old the server key is."),
    WHEN("dmarc_reports", dmarc, "daily at 00:40", "When to send DMARC reports (mx.dmarc_reports)."),
    { .key = "mx.dmarc_reports",
      .type = CONF_BOOL,
      .off = offsetof(struct jobs_conf, dmarc_reports),
      .help = MX_DMARC_REPORTS_HELP },
    { .key = "mx.dmarc_report_from",
      .type = CONF_STR,
      .off = offsetof(struct jobs_conf, dmarc_report_from),
      .max = 254,
      .help = MX_DMARC_REPORT_FROM_HELP },
    WHEN("tls_reports", tls, "daily at 00:50", "When to send TLS reports (relay.tls_reports)."),
    { .key = "relay.tls_reports",
      .type = CONF_BOOL,
      .off = offsetof(struct jobs_conf, tls_reports),
      .help = RELAY_TLS_REPORTS_HELP },
    { .key = "relay.tls_report_from",
      .type = CONF_STR,
      .off = offsetof(struct jobs_conf, tls_report_from),
      .max = 254,
      .help =
          "The address that TLS reports come from, in a domain of ours that has DKIM keys (letterlock dkim): others drop "
          "reports that are not signed." },
};
