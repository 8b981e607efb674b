/* src/imap/cmd_uidbatches.c: UIDBATCHES (RFC 10022): where to cut a folder, so that each piece has so many
 * messages; from the newest to the oldest. The pieces leave no gap: each begins below the last, and the oldest
 * reaches down to 1. */
#include "src/imap/imap.h"

#define SIZE_MIN 500u /* RFC 10022 3.1.3 */

struct batches {
    uint32_t size, next, end; /* batches from 0; end: behind the last */
    bool any;
};

static int write_some(struct imap_conn *c)
{
    struct batches *b = c->step_data;
    const struct uidranges *u = &c->view->uids;
    uint32_t total = uidranges_count(u);

    for (int n = 0; n < 2000 && b->next < b->end; n++, b->next++) {
        uint32_t above = b->next * b->size; /* messages in those before */
        uint32_t high = above ? uidranges_uid(u, total - above + 1) - 1 : uidranges_last(u);
        uint32_t low = total - above > b->size ? uidranges_uid(u, total - above - b->size + 1) : 1;

        resp_printf(&c->w, "%s%u:%u", b->any ? "," : " ", high, low);
        b->any = true;
    }
    if (b->next < b->end)
        return 0;
    resp_crlf(&c->w);
    imap_ok(c, "Completed");
    c->mid_response = false;
    return 1;
}

/* SP number [SP from ":" to] */
static int parse(struct args *a, uint32_t *size, uint32_t *from, uint32_t *to)
{
    int r;

    *from = 1;
    *to = UINT32_MAX;
    if ((r = args_sp(a)) < 0 || (r = args_nz_number(a, size)) < 0)
        return r;
    if (args_skip(a, ' ') && ((r = args_nz_number(a, from)) < 0 || (r = args_char(a, ':', "a range")) < 0 ||
                              (r = args_nz_number(a, to)) < 0))
        return r;
    if (*to < *from)
        return args_fail(a, "a range that ascends");
    return args_end(a);
}

int imap_cmd_uidbatches(struct imap_conn *c, struct args *a)
{
    struct batches *b = ARENA_NEW(&c->arena, struct batches);
    uint32_t from, to, n;
    int r;

    if (!b)
        return E_NOMEM;
    if ((r = parse(a, &b->size, &from, &to)) < 0)
        return r;
    if (b->size < SIZE_MIN)
        return imap_no(c, "TOOFEW", "A batch has 500 messages at least");
    if (c->srv->conf.message_limit && b->size > c->srv->conf.message_limit)
        return imap_no(c, "TOOMANY", "That is more than one command may name: see MESSAGELIMIT");
    n = uidranges_count(&c->view->uids);
    n = n / b->size + (n % b->size != 0);
    b->next = from - 1 < n ? from - 1 : n;
    b->end = to < n ? to : n;
    resp_z(&c->w, "* UIDBATCHES (TAG \"");
    resp_raw(&c->w, c->tag);
    resp_z(&c->w, "\")");
    c->mid_response = true;
    c->step_data = b;
    c->step = write_some;
    return 0;
}
