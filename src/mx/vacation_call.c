/* src/mx/vacation_call.c: an automatic reply goes to the courier's queue. It outlives the session; nobody waits for it: a
 * reply that is lost with us is not sent. */
#include "lib/base/errors.h"
#include "lib/base/log.h"
#include "src/common/courier_send.h"
#include "src/mx/vacation.h"

#define AT_ONCE 64u
#define ASK_MS  60000

static unsigned under_way;

static void ended(void *ctx UNUSED, int status)
{
    if (status < 0)
        log_event(LOG_WARN, "mx.vacation_lost", F_ERR(status));
    under_way--;
}

/* From nobody (RFC 3834 3.3), so that nothing answers it; signed for the domain of who is away. */
static void begin(struct mx_vacation_reply *v, struct rpc_link *courier)
{
    const struct courier_send q = { .to = v->to,
                                    .alias = v->alias,
                                    .signer = str_skip(v->alias, (size_t)str_rchr(v->alias, '@') + 1),
                                    .smtputf8 = !str_is_ascii(v->to) || !str_is_ascii(v->alias),
                                    .once = v->once,
                                    .once_days = MX_VACATION_DAYS,
                                    .ask_ms = ASK_MS };
    int r;

    if (under_way >= AT_ONCE) {
        log_event(LOG_WARN, "mx.vacation_lost", F_U64("under_way", under_way));
        buf_release(&v->text);
        return;
    }
    under_way++;
    if ((r = courier_send(courier, &q, &v->text, ended, NULL)) < 0)
        ended(NULL, r);
}

void mx_vacation_send(struct smtp_session *s, struct rpc_link *courier)
{
    struct mx_vacation_reply v;
    size_t at = 0;

    while (mx_vacation_next(s, &at, &v))
        begin(&v, courier);
}
