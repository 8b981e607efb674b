/* src/imap/special_use.h: the names of RFC 6154 and RFC 8457 for the store's SpecialUse. */
#ifndef SRC_IMAP_SPECIAL_USE_H
#define SRC_IMAP_SPECIAL_USE_H
#include "lib/base/str.h"
#include "proto/store.pb-c.h"

static const char *const special_use_names[] = {
    [STORE__SPECIAL_USE__USE_ALL] = "All",       [STORE__SPECIAL_USE__USE_ARCHIVE] = "Archive",
    [STORE__SPECIAL_USE__USE_DRAFTS] = "Drafts", [STORE__SPECIAL_USE__USE_FLAGGED] = "Flagged",
    [STORE__SPECIAL_USE__USE_JUNK] = "Junk",     [STORE__SPECIAL_USE__USE_SENT] = "Sent",
    [STORE__SPECIAL_USE__USE_TRASH] = "Trash",   [STORE__SPECIAL_USE__USE_IMPORTANT] = "Important",
};

/* "Drafts", without the backslash; NULL for none. */
static inline const char *special_use_name(Store__SpecialUse u)
{
    return (size_t)u < ARRAY_LEN(special_use_names) ? special_use_names[u] : NULL;
}

static inline bool special_use_of(struct str name, Store__SpecialUse *out)
{
    for (size_t i = 1; i < ARRAY_LEN(special_use_names); i++) {
        if (special_use_names[i] && str_ieq_z(name, special_use_names[i])) {
            *out = (Store__SpecialUse)i;
            return true;
        }
    }
    return false;
}
#endif
