/* src/store/shipop.h: shipping in the life of the store (shipop.c). The loop's, but for what says otherwise. */
#ifndef SRC_STORE_SHIPOP_H
#define SRC_STORE_SHIPOP_H
#include "proto/store.pb-c.h"
#include "src/store/shipback.h"

struct place;

bool ships_on(void); /* anything is shipped */
/* That of its place; NULL: it is not shipped. Any thread. */
struct ship *ship_for(const uint8_t mailbox[MAILBOX_ID_LEN]);
/* Before any mailbox is opened; the subkeys and the target are there. */
void ships_open(void);
MUST_CHECK int ships_start(void);
void ships_stop(void);
bool ships_busy(void);
void ships_close(void); /* every mailbox is closed; blocks a moment */
void ships_status(Store__StatusResponse *r);
/* What the operator should know since the last time: a line for each place that is behind, stands or lost a moment. False: nothing. */
bool ships_report(struct buf *out);

/* Worker threads. What is committed by now counts. As ship_back. */
MUST_CHECK int ship_restore_to(const uint8_t mailbox[MAILBOX_ID_LEN], int64_t at_ms, bool remember,
                               struct ship_back *out);
/* All that was shipped of it to this place goes, what is in packs of several mailboxes by the next night. */
MUST_CHECK int ship_remove(const struct place *p, const uint8_t mailbox[MAILBOX_ID_LEN], target_told *told,
                           void *ctx);
#endif
