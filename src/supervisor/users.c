/* src/supervisor/users.c: who the roles run as, and that each one's files are its own.
 *
 * With one user for all, the data folder is that user's, 0700. Where store, directory and courier have users of
 * their own it is root's, 01770 with the store's group: all may make files there, and none may read,
 * rename or remove another's (files are 0600, and the folder is sticky). */
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "src/common/role_facts.h"
#include "src/supervisor/super.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define DEPTH_MAX 8 /* mailboxes/ab/file is 3 */

/* ---- finding them ---- */

static int find_one(struct super_user *u, const char *role, const char *name)
{
    const struct passwd *pw = getpwnam(name);

    if (!pw)
        return super_fail(EX_NOUSER, "%s.user = %s: no such user", role, name);
    *u = (struct super_user){ .uid = pw->pw_uid, .gid = pw->pw_gid, .shared_gid = (gid_t)-1 };
    return 0;
}

static int find_all(struct super *s)
{
    const struct server_conf *v = &s->c->server;
    int r = 0;

    for (size_t i = 0; i < ARRAY_LEN(s->users); i++)
        s->users[i] = (struct super_user){ (uid_t)-1, (gid_t)-1, (gid_t)-1 };
    if (geteuid() != 0)
        return 0;
    for (int id = 0; id < ROLE_COUNT && r == 0; id++) {
        const char *own = v->users[id];

        if (!role_facts((enum role_id)id)->is_process)
            continue;
        if (own[0])
            r = find_one(&s->users[id], role_name((enum role_id)id), own);
        else if (v->user[0])
            r = find_one(&s->users[id], "server", v->user);
    }
    return r;
}

static uid_t uid_of(const struct super *s, enum role_id role)
{
    return s->users[role].uid == (uid_t)-1 ? geteuid() : s->users[role].uid;
}

bool users_share(const struct super *s, enum role_id a, enum role_id b)
{
    return uid_of(s, a) == uid_of(s, b);
}

bool users_own_file(const struct super *s, uid_t uid)
{
    bool found = false;

    for (size_t i = 0; i < ARRAY_LEN(s->users); i++)
        found |= s->users[i].uid == uid;
    return found && uid != 0;
}

const char *users_name(const struct super *s, enum role_id role, char *out, size_t n)
{
    const struct passwd *pw = getpwuid(uid_of(s, role));

    if (pw)
        snprintf(out, n, "%s", pw->pw_name);
    else
        snprintf(out, n, "%u", (unsigned)uid_of(s, role));
    return out;
}

int users_become(const struct super *s, enum role_id role)
{
    const struct super_user *u = &s->users[role];
    bool more = u->shared_gid != (gid_t)-1;

    if (u->uid == (uid_t)-1)
        return 0;
    return setgroups(more ? 1 : 0, more ? &u->shared_gid : NULL) < 0 ||
                   setresgid(u->gid, u->gid, u->gid) < 0 || setresuid(u->uid, u->uid, u->uid) < 0
               ? -1
               : 0;
}

/* ---- their files ---- */

/* A file that two names lead to could be anybody's: left as it is, its role will say so. */
static int give(int dir, const char *name, const struct stat *st, const struct super_user *to)
{
    if (st->st_uid == to->uid && st->st_gid == to->gid)
        return 0;
    if (!S_ISDIR(st->st_mode) && (!S_ISREG(st->st_mode) || st->st_nlink != 1))
        return 0;
    return fchownat(dir, name, to->uid, to->gid, AT_SYMLINK_NOFOLLOW) < 0 ? error_from_errno(errno) : 0;
}

/* What is inside first: a folder that belongs to `to` has been done, so a crash is made good by the next start. */
static int give_tree(int dir, const char *name, const struct super_user *to, int depth)
{
    struct stat st;
    int fd, r = 0;
    const struct dirent *e;
    DIR *d;

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : error_from_errno(errno);
    if (!S_ISDIR(st.st_mode) || (st.st_uid == to->uid && st.st_gid == to->gid))
        return give(dir, name, &st, to);
    if (depth == DEPTH_MAX)
        return E_LIMIT;
    fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || !(d = fdopendir(fd))) {
        r = error_from_errno(errno);
        fd_close(&fd);
        return r;
    }
    while (r == 0 && (e = readdir(d)))
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            r = give_tree(fd, e->d_name, to, depth + 1);
    closedir(d);
    return r < 0 ? r : give(dir, name, &st, to);
}

/* The supervisor's own stay as they are; a database and what SQLite puts beside it; the store's are the rest. */
static const struct super_user *owner_of(const struct super *s, const char *name)
{
    static const char *const ours[] = { ".", "lock", "server-key." }; /* beginnings */
    static const struct {
        const char *begin;
        enum role_id role;
    } others[] = { { "directory.", ROLE_DIRECTORY },
                   { "queue.", ROLE_COURIER },
                   { "journal.", ROLE_MONITOR } };

    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        if (strncmp(name, ours[i], strlen(ours[i])) == 0)
            return NULL;
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (strncmp(name, others[i].begin, strlen(others[i].begin)) == 0)
            return &s->users[others[i].role];
    return &s->users[ROLE_STORE];
}

static int give_all(const struct super *s)
{
    int fd = openat(s->data_dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *e;

    if (!d) {
        r = error_from_errno(errno);
        fd_close(&fd);
        return r;
    }
    while (r == 0 && (e = readdir(d))) {
        const struct super_user *to = owner_of(s, e->d_name);
        struct super_user root = { 0, 0, (gid_t)-1 };

        if (to)
            r = give_tree(fd, e->d_name, to->uid == (uid_t)-1 ? &root : to, 0);
    }
    closedir(d);
    return r;
}

static int give_folder(struct super *s)
{
    static const enum role_id guests[] = { ROLE_DIRECTORY, ROLE_COURIER, ROLE_MONITOR };
    const struct super_user *store = &s->users[ROLE_STORE];
    gid_t group = store->uid != (uid_t)-1 ? store->gid : 0;
    bool one = true;
    uid_t owner;

    for (size_t i = 0; i < ARRAY_LEN(guests); i++)
        one &= users_share(s, ROLE_STORE, guests[i]);
    owner = one ? uid_of(s, ROLE_STORE) : 0;
    for (size_t i = 0; i < ARRAY_LEN(guests); i++)
        if (!users_share(s, ROLE_STORE, guests[i]) && s->users[guests[i]].uid != (uid_t)-1)
            s->users[guests[i]].shared_gid = group;
    return fchown(s->data_dir, owner, group) < 0 || fchmod(s->data_dir, one ? 0700 : 01770) < 0
               ? error_from_errno(errno)
               : 0;
}

/* SQLite opens by whole paths, so each folder above must let the role's user through. */
static bool reaches_data(const struct super *s, enum role_id role)
{
    const struct super_user *u = &s->users[role];
    CLEANUP(fd_close) int fd = -1;
    gid_t none = 0;
    bool back;

    if (u->uid == (uid_t)-1)
        return true;
    if (setgroups(u->shared_gid != (gid_t)-1 ? 1 : 0, &u->shared_gid) == 0 && setegid(u->gid) == 0 &&
        seteuid(u->uid) == 0)
        fd = open(s->c->server.data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    back = seteuid(0) == 0 && setegid(0) == 0 && setgroups(1, &none) == 0;
    return fd >= 0 && back;
}

int users_find(struct super *s)
{
    static const enum role_id with_files[] = { ROLE_STORE, ROLE_DIRECTORY, ROLE_COURIER, ROLE_MONITOR };
    const char *folder = s->c->server.data_dir;
    char name[40];
    int r = find_all(s);
    bool any = false;

    for (size_t i = 0; i < ARRAY_LEN(with_files); i++)
        any |= s->users[with_files[i]].uid != (uid_t)-1;
    if (r != 0 || !any)
        return r;
    if ((r = give_all(s)) < 0 || (r = give_folder(s)) < 0)
        return super_fail(EX_NOPERM, "%s: %s", folder, error_text(r));
    for (size_t i = 0; i < ARRAY_LEN(with_files); i++)
        if (!reaches_data(s, with_files[i]))
            return super_fail(EX_NOPERM, "user %s cannot reach %s: a folder above it is closed to that user",
                              users_name(s, with_files[i], name, sizeof name), folder);
    return 0;
}
