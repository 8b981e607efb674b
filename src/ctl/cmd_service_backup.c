/* src/ctl/cmd_service_backup.c: `backup` and `restore-service`: all that is the service's own, in one file. Mailboxes are not
 * in it: they have their backups, and `recover` brings them. */
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "proto/courier.pb-c.h"
#include "proto/directory.pb-c.h"
#include "src/ctl/cmd_server_key.h"
#include "src/ctl/ctl.h"
#include "src/ctl/vault.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define PATIENCE_MS INT64_C(3600000)
#define SMALL_MAX   MIB(16) /* spam.model has 4 */
#define MARKER      "letterlock.conf.restoring"

/* What it is made of. `in_data`: below the data folder. */
static const struct piece {
    const char *name;
    const char *in_data;
    size_t path;       /* else: of this member of server_conf */
    enum role_id role; /* asked for it, when not ROLE_NONE */
    uint32_t op;
} pieces[] = {
    { .name = "tls_cert", .path = offsetof(struct server_conf, tls_cert) },
    { .name = "tls_key", .path = offsetof(struct server_conf, tls_key) },
    { .name = "storage_credentials", .path = offsetof(struct server_conf, storage_credentials) },
    { .name = "storage_places", .path = offsetof(struct server_conf, storage_places) },
    { .name = "server-key.carried", .in_data = "server-key.carried" },
    { .name = "spam.model", .in_data = "spam.model" },
    { .name = "directory.sqlite",
      .in_data = "directory.sqlite",
      .role = ROLE_DIRECTORY,
      .op = DIRECTORY__OP__DUMP },
    { .name = "queue.sqlite", .in_data = "queue.sqlite", .role = ROLE_COURIER, .op = COURIER__OP__DUMP },
};

static int piece_path(const struct config *c, const struct piece *p, char *out, size_t cap)
{
    const char *path = *(const char *const *)(const void *)((const char *)&c->server + p->path);
    int n = p->in_data ? snprintf(out, cap, "%s/%s", c->server.data_dir, p->in_data)
                       : snprintf(out, cap, "%s", path);

    return n < 0 || (size_t)n >= cap ? E_LIMIT : 0;
}

/* ---- backup ---- */

struct making {
    struct service *s;
    const struct config *c;
    struct vault *vault;
    uint64_t bytes;
};

static int key_read(const struct config *c, uint8_t key[KEY_BYTES])
{
    CLEANUP(buf_release) struct buf text = { .max = SERVER_KEY_TEXT_MAX };
    const char *env = getenv("LETTERLOCK_SERVER_KEY");
    int r = env && *env ? buf_putz(&text, env) : file_read(AT_FDCWD, c->server.key_file, &text);

    if (r == 0)
        r = server_key_parse(buf_str(&text), key);
    return r < 0 ? ctl_fail(r == E_NOTFOUND ? EX_NOINPUT : EX_CONFIG, "%s: server key: %s",
                            c->server.key_file, error_text(r))
                 : 0;
}

static int sink(void *ctx, struct str bytes)
{
    struct making *m = ctx;

    m->bytes += bytes.n;
    return vault_add(m->vault, bytes);
}

/* What is not there is left out. */
static int put_file(struct making *m, const char *name, const char *path)
{
    CLEANUP(buf_release) struct buf bytes = { .max = SMALL_MAX };
    int r = path[0] ? file_read(AT_FDCWD, path, &bytes) : E_NOTFOUND;

    if (r == E_NOTFOUND)
        return 0;
    if (r < 0)
        return ctl_fail(ctl_exit_code(r), "%s: %s", path, error_text(r));
    if ((r = vault_begin(m->vault, name)) == 0 && (r = sink(m, buf_str(&bytes))) == 0)
        r = vault_end(m->vault);
    return r < 0 ? ctl_fail(ctl_exit_code(r), "%s: %s", name, error_text(r)) : 0;
}

static int put_asked(struct making *m, const struct piece *p)
{
    Directory__Empty e = DIRECTORY__EMPTY__INIT; /* every role's Empty is nothing */
    int r = vault_begin(m->vault, p->name);

    if (r == 0)
        r = service_fetch(m->s, p->role, p->op, &e.base, NULL, NULL, sink, m);
    if (r == 0)
        r = vault_end(m->vault);
    return r < 0 ? ctl_fail(ctl_exit_code(r), "%s: %s", p->name, error_text(r)) : 0;
}

static int put_all(struct making *m)
{
    char path[4096];
    int r = put_file(m, "letterlock.conf", m->c->path);

    for (size_t i = 0; i < ARRAY_LEN(pieces) && r == 0; i++) {
        if (pieces[i].role != ROLE_NONE)
            r = put_asked(m, &pieces[i]);
        else if (piece_path(m->c, &pieces[i], path, sizeof path) == 0)
            r = put_file(m, pieces[i].name, path);
    }
    if (r == 0 && (r = vault_close(m->vault)) < 0)
        r = ctl_fail(ctl_exit_code(r), "%s", error_text(r));
    return r;
}

static int backup_to(struct making *m, const char *path, struct str passphrase)
{
    CLEANUP(buf_release) struct buf wrap = { .max = SERVER_KEY_TEXT_MAX };
    CLEANUP(fd_close) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    uint8_t key[KEY_BYTES] = { 0 };
    int r;

    if (fd < 0)
        return ctl_fail(EX_CANTCREAT, "%s: %s", path, strerror(errno));
    r = key_read(m->c, key);
    if (r == 0 && ((r = server_key_wrap(key, passphrase, &wrap)) < 0 ||
                   (r = vault_new(fd, key, buf_str(&wrap), &m->vault)) < 0))
        r = ctl_fail(ctl_exit_code(r), "%s: %s", path, error_text(r));
    if (r == 0)
        r = put_all(m);
    explicit_bzero(key, sizeof key);
    vault_free(&m->vault);
    if (r != 0)
        unlink(path);
    return r;
}

int cmd_backup(int argc, char **argv)
{
    CLEANUP(buf_release) struct buf passphrase = { .max = KIB(2) };
    CLEANUP(service_close) struct service *s = NULL;
    struct making m = { .s = NULL };
    struct args a = { .nwords = 0 };
    int r;

    if ((r = args_parse(argc, argv, NULL, 0, 1, &a)) != 0)
        return r;
    if (crypto_init() < 0)
        return ctl_fail(EX_SOFTWARE, "the cipher library does not start");
    if ((r = passphrase_read_new(&passphrase)) != 0 || (r = service_open(&a, &s)) != 0)
        return r;
    service_patience(s, PATIENCE_MS);
    m.s = s;
    m.c = service_config(s);
    if ((r = backup_to(&m, a.words[0], buf_str(&passphrase))) != 0)
        return r;
    fprintf(
        stderr,
        "%s: configuration, server key, certificate, addresses and queue, %llu bytes, under your passphrase.\n"
        "Mailboxes are not in it: they have backups of their own.\n",
        a.words[0], (unsigned long long)m.bytes);
    return EX_OK;
}

/* ---- restore-service ---- */

struct restoring {
    const char *dir;
    struct config config;
    bool has_config, dry;
    struct buf conf; /* the text of letterlock.conf */
    int fd;          /* -1: it goes to conf, or nowhere */
    bool to_conf;
    char path[4096];
    size_t pieces;
};

static const struct piece *piece_named(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++)
        if (strcmp(pieces[i].name, name) == 0)
            return &pieces[i];
    return NULL;
}

/* Its folder is made, one level. Over what an earlier try left, and over nothing else (checked before). */
static int create(struct restoring *t)
{
    char folder[4096];
    const char *slash = strrchr(t->path, '/');
    int r;

    if (slash && slash != t->path) {
        snprintf(folder, sizeof folder, "%.*s", (int)(slash - t->path), t->path);
        if ((r = file_mkdir(AT_FDCWD, folder)) < 0)
            return r;
    }
    t->fd = open(t->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    return t->fd < 0 ? error_from_errno(errno) : 0;
}

static int on_begin(void *ctx, const char *name)
{
    struct restoring *t = ctx;
    const struct piece *p = piece_named(name);
    int r;

    t->pieces++;
    t->to_conf = t->dry && strcmp(name, "letterlock.conf") == 0;
    if (t->dry || strcmp(name, "letterlock.conf") == 0)
        return 0;
    if (!p)
        return E_VERSION; /* of a newer program, whose service may need it */
    if ((r = piece_path(&t->config, p, t->path, sizeof t->path)) < 0)
        return r;
    return create(t);
}

static int on_take(void *ctx, struct str bytes)
{
    struct restoring *t = ctx;

    if (t->to_conf)
        return buf_puts(&t->conf, bytes);
    return t->fd >= 0 ? file_write(t->fd, bytes) : 0;
}

static int on_end(void *ctx)
{
    struct restoring *t = ctx;
    int r = 0;

    t->to_conf = false;
    if (t->fd < 0)
        return 0;
    if (fsync(t->fd) < 0)
        r = error_from_errno(errno);
    fd_close(&t->fd);
    return r < 0 ? r : file_sync_folder_of(AT_FDCWD, t->path);
}

static int read_vault(struct restoring *t, int fd, const uint8_t key[KEY_BYTES])
{
    const struct vault_reader r = { on_begin, on_take, on_end, t };
    int e = vault_read(fd, key, &r);

    fd_close(&t->fd);
    return e;
}

static int marker_put(struct restoring *t)
{
    char path[4096];
    int r = file_mkdir(AT_FDCWD, t->dir);

    snprintf(path, sizeof path, "%s/" MARKER, t->dir);
    if (r == 0)
        r = file_replace(AT_FDCWD, path, buf_str(&t->conf));
    return r < 0 ? ctl_fail(EX_CANTCREAT, "%s: %s", path, error_text(r)) : 0;
}

/* The configuration says where the rest belongs. */
static int config_of(struct restoring *t)
{
    CLEANUP(buf_release) struct buf err = { .max = KIB(4) };
    char path[4096];
    int r;

    snprintf(path, sizeof path, "%s/" MARKER, t->dir);
    if ((r = config_open(&t->config, path, &err)) < 0)
        return ctl_fail(EX_CONFIG, "%s: %.*s", path, STR_ARG(buf_str(&err)));
    t->has_config = true;
    return 0;
}

/* Nothing of another service is written over; what this left before a crash is. */
static int check_empty(struct restoring *t, bool again)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/letterlock.conf", t->dir);
    if (access(path, F_OK) == 0)
        return ctl_fail(EX_CANTCREAT, "%s: there is a letterlock already; nothing was changed", path);
    if (again)
        return 0;
    if (access(t->config.server.key_file, F_OK) == 0)
        return ctl_fail(EX_CANTCREAT, "%s: there is a server key already; nothing was changed",
                        t->config.server.key_file);
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++)
        if (piece_path(&t->config, &pieces[i], path, sizeof path) == 0 && path[0] && access(path, F_OK) == 0)
            return ctl_fail(EX_CANTCREAT, "%s is there already; nothing was changed", path);
    return 0;
}

static int key_put(struct restoring *t, const uint8_t key[KEY_BYTES])
{
    CLEANUP(buf_release) struct buf text = { .max = SERVER_KEY_TEXT_MAX };
    int r = server_key_text(key, &text);

    if (r == 0)
        r = file_replace(AT_FDCWD, t->config.server.key_file, buf_str(&text));
    return r < 0 ? ctl_fail(EX_CANTCREAT, "%s: %s", t->config.server.key_file, error_text(r)) : 0;
}

static int conf_place(struct restoring *t)
{
    char from[4096], to[4096];
    int r;

    snprintf(from, sizeof from, "%s/" MARKER, t->dir);
    snprintf(to, sizeof to, "%s/letterlock.conf", t->dir);
    if ((r = file_rename(AT_FDCWD, from, to)) < 0)
        return ctl_fail(EX_CANTCREAT, "%s: %s", to, error_text(r));
    return 0;
}

/* All of it is read and found whole before the first byte is written. */
static int restore_all(struct restoring *t, int fd, const char *file, const uint8_t key[KEY_BYTES])
{
    char marker[4096];
    bool again;
    int r;

    t->dry = true;
    if ((r = read_vault(t, fd, key)) < 0)
        return ctl_fail(EX_DATAERR, "%s: %s; nothing was changed", file, error_text(r));
    t->dry = false;
    snprintf(marker, sizeof marker, "%s/" MARKER, t->dir);
    again = access(marker, F_OK) == 0;
    if ((r = marker_put(t)) != 0 || (r = config_of(t)) != 0)
        return r;
    if ((r = check_empty(t, again)) != 0) {
        unlink(marker);
        return r;
    }
    if ((r = file_mkdir(AT_FDCWD, t->config.server.data_dir)) < 0 || (r = read_vault(t, fd, key)) < 0)
        return ctl_fail(ctl_exit_code(r), "%s: %s; the same command goes on", t->path[0] ? t->path : file,
                        error_text(r));
    return (r = key_put(t, key)) != 0 ? r : conf_place(t);
}

static int restore_from(struct restoring *t, const char *file)
{
    CLEANUP(fd_close) int fd = open(file, O_RDONLY | O_CLOEXEC);
    CLEANUP(buf_release) struct buf wrap = { .max = SERVER_KEY_TEXT_MAX }, passphrase = { .max = KIB(2) };
    uint8_t key[KEY_BYTES];
    int r;

    if (fd < 0)
        return ctl_fail(EX_NOINPUT, "%s: %s", file, strerror(errno));
    if ((r = vault_wrap(fd, &wrap)) < 0)
        return ctl_fail(EX_DATAERR, "%s: not a backup of a service, or a damaged one", file);
    if (secret_read("The passphrase of the backup", &passphrase) < 0 || passphrase.n == 0)
        return ctl_fail(EX_NOINPUT, "the passphrase is needed: on the terminal, or a line of standard input");
    if ((r = server_key_unwrap(buf_str(&wrap), buf_str(&passphrase), key)) < 0)
        return r == E_AUTH ? ctl_fail(EX_NOPERM, "that is not the passphrase of %s", file)
                           : ctl_fail(EX_DATAERR, "%s: %s", file, error_text(r));
    r = restore_all(t, fd, file, key);
    explicit_bzero(key, sizeof key);
    return r;
}

int cmd_restore_service(int argc, char **argv)
{
    struct restoring t = { .dir = ".", .fd = -1, .conf = { .max = SMALL_MAX } };
    const struct option opts[] = { { "--dir", &t.dir, NULL } };
    struct args a = { .nwords = 0 };
    int r;

    if ((r = args_parse(argc, argv, opts, ARRAY_LEN(opts), 1, &a)) != 0)
        return r;
    if (crypto_init() < 0)
        return ctl_fail(EX_SOFTWARE, "the cipher library does not start");
    r = restore_from(&t, a.words[0]);
    buf_release(&t.conf);
    if (t.has_config)
        config_release(&t.config);
    if (r != 0)
        return r;
    fprintf(stderr,
            "%s/letterlock.conf: the service is there again. Its mailboxes come with:\n"
            "  %s recover --config %s/letterlock.conf\n",
            t.dir, ctl_program(), t.dir);
    return EX_OK;
}
