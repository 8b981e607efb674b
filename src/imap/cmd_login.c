/* src/imap/cmd_login.c: LOGIN and AUTHENTICATE PLAIN (RFC 9051 6.2, RFC 4616, RFC 4959).
 *
 * The directory names the mailbox, the store opens it with the password: logging in is opening.
 * Whether the address or the password was wrong is not told, by words or by time. */
#include "src/imap/imap.h"
#include "src/common/counts.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include <sodium.h>

#define LOGINS_MAX   5u   /* failures, then the connection ends */
#define REFUSAL_MS   1500 /* from the command to its NO, whatever the reason */
#define PASSWORD_MAX 1024u
#define ADDRESS_MAX  320u

struct login {
    struct str address, password;
};

static void login_succeeded(struct imap_conn *c)
{
    char code[2100];

    count_one(COUNT_LOGINS_GOOD);
    imap_enter(c, IMAP_ST_AUTH);
    snprintf(code, sizeof code, "CAPABILITY %s", imap_capabilities(c));
    log_event(LOG_INFO, "imap.login", F_I64("took_ms", clock_mono_ms() - c->login_began_ms));
    imap_ok_code(c, code, "Welcome");
}

void imap_login_timer(struct imap_conn *c)
{
    c->login_wait = false;
    imap_fail_status(c, E_AUTH);
    if (++c->logins_failed >= LOGINS_MAX)
        imap_enter(c, IMAP_ST_LOGOUT);
    timer_set(&c->timer, 3 * (int64_t)c->srv->conf.login_timeout_ms);
    imap_continue(c);
}

/* Wrong password, no such address, no mailbox yet: one answer, one time. */
static void login_refused(struct imap_conn *c)
{
    int64_t left = c->login_began_ms + REFUSAL_MS - clock_mono_ms();

    count_one(COUNT_LOGINS_BAD);
    log_event(LOG_INFO, "imap.login_refused", F_Z("network", c->network));
    c->login_wait = true;
    timer_set(&c->timer, left > 0 ? left : 0);
}

static void login_failed(struct imap_conn *c, int status)
{
    if (status == E_AUTH || status == E_NOTFOUND || status == E_WEAK || status == E_SYNTAX) {
        login_refused(c);
        return;
    }
    count_one(COUNT_LOGINS_LATER);
    log_event(LOG_WARN, "imap.login_failed", F_ERR(status));
    if (status == E_LIMIT) { /* the password was right */
        imap_no(c, "LIMIT", "Too many connections to this mailbox at once");
        return;
    }
    imap_fail_status(c, status == E_BUG || status == E_CORRUPT || status == E_VERSION ? status : E_UNAVAIL);
}

static void attached(struct imap_conn *c, int status, struct str body)
{
    if (status == 0)
        status = imap_session_set(c, body);
    if (status < 0)
        login_failed(c, status);
    else
        login_succeeded(c);
}

static void resolved(struct imap_conn *c, int status, struct str body)
{
    struct login *l = c->step_data;
    Store__AttachRequest m = STORE__ATTACH_REQUEST__INIT;
    Directory__ResolveResponse *who = NULL;

    if (status == 0 && !(who = RPC_UNPACK(&c->arena, body, directory__resolve_response)))
        status = E_CORRUPT;
    if (status < 0) {
        login_failed(c, status);
        return;
    }
    if (who->result != DIRECTORY__RESOLVE_RESPONSE__RESULT__OK) {
        login_refused(c);
        return;
    }
    m.mailbox_id = who->mailbox_id;
    m.password = str_pb(l->password);
    m.n_key_states = who->n_key_states;
    m.key_states = who->key_states;
    m.network = c->network;
    m.limited = who->limited;
    if ((status = imap_ask_store(c, STORE__OP__ATTACH, &m.base, false, attached)) < 0)
        login_failed(c, status);
}

static int login(struct imap_conn *c, struct str address, struct str password)
{
    Directory__ResolveRequest m = DIRECTORY__RESOLVE_REQUEST__INIT;
    struct login *l = ARENA_NEW(&c->arena, struct login);

    c->login_began_ms = clock_mono_ms();
    if (!l)
        return E_NOMEM;
    if (address.n == 0 || address.n > ADDRESS_MAX || password.n == 0 || password.n > PASSWORD_MAX) {
        login_refused(c);
        return 0;
    }
    *l = (struct login){ address, password };
    c->step_data = l;
    m.address = str_pb(address);
    return imap_ask_directory(c, DIRECTORY__OP__RESOLVE, &m.base, resolved);
}

int imap_cmd_login(struct imap_conn *c, struct args *a)
{
    struct str address, password;
    int r;

    if ((r = args_sp(a)) < 0 || (r = args_astring(a, &address)) < 0 || (r = args_sp(a)) < 0 ||
        (r = args_astring(a, &password)) < 0 || (r = args_end(a)) < 0)
        return r;
    return login(c, address, password);
}

/* message = [authzid] NUL authcid NUL passwd (RFC 4616 2) */
static int sasl_plain(struct imap_conn *c, struct str base64)
{
    char *bin = arena_alloc(&c->arena, base64.n);
    struct str authzid, rest, address, password;
    size_t n;

    if (!bin)
        return E_NOMEM;
    if (str_eq_z(base64, "*"))
        return imap_bad(c, "Cancelled");
    if (sodium_base642bin((unsigned char *)bin, base64.n, base64.p, base64.n, NULL, &n, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        !str_cut(str_of(bin, n), '\0', &authzid, &rest) || !str_cut(rest, '\0', &address, &password) ||
        str_chr(password, '\0') >= 0)
        return imap_bad(c, "Expected the base64 of PLAIN's answer");
    if (authzid.n && !str_ieq(authzid, address))
        return imap_no(c, "AUTHORIZATIONFAILED", "Nobody can act for another");
    return login(c, address, password);
}

int imap_cmd_authenticate(struct imap_conn *c, struct args *a)
{
    struct str mechanism, initial;
    int r;

    if ((r = args_sp(a)) < 0 || (r = args_atom(a, &mechanism)) < 0)
        return r;
    if (!str_ieq_z(mechanism, "PLAIN"))
        return imap_no(c, "CANNOT", "Only PLAIN is offered");
    if (args_skip(a, ' ')) { /* SASL-IR; "=" is the empty answer (RFC 4959 3) */
        initial = str_skip(a->text, a->at);
        return sasl_plain(c, initial);
    }
    if ((r = args_end(a)) < 0)
        return r;
    cmdline_expect_line(&c->in);
    c->reading = IMAP_RD_SASL;
    c->busy = false;
    imap_plus(c, "");
    return 0;
}

void imap_sasl_line(struct imap_conn *c, struct str line)
{
    int r;

    c->busy = true;
    c->reading = IMAP_RD_COMMAND;
    if ((r = sasl_plain(c, line)) < 0)
        imap_fail_status(c, r);
}
