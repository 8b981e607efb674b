/* src/pop3/commands.c: what the lines mean. A command is a row; it says where it may stand. */
#include "src/common/counts.h"
#include "lib/base/errors.h"
#include "lib/base/hex.h"
#include "lib/pop3/command.h"
#include "src/pop3/session.h"
#include <sodium.h>

#define IN(st)       BIT(POP3_ST_##st)
#define NEEDS_TLS    BIT(0) /* shows a password */
#define ADDRESS_MAX  320u
#define PASSWORD_MAX 1024u
#define LIST_BYTES   KIB(16) /* of a listing before we look whether the client reads */

static void bad_arguments(struct pop3_session *s)
{
    pop3_refuse(s, "The arguments are not those of this command");
}

/* The message whose number comes next in *rest; says why not. NULL then. */
static struct drop *message(struct pop3_session *s, struct str *rest, uint32_t *number_out)
{
    struct drop *m = NULL;
    int r = pop3_number(rest, number_out);

    if (r == E_SYNTAX)
        bad_arguments(s);
    else if (r < 0 || !(m = maildrop_get(&s->drop, *number_out)))
        pop3_refuse(s, "There is no such message");
    return m;
}

/* ---- AUTHORIZATION ---- */

static void capa_line(struct pop3_session *s, bool shown, const char *text)
{
    if (shown)
        pop3_say(s, text);
}

/* RFC 2449 5: what is true in this state, on this connection. */
static void cmd_capa(struct pop3_session *s, struct str rest UNUSED)
{
    bool in = s->state == POP3_ST_TRANSACTION;

    pop3_say(s, "+OK");
    pop3_say(s, "TOP");
    pop3_say(s, "UIDL");
    pop3_say(s, "RESP-CODES");
    pop3_say(s, "AUTH-RESP-CODE");
    pop3_say(s, "PIPELINING");
    pop3_say(s, "EXPIRE NEVER");
    pop3_sayf(s, "LOGIN-DELAY %llu", (unsigned long long)((s->conf->login_delay_ms + 999) / 1000));
    pop3_say(s, "UTF8 USER"); /* RFC 6856 2.1: names and passwords are UTF-8 */
    capa_line(s, s->tls && !in, "USER");
    capa_line(s, s->tls && !in, "SASL PLAIN");
    capa_line(s, s->tls_possible && !s->tls && !in, "STLS");
    pop3_say(s, "IMPLEMENTATION Letterlock");
    pop3_say(s, ".");
}

static void open_mailbox(struct pop3_session *s, struct str address, struct str password)
{
    if (address.n == 0 || address.n > ADDRESS_MAX || password.n == 0 || password.n > PASSWORD_MAX) {
        pop3_enter(s, POP3_ST_REFUSING);
        return;
    }
    pop3_enter(s, POP3_ST_OPENING);
    if (s->io->open(s->ctx, address, password) < 0)
        pop3_session_opened(s, POP3_OPEN_LATER);
}

static void cmd_user(struct pop3_session *s, struct str rest)
{
    arena_reset(&s->arena);
    s->user = STR_NONE;
    if (rest.n == 0 || rest.n > ADDRESS_MAX) {
        bad_arguments(s);
        return;
    }
    s->user = arena_dup(&s->arena, rest);
    pop3_say(s, "+OK"); /* whether it is there is not told (RFC 1939 13) */
}

static void cmd_pass(struct pop3_session *s, struct str rest)
{
    struct str user = s->user;

    if (user.n == 0) {
        pop3_refuse(s, "USER comes first");
        return;
    }
    s->user = STR_NONE;
    s->began_ms = s->io->now_ms(s->ctx);
    open_mailbox(s, user, rest);
}

/* message = [authzid] NUL authcid NUL passwd (RFC 4616 2) */
static void sasl_plain(struct pop3_session *s, struct str base64)
{
    char *bin = (arena_reset(&s->arena), arena_alloc(&s->arena, base64.n + 1));
    struct str authzid, rest, address, password;
    size_t n = 0;

    s->user = STR_NONE;
    s->began_ms = s->io->now_ms(s->ctx);
    if (!bin ||
        sodium_base642bin((unsigned char *)bin, base64.n + 1, base64.p, base64.n, NULL, &n, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        !str_cut(str_of(bin, n), '\0', &authzid, &rest) || !str_cut(rest, '\0', &address, &password) ||
        str_chr(password, '\0') >= 0) {
        if (s->state == POP3_ST_SASL)
            pop3_enter(s, POP3_ST_AUTHORIZATION);
        pop3_refuse(s, "Expected the base64 of PLAIN's answer");
        return;
    }
    if (authzid.n && !str_ieq(authzid, address)) {
        if (s->state == POP3_ST_SASL)
            pop3_enter(s, POP3_ST_AUTHORIZATION);
        pop3_refuse(s, "[AUTH] Nobody can act for another");
        return;
    }
    open_mailbox(s, address, password);
}

void pop3_sasl_line(struct pop3_session *s, struct str line)
{
    if (str_eq_z(line, "*")) { /* RFC 5034 4 */
        pop3_enter(s, POP3_ST_AUTHORIZATION);
        pop3_refuse(s, "Cancelled");
        return;
    }
    sasl_plain(s, line);
}

/* RFC 5034 4; the initial response, "=" when it is empty. */
static void cmd_auth(struct pop3_session *s, struct str rest)
{
    struct str mechanism, initial;

    if (rest.n == 0) { /* what old clients ask, and RFC 1734 did not forbid */
        pop3_say(s, "+OK");
        pop3_say(s, "PLAIN");
        pop3_say(s, ".");
        return;
    }
    if (!str_cut(rest, ' ', &mechanism, &initial))
        initial = STR_NONE;
    if (!str_ieq_z(mechanism, "PLAIN")) {
        pop3_refuse(s, "Only PLAIN is offered");
        return;
    }
    if (initial.n) {
        sasl_plain(s, str_eq_z(initial, "=") ? STR_NONE : initial);
        return;
    }
    pop3_enter(s, POP3_ST_SASL);
    pop3_say(s, "+ ");
}

/* RFC 2595 4. Clear text behind it would be taken for what came over TLS (CVE-2011-0411): the owner's
 * start_tls ends a connection that has any. */
static void cmd_stls(struct pop3_session *s, struct str rest UNUSED)
{
    if (s->tls) {
        pop3_refuse(s, "TLS is active already");
        return;
    }
    if (!s->tls_possible) {
        pop3_refuse(s, "[SYS/PERM] This server has no certificate");
        return;
    }
    s->stls = true;
    pop3_say(s, "+OK Begin TLS");
    if (s->state == POP3_ST_CLOSED)
        return;
    pop3_enter(s, POP3_ST_TLS);
    s->io->start_tls(s->ctx);
}

static void cmd_utf8(struct pop3_session *s, struct str rest UNUSED)
{
    s->utf8 = true; /* RFC 6856 2: what we send is UTF-8 as it is stored, with and without */
    pop3_say(s, "+OK UTF8 enabled");
}

/* ---- TRANSACTION ---- */

static void cmd_stat(struct pop3_session *s, struct str rest UNUSED)
{
    pop3_sayf(s, "+OK %zu %llu", s->drop.left, (unsigned long long)s->drop.bytes);
}

static int line_put(struct pop3_session *s, uint32_t number, const struct drop *m, const char *before)
{
    char id[2 * UIDL_BYTES + 1];

    if (!s->uidl)
        return buf_printf(&s->out, "%s%u %llu\r\n", before, number, (unsigned long long)m->bytes);
    hex_encode(m->id, UIDL_BYTES, id);
    id[2 * UIDL_BYTES] = '\0';
    return buf_printf(&s->out, "%s%u %s\r\n", before, number, id);
}

static bool put_out(struct pop3_session *s)
{
    int r = s->io->reply(s->ctx, buf_str(&s->out));

    buf_clear(&s->out);
    if (r == 0)
        return true;
    pop3_close(s);
    return false;
}

void pop3_list_go_on(struct pop3_session *s)
{
    while (s->state == POP3_ST_LISTING && !s->io->reply_full(s->ctx)) {
        while (s->next <= s->drop.n && s->out.n < LIST_BYTES) {
            struct drop *m = maildrop_get(&s->drop, s->next);

            if (m && line_put(s, s->next, m, "") < 0) {
                pop3_close(s);
                return;
            }
            s->next++;
        }
        if (s->next <= s->drop.n) {
            if (!put_out(s))
                return;
            continue;
        }
        if (buf_putz(&s->out, ".\r\n") < 0 || !put_out(s))
            return;
        pop3_enter(s, POP3_ST_TRANSACTION);
    }
}

static void list(struct pop3_session *s, struct str rest, bool uidl)
{
    uint32_t number;
    struct drop *m;

    s->uidl = uidl;
    if (rest.n) {
        if ((m = message(s, &rest, &number)) && (line_put(s, number, m, "+OK ") < 0 || !put_out(s)))
            pop3_close(s);
        return;
    }
    s->next = 1;
    pop3_enter(s, POP3_ST_LISTING);
    if (uidl)
        pop3_say(s, "+OK");
    else
        pop3_sayf(s, "+OK %zu messages, %llu octets", s->drop.left, (unsigned long long)s->drop.bytes);
    pop3_list_go_on(s);
}

static void cmd_list(struct pop3_session *s, struct str rest)
{
    list(s, rest, false);
}

static void cmd_uidl(struct pop3_session *s, struct str rest)
{
    list(s, rest, true);
}

static void fetch(struct pop3_session *s, struct drop *m, const uint32_t *uids, size_t n, uint64_t body_lines)
{
    s->message = m;
    s->sending = s->enough = false;
    stuff_init(&s->stuff, body_lines);
    pop3_enter(s, POP3_ST_FETCHING);
    if (s->io->fetch(s->ctx, uids, n, body_lines == STUFF_ALL && !m->seen) < 0)
        pop3_session_fetched(s, E_UNAVAIL);
}

/* A RETR that has come whole behind the one that runs, for a message that may follow `before` in one request. */
static struct drop *retr_behind(struct pop3_session *s, struct str *in, const struct drop *before)
{
    struct pop3_command c;
    struct drop *m;
    struct str line;
    uint32_t number;

    if (!str_cut(*in, '\n', &line, in) || !line.n || line.p[line.n - 1] != '\r' ||
        pop3_command_parse(str_slice(line, 0, line.n - 1), &c) < 0 || !str_ieq_z(c.keyword, "RETR") ||
        pop3_number(&c.rest, &number) < 0 || str_trim(c.rest).n)
        return NULL;
    m = maildrop_get(&s->drop, number);
    return m && m->uid > before->uid && m->seen == before->seen ? m : NULL;
}

static void cmd_retr(struct pop3_session *s, struct str rest)
{
    uint32_t number, uids[POP3_AHEAD_MAX];
    struct drop *m = message(s, &rest, &number), *next = m;
    struct str behind = s->behind;
    uint64_t bytes = 0;
    size_t n = 0;

    if (!m)
        return;
    do {
        uids[n++] = next->uid;
        bytes += next->bytes;
    } while (n < POP3_AHEAD_MAX && bytes < POP3_AHEAD_BYTES && (next = retr_behind(s, &behind, next)));
    fetch(s, m, uids, n, STUFF_ALL);
}

static void cmd_top(struct pop3_session *s, struct str rest)
{
    uint32_t number, lines;
    struct drop *m = message(s, &rest, &number);

    if (!m)
        return;
    if (pop3_number(&rest, &lines) < 0) /* RFC 1939 7: both are required */
        bad_arguments(s);
    else
        fetch(s, m, &m->uid, 1, lines);
}

static void cmd_dele(struct pop3_session *s, struct str rest)
{
    uint32_t number;
    struct drop *m = message(s, &rest, &number);

    if (!m)
        return;
    maildrop_delete(&s->drop, m);
    pop3_sayf(s, "+OK Message %u will be deleted", number);
}

static void cmd_noop(struct pop3_session *s, struct str rest UNUSED)
{
    pop3_say(s, "+OK");
}

static void cmd_rset(struct pop3_session *s, struct str rest UNUSED)
{
    maildrop_reset(&s->drop);
    pop3_sayf(s, "+OK %zu messages, %llu octets", s->drop.left, (unsigned long long)s->drop.bytes);
}

static void cmd_quit(struct pop3_session *s, struct str rest UNUSED)
{
    if (s->state == POP3_ST_AUTHORIZATION) {
        pop3_say(s, "+OK Bye");
        pop3_close(s);
        return;
    }
    pop3_enter(s, POP3_ST_UPDATE);
    if (s->drop.left == s->drop.n)
        pop3_session_committed(s, 0);
    else if (s->io->commit(s->ctx) < 0)
        pop3_session_committed(s, E_UNAVAIL);
}

/* ---- the table ---- */

static const struct pop3_row {
    const char *keyword;
    void (*run)(struct pop3_session *s, struct str rest);
    uint32_t states, flags;
    unsigned args_max; /* 0: none may follow */
} rows[] = {
    { "CAPA", cmd_capa, IN(AUTHORIZATION) | IN(TRANSACTION), 0, 0 },
    { "USER", cmd_user, IN(AUTHORIZATION), NEEDS_TLS, 1 },
    { "PASS", cmd_pass, IN(AUTHORIZATION), NEEDS_TLS, 1 },
    { "AUTH", cmd_auth, IN(AUTHORIZATION), NEEDS_TLS, 2 },
    { "STLS", cmd_stls, IN(AUTHORIZATION), 0, 0 },
    { "UTF8", cmd_utf8, IN(AUTHORIZATION), 0, 0 },
    { "STAT", cmd_stat, IN(TRANSACTION), 0, 0 },
    { "LIST", cmd_list, IN(TRANSACTION), 0, 1 },
    { "UIDL", cmd_uidl, IN(TRANSACTION), 0, 1 },
    { "RETR", cmd_retr, IN(TRANSACTION), 0, 1 },
    { "TOP", cmd_top, IN(TRANSACTION), 0, 2 },
    { "DELE", cmd_dele, IN(TRANSACTION), 0, 1 },
    { "NOOP", cmd_noop, IN(TRANSACTION), 0, 0 },
    { "RSET", cmd_rset, IN(TRANSACTION), 0, 0 },
    { "QUIT", cmd_quit, IN(AUTHORIZATION) | IN(TRANSACTION), 0, 0 },
};

void pop3_run_line(struct pop3_session *s, struct str line)
{
    struct pop3_command c;
    const struct pop3_row *row = NULL;

    count_one(COUNT_COMMANDS);
    if (pop3_command_parse(line, &c) < 0) {
        pop3_refuse(s, "Unknown command");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(rows) && !row; i++)
        if (str_ieq_z(c.keyword, rows[i].keyword))
            row = &rows[i];
    if (!row)
        pop3_refuse(s, "Unknown command");
    else if (!(row->states & BIT(s->state)))
        pop3_refuse(s, s->state == POP3_ST_TRANSACTION ? "You are logged in already" : "Log in first");
    else if ((row->flags & NEEDS_TLS) && !s->tls)
        pop3_refuse(s, "[SYS/PERM] Start TLS first");
    else if (!row->args_max && str_trim(c.rest).n)
        bad_arguments(s);
    else
        row->run(s, c.rest);
}
