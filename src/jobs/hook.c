/* src/jobs/hook.c: the operator's webhook (jobs.notify, doc/backup.md): staged and queued at the courier, which signs it, has
 * it posted and tries again, as any other webhook. */
#include "lib/base/json.h"
#include "src/common/courier_send.h"
#include "src/common/jobs_hook.h"
#include "src/jobs/jobs.h"

#define ASK_MS    60000
#define EVENT_MAX KIB(32)

static void hook_end(void *ctx UNUSED, int status)
{
    if (status < 0)
        log_event(LOG_ERROR, "jobs.webhook_not_queued", F_ERR(status));
}

/* Its `{` and id stand before it when it is posted. */
static int event_make(const struct job *j, struct buf *b)
{
    static const char *const says[] = {
        [NEWS_FAILED] = "failed", [NEWS_FOUND] = "found", [NEWS_WELL] = "well"
    };
    char at[CLOCK_ISO_LEN + 1];
    int r;

    clock_iso(clock_wall_ms(), at);
    if ((r = buf_printf(b, "\"event\":\"job\",\"at\":\"%s\",\"host\":", at)) < 0 ||
        (r = json_put_string(b, role_hostname(the_role()))) < 0 ||
        (r = buf_printf(b, ",\"job\":\"%s\",\"what\":\"%s\",\"state\":\"%s\",\"error\":", j->row->name,
                        j->row->what, says[job_news(j)])) < 0 ||
        (r = json_put_string(b, j->status < 0 ? str_from(error_text(j->status)) : STR_NONE)) < 0 ||
        (r = buf_putz(b, ",\"result\":")) < 0 || (r = json_put_string(b, buf_str(&j->result))) < 0)
        return r;
    return buf_putc(b, '}');
}

void hook_send(const struct job *j)
{
    struct buf event = { .max = EVENT_MAX };
    int r;

    if (!jobs_conf.notify[0])
        return;
    if ((r = event_make(j, &event)) < 0)
        buf_release(&event);
    else
        r = courier_send(role_link(the_role(), ROLE_COURIER),
                         &(struct courier_send){ .to = str_from(jobs_conf.notify),
                                                 .alias = STR(JOBS_HOOK_ALIAS),
                                                 .webhook = true,
                                                 .ask_ms = ASK_MS },
                         &event, hook_end, NULL);
    if (r < 0)
        hook_end(NULL, r);
}

/* The relay says whether it may go there; here, whether it is a URL at all. */
bool hook_url_valid(struct str url)
{
    struct str rest = str_istarts(url, STR("https://"))  ? str_skip(url, 8)
                      : str_istarts(url, STR("http://")) ? str_skip(url, 7)
                                                         : STR_NONE;

    for (size_t i = 0; i < rest.n; i++)
        if (rest.p[i] <= ' ' || rest.p[i] >= 0x7f || strchr("\"<>\\^`{|}#", rest.p[i]))
            return false;
    return rest.n > 0 && rest.p[0] != '/' && rest.p[0] != '?';
}
