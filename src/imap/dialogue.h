/* src/imap/dialogue.h: for tests: the role, a store in memory behind it, and a client that talks to it. */
#ifndef SRC_IMAP_DIALOGUE_H
#define SRC_IMAP_DIALOGUE_H
#include "lib/base/test.h"
#include "src/imap/fake_store.h"
#include "src/imap/imap.h"

extern struct world {
    struct loop *loop;
    struct imap_server srv;
    struct fake_store store;
    int fd;
    struct watch watch;
    struct timer late;
    struct buf got;
    const char *until; /* stop the loop when `got` ends in it, or holds it as a line start */
    bool closed;
    int rounds;
} w;
extern const char first[]; /* messages 1 and 3; 2 has two parts */

int setup(void **state); /* of each test: connected, and greeted */
int teardown(void **state);
void secure(void); /* as if TLS were up */
void login(void);
void selected(void); /* logged in, INBOX selected */
void say(const char *text, size_t n);
/* Send one command, wait for its tagged reply, compare all that came. NULL: only wait. */
void dialogue(const char *send, const char *expect);
void run(const char *until); /* until a line with it came */
void brief(void);            /* what is ready now, and what is ready within 2 ms */
void settle(void);           /* the role sees that we hung up */
void settle_now(void);       /* some rounds of the loop, on whatever clock */
void reconnect(void);        /* instead of the first one: its timers began on another clock */
void say_z(const char *text);
#endif
