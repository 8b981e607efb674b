/* lib/port/eml_index.h
 *
 * What the indexes of a zip of letters say of its messages (index/NUMBER.jsonl, doc/export.md), by the name of each file. Some
 * forty bytes a message: names are hashed, folders and keywords kept once. The zip is anybody's: there are no more rows than
 * it has room for entries, and no more text than a zip of that size should unpack to. */
#ifndef LIB_PORT_EML_INDEX_H
#define LIB_PORT_EML_INDEX_H
#include "lib/port/port.h"

extern const struct eml_flag {
    uint32_t flag;
    const char *name;
} eml_flags[5];

struct eml_index; /* opaque */
/* Of a zip of so many bytes. */
struct eml_index *eml_index_new(uint64_t zip_bytes);
void eml_index_free(struct eml_index **x);
/* Lines of one index; what is no line of ours is passed over, of two for one file the later counts. E_LIMIT, E_NOMEM. */
MUST_CHECK int eml_index_add(struct eml_index *x, struct str text);
/* Fills folder, number, flags, keywords (`keywords` has room for PORT_KEYWORDS_MAX) and the date; all of it borrowed. False: the
 * indexes do not name it. */
bool eml_index_find(const struct eml_index *x, const char *file, struct str *keywords,
                    struct port_message *out);
#endif
