/* src/store/bytes.h
 *
 * Bytes to be stored, read in slices from wherever they wait: memory, a spool, one behind the other.
 * Embedded and borrowed; reads may come from a worker. */
#ifndef SRC_STORE_BYTES_H
#define SRC_STORE_BYTES_H
#include "lib/base/str.h"

struct bytes_in {
    uint64_t bytes;
    /* Exactly [off, off + n) to p; the caller stays within `bytes`. 0 or E_*. May block. */
    int (*read)(const struct bytes_in *in, uint64_t off, void *p, size_t n);
};

struct bytes_mem {
    struct bytes_in in;
    struct str s;
};
struct bytes_in *bytes_mem_init(struct bytes_mem *m, struct str s);

/* head, then tail. */
struct bytes_cat {
    struct bytes_in in;
    struct str head;
    const struct bytes_in *tail;
};
struct bytes_in *bytes_cat_init(struct bytes_cat *c, struct str head, const struct bytes_in *tail);

MUST_CHECK int bytes_read(const struct bytes_in *in, uint64_t off, void *p, size_t n);
#endif
