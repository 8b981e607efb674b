#include "lib/base/log.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include <stdio.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048u

static const char *role_name = "letterlock";
static enum log_level lowest_level = LOG_INFO;
static int out_fd = STDERR_FILENO;

static const char *const level_names[] = {
    [LOG_DEBUG] = "debug", [LOG_INFO] = "info",   [LOG_WARN] = "warn",
    [LOG_ERROR] = "error", [LOG_ALARM] = "ALARM",
};

void log_init(const char *role, enum log_level lowest)
{
    role_name = role;
    lowest_level = lowest;
}

void log_to(int fd)
{
    out_fd = fd;
}

static bool is_plain(char c)
{
    return ascii_alpha(c) || ascii_digit(c) || (c && strchr("._:/+-", c));
}

/* A fixed line on the stack: logging must work when memory has run out. */
struct line {
    char p[LINE_MAX_BYTES];
    size_t n;
};

static void put(struct line *l, const char *p, size_t n)
{
    n = size_min(n, sizeof l->p - 1 - l->n); /* room for the newline */
    memcpy(l->p + l->n, p, n);
    l->n += n;
}

static void put_value(struct line *l, struct str s)
{
    bool plain = s.n > 0;

    for (size_t i = 0; i < s.n && plain; i++)
        plain = is_plain(s.p[i]);
    if (plain) {
        put(l, s.p, s.n);
        return;
    }
    put(l, "\"", 1);
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        char esc[8];

        if (c >= 0x20 && c != '"' && c != '\\' && c < 0x7f) {
            put(l, s.p + i, 1);
            continue;
        }
        snprintf(esc, sizeof esc, "\\x%02x", c);
        put(l, esc, 4);
    }
    put(l, "\"", 1);
}

static void put_field(struct line *l, const struct log_field *f)
{
    char number[32];

    put(l, " ", 1);
    put(l, f->key, strlen(f->key));
    put(l, "=", 1);
    if (f->type == LOG_F_STR) {
        put_value(l, f->s);
        return;
    }
    if (f->type == LOG_F_U64)
        snprintf(number, sizeof number, "%llu", (unsigned long long)f->u);
    else
        snprintf(number, sizeof number, "%lld", (long long)f->u);
    put(l, number, strlen(number));
}

void log_event_fields(enum log_level level, const char *event, const struct log_field *f, size_t n)
{
    char iso[CLOCK_ISO_LEN + 1], head[96];
    struct line l = { .n = 0 };
    ssize_t w;

    if (level < lowest_level)
        return;
    clock_iso(clock_wall_ms(), iso);
    snprintf(head, sizeof head, "%s %s[%d] %s ", iso, role_name, (int)getpid(), level_names[level]);
    put(&l, head, strlen(head));
    put(&l, event, strlen(event));
    for (size_t i = 0; i < n; i++)
        put_field(&l, &f[i]);
    l.p[l.n++] = '\n';
    w = write(out_fd, l.p, l.n); /* nobody to tell when even this fails */
    (void)w;
}
