/* src/mx/client.h
 *
 * What belongs to a connection of the mx, for role.c, which accepts it and lets it go, and client_io.c, which joins its
 * session to directory, store, courier, resolver and scanners. The connection itself is src/common/smtp_client.h's. */
#ifndef SRC_MX_CLIENT_H
#define SRC_MX_CLIENT_H
#include "src/common/front.h"
#include "src/common/resolve.h"
#include "src/common/smtp_client.h"
#include "src/mx/bounce.h"
#include "src/mx/courier_leg.h"
#include "src/mx/filter_call.h"
#include "src/mx/peer_check.h"
#include "src/mx/scan_call.h"
#include "src/mx/service.h"

#define MX_LISTENERS_MAX 64u
#define MX_STAGING_ID    16u

struct mx_client;
/* A look-up of a session's checks, under way. */
struct mx_lookup {
    struct mx_client *client;
    struct lookup *of;
    struct resolve *asked;
    struct mx_lookup *next, **prev_next;
};

struct mx_state_of_role {
    struct role *role;
    struct smtp_clients clients;
    size_t nlisteners;
    struct listener *listeners[MX_LISTENERS_MAX];
    struct timer grace;
    struct peer_check_conf checks;
    struct psl *psl; /* NULL: DMARC goes without */
    struct mx_policies policies;
    struct mx_spam_all spam;
};

struct mx_client {
    struct smtp_client smtp;
    struct mx_own own;
    struct mx_state_of_role *mx;
    struct rpc_call *call;  /* RESOLVE or DELIVER */
    struct rpc_call *stage; /* STAGE, until its answer */
    struct mx_lookup *lookups;
    struct courier_leg leg;      /* what leaves again */
    struct mx_bounce bounce;     /* the recipient is a rewritten sender */
    struct mx_dsn_call *telling; /* the sender is told that it arrived */
    unsigned parts;              /* of store and courier, that were asked and have not answered */
    uint64_t part_bytes;
    int part_status; /* the first that failed */
    char queue_id[64];
    uint32_t duplicates;
    struct mx_side_call scan, filter;
    uint8_t staging[MX_STAGING_ID];
    bool staged;                   /* bytes wait in the store under `staging` */
    char said_name[PEER_NAME_MAX]; /* XCLIENT */
    struct peer_check *check;      /* under way; then RESOLVE of `waiting` follows it */
    struct peer_facts facts;
    struct buf waiting;
};

extern struct mx_conf mx_role_conf;
extern const struct smtp_io mx_client_io;
extern const struct peer_check_io mx_client_check_io;
extern const struct courier_leg_ops mx_client_leg_ops;

/* The session may take input again, or not yet. */
void mx_client_go_on(void *c);
/* What peer_check found out; who a rewritten sender was. */
void mx_client_peer_known(void *c, const struct peer_facts *f);
void mx_client_bounce_known(void *c, int status, struct str to);
/* Its questions to the resolver are no longer of interest. */
void mx_client_lookups_cancel(struct mx_client *c);
#endif
