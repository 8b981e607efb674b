/* src/common/smtp_commands.c: one row a command. The row says what is true of it, smtp_run_line enforces it, and the
 * function starts where the interesting part starts. */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/log.h"
#include "src/common/counts.h"
#include "src/common/smtp_session.h"

#define SMTP_NEEDS_HELO BIT(0) /* 503 before EHLO or HELO */
#define SMTP_NEEDS_MAIL BIT(1) /* 503 outside a transaction */
#define SMTP_JUNK       BIT(2) /* brings no mail: too many end the session */
#define SMTP_ALONE      BIT(3) /* nothing may be pipelined behind it (RFC 2920 3.1); else we hang up */

static const struct smtp_reply
    say_ok = { 250, "2.0.0", "Ok" },
    say_sender_ok = { 250, "2.1.0", "Sender ok" }, say_rcpt_ok = { 250, "2.1.5", "Recipient ok" },
    say_bye = { 221, "2.0.0", "Bye" },
    say_help = { 214, "2.0.0",
                 "Commands: EHLO HELO MAIL RCPT DATA BDAT RSET NOOP VRFY HELP STARTTLS QUIT\n"
                 "See RFC 5321" },
    say_vrfy = { 252, "2.5.2", "Cannot tell, but send the message and see" },
    say_tls = { 220, "2.0.0", "Go ahead" }, no_expn = { 502, "5.5.1", "Lists are not shown" },
    no_xclient = { 500, "5.5.2", "Command not recognized" },
    no_auth = { 502, "5.5.1", "No login here: this port takes mail for its own users only" },
    no_tls = { 502, "5.5.1", "TLS is not configured" }, no_tls_twice = { 503, "5.5.1", "TLS is on already" },
    no_smtp = { 500, "5.5.1", "This is LMTP: say LHLO" },
    no_lmtp = { 500, "5.5.1", "This is SMTP: say EHLO" },
    no_chunks = { 502, "5.5.1", "No BDAT here: say DATA" },
    no_rcpt_lmtp = { 503, "5.5.1", "No valid recipients" }, /* RFC 2033 4.2 */
    no_helo = { 503, "5.5.1", "Say EHLO first" }, no_mail = { 503, "5.5.1", "Say MAIL FROM first" },
    no_nested = { 503, "5.5.1", "A message is under way already: RSET ends it" },
    no_rcpt = { 554, "5.5.1", "No valid recipients" },
    no_data_binary = { 503, "5.5.1", "A BINARYMIME message needs BDAT" },
    no_data_mixed = { 503, "5.5.1", "DATA cannot follow BDAT in one message" },
    no_sync = { 554, "5.5.0", "You spoke before our answer, closing" },
    no_junk = { 421, "4.7.0", "Too many commands without mail, closing" },
    no_size = { 552, "5.3.4", "Message too big" },
    no_more_rcpt = { 452, "4.5.3", "Too many recipients: send the rest in another message" },
    no_total = { 452, "4.5.3", "Too much for so many recipients: send the rest in another message" },
    no_alias = { 550, "5.1.1", "No such mailbox here" },
    no_relay = { 550, "5.7.1", "That domain is not ours: no relaying" },
    no_ready = { 450, "4.2.1", "That mailbox is not ready yet, try later" },
    no_later = { 451, "4.3.0", "Temporary trouble on our side, try later" },
    no_room = { 452, "4.2.2", "That mailbox is full, try later" },
    no_fit = { 552, "5.2.2", "That message is larger than all that mailbox may hold" },
    no_guessing = { 421, "4.7.0", "Too many unknown recipients, closing" };

static void cmd_hello(struct smtp_session *s, const struct smtp_command *c)
{
    CLEANUP(buf_release) struct buf text = { .max = KIB(2) };
    bool esmtp = c->verb != SMTP_HELO;
    int r;

    if (s->lmtp != (c->verb == SMTP_LHLO)) { /* RFC 2033 4.1: so that a misconfiguration shows */
        smtp_refuse(s, s->lmtp ? &no_smtp : &no_lmtp);
        return;
    }

    smtp_transaction_end(s); /* RFC 5321 4.1.4: EHLO clears all buffers as RSET does */
    arena_reset(&s->hello);
    s->helo = arena_dup(&s->hello, c->arg);
    s->esmtp = esmtp;
    if (s->service->hello)
        s->service->hello(s, c);
    r = buf_puts(&text, s->hostname);
    if (esmtp && r == 0)
        r = buf_printf(
            &text,
            "\nPIPELINING\nSIZE %llu\n%s8BITMIME\nSMTPUTF8\nENHANCEDSTATUSCODES\n%sLIMITS RCPTMAX=%llu",
            (unsigned long long)s->conf->max_message_bytes, s->tls_possible && !s->tls ? "STARTTLS\n" : "",
            s->lmtp ? "" : "CHUNKING\nBINARYMIME\n", (unsigned long long)s->conf->max_recipients);
    if (esmtp && r == 0 && s->service->offer)
        r = s->service->offer(s, &text);
    if (esmtp && r == 0)
        r = buf_putz(&text, "\nHELP");
    if (r < 0 || !s->helo.p)
        smtp_close(s);
    else
        smtp_say_text(s, 250, NULL, buf_str(&text));
}

static void cmd_mail(struct smtp_session *s, const struct smtp_command *c)
{
    if (s->in_mail) {
        smtp_refuse(s, &no_nested);
        return;
    }
    if (s->service->mail && !s->service->mail(s, c))
        return;
    if (c->size_bytes > s->conf->max_message_bytes) { /* RFC 1870 6.1 */
        smtp_say(s, &no_size);
        return;
    }
    snprintf(s->m.id, sizeof(s->m.id), "%s.%u", s->sid, s->messages + 1);
    if (smtp_message_start(&s->m, &s->arena, c) < 0) {
        smtp_say(s, &no_later);
        return;
    }
    s->messages++;
    s->m.each = s->lmtp;
    s->in_mail = true;
    s->dot = (struct dot){ .max_bytes = s->conf->max_message_bytes, .line_max = s->conf->max_line };
    s->bdat = (struct bdat){ .max_bytes = s->conf->max_message_bytes,
                             .line_max = s->conf->max_line,
                             .binary = c->body == SMTP_BODY_BINARYMIME };
    smtp_say(s, &say_sender_ok);
}

/* The address as we ask the directory for it: canonical, so that quoting makes no difference. */
static int directory_address(const struct smtp_session *s, const struct smtp_path *p, struct buf *out)
{
    const char *postmaster = s->conf->postmaster;

    if (p->domain.n) /* else <Postmaster>: RFC 5321 4.5.1 */
        return smtp_path_print(p, out);
    return buf_putz(out, postmaster && *postmaster ? postmaster : "postmaster");
}

static void cmd_rcpt(struct smtp_session *s, const struct smtp_command *c)
{
    CLEANUP(buf_release) struct buf address = { .max = SMTP_PATH_MAX * 2 };
    uint64_t size = s->m.size_declared;

    if (s->chunking) {
        smtp_refuse(s, &no_nested);
        return;
    }
    if (s->service->rcpt && !s->service->rcpt(s, c))
        return;
    if (s->m.nrcpt >= s->conf->max_recipients || s->m.nanswers >= s->conf->max_recipients) {
        smtp_say(s, &no_more_rcpt);
        return;
    }
    if (size && size > s->conf->max_total_bytes / (s->m.nrcpt + 1)) {
        smtp_say(s, &no_total);
        return;
    }
    s->pending_notify = c->dsn.notify;
    s->pending_orcpt = arena_dup(&s->arena, c->dsn.orcpt);
    if ((c->dsn.orcpt.n && !s->pending_orcpt.p) || smtp_path_dup(&s->arena, &c->path, &s->pending) < 0 ||
        directory_address(s, &c->path, &address) < 0 || s->io->resolve(s->ctx, buf_str(&address)) < 0) {
        smtp_say(s, &no_later);
        return;
    }
    smtp_enter(s, SMTP_ST_RESOLVING);
}

static void recipient_unknown(struct smtp_session *s, const struct smtp_reply *r)
{
    smtp_say(s, r);
    if (++s->unknown >= s->conf->max_unknown && s->state != SMTP_ST_CLOSED)
        smtp_say_last(s, &no_guessing, "unknown recipients");
    else
        smtp_slow_down(s);
}

void smtp_rcpt_taken(struct smtp_session *s, const struct smtp_reply *r)
{
    s->m.nanswers++;
    smtp_say(s, r);
}

static int recipient_add(struct smtp_session *s, const struct smtp_mailbox *box)
{
    struct smtp_recipient **at = s->m.last;
    int r = smtp_message_add(&s->m, &s->arena, &s->pending, box);

    if (r == 0 && *at) { /* else it was there already */
        (*at)->notify = s->pending_notify;
        (*at)->orcpt = s->pending_orcpt;
    }
    return r;
}

void smtp_session_resolved(struct smtp_session *s, int status, enum smtp_found found,
                           const struct smtp_mailbox *box)
{
    if (s->state != SMTP_ST_RESOLVING)
        return;
    smtp_enter(s, SMTP_ST_COMMAND);
    if (status < 0) { /* a broken part is "try later", never "no" */
        log_event(LOG_WARN, "mx.directory_failed", F_Z("sid", s->sid), F_ERR(status));
        smtp_say(s, &no_later);
        return;
    }
    s->noting = found == SMTP_FOUND && box ? box->address : STR_NONE;
    switch (found) {
    case SMTP_NO_DOMAIN:
        if (s->service->relays && s->pending.domain.n)
            break;
        recipient_unknown(s, &no_relay);
        return;
    case SMTP_NO_ALIAS: recipient_unknown(s, &no_alias); return;
    case SMTP_NOT_READY: smtp_say(s, &no_ready); return;
    case SMTP_FOUND: break;
    }
    if (found == SMTP_NO_DOMAIN)
        box = NULL;
    if ((s->service->accept && !s->service->accept(s)) || (s->service->take && s->service->take(s)))
        return;
    if (box && box->limited && s->m.size_declared > box->limit)
        smtp_say(s, &no_fit); /* for ever: nothing that is removed there would help */
    else if (box && box->limited && (box->room == 0 || s->m.size_declared > box->room))
        smtp_say(s, &no_room);
    else if (recipient_add(s, box) < 0)
        smtp_say(s, &no_later);
    else
        smtp_rcpt_taken(s, &say_rcpt_ok);
}

static void cmd_data(struct smtp_session *s, const struct smtp_command *c UNUSED)
{
    if (s->chunking)
        smtp_refuse(s, &no_data_mixed);
    else if (s->m.nrcpt == 0)
        smtp_refuse(s, s->lmtp ? &no_rcpt_lmtp : &no_rcpt);
    else if (s->m.body == SMTP_BODY_BINARYMIME) /* RFC 3030 3 */
        smtp_refuse(s, &no_data_binary);
    else
        smtp_data_start(s);
}

/* The octets of a chunk follow whatever we say to it (RFC 3030 2), so every refusal waits for them. */
static void cmd_bdat(struct smtp_session *s, const struct smtp_command *c)
{
    const struct smtp_reply *no = s->lmtp           ? &no_chunks
                                  : !s->esmtp       ? &no_helo
                                  : !s->in_mail     ? &no_mail
                                  : s->m.nrcpt == 0 ? &no_rcpt
                                                    : NULL;

    if (no)
        smtp_chunk_swallow(s, c->chunk_bytes, no);
    else
        smtp_chunk_start(s, c->chunk_bytes, c->chunk_last);
}

static void cmd_rset(struct smtp_session *s, const struct smtp_command *c UNUSED)
{
    smtp_transaction_end(s);
    smtp_say(s, &say_ok);
}

static void cmd_noop(struct smtp_session *s, const struct smtp_command *c UNUSED)
{
    smtp_say(s, &say_ok);
}

static void cmd_help(struct smtp_session *s, const struct smtp_command *c UNUSED)
{
    smtp_say(s, &say_help);
}

static void cmd_vrfy(struct smtp_session *s, const struct smtp_command *c UNUSED)
{
    smtp_say(s, &say_vrfy); /* RFC 5321 7.3: no oracle for address collectors */
}

static void cmd_xclient(struct smtp_session *s, const struct smtp_command *c)
{
    if (s->service->xclient && !s->in_mail)
        s->service->xclient(s, c->arg);
    else
        smtp_refuse(s, s->in_mail ? &no_nested : &no_xclient);
}

static void cmd_expn(struct smtp_session *s, const struct smtp_command *c UNUSED)
{
    smtp_refuse(s, &no_expn);
}

static void cmd_auth(struct smtp_session *s, const struct smtp_command *c)
{
    if (s->service->auth)
        s->service->auth(s, c);
    else
        smtp_refuse(s, &no_auth);
}

static void cmd_quit(struct smtp_session *s, const struct smtp_command *c UNUSED)
{
    smtp_say(s, &say_bye);
    smtp_close(s);
}

static void cmd_starttls(struct smtp_session *s, const struct smtp_command *c UNUSED)
{
    if (s->tls) {
        smtp_refuse(s, &no_tls_twice);
        return;
    }
    if (!s->tls_possible) {
        smtp_refuse(s, &no_tls);
        return;
    }
    smtp_say(s, &say_tls);
    if (s->state == SMTP_ST_CLOSED)
        return;
    smtp_enter(s, SMTP_ST_TLS);
    s->io->start_tls(s->ctx);
}

static const struct smtp_cmd {
    void (*run)(struct smtp_session *s, const struct smtp_command *c);
    uint32_t flags;
} commands[SMTP_VERBS] = {
    [SMTP_AUTH] = { cmd_auth, 0 },
    [SMTP_BDAT] = { cmd_bdat, 0 },
    [SMTP_DATA] = { cmd_data, SMTP_NEEDS_HELO | SMTP_NEEDS_MAIL | SMTP_ALONE },
    [SMTP_EHLO] = { cmd_hello, SMTP_JUNK },
    [SMTP_EXPN] = { cmd_expn, SMTP_JUNK },
    [SMTP_HELO] = { cmd_hello, SMTP_JUNK },
    [SMTP_HELP] = { cmd_help, SMTP_JUNK },
    [SMTP_LHLO] = { cmd_hello, SMTP_JUNK },
    [SMTP_MAIL] = { cmd_mail, SMTP_NEEDS_HELO },
    [SMTP_NOOP] = { cmd_noop, SMTP_JUNK },
    [SMTP_QUIT] = { cmd_quit, 0 },
    [SMTP_RCPT] = { cmd_rcpt, SMTP_NEEDS_HELO | SMTP_NEEDS_MAIL },
    [SMTP_RSET] = { cmd_rset, SMTP_JUNK },
    [SMTP_STARTTLS] = { cmd_starttls, SMTP_ALONE },
    [SMTP_VRFY] = { cmd_vrfy, SMTP_JUNK | SMTP_NEEDS_HELO },
    [SMTP_XCLIENT] = { cmd_xclient, SMTP_ALONE },
};

void smtp_run_line(struct smtp_session *s, struct str line, bool pipelined)
{
    uint32_t offered = !s->esmtp ? 0 : s->service->extensions;
    const struct smtp_reply *refusal = NULL;
    const struct smtp_cmd *cmd;
    struct smtp_command c;
    int r;

    if (str_istarts(line, STR("RCPT")) && !s->m.smtputf8) /* RFC 6531 3.4: holds for its transaction */
        offered &= ~SMTP_EXT_SMTPUTF8;
    if (!s->tls) /* RFC 8689 2: it is offered over TLS, and means nothing elsewhere */
        offered &= ~SMTP_EXT_REQUIRETLS;
    if (s->lmtp)
        offered &= ~SMTP_EXT_BINARYMIME; /* it needs BDAT, whose answers RFC 2033 does not know */
    r = smtp_command_parse(line, offered, &c, &refusal);
    cmd = &commands[c.verb];
    s->in_rcpt = c.verb == SMTP_RCPT;
    if (s->in_rcpt)
        s->pending = (struct smtp_path){ 0 };
    count_one(COUNT_COMMANDS);
    /* Text behind STARTTLS was injected by someone in the middle (RFC 3207 6; CVE-2011-0411). Text behind
     * DATA would be run as commands if DATA were refused: no client may do that (RFC 2920 3.1). */
    if (pipelined && (cmd->flags & SMTP_ALONE))
        smtp_say_last(s, &no_sync, "pipelined");
    else if (r < 0 && c.verb == SMTP_BDAT)
        smtp_say_last(s, refusal, "bdat"); /* how many octets follow cannot be known */
    else if (r < 0)
        smtp_refuse(s, refusal);
    else if ((cmd->flags & SMTP_NEEDS_HELO) && !s->helo.p)
        smtp_refuse(s, &no_helo);
    else if ((cmd->flags & SMTP_NEEDS_MAIL) && !s->in_mail)
        smtp_refuse(s, &no_mail);
    else if ((cmd->flags & SMTP_JUNK) && ++s->junk > s->conf->max_junk)
        smtp_say_last(s, &no_junk, "junk");
    else
        cmd->run(s, &c);
}
