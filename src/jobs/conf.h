/* src/jobs/conf.h: settings of the jobs role. */
#ifndef SRC_JOBS_CONF_H
#define SRC_JOBS_CONF_H
#include "lib/conf/conf.h"

struct jobs_conf {
    const char *operator, * notify, *backups, *backup_keys, *retention, *checks, *orphans, *dns, *certificate,
        *server_key, *dmarc, *tls;
    bool dmarc_reports; /* the mx's rows, too */
    const char *dmarc_report_from;
    bool tls_reports; /* the courier counts for them */
    const char *tls_report_from;
};

#define JOBS_CONF_ITEMS 16
extern const struct conf_item jobs_conf_items[JOBS_CONF_ITEMS];
#endif
