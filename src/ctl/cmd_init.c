/* src/ctl/cmd_init.c: a folder that `serve` can start from. Nothing that exists is overwritten. */
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/rand.h"
#include "lib/smtp/path.h"
#include "lib/tls/tls.h"
#include "proto/directory.pb-c.h"
#include "src/ctl/cmd_server_key.h"
#include <errno.h>
#include <fcntl.h>
#include <idn2.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define CERT_DAYS 3650
#define KEY_COPY  "server.key.copy"

static int put(int dir, const char *dir_name, const char *path, struct str bytes)
{
    int r = file_replace(dir, path, bytes);

    return r < 0 ? ctl_fail(EX_CANTCREAT, "%s/%s: %s", dir_name, path, error_text(r)) : 0;
}

static int put_config(int dir, const struct init_options *o)
{
    CLEANUP(buf_release) struct buf b = { .max = KIB(16) };

    if (buf_printf(&b,
                   "# Letterlock. Every key, its range and its default: man letterlock.conf\n"
                   "# Each can be given as LETTERLOCK_SECTION_KEY in the environment, too.\n\n"
                   "[server]\n"
                   "hostname = mail.%s\n"
                   "data_dir = data\n"
                   "run_dir = run\n"
                   "key_file = server.key\n"
                   "tls_cert = tls/cert.pem\n"
                   "tls_key = tls/key.pem\n\n"
                   "[imap]\n"
                   "listen = %s\n"
                   "tls_listen = %s\n\n"
                   "# POP3 is off until it has an address; as a rule :110 with STLS and :995 with TLS.\n"
                   "[pop3]\n"
                   "listen = %s\n"
                   "tls_listen = %s\n\n"
                   "[mx]\n"
                   "listen = %s\n\n"
                   "# So is the way out for its people; as a rule :587 with STARTTLS and :465 with TLS.\n"
                   "[submission]\n"
                   "listen = %s\n"
                   "tls_listen = %s\n",
                   o->domain, o->imap_listen, o->imap_tls_listen, o->pop3_listen, o->pop3_tls_listen,
                   o->mx_listen, o->submission_listen, o->submission_tls_listen) < 0)
        return EX_OSERR;
    return put(dir, o->dir, "letterlock.conf", buf_str(&b));
}

static int put_server_key(int dir, const struct init_options *o)
{
    CLEANUP(buf_release) struct buf b = { .max = SERVER_KEY_TEXT_MAX };
    uint8_t key[KEY_BYTES];
    int r;

    rand_bytes(key, sizeof key);
    r = server_key_text(key, &b);
    r = r < 0 ? ctl_fail(EX_SOFTWARE, "server key: %s", error_text(r))
              : put(dir, o->dir, "server.key", buf_str(&b));
    if (r == 0 && o->passphrase.n)
        r = server_key_copy(dir, KEY_COPY, key, o->passphrase);
    explicit_bzero(key, sizeof key);
    return r;
}

static int put_certificate(int dir, const struct init_options *o)
{
    CLEANUP(buf_release) struct buf cert = { .max = KIB(16) }, key = { .max = KIB(16) };
    char host[300];
    struct str names[4];
    int r, n = snprintf(host, sizeof host, "mail.%s", o->domain);

    names[0] = str_of(host, (size_t)n);
    names[1] = str_from(o->domain);
    names[2] = STR("localhost");
    names[3] = STR("127.0.0.1");
    if ((r = tls_self_signed(names, ARRAY_LEN(names), CERT_DAYS, &cert, &key)) < 0)
        return ctl_fail(EX_SOFTWARE, "certificate: %s", error_text(r));
    if ((r = file_mkdir(dir, "tls")) < 0)
        return ctl_fail(EX_CANTCREAT, "%s/tls: %s", o->dir, error_text(r));
    if ((r = put(dir, o->dir, "tls/key.pem", buf_str(&key))) != 0)
        return r;
    return put(dir, o->dir, "tls/cert.pem", buf_str(&cert));
}

/* The A-label form of `domain`, to be freed; what goes into names of hosts and certificates. sysexits. */
static int domain_ascii(const char *domain, char **out)
{
    bool literal = false, utf8 = false;
    char *ascii = NULL;

    if (!smtp_domain_valid(str_from(domain), &literal, &utf8) || literal ||
        idn2_to_ascii_8z(domain, &ascii, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT) != IDN2_OK)
        return ctl_fail(EX_DATAERR, "%s: not a domain name", domain);
    if (!smtp_domain_public(str_from(ascii))) {
        free(ascii);
        return ctl_fail(
            EX_DATAERR,
            "%s: not a name that mail can come to: that has two labels or more, and the last is no number",
            domain);
    }
    *out = ascii;
    return 0;
}

int init_folder(const struct init_options *o)
{
    CLEANUP(fd_close) int dir = -1;
    bool ours = access(o->dir, F_OK) != 0;
    int r = file_mkdir(AT_FDCWD, o->dir);

    if (r == E_NOTFOUND)
        return ctl_fail(EX_CANTCREAT, "%s: the folder it is to lie in is not there", o->dir);
    if (r < 0 || (dir = open(o->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        return ctl_fail(EX_CANTCREAT, "%s: %s", o->dir, error_text(r < 0 ? r : E_IO));
    if (faccessat(dir, "letterlock.conf", F_OK, 0) == 0 || faccessat(dir, "server.key", F_OK, 0) == 0 ||
        faccessat(dir, KEY_COPY, F_OK, 0) == 0)
        return ctl_fail(EX_CANTCREAT, "%s: there is a letterlock already; nothing was changed", o->dir);
    if ((r = put_server_key(dir, o)) != 0 || (r = put_certificate(dir, o)) != 0 ||
        (r = file_mkdir(dir, "data")) < 0 || (r = file_mkdir(dir, "run")) < 0)
        return r < 0 ? ctl_fail(EX_CANTCREAT, "%s: %s", o->dir, error_text(r)) : r;
    /* Others may pass through, for roles under a user of their own; what is in it they cannot read or list. */
    if (ours && fchmod(dir, 0711) < 0)
        return ctl_fail(EX_CANTCREAT, "%s: %s", o->dir, strerror(errno));
    return put_config(dir, o); /* last: where it is, all is */
}

/* The first domain, by the roles themselves like every other. */
static int init_domain(const char *dir, const char *domain)
{
    Directory__DomainRequest q = DIRECTORY__DOMAIN_REQUEST__INIT;
    CLEANUP(service_close) struct service *s = NULL;
    char path[4096];
    struct args a = { .config = path };
    int r;

    snprintf(path, sizeof path, "%s/letterlock.conf", dir);
    if ((r = service_open(&a, &s)) != 0)
        return r;
    q.domain = str_pb(str_from(domain));
    r = service_ask(s, ROLE_DIRECTORY, DIRECTORY__OP__DOMAIN_ADD, &q.base, NULL, NULL);
    if (r == 0)
        postmaster_hint(s, domain);
    return r < 0 && r != E_EXISTS ? ctl_fail(ctl_exit_code(r), "%s: %s", domain, error_text(r)) : 0;
}

int cmd_init(int argc, char **argv)
{
    struct init_options o = { .dir = ".",
                              .domain = NULL,
                              .imap_listen = ":143",
                              .imap_tls_listen = ":993",
                              .pop3_listen = "",
                              .pop3_tls_listen = "",
                              .mx_listen = ":25",
                              .submission_listen = "",
                              .submission_tls_listen = "" };
    CLEANUP(buf_release) struct buf passphrase = { .max = KIB(2) };
    char *ascii = NULL;
    bool has_domain, copy = false;
    struct option opts[] = { { "--dir", &o.dir, NULL },
                             { "--domain", &o.domain, NULL },
                             { "--passphrase", NULL, &copy } };
    struct args a = { .nwords = 0 };
    int r;

    if ((r = args_parse(argc, argv, opts, ARRAY_LEN(opts), 0, &a)) != 0)
        return r;
    if (copy && crypto_init() < 0)
        return ctl_fail(EX_SOFTWARE, "the cipher library does not start");
    if (copy && (r = passphrase_read_new(&passphrase)) != 0)
        return r;
    o.passphrase = buf_str(&passphrase);
    has_domain = o.domain != NULL;
    if (!has_domain)
        o.domain = "localhost.localdomain";
    if ((r = domain_ascii(o.domain, &ascii)) != 0)
        return r;
    o.domain = ascii;
    if ((r = init_folder(&o)) == 0 && has_domain)
        r = init_domain(o.dir, o.domain);
    free(ascii);
    if (r != 0)
        return r;
    printf("Made %s/letterlock.conf, a server key and a self-signed certificate.\n"
           "Keep a copy of %s/%s in a safe place: without it, addresses and waiting mail are lost.\n"
           "Next: %s serve --config %s/letterlock.conf\n",
           o.dir, o.dir, copy ? KEY_COPY " (it is under your passphrase)" : "server.key", ctl_program(),
           o.dir);
    if (!has_domain)
        printf("      %s domain add DOMAIN --config %s/letterlock.conf\n", ctl_program(), o.dir);
    return EX_OK;
}
