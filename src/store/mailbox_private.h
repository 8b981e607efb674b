/* src/store/mailbox_private.h: shared by the files of the mailbox core only. */
#ifndef SRC_STORE_MAILBOX_PRIVATE_H
#define SRC_STORE_MAILBOX_PRIVATE_H
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "src/store/chunk.h"
#include "src/store/mailbox.h"
#include <assert.h>

#define CHANGES_MAX MAILBOX_CHANGES_MAX
#define CLAIMS_MAX  64u

/* And those that came behind modseq ?2 in folder ?1, none of which changed since: UIDs and modseqs grow alike, so
 * they stand at the end. */
#define MESSAGES_ADDED_SINCE(op)                                                                    \
    "UNION ALL SELECT uid FROM message WHERE folder_id = ?1 AND modseq = added AND uid > coalesce(" \
    "(SELECT uid FROM message WHERE folder_id = ?1 AND added " op " ?2 ORDER BY uid DESC LIMIT 1), 0)"
#define MESSAGES_ADDED_AFTER MESSAGES_ADDED_SINCE("<=")
#define MESSAGES_ADDED_FROM  MESSAGES_ADDED_SINCE("<")
/* And those of folder ?1 that stand in none of the indexes WHERE behind = 0 yet. */
#define MESSAGES_BEHIND(condition)                                       \
    "UNION ALL SELECT uid FROM message WHERE folder_id = ?1 AND uid >= " \
    "(SELECT placed FROM folder WHERE id = ?1) AND behind = 1 AND " condition
#define MESSAGES_BEHIND_MAX 256u
#define ROW_SHIFT           16 /* id of a chunk's row = email id << 16 | number */
#define ROWS_MAX            65535u
#define WORDS_ROW           32768u /* in email_raw: the first row of an email's text */
#define SORT_REFS_BYTES     (65u * 16u)
#define THREAD_REF_BYTES    16u /* a message id with a subject, hashed */
#define THREAD_REFS_MAX     64u /* of one email */

/* \Recent that a session took. Written with the next commit or at close: what a crash forgets is
 * shown as recent once more, which harms nobody, and no SELECT costs a sync. */
struct recent_claim {
    uint64_t folder_id;
    uint32_t uid; /* first that is still recent */
};

/* Of all folders. */
struct sums {
    bool known;
    uint64_t bytes, messages, folders;
};

struct mailbox {
    struct db *db;
    struct txn txn;
    int64_t rows_before; /* rows ever changed, when it began */
    struct savepoint step;
    struct mailbox_change changes[CHANGES_MAX];
    size_t nchanges, nchanges_step;
    struct recent_claim claims[CLAIMS_MAX];
    size_t nclaims;
    uint32_t pages_before; /* written by the handle, when it began */
    bool large_cache;      /* holds more than should wait for the commit */
    bool drops;            /* something large was removed (drop.h) */
    int64_t pruned_ms;     /* monotonic; when old operations were last removed */
    bool reader;
    struct refs *refs; /* refs.c; NULL: not read yet */
    struct sums sums;
    bool counted;                 /* a folder's modseq was raised: that tells this commit from others */
    uint64_t quota_short;         /* what the last refusal wanted (quota.h) */
    bool quota_hint;              /* limited, whatever meta says */
    struct happening *happenings; /* the last stands first */
    size_t nhappenings, nhappenings_step;
    uint8_t by[HAPPENING_BY_LEN];
};

/* What a folder's row says. */
struct folder {
    uint64_t id, modseq, vanished_floor, messages, bytes, unseen, deleted;
    uint32_t uidvalidity, uidnext, first_recent, placed;
    int special_use;
};

MUST_CHECK int folder_by_name(struct mailbox *box, struct str name, struct folder *out);
/* (w) The first that has this special use; made when there is none. */
MUST_CHECK int folder_by_use(struct mailbox *box, int special_use, struct folder *out);
MUST_CHECK int folder_by_id(struct mailbox *box, uint64_t id, struct folder *out);
/* Write uidnext, modseq, the counts, vanished_floor; notes the change. */
MUST_CHECK int folder_update(struct mailbox *box, const struct folder *f);
/* Write `placed` alone, which is no change. */
MUST_CHECK int folder_placed(struct mailbox *box, const struct folder *f);
/* (w) All messages into all indexes (message.c). */
MUST_CHECK int mailbox_place(struct mailbox *box);
MUST_CHECK int folder_make(struct mailbox *box, struct str name, int special_use, bool subscribe);
uint32_t recent_first(const struct mailbox *box, const struct folder *f);
/* All below uidnext are no longer recent for anyone else. */
void recent_claim(struct mailbox *box, const struct folder *f);
MUST_CHECK int recent_flush(struct mailbox *box);
void object_id_make(uint8_t out[12]);
/* "M" or "T" or "F" and 24 hex digits, in the arena. */
struct str object_id_text(struct arena *a, char kind, struct str id);
bool object_id_parse(struct str text, char kind, uint8_t out[12]);

/* UIDs that are there, from `first` on, without a look at messages (gap.c). */
MUST_CHECK int gap_uids(struct mailbox *box, const struct folder *f, uint32_t first, struct uidset *out);
/* UIDs below uidnext that are not. */
MUST_CHECK int gap_all(struct mailbox *box, uint64_t folder_id, struct uidset *out);
/* (w) These went. */
MUST_CHECK int gap_add(struct mailbox *box, uint64_t folder_id, const struct uidset *uids);

/* (w) The thread that an email belongs to (threadid.c); `own` when it begins one. *noted_out bytes of `noted` are
 * what refs_note shall have. */
MUST_CHECK int thread_find(struct mailbox *box, const struct email_in *e, const uint8_t own[12],
                           uint8_t thread[12], uint8_t noted[THREAD_REFS_MAX * THREAD_REF_BYTES],
                           size_t *noted_out);
/* (w) 1 and *thread_out: some email that has or names it is here, or was. */
MUST_CHECK int refs_find(struct mailbox *box, const uint8_t id[THREAD_REF_BYTES], uint8_t thread_out[12]);
/* (w) `ids`, which are email.noted, are of this thread. */
MUST_CHECK int refs_note(struct mailbox *box, int64_t email_id, struct str ids, const uint8_t thread[12]);
/* (w) Before the row is deleted: what it noted stays. */
MUST_CHECK int refs_email_goes(struct mailbox *box, int64_t email_id);
/* meta.indexed_upto, without asking each time. */
MUST_CHECK int refs_indexed_upto(struct mailbox *box, int64_t *id_out);
/* A step begins; it is undone; what is known of the file may be wrong, or takes memory. */
void refs_step(struct mailbox *box);
void refs_undo(struct mailbox *box);
void refs_forget(struct mailbox *box);
/* (w) What SORT and THREAD need of it. */
/* The eight columns of its keys as ?at and on; `refs` holds one of them until the statement ran. */
void sort_bind(struct stmt *st, int at, const struct email_in *e, uint8_t refs[SORT_REFS_BYTES]);
/* The same for an email of before, into a row of its own. */
MUST_CHECK int sort_insert(struct mailbox *box, int64_t email_id, const struct email_in *e);

/* (w) Note what is told to who watches; *out, when not NULL: to add to it, NULL when it was one too many. */
/* What was CREATED last has in truth been renamed: INBOX, which stays (RFC 9051 6.3.6). */
MUST_CHECK int happening_as_renamed(struct mailbox *box, struct str old_name);
MUST_CHECK int happening_note(struct mailbox *box, Store__NewsEvent__Kind kind, struct str name,
                              struct str old_name, struct happening **out);
void happenings_undo(struct mailbox *box, size_t to);

MUST_CHECK int metadata_read(struct mailbox *box, struct arena *a, uint64_t folder_id,
                             const ProtobufCBinaryData *entries, size_t n, uint32_t depth, size_t *n_out,
                             Store__Annotation ***out);
/* (w) */
MUST_CHECK int metadata_drop(struct mailbox *box, uint64_t folder_id);
MUST_CHECK int metadata_copy(struct mailbox *box, uint64_t from, uint64_t to);

/* (w) Store an email; *id_out its row. */
MUST_CHECK int email_insert(struct mailbox *box, const struct email_in *e, int64_t *id_out);
/* (w) Remove it when no message is left that refers to it. */
MUST_CHECK int email_drop_unused(struct mailbox *box, int64_t id);
/* Append [at, at + n) of the whole message to out; n at most CHUNK_BYTES_MAX. E_GONE. */
MUST_CHECK int email_read(struct mailbox *box, int64_t id, uint64_t at, size_t n, struct buf *out);
/* The same of the first n bytes of its head (part 0), or of what is behind the head (1). */
MUST_CHECK int email_read_part(struct mailbox *box, int64_t id, int part, size_t n, struct buf *out);
/* Structure, appended. */
MUST_CHECK int email_structure(struct mailbox *box, int64_t id, struct buf *out);
/* The beginning of the first text as people read it (RFC 8970), appended. 1; 0: not known. E_GONE. */
MUST_CHECK int email_preview(struct mailbox *box, int64_t id, struct buf *out);

/* MAILBOX_VANISHED_MAX; tests make it small. */
extern uint64_t vanished_max;
/* (w) Put rows of `ranges` into the change log and keep it within its bound. */
MUST_CHECK int vanished_note(struct mailbox *box, struct folder *f, const struct uidset *uids);
/* (w) Remove these messages, with their emails when they were the last; f is updated, not written. Those that went are
 * in `done` (empty before). 1: the transaction is full, there are more. */
MUST_CHECK int messages_remove(struct mailbox *box, struct folder *f, const struct uidset *uids,
                               struct uidset *done);

/* Keywords of a message into an arena array. */
MUST_CHECK int keywords_of(struct mailbox *box, struct arena *a, uint64_t folder_id, uint32_t uid,
                           char ***v_out, size_t *n_out);
MUST_CHECK int keywords_of_folder(struct mailbox *box, struct arena *a, uint64_t folder_id, char ***v_out,
                                  size_t *n_out);
/* (w) */
MUST_CHECK int keyword_id(struct mailbox *box, struct str name, bool create, int64_t *id_out);
MUST_CHECK int keyword_set(struct mailbox *box, uint64_t folder_id, uint32_t uid, int64_t keyword, bool on);
#endif
