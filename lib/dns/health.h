/* lib/dns/health.h
 *
 * Which of several upstreams is asked next: the fast ones more often, the failing ones now and then. Numbers
 * only. */
#ifndef LIB_DNS_HEALTH_H
#define LIB_DNS_HEALTH_H
#include "lib/base/base.h"

#define DNS_UPSTREAMS_MAX    8u
#define DNS_BACKOFF_FIRST_MS 1000
#define DNS_BACKOFF_MAX_MS   60000

struct dns_health {
    uint64_t answers, failures;
    uint32_t failed;     /* in a row */
    uint32_t took_us;    /* smoothed; 0: not known yet */
    int64_t retry_ms;    /* failed > 0: not asked before, unless nobody else is left */
    int64_t answered_ms; /* the last time, monotonic */
};

/* An index below n that is not in the mask `tried`; -1: none. Random among those that work, by the square
 * of their speed; an upstream that failed is tried alone once its pause is over, so that one request in so
 * long a time finds out. When none works, the one whose pause ends first. */
int dns_health_pick(struct dns_health *h, size_t n, uint32_t tried);
void dns_health_answered(struct dns_health *h, int64_t took_us);
/* Twice the pause with every failure in a row. */
void dns_health_failed(struct dns_health *h);
#endif
