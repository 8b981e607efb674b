/* src/courier/report.c: what a sender hears of a message: that it failed, that it is late. In the transaction that
 * notes it, so that neither is without the other. */
#include "src/courier/courier.h"

int courier_report_done(struct queue *q UNUSED, const struct queue_claim *c UNUSED,
                        const struct queue_outcome *o UNUSED)
{
    return 0;
}

int courier_report_late(struct queue *q UNUSED, const struct queue_message *m UNUSED,
                        const struct queue_target *t UNUSED, size_t n UNUSED)
{
    return 0;
}

int courier_report_expired(struct queue *q UNUSED, const struct queue_message *m UNUSED,
                           const struct queue_target *t UNUSED, size_t n UNUSED)
{
    return 0;
}
