/* src/store/checkop.c: MAILBOX_CHECK, on a handle of its own, so that neither lane waits for it. */
#include "src/store/findings.h"
#include "src/store/keyop.h"

#define SWEEP_BATCH 500u

static int pool_keys(struct keyop *k)
{
    return keyop_keys_open(k);
}

/* What the operator is told, whoever asked for the check. */
static void damaged(const struct keyop *k, int r, struct str why)
{
    if (r != E_CORRUPT && r != E_VERSION)
        return;
    store.alarms++;
    finding_add(FINDING_CHECK, k->actor->id, "cannot be checked: %s%s%.*s", error_text(r), why.n ? ": " : "",
                STR_ARG(why));
}

/* In the lane, where a schema is brought up to date and keys are exchanged by nobody else. */
static int lane_open(struct keyop *k)
{
    CLEANUP(buf_release) struct buf why = { .max = KIB(4) };
    struct db_error e = { 0 };
    struct mailbox_options o = { .cache_kib = 4096, .error = &e, .why = &why };
    uint32_t generation;
    int r = keybox_open(&store.files, k->kf, &k->keys, &o, &k->box, &generation);

    if (why.n)
        log_event(LOG_WARN, "store.schema", F_STR("why", buf_str(&why)));
    if (r < 0)
        actor_log("store.open_failed", k->actor, r, &e);
    damaged(k, r, buf_str(&why));
    return r;
}

static int sweep(struct keyop *k)
{
    int r = 0, n = 1;

    while (n > 0 && r >= 0) {
        if ((r = mailbox_begin(k->box)) < 0 || (r = n = mailbox_sweep(k->box, SWEEP_BATCH)) < 0 ||
            (r = mailbox_commit(k->box)) < 0)
            mailbox_rollback(k->box);
        else
            k->swept += n;
    }
    return r;
}

static int note(struct keyop *k)
{
    struct care_dates d;
    int r;

    if ((r = mailbox_care_get(k->box, &d)) < 0)
        return r;
    d.checked_ms = clock_wall_ms();
    d.findings = k->check->found;
    d.step = 0;
    d.cursor = 0;
    d.found = 0;
    if ((r = mailbox_begin(k->box)) < 0 || (r = mailbox_care_set(k->box, &d)) < 0 ||
        (r = mailbox_commit(k->box)) < 0)
        mailbox_rollback(k->box);
    return r;
}

/* A damaged mailbox is not written to. */
static int pool_check(struct keyop *k)
{
    struct check *c = k->check;
    int r = mailbox_check(k->box, c, 0);

    damaged(k, r, STR("the check came to no end"));
    if (r < 0 || c->found > c->leftovers)
        return r;
    return c->orphans && (r = sweep(k)) < 0 ? r : note(k);
}

static int lane_close(struct keyop *k)
{
    mailbox_close(&k->box);
    return 0;
}

static void answer_check(struct keyop *k)
{
    Store__MailboxCheckResponse r = STORE__MAILBOX_CHECK_RESPONSE__INIT;
    Store__CheckFinding findings[CHECK_FINDINGS_MAX], *list[CHECK_FINDINGS_MAX];
    struct check *c = k->check;

    for (size_t i = 0; i < c->n; i++) {
        store__check_finding__init(&findings[i]);
        findings[i].what = (char *)(uintptr_t)c->list[i].what;
        findings[i].detail = c->list[i].detail;
        list[i] = &findings[i];
    }
    r.findings = list;
    r.n_findings = c->n;
    r.found = c->found;
    r.folders = c->folders;
    r.messages = c->messages;
    r.emails = c->emails;
    r.bytes = c->bytes;
    r.swept = (uint64_t)k->swept;
    care_checked(k->actor, c, (uint64_t)k->swept);
    request_reply(k->q, 0, &r.base, NULL);
}

static const struct stage_row check_stages[] = {
    { IN_POOL, pool_keys },
    { IN_LANE, lane_open },
    { IN_POOL, pool_check },
    { IN_LANE, lane_close },
    { 0, NULL },
};

int op_mailbox_check(struct rpc_req *q, struct str body)
{
    Store__MailboxCheckRequest *m = RPC_UNPACK(rpc_req_arena(q), body, store__mailbox_check_request);
    struct keyop *k = NULL;
    int r;

    if (!m || m->mailbox_id.len != MAILBOX_ID_LEN)
        return E_SYNTAX;
    if ((r = keyop_begin(q, m->mailbox_id.data, check_stages, answer_check, &k)) < 0)
        return r;
    k->states = m->key_states;
    k->nstates = m->n_key_states;
    k->patient = true;
    k->check = calloc(1, sizeof *k->check);
    if (!k->check)
        return keyop_go(k, E_NOMEM);
    k->check->whole = true;
    return keyop_go(k, keyop_passwords_take(k, m->current_password, (ProtobufCBinaryData){ 0 }, ""));
}
