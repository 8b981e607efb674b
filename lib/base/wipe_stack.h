/* lib/base/wipe_stack.h
 *
 * What returned functions left on this thread's stack (ours, and every library's: lines of letters,
 * folded text, keys in registers that were spilled) is wiped. Loops and workers do it when they have
 * nothing to do; nobody else needs to. Left out under sanitizers, which mark stacks themselves. */
#ifndef LIB_BASE_WIPE_STACK_H
#define LIB_BASE_WIPE_STACK_H
#include "lib/base/base.h"

/* Everything below the caller's frame that is not zero, as deep as this thread has been since the last
 * call: it stops where WIPE_STACK_GAP bytes lie untouched, so an idle call reads that much and writes
 * nothing (some 5 us), and a stack never grows by it. A variable array larger than the gap would hide
 * what lies below it: there is none (-Wvla), and no frame here is half as large. */
#define WIPE_STACK_GAP KIB(64)
void wipe_stack(void);
/* For each thread, early (again: nothing): finds where its stack ends. Without it wipe_stack does nothing. May read
 * /proc on the main thread: before the sandbox. */
void wipe_stack_init(void);
/* Is it in force on this thread? For the tests. */
bool wipe_stack_active(void);
#endif
