/* src/ctl/secret.c: passwords come from the terminal or from standard input, never from arguments, where
 * every process of the machine could read them. */
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "src/ctl/ctl.h"
#include <fcntl.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

static int read_line(int fd, struct buf *out)
{
    char c;
    ssize_t n;
    int r = 0;

    /* byte by byte: what follows the line belongs to the next question */
    while (r == 0 && (n = read(fd, &c, 1)) == 1 && c != '\n')
        r = buf_putc(out, c);
    if (r == 0 && n != 1 && out->n == 0)
        return E_CLOSED;
    if (out->n > 0 && out->p[out->n - 1] == '\r')
        out->n--;
    explicit_bzero(&c, 1);
    return r;
}

static int ask(const char *prompt, bool echo, struct buf *out)
{
    CLEANUP(fd_close) int tty = isatty(STDIN_FILENO) ? open("/dev/tty", O_RDWR | O_CLOEXEC) : -1;
    struct termios was, quiet;
    int r;

    if (tty < 0)
        return read_line(STDIN_FILENO, out);
    dprintf(tty, "%s: ", prompt);
    if (echo || tcgetattr(tty, &was) < 0)
        return read_line(tty, out);
    quiet = was;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(tty, TCSAFLUSH, &quiet);
    r = read_line(tty, out);
    tcsetattr(tty, TCSAFLUSH, &was);
    dprintf(tty, "\n");
    return r;
}

int secret_read(const char *prompt, struct buf *out)
{
    return ask(prompt, false, out);
}

int answer_read(const char *prompt, struct buf *out)
{
    return ask(prompt, true, out);
}

int password_read(struct buf *out)
{
    if (secret_read("A password of this mailbox", out) < 0 || out->n == 0)
        return ctl_fail(EX_NOINPUT, "a password is needed: on the terminal, or a line of standard input");
    return 0;
}
