/* src/jobs/reporting.h
 *
 * What jobs share that report to other people's domains: one domain after the other, one recipient of its report after the
 * other. What cannot be done now is tried the next time, under the same name, so that none goes twice. Knows neither what
 * is reported nor who wants it. */
#ifndef SRC_JOBS_REPORTING_H
#define SRC_JOBS_REPORTING_H
#include "src/jobs/jobs.h"

#define REPORTING_HASH_BYTES  12u
#define REPORTING_ADDRESS_MAX 254u

struct reporting {
    /* The job's own. */
    const char *not_sent; /* event of the log */
    void (*to_next)(
        void); /* the report goes to recipient number `target`; then reporting_sent, or one of those below */
    void (*over)(void); /* there is none left: it is forgotten, unless `later` */
    /* Of all. */
    struct job *job;
    unsigned sent, failed;
    /* The report at hand. */
    char id[64];
    size_t ntargets, target;
    bool later; /* something of it must be tried again */
};

/* What hash of id names: of what is reported and who reports, and of nothing else. `kind` may be empty. */
void reporting_hash(struct str kind, struct str domain, char hex[2 * REPORTING_HASH_BYTES + 1]);
/* For people: "This is a `what` for …, `record` asks for it." */
MUST_CHECK int reporting_text(const char *what, const char *record, struct str domain, struct buf *out);

void reporting_begin(struct reporting *r, struct job *j); /* counts from zero */
void reporting_another(struct reporting *r);              /* a report with no recipients yet */
void reporting_go_on(struct reporting *r);                /* to its recipient, when there is one left */
void reporting_next(struct reporting *r);                 /* this one is done with */
void reporting_not_now(struct reporting *r);              /* this one must be tried again */
void reporting_sent(void *r, int status);                 /* courier_send_fn */
#endif
