/* bench/store_box.h: mailboxes of the store for benches. */
#ifndef BENCH_STORE_BOX_H
#define BENCH_STORE_BOX_H
#include "bench/append.h"
#include "src/store/mailbox.h"

extern const struct append_ops store_box_ops;
struct mailbox *store_box_open(const char *folder, uint32_t box, uint32_t flags);
/* (w) Append as the store does, with what content says; every fourth begins a thread. */
MUST_CHECK int store_box_append(struct mailbox *box, const struct letter *l, uint64_t number);
/* Whatever waits for the text index; nothing where there is none. */
void store_box_index(struct mailbox *box);
/* Under which they all are. */
const uint8_t *store_box_key(void);
int mode_read(char **argv, int argc);
int mode_size(char **argv, int argc);
int mode_memory(char **argv, int argc);
int mode_open(char **argv, int argc);
int mode_folders(char **argv, int argc);
int mode_profile(char **argv, int argc);
int mode_pages(char **argv, int argc);
int mode_copy(char **argv, int argc);
#endif
