#include "src/submission/login.h"
#include "lib/base/errors.h"
#include <sodium.h>

#define PLAIN_MAX (2u * LOGIN_ADDRESS_MAX + LOGIN_PASSWORD_MAX + 2u)

void login_wipe(struct login *l)
{
    explicit_bzero(l, sizeof *l);
}

static enum login_step end(struct login *l, enum login_step step)
{
    if (step != LOGIN_ASK && step != LOGIN_TRY)
        login_wipe(l);
    return step;
}

/* Strict base64 of at most max bytes; what is longer is nobody's name or password. */
static bool decode(struct str in, char *out, size_t max, size_t *n_out)
{
    return sodium_base642bin((unsigned char *)out, max, in.p, in.n, NULL, n_out, NULL,
                             sodium_base64_VARIANT_ORIGINAL) == 0;
}

/* [authzid] NUL authcid NUL passwd */
static enum login_step plain(struct login *l, struct str in)
{
    struct str authzid, rest, address, password;
    char bin[PLAIN_MAX];
    enum login_step step = LOGIN_SYNTAX;
    size_t n = 0;

    if (decode(in, bin, sizeof bin, &n) && str_cut(str_of(bin, n), '\0', &authzid, &rest) &&
        str_cut(rest, '\0', &address, &password) && str_chr(password, '\0') < 0 && address.n && password.n &&
        address.n <= LOGIN_ADDRESS_MAX && password.n <= LOGIN_PASSWORD_MAX)
        step = authzid.n && !str_ieq(authzid, address) ? LOGIN_OTHER : LOGIN_TRY;
    if (step == LOGIN_TRY) {
        memcpy(l->address, address.p, l->address_n = address.n);
        memcpy(l->password, password.p, l->password_n = password.n);
    }
    explicit_bzero(bin, sizeof bin);
    return step;
}

static enum login_step ask(struct login *l, const char *challenge, enum login_wants wants)
{
    l->challenge = challenge;
    l->wants = wants;
    return LOGIN_ASK;
}

static enum login_step take(struct login *l, struct str in)
{
    switch (l->wants) {
    case LOGIN_PLAIN: return plain(l, in);
    case LOGIN_NAME:
        if (!decode(in, l->address, LOGIN_ADDRESS_MAX, &l->address_n) || l->address_n == 0 ||
            str_chr(login_address(l), '\0') >= 0)
            return LOGIN_SYNTAX;
        return ask(l, "UGFzc3dvcmQ6", LOGIN_SECRET);
    case LOGIN_SECRET:
        return decode(in, l->password, LOGIN_PASSWORD_MAX, &l->password_n) && l->password_n ? LOGIN_TRY
                                                                                            : LOGIN_SYNTAX;
    case LOGIN_NONE: break;
    }
    return LOGIN_SYNTAX;
}

enum login_step login_begin(struct login *l, struct str args)
{
    struct str mechanism, initial;
    bool has_initial = str_cut(args, ' ', &mechanism, &initial);

    login_wipe(l);
    if (str_ieq_z(mechanism, "PLAIN"))
        ask(l, "", LOGIN_PLAIN);
    else if (str_ieq_z(mechanism, "LOGIN"))
        ask(l, "VXNlcm5hbWU6", LOGIN_NAME);
    else
        return end(l, mechanism.n ? LOGIN_MECHANISM : LOGIN_SYNTAX);
    if (!has_initial)
        return LOGIN_ASK;
    if (initial.n == 0) /* RFC 4954 4: an empty one is written "=" */
        return end(l, LOGIN_SYNTAX);
    return end(l, take(l, str_eq_z(initial, "=") ? STR("") : initial));
}

enum login_step login_line(struct login *l, struct str line)
{
    return end(l, str_eq_z(line, "*") ? LOGIN_CANCELLED : take(l, line));
}
