/* src/imap/progress.c: INPROGRESS (RFC 9585): a command that takes long says now and then that it is at work, so
 * that neither its client nor what lies between gives up. How far it has come is told where it is known: of FETCH, in
 * messages, of ESEARCH in folders. Of what is one request to the store it is not, and the numbers are NIL, which section 4
 * has for that. */
#include "src/imap/imap.h"

#define FIRST_MS 5000
#define AGAIN_MS 10000 /* RFC 9585 4: not more often */

/* Between two responses, and to somebody whose output is not in the way. */
static bool may_tell(const struct imap_conn *c)
{
    return c->ask.call && c->busy && !c->aside && !c->finishing && !c->mid_response && !c->closing &&
           c->state != IMAP_ST_NOT_AUTH && c->state != IMAP_ST_LOGOUT && conn_out_pending(c->io) == 0;
}

/* 'CMD-TAG PROGRESS GOAL'; a goal that is known is told from the first time on, stays, and is not reached (section 4). */
static void tell_progress(struct imap_conn *c)
{
    bool named = str_chr(c->tag, ']') < 0; /* it would end the code for those who look no closer: section 4 */
    uint32_t goal = c->progress_goal, at = goal && c->how_far ? c->how_far(c) : 0;

    resp_z(&c->w, "* OK [INPROGRESS");
    if (named || goal)
        resp_z(&c->w, " (");
    if (named)
        resp_printf(&c->w, "\"%.*s\"", STR_ARG(c->tag));
    else if (goal)
        resp_z(&c->w, "NIL");
    if (goal)
        resp_printf(&c->w, " %u %u)", at < goal ? at : goal - 1, goal);
    else if (named)
        resp_z(&c->w, " NIL NIL)");
    resp_z(&c->w, "] Still at it\r\n");
}

static void tell(struct timer *t)
{
    struct imap_conn *c = CONTAINER_OF(t, struct imap_conn, progress);

    if (!c->ask.call) /* nor is there a reason to wake again: the next one that is asked sets it */
        return;
    timer_set(t, c->srv->progress_ms ? c->srv->progress_ms : AGAIN_MS);
    if (!may_tell(c))
        return;
    tell_progress(c);
    imap_flush(c);
}

void imap_progress_begin(struct imap_conn *c)
{
    if (!c->progress.loop && timer_init(&c->progress, c->srv->loop, tell) < 0)
        return;
    if (!timer_is_set(&c->progress))
        timer_set(&c->progress, c->srv->progress_ms ? c->srv->progress_ms : FIRST_MS);
}

void imap_progress_end(struct imap_conn *c)
{
    if (c->progress.loop)
        timer_clear(&c->progress);
}
