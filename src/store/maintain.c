/* src/store/maintain.c: MAINTAIN: what the jobs role asks for on its schedule. Backups, retention and checks of attached
 * mailboxes are done when they are due, mailbox by mailbox, and also while they close; here they are looked for, and
 * what came of those since the last time is said. JOBS_STATE: what that role remembers, kept for it. */
#include "lib/base/file.h"
#include "src/store/findings.h"
#include "src/store/places.h"
#include "src/store/receipt.h"
#include "src/store/shipop.h"
#include "src/store/store.h"

#define STATE_FILE "jobs.state"
#define STATE_MAX  KIB(256)
#define TEXT_BYTES 3600u /* of a report: JOB_RESULT_MAX is more */

typedef Store__MaintainRequest__What what_t;

/* As of the last answer. */
static struct {
    uint64_t taken, failed, retained, checks, findings, alarms;
} told;

static uint64_t since(uint64_t now, uint64_t *then)
{
    uint64_t n = now - *then;

    *then = now;
    return n;
}

static void maintain_reply(struct rpc_req *q, int status, bool bad, const char *text)
{
    Store__MaintainResponse m = STORE__MAINTAIN_RESPONSE__INIT;

    m.bad = bad;
    m.text = (char *)(uintptr_t)text;
    request_reply(q, status, &m.base, NULL);
}

/* ---- what is done mailbox by mailbox ---- */

static bool unreached(char text[TEXT_BYTES])
{
    size_t n;
    const struct place *all = places_all(&n);

    for (size_t i = 0; i < n; i++)
        if (!all[i].target) {
            snprintf(text, TEXT_BYTES,
                     "where backups go%s%s cannot be reached (the log says why): none are taken",
                     i ? " of " : "", i ? all[i].name : "");
            return true;
        }
    return false;
}

static void say_backups(struct rpc_req *q)
{
    uint64_t taken = since(store.backups_taken, &told.taken),
             failed = since(store.backups_failed, &told.failed);
    CLEANUP(buf_release) struct buf out = { .max = TEXT_BYTES };
    char text[TEXT_BYTES];
    bool stands;

    if (unreached(text)) {
        maintain_reply(q, 0, true, text);
        return;
    }
    backups_round();
    stands = ships_report(&out);
    if (buf_printf(&out, "%llu backups taken, %llu failed since the last look", (unsigned long long)taken,
                   (unsigned long long)failed) == 0)
        findings_take(FINDING_BACKUP, &out);
    maintain_reply(q, 0, failed > 0 || stands, buf_z(&out));
}

static void say_retention(struct rpc_req *q)
{
    char text[TEXT_BYTES];

    care_round();
    snprintf(text, sizeof text, "%llu old messages removed since the last look",
             (unsigned long long)since(store.retained, &told.retained));
    maintain_reply(q, 0, false, text);
}

static void say_checks(struct rpc_req *q)
{
    uint64_t checks = since(store.checks, &told.checks), found = since(store.check_findings, &told.findings);
    uint64_t alarms = since(store.alarms, &told.alarms);
    CLEANUP(buf_release) struct buf out = { .max = TEXT_BYTES };

    care_round();
    if (buf_printf(&out, "%llu mailboxes checked, %llu findings, %llu alarms since the last look",
                   (unsigned long long)checks, (unsigned long long)found, (unsigned long long)alarms) == 0)
        findings_take(FINDING_CHECK, &out);
    maintain_reply(q, 0, found > 0 || alarms > 0, buf_z(&out));
}

/* ---- what takes its time ---- */

struct chore {
    struct work_job work;
    struct rpc_req *q;
    what_t what;
    int n;
};

static void chore_run(struct work_job *w)
{
    struct chore *c = CONTAINER_OF(w, struct chore, work);

    if (c->what == STORE__MAINTAIN_REQUEST__WHAT__BACKUP_KEYS)
        c->n = backup_keys_everywhere(true);
    else {
        int more = receipts_remove_old(&store.files, clock_wall_ms());

        c->n = files_remove_old(&store.files, clock_wall_ms());
        c->n = c->n < 0 || more < 0 ? (c->n < 0 ? c->n : more) : c->n + more;
    }
}

static void chore_done(struct work_job *w)
{
    struct chore *c = CONTAINER_OF(w, struct chore, work);
    bool keys = c->what == STORE__MAINTAIN_REQUEST__WHAT__BACKUP_KEYS;
    char text[TEXT_BYTES];

    snprintf(text, sizeof text,
             keys ? "%d .keys beside backups were older, and are exchanged" : "%d files removed",
             c->n > 0 ? c->n : 0);
    if (c->n != 0)
        log_event(c->n < 0 || keys ? LOG_WARN : LOG_INFO,
                  keys ? "store.backup_keys_compared" : "store.set_aside_removed", F_I64("count", c->n));
    maintain_reply(c->q, c->n < 0 ? c->n : 0, keys && c->n > 0, text);
    free(c);
}

static int chore_begin(struct rpc_req *q, what_t what)
{
    struct chore *c = calloc(1, sizeof *c);

    if (!c)
        return E_NOMEM;
    *c = (struct chore){ .work = { .run = chore_run, .done = chore_done }, .q = q, .what = what };
    request_begin();
    if (work_submit(store.backup_pool, &c->work) < 0) {
        request_reply(q, E_BUSY, NULL, NULL);
        free(c);
    }
    return 0;
}

int op_maintain(struct rpc_req *q, struct str body)
{
    static void (*const says[])(struct rpc_req * q) = {
        [STORE__MAINTAIN_REQUEST__WHAT__BACKUPS] = say_backups,
        [STORE__MAINTAIN_REQUEST__WHAT__RETENTION] = say_retention,
        [STORE__MAINTAIN_REQUEST__WHAT__CHECKS] = say_checks,
    };
    Store__MaintainRequest *m = RPC_UNPACK(rpc_req_arena(q), body, store__maintain_request);

    if (!m)
        return E_SYNTAX;
    if (store.stopping)
        return E_UNAVAIL;
    if (m->what == STORE__MAINTAIN_REQUEST__WHAT__BACKUP_KEYS ||
        m->what == STORE__MAINTAIN_REQUEST__WHAT__ORPHANS)
        return chore_begin(q, m->what);
    if ((unsigned)m->what >= ARRAY_LEN(says) || !says[m->what])
        return E_UNSUPPORTED;
    request_begin();
    says[m->what](q);
    return 0;
}

/* ---- what the jobs role remembers ---- */

struct state_io {
    struct work_job work;
    struct rpc_req *q;
    struct buf bytes;
    bool put;
    int status;
};

static void state_run(struct work_job *w)
{
    struct state_io *s = CONTAINER_OF(w, struct state_io, work);

    s->status = s->put ? file_replace(store.files.dir, STATE_FILE, buf_str(&s->bytes))
                       : file_read(store.files.dir, STATE_FILE, &s->bytes);
    if (!s->put && s->status == E_NOTFOUND)
        s->status = 0;
}

static void state_done(struct work_job *w)
{
    struct state_io *s = CONTAINER_OF(w, struct state_io, work);
    Store__JobsState m = STORE__JOBS_STATE__INIT;

    m.state = str_pb(buf_str(&s->bytes));
    request_reply(s->q, s->status, s->put ? NULL : &m.base, NULL);
    buf_release(&s->bytes);
    free(s);
}

static int state_begin(struct rpc_req *q, const struct str *put)
{
    struct state_io *s = calloc(1, sizeof *s);
    int r = 0;

    if (!s)
        return E_NOMEM;
    *s = (struct state_io){ .work = { .run = state_run, .done = state_done },
                            .q = q,
                            .bytes = { .max = STATE_MAX },
                            .put = put != NULL };
    if (put && (r = buf_puts(&s->bytes, *put)) < 0) {
        free(s);
        return r;
    }
    request_begin();
    if (work_submit(store.pool, &s->work) < 0) {
        request_reply(q, E_BUSY, NULL, NULL);
        buf_release(&s->bytes);
        free(s);
    }
    return 0;
}

int op_jobs_state_get(struct rpc_req *q, struct str body UNUSED)
{
    return state_begin(q, NULL);
}

int op_jobs_state_put(struct rpc_req *q, struct str body)
{
    Store__JobsStatePutRequest *m = RPC_UNPACK(rpc_req_arena(q), body, store__jobs_state_put_request);
    struct str bytes = m ? pb_str(m->state) : STR_NONE;

    if (!m)
        return E_SYNTAX;
    return store.stopping ? E_UNAVAIL : state_begin(q, &bytes);
}
