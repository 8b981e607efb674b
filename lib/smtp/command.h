/* lib/smtp/command.h
 *
 * One SMTP command line, without its CRLF, to verb and arguments: RFC 5321 4.1, with the parameters
 * of SIZE (1870), 8BITMIME (6152), SMTPUTF8 (6531), CHUNKING and BINARYMIME (3030). Grammar only: it
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

struct smtp_command {
    enum smtp_verb verb;
    struct str arg;  /* EHLO, HELO: the name; VRFY, EXPN, HELP, NOOP, AUTH, XCLIENT: the rest of the line */
    bool helo_valid; /* a domain or an address literal, as it should be */
    struct smtp_path path; /* MAIL, RCPT */
    uint32_t params;       /* MAIL: SMTP_EXT_* bits of the parameters that were given; BODY sets 8BITMIME */
    uint64_t size_bytes;   /* SIZE=; UINT64_MAX when it does not fit */
    enum smtp_body body;   /* BODY= */
    uint64_t chunk_bytes;  /* BDAT */
    bool chunk_last;
};

/* Parse `line`. `extensions`: SMTP_EXT_* on offer, 0 after HELO; RCPT passes SMTP_EXT_SMTPUTF8 only
 * inside a transaction whose MAIL had it. Returns 0, or E_SYNTAX, E_LIMIT, E_UNSUPPORTED, and then
 * *refusal_out is the static reply to give; out->verb is set in every case. */
MUST_CHECK int smtp_command_parse(struct str line, uint32_t extensions, struct smtp_command *out,
                                  const struct smtp_reply **refusal_out);
/* "MAIL"; "?" for SMTP_UNKNOWN. Static. */
const char *smtp_verb_name(enum smtp_verb v);
#endif
