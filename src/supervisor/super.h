/* src/supervisor/super.h: what the files of this folder share. */
#ifndef SRC_SUPERVISOR_SUPER_H
#define SRC_SUPERVISOR_SUPER_H
#include "lib/base/buf.h"
#include "lib/crypto/subkey.h"
#include "lib/rpc/rpc.h"
#include "src/common/boot.h"
#include "src/common/supervisor.h"
#include <sys/types.h>

#define CHILDREN_MAX     64u
#define SUPER_LISTEN_MAX 64u
#define STOP_GRACE_MS    10000
#define BACKOFF_FIRST_MS 100
#define LIVED_WELL_MS    10000 /* a role that lived so long starts with no back-off again */

enum child_state { CHILD_DOWN, CHILD_STARTING, CHILD_READY, CHILD_STOPPING, CHILD_STOPPED };

struct child {
    const struct role_def *def;
    uint32_t instance;
    enum child_state state;
    pid_t pid;
    int fd;              /* our end of the control pair; -1 when down */
    int64_t started_ms;  /* monotonic */
    int64_t start_at_ms; /* CHILD_DOWN: when to try again */
    int64_t backoff_ms;
    uint64_t restarts;
    struct boot_report last; /* of its sandbox */
};

struct super_listener {
    int fd;
    enum role_id role;
    const char *key, *text;
};

struct super_user {
    uid_t uid; /* (uid_t)-1: as we do */
    gid_t gid;
    gid_t shared_gid; /* besides: of the data folder, for who has files there and does not own it; or -1 */
};

struct super {
    const struct config *c;
    enum supervisor_mode mode;
    int spam_file; /* of the classifier, the mx's; -1: it goes without */
    int data_dir, lock, run_dir, exe, signals, status, ready_fd;
    uint8_t subkeys[SUBKEY_PURPOSES][KEY_BYTES], ticket_key[KEY_BYTES];
    struct buf tls_cert, tls_key, storage_credentials, places, places_public;
    bool stores_elsewhere; /* there is storage that speaks S3 */
    struct super_listener listeners[SUPER_LISTEN_MAX];
    size_t nlisteners;
    int ctl[ROLE_COUNT]; /* sockets of the roles that the command line speaks to; else -1 */
    struct child children[CHILDREN_MAX];
    size_t nchildren;
    bool stopping, hurry, ready;
    int64_t stop_deadline_ms, began_wall_ms;
    struct super_user users[ROLE_COUNT];
};

/* setup.c: everything before the first role. 0 or a sysexits code, said on standard error. */
int super_setup(struct super *s);
/* The first of it: the folder, its lock, the user of the roles. */
int super_lock(struct super *s);
void super_release(struct super *s);

/* users.c: who each role runs as, from the configuration; gives the data folder and what is in it to them.
 * 0 or a sysexits code, said on standard error. Nothing unless we are root. */
int users_find(struct super *s);
/* After fork, for good; 0 or -1. Only calls that are safe there. */
MUST_CHECK int users_become(const struct super *s, enum role_id role);
bool users_share(const struct super *s, enum role_id a, enum role_id b);
/* Does some role run as `uid`, which is not root? */
bool users_own_file(const struct super *s, uid_t uid);
/* For people; returns `out`. Not after fork. */
const char *users_name(const struct super *s, enum role_id role, char *out, size_t n);

/* keys.c: the server key of this folder becomes s->subkeys; a rotation that was cut short is ended first.
 * 0 or a sysexits code, said on standard error. */
int super_keys(struct super *s);

/* fail.c: "letterlock: ..." on standard error; returns `code`. */
int super_fail(int code, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* child.c */
MUST_CHECK int super_spawn(struct super *s, struct child *c);
void child_stop(struct child *c);

/* status.c: one client of run/status.sock. */
void super_status_answer(struct super *s);

/* notify.c: "READY=1" and the like to a service manager that asked for it. */
void super_notify(const char *text);

const char *child_state_name(enum child_state st);
#endif
