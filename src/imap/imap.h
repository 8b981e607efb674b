/* src/imap/imap.h
 *
 * The IMAP role from the inside: a server (this process), its connections, and how a command runs.
 * lib/imap knows the grammar, the store the mailboxes; this role is the conversation between them.
 *
 * A command is a row of commands.c and a function. It returns 0 when it has replied or asked something
 * whose answer will reply, or a negative E_*, which imap_fail_status turns into NO or BAD. One command
 * runs at a time: while it does (`busy`), input waits in the socket.
 *
 * Three lifetimes: the process, the connection, the command (c->arena, reset after the tagged reply). */
#ifndef SRC_IMAP_IMAP_H
#define SRC_IMAP_IMAP_H
#include "lib/base/netset.h"
#include "lib/event/conn.h"
#include "lib/imap/args.h"
#include "lib/imap/respond.h"
#include "lib/rpc/rpc.h"
#include "lib/tls/tls.h"
#include "proto/directory.pb-c.h"
#include "proto/store.pb-c.h"
#include "src/common/peers.h"
#include "src/common/ticket.h"
#include "src/imap/view.h"

#define IMAP_ASK_MS  30000   /* patience with store and directory: then NO [UNAVAILABLE] */
#define IMAP_OUT_LOW KIB(64) /* unsent output above which a command waits for its client */
#define IMAP_OUT_MAX \
    MIB(8) /* never reached by steps that wait at IMAP_OUT_LOW: a long ENVELOPE may need it */

struct imap_conf {
    uint64_t max_message_bytes, idle_timeout_ms, login_timeout_ms, max_connections,
        max_connections_per_network, message_limit;
    struct netset proxy_from;
};

struct imap_server {
    struct loop *loop;
    struct rpc_link *store, *directory;
    struct tls_ctx *tls;
    struct str hostname;
    struct imap_conf conf;
    struct peers *peers;     /* connections of each network; NULL: not counted */
    struct imap_conn *conns; /* all of them */
    struct ticket_book sessions;
    size_t nconns;
    bool stopping;
    int64_t progress_ms;         /* between two words of progress, for tests; 0: see progress.c */
    void (*on_empty)(void *ctx); /* stopping, and the last connection is gone; may be NULL */
    void *ctx;
};

enum imap_state { IMAP_ST_NOT_AUTH, IMAP_ST_AUTH, IMAP_ST_SELECTED, IMAP_ST_LOGOUT };

/* What the bytes are that come next. */
enum imap_reading {
    IMAP_RD_COMMAND,
    IMAP_RD_SASL,   /* the line that answers "+ " of AUTHENTICATE */
    IMAP_RD_IDLE,   /* DONE */
    IMAP_RD_APPEND, /* the message literal */
};

struct imap_conn;
/* status 0 or E_*; body is borrowed for the call. */
typedef void imap_done_fn(struct imap_conn *c, int status, struct str body);

struct imap_ask {
    struct imap_conn *c;
    struct rpc_call *call; /* NULL: nothing is asked */
    imap_done_fn *done;
    int (*on_data)(struct imap_conn *c, struct str data); /* E_*: the connection is ended */
    size_t owed;        /* bytes taken for which the store has no new credit yet */
    bool progress;      /* DATA came since the timer last looked */
    bool hold;          /* no credit: whoever gets it has no room */
    struct timer timer; /* downloads: as long as something comes, there is no deadline */
};

struct append;

struct imap_conn {
    struct imap_server *srv;
    struct imap_conn *next, **prev;
    struct conn *io;
    struct cmdline in;
    struct arena arena;
    struct buf out;   /* composed, not yet given to io */
    struct resp w;    /* writes to out */
    struct buf final; /* the tagged reply, held back until updates have been told */
    enum imap_state state;
    enum imap_reading reading;
    bool tls, greeted, closing;

    /* the command */
    struct args args;
    struct str tag;
    const char *name;
    bool uid;           /* "UID FETCH"… */
    bool busy;          /* no new command until its reply */
    bool hold_expunges; /* RFC 9051 7.5.1 */
    bool finishing;     /* `final` is ready */
    bool mid_response;  /* what was written ends inside of a response */
    bool literal_waits; /* one was announced, and nobody has taken it: it is refused at the end */
    bool sync_failed;   /* do not ask again before this reply */
    /* More output to write when there is room: 1 done, 0 call again. */
    int (*step)(struct imap_conn *c);
    int (*then)(struct imap_conn *c); /* goes on with the command when an answer of several parts has come */
    void *step_data;                  /* in the arena */
    void (*cleanup)(struct imap_conn *c); /* what step_data holds beyond the arena; when the command ends */
    struct imap_ask ask, sync;
    struct timer progress; /* the command asks somebody: see progress.c */
    /* How much of progress_goal the command has done; a goal of 0: nobody knows. For RFC 9585 */
    uint32_t (*how_far)(const struct imap_conn *c);
    uint32_t progress_goal;
    struct append *append; /* messages that are coming in; its cleanup frees it */
    unsigned bad;          /* BADs in a row */

    /* the session */
    struct ticket session;
    bool attached;                  /* the store knows it now */
    bool held;                      /* it could not be attached again yet: timer tries */
    bool starttls;                  /* the go-ahead has been said */
    bool compress, compress_begins; /* RFC 4978; the latter until the OK has been written */
    char network[PEER_TEXT_MAX];    /* that bad logins are counted by */
    struct peer_network counted;    /* in srv->peers, when is_counted */
    bool is_counted;
    struct timer timer; /* before login: all of it; LOGIN's answer */
    int64_t login_began_ms;
    unsigned logins_failed;
    size_t login_bytes; /* read before login */
    bool login_wait;
    uint32_t quota_percent; /* a limit is nearly reached, and this was not told yet; 0: nothing */
    struct view *view;      /* of the selected folder */
    /* enabled, for the rest of the connection (RFC 7162): flags are told with MODSEQ; and what went as
     * VANISHED */
    bool condstore, qresync;
    bool rev2, utf8_accept; /* RFC 9051, RFC 9755; either sets w.utf8 */
    bool uidonly;           /* RFC 9586: no message has a number, in either direction */
    const char *bad_code;   /* of the BAD that E_SYNTAX becomes, this once */
    uint32_t limited_uid;   /* the command stops there for MESSAGELIMIT, and its OK says so; 0: it does all */
    bool metadata;          /* RFC 5464 4.1: others' changes of annotations are told */
    struct news_item *news; /* not told yet */
    size_t nnews;
    struct notify *notify, *notify_next; /* RFC 5465; next: while the command runs */
    bool silent;                         /* what runs is no command: it tells, between two */
    struct contexts *contexts;           /* RFC 5267; of the selected folder */
    struct aside *aside;                 /* what waits until a command of our own is through */
    struct uidranges saved;              /* "$": UIDs of the selected folder (RFC 5182) */
};

/* ---- conn.c ---- */
void imap_accept(struct imap_server *s, int fd, const struct sockaddr *peer, bool tls);
/* "* BYE text", then hang up. */
void imap_bye(struct imap_conn *c, const char *code, const char *text);
/* Go on: write, step, tell updates, reply, read; as far as it can now. */
void imap_continue(struct imap_conn *c);
/* Hand what was composed to the connection. */
void imap_flush(struct imap_conn *c);
/* The tagged reply; then the command ends. `code` NULL or fixed text; imap_final_* for long codes. */
int imap_ok(struct imap_conn *c, const char *text);
int imap_ok_code(struct imap_conn *c, const char *code, const char *text);
int imap_no(struct imap_conn *c, const char *code, const char *text);
int imap_bad(struct imap_conn *c, const char *text);
int imap_bad_code(struct imap_conn *c, const char *code, const char *text);
/* From an E_*: BAD with what was expected, or NO with the code that says what to do. */
int imap_fail_status(struct imap_conn *c, int status);
/* The reply that the role itself composes into c->final: "tag OK [CODE …] text"; then imap_finish. */
struct resp imap_final(struct imap_conn *c);
int imap_finish(struct imap_conn *c);
/* A line now: "+ text". */
void imap_plus(struct imap_conn *c, const char *text);
void imap_enter(struct imap_conn *c, enum imap_state next);
/* A command of our own inside of what the client runs, or while it idles or is silent: it has its own arena and step_data,
 * its tagged reply is not said. E_NOMEM. */
MUST_CHECK int imap_aside(struct imap_conn *c);
/* Leave the selected folder (no reply). */
void imap_unselect(struct imap_conn *c);
bool imap_idling(const struct imap_conn *c);
/* Idle, or between two commands of a client that listens then (RFC 5465). */
bool imap_listens(const struct imap_conn *c);
/* EXPUNGE may not be told now. */
bool imap_holds_expunges(const struct imap_conn *c);

/* ---- ask.c: requests of a command ---- */
/* `changes`: carries an operation id. The command waits. 0 or E_UNAVAIL, E_NOMEM. */
MUST_CHECK int imap_ask_store(struct imap_conn *c, uint32_t op, const ProtobufCMessage *body, bool changes,
                              imap_done_fn *done);
/* The same with another patience, for what may be long work. */
MUST_CHECK int imap_ask_store_for(struct imap_conn *c, uint32_t op, const ProtobufCMessage *body,
                                  bool changes, int64_t deadline_ms, imap_done_fn *done);
MUST_CHECK int imap_ask_directory(struct imap_conn *c, uint32_t op, const ProtobufCMessage *body,
                                  imap_done_fn *done);
/* With DATA coming back. The store is given credit for it as the client takes what we write. */
MUST_CHECK int imap_ask_down(struct imap_conn *c, uint32_t op, const ProtobufCMessage *body, bool changes,
                             int (*on_data)(struct imap_conn *c, struct str data), imap_done_fn *done);
/* The same for the sync slot. */
MUST_CHECK int imap_ask_sync(struct imap_conn *c, const ProtobufCMessage *body, imap_done_fn *done);
void imap_ask_cancel(struct imap_ask *a);
/* For done functions that only say OK or why not. */
void imap_done_plain(struct imap_conn *c, int status, struct str body);
static inline ProtobufCBinaryData imap_session(struct imap_conn *c)
{
    return ticket_session(&c->session);
}

/* ---- progress.c ---- */
/* The command of this connection waits; it is over. */
void imap_progress_begin(struct imap_conn *c);
void imap_progress_end(struct imap_conn *c);

/* ---- session.c ---- */
void imap_link_up(struct imap_server *s, struct rpc_link *l);
void imap_link_down(struct imap_server *s, struct rpc_link *l);
void imap_reattach_timer(struct imap_conn *c);
void imap_link_event(struct imap_server *s, struct rpc_link *l, uint32_t event, struct str body);
/* Take the answer of ATTACH or REATTACH. */
MUST_CHECK int imap_session_set(struct imap_conn *c, struct str body);
/* For ticket_book.on_return; IMAP_SESSIONS begins a server's. */
bool imap_session_back(struct ticket_book *b, struct ticket *t, struct str session, int status,
                       bool is_awaited, struct rpc_link *l);
#define IMAP_SESSIONS                                              \
    {                                                              \
        .patience_ms = IMAP_ASK_MS, .on_return = imap_session_back \
    }
void imap_session_end(struct imap_conn *c);

/* ---- cmd_quota.c ---- */
/* "* NO [OVERQUOTA] …" when a limit is nearly reached (RFC 9208 4.3.1). */
void imap_tell_quota(struct imap_conn *c);

/* ---- updates.c ---- */
bool imap_updates_due(const struct imap_conn *c);
/* Write some, or ask for them. 1: go on at once, 0: wait for an answer. */
int imap_updates_step(struct imap_conn *c);
/* News that came without being asked for: what SYNC would have said. The client idles. */
void imap_updates_take(struct imap_conn *c, struct arena *a, const Store__SyncResponse *m);
void imap_tell_exists(struct imap_conn *c);
/* "* 12 FETCH (" and the UID behind it when `with_uid`, or "* 4711 UIDFETCH (" of RFC 9586, which has it in
 * front. False: the message is not in the view, nothing was written. */
bool imap_fetch_head(struct imap_conn *c, uint32_t uid, bool with_uid);
/* "* n FETCH (FLAGS …)" of one row; nothing when the message is not in the view. */
void imap_tell_flags(struct imap_conn *c, const Store__Row *row, bool with_uid);
/* Before a tagged reply: a client that was told a modseq must not take what is held back as told. */
void imap_tell_held_back(struct imap_conn *c);
/* Ours, and others': gone, to be told. */
MUST_CHECK int imap_vanish(struct imap_conn *c, const uint32_t *ranges, size_t n);
/* Messages that we made ourselves, in the folder of this UIDVALIDITY. */
void imap_came(struct imap_conn *c, uint32_t uidvalidity, const uint32_t *ranges, size_t n);
void imap_write_flags(struct imap_conn *c, const Store__Row *row);

/* ---- commands.c ---- */
/* c->in holds a whole command, or the start of an APPEND whose message follows. */
void imap_run_command(struct imap_conn *c, bool stream);
const char *imap_capabilities(const struct imap_conn *c);

typedef int imap_cmd_fn(struct imap_conn *c, struct args *a);
imap_cmd_fn imap_cmd_append, imap_cmd_authenticate, imap_cmd_cancelupdate, imap_cmd_capability,
    imap_cmd_check, imap_cmd_close, imap_cmd_compress, imap_cmd_copy, imap_cmd_create, imap_cmd_delete,
    imap_cmd_enable, imap_cmd_examine, imap_cmd_expunge, imap_cmd_fetch, imap_cmd_id, imap_cmd_idle,
    imap_cmd_list, imap_cmd_login, imap_cmd_logout, imap_cmd_lsub, imap_cmd_move, imap_cmd_namespace,
    imap_cmd_noop, imap_cmd_rename, imap_cmd_replace, imap_cmd_search, imap_cmd_select, imap_cmd_sort,
    imap_cmd_starttls, imap_cmd_thread, imap_cmd_status, imap_cmd_store, imap_cmd_subscribe,
    imap_cmd_uidbatches, imap_cmd_unauthenticate, imap_cmd_unselect, imap_cmd_unsubscribe;
imap_cmd_fn imap_cmd_language, imap_cmd_getmetadata, imap_cmd_setmetadata, imap_cmd_notify, imap_cmd_esearch;
imap_cmd_fn imap_cmd_getquota, imap_cmd_getquotaroot;
void imap_sasl_line(struct imap_conn *c, struct str line);
void imap_idle_line(struct imap_conn *c, struct str line);
void imap_login_timer(struct imap_conn *c);
/* Message bytes of APPEND: returns bytes used (0: no room now). */
size_t imap_append_data(struct imap_conn *c, struct str in);
/* What stands behind a literal of APPEND, to the end of the line or the next literal. */
void imap_append_line(struct imap_conn *c);

/* The messages that a command names, as UIDs in `out` (empty); c->uid says which numbers `text` has.
 * E_SYNTAX with args set, E_LIMIT, E_NOMEM. */
MUST_CHECK int imap_pick(struct imap_conn *c, struct args *a, struct uidranges *out);
/* MESSAGELIMIT (RFC 9738): keep the newest so many of `uids`; c->limited_uid says where it goes on. */
MUST_CHECK int imap_limit(struct imap_conn *c, struct uidranges *uids);
/* Would imap_limit take some away? Then NO, for what is all or nothing. */
bool imap_over_limit(struct imap_conn *c, uint64_t messages);
/* "$", as far as this client still sees it. */
MUST_CHECK int imap_pick_saved(struct imap_conn *c, struct uidranges *out);
/* uid_ranges of proto/store.proto from UIDs, in the arena. E_NOMEM. */
MUST_CHECK int imap_pack_ranges(struct arena *a, const struct uidranges *u, size_t *n_out, uint32_t **out);
/* The reverse; E_CORRUPT when it is not ascending. */
MUST_CHECK int imap_unpack_ranges(const uint32_t *v, size_t n, struct uidranges *out);
#endif
