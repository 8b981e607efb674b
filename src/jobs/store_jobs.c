/* src/jobs/store_jobs.c: what the store does when it is asked to, and says of it. */
#include "proto/store.pb-c.h"
#include "src/jobs/jobs.h"

static void maintained(void *ctx, int status, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(64) };
    Store__MaintainResponse *m = status == 0 ? RPC_UNPACK(&a, body, store__maintain_response) : NULL;

    if (status == 0 && !m)
        status = E_CORRUPT;
    job_ended(ctx, status, m && m->bad, m ? str_from(m->text) : STR_NONE);
}

void job_maintain(struct job *j)
{
    Store__MaintainRequest q = STORE__MAINTAIN_REQUEST__INIT;
    struct rpc_ask ask = {
        .op = STORE__OP__MAINTAIN, .body = &q.base, .deadline_ms = JOB_ANSWER_MS, .done = maintained, .ctx = j
    };

    q.what = (Store__MaintainRequest__What)j->row->arg;
    if (!rpc_link_ask(role_link(the_role(), ROLE_STORE), &ask))
        job_ended(j, E_NOMEM, false, STR_NONE);
}
