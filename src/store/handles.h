/* src/store/handles.h
 *
 * SQLite handles of attached mailboxes under one budget of count and bytes. A lane takes its handle for a
 * job and gives it back after it; between jobs it may be closed for another's sake, longest unused first,
 * readers before writers. Opened again when the lane wants it. Knows nothing of sessions and keys: who
 * opens is asked by a function.
 *
 * Any thread; each handle has one user at a time, its lane. */
#ifndef SRC_STORE_HANDLES_H
#define SRC_STORE_HANDLES_H
#include "src/store/mailbox.h"
#include <pthread.h>

#define HANDLES_READER_MS 60000 /* a reader counts as unused for so much longer than it is */

#define HANDLES_REST_MS 50000 /* so much longer unused, the schema is forgotten too */

struct handles; /* opaque */

struct handle { /* zeros: never opened */
    struct mailbox *box;
    bool reader, idle;
    bool closing; /* or slimmed: its lane waits for that */
    bool resting; /* nothing is left to be given back */
    int64_t used_ms;
    size_t bytes;
    struct handle *next, *prev; /* among the idle ones of its kind, longest unused first */
};

struct handles_figures {
    size_t open, idle, bytes, other;
    uint64_t opened, closed_for_others;
};

/* `max` handles and about `max_bytes` of memory; `closing` is called, by whichever thread, before an idle
 * handle is closed for another's sake, or comes to rest and may be closed then without it. NULL: no memory. */
struct handles *handles_new(size_t max, size_t max_bytes, void (*closing)(struct handle *h));
/* All of them are dropped. NULL is accepted. */
void handles_free(struct handles **p);
/* The handle is this lane's until given back. 1: it was open; 0: opened now by `open`; E_*: what open said,
 * and h has no box. open NULL: E_CLOSED when it is not open. When all handles are in use one more is opened: nobody waits for another's job. */
MUST_CHECK int handle_take(struct handles *p, struct handle *h,
                           int (*open)(void *ctx, struct handle *h, struct mailbox **out), void *ctx);
void handle_give(struct handles *p, struct handle *h);
/* A mailbox that was opened elsewhere comes under the budget, taken. */
void handle_adopt(struct handles *p, struct handle *h, struct mailbox *box);
/* Close it, taken or not; what mailbox_close said. */
int handle_drop(struct handles *p, struct handle *h);
/* Whatever its user runs on it ends with E_CANCELED. */
void handle_interrupt(struct handles *p, struct handle *h);
/* Files that count and are not ours: temporary mailboxes. True: there are too many of all, let some go. */
bool handles_other(struct handles *p, int more);
/* Close idle ones until a sixteenth of the budget is free: then the next miss need not. How many. */
size_t handles_trim(struct handles *p);
/* The page caches of what nobody used for `unused_ms` are given back, after HANDLES_REST_MS more all but the open file, and
 * readers of HANDLES_READER_MS more are closed. How many. */
size_t handles_slim(struct handles *p, int64_t unused_ms);
bool handles_crowded(struct handles *p);
void handles_get_figures(struct handles *p, struct handles_figures *out);
#endif
