#include "src/mx/scan_call.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "proto/content.pb-c.h"
#include "src/mx/service.h"

void mx_scan_call_answered(struct smtp_session *s, int status, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(1) };
    Content__ScanResponse *m = NULL;
    struct mx_scanned found = { .nrules = 0 };
    struct str hosts[SPAM_HOSTS_MAX];

    if (status == 0 && !(m = RPC_UNPACK(&a, body, content__scan_response)))
        status = E_BUG;
    if (m) {
        found = (struct mx_scanned){ m->rules, m->n_rules, m->tokens, m->n_tokens, hosts, 0 };
        for (; found.nhosts < m->n_hosts && found.nhosts < SPAM_HOSTS_MAX; found.nhosts++)
            hosts[found.nhosts] = pb_str(m->hosts[found.nhosts]);
    }
    mx_spam_scanned(s, status, &found);
}

static int scan(struct mx_side_call *c, struct str domain, const uint8_t key[SPAM_KEY_BYTES])
{
    Content__ScanRequest m = CONTENT__SCAN_REQUEST__INIT;

    m.domain = str_pb(domain);
    m.key = str_pb(str_of(key, SPAM_KEY_BYTES));
    m.now_ms = clock_wall_ms();
    return mx_side_call_ask(c, ROLE_CONTENT, CONTENT__OP__SCAN, &m.base);
}

int mx_scan_open(struct mx_spam_all *all, const struct mx_conf *conf, int model)
{
    static const struct mx_spam_io io = { scan, mx_side_call_send, mx_side_call_end, mx_side_call_cancel };
    int e;

    if (!conf->spam) {
        fd_close(&model);
        return 0;
    }
    if ((e = peer_lists_parse(str_from(conf->spam_url_lists), &all->url_lists)) < 0) {
        fd_close(&model);
        log_event(LOG_ERROR, "mx.bad_lists", F_Z("keys", "mx.spam_url_lists"), F_ERR(e));
        return E_RANGE;
    }
    all->io = &io;
    return mx_spam_open(all, conf, model);
}
