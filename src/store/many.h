/* src/store/many.h
 *
 * Changes of many messages, a slice in each transaction: no -wal has to hold a million of them, and nobody else waits
 * for all. Call again with the same request and the same `many`, in the next transaction, until it gives 0. What others
 * do in between counts: a message that went meanwhile is left out.
 *
 * Each message is changed whole or not at all. A COPY that fails halfway is taken back (RFC 9051 6.4.7), by the caller
 * with many_uncopy; what was moved, removed or flagged until then stays so. */
#ifndef SRC_STORE_MANY_H
#define SRC_STORE_MANY_H
#include "src/store/mailbox.h"

/* How far it has come. Zeroed to begin. */
struct many {
    struct uidset done; /* removed, copied or moved; of flags: refused by UNCHANGEDSINCE */
    struct uidset made; /* the copies */
    uint32_t next;      /* UID to go on with */
    uint32_t end;       /* what came from here on, came since it began */
    uint64_t folder_id; /* the one that is removed, copied to, or made by a rename; 0: not known yet */
    uint32_t uidvalidity;
    bool began, foreign;
    uint64_t first_modseq, modseq; /* ours alone are those behind the first one */
    struct {
        size_t n;
        uint32_t last;
    } kept; /* of `made`, as of the last commit */
};
void many_release(struct many *m);
/* What was done so far is committed. */
void many_keep(struct many *m);

/* (w) 1: there is more; 0; E_* as those of mailbox.h, which do all of it in one transaction. The answer to the whole of it
 * is told at the end. */
MUST_CHECK int many_flag(struct mailbox *box, struct arena *a, const Store__FlagStoreRequest *q,
                         struct many *m);
MUST_CHECK int many_flag_told(const struct many *m, struct arena *a, Store__FlagStoreResponse *out);
MUST_CHECK int many_expunge(struct mailbox *box, const Store__ExpungeRequest *q, struct many *m);
MUST_CHECK int many_expunge_told(const struct many *m, struct arena *a, Store__ExpungeResponse *out);
MUST_CHECK int many_copy(struct mailbox *box, const Store__CopyRequest *q, struct many *m);
MUST_CHECK int many_copy_told(const struct many *m, struct arena *a, Store__CopyResponse *out);
/* (w) Remove the copies that were made and committed, a slice. 1: there is more; 0. */
MUST_CHECK int many_uncopy(struct mailbox *box, struct many *m);
MUST_CHECK int many_folder_delete(struct mailbox *box, const Store__FolderRequest *q, struct many *m);
MUST_CHECK int many_folder_rename(struct mailbox *box, const Store__RenameRequest *q, struct many *m);
#endif
