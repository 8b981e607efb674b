#include "src/submission/service.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/hex.h"
#include "lib/base/log.h"
#include "lib/base/rand.h"
#include "src/common/counts.h"

static const struct smtp_reply
    say_in = { 235, "2.7.0", "Logged in" },
    no_helo = { 503, "5.5.1", "Say EHLO first" }, no_now = { 503, "5.5.1", "Not during a message" },
    no_twice = { 503, "5.5.1", "Logged in already" },
    no_clear = { 538, "5.7.11", "Passwords are not sent in the clear: STARTTLS first" },
    no_mechanism = { 504, "5.5.4", "PLAIN and LOGIN are the mechanisms here" },
    no_syntax = { 501, "5.5.2", "That is no answer to this mechanism" },
    no_cancelled = { 501, "5.0.0", "Cancelled" }, no_long = { 500, "5.5.6", "Line too long" },
    no_match = { 535, "5.7.8", "Address or password is wrong" },
    no_other = { 535, "5.7.8", "Nobody can act for another" },
    no_login_now = { 454, "4.7.0", "Temporary trouble on our side, try later" },
    no_guessing = { 421, "4.7.0", "Too many wrong passwords, closing" },
    no_tls = { 530, "5.7.0", "Must issue a STARTTLS command first" },
    no_login = { 530, "5.7.0", "Authentication required" },
    no_hold = { 501, "5.5.4", "A message is held for 30 days at most" },
    no_sender = { 553, "5.7.1", "The envelope sender (MAIL FROM) is not an address of yours" },
    no_author = { 550, "5.7.1", "From or Sender holds an address that is not yours" },
    no_later = { 451, "4.3.0", "Temporary trouble on our side, try later" },
    no_loop = { 554, "5.4.6", "Too many hops: this message goes in circles" },
    no_total = { 452, "4.5.3", "Too much for so many recipients: send fewer at a time" };

/* RFC 5322 3.6.2 */
static const struct smtp_reply faults[] = {
    [LETTER_NO_FROM] = { 550, "5.6.0", "The message has no From with an address (RFC 5322 3.6)" },
    [LETTER_MANY_FROM] = { 550, "5.6.0", "The message has more than one From (RFC 5322 3.6)" },
    [LETTER_MANY_SENDER] = { 550, "5.6.0", "The message has more than one Sender (RFC 5322 3.6)" },
    [LETTER_NO_SENDER] = { 550, "5.6.0", "Several authors in From need a Sender (RFC 5322 3.6.2)" },
    [LETTER_BAD_ADDRESS] = { 550, "5.6.0", "From or Sender holds what is no address (RFC 5322 3.6.2)" },
    [LETTER_TOO_MANY] = { 550, "5.6.0", "Too many authors in From" },
};

/* ---- logging in ---- */

static void wipe(struct str s)
{
    if (s.n)
        explicit_bzero((char *)(uintptr_t)s.p, s.n);
}

static void leave_dialogue(struct smtp_session *s)
{
    s->lines.line.max = SMTP_COMMAND_MAX;
    if (s->state != SMTP_ST_COMMAND)
        smtp_enter(s, SMTP_ST_COMMAND);
}

static void refuse(struct smtp_session *s, const struct smtp_reply *no)
{
    leave_dialogue(s);
    smtp_refuse(s, no);
}

/* Wrong ones are counted by connection; the store counts them by network and address, and makes them wait. */
static void wrong(struct smtp_session *s, const struct smtp_reply *no)
{
    struct submission_own *o = submission_own(s);

    count_one(COUNT_LOGINS_BAD);
    log_event(LOG_INFO, "submission.login_refused", F_Z("sid", s->sid), F_U64("times", o->failed + 1));
    if (++o->failed < o->conf->max_logins) {
        refuse(s, no);
        return;
    }
    leave_dialogue(s);
    smtp_say(s, no);
    if (s->state != SMTP_ST_CLOSED)
        smtp_say_last(s, &no_guessing, "logins");
}

static void ask(struct smtp_session *s, const char *challenge)
{
    CLEANUP(buf_release) struct buf line = { .max = 100 };

    s->lines.line.max = LOGIN_LINE_MAX;
    smtp_enter(s, SMTP_ST_AUTH);
    if (buf_printf(&line, "334 %s\r\n", challenge) < 0 || s->io->reply(s->ctx, buf_str(&line)) < 0)
        smtp_close(s);
}

static void step(struct smtp_session *s, enum login_step what)
{
    struct submission_own *o = submission_own(s);

    switch (what) {
    case LOGIN_ASK: ask(s, o->login.challenge); return;
    case LOGIN_MECHANISM: refuse(s, &no_mechanism); return;
    case LOGIN_SYNTAX: refuse(s, &no_syntax); return;
    case LOGIN_CANCELLED: refuse(s, &no_cancelled); return;
    case LOGIN_OTHER: wrong(s, &no_other); return;
    case LOGIN_TRY: break;
    }
    s->lines.line.max = SMTP_COMMAND_MAX;
    smtp_enter(s, SMTP_ST_LOGIN);
    if (o->io->login(o->ctx, login_address(&o->login), login_password(&o->login)) < 0)
        refuse(s, &no_login_now);
    login_wipe(&o->login);
}

static void auth(struct smtp_session *s, const struct smtp_command *c)
{
    struct submission_own *o = submission_own(s);
    const struct smtp_reply *no = !s->esmtp     ? &no_helo
                                  : s->in_mail  ? &no_now
                                  : *o->address ? &no_twice
                                  : !s->tls     ? &no_clear
                                                : NULL;

    if (no)
        smtp_refuse(s, no);
    else
        step(s, login_begin(&o->login, c->arg));
    wipe(c->arg);
}

static void line(struct smtp_session *s, struct str text)
{
    struct submission_own *o = submission_own(s);

    if (!text.p) {
        login_wipe(&o->login);
        refuse(s, &no_long);
        return;
    }
    step(s, login_line(&o->login, text));
    wipe(text);
}

void submission_logged_in(struct smtp_session *s, int status, const struct submission_sender *who)
{
    struct submission_own *o = submission_own(s);

    if (s->state != SMTP_ST_LOGIN)
        return;
    if (status == 0 && who->mailbox.address.n > LOGIN_ADDRESS_MAX)
        status = E_LIMIT;
    if (status == E_AUTH) {
        wrong(s, &no_match);
        return;
    }
    if (status < 0) {
        count_one(COUNT_LOGINS_LATER);
        log_event(LOG_WARN, "submission.login_failed", F_Z("sid", s->sid), F_ERR(status));
        refuse(s, &no_login_now);
        return;
    }
    memcpy(o->address, who->mailbox.address.p, who->mailbox.address.n);
    o->address[who->mailbox.address.n] = '\0';
    o->as_domain = who->as_domain;
    o->copy = who->copy;
    memcpy(o->language, who->language, sizeof o->language);
    count_one(COUNT_LOGINS_GOOD);
    leave_dialogue(s);
    smtp_say(s, &say_in);
}

/* ---- the envelope ---- */

static int offer(const struct smtp_session *s, struct buf *text)
{
    char until[CLOCK_ISO_LEN + 1];

    clock_iso(clock_wall_ms() + (int64_t)SUBMISSION_HOLD_MAX_S * 1000, until);
    return buf_printf(text, "\nDSN\nDELIVERBY\nMT-PRIORITY\nFUTURERELEASE %u %.19sZ%s", SUBMISSION_HOLD_MAX_S,
                      until, s->tls ? "\nREQUIRETLS\nAUTH PLAIN LOGIN" : "");
}

static bool plain_ascii(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] > 127)
            return false;
    return true;
}

/* Certainly not his: what has more than one way to be written is left to the directory, after the data. */
static bool foreign_sender(const struct submission_own *o, const struct smtp_path *p)
{
    CLEANUP(buf_release) struct buf text = { .max = 2 * SMTP_PATH_MAX };
    struct str local, domain, own_local, own_domain;

    if (smtp_path_is_null(p) || smtp_path_print(p, &text) < 0 || !plain_ascii(buf_str(&text)) ||
        !plain_ascii(str_from(o->address)) || str_find(buf_str(&text), STR("xn--")) >= 0)
        return false;
    if (!str_cut(buf_str(&text), '@', &local, &domain) ||
        !str_cut(str_from(o->address), '@', &own_local, &own_domain))
        return true;
    return !str_ieq(domain, own_domain) || (!o->as_domain && !str_ieq(local, own_local));
}

static bool mail(struct smtp_session *s, const struct smtp_command *c)
{
    struct submission_own *o = submission_own(s);
    int64_t until = c->release.hold_until_ms;
    const struct smtp_reply *no = NULL;

    if (!*o->address)
        no = s->tls ? &no_login : &no_tls;
    else if (foreign_sender(o, &c->path))
        no = &no_sender;
    else if (c->release.hold_s > SUBMISSION_HOLD_MAX_S ||
             until > clock_wall_ms() + (int64_t)(SUBMISSION_HOLD_MAX_S + 60) * 1000)
        no = &no_hold; /* RFC 4865 4 */
    if (no)
        smtp_refuse(s, no);
    return !no;
}

/* ---- the bytes ---- */

static void forget(struct smtp_session *s)
{
    struct submission_own *o = submission_own(s);

    if (o->has_letter)
        letter_release(&o->letter);
    o->has_letter = o->asked = o->known = o->counted = false;
    o->no = NULL;
}

static void begin(struct smtp_session *s)
{
    struct submission_own *o = submission_own(s);

    forget(s);
    letter_init(&o->letter, s->hostname);
    o->has_letter = true;
}

static int feed(struct smtp_session *s, struct str in, struct str *out)
{
    return letter_feed(&submission_own(s)->letter, in, out);
}

static int end(struct smtp_session *s, struct str *out)
{
    return letter_end(&submission_own(s)->letter, out);
}

/* ---- the verdict ---- */

static const struct smtp_reply *look(const struct smtp_session *s, const struct letter *l)
{
    if (l->fault != LETTER_OK)
        return &faults[l->fault];
    if (s->m.scan.received >= s->conf->max_received)
        return &no_loop;
    return s->m.nrcpt && s->m.bytes > s->conf->max_total_bytes / s->m.nrcpt ? &no_total : NULL;
}

static bool settled(struct smtp_session *s)
{
    struct submission_own *o = submission_own(s);
    struct str as[SUBMISSION_AS_MAX];
    size_t n = 0;

    if (o->asked)
        return o->known;
    o->asked = true;
    if ((o->no = look(s, &o->letter))) {
        o->known = true;
        return true;
    }
    o->sender_said = s->m.sender_address.n > 0;
    if (o->sender_said)
        as[n++] = s->m.sender_address;
    for (size_t i = 0; i < o->letter.nas; i++)
        as[n++] = o->letter.as[i];
    if (o->io->sender(o->ctx, as, n, s->m.nrcpt) == 0)
        return false;
    o->no = &no_later;
    o->known = true;
    return true;
}

static void give_up(struct smtp_session *s)
{
    submission_own(s)->no = &no_later;
    submission_own(s)->known = true;
}

static const struct smtp_reply *refusal_of_limit(struct submission_own *o,
                                                 const struct submission_sender *who)
{
    char opens[CLOCK_ISO_LEN + 1];

    clock_iso(who->opens_ms, opens);
    snprintf(o->text, sizeof o->text,
             "The limit of %llu %s a day of this %s is reached; it opens again at %.19sZ",
             (unsigned long long)who->limit, who->of, who->scope, opens);
    o->built = (struct smtp_reply){ 450, "4.7.1", o->text };
    return &o->built;
}

static int mailbox_keep(struct smtp_session *s, const struct smtp_mailbox *from, struct smtp_mailbox *to)
{
    struct smtp_mailbox m = *from;

    m.id = arena_dup(&s->arena, from->id);
    m.address = arena_dup(&s->arena, from->address);
    for (size_t i = 0; i < from->nkey_states; i++)
        m.key_states[i] = arena_dup(&s->arena, from->key_states[i]);
    *to = m;
    return m.id.p && m.address.p ? 0 : E_NOMEM;
}

void submission_counted(struct smtp_session *s, int status, const struct submission_sender *who)
{
    struct submission_own *o = submission_own(s);

    if (s->state != SMTP_ST_CHECKING || o->known)
        return;
    o->known = true;
    if (status == E_AUTH)
        o->no = &no_login; /* the address has gone since */
    else if (status < 0)
        o->no = &no_later;
    else if (who->foreign)
        o->no = o->sender_said && who->foreign == 1 ? &no_sender : &no_author;
    else if (who->refused)
        o->no = refusal_of_limit(o, who);
    else if (o->counted = true, mailbox_keep(s, &who->mailbox, &o->sent) < 0)
        o->no = &no_later;
    if (status < 0)
        log_event(LOG_WARN, "submission.directory_failed", F_Z("sid", s->sid), F_ERR(status));
    smtp_checked(s);
}

/* RFC 6409 8.2, 8.3: what is missing is supplied. */
static int supply(struct smtp_session *s)
{
    CLEANUP(buf_release) struct buf text = { .max = KIB(2) };
    const struct submission_own *o = submission_own(s);
    struct str local, domain;
    uint8_t id[16];
    char hex[33];
    int r = 0;

    if (!o->letter.has_date &&
        ((r = buf_putz(&text, "Date: ")) < 0 || (r = trace_date(&text, s->m.received_ms)) < 0 ||
         (r = buf_putz(&text, "\r\n")) < 0))
        return r;
    rand_bytes(id, sizeof id);
    hex_encode(id, sizeof id, hex);
    str_cut(str_from(o->address), '@', &local, &domain);
    if (!o->letter.has_message_id &&
        (r = buf_printf(&text, "Message-ID: <%s@%.*s>\r\n", hex, STR_ARG(domain))) < 0)
        return r;
    s->m.auth_fields = text.n ? arena_dup(&s->arena, buf_str(&text)) : STR("");
    return s->m.auth_fields.p ? 0 : E_NOMEM;
}

static const struct smtp_reply *verdict(struct smtp_session *s, const char **why_out)
{
    struct submission_own *o = submission_own(s);

    *why_out = o->no == &o->built                           ? "limit"
               : o->no == &no_author || o->no == &no_sender ? "foreign"
                                                            : "letter";
    s->m.hop.authenticated = true;
    s->m.hop.hidden = !o->conf->show_client;
    if (!o->no && supply(s) < 0)
        o->no = &no_later;
    return o->no;
}

static struct str person(const struct smtp_session *s)
{
    return str_from(submission_own(s)->address);
}

static const struct smtp_service service = {
    .extensions = SMTP_EXT_SIZE | SMTP_EXT_8BITMIME | SMTP_EXT_SMTPUTF8 | SMTP_EXT_BINARYMIME |
                  SMTP_EXT_AUTH | SMTP_EXT_DSN | SMTP_EXT_REQUIRETLS | SMTP_EXT_HOLD | SMTP_EXT_PRIORITY |
                  SMTP_EXT_DELIVERBY,
    .relays = true,
    .fields_max = KIB(8),
    .offer = offer,
    .auth = auth,
    .line = line,
    .mail = mail,
    .begin = begin,
    .feed = feed,
    .end = end,
    .forget = forget,
    .settled = settled,
    .give_up = give_up,
    .person = person,
    .verdict = verdict,
};

void submission_serve(struct smtp_session *s, struct submission_own *own)
{
    s->service = &service;
    s->own = own;
}
