/* lib/port/tree.h
 *
 * Folders of mail as files in folders: their names, making them, finding them again. */
#ifndef LIB_PORT_TREE_H
#define LIB_PORT_TREE_H
#include "lib/port/port.h"

/* "Work/Sub" as a path whose levels are encoded and joined by `sep`; and back. */
MUST_CHECK int tree_path(struct str name, char sep, struct buf *out);
MUST_CHECK int tree_name(struct str path, char sep, struct buf *out); /* E_SYNTAX */
/* A new, or empty, folder, opened. E_EXISTS. */
MUST_CHECK int tree_new(const char *path, int *fd_out);
/* The same, or one that has something in it. */
MUST_CHECK int tree_open(const char *path, bool again, int *fd_out);
/* The folders above `path`, made where they are not there. */
MUST_CHECK int tree_parents(int root, const char *path);

struct tree_list {
    char **v; /* paths from the root, sorted */
    size_t n, cap;
    struct arena arena;
};
/* A file: its folder is the root, and the list has it alone. A folder: all regular files in it, at any depth, whose names
 * end so. E_NOTFOUND. *bytes_out: of all. Symbolic links are not followed. */
MUST_CHECK int tree_read(const char *path, const char *end, int *root_out, struct tree_list *out,
                         uint64_t *bytes_out);
MUST_CHECK int tree_list_add(struct tree_list *l, const char *path);
void tree_list_sort(struct tree_list *l);
void tree_list_release(struct tree_list *l);
#endif
