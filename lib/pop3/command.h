/* lib/pop3/command.h
 *
 * Command lines of POP3 (RFC 1939 3): a keyword of three or four letters (RFC 2449 4 allows more) in any
 * case, and arguments behind single spaces. Grammar only: what a command means is the session's. */
#ifndef LIB_POP3_COMMAND_H
#define LIB_POP3_COMMAND_H
#include "lib/base/str.h"

#define POP3_LINE_MAX    512u /* octets of a command with CRLF (RFC 2449 4: at most 255 by the client) */
#define POP3_KEYWORD_MAX 12u

/* Parts of the line, borrowed. `rest`: what follows the first space, as it stands: a password may begin
 * with a space or hold several (RFC 1939 7, PASS). */
struct pop3_command {
    struct str keyword, rest;
};

/* E_SYNTAX: no keyword, or one with bytes that no keyword has. */
MUST_CHECK int pop3_command_parse(struct str line, struct pop3_command *out);
/* The next argument of *rest, which ends at a space; *rest moves behind it. E_SYNTAX when there is none or it
 * is empty. */
MUST_CHECK int pop3_arg(struct str *rest, struct str *out);
/* The same, as a number: digits only. E_SYNTAX, E_RANGE (too large to be one of a message). */
MUST_CHECK int pop3_number(struct str *rest, uint32_t *out);
#endif
