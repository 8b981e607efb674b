/* src/ctl/cmd_vacation.c: what who writes to an address is answered while its owner is away. */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "proto/directory.pb-c.h"
#include "src/ctl/ctl.h"
#include <jansson.h>
#include <sysexits.h>
#include <unistd.h>

#define DAY_MS   INT64_C(86400000)
#define TEXT_MAX KIB(16)

/* "2026-12-24", or "2026-12-24T18:00Z"; a day ends with its last moment. */
static bool time_read(const char *text, bool ends, int64_t *ms)
{
    char iso[CLOCK_ISO_LEN + 1];
    size_t n = strlen(text);

    if (n == 10)
        snprintf(iso, sizeof iso, "%sT00:00:00.000Z", text);
    else if (n == 17 && text[16] == 'Z')
        snprintf(iso, sizeof iso, "%.16s:00.000Z", text);
    else
        return false;
    if (!clock_from_iso(iso, CLOCK_ISO_LEN, ms))
        return false;
    if (n == 10 && ends)
        *ms += DAY_MS;
    return true;
}

static int text_read(const char *text, struct buf *out)
{
    ssize_t n;
    char *p;

    if (text)
        return buf_putz(out, text);
    while ((p = buf_reserve(out, KIB(1))) && (n = read(STDIN_FILENO, p, KIB(1))) > 0)
        out->n += (size_t)n;
    return !p ? E_LIMIT : n < 0 ? E_IO : 0;
}

static json_t *time_json(int64_t ms)
{
    char iso[CLOCK_ISO_LEN + 1];

    clock_iso(ms, iso);
    return ms ? json_string(iso) : json_null();
}

static void print_one(const char *address, const Directory__Vacation *m, bool json)
{
    char from[CLOCK_ISO_LEN + 1], until[CLOCK_ISO_LEN + 1];

    if (json) {
        json_t *j = json_pack("{s:s, s:b, s:s%, s:s%, s:o, s:o}", "address", address, "on", m->text.len > 0,
                              "subject", m->subject.len ? (const char *)m->subject.data : "", m->subject.len,
                              "text", m->text.len ? (const char *)m->text.data : "", m->text.len, "from",
                              time_json(m->begins_ms), "until", time_json(m->ends_ms));

        json_dumpf(j, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(j);
        return;
    }
    if (!m->text.len) {
        printf("%s: no automatic reply\n", address);
        return;
    }
    clock_iso(m->begins_ms, from);
    clock_iso(m->ends_ms, until);
    printf("%s: automatic reply%s%.16s%s%s%.16s%s\nSubject: %.*s\n\n%.*s\n", address,
           m->begins_ms ? " from " : "", m->begins_ms ? from : "", m->begins_ms ? "Z" : "",
           m->ends_ms ? " until " : "", m->ends_ms ? until : "", m->ends_ms ? "Z" : "", (int)m->subject.len,
           m->subject.len ? (const char *)m->subject.data : "", (int)m->text.len, (const char *)m->text.data);
}

int cmd_alias_vacation(int argc, char **argv)
{
    Directory__VacationRequest q = DIRECTORY__VACATION_REQUEST__INIT;
    Directory__Vacation set = DIRECTORY__VACATION__INIT, *m = NULL;
    CLEANUP(service_close) struct service *s = NULL;
    CLEANUP(buf_release) struct buf text = { .max = TEXT_MAX };
    const char *subject = NULL, *words = NULL, *from = NULL, *until = NULL;
    const struct option opts[] = { { "--subject", &subject, NULL },
                                   { "--text", &words, NULL },
                                   { "--from", &from, NULL },
                                   { "--until", &until, NULL } };
    struct args a = { .nwords = 0 };
    int r;

    if ((r = args_parse(argc, argv, opts, ARRAY_LEN(opts), 2, &a)) != 0)
        return r;
    q.off = strcmp(a.words[0], "off") == 0;
    if (strcmp(a.words[0], "set") == 0)
        q.set = &set;
    else if (!q.off && strcmp(a.words[0], "show") != 0)
        return ctl_fail(EX_USAGE, "alias vacation: set, off or show, not %s", a.words[0]);
    if ((from && !time_read(from, false, &set.begins_ms)) || (until && !time_read(until, true, &set.ends_ms)))
        return ctl_fail(EX_USAGE, "a time is 2026-12-24 or 2026-12-24T18:00Z (UTC)");
    if (q.set && (r = text_read(words, &text)) < 0)
        return ctl_fail(EX_DATAERR, "the text: %s", error_text(r));
    if ((r = service_open(&a, &s)) != 0)
        return r;
    q.address = str_pb(str_from(a.words[1]));
    set.subject = str_pb(str_from(subject));
    set.text = str_pb(buf_str(&text));
    r = service_ask(s, ROLE_DIRECTORY, DIRECTORY__OP__VACATION, &q.base, &directory__vacation__descriptor,
                    &m);
    if (r == E_NOTFOUND)
        return ctl_fail(EX_NOUSER, "%s: no such address here", a.words[1]);
    if (r == E_RANGE || r == E_SYNTAX)
        return ctl_fail(
            EX_DATAERR, "%s",
            r == E_RANGE
                ? "a text of 1 to 8192 bytes, a subject of at most 500, and an end behind the beginning"
                : "text and subject are UTF-8 without control characters");
    if (r < 0)
        return ctl_fail(ctl_exit_code(r), "%s: %s", a.words[1], error_text(r));
    print_one(a.words[1], m, a.json);
    return EX_OK;
}
