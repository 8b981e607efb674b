/* src/directory/sending.h
 *
 * Who may send as whom, and how much a day: of an alias, its domain, its account. Blocks; knows rows, no requests. */
#ifndef SRC_DIRECTORY_SENDING_H
#define SRC_DIRECTORY_SENDING_H
#include "src/directory/accounts.h"

enum sending_kind { SENDING_ACCOUNT, SENDING_DOMAIN, SENDING_ALIAS, SENDING_KINDS };
#define SENDING_NOT_SAID     INT64_MIN
#define SENDING_NO_LIMIT     (-1)
#define SENDING_LANGUAGE_MAX 35u /* RFC 5646 4.4.1 */

/* One row; SENDING_NOT_SAID: the wider one decides. */
struct sending_rule {
    int64_t as_domain, copy, messages, recipients;
    char language[SENDING_LANGUAGE_MAX + 1]; /* empty: the wider one decides */
};
/* What holds for an alias. */
struct sending {
    bool as_domain, copy;
    char language[SENDING_LANGUAGE_MAX + 1];
    struct {
        int64_t id, messages, recipients; /* limits, or SENDING_NO_LIMIT */
    } of[SENDING_KINDS];
};
struct sending_refusal {
    enum sending_kind kind;
    bool of_recipients;
    uint64_t limit;
    int64_t opens_ms;
};

/* limits: what is configured for each kind, messages and recipients. E_NOTFOUND. */
MUST_CHECK int sending_of(struct db *db, uint64_t alias_id, const int64_t limits[SENDING_KINDS][2],
                          struct sending *out);
/* Count for today: 0, durable; E_QUOTA, nothing is counted and *no says why. back: they did not go after all. */
MUST_CHECK int sending_take(struct db *db, const struct sending *s, uint32_t messages, uint32_t recipients,
                            bool back, int64_t now_ms, struct sending_refusal *no);
/* `addr` for an alias, else `name`. What is SENDING_NOT_SAID in `set` stays as it was; `forget`: it is not said any
 * more. *out is what stands then. E_NOTFOUND. */
MUST_CHECK int sending_set(struct db *db, enum sending_kind kind, struct str name, const struct address *addr,
                           const struct sending_rule *set, const bool forget[5], struct sending_rule *out);
#endif
