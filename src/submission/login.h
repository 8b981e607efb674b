/* src/submission/login.h
 *
 * AUTH (RFC 4954): PLAIN (RFC 4616) and LOGIN, as a dialogue of lines. Knows no session and keeps nothing but the
 * name between LOGIN's two answers. Pure; secrets are wiped. */
#ifndef SRC_SUBMISSION_LOGIN_H
#define SRC_SUBMISSION_LOGIN_H
#include "lib/base/str.h"

#define LOGIN_LINE_MAX     12288u /* RFC 4954 4: of a response */
#define LOGIN_ADDRESS_MAX  320u
#define LOGIN_PASSWORD_MAX 1024u

enum login_step {
    LOGIN_ASK,       /* say 334 and `challenge`, and give the next line to login_line */
    LOGIN_TRY,       /* address and password are there */
    LOGIN_MECHANISM, /* 504 */
    LOGIN_SYNTAX,    /* 501 */
    LOGIN_CANCELLED, /* 501 */
    LOGIN_OTHER,     /* 535: nobody acts for another (RFC 4616 2) */
};

struct login {
    enum login_wants { LOGIN_NONE, LOGIN_PLAIN, LOGIN_NAME, LOGIN_SECRET } wants;
    const char *challenge; /* base64; may be empty */
    char address[LOGIN_ADDRESS_MAX + 1], password[LOGIN_PASSWORD_MAX + 1];
    size_t address_n, password_n;
};

/* "AUTH" and then this: mechanism, and maybe the first response ("=" is an empty one). */
enum login_step login_begin(struct login *l, struct str args);
enum login_step login_line(struct login *l, struct str line);
void login_wipe(struct login *l);
static inline struct str login_address(const struct login *l)
{
    return (struct str){ l->address, l->address_n };
}
static inline struct str login_password(const struct login *l)
{
    return (struct str){ l->password, l->password_n };
}
#endif
