/* bench/mail_mbox.c: mail that looks real (mail_maker.h) as an mbox, for `mailbox import`.
 *     mail_mbox FILE MESSAGES */
#include "bench/mail_maker.h"
#include "lib/base/str.h"
#include <stdio.h>
#include <stdlib.h>

/* As mboxrd has it: LF, and a > before what would begin a message. */
static void line_put(FILE *f, struct str line)
{
    size_t quoted = 0;

    while (quoted < line.n && line.p[quoted] == '>')
        quoted++;
    if (str_starts(str_slice(line, quoted, line.n), STR("From ")))
        fputc('>', f);
    fwrite(line.p, 1, line.n, f);
    fputc('\n', f);
}

static void message_put(FILE *f, struct str m)
{
    fputs("From x@example.net Mon Nov  2 10:11:12 2026\n", f);
    while (m.n) {
        long end = (long)str_find(m, STR("\r\n"));
        size_t n = end < 0 ? m.n : (size_t)end;

        line_put(f, str_slice(m, 0, n));
        m = str_slice(m, size_min(n + 2, m.n), m.n);
    }
    fputc('\n', f);
}

int main(int argc, char **argv)
{
    struct buf message = { .max = MIB(4) };
    struct mail_maker maker;
    uint32_t messages = 0;
    FILE *f;

    if (argc != 3 || !str_to_u32(str_from(argv[2]), &messages) || !(f = fopen(argv[1], "wxe"))) {
        fprintf(stderr, "usage: mail_mbox FILE MESSAGES\n");
        return 64;
    }
    mail_maker_init(&maker, 1);
    for (uint32_t n = 0; n < messages; n++) {
        mail_make(&maker, n, &message);
        message_put(f, buf_str(&message));
    }
    mail_maker_release(&maker);
    buf_release(&message);
    return ferror(f) || fclose(f) ? 1 : 0;
}
