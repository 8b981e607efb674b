/* src/directory/url.h: the URLs that a webhook may have. Whether the host may be dialled is the relay's to say. */
#ifndef SRC_DIRECTORY_URL_H
#define SRC_DIRECTORY_URL_H
#include "lib/base/arena.h"

/* https://host[:port][/path][?query], printable ASCII, no user, no fragment but "#raw"; scheme and host in lower case. E_SYNTAX; E_DENIED:
 * http, and `http` is false. */
MUST_CHECK int url_clean(struct arena *a, struct str text, bool http, struct str *out);
#endif
