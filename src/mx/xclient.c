/* src/mx/xclient.c: who is in front of us says for whom he speaks (lib/smtp/xclient.h). After it the session stands
 * where a new connection of that client would, but for HELO, which may be given too. */
#include "lib/base/errors.h"
#include "lib/base/log.h"
#include "src/mx/service.h"

void mx_xclient(struct smtp_session *s, struct str args)
{
    static const struct smtp_reply denied = { 550, "5.7.0", "You may not speak for others" },
                                   syntax = { 501, "5.5.4", "Syntax: XCLIENT attribute=value..." },
                                   later = { 451, "4.3.0", "Temporary trouble on our side, try later" },
                                   crowd = {
                                       421, "4.7.0",
                                       "Too many connections from your network in a short time, try later"
                                   };
    CLEANUP(arena_release) struct arena a = { .max = KIB(8) };
    struct mx_own *own = mx_own(s);
    struct smtp_xclient x;
    bool literal, utf8;
    int r;

    if (!own->become) {
        smtp_refuse(s, &denied);
        return;
    }
    if ((r = smtp_xclient_parse(&a, args, &x)) < 0) {
        smtp_refuse(s, r == E_SYNTAX ? &syntax : &later);
        return;
    }
    log_event(LOG_INFO, "mx.xclient", F_Z("sid", s->sid), F_U64("attributes", x.given));
    if (own->become(s, &x) < 0) { /* greets by itself when it went well */
        smtp_say_last(s, &crowd, "rate");
        return;
    }
    if (s->state == SMTP_ST_COMMAND && x.helo.n) {
        s->helo = arena_dup(&s->hello, x.helo);
        s->esmtp = x.esmtp;
        mx_policy_hello(s, smtp_domain_valid(s->helo, &literal, &utf8));
    }
}
