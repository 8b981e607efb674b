/* src/mx/greylist.h
 *
 * Who has been here before? A stranger is asked to come again ("450, try later"), which a mail server does and most
 * of what sends junk does not. Stranger: a network, a sender and a domain of ours that have not met yet. Who came
 * back after the wait is known for weeks from his last message on. In memory that is bounded, and no longer than the
 * process lives: after a restart regular senders wait once more, which delays mail and loses none. */
#ifndef SRC_MX_GREYLIST_H
#define SRC_MX_GREYLIST_H
#include "lib/smtp/path.h"

struct greylist; /* opaque */
struct greylist_conf {
    int64_t delay_ms;  /* how long a stranger has to wait */
    int64_t window_ms; /* a first attempt is forgotten after so long */
    int64_t keep_ms;   /* who came back is known for so long after his last message */
    size_t entries;
};

struct greylist *greylist_new(const struct greylist_conf *c);
void greylist_free(struct greylist **g);
/* May this one pass? Notes the attempt. `network`: any text that stands for it; `domain`: of the recipient. When not,
 * *wait_ms_out is how long he should wait at least. */
bool greylist_pass(struct greylist *g, struct str network, const struct smtp_path *sender, struct str domain,
                   int64_t *wait_ms_out);
#endif
