/* lib/smtp/xclient.h
 *
 * XCLIENT as Postfix speaks it (its XCLIENT_README): who is in front of us says for whom. "XCLIENT NAME=… ADDR=…":
 * attributes with values in xtext (RFC 3461 4). Grammar only; who may say it is the caller's. */
#ifndef LIB_SMTP_XCLIENT_H
#define LIB_SMTP_XCLIENT_H
#include "lib/base/arena.h"
#include <sys/socket.h>

#define SMTP_XCLIENT_OFFER "XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT"

enum {
    SMTP_XC_NAME = BIT(0),
    SMTP_XC_ADDR = BIT(1),
    SMTP_XC_PORT = BIT(2),
    SMTP_XC_PROTO = BIT(3),
    SMTP_XC_HELO = BIT(4),
    SMTP_XC_LOGIN = BIT(5),
    SMTP_XC_DESTADDR = BIT(6),
    SMTP_XC_DESTPORT = BIT(7),
};

struct smtp_xclient {
    uint32_t given;                         /* SMTP_XC_*: was there, also as [UNAVAILABLE] */
    struct str name, helo, login;           /* empty: unavailable */
    struct sockaddr_storage addr, destaddr; /* with their ports; AF_UNSPEC: unavailable */
    uint16_t port, destport;
    bool esmtp;
};

/* Parse what follows "XCLIENT". Strings live in `a`. E_SYNTAX (also an attribute twice, or an unknown one), E_NOMEM. */
MUST_CHECK int smtp_xclient_parse(struct arena *a, struct str args, struct smtp_xclient *out);
#endif
