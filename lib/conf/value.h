/* lib/conf/value.h
 *
 * One value: text in, a field out, and back. Private to lib/conf. */
#ifndef LIB_CONF_VALUE_H
#define LIB_CONF_VALUE_H
#include "lib/conf/conf.h"

/* Parse `text` into the field of `item` at `field` (NULL: check only). Strings and lists go into `a`;
 * `base` is the start of relative paths (NULL: as written). E_SYNTAX, E_RANGE, E_NOMEM. */
MUST_CHECK int value_parse(const struct conf_item *item, struct str text, const char *base, struct arena *a,
                           void *field);
/* Canonical text of `text`, which value_parse has accepted. */
MUST_CHECK int value_print(const struct conf_item *item, struct str text, const char *base, struct buf *out);
/* The default as text. */
MUST_CHECK int value_default(const struct conf_item *item, struct buf *out);
/* "a number from 65536 to 1073741824 bytes": for messages and the manual. */
MUST_CHECK int value_expected(const struct conf_item *item, struct buf *out);
#endif
