/* src/store/target_remote.h
 *
 * Storage elsewhere as a target: the storage role (proto/storage.proto) does what this asks. Targets are used on worker
 * threads, which wait; asking is the loop's. What is staged lies in a folder of this machine until it is there. */
#ifndef SRC_STORE_TARGET_REMOTE_H
#define SRC_STORE_TARGET_REMOTE_H
#include "lib/rpc/rpc.h"
#include "src/store/target.h"

/* `place`: a name in storage.places, or "" for storage.target; borrowed for good. `stage`: a folder for what is being made, taken over, also when this fails; what is in it goes. Loop thread. */
MUST_CHECK int target_remote_open(struct loop *l, struct rpc_link *storage, const char *place,
                                  struct target *stage, struct target **out);
/* From now on whoever waits, and whoever comes, is told E_CANCELED. Loop thread. */
void target_remote_stop(struct target *t);
#endif
