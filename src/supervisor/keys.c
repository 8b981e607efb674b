/* src/supervisor/keys.c: where the server key comes from, its subkeys, and its exchange for another one.
 * The exchange writes the files of the roles, so it is done by a child under the user whose files they
 * are: what a role could have put there meets no more rights than the role had. */
#include "src/common/supervisor.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/rand.h"
#include "lib/sandbox/sandbox.h"
#include "src/supervisor/super.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

/* ---- reading it ---- */

static int read_key_file(const struct super *s, const char *path, struct buf *text)
{
    struct stat st;
    int r;

    if (stat(path, &st) == 0 && (st.st_mode & 077) && S_ISREG(st.st_mode) && path == s->c->server.key_file)
        return super_fail(EX_CONFIG, "%s: readable by others, expected mode 0600", path);
    if (path == s->c->server.key_file && stat(path, &st) == 0 && users_own_file(s, st.st_uid))
        return super_fail(EX_CONFIG, "%s: belongs to a user that a role runs as; it is for root only", path);
    if ((r = file_read(AT_FDCWD, path, text)) < 0)
        return super_fail(r == E_NOTFOUND ? EX_NOINPUT : EX_IOERR, "%s: server key: %s", path, error_text(r));
    return 0;
}

/* *file_out: it came from server.key_file, where another one can be put. */
static int read_server_key(const struct super *s, uint8_t key[KEY_BYTES], bool *file_out)
{
    CLEANUP(buf_release) struct buf text = { .max = SERVER_KEY_TEXT_MAX };
    const char *env = getenv("LETTERLOCK_SERVER_KEY"), *folder = getenv("CREDENTIALS_DIRECTORY");
    char credential[512];
    bool has_env = env && *env, has_credential;
    int r = 0;

    snprintf(credential, sizeof credential, "%s/letterlock.server_key", folder ? folder : "");
    has_credential = folder && access(credential, R_OK) == 0;
    if (has_env)
        r = buf_putz(&text, env);
    else
        r = read_key_file(s, has_credential ? credential : s->c->server.key_file, &text);
    if (r != 0)
        return r < 0 ? EX_OSERR : r;
    if ((r = server_key_parse(buf_str(&text), key)) < 0)
        return super_fail(EX_CONFIG, "server key: %s", error_text(r));
    *file_out = !has_env && !has_credential;
    return 0;
}

/* ---- exchanging it ---- */

typedef int rotation_step(struct rotation *r, enum rotation_part part);

struct outcome {
    int status;
    struct rotation_count count;
    char at[ROTATION_PATH_MAX];
};

static const enum role_id owners[ROTATION_PARTS] = {
    [ROTATION_DIRECTORY] = ROLE_DIRECTORY,
    [ROTATION_STORE] = ROLE_STORE,
    [ROTATION_QUEUE] = ROLE_COURIER,
    [ROTATION_JOURNAL] = ROLE_MONITOR,
};

static _Noreturn void step_run(const struct super *s, struct rotation *rot, rotation_step *step,
                               enum rotation_part part, int to)
{
    struct outcome out = { .status = E_DENIED };

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (fchdir(s->data_dir) == 0 && users_become(s, owners[part]) == 0) {
        sandbox_no_dumps(); /* the change of user turned them on */
        out.status = step(rot, part);
        out.count = rot->count;
        memcpy(out.at, rot->at, sizeof out.at);
    }
    _exit(write(to, &out, sizeof out) == (ssize_t)sizeof out ? 0 : EX_IOERR);
}

/* A step in a child of its own. 0 or E_*; rot->at and rot->count are what the child says of them. */
static int step_do(const struct super *s, struct rotation *rot, rotation_step *step, enum rotation_part part)
{
    struct outcome out = { .status = E_IO };
    int ends[2];
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_from_errno(errno);
    fflush(NULL);
    if ((pid = fork()) == 0)
        step_run(s, rot, step, part, ends[1]);
    close(ends[1]);
    if (pid < 0 || read(ends[0], &out, sizeof out) != (ssize_t)sizeof out)
        out.status = out.status < 0 ? out.status : E_IO;
    close(ends[0]);
    if (pid > 0)
        waitpid(pid, NULL, 0);
    out.at[sizeof out.at - 1] = '\0';
    memcpy(rot->at, out.at, sizeof rot->at);
    rot->count = out.count;
    return out.status;
}

static void count_add(struct rotation_count *sum, const struct rotation_count *one)
{
    sum->databases += one->databases;
    sum->temporaries += one->temporaries;
    sum->key_files += one->key_files;
    sum->labels_lost += one->labels_lost;
}

static int all_parts(const struct super *s, struct rotation *rot, rotation_step *step,
                     struct rotation_count *count)
{
    int r = 0;

    for (int part = 0; part < ROTATION_PARTS && r >= 0; part++) {
        r = step_do(s, rot, step, (enum rotation_part)part);
        count_add(count, &rot->count);
    }
    return r;
}

static int rotation_go_on(const struct super *s, struct rotation *rot, struct rotation_count *count)
{
    int r = all_parts(s, rot, rotation_files, count);

    if (r == 0)
        r = rotation_end(rot, s->c->server.key_file);
    if (r < 0)
        return super_fail(
            EX_IOERR, "%s: %s. The server key is being exchanged; the next start goes on where this stopped",
            rot->at, error_text(r));
    return 0;
}

/* What a crash cut short. The key that counts from here on is the new one. */
static int rotation_resume(const struct super *s, uint8_t key[KEY_BYTES], bool from_file)
{
    struct rotation rot = { .dir = s->data_dir, .prefix = "" };
    struct rotation_count count = { 0 };
    int r = rotation_find(&rot, s->c->server.key_file, key);

    if (r == E_AUTH)
        r = super_fail(EX_CONFIG,
                       "the server key is being exchanged, and %s is neither the old nor the new one",
                       from_file ? s->c->server.key_file : "the one given");
    else if (r < 0)
        r = super_fail(EX_IOERR, "%s/server-key.rotation: %s", s->c->server.data_dir, error_text(r));
    else if (r > 0 && !from_file)
        r = super_fail(EX_CONFIG,
                       "the server key is being exchanged: start once with the key from server.key_file");
    else if (r > 0 && (r = rotation_go_on(s, &rot, &count)) == 0) {
        memcpy(key, rot.new_key, KEY_BYTES);
        log_event(LOG_WARN, "supervisor.server_key_exchanged", F_U64("databases", count.databases),
                  F_U64("temporary", count.temporaries), F_U64("key_files", count.key_files));
    }
    explicit_bzero(&rot, sizeof rot);
    return r;
}

static int derive_all(struct super *s, const uint8_t key[KEY_BYTES])
{
    int r = server_subkeys(s->data_dir, key, s->subkeys);

    if (r == E_AUTH)
        return super_fail(EX_CONFIG, "%s was closed under another server key: was it exchanged?",
                          s->c->server.data_dir);
    return r < 0 ? super_fail(EX_IOERR, "%s/server-key.carried: %s", s->c->server.data_dir, error_text(r))
                 : 0;
}

int super_keys(struct super *s)
{
    uint8_t key[KEY_BYTES];
    bool from_file = false;
    int r = read_server_key(s, key, &from_file);

    if (r == 0 && (r = rotation_resume(s, key, from_file)) == 0)
        r = derive_all(s, key);
    explicit_bzero(key, sizeof key);
    unsetenv("LETTERLOCK_SERVER_KEY");
    rand_bytes(s->ticket_key, sizeof s->ticket_key);
    return r;
}

/* Files that root would make must be readable by whoever runs the service. */
static int check_owner(const struct super *s)
{
    struct stat st;

    if (geteuid() != 0 || s->users[ROLE_STORE].uid != (uid_t)-1 || fstat(s->data_dir, &st) < 0 ||
        st.st_uid == 0)
        return 0;
    return super_fail(EX_NOPERM, "%s belongs to another user: run this as that user, or set server.user",
                      s->c->server.data_dir);
}

static int rotate(struct super *s, struct rotation *rot, struct rotation_count *count)
{
    struct rotation_count looked = { 0 };
    bool from_file = false;
    int r;

    if ((r = check_owner(s)) != 0 || (r = read_server_key(s, rot->old_key, &from_file)) != 0)
        return r;
    if (!from_file)
        return super_fail(EX_CONFIG, "the server key comes from the environment or a credential: put it into "
                                     "server.key_file, exchange it there, and move the new one");
    if ((r = rotation_resume(s, rot->old_key, true)) != 0 || (r = derive_all(s, rot->old_key)) != 0)
        return r;
    if ((r = all_parts(s, rot, rotation_check, &looked)) < 0)
        return super_fail(r == E_CORRUPT ? EX_DATAERR : EX_IOERR, "%s/%s: %s; nothing was changed",
                          s->c->server.data_dir, rot->at, error_text(r));
    if ((r = rotation_begin(rot, s->c->server.key_file)) < 0)
        return super_fail(EX_IOERR, "%s.next: %s; nothing was changed", s->c->server.key_file, error_text(r));
    return rotation_go_on(s, rot, count);
}

int supervisor_rotate(const struct config *c, struct rotation_count *count_out)
{
    static struct super s;
    struct rotation rot = { .prefix = "" };
    struct rotation_count count = { 0 };
    int r;

    s = (struct super){ .c = c, .mode = SUPERVISE_COMMAND, .ready_fd = -1 };
    log_init("supervisor", LOG_WARN);
    sandbox_no_dumps();
    if ((r = super_lock(&s)) == 0) {
        rot.dir = s.data_dir;
        r = rotate(&s, &rot, &count);
    }
    explicit_bzero(&rot, sizeof rot);
    super_release(&s);
    if (r == 0)
        *count_out = count;
    return r;
}
