/* src/store/mailbox.h
 *
 * One mailbox file: folders, messages, flags, the change log, search. Speaks the messages of
 * proto/store.proto as plain data and knows neither RPC nor the loop nor keys' files: tests, fault
 * shims and power-loss replays drive it directly. Everything blocks on disk: worker threads only.
 *
 * Threads: a handle is used by one thread at a time. A mailbox has one writer handle, and readers
 * beside it (snapshots; MAILBOX_READER).
 *
 * Writing: every function marked (w) wants mailbox_begin() before and mailbox_commit() behind it.
 * Several may share one transaction, each between mailbox_step_begin and mailbox_step_keep: one that
 * fails undoes itself alone. Nothing is true, and nobody may be told, before mailbox_commit gave 0.
 *
 * Responses are filled in `a`; E_LIMIT or E_NOMEM when it is full. */
#ifndef SRC_STORE_MAILBOX_H
#define SRC_STORE_MAILBOX_H
#include "lib/db/db.h"
#include "lib/rpc/pb.h"
#include "proto/store.pb-c.h"
#include "src/store/bytes.h"
#include "src/store/happening.h"
#include "src/store/uidset.h"

#define MAILBOX_ID_LEN        12u
#define MAILBOX_NAME_MAX      1000u /* bytes of a folder's name */
#define MAILBOX_FOLDERS_MAX   10000u
#define MAILBOX_LEVELS_MAX    32u
#define MAILBOX_KEYWORDS_MAX  1000u  /* different ones in a mailbox */
#define MAILBOX_VANISHED_MAX  10000u /* rows of the change log of a folder */
#define METADATA_NAME_MAX     255u
#define METADATA_VALUE_MAX    KIB(64) /* RFC 5464 4.1: at least 1024 bytes, at least 10 entries */
#define METADATA_ENTRIES_MAX  100u    /* of one folder, and of the server */
#define METADATA_ALL_MAX      10000u  /* of a mailbox */
#define METADATA_BYTES_MAX    MIB(4)  /* names and values; fits one answer */
#define MAILBOX_SYNC_ROWS_MAX 5000u
#define MAILBOX_STRUCTURE_MAX MIB(1)
/* What was noted counts so long; it goes, in minutes that write something, up to 8 and 64 of them later. */
#define MAILBOX_OPERATION_MS    (60 * 60 * 1000)
#define MAILBOX_DELIVERY_MS     (7 * 24 * 60 * 60 * (int64_t)1000)
#define MAILBOX_DELIVERY_ID_LEN 32u

struct mailbox; /* opaque */
struct many;    /* many.h */

enum {
    MAILBOX_CREATE = 1 << 0,
    MAILBOX_READER = 1 << 1,
    MAILBOX_COUNT_WAL = 1 << 3, /* commits do not checkpoint: see mailbox_wal_frames */
    MAILBOX_AGAIN = 1 << 2,     /* this process has opened it already: its schema is known to be right */
};

struct mailbox_options {
    uint32_t flags;
    uint32_t cache_kib;
    const char *vfs;        /* NULL: the default one */
    struct db_error *error; /* may be NULL */
    struct buf *why;        /* a refused schema, in words; may be NULL */
};

/* What meta says. */
struct mailbox_meta {
    uint8_t id[MAILBOX_ID_LEN];
    uint64_t generation;
    struct buf key_state; /* owned by the holder of this struct; .max set by him */
};

/* MAILBOX_CREATE makes the file, its default folders and `meta` in one transaction; a file that is
 * there but was never finished is completed. Otherwise `meta` is not looked at. E_* of db_open and
 * migrate_run. */
MUST_CHECK int mailbox_open(const char *path, const uint8_t key[DB_KEY_BYTES],
                            const struct mailbox_options *o, const struct mailbox_meta *meta,
                            struct mailbox **box_out);
/* In memory: for tests of what needs no file. */
MUST_CHECK int mailbox_open_memory(struct mailbox **box_out);
/* Writes what was only noted (recent claims), checkpoints, closes. NULL accepted; the handle is gone
 * in any case. */
int mailbox_close(struct mailbox **box);
/* Write now what close would write: after this, closing changes nothing. */
MUST_CHECK int mailbox_settle(struct mailbox *box);
struct db *mailbox_db(struct mailbox *box);
/* Frames in the -wal after the last commit; MAILBOX_COUNT_WAL. */
uint32_t mailbox_wal_frames(struct mailbox *box);
/* Move all of them into the file and begin the -wal anew. E_BUSY: somebody reads an old state. Waits for
 * nobody for longer than 50 ms. */
MUST_CHECK int mailbox_checkpoint(struct mailbox *box, uint32_t *left_out);
/* What it can read again goes from memory: it will idle. */
void mailbox_shed(struct mailbox *box);
/* What its pages in memory take now. */
size_t mailbox_cache_bytes(struct mailbox *box);
MUST_CHECK int mailbox_meta_get(struct mailbox *box, struct mailbox_meta *out);
/* How many commits there were so far, ever: at least so many. Each commit makes it more. */
#define MAILBOX_COMMITS "SELECT changes + (SELECT coalesce(sum(modseq), 0) FROM folder) FROM meta"
MUST_CHECK int mailbox_commits(struct mailbox *box, uint64_t *out);
/* (w) */
MUST_CHECK int mailbox_meta_set(struct mailbox *box, uint64_t generation, struct str key_state);

/* ---- transactions ----------------------------------------------------------------------------- */

MUST_CHECK int mailbox_begin(struct mailbox *box);
/* A transaction in which no row changed is ended and not written: \Recent that was only claimed waits on. */
MUST_CHECK int mailbox_commit(struct mailbox *box);
void mailbox_rollback(struct mailbox *box); /* fine without a transaction */
MUST_CHECK int mailbox_step_begin(struct mailbox *box);
/* Instead, for a step that whoever calls undoes with all others when it fails after it wrote something.
 * mailbox_step_undo then undoes what is in memory only; there is nothing to keep. */
void mailbox_step_bare(struct mailbox *box);
MUST_CHECK int mailbox_step_keep(struct mailbox *box);
void mailbox_step_undo(struct mailbox *box);

/* What one transaction puts into the -wal before whoever changes much goes on in another one; tests make it small. */
extern uint64_t mailbox_slice_bytes;
/* Is it so much? Every loop over messages or their bytes asks, after at least one of them. */
bool mailbox_slice_full(struct mailbox *box);
/* Was anything removed since the last take that goes behind (drop.h)? */
bool mailbox_drops_take(struct mailbox *box);

/* Folders that changed since the last take, each once: for events after the commit. Returns how many
 * were written to out (at most max; the rest is forgotten, and *all_out set). */
#define MAILBOX_CHANGES_MAX 64u
struct mailbox_change {
    uint64_t folder_id, modseq;
    uint8_t by[HAPPENING_BY_LEN]; /* the session that did all of it; zeros: none alone */
};
size_t mailbox_changes_take(struct mailbox *box, struct mailbox_change *out, size_t max);

/* Who does what comes next (zeros: nobody), and what happened since the last take besides changes of messages.
 * The caller frees it. */
void mailbox_by(struct mailbox *box, const uint8_t session[HAPPENING_BY_LEN]);
struct happening *mailbox_happenings_take(struct mailbox *box);

/* ---- folders ---------------------------------------------------------------------------------- */

MUST_CHECK int mailbox_folders(struct mailbox *box, struct arena *a, const Store__FoldersRequest *q,
                               Store__FoldersResponse *out);
/* (w) with the parents it needs. E_EXISTS, E_SYNTAX, E_LIMIT. */
MUST_CHECK int mailbox_folder_create(struct mailbox *box, struct arena *a, const Store__FolderRequest *q,
                                     Store__FoldersResponse *out);
/* (w) E_NOTFOUND, E_DENIED (INBOX). Children stay. */
MUST_CHECK int mailbox_folder_delete(struct mailbox *box, const Store__FolderRequest *q);
/* (w) with children; INBOX: its messages move to a new folder (RFC 9051 6.3.6). */
MUST_CHECK int mailbox_folder_rename(struct mailbox *box, const Store__RenameRequest *q);
/* (w) */
MUST_CHECK int mailbox_subscribe(struct mailbox *box, const Store__SubscribeRequest *q);
MUST_CHECK int mailbox_select(struct mailbox *box, struct arena *a, const Store__SelectRequest *q,
                              Store__SelectResponse *out);
/* Annotations (RFC 5464). E_NOTFOUND. */
MUST_CHECK int mailbox_metadata_get(struct mailbox *box, struct arena *a, const Store__MetadataGetRequest *q,
                                    Store__MetadataGetResponse *out);
/* (w) E_TOO_BIG: a value; E_LIMIT: too many, or too much together; E_RANGE: not a name. */
MUST_CHECK int mailbox_metadata_set(struct mailbox *box, const Store__MetadataSetRequest *q);
/* What happened since. claim_recent: \Recent of what is new goes to this session. */
MUST_CHECK int mailbox_sync(struct mailbox *box, struct arena *a, const Store__SyncRequest *q,
                            bool claim_recent, Store__SyncResponse *out);

/* UIDs of q->uid_ranges that went after q->since_modseq. */
MUST_CHECK int mailbox_vanished(struct mailbox *box, struct arena *a, const Store__VanishedRequest *q,
                                Store__VanishedResponse *out);

/* ---- messages --------------------------------------------------------------------------------- */

/* What can be done of storing a message without its mailbox: compressed, and read back. Rows that are too long
 * for it are left to the mailbox's writer (bytes 0). */
struct ready_row {
    int codec;
    size_t bytes;      /* before it was compressed */
    size_t like_bytes; /* of the message that it is compressed behind */
    struct buf data;
};
struct email_ready {
    size_t head_bytes; /* of the header block in `top` */
    struct ready_row top, raw, lines, words;
    struct ready_part *parts; /* part.h */
    size_t nparts;
};

/* A message to be stored, with what `content` said of it. All borrowed. */
struct email_in {
    const struct bytes_in *message; /* prepended fields and the bytes as received */
    const struct bytes_in *text;    /* for SEARCH, folded; the first text_header_bytes are header lines */
    uint64_t header_bytes, text_header_bytes;
    struct str structure;
    bool has_sent;
    int64_t sent_ms;
    int32_t sent_zone_min; /* east of UTC */
    struct str message_id;
    const struct str *references;
    size_t nreferences;
    struct str preview; /* RFC 8970, as people read it; STR_NONE: not known */
    const struct str *in_reply_to;
    size_t nin_reply_to;
    struct str subject_base; /* of threads */
    struct sort_in {         /* what SORT and THREAD compare: keys of lib/mime/collate.h */
        struct str subject, from, to, cc, display_from, display_to;
        bool reply;
    } sort;
    const struct email_ready *ready; /* of this very message, or NULL */
};
/* Any thread; reads e->message and e->text. What needs no database is done here, so that the mailbox's lane
 * has the rest only. Holds at most 3 MiB, and of a message above 2 MiB not its parts. E_RANGE, E_NOMEM: nothing
 * to release. */
MUST_CHECK int email_prepare(const struct email_in *e, struct email_ready *out);
void email_ready_release(struct email_ready *y);
/* Are these keywords? E_SYNTAX, E_LIMIT. */
MUST_CHECK int mailbox_keywords_check(char *const *names, size_t n);
/* Where it goes. */
struct placement {
    struct str folder; /* name */
    int special_use;   /* not 0: the folder that has it instead, made when there is none */
    uint32_t flags;
    char **keywords;
    size_t nkeywords;
    int64_t internal_ms;
    bool accepted; /* it was counted already, where it waited: no limit refuses it */
    bool limited;  /* the mailbox is known to have a limit */
    bool judge;    /* nobody put it there: the person's classifier may think of Junk otherwise (junk.h) */
};
/* (w) E_NOTFOUND: no such folder; E_LIMIT; E_FULL: UIDs ran out; E_QUOTA (quota.h). */
MUST_CHECK int mailbox_append(struct mailbox *box, const struct email_in *e, const struct placement *at,
                              Store__AppendResponse *out);
/* (w) */
MUST_CHECK int mailbox_flag_store(struct mailbox *box, struct arena *a, const Store__FlagStoreRequest *q,
                                  Store__FlagStoreResponse *out);
/* (w) E_QUOTA (quota.h): never for a move. */
MUST_CHECK int mailbox_copy(struct mailbox *box, struct arena *a, const Store__CopyRequest *q,
                            Store__CopyResponse *out);
/* (w) */
MUST_CHECK int mailbox_expunge(struct mailbox *box, struct arena *a, const Store__ExpungeRequest *q,
                               Store__ExpungeResponse *out);
MUST_CHECK int mailbox_search(struct mailbox *box, struct arena *a, const Store__SearchRequest *q,
                              Store__SearchResponse *out);

/* The first max_bytes of a message, appended, and when it came. E_GONE. */
MUST_CHECK int message_begin_read(struct mailbox *box, uint64_t folder_id, uint32_t uid, size_t max_bytes,
                                  struct buf *out, int64_t *internal_ms_out);

/* SORT and THREAD (RFC 5256) of what q->key found already: appended to out, as proto/store.proto has it.
 * E_LIMIT: more than can be sorted. */
MUST_CHECK int mailbox_sort(struct mailbox *box, const Store__SortRequest *q,
                            const Store__SearchResponse *found, struct buf *out, Store__OrderResponse *resp);
MUST_CHECK int mailbox_thread(struct mailbox *box, const Store__ThreadRequest *q,
                              const Store__SearchResponse *found, struct buf *out,
                              Store__OrderResponse *resp);

/* FETCH in slices. The cursor owns copies of all it needs, and is good across handles and commits. */
struct fetch {
    uint64_t folder_id, offset, length, first_offset, changed_since;
    uint32_t want;
    struct uidset uids;
    size_t range;      /* index into uids.v of the range that is next */
    uint32_t uid;      /* next UID to look at; 0: begin of the range */
    uint64_t at, left; /* of the message under way: next byte, bytes still to come */
    bool in_message, began;
    bool keywords; /* some message of the folder has one: of the slice under way */
};
/* Keep those UIDs only that changed after changed_since, which is 0 then: by the index, not row by row. */
MUST_CHECK int fetch_narrow(struct mailbox *box, struct fetch *f);
MUST_CHECK int fetch_init(struct fetch *f, const Store__FetchRequest *q);
void fetch_release(struct fetch *f);
/* Append records to out until about `room` bytes are there (a record more may follow; never more than
 * 64 KiB + a Row beyond). 1: there is more; 0: done; E_GONE: the message under way was removed. */
MUST_CHECK int mailbox_fetch(struct mailbox *box, struct fetch *f, size_t room, struct buf *out);

/* ---- care ------------------------------------------------------------------------------------- */

/* Parts that are stored once: are they what their hashes say, and counted as often as emails name them?
 * Begin with { 0 }; each call reads about budget_bytes (of parts; the first call looks at every email's
 * map as well) and may come from a reader at any time. 1: there is more; 0: done, all of it is sound when
 * the wrong and the missing are 0. */
struct parts_check {
    int64_t next; /* part to go on with */
    bool counted;
    uint64_t parts, bytes; /* looked at */
    uint64_t wrong_bytes, wrong_counts, wrong_maps, missing;
};
MUST_CHECK int mailbox_parts_check(struct mailbox *box, uint64_t budget_bytes, struct parts_check *c);

/* ---- exactly once ----------------------------------------------------------------------------- */

/* 1 and the stored answer appended to result; 0: not seen. E_DENIED: it was another request. */
MUST_CHECK int mailbox_operation_find(struct mailbox *box, struct str id, uint32_t op, struct buf *result);
/* (w) */
MUST_CHECK int mailbox_operation_note(struct mailbox *box, struct str id, uint32_t op, struct str result);
/* 1: this delivery was made already; 0: not. */
MUST_CHECK int mailbox_delivery_find(struct mailbox *box, struct str id);
/* (w) E_EXISTS */
MUST_CHECK int mailbox_delivery_note(struct mailbox *box, struct str id);
/* Up to which record a temporary mailbox (by its file's generation) has come in; 0: none. */
MUST_CHECK int mailbox_drained_get(struct mailbox *box, uint64_t file_generation, uint64_t *seq_out);
/* (w) seq 0: the file is gone, forget it. */
MUST_CHECK int mailbox_drained_set(struct mailbox *box, uint64_t file_generation, uint64_t seq);
#endif
