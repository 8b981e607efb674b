/* test/fuzz/fuzz_smtp_command.c
 *
 * Laws of the command reader: however the stream is cut, the same lines and refusals come out; a
 * line has no line end or NUL in it; a refused command always has a reply, 4 or 5 hundred, that is
 * well-formed; what an accepted MAIL or RCPT says is in the line, and within its limits. */
#include "lib/base/errors.h"
#include "lib/smtp/command.h"
#include "lib/smtp/linereader.h"
#include "test/fuzz/fuzz.h"

#define ALL (SMTP_EXT_SIZE | SMTP_EXT_8BITMIME | SMTP_EXT_SMTPUTF8 | SMTP_EXT_BINARYMIME)
#define MORE                                                                                        \
    (ALL | SMTP_EXT_AUTH | SMTP_EXT_DSN | SMTP_EXT_REQUIRETLS | SMTP_EXT_HOLD | SMTP_EXT_PRIORITY | \
     SMTP_EXT_DELIVERBY)

static void check_command(struct str line, uint32_t extensions)
{
    CLEANUP(buf_release) struct buf out = { .max = KIB(8) };
    const struct smtp_reply *why = NULL;
    struct smtp_command c;
    int r = smtp_command_parse(line, extensions, &c, &why);

    LAW(c.verb < SMTP_VERBS);
    if (r < 0) {
        LAW(why && why->code >= 400 && why->code < 600 && smtp_reply_write(&out, why) == 0);
        LAW(out.n > 6 && str_ends(buf_str(&out), STR("\r\n")));
        return;
    }
    LAW(c.verb != SMTP_UNKNOWN);
    LAW(!c.path.utf8 || (extensions & SMTP_EXT_SMTPUTF8));
    LAW(!(c.params & ~extensions));
    LAW(c.path.local.n == 0 || str_find(line, c.path.local) >= 0);
    LAW(c.arg.n <= line.n);
    LAW(!(c.dsn.notify & SMTP_NOTIFY_NEVER) || c.dsn.notify == SMTP_NOTIFY_NEVER);
    LAW(c.release.priority >= -9 && c.release.priority <= 9);
    LAW(!c.release.hold_s || !c.release.hold_until_ms);
    LAW(c.dsn.envid.n <= SMTP_ENVID_MAX && smtp_xtext_decode(c.dsn.envid, &out) == 0 &&
        out.n <= c.dsn.envid.n);
}

/* Everything that happens, as text. Stops where the role would hang up. */
static void read_all(struct str in, size_t slice, struct buf *log)
{
    struct linereader l = { .line = { .max = 64 } };
    struct str line;
    size_t used = 0;
    int r = 0;

    for (; in.n && r != E_LIMIT; in = str_skip(in, used)) {
        r = linereader_feed(&l, str_slice(in, 0, slice), &used, &line);
        if (r == 1) {
            LAW(str_chr(line, '\n') < 0 && str_chr(line, '\r') < 0 && str_chr(line, '\0') < 0 &&
                line.n <= 64);
            LAW(buf_puts(log, line) == 0);
        }
        if (r != 0)
            LAW(buf_putc(log, r == 1 ? '\n' : '\0') == 0);
    }
    linereader_release(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_release) struct buf whole = { .max = MIB(32) }, bytes = { .max = MIB(32) };
    struct str in = str_of(data, size);

    check_command(in, ALL);
    check_command(in, MORE);
    check_command(in, 0);
    read_all(in, size ? size : 1, &whole);
    read_all(in, 1, &bytes);
    LAW(str_eq(buf_str(&whole), buf_str(&bytes)));
    return 0;
}
