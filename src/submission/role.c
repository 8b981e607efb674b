/* src/submission/role.c
 *
 * The submission role: listens, asks store, directory and courier, opens no file and holds no key. */
#include "lib/base/descriptors.h"
#include "lib/base/errors.h"
#include "lib/base/log.h"
#include "src/common/front.h"
#include "src/submission/client.h"

struct submission_conf submission_settings;

static void raise_descriptors(void)
{
    uint64_t limit = descriptors_raise(UINT64_MAX);

    if (limit < submission_settings.max_connections + 128)
        log_event(LOG_WARN, "submission.few_descriptors", F_U64("limit", limit),
                  F_U64("connections", submission_settings.max_connections));
}

static int init(struct role *r)
{
    struct submission_server *srv = calloc(1, sizeof *srv);

    if (!srv)
        return E_NOMEM;
    srv->role = r;
    if (submitter_init(srv) < 0)
        return E_NOMEM; /* the process ends: the kernel frees */
    submission_settings.smtp.max_unknown = 100;
    submission_settings.smtp.max_received = 100; /* RFC 5321 6.3 */
    submission_settings.smtp.check_timeout_ms = submission_settings.directory_timeout_ms;
    submission_settings.login_timeout_ms = submission_settings.directory_timeout_ms;
    role_set_data(r, srv);
    raise_descriptors();
    return 0;
}

static int start(struct role *r)
{
    return front_listen_all(r, &submission_settings.proxy_from, "submission.tls_listen",
                            "submission.no_certificate", submitter_accept);
}

/* Idle sessions end now, others after the message they are sending; the supervisor's patience bounds it. */
static void stop(struct role *r)
{
    struct submission_server *srv = role_data(r);

    smtp_clients_stop(&srv->clients);
}

const struct role_def submission_role = {
    .id = ROLE_SUBMISSION,
    .items = submission_conf_items,
    .nitems = SUBMISSION_CONF_ITEMS,
    .conf = &submission_settings,
    .conf_bytes = sizeof submission_settings,
    .asks = FROM(STORE) | FROM(DIRECTORY) | FROM(COURIER) | FROM(MONITOR),
    .init = init,
    .start = start,
    .stop = stop,
};
