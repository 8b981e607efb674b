/* src/content/content.c
 *
 * The role that parses: it takes a message's bytes and gives back structure and text. It has no file,
 * no key and no socket but the pairs to the roles that ask, and is replaced now and then. */
#include "lib/mime/charset.h"
#include "proto/content.pb-c.h"
#include "src/common/role.h"
#include "src/content/conf.h"
#include "src/content/json.h"
#include "src/content/parse.h"
#include "src/content/report.h"
#include "src/content/scan.h"
#include "src/content/sevenbit.h"
#include "src/content/snippet.h"

static struct content_conf conf;
static struct {
    struct role *role;
    uint64_t busy, begun;
    struct psl *psl; /* NULL: names are cut by their last two labels */
    bool stopping;
} content;

static void end_when_idle(void)
{
    if (content.stopping && content.busy == 0)
        role_stopped(content.role);
}

static void parsed(void *ctx UNUSED)
{
    content.busy--;
    if (content.begun >= conf.messages_per_worker)
        content.stopping = true;
    end_when_idle();
}

static int op_parse(struct rpc_req *q, struct str body)
{
    int r;

    if (!RPC_UNPACK(rpc_req_arena(q), body, content__parse_request))
        return E_SYNTAX;
    if (content.stopping || content.busy >= conf.max_at_once)
        return E_BUSY;
    r = parse_start(q, parsed, NULL);
    if (r < 0)
        return r;
    content.busy++;
    content.begun++;
    return 0;
}

static int op_snippet(struct rpc_req *q, struct str body)
{
    Content__SnippetRequest *m = RPC_UNPACK(rpc_req_arena(q), body, content__snippet_request);
    int r;

    if (!m)
        return E_SYNTAX;
    if (content.stopping || content.busy >= conf.max_at_once)
        return E_BUSY;
    if ((r = snippet_start(q, m, parsed, NULL)) < 0)
        return r;
    content.busy++;
    content.begun++;
    return 0;
}

static int op_scan(struct rpc_req *q, struct str body)
{
    Content__ScanRequest *m = RPC_UNPACK(rpc_req_arena(q), body, content__scan_request);
    int r;

    if (!m)
        return E_SYNTAX;
    if (content.stopping || content.busy >= conf.max_at_once)
        return E_BUSY;
    if ((r = scan_start(q, m, content.psl, parsed, NULL)) < 0)
        return r;
    content.busy++;
    content.begun++;
    return 0;
}

static int op_json(struct rpc_req *q, struct str body)
{
    Content__JsonRequest *m = RPC_UNPACK(rpc_req_arena(q), body, content__json_request);
    int r;

    if (!m)
        return E_SYNTAX;
    if (m->limit < JSON_LIMIT_MIN || m->limit > JSON_LIMIT_MAX)
        return E_RANGE;
    if (content.stopping || content.busy >= conf.max_at_once)
        return E_BUSY;
    if ((r = json_start(q, (size_t)m->limit, parsed, NULL)) < 0)
        return r;
    content.busy++;
    content.begun++;
    return 0;
}

static int op_report(struct rpc_req *q, struct str body)
{
    int r;

    if (!RPC_UNPACK(rpc_req_arena(q), body, content__report_request))
        return E_SYNTAX;
    if (content.stopping || content.busy >= conf.max_at_once)
        return E_BUSY;
    if ((r = report_read_start(q, parsed, NULL)) < 0)
        return r;
    content.busy++;
    content.begun++;
    return 0;
}

static int op_sevenbit(struct rpc_req *q, struct str body UNUSED)
{
    int r;

    if (content.stopping || content.busy >= conf.max_at_once)
        return E_BUSY;
    if ((r = sevenbit_start(q, parsed, NULL)) < 0)
        return r;
    content.busy++;
    content.begun++;
    return 0;
}

static const struct rpc_op ops[] = {
    [CONTENT__OP__REPORT] = { .run = op_report, .from = FROM(COURIER), .flags = RPC_UP },
    [CONTENT__OP__SEVENBIT] = { .run = op_sevenbit, .from = FROM(COURIER), .flags = RPC_UP | RPC_DOWN },
    [CONTENT__OP__JSON] = { .run = op_json, .from = FROM(COURIER), .flags = RPC_UP | RPC_DOWN },
    [CONTENT__OP__SNIPPET] = { .run = op_snippet, .from = FROM(STORE), .flags = RPC_UP },
    [CONTENT__OP__PARSE] = { .run = op_parse, .from = FROM(STORE), .flags = RPC_UP | RPC_DOWN },
    [CONTENT__OP__SCAN] = { .run = op_scan, .from = FROM(MX), .flags = RPC_UP },
};
static const struct rpc_service service = { .name = "content", .ops = ops, .nops = ARRAY_LEN(ops) };

static int content_init(struct role *r)
{
    content.role = r;
    mime_charset_preload(); /* iconv loads its modules from files, which the sandbox takes away */
    (void)!psl_open(NULL, &content.psl);
    return 0;
}

static void content_stop(struct role *r UNUSED)
{
    content.stopping = true;
    end_when_idle();
}

const struct role_def content_role = {
    .id = ROLE_CONTENT,
    .items = content_conf_items,
    .nitems = CONTENT_CONF_ITEMS,
    .conf = &conf,
    .conf_bytes = sizeof conf,
    .service = &service,
    .init = content_init,
    .stop = content_stop,
};
