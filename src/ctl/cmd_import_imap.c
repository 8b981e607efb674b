/* src/ctl/cmd_import_imap.c: `import imap`: a mailbox on another server comes into one of ours. What was brought in is
 * remembered in the mailbox itself, as an annotation of the folder it went to: the source's UIDVALIDITY and last UID, and our
 * UIDVALIDITY and next UID then. Whatever stopped it: what came behind that mark is compared, and nothing comes twice. */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/hex.h"
#include "src/ctl/imap_reader.h"
#include "src/ctl/import.h"
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <sysexits.h>

#define PATIENCE_MS INT64_C(3600000)
#define ENTRY       "/private/vendor/letterlock/import/"
#define ENTRY_HASH  16u

struct request {
    struct args a;
    const char *host, *user, *port, *ca, *password_file, *folder, *under;
    bool starttls;
    struct buf password, source_password, why;
    struct service *s;
    Directory__Alias *alias;
    struct import x;
    struct imap_client_options o;
    struct arena arena;
    /* the folder under way */
    char entry[sizeof ENTRY + 2 * ENTRY_HASH];
    uint32_t uidvalidity, after, our_uidvalidity, our_next;
    uint64_t left_out;
};

static void request_release(struct request *q)
{
    import_release(&q->x);
    buf_release(&q->password);
    buf_release(&q->source_password);
    buf_release(&q->why);
    arena_release(&q->arena);
    service_close(&q->s);
}

/* ---- the mark ---- */

/* Of this server, user and folder: nothing of theirs is told to who reads annotations. */
static void entry_name(struct request *q, struct str wire)
{
    uint8_t hash[ENTRY_HASH];
    crypto_generichash_state h;
    char hex[2 * ENTRY_HASH + 1];

    crypto_generichash_init(&h, NULL, 0, sizeof hash);
    crypto_generichash_update(&h, (const uint8_t *)q->host, strlen(q->host) + 1);
    crypto_generichash_update(&h, (const uint8_t *)q->user, strlen(q->user) + 1);
    crypto_generichash_update(&h, (const uint8_t *)wire.p, wire.n);
    crypto_generichash_final(&h, hash, sizeof hash);
    hex_encode(hash, sizeof hash, hex);
    snprintf(q->entry, sizeof q->entry, ENTRY "%s", hex);
}

static bool mark_parse(struct str text, uint32_t v[4])
{
    struct str word;

    for (size_t i = 0; i < 4; i++) {
        str_cut(text, ' ', &word, &text);
        if (!str_to_u32(word, &v[i]))
            return false;
    }
    return true;
}

/* The folder of ours that has the mark: wherever it was moved to. Else the one of the same use, or name. */
static int target_find(struct request *q, struct imap_reader_folder *f, struct buf *mark)
{
    ProtobufCBinaryData entries[1] = { str_pb(str_from(q->entry)) };
    Store__FoldersRequest k = STORE__FOLDERS_REQUEST__INIT;
    Store__FoldersResponse *m = NULL;
    struct str name = STR_NONE;
    int r;

    k.session = str_pb(str_of(q->x.mail.session, sizeof q->x.mail.session));
    k.annotations = entries;
    k.n_annotations = 1;
    if ((r = service_ask(q->s, ROLE_STORE, STORE__OP__FOLDERS, &k.base, &store__folders_response__descriptor,
                         &m)) < 0)
        return r;
    for (size_t i = 0; i < m->n_folders && r == 0; i++) {
        const Store__Folder *one = m->folders[i];

        if (one->n_annotations && one->annotations[0]->has_value && !mark->n) {
            name = pb_str(one->name);
            q->our_uidvalidity = one->uidvalidity;
            r = buf_puts(mark, pb_str(one->annotations[0]->value));
        } else if (!mark->n && !q->under && f->use && one->special_use == (Store__SpecialUse)f->use) {
            name = pb_str(one->name);
        }
    }
    if (name.p && r == 0 && !(f->ours = arena_dup(&q->arena, name)).p)
        r = E_NOMEM;
    service_forget(q->s);
    return r;
}

static int name_under(struct request *q, struct imap_reader_folder *f)
{
    CLEANUP(buf_release) struct buf name = { .max = KIB(4) };
    int r;

    if (!q->under)
        return 0;
    if ((r = buf_printf(&name, "%s/%.*s", q->under, STR_ARG(f->ours))) < 0)
        return r;
    f->ours = arena_dup(&q->arena, buf_str(&name));
    return f->ours.p ? 0 : E_NOMEM;
}

static int on_begin(void *ctx, struct imap_reader_folder *f, uint32_t *after_out)
{
    CLEANUP(buf_release) struct buf mark = { .max = KIB(1) };
    struct request *q = ctx;
    uint32_t v[4] = { 0 };
    int r;

    if ((r = import_flush(&q->x)) < 0)
        return r;
    entry_name(q, f->wire);
    if ((r = name_under(q, f)) < 0 || (r = target_find(q, f, &mark)) < 0)
        return r;
    q->uidvalidity = f->uidvalidity;
    q->after = 0;
    q->our_next = 1;
    if (mark.n && mark_parse(buf_str(&mark), v) && v[0] == f->uidvalidity) {
        q->after = v[1];
        if (v[2] == q->our_uidvalidity)
            q->our_next = v[3];
    }
    *after_out = q->after;
    return 0;
}

static int on_entered(void *ctx, struct str folder UNUSED, struct str ours UNUSED, uint32_t *from_uid)
{
    *from_uid = ((struct request *)ctx)->our_next;
    return 0;
}

static int on_landed(void *ctx, struct str folder UNUSED, struct str ours, uint64_t number, uint32_t uid)
{
    CLEANUP(buf_release) struct buf text = { .max = 100 };
    struct request *q = ctx;
    uint32_t safe = imap_reader_done(q->x.r), up_to = number < safe ? (uint32_t)number : safe;
    Store__FoldersResponse *m = NULL;
    int r;

    if (up_to <= q->after)
        return 0;
    q->after = up_to;
    if ((r = mail_folders(&q->x.mail, ours, &m)) < 0 || !m->n_folders)
        return r < 0 ? r : E_NOTFOUND;
    if ((r = buf_printf(&text, "%u %u %u %u", q->uidvalidity, up_to, m->folders[0]->uidvalidity, uid)) < 0)
        return r;
    return mail_annotation_set(&q->x.mail, ours, q->entry, buf_str(&text));
}

static void on_left_out(void *ctx, const char *what, const char *why, int e)
{
    struct request *q = ctx;
    char folder[400], reason[600];

    fprintf(stderr, "%s: %s: %s\n", e ? "skipped" : "left out", ctl_shown(what, folder, sizeof folder),
            ctl_shown(why, reason, sizeof reason));
    if (e)
        q->x.skipped++;
    else
        q->left_out++;
}

/* ---- the command ---- */

static int say(struct request *q, int e)
{
    const char *why = q->why.n ? buf_z(&q->why) : error_text(e);

    switch (e) {
    case E_AUTH: return ctl_fail(EX_NOPERM, "%s does not take that name and password: %s", q->host, why);
    case E_DENIED: return ctl_fail(EX_UNAVAILABLE, "%s: %s", q->host, why);
    case E_NOTFOUND:
        return q->folder && q->why.n ? ctl_fail(EX_NOINPUT, "%s has no folder %s", q->host, q->folder)
                                     : ctl_fail(EX_NOHOST, "%s: no such server", q->host);
    case E_UNSUPPORTED:
    case E_SYNTAX: return ctl_fail(EX_PROTOCOL, "%s: %s", q->host, why);
    case E_QUOTA: return import_say(&q->x, q->host, e);
    default:
        return ctl_fail(EX_TEMPFAIL, "%s: %s: %llu messages are in (the same command goes on)", q->host, why,
                        (unsigned long long)q->x.messages);
    }
}

static int source_password(struct request *q)
{
    struct str s, rest;

    if (q->password_file) {
        int r = file_read(AT_FDCWD, q->password_file, &q->source_password);

        if (r < 0)
            return ctl_fail(EX_NOINPUT, "%s: %s", q->password_file, error_text(r));
    } else if (secret_read("The password on the other server", &q->source_password) < 0) {
        return ctl_fail(
            EX_NOINPUT,
            "the other server's password is needed: on the terminal, or a line of standard input");
    }
    s = buf_str(&q->source_password);
    if (str_cut(s, '\n', &s, &rest) && str_ends(s, STR("\r")))
        s.n--;
    q->o.password = s;
    return s.n ? 0 : ctl_fail(EX_NOINPUT, "the other server's password is empty");
}

static int take(struct request *q)
{
    uint32_t port = q->starttls ? 143 : 993;
    int r;

    if (!q->host || !q->user)
        return ctl_fail(EX_USAGE, "--host and --user are needed");
    if (q->port && (!str_to_u32(str_from(q->port), &port) || port == 0 || port > 65535))
        return ctl_fail(EX_USAGE, "--port is a number up to 65535");
    if ((r = mailbox_ask(&q->a, &q->s, &q->alias)) != 0 || (r = password_read(&q->password)) != 0)
        return r;
    q->o.host = q->host;
    q->o.ca_file = q->ca ? q->ca : "";
    q->o.port = (uint16_t)port;
    q->o.starttls = q->starttls;
    q->o.user = str_from(q->user);
    q->o.service = q->s;
    return source_password(q);
}

int cmd_import_imap(int argc, char **argv)
{
    CLEANUP(request_release)
    struct request q = { .password = { .max = KIB(2) },
                         .source_password = { .max = KIB(4) },
                         .why = { .max = KIB(1) },
                         .arena = { .max = MIB(32) } };
    const struct option opts[] = {
        { "--host", &q.host, NULL },     { "--user", &q.user, NULL },
        { "--port", &q.port, NULL },     { "--starttls", NULL, &q.starttls },
        { "--ca", &q.ca, NULL },         { "--password-file", &q.password_file, NULL },
        { "--folder", &q.folder, NULL }, { "--under", &q.under, NULL },
    };
    const struct imap_reader_hooks reader_hooks = { on_begin, on_left_out, &q };
    const struct import_hooks hooks = { on_entered, on_landed, &q };
    int r;

    if ((r = args_parse(argc, argv, opts, ARRAY_LEN(opts), 1, &q.a)) != 0 || (r = take(&q)) != 0)
        return r;
    signal(SIGPIPE, SIG_IGN);
    service_patience(q.s, PATIENCE_MS);
    q.x.address = q.a.words[0];
    q.x.hooks = &hooks;
    if ((r = mail_open(&q.x.mail, q.s, q.alias, buf_str(&q.password))) < 0)
        return import_say(&q.x, q.host, r);
    if ((r = imap_reader_new(&q.o, q.folder, &reader_hooks, &q.why, &q.x.r)) < 0 ||
        (r = import_all(&q.x)) < 0)
        return say(&q, r);
    return import_report(&q.x, q.a.json);
}
