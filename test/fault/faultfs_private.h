/* test/fault/faultfs_private.h: the journal, written by hooks.c and read by faultfs.c. */
#ifndef TEST_FAULT_FAULTFS_PRIVATE_H
#define TEST_FAULT_FAULTFS_PRIVATE_H
#include "test/fault/faultfs.h"
#include <sys/types.h>

#define NO_NODE UINT32_MAX

/* A file or folder; node 0 is the root. A number used again by the kernel is another node. */
struct node {
    dev_t dev;
    ino_t ino;
    bool folder, gone, shm;
    uint8_t *base; /* the content at faultfs_start */
    size_t base_n;
};

struct entry { /* a name in a folder */
    uint32_t folder, node;
    char *name;
};

struct names {
    struct entry *list;
    size_t n;
};

enum op_kind { OP_WRITE, OP_TRUNCATE, OP_SYNC, OP_SYNC_FOLDER, OP_LINK, OP_UNLINK, OP_RENAME, OP_ACK };

struct op {
    enum op_kind kind;
    uint32_t node, folder, folder2; /* folder2, name2: where a rename goes */
    char *name, *name2;
    uint64_t at; /* offset, length, or the value of an ack */
    uint8_t *data;
    size_t n;
};

struct journal {
    bool on, replaying; /* replaying: real syncs would only cost time */
    struct node *nodes;
    size_t n_nodes;
    struct names base, live; /* at the start, now */
    struct op *ops;
    size_t n_ops;
    unsigned fail_calls;
    size_t fail_nth, calls, failures;
    int fail_errno;
    bool fail_for_good;
};
extern struct journal journal;

/* The hooks' half; all under the lock. */
void journal_lock(void);
void journal_unlock(void);
uint32_t node_new(dev_t dev, ino_t ino, bool folder);
uint32_t node_find(dev_t dev, ino_t ino);
struct op *op_add(enum op_kind kind);
uint32_t names_find(const struct names *ns, uint32_t folder, const char *name);
void names_set(struct names *ns, uint32_t folder, const char *name, uint32_t node); /* NO_NODE removes */
void *must_alloc(void *old, size_t n);
char *must_dup(const char *z);
#endif
