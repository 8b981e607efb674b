/* src/imap/metadata.h: annotations, as GETMETADATA and LIST tell them. */
#ifndef SRC_IMAP_METADATA_H
#define SRC_IMAP_METADATA_H
#include "src/imap/imap.h"

/* "* METADATA name (entry value …)", without the values longer than max_bytes; mailbox empty: the server. */
void metadata_write(struct imap_conn *c, struct str mailbox, Store__Annotation *const *v, size_t n,
                    uint64_t max_bytes);
MUST_CHECK int metadata_pack(struct arena *a, const struct str *v, size_t n, ProtobufCBinaryData **out);
#endif
