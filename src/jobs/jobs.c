/* src/jobs/jobs.c
 *
 * The schedule: what is done again and again, one after the other, by asking those who can. This role has no file and no
 * key; what it must remember the store keeps for it. A time that passed while the service was down is caught up once. */
#include "src/jobs/jobs.h"
#include "proto/store.pb-c.h"

#define AGAIN_MS 5000 /* the store does not answer yet */
#define WAIT_MAX INT64_C(3600000)
#define AT(f)    offsetof(struct jobs_conf, f)

struct jobs_conf jobs_conf;

static const struct job_row rows[] = {
    { "backups", "backups of attached mailboxes", AT(backups), job_maintain,
      STORE__MAINTAIN_REQUEST__WHAT__BACKUPS },
    { "backup-keys", ".keys beside the backups", AT(backup_keys), job_maintain,
      STORE__MAINTAIN_REQUEST__WHAT__BACKUP_KEYS },
    { "retention", "old mail in Trash and Junk", AT(retention), job_maintain,
      STORE__MAINTAIN_REQUEST__WHAT__RETENTION },
    { "checks", "are mailboxes whole?", AT(checks), job_maintain, STORE__MAINTAIN_REQUEST__WHAT__CHECKS },
    { "orphans", "files that were set aside", AT(orphans), job_maintain,
      STORE__MAINTAIN_REQUEST__WHAT__ORPHANS },
    { "dns", "MX, SPF, DMARC and DKIM of our domains", AT(dns), job_dns, 0 },
    { "certificate", "how long it is still good", AT(certificate), job_certificate, 0 },
    { "server-key", "how old it is", AT(server_key), job_server_key, 0 },
    { "dmarc-reports", "reports to domains whose mail came in", AT(dmarc), job_dmarc, 0 },
    { "tls-reports", "reports to domains that our mail went to", AT(tls), job_tls, 0 },
};

static struct {
    struct role *role;
    struct job v[ARRAY_LEN(rows)];
    struct job *running;
    struct timer timer;
    bool loaded, loading;
} jobs;

struct role *the_role(void)
{
    return jobs.role;
}

/* ---- as messages ---- */

static void job_pb(const struct job *j, Jobs__Job *m, char result[JOB_RESULT_MAX + 1])
{
    jobs__job__init(m);
    snprintf(result, JOB_RESULT_MAX + 1, "%.*s", STR_ARG(buf_str(&j->result)));
    m->name = (char *)(uintptr_t)j->row->name;
    m->when = (char *)(uintptr_t)j->when;
    m->what = (char *)(uintptr_t)j->row->what;
    m->last_ms = j->last_ms;
    m->took_ms = j->took_ms;
    m->status = j->status;
    m->bad = j->bad;
    m->result = result;
    m->next_ms = j->next_ms == SCHEDULE_NEVER ? 0 : j->next_ms;
    m->running = j->running;
    m->from_ms = j->from_ms;
    m->told_ms = j->told_ms;
    m->runs = j->runs;
    m->late = j->late;
}

struct all_pb {
    Jobs__Job v[ARRAY_LEN(rows)], *list[ARRAY_LEN(rows)];
    char results[ARRAY_LEN(rows)][JOB_RESULT_MAX + 1];
};

static void all_fill(struct all_pb *a)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        job_pb(&jobs.v[i], &a->v[i], a->results[i]);
        a->list[i] = &a->v[i];
    }
}

/* ---- what is remembered ---- */

static void saved(void *ctx UNUSED, int status, struct str body UNUSED)
{
    if (status < 0)
        log_event(LOG_WARN, "jobs.not_remembered", F_ERR(status));
}

static void save(void)
{
    Store__JobsStatePutRequest q = STORE__JOBS_STATE_PUT_REQUEST__INIT;
    struct rpc_ask ask = {
        .op = STORE__OP__JOBS_STATE_PUT, .body = &q.base, .deadline_ms = 60000, .done = saved
    };
    struct all_pb *a = calloc(1, sizeof *a);
    Jobs__State m = JOBS__STATE__INIT;
    uint8_t *bytes = NULL;

    if (a) {
        all_fill(a);
        m.jobs = a->list;
        m.n_jobs = ARRAY_LEN(rows);
        bytes = malloc(jobs__state__get_packed_size(&m));
    }
    if (bytes)
        q.state = str_pb(str_of(bytes, jobs__state__pack(&m, bytes)));
    if (!bytes || !rpc_link_ask(role_link(jobs.role, ROLE_STORE), &ask))
        log_event(LOG_WARN, "jobs.not_remembered", F_ERR(E_NOMEM));
    free(bytes);
    free(a);
}

static void take_one(const Jobs__Job *m)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct job *j = &jobs.v[i];

        if (strcmp(j->row->name, m->name) != 0)
            continue;
        j->last_ms = m->last_ms;
        j->from_ms = m->from_ms;
        j->took_ms = m->took_ms;
        j->told_ms = m->told_ms;
        j->status = m->status;
        j->bad = m->bad;
        j->runs = m->runs;
        j->late = m->late;
        buf_clear(&j->result);
        if (buf_puts(&j->result, str_slice(str_from(m->result), 0, JOB_RESULT_MAX)) < 0)
            buf_clear(&j->result);
    }
}

/* A clock that was wrong: nothing waits for a time that is far. */
static void plan(struct job *j, int64_t now)
{
    if (j->from_ms == 0 || j->from_ms > now)
        j->from_ms = now;
    j->next_ms = schedule_next(&j->schedule, j->from_ms);
}

static void pump(void);

static void loaded(void *ctx UNUSED, int status, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(1) };
    Store__JobsState *m = NULL;
    Jobs__State *s = NULL;
    int64_t now = clock_wall_ms();

    jobs.loading = false;
    if (status < 0) {
        timer_set(&jobs.timer, AGAIN_MS);
        return;
    }
    if ((m = RPC_UNPACK(&a, body, store__jobs_state)) && (s = RPC_UNPACK(&a, pb_str(m->state), jobs__state)))
        for (size_t i = 0; i < s->n_jobs; i++)
            take_one(s->jobs[i]);
    jobs.loaded = true;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        plan(&jobs.v[i], now);
        if (jobs.v[i].next_ms <= now)
            log_event(LOG_INFO, "jobs.catches_up", F_Z("job", rows[i].name));
    }
    pump();
}

static void load(void)
{
    Store__Empty e = STORE__EMPTY__INIT;
    struct rpc_ask ask = {
        .op = STORE__OP__JOBS_STATE_GET, .body = &e.base, .deadline_ms = 60000, .done = loaded
    };

    if (jobs.loading)
        return;
    jobs.loading = rpc_link_ask(role_link(jobs.role, ROLE_STORE), &ask) != NULL;
    if (!jobs.loading)
        timer_set(&jobs.timer, AGAIN_MS);
}

/* ---- one after the other ---- */

static void answer(struct job *j)
{
    char result[JOB_RESULT_MAX + 1];
    Jobs__Job m;

    job_pb(j, &m, result);
    while (j->nwaiters)
        rpc_reply(j->waiters[--j->nwaiters], 0, &m.base, NULL);
}

static void begin(struct job *j)
{
    int64_t now = clock_wall_ms();

    j->late += !j->wanted && now - j->next_ms > 60000;
    j->running = true;
    j->wanted = false;
    j->last_ms = j->from_ms = now;
    j->began_mono_ms = clock_mono_ms();
    j->next_ms = schedule_next(&j->schedule, now);
    jobs.running = j;
    j->row->run(j);
}

void job_ended(struct job *j, int status, bool bad, struct str text)
{
    bool was = j->status < 0 || j->bad;
    int64_t now = clock_wall_ms();

    j->running = false;
    jobs.running = NULL;
    j->runs++;
    j->took_ms = (uint64_t)(clock_mono_ms() - j->began_mono_ms);
    j->status = status;
    j->bad = bad;
    buf_clear(&j->result);
    if (buf_puts(&j->result, str_slice(status < 0 && !text.n ? str_from(error_text(status)) : text, 0,
                                       JOB_RESULT_MAX)) < 0)
        buf_clear(&j->result);
    log_event(status < 0 || bad ? LOG_ALARM : LOG_INFO,
              status < 0 ? "jobs.failed"
              : bad      ? "jobs.found"
                         : "jobs.done",
              F_Z("job", j->row->name), F_ERR(status), F_U64("took_ms", j->took_ms));
    if (status < 0 || bad ? !was || now - j->told_ms >= INT64_C(86400000) : was) {
        j->told_ms = now;
        notice_send(j);
        hook_send(j);
    }
    answer(j);
    save();
    pump();
}

static struct job *due(int64_t now)
{
    struct job *first = NULL;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct job *j = &jobs.v[i];

        if (j->wanted)
            return j;
        if (j->next_ms <= now && (!first || j->next_ms < first->next_ms))
            first = j;
    }
    return first;
}

/* Beginning is the timer's: whoever ends a job may be deep in somebody's callback. */
static void pump(void)
{
    int64_t now = clock_wall_ms(), at = now + WAIT_MAX;

    if (jobs.running || !jobs.loaded)
        return;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (jobs.v[i].wanted || jobs.v[i].next_ms < at)
            at = jobs.v[i].wanted ? now : jobs.v[i].next_ms;
    timer_set(&jobs.timer, at > now ? at - now : 0);
}

static void timer_fired(struct timer *t UNUSED)
{
    struct job *j;

    if (!jobs.loaded) {
        load();
        return;
    }
    if (!jobs.running && (j = due(clock_wall_ms())))
        begin(j);
    else
        pump();
}

/* ---- requests ---- */

static int op_list(struct rpc_req *q, struct str body UNUSED)
{
    struct all_pb *a = ARENA_NEW(rpc_req_arena(q), struct all_pb);
    Jobs__ListResponse m = JOBS__LIST_RESPONSE__INIT;

    if (!a)
        return E_NOMEM;
    if (!jobs.loaded)
        return E_UNAVAIL;
    all_fill(a);
    m.jobs = a->list;
    m.n_jobs = ARRAY_LEN(rows);
    rpc_reply(q, 0, &m.base, NULL);
    return 0;
}

static int op_run(struct rpc_req *q, struct str body)
{
    Jobs__RunRequest *m = RPC_UNPACK(rpc_req_arena(q), body, jobs__run_request);

    if (!m)
        return E_SYNTAX;
    if (!jobs.loaded)
        return E_UNAVAIL;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct job *j = &jobs.v[i];

        if (strcmp(j->row->name, m->name) != 0)
            continue;
        if (j->nwaiters == JOB_WAITERS_MAX)
            return E_BUSY;
        j->waiters[j->nwaiters++] = q;
        j->wanted |= !j->running;
        pump();
        return 0;
    }
    return E_NOTFOUND;
}

static const struct rpc_op ops[] = {
    [JOBS__OP__LIST] = { .run = op_list, .from = FROM(CTL) | FROM(WEB) },
    [JOBS__OP__RUN] = { .run = op_run, .from = FROM(CTL) },
};
static const struct rpc_service service = { .name = "jobs", .ops = ops, .nops = ARRAY_LEN(ops) };

/* ---- life ---- */

static int jobs_init(struct role *r)
{
    jobs.role = r;
    if (jobs_conf.notify[0] && !hook_url_valid(str_from(jobs_conf.notify))) {
        log_event(LOG_ERROR, "jobs.notify_is_no_url");
        return E_SYNTAX;
    }
    key_jobs_init(r);
    dmarc_jobs_init();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct job *j = &jobs.v[i];
        int e;

        j->row = &rows[i];
        j->when = *(const char *const *)(const void *)((const char *)&jobs_conf + rows[i].when);
        j->result.max = JOB_RESULT_MAX;
        j->next_ms = SCHEDULE_NEVER;
        if ((e = schedule_parse(str_from(j->when), &j->schedule)) < 0) {
            log_event(LOG_ERROR, "jobs.when_not_understood", F_Z("job", rows[i].name), F_Z("when", j->when));
            return e;
        }
    }
    return timer_init(&jobs.timer, role_loop(r), timer_fired);
}

static int jobs_start(struct role *r UNUSED)
{
    timer_set(&jobs.timer, 0);
    return 0;
}

const struct role_def jobs_role = {
    .id = ROLE_JOBS,
    .items = jobs_conf_items,
    .nitems = JOBS_CONF_ITEMS,
    .conf = &jobs_conf,
    .conf_bytes = sizeof jobs_conf,
    .service = &service,
    .asks = FROM(STORE) | FROM(DIRECTORY) | FROM(RESOLVER) | FROM(MONITOR) | FROM(COURIER),
    .optional = true,
    .init = jobs_init,
    .start = jobs_start,
};
