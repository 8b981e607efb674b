/* test/fault/scenarios.h
 *
 * What the store does to a disk, as the lanes call it, over one small mailbox: for tests in which a call or an
 * allocation of it fails. Each can be said again after an error and goes on where it can. */
#ifndef TEST_FAULT_SCENARIOS_H
#define TEST_FAULT_SCENARIOS_H
#include "test/fault/store_disk.h"

/* What a scenario works with: opened before anything fails. */
struct hands {
    struct mailbox *box;
    struct tempbox *temp;
    struct keyfile *kf;
    struct keyfile_keys keys;
    bool exchanged;
};

struct scenario {
    const char *name;
    int (*ready)(struct hands *h); /* NULL: nothing */
    int (*run)(struct hands *h);   /* again after an error: goes on where it can */
    void (*expect)(struct world *w);
    int (*transact)(struct hands *h); /* ready, for failing allocations */
    bool whole;                       /* all or nothing: after an error the world is as before or as after */
};

extern struct disk disk; /* where they run: opened, and changed, by the test */
extern const struct scenario scenarios[];
extern const size_t scenarios_n;

/* Make what they all begin with below `root`, an empty folder: messages 1 to 4 in the mailbox, 5 to 7 waiting
 * for it. */
void template_make(const char *root);
void template_expect(struct world *w);
/* Close all of it; a handle that does not close is a failure. */
void hands_release(struct hands *h);
/* The same as a process that dies: nobody looks. */
void hands_drop(struct hands *h);
/* What only the whole test frees. */
void scenarios_release(void);
#endif
