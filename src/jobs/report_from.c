/* src/jobs/report_from.c: may reports leave under the address that the operator named? Others drop what is not signed, and who
 * reports would never hear of it: so the domain must have keys before the first report is made. */
#include "proto/courier.pb-c.h"
#include "src/jobs/jobs.h"

#define ASK_MS 60000

static struct {
    struct job *job;
    const char *setting;
    struct str domain;
    void (*go)(struct job *j);
} from;

static void no(const char *what, struct str of)
{
    struct buf text = { .max = KIB(1) };
    int r = buf_printf(&text, "%s %s %.*s", from.setting, what, STR_ARG(of));

    job_ended(from.job, r, true, buf_str(&text));
    buf_release(&text);
}

static void listed(void *ctx UNUSED, int status, struct str body UNUSED)
{
    if (status == E_NOTFOUND)
        no("names a domain without DKIM keys; others drop what is not signed: letterlock domain dkim",
           from.domain);
    else if (status < 0)
        job_ended(from.job, status, false, STR_NONE);
    else
        from.go(from.job);
}

void report_from_check(struct job *j, const char *setting, const char *address, void (*go)(struct job *j))
{
    Courier__DkimRequest q = COURIER__DKIM_REQUEST__INIT;
    struct rpc_ask ask = {
        .op = COURIER__OP__DKIM_LIST, .body = &q.base, .deadline_ms = ASK_MS, .done = listed
    };
    struct str s = str_from(address);
    int64_t at = str_rchr(s, '@');

    from.job = j;
    from.setting = setting;
    from.go = go;
    if (at < 1 || s.n == (size_t)at + 1) {
        no("names no address that reports could come from", STR_NONE);
        return;
    }
    from.domain = str_skip(s, (size_t)at + 1);
    q.domain = str_pb(from.domain);
    if (!rpc_link_ask(role_link(the_role(), ROLE_COURIER), &ask))
        job_ended(j, E_NOMEM, false, STR_NONE);
}
