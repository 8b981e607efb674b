/* src/jobs/jobs.h: what the files of this folder share. */
#ifndef SRC_JOBS_JOBS_H
#define SRC_JOBS_JOBS_H
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/log.h"
#include "lib/schedule/schedule.h"
#include "proto/jobs.pb-c.h"
#include "src/common/role.h"
#include "src/jobs/conf.h"

#define JOB_ANSWER_MS   INT64_C(3600000)
#define JOB_RESULT_MAX  KIB(4)
#define JOB_WAITERS_MAX 8u

struct job;
struct job_row {
    const char *name, *what;
    size_t when; /* in struct jobs_conf */
    /* Begins; ends with job_ended(), later or at once. */
    void (*run)(struct job *j);
    int arg;
};
struct job {
    const struct job_row *row;
    const char *when;
    struct schedule schedule;
    int64_t last_ms, from_ms, next_ms, told_ms, began_mono_ms;
    uint64_t took_ms, runs, late;
    int status;
    bool bad, running, wanted;
    struct buf result;
    struct rpc_req *waiters[JOB_WAITERS_MAX];
    size_t nwaiters;
};

extern struct jobs_conf jobs_conf;
struct role *the_role(void);

/* jobs.c: it is over. status: 0, or why it could not be done. bad: the operator should read `text`. */
void job_ended(struct job *j, int status, bool bad, struct str text);

/* store_jobs.c, dns_jobs.c, key_jobs.c: what they do. */
void job_maintain(struct job *j); /* row->arg: store's Maintain */
void job_dns(struct job *j);
void job_certificate(struct job *j);
void job_server_key(struct job *j);
void job_dmarc(struct job *j);
void job_tls(struct job *j);
/* Before the sandbox. */
void key_jobs_init(struct role *r);
void dmarc_jobs_init(void);

/* report_from.c: reports are to leave under `address`, of `setting` (both outlive the job). go, or the job ends with what the
 * operator has to do. One job at a time. */
void report_from_check(struct job *j, const char *setting, const char *address, void (*go)(struct job *j));

/* What the operator hears of it. */
enum job_news { NEWS_FAILED, NEWS_FOUND, NEWS_WELL };
static inline enum job_news job_news(const struct job *j)
{
    return j->status < 0 ? NEWS_FAILED : j->bad ? NEWS_FOUND : NEWS_WELL;
}

/* hook.c: to the operator's webhook, in the background; the log says when it cannot be queued. */
void hook_send(const struct job *j);
bool hook_url_valid(struct str url);

/* notice.c: mail to the operator, in the background; the log says when it fails. */
void notice_send(const struct job *j);
#endif
