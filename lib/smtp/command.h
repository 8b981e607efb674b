/* lib/smtp/command.h
 *
 * One SMTP command line, without its CRLF, to verb and arguments: RFC 5321 4.1, with the parameters
 * of SIZE (1870), 8BITMIME (6152), SMTPUTF8 (6531), CHUNKING and BINARYMIME (3030), AUTH (4954), DSN (3461),
 * REQUIRETLS (8689), FUTURERELEASE (4865), MT-PRIORITY (6710) and DELIVERBY (2852). Grammar only: it
 * does not know the session's state, so "RCPT before MAIL" is the caller's. Strings borrow from the
 * line.
 *
 * Laxer than the RFC on purpose, because clients are: spaces after "FROM:" and "TO:", white space at
 * the end (RFC 5321 4.1.1 asks for that one), and any printable word as the name in EHLO, which must
 * not lead to refusal anyway (RFC 5321 4.1.4); `helo_valid` tells. */
#ifndef LIB_SMTP_COMMAND_H
#define LIB_SMTP_COMMAND_H
#include "lib/smtp/path.h"
#include "lib/smtp/reply.h"

/* RFC 5321 4.5.3.1.4 asks for 512 octets at least, and each extension for some more (SIZE 26, BODY 17,
 * SMTPUTF8 10, DSN 600); this covers all of them. */
#define SMTP_COMMAND_MAX 2048u
#define SMTP_PARAMS_MAX  16u

enum smtp_verb {
    SMTP_UNKNOWN,
    SMTP_AUTH,
    SMTP_BDAT,
    SMTP_DATA,
    SMTP_EHLO,
    SMTP_EXPN,
    SMTP_HELO,
    SMTP_HELP,
    SMTP_LHLO, /* LMTP: RFC 2033 4.1 */
    SMTP_MAIL,
    SMTP_NOOP,
    SMTP_QUIT,
    SMTP_RCPT,
    SMTP_RSET,
    SMTP_STARTTLS,
    SMTP_VRFY,
    SMTP_XCLIENT, /* lib/smtp/xclient.h */
    SMTP_VERBS,   /* how many */
};

enum smtp_body { SMTP_BODY_7BIT, SMTP_BODY_8BITMIME, SMTP_BODY_BINARYMIME };

/* What the server announced, hence which parameters it understands. */
#define SMTP_EXT_SIZE       BIT(0)
#define SMTP_EXT_8BITMIME   BIT(1)
#define SMTP_EXT_SMTPUTF8   BIT(2)
#define SMTP_EXT_BINARYMIME BIT(3)
#define SMTP_EXT_AUTH       BIT(4)
#define SMTP_EXT_DSN        BIT(5)
#define SMTP_EXT_REQUIRETLS BIT(6)
#define SMTP_EXT_HOLD       BIT(7) /* FUTURERELEASE */
#define SMTP_EXT_PRIORITY   BIT(8)
#define SMTP_EXT_DELIVERBY  BIT(9)

#define SMTP_ENVID_MAX 100u /* RFC 3461 4.4 */
#define SMTP_ORCPT_MAX 500u /* RFC 3461 4.2 */

/* RFC 3461 4.1, 4.3: what was asked for; 0: nothing was said. */
enum smtp_notify {
    SMTP_NOTIFY_NEVER = 1,
    SMTP_NOTIFY_SUCCESS = 2,
    SMTP_NOTIFY_FAILURE = 4,
    SMTP_NOTIFY_DELAY = 8
};
enum smtp_ret { SMTP_RET_NONE, SMTP_RET_FULL, SMTP_RET_HDRS };

/* Parameters of submission, and beyond. Strings borrow from the line, still encoded. */
struct smtp_dsn {
    enum smtp_ret ret; /* MAIL */
    struct str envid;  /* MAIL: xtext, well-formed; smtp_xtext_decode */
    uint32_t notify;   /* RCPT: SMTP_NOTIFY_* */
    struct str orcpt;  /* RCPT: "rfc822;xtext", well-formed */
};
struct smtp_release {
    uint64_t hold_s;       /* HOLDFOR=; 0: not said */
    int64_t hold_until_ms; /* HOLDUNTIL=; 0: not said */
    int32_t by_s;          /* DELIVERBY; see by_mode */
    char by_mode;          /* 'N' notify, 'R' return; 0: not said */
    bool by_trace;
    int32_t priority; /* MT-PRIORITY, -9 … 9 */
};

struct smtp_command {
    enum smtp_verb verb;
    struct str
        arg; /* EHLO, HELO, LHLO: the name; VRFY, EXPN, HELP, NOOP, AUTH, XCLIENT: the rest of the line */
    bool helo_valid;       /* a domain or an address literal, as it should be */
    struct smtp_path path; /* MAIL, RCPT */
    uint32_t params;       /* MAIL: SMTP_EXT_* bits of the parameters that were given; BODY sets 8BITMIME */
    uint64_t size_bytes;   /* SIZE=; UINT64_MAX when it does not fit */
    enum smtp_body body;   /* BODY= */
    struct str auth;       /* AUTH= of MAIL: xtext, "<>" too; well-formed */
    struct smtp_dsn dsn;
    struct smtp_release release;
    uint32_t seen;        /* parameters that were given, for what is given twice */
    uint64_t chunk_bytes; /* BDAT */
    bool chunk_last;
};

/* Parse `line`. `extensions`: SMTP_EXT_* on offer, 0 after HELO; RCPT passes SMTP_EXT_SMTPUTF8 only
 * inside a transaction whose MAIL had it. Returns 0, or E_SYNTAX, E_LIMIT, E_UNSUPPORTED, and then
 * *refusal_out is the static reply to give; out->verb is set in every case. */
MUST_CHECK int smtp_command_parse(struct str line, uint32_t extensions, struct smtp_command *out,
                                  const struct smtp_reply **refusal_out);
/* xtext (RFC 3461 4) to bytes, appended. E_SYNTAX; errors of buf. */
MUST_CHECK int smtp_xtext_decode(struct str in, struct buf *out);
/* "MAIL"; "?" for SMTP_UNKNOWN. Static. */
const char *smtp_verb_name(enum smtp_verb v);
#endif
