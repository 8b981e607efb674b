/* src/relay/relay.c
 *
 * The role that dials: other mail servers. It is handed one message at a time, and has neither the queue nor a
 * key of ours. */
#include "lib/base/log.h"
#include "proto/relay.pb-c.h"
#include "src/common/role.h"
#include "src/relay/conf.h"

static int op_status(struct rpc_req *q, struct str body UNUSED)
{
    Relay__StatusResponse m = RELAY__STATUS_RESPONSE__INIT;

    rpc_reply(q, 0, &m.base, NULL);
    return 0;
}

static const struct rpc_op ops[] = {
    [RELAY__OP__STATUS] = { .run = op_status, .from = FROM(COURIER) },
};
static const struct rpc_service service = { .name = "relay", .ops = ops, .nops = ARRAY_LEN(ops) };

static size_t relay_dials(struct role *r UNUSED, uint16_t *ports, size_t max)
{
    if (max == 0)
        return 0;
    ports[0] = (uint16_t)relay_conf.smtp_port;
    return 1;
}

const struct role_def relay_role = {
    .id = ROLE_RELAY,
    .items = relay_conf_items,
    .nitems = RELAY_CONF_ITEMS,
    .conf = &relay_conf,
    .conf_bytes = sizeof relay_conf,
    .service = &service,
    .asks = FROM(RESOLVER),
    .optional = true,
    .dials = relay_dials,
};
