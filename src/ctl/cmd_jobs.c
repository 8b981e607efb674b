/* src/ctl/cmd_jobs.c: `jobs` and `jobs run`. */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "proto/jobs.pb-c.h"
#include "src/ctl/ctl.h"
#include <jansson.h>
#include <sysexits.h>

#define PATIENCE_MS INT64_C(3600000)

static void time_text(int64_t ms, char out[CLOCK_ISO_LEN + 1])
{
    if (ms)
        clock_iso(ms, out);
    else
        snprintf(out, CLOCK_ISO_LEN + 1, "never");
}

static const char *state_of(const Jobs__Job *j)
{
    return j->running ? "running" : !j->last_ms ? "-" : j->status < 0 ? "FAILED" : j->bad ? "LOOK" : "ok";
}

static json_t *job_json(const Jobs__Job *j)
{
    char last[CLOCK_ISO_LEN + 1], next[CLOCK_ISO_LEN + 1];

    time_text(j->last_ms, last);
    time_text(j->next_ms, next);
    return json_pack("{s:s, s:s, s:s, s:s?, s:s?, s:I, s:b, s:b, s:b, s:s, s:I, s:I}", "name", j->name,
                     "when", j->when, "what", j->what, "last", j->last_ms ? last : NULL, "next",
                     j->next_ms ? next : NULL, "took_ms", (json_int_t)j->took_ms, "running", j->running,
                     "failed", j->status < 0, "bad", j->bad, "result", j->result, "runs", (json_int_t)j->runs,
                     "late", (json_int_t)j->late);
}

static void job_print(const Jobs__Job *j)
{
    char last[CLOCK_ISO_LEN + 1], next[CLOCK_ISO_LEN + 1];

    time_text(j->last_ms, last);
    time_text(j->next_ms, next);
    printf("%-12s %-7s last %.19s (%llu ms)  next %.19s  %s\n", j->name, state_of(j), last,
           (unsigned long long)j->took_ms, next, j->when);
    for (struct str line, rest = str_from(j->result); rest.n;) {
        str_cut(rest, '\n', &line, &rest);
        printf("             %.*s\n", STR_ARG(line));
    }
}

static int ask(struct service *s, uint32_t op, const ProtobufCMessage *q, const ProtobufCMessageDescriptor *d,
               void *out)
{
    int r = service_ask(s, ROLE_JOBS, op, q, d, out);

    return r == E_NOTFOUND ? ctl_fail(EX_USAGE, "there is no job of that name (letterlock jobs lists them)")
           : r < 0         ? ctl_fail(ctl_exit_code(r), "%s", error_text(r))
                           : 0;
}

static int jobs_open(int argc, char **argv, size_t words, struct args *a, struct service **s)
{
    int r = args_parse(argc, argv, NULL, 0, words, a);

    if (r == 0)
        r = service_open(a, s);
    if (r == 0)
        service_patience(*s, PATIENCE_MS);
    return r;
}

int cmd_jobs(int argc, char **argv)
{
    Jobs__ListRequest q = JOBS__LIST_REQUEST__INIT;
    CLEANUP(service_close) struct service *s = NULL;
    Jobs__ListResponse *m = NULL;
    struct args a = { .nwords = 0 };
    json_t *list;
    int r;

    if ((r = jobs_open(argc, argv, 0, &a, &s)) != 0 ||
        (r = ask(s, JOBS__OP__LIST, &q.base, &jobs__list_response__descriptor, &m)) != 0)
        return r;
    list = a.json ? json_array() : NULL;
    for (size_t i = 0; i < m->n_jobs; i++)
        if (list)
            json_array_append_new(list, job_json(m->jobs[i]));
        else
            job_print(m->jobs[i]);
    if (list) {
        json_dumpf(list, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    json_decref(list);
    return EX_OK;
}

int cmd_jobs_run(int argc, char **argv)
{
    Jobs__RunRequest q = JOBS__RUN_REQUEST__INIT;
    CLEANUP(service_close) struct service *s = NULL;
    struct args a = { .nwords = 0 };
    Jobs__Job *m = NULL;
    json_t *j;
    int r;

    if ((r = jobs_open(argc, argv, 1, &a, &s)) != 0)
        return r;
    q.name = (char *)(uintptr_t)a.words[0];
    if ((r = ask(s, JOBS__OP__RUN, &q.base, &jobs__job__descriptor, &m)) != 0)
        return r;
    if (a.json) {
        j = job_json(m);
        json_dumpf(j, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(j);
    } else {
        job_print(m);
    }
    return m->status < 0 ? EX_TEMPFAIL : m->bad ? EX_DATAERR : EX_OK;
}
