/* src/ctl/cmd_export.c: `mailbox export` and `mailbox convert`: everything in a mailbox, of the service or as a file, in
 * files that other programs read. */
#include "lib/base/errors.h"
#include "src/common/mailfile.h"
#include "src/ctl/export.h"
#include <sodium.h>
#include <sysexits.h>

#define PATIENCE_MS INT64_C(604800000) /* of one folder */

struct request {
    struct args a;
    const char *format_name, *output, *keys;
    enum port_format format;
    struct buf password, text;
    struct service *s;
    Directory__Alias *alias;
    struct mail mail;
    struct mailfile *file;
    struct export x;
};

static void request_release(struct request *q)
{
    export_release(&q->x);
    mailfile_free(&q->file);
    mail_close(&q->mail);
    buf_release(&q->password);
    buf_release(&q->text);
    service_close(&q->s);
}

static int take_format(struct request *q)
{
    if (!q->format_name || !q->output)
        return ctl_fail(EX_USAGE, "--format and --output are needed");
    if (!port_format_of(q->format_name, &q->format))
        return ctl_fail(EX_USAGE, "--format is one of sqlite, mbox, Maildir and eml");
    return 0;
}

static int go(struct request *q, const struct export_source *from)
{
    int r;

    q->x.from = from;
    q->x.output = q->output;
    q->x.format = q->format;
    if ((r = export_open(&q->x, buf_str(&q->password))) < 0 || (r = export_all(&q->x)) < 0)
        return export_say(&q->x, q->a.words[0], q->output, r);
    export_report(&q->x, q->a.words[0], q->output, q->a.json);
    return EX_OK;
}

/* ---- of the service ---- */

static int mail_source_folders(void *ctx, Store__FoldersResponse **out)
{
    return mail_folders(ctx, STR_NONE, out);
}

static int mail_source_fetch(void *ctx, const Store__Folder *f, uint32_t after, const struct mail_fetch *to)
{
    uint32_t range[2] = { after + 1, f->uidnext - 1 };

    return f->messages == 0 || range[0] > range[1]
               ? 0
               : mail_fetch(ctx, f->id, range, 2, STORE__WANT__META | STORE__WANT__BODY, to);
}

int cmd_mailbox_export(int argc, char **argv)
{
    CLEANUP(request_release) struct request q = { .password = { .max = KIB(2) } };
    const struct option opts[] = { { "--format", &q.format_name, NULL }, { "--output", &q.output, NULL } };
    const struct export_source from = { mail_source_folders, mail_source_fetch, &q.mail };
    int r;

    if ((r = args_parse(argc, argv, opts, ARRAY_LEN(opts), 1, &q.a)) != 0 || (r = take_format(&q)) != 0 ||
        (r = mailbox_ask(&q.a, &q.s, &q.alias)) != 0)
        return r;
    if ((r = password_read(&q.password)) != 0)
        return r;
    if ((r = mail_open(&q.mail, q.s, q.alias, buf_str(&q.password))) < 0)
        return r == E_AUTH
                   ? ctl_fail(EX_NOPERM, "that password does not open the mailbox of %s", q.a.words[0])
                   : ctl_fail(ctl_exit_code(r), "%s: %s", q.a.words[0], error_text(r));
    service_patience(q.s, PATIENCE_MS);
    memcpy(q.x.whose, q.alias->mailbox_id.data, size_min(q.alias->mailbox_id.len, sizeof q.x.whose));
    return go(&q, &from);
}

/* ---- of a downloaded backup ---- */

static int file_source_folders(void *ctx, Store__FoldersResponse **out)
{
    return mailfile_folders(((struct request *)ctx)->file, out);
}

static int file_source_fetch(void *ctx, const Store__Folder *f, uint32_t after, const struct mail_fetch *to)
{
    CLEANUP(buf_release) struct buf slice = { .max = MIB(4) };
    struct mailfile *file = ((struct request *)ctx)->file;
    struct mail_records records;
    int r = mailfile_begin(file, f->id, after + 1, f->uidnext - 1, STORE__WANT__META | STORE__WANT__BODY),
        more = 1;

    mail_records_init(&records, to);
    while (r == 0 && more > 0) {
        buf_clear(&slice);
        r = (more = mailfile_more(file, &slice)) < 0 ? more : mail_records_feed(&records, buf_str(&slice));
    }
    mail_records_release(&records);
    return r;
}

static int file_say(const struct request *q, const char *keys, int e)
{
    const char *backup = q->a.words[0];

    switch (e) {
    case E_AUTH: return ctl_fail(EX_NOPERM, "that password does not open %s", keys);
    case E_NOTFOUND:
        return ctl_fail(EX_NOINPUT, "%s and %s are needed: one of them is not there", backup, keys);
    case E_CORRUPT:
        return ctl_fail(EX_DATAERR, "%s and %s: damaged, or not of the same mailbox", backup, keys);
    case E_VERSION: return ctl_fail(EX_DATAERR, "%s is of a newer program than this one", backup);
    default: return ctl_fail(ctl_exit_code(e), "%s: %s", backup, error_text(e));
    }
}

int cmd_mailbox_convert(int argc, char **argv)
{
    CLEANUP(request_release)
    struct request q = { .password = { .max = KIB(2) }, .text = { .max = KIB(16) }, .format_name = "sqlite" };
    const struct option opts[] = { { "--format", &q.format_name, NULL },
                                   { "--output", &q.output, NULL },
                                   { "--keys", &q.keys, NULL } };
    const struct export_source from = { file_source_folders, file_source_fetch, &q };
    CLEANUP(buf_release) struct buf scratch = { .max = KIB(16) };
    int r;

    if ((r = args_parse(argc, argv, opts, ARRAY_LEN(opts), 1, &q.a)) != 0 || (r = take_format(&q)) != 0)
        return r;
    if (buf_printf(&q.text, "%s.keys", q.a.words[0]) < 0 || !buf_z(&q.text) ||
        buf_printf(&scratch, "%s.scratch", q.output) < 0 || !buf_z(&scratch))
        return ctl_fail(EX_USAGE, "the name is too long");
    if ((r = password_read(&q.password)) != 0)
        return r;
    q.keys = q.keys ? q.keys : buf_z(&q.text);
    if ((r = mailfile_open(q.a.words[0], q.keys, buf_str(&q.password), buf_z(&scratch), &q.file)) < 0)
        return file_say(&q, q.keys, r);
    crypto_generichash(q.x.whose, sizeof q.x.whose, (const uint8_t *)q.a.words[0], strlen(q.a.words[0]), NULL,
                       0);
    return go(&q, &from);
}
