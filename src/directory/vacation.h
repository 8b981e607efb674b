/* src/directory/vacation.h: what who writes to an alias is answered while its owner is away. */
#ifndef SRC_DIRECTORY_VACATION_H
#define SRC_DIRECTORY_VACATION_H
#include "src/directory/accounts.h"

#define VACATION_SUBJECT_MAX 500u
#define VACATION_TEXT_MAX    8192u

struct vacation {
    struct str subject, text;
    int64_t begins_ms, ends_ms, made_ms; /* 0: open */
};

/* 1 with *out in the arena, 0: it has none. */
MUST_CHECK int vacation_get(struct db *db, struct arena *a, uint64_t alias_id, struct vacation *out);
/* E_RANGE: too long, empty, or it ends before it begins; E_SYNTAX: no UTF-8, or controls in the subject. */
MUST_CHECK int vacation_set(struct db *db, uint64_t alias_id, const struct vacation *v);
MUST_CHECK int vacation_off(struct db *db, uint64_t alias_id);
#endif
