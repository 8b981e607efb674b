/* src/imap/fake_store.h
 *
 * A store and a directory for tests of the IMAP role: one mailbox in memory, no keys, no files. It
 * answers as proto/store.proto says, and can die and come back. */
#ifndef SRC_IMAP_FAKE_STORE_H
#define SRC_IMAP_FAKE_STORE_H
#include "lib/rpc/rpc.h"

struct imap_server;

struct fake_message {
    uint32_t uid, flags;
    uint64_t modseq, gone_at; /* gone_at: modseq of its end, 0: alive */
    char keyword[32];
    char *bytes;
    size_t n;
};

struct fake_store {
    struct loop *loop;
    struct rpc_server *server, *directory;
    struct imap_server *imap; /* its links are ours */
    struct rpc_peer *peer;
    struct fake_message messages[20];
    size_t n;
    uint32_t uidnext;
    uint64_t modseq, added_at[20];
    struct buf staged[8]; /* the eighth begins anew with the first */
    size_t nstaged;
    struct buf search;   /* the last search, as text */
    int refuse_reattach; /* E_*: the next REATTACH gets it */
    int fail_copy;       /* E_*: every COPY gets it */
    bool hold;           /* SEARCH is not answered until fake_let_go */
    struct rpc_req *held;
    unsigned attaches, reattaches, deaths;
    size_t die_after; /* bytes of FETCH, then the store dies; 0: never */
    size_t peak_unread;
    bool refuse_folders; /* FOLDERS says no */
    uint32_t watch;      /* what WATCH said last */
    uint32_t elsewhere;  /* messages in every folder but INBOX */
};

void fake_start(struct fake_store *f, struct loop *l, struct imap_server *imap);
void fake_stop(struct fake_store *f);
void fake_add(struct fake_store *f, const char *bytes, size_t n, uint32_t flags);
/* Somebody else's change: tell the session. */
void fake_changed(struct fake_store *f);
/* The same for another folder, by its id (INBOX is 7, then in the order of the list). */
void fake_changed_elsewhere(struct fake_store *f, uint64_t folder_id);
void fake_created(struct fake_store *f, struct str name);
void fake_let_go(struct fake_store *f);
/* kill -9, and back at once. */
void fake_die(struct fake_store *f);
#endif
