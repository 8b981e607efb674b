#include "src/store/findings.h"
#include "lib/base/hex.h"
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    char text[FINDINGS_MAX][FINDING_TEXT_MAX];
    size_t n, more;
} findings[FINDING_KINDS];

void finding_add(enum finding_kind kind, const uint8_t mailbox[MAILBOX_ID_LEN], const char *fmt, ...)
{
    char text[FINDING_TEXT_MAX], hex[2 * MAILBOX_ID_LEN + 1];
    bool known = false;
    va_list ap;
    int n;

    hex_encode(mailbox, MAILBOX_ID_LEN, hex);
    n = snprintf(text, sizeof text, "mailbox %s: ", hex);
    va_start(ap, fmt);
    vsnprintf(text + n, sizeof text - (size_t)n, fmt, ap);
    va_end(ap);
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < ' ')
            *p = ' '; /* a line is a line */
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < findings[kind].n; i++)
        known |= strcmp(findings[kind].text[i], text) == 0;
    if (!known && findings[kind].n < FINDINGS_MAX)
        memcpy(findings[kind].text[findings[kind].n++], text, sizeof text);
    else
        findings[kind].more += !known;
    pthread_mutex_unlock(&lock);
}

size_t findings_take(enum finding_kind kind, struct buf *out)
{
    size_t n;

    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < findings[kind].n; i++)
        if (buf_printf(out, "\n%s", findings[kind].text[i]) < 0)
            break; /* the log has it */
    if (findings[kind].more)
        (void)!buf_printf(out, "\nand %zu more, which the log names", findings[kind].more);
    n = findings[kind].n + findings[kind].more;
    findings[kind].n = findings[kind].more = 0;
    pthread_mutex_unlock(&lock);
    return n;
}
