#include "lib/mime/vacation.h"
#include "lib/mime/word.h"
#include "lib/mime/address.h"
#include "lib/mime/date.h"
#include "lib/mime/header.h"

#define REFERENCES_MAX 10u  /* the last ones */
#define ID_MAX         250u /* of a Message-ID */
#define LINE_MAX_OUT   900u
#define BASE64_LINE    57u

/* ---- may it be answered? ---- */

static bool value_in(struct str value, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_ieq_z(value, words[i]))
            return true;
    return false;
}

/* Up to a comment or a parameter. */
static struct str keyword(struct str value)
{
    size_t n = 0;

    value = str_trim(value);
    while (n < value.n && !strchr(" \t;(\r\n", value.p[n]))
        n++;
    return str_slice(value, 0, n);
}

static const char *field_refuses(const struct mime_field *f)
{
    static const char *const bulk[] = { "bulk", "list", "junk" };
    struct str v = keyword(f->value);

    if (str_ieq_z(f->name, "Auto-Submitted") && !str_ieq_z(v, "no"))
        return "automatic"; /* RFC 3834 2 */
    if (str_istarts(f->name, STR("List-")) || str_ieq_z(f->name, "Mailing-List"))
        return "list";
    if (str_ieq_z(f->name, "Precedence") && value_in(v, bulk, ARRAY_LEN(bulk)))
        return "bulk";
    if (str_ieq_z(f->name, "X-Auto-Response-Suppress") &&
        (str_ifind(f->value, STR("oof")) >= 0 || str_ifind(f->value, STR("all")) >= 0 ||
         str_ifind(f->value, STR("autoreply")) >= 0))
        return "asks for none";
    return NULL;
}

/* RFC 3834 2, 3.1: whom no person reads. */
static bool is_machine(struct str local)
{
    static const char *const names[] = { "mailer-daemon", "listserv",   "majordomo",   "noreply",
                                         "no-reply",      "donotreply", "do-not-reply" };

    return value_in(local, names, ARRAY_LEN(names)) || str_istarts(local, STR("owner-")) ||
           str_istarts(local, STR("SRS0")) || str_istarts(local, STR("SRS1")) ||
           (local.n > 8 && str_ieq_z(str_skip(local, local.n - 8), "-request")) ||
           (local.n > 6 && str_ieq_z(str_skip(local, local.n - 6), "-owner"));
}

static bool is_own(const struct mime_address *m, const struct str *own, size_t nown)
{
    for (size_t i = 0; i < nown; i++) {
        ptrdiff_t at = str_rchr(own[i], '@');

        if (at >= 0 && str_ieq(m->mailbox, str_slice(own[i], 0, (size_t)at)) &&
            str_ieq(m->host, str_skip(own[i], (size_t)at + 1)))
            return true;
    }
    return false;
}

static bool names_own(struct arena *a, struct str value, const struct str *own, size_t nown)
{
    for (struct mime_address *m = mime_address_parse(a, value); m; m = m->next)
        if (m->host.p && is_own(m, own, nown))
            return true;
    return false;
}

static bool is_recipient_field(struct str name)
{
    static const char *const names[] = { "To", "Cc", "Resent-To", "Resent-Cc" };

    return value_in(name, names, ARRAY_LEN(names));
}

const char *vacation_refused(struct arena *a, struct str header, struct str sender, const struct str *own,
                             size_t nown)
{
    struct str local, domain;
    struct mime_field f;
    bool named = false;
    const char *why;

    if (!str_cut(sender, '@', &local, &domain))
        return "no sender";
    if (is_machine(local))
        return "machine";
    for (size_t i = 0; i < nown; i++)
        if (str_ieq(sender, own[i]))
            return "own";
    while (mime_header_next(&header, &f)) {
        if ((why = field_refuses(&f)))
            return why;
        if (str_ieq_z(f.name, "From") && names_own(a, f.value, own, nown))
            return "own";
        named = named || (is_recipient_field(f.name) && names_own(a, f.value, own, nown));
    }
    return named ? NULL : "not addressed";
}

struct str vacation_whom(struct arena *a, struct str header, struct str sender)
{
    struct mime_address *from = mime_address_parse(a, mime_header_find(header, STR("From")));
    struct str domain = str_skip(sender, (size_t)(str_rchr(sender, '@') + 1)), whom = sender;
    char *z = NULL;

    if (from && !from->next && from->host.p && from->host.n && str_ieq(from->host, domain)) {
        z = arena_printf(a, "%.*s@%.*s", STR_ARG(from->mailbox), STR_ARG(from->host));
        whom = z ? str_from(z) : STR_NONE;
    }
    whom = arena_dup(a, whom);
    for (size_t i = 0; i < whom.n; i++)
        ((char *)(uintptr_t)whom.p)[i] = ascii_lower(whom.p[i]);
    return whom;
}

/* ---- the answer ---- */

static bool is_plain(struct str s, bool lines)
{
    size_t line = 0;

    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] > 126 || (s.p[i] < ' ' && !(lines && strchr("\r\n\t", s.p[i]))))
            return false;
        line = s.p[i] == '\n' ? 0 : line + 1;
        if (line > LINE_MAX_OUT)
            return false;
    }
    return true;
}

static int subject_put(struct arena *a, const struct vacation_reply *v, struct buf *out)
{
    struct str was = mime_unfold(a, mime_header_find(v->header, STR("Subject")));
    int r = buf_putz(out, "Subject: ");

    if (r < 0)
        return r;
    if (v->subject.n) {
        r = is_plain(v->subject, false) && v->subject.n < 200 ? buf_puts(out, v->subject)
                                                              : mime_word_encode(v->subject, out);
    } else {
        if (!is_plain(was, false) || was.n > 500)
            was = STR("");
        r = buf_printf(out, "Auto: %.*s", STR_ARG(was)); /* RFC 3834 3.1.5 */
    }
    return r < 0 ? r : buf_putz(out, "\r\n");
}

static bool is_id(struct str s)
{
    return s.n > 4 && s.n <= ID_MAX && s.p[0] == '<' && s.p[s.n - 1] == '>' && is_plain(s, false) &&
           str_chr(s, ' ') < 0;
}

/* RFC 5322 3.6.4, as for any answer (RFC 3834 3.1.6). */
static int references_put(struct arena *a, const struct vacation_reply *v, struct buf *out)
{
    struct str id = mime_unfold(a, mime_header_find(v->header, STR("Message-ID")));
    struct str list = mime_unfold(a, mime_header_find(v->header, STR("References"))), word;
    struct str keep[REFERENCES_MAX];
    size_t n = 0;
    int r;

    if (!is_id(id))
        return 0;
    if (!list.n)
        list = mime_unfold(a, mime_header_find(v->header, STR("In-Reply-To")));
    while (list.n) {
        str_cut(list, ' ', &word, &list);
        if (is_id(str_trim(word)))
            keep[n++ % REFERENCES_MAX] = str_trim(word);
    }
    if ((r = buf_printf(out, "In-Reply-To: %.*s\r\nReferences: ", STR_ARG(id))) < 0)
        return r;
    for (size_t i = n > REFERENCES_MAX ? n - REFERENCES_MAX : 0; i < n; i++)
        if ((r = buf_printf(out, "%.*s\r\n ", STR_ARG(keep[i % REFERENCES_MAX]))) < 0)
            return r;
    return buf_printf(out, "%.*s\r\n", STR_ARG(id));
}

/* CRLF at every line end, and at the end. */
static int lines_put(struct str text, struct buf *out)
{
    int r = 0;

    for (size_t i = 0; i < text.n && r == 0; i++) {
        if (text.p[i] == '\r')
            r = i + 1 < text.n && text.p[i + 1] == '\n' ? 0 : buf_putz(out, "\r\n");
        else
            r = text.p[i] == '\n' ? buf_putz(out, "\r\n") : buf_putc(out, text.p[i]);
    }
    if (r == 0 && (out->n == 0 || out->p[out->n - 1] != '\n'))
        r = buf_putz(out, "\r\n");
    return r;
}

static int body_put(struct str text, struct buf *out)
{
    CLEANUP(buf_release) struct buf lines = { .max = 2 * text.n + 16 };
    struct str rest;
    int r = lines_put(text, &lines);

    if (r < 0)
        return r;
    rest = buf_str(&lines);
    if (is_plain(rest, true))
        return (r = buf_putz(out, "Content-Type: text/plain; charset=us-ascii\r\n\r\n")) < 0
                   ? r
                   : buf_puts(out, rest);
    r = buf_putz(out, "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n");
    for (; rest.n && r == 0; rest = str_skip(rest, BASE64_LINE))
        if ((r = mime_base64_put(str_slice(rest, 0, BASE64_LINE), out)) == 0)
            r = buf_putz(out, "\r\n");
    return r;
}

int vacation_write(struct arena *a, const struct vacation_reply *v, struct buf *out)
{
    int r;

    if ((r = buf_printf(out, "From: <%.*s>\r\nTo: <%.*s>\r\n", STR_ARG(v->from), STR_ARG(v->to))) < 0 ||
        (r = subject_put(a, v, out)) < 0 || (r = buf_putz(out, "Date: ")) < 0 ||
        (r = mime_date_format((struct mime_date){ .ms = v->now_ms }, out)) < 0 ||
        (r = buf_printf(out, "\r\nMessage-ID: <%.*s>\r\n", STR_ARG(v->id))) < 0 ||
        (r = references_put(a, v, out)) < 0 ||
        (r = buf_putz(out, "Auto-Submitted: auto-replied (vacation)\r\nMIME-Version: 1.0\r\n")) < 0)
        return r;
    return body_put(v->text, out);
}
