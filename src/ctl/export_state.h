/* src/ctl/export_state.h
 *
 * How far an export is: "OUTPUT.resume", a line for each folder. Written now and then, after what it speaks of is on the disk;
 * removed at the end. It stands in the clear: of a format that is encrypted it names no folder. */
#ifndef SRC_CTL_EXPORT_STATE_H
#define SRC_CTL_EXPORT_STATE_H
#include "lib/port/port.h"

#define EXPORT_FOLDERS_MAX 10000u

struct export_state_folder {
    uint64_t id, messages, bytes;
    uint32_t uidvalidity, uid; /* the last that is there */
    int64_t position;
    struct str name; /* "-" when `nameless` */
};
struct export_state {
    struct arena arena;
    struct export_state_folder *v; /* EXPORT_FOLDERS_MAX */
    size_t n;
    bool nameless; /* positions say which folder it is */
    char *path;
    char head[160]; /* its first line: what of */
};
/* E_NOTFOUND: none was begun (*out is there all the same); E_STALE: of something else. */
MUST_CHECK int export_state_read(const char *output, enum port_format f, const uint8_t whose[32],
                                 struct export_state **out);
struct export_state_folder *export_state_find(struct export_state *s, uint64_t id);
/* The largest position of all. */
int64_t export_state_farthest(const struct export_state *s);
/* A new one. NULL: too many, or no memory. */
struct export_state_folder *export_state_add(struct export_state *s, uint64_t id, uint32_t uidvalidity,
                                             struct str name);
/* What a write left that was killed. */
MUST_CHECK int export_state_sweep(const struct export_state *s);
MUST_CHECK int export_state_write(const struct export_state *s);
void export_state_free(struct export_state **s, bool finished); /* finished: the file goes */
#endif
