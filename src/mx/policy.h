/* src/mx/policy.h
 *
 * What the mx asks of a client before it looks at any content: how much comes from his network and under that sender's
 * domain, what he calls himself, whether his sender can be answered, whether he was here before. Everything is said at
 * RCPT, so that the refusal names what it is about and postmaster can always be reached (RFC 5321 4.5.1). Nobody is
 * refused because something is not known, unless mx.sender_check asks for it: without DNS mail goes on coming in.
 *
 * doc/smtp.md has the table of answers. */
#ifndef SRC_MX_POLICY_H
#define SRC_MX_POLICY_H
#include "lib/limit/limit.h"
#include "lib/mailauth/lookup.h"
#include "src/mx/conf.h"
#include "src/mx/greylist.h"
#include "src/mx/peer_check.h"

#define MX_NETWORK_TEXT_MAX 64u

/* Of the whole role. */
struct mx_policies {
    struct limits *limits;   /* NULL: none */
    struct greylist *grey;   /* NULL: off */
    struct peer_lists known; /* mx.greylist_known */
};

/* What is odd about a client and no reason to refuse him: evidence for others. */
#define MX_ODD_HELO_SYNTAX  BIT(0) /* no domain and no address literal (RFC 5321 4.1.1.1) */
#define MX_ODD_HELO_OWN     BIT(1) /* our name, our address */
#define MX_ODD_HELO_UNKNOWN BIT(2) /* the DNS says that this name has no address */
#define MX_ODD_HELO_ADDRESS BIT(3) /* an address literal that is not his */
#define MX_ODD_SENDER       BIT(4) /* the sender's domain takes no mail, or is not there */

enum mx_sender { MX_SENDER_WAITS, MX_SENDER_FINE, MX_SENDER_NULL_MX, MX_SENDER_NOBODY, MX_SENDER_NO_ANSWER };

/* Of one session. Zeroed, then the first four lines are the owner's. */
struct mx_policy {
    const struct mx_policies *all;
    bool trusted; /* nothing here holds for him: mx.trusted, LMTP, or he has logged in (XCLIENT) */
    bool allowed; /* on a list of mx.allowlists */
    char network[MX_NETWORK_TEXT_MAX], local_ip[MX_NETWORK_TEXT_MAX]; /* his; where he reached us */
    uint32_t odd;
    /* of the transaction */
    struct lookups lookups;
    struct str sender_domain; /* in lookups' arena; empty: <>, a literal, or nothing is looked up */
    bool looking, grey_later;
    bool asking; /* io->lookup is called from here: wait mx.lookup_timeout at most */
};

struct smtp_session;
/* As the settings have it. E_RANGE: a list cannot be read; E_NOMEM. */
MUST_CHECK int mx_policies_make(struct mx_policies *p, const struct mx_conf *c);
void mx_policies_free(struct mx_policies *p);
/* Where he reached us: what nobody else may call himself. Empty: not known. */
void mx_policy_local(int fd, char out[MX_NETWORK_TEXT_MAX]);
/* "192.0.2.0/24": what he is counted by. */
void mx_policy_network(const struct sockaddr *sa, const struct mx_conf *c, char out[MX_NETWORK_TEXT_MAX]);
/* One more connection from there: false when there were too many in the last minute. */
bool mx_policy_connect(const struct mx_policies *all, const struct mx_conf *c, const char *network);
/* EHLO came: look at what he calls himself. */
void mx_policy_hello(struct smtp_session *s, bool well_formed);
/* MAIL came. False: refused, and said. Look-ups are under way. */
bool mx_policy_mail(struct smtp_session *s, const struct smtp_command *c);
/* Is everything known that RCPT needs? When not, look-ups are under way (mx_session_looked_up). */
bool mx_policy_ready(struct smtp_session *s);
/* The recipient exists. False: refused, and said. */
bool mx_policy_rcpt(struct smtp_session *s);
/* One more refusal for the journal of who lives here: false when this network had too many within the hour. */
bool mx_policy_note(struct smtp_session *s);
/* One more report of an arrival to this sender: false when there were too many within the hour. */
bool mx_policy_report(struct smtp_session *s);
/* The answer to a look-up of ours? Then it is taken. */
bool mx_policy_looked_up(struct smtp_session *s, struct lookup *q, const struct lookup_answer *a);
/* After the message, when its authentication is known: NULL, or the refusal. */
const struct smtp_reply *mx_policy_verdict(struct smtp_session *s);
/* The transaction is over. */
void mx_policy_forget(struct smtp_session *s);
#endif
