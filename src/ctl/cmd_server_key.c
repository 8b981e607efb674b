/* src/ctl/cmd_server_key.c: the server key under an operator's passphrase: a copy that may lie where others
 * can read it, and the way back. It opens no mailbox, but without it addresses and waiting mail are lost. */
#include "src/ctl/cmd_server_key.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/crypto/password.h"
#include "lib/crypto/subkey.h"
#include "src/common/supervisor.h"
#include <fcntl.h>
#include <sysexits.h>
#include <unistd.h>

#define PASSPHRASE_MAX KIB(2)

int passphrase_read_new(struct buf *out)
{
    CLEANUP(buf_release) struct buf again = { .max = PASSPHRASE_MAX };

    if (secret_read("A passphrase for the copy of the server key", out) < 0 || out->n == 0)
        return ctl_fail(EX_NOINPUT, "a passphrase is needed: on the terminal, or a line of standard input");
    if (password_strength_check(buf_str(out), NULL) < 0)
        return ctl_fail(EX_DATAERR, "that passphrase is too easily guessed; nothing was changed");
    if (!isatty(STDIN_FILENO))
        return 0;
    if (secret_read("The same again", &again) < 0 || !str_eq(buf_str(&again), buf_str(out)))
        return ctl_fail(EX_DATAERR, "the two are not the same; nothing was changed");
    return 0;
}

/* The file may not be there. */
static int put_new(int dir, const char *path, struct str text)
{
    int r = faccessat(dir, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ? E_EXISTS : file_replace(dir, path, text);

    return r < 0 ? ctl_fail(EX_CANTCREAT, "%s: %s", path, error_text(r)) : 0;
}

int server_key_copy(int dir, const char *path, const uint8_t key[KEY_BYTES], struct str passphrase)
{
    CLEANUP(buf_release) struct buf text = { .max = SERVER_KEY_TEXT_MAX };
    int r = server_key_wrap(key, passphrase, &text);

    return r < 0 ? ctl_fail(ctl_exit_code(r), "the copy of the server key: %s", error_text(r))
                 : put_new(dir, path, buf_str(&text));
}

static int key_file_read(const char *path, struct buf *text)
{
    int r = file_read(AT_FDCWD, path, text);

    return r < 0 ? ctl_fail(r == E_NOTFOUND ? EX_NOINPUT : ctl_exit_code(r), "%s: %s", path, error_text(r))
                 : 0;
}

static int run_copy(const struct config *c, const char *path)
{
    CLEANUP(buf_release)
    struct buf text = { .max = SERVER_KEY_TEXT_MAX }, passphrase = { .max = PASSPHRASE_MAX };
    uint8_t key[KEY_BYTES];
    int r;

    if ((r = key_file_read(c->server.key_file, &text)) != 0)
        return r;
    if (server_key_parse(buf_str(&text), key) < 0)
        return ctl_fail(EX_CONFIG, "%s: not a server key", c->server.key_file);
    if ((r = passphrase_read_new(&passphrase)) == 0)
        r = server_key_copy(AT_FDCWD, path, key, buf_str(&passphrase));
    explicit_bzero(key, sizeof key);
    if (r == 0)
        fprintf(stderr, "%s is the server key under your passphrase. Keep it in another place.\n", path);
    return r;
}

static int unwrap(const char *path, struct str text, uint8_t key[KEY_BYTES])
{
    CLEANUP(buf_release) struct buf passphrase = { .max = PASSPHRASE_MAX };
    int r;

    if (secret_read("The passphrase of the copy", &passphrase) < 0 || passphrase.n == 0)
        return ctl_fail(EX_NOINPUT, "the passphrase is needed: on the terminal, or a line of standard input");
    r = server_key_unwrap(text, buf_str(&passphrase), key);
    if (r == E_AUTH)
        return ctl_fail(EX_NOPERM, "that is not the passphrase of %s", path);
    if (r == E_SYNTAX || r == E_CORRUPT)
        return ctl_fail(EX_DATAERR, "%s: not a copy of a server key, or a damaged one", path);
    return r < 0 ? ctl_fail(ctl_exit_code(r), "%s: %s", path, error_text(r)) : 0;
}

static int run_recover(const struct config *c, const char *path)
{
    CLEANUP(buf_release)
    struct buf copy = { .max = SERVER_KEY_TEXT_MAX }, text = { .max = SERVER_KEY_TEXT_MAX };
    uint8_t key[KEY_BYTES];
    int r;

    if (access(c->server.key_file, F_OK) == 0)
        return ctl_fail(EX_CANTCREAT, "%s: there is a server key already; nothing was changed",
                        c->server.key_file);
    if ((r = key_file_read(path, &copy)) != 0 || (r = unwrap(path, buf_str(&copy), key)) != 0)
        return r;
    r = server_key_text(key, &text);
    explicit_bzero(key, sizeof key);
    if (r < 0)
        return ctl_fail(EX_SOFTWARE, "server key: %s", error_text(r));
    if ((r = put_new(AT_FDCWD, c->server.key_file, buf_str(&text))) == 0)
        fprintf(stderr, "%s is there again.\n", c->server.key_file);
    return r;
}

static int with_config(int argc, char **argv, int (*run)(const struct config *c, const char *path))
{
    struct args a = { .nwords = 0 };
    struct config c = { 0 };
    int r;

    if ((r = args_parse(argc, argv, NULL, 0, 1, &a)) != 0 || (r = ctl_config(&a, &c)) != 0)
        return r;
    if (crypto_init() < 0)
        r = ctl_fail(EX_SOFTWARE, "the cipher library does not start");
    else
        r = run(&c, a.words[0]);
    config_release(&c);
    return r;
}

int cmd_server_key_copy(int argc, char **argv)
{
    return with_config(argc, argv, run_copy);
}

int cmd_server_key_recover(int argc, char **argv)
{
    return with_config(argc, argv, run_recover);
}

/* ---- another one ---- */

static void say_rotated(const struct rotation_count *n, bool json)
{
    if (json) {
        printf("{\"databases\":%llu,\"temporary_mailboxes\":%llu,\"key_files\":%llu,\"labels_lost\":%llu}\n",
               (unsigned long long)n->databases, (unsigned long long)n->temporaries,
               (unsigned long long)n->key_files, (unsigned long long)n->labels_lost);
        return;
    }
    printf("There is a new server key. Written anew under it: %llu databases, %llu temporary mailboxes, the "
           "labels in %llu key files.\n",
           (unsigned long long)n->databases, (unsigned long long)n->temporaries,
           (unsigned long long)n->key_files);
}

/* The copy that init made lies beside the key; where others are, only the operator knows. */
static int renew_copy(const struct config *c, const char *copy, struct str passphrase)
{
    CLEANUP(buf_release)
    struct buf text = { .max = SERVER_KEY_TEXT_MAX }, wrapped = { .max = SERVER_KEY_TEXT_MAX };
    uint8_t key[KEY_BYTES];
    int r = file_read(AT_FDCWD, c->server.key_file, &text);

    if (r == 0 && (r = server_key_parse(buf_str(&text), key)) == 0 &&
        (r = server_key_wrap(key, passphrase, &wrapped)) == 0)
        r = file_replace(AT_FDCWD, copy, buf_str(&wrapped));
    explicit_bzero(key, sizeof key);
    if (r < 0)
        return ctl_fail(ctl_exit_code(r), "the server key was exchanged, but %s was not renewed: %s", copy,
                        error_text(r));
    fprintf(stderr, "%s is the new server key under your passphrase. Other copies are of the former one.\n",
            copy);
    return 0;
}

static void say_stale(const char *copy)
{
    if (access(copy, F_OK) == 0)
        fprintf(stderr, "%s is a copy of the former server key, and of no use any more.\n", copy);
    fprintf(
        stderr,
        "Every copy of the former server key is stale: make a new one with \"%s server-key copy FILE\".\n",
        ctl_program());
}

static int run_rotate(const struct config *c, bool renew, bool json)
{
    CLEANUP(buf_release) struct buf passphrase = { .max = PASSPHRASE_MAX };
    struct rotation_count count = { 0 };
    char copy[4096];
    int r;

    snprintf(copy, sizeof copy, "%s.copy", c->server.key_file);
    if ((renew && (r = passphrase_read_new(&passphrase)) != 0) || (r = supervisor_rotate(c, &count)) != 0)
        return r;
    say_rotated(&count, json);
    if (count.labels_lost)
        fprintf(stderr, "%llu names of passwords could not be read and stay as they are.\n",
                (unsigned long long)count.labels_lost);
    if (renew)
        return renew_copy(c, copy, buf_str(&passphrase));
    say_stale(copy);
    return 0;
}

int cmd_server_key_rotate(int argc, char **argv)
{
    bool renew = false;
    struct option opts[] = { { "--passphrase", NULL, &renew } };
    struct args a = { .nwords = 0 };
    struct config c = { 0 };
    int r;

    if ((r = args_parse(argc, argv, opts, ARRAY_LEN(opts), 0, &a)) != 0 || (r = ctl_config(&a, &c)) != 0)
        return r;
    r = crypto_init() < 0 ? ctl_fail(EX_SOFTWARE, "the cipher library does not start")
                          : run_rotate(&c, renew, a.json);
    config_release(&c);
    return r;
}
