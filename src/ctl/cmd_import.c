/* src/ctl/cmd_import.c: `mailbox import`: messages from files of other programs. */
#include "lib/base/errors.h"
#include "src/ctl/import.h"
#include <sysexits.h>

#define PATIENCE_MS INT64_C(3600000)

struct request {
    struct args a;
    const char *format_name, *input, *folder_name;
    enum port_format format;
    struct buf password;
    struct service *s;
    Directory__Alias *alias;
    struct import x;
};

static void request_release(struct request *q)
{
    import_release(&q->x);
    buf_release(&q->password);
    service_close(&q->s);
}

/* "/x/Work.mbox" is Work. */
static struct str folder_of(const struct request *q)
{
    struct str s = str_from(q->input);
    ptrdiff_t slash;

    if (q->folder_name)
        return str_from(q->folder_name);
    slash = str_rchr(s, '/');
    s = slash >= 0 ? str_skip(s, (size_t)slash + 1) : s;
    if (str_ends(s, STR(".mbox")))
        s.n -= 5;
    return s.n ? s : STR("INBOX");
}

/* A zip or an SQLite file may have a password of its own: asked for when the mailbox's is not it. */
static int input_open(struct request *q)
{
    CLEANUP(buf_release) struct buf own = { .max = KIB(2) };
    int r = port_reader_open(q->format, q->input, buf_str(&q->password), folder_of(q), &q->x.r);

    if (r != E_AUTH || secret_read("The password of the file", &own) < 0)
        return r;
    return port_reader_open(q->format, q->input, buf_str(&own), folder_of(q), &q->x.r);
}

static int take(struct request *q)
{
    int r;

    if (!q->format_name || !q->input)
        return ctl_fail(EX_USAGE, "--format and --input are needed");
    if (!port_format_of(q->format_name, &q->format))
        return ctl_fail(EX_USAGE, "--format is one of mbox, Maildir, eml and sqlite");
    if ((r = mailbox_ask(&q->a, &q->s, &q->alias)) != 0 || (r = password_read(&q->password)) != 0)
        return r;
    return 0;
}

int cmd_mailbox_import(int argc, char **argv)
{
    CLEANUP(request_release) struct request q = { .password = { .max = KIB(2) } };
    const struct option opts[] = { { "--format", &q.format_name, NULL },
                                   { "--input", &q.input, NULL },
                                   { "--folder", &q.folder_name, NULL } };
    int r;

    if ((r = args_parse(argc, argv, opts, ARRAY_LEN(opts), 1, &q.a)) != 0 || (r = take(&q)) != 0)
        return r;
    service_patience(q.s, PATIENCE_MS);
    q.x.address = q.a.words[0];
    q.x.folder = q.format == PORT_MBOX ? NULL : q.folder_name;
    if ((r = mail_open(&q.x.mail, q.s, q.alias, buf_str(&q.password))) == 0 && (r = input_open(&q)) == 0)
        r = import_all(&q.x);
    return r < 0 ? import_say(&q.x, q.input, r) : import_report(&q.x, q.a.json);
}
