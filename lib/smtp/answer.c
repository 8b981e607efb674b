#include "lib/smtp/answer.h"
#include "lib/base/buf.h"
#include "lib/base/errors.h"

/* "5.1.1" at the start of `s`: class, subject, detail, each of up to three digits (RFC 3463 2). */
static size_t enhanced_length(struct str s, unsigned code)
{
    size_t i = 0;

    if (s.n < 5 || s.p[0] != (char)('0' + code / 100))
        return 0;
    for (int part = 0; part < 3; part++) {
        size_t digits = 0;

        if (part > 0 && (i >= s.n || s.p[i++] != '.'))
            return 0;
        while (i < s.n && ascii_digit(s.p[i]) && digits < 4) {
            i++;
            digits++;
        }
        if (digits == 0 || digits > (part == 0 ? 1 : 3))
            return 0;
    }
    return i == s.n || s.p[i] == ' ' ? i : 0;
}

static void text_add(struct smtp_answer *a, struct str s)
{
    size_t n = strlen(a->text);

    if (n > 0 && s.n > 0 && n < SMTP_ANSWER_TEXT_MAX)
        a->text[n++] = ' ';
    for (size_t i = 0; i < s.n && n < SMTP_ANSWER_TEXT_MAX; i++)
        a->text[n++] = s.p[i] >= 0x20 && s.p[i] < 0x7f ? s.p[i] : '?';
    a->text[n] = '\0';
}

static void line_take(struct smtp_answer *a, struct str line)
{
    struct str text = str_skip(line, 4);
    size_t n = enhanced_length(text, a->code);

    if (n > 0 && n < SMTP_ENHANCED_MAX) {
        memcpy(a->enhanced, text.p, n);
        a->enhanced[n] = '\0';
        text = str_trim(str_skip(text, n));
    }
    text_add(a, str_trim(text));
}

/* One line without its end: *used_out bytes with it. 0 when it is not all there. */
static int line_next(struct str in, struct str *line, size_t *used_out)
{
    ptrdiff_t lf = str_chr(in, '\n');

    if (lf < 0)
        return in.n >= SMTP_ANSWER_MAX ? E_LIMIT : 0;
    *used_out = (size_t)lf + 1;
    *line = str_slice(in, 0, (size_t)lf);
    if (line->n && line->p[line->n - 1] == '\r')
        line->n--;
    return 1;
}

static bool line_code(struct str line, unsigned *code, bool *last)
{
    if (line.n < 3 || !ascii_digit(line.p[0]) || !ascii_digit(line.p[1]) || !ascii_digit(line.p[2]))
        return false;
    *code = (unsigned)((line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 + (line.p[2] - '0'));
    *last = line.n == 3 || line.p[3] != '-';
    return *code >= 200 && *code < 600 && (line.n == 3 || line.p[3] == ' ' || line.p[3] == '-');
}

ptrdiff_t smtp_answer_read(struct str in, struct smtp_answer *out)
{
    struct smtp_answer a = { .code = 0 };
    size_t at = 0;
    bool last = false;

    while (!last) {
        struct str line;
        size_t used = 0;
        unsigned code = 0;
        int r = at >= SMTP_ANSWER_MAX ? E_LIMIT : line_next(str_skip(in, at), &line, &used);

        if (r <= 0)
            return r;
        if (!line_code(line, &code, &last) || (a.code && code != a.code))
            return E_SYNTAX;
        a.code = code;
        line_take(&a, line);
        at += used;
    }
    a.lines = str_slice(in, 0, at);
    *out = a;
    return (ptrdiff_t)at;
}

void smtp_offer_read(struct str lines, struct smtp_offer *out)
{
    static const struct {
        const char *word;
        uint32_t bit;
    } words[] = {
        { "PIPELINING", SMTP_OFFER_PIPELINING },
        { "8BITMIME", SMTP_OFFER_8BITMIME },
        { "SMTPUTF8", SMTP_OFFER_SMTPUTF8 },
        { "STARTTLS", SMTP_OFFER_STARTTLS },
        { "DSN", SMTP_OFFER_DSN },
        { "SIZE", SMTP_OFFER_SIZE },
        { "CHUNKING", SMTP_OFFER_CHUNKING },
        { "REQUIRETLS", SMTP_OFFER_REQUIRETLS },
        { "DELIVERBY", SMTP_OFFER_DELIVERBY },
        { "MT-PRIORITY", SMTP_OFFER_MT_PRIORITY },
    };
    struct str line;
    size_t used;
    bool first = true;

    *out = (struct smtp_offer){ 0 };
    for (; line_next(lines, &line, &used) > 0; lines = str_skip(lines, used), first = false) {
        struct str word, rest;

        str_cut(str_trim(str_skip(line, 4)), ' ', &word, &rest);
        for (size_t i = 0; i < ARRAY_LEN(words) && !first; i++)
            if (str_ieq_z(word, words[i].word)) {
                out->has |= words[i].bit;
                if (words[i].bit == SMTP_OFFER_SIZE && !str_to_u64(str_trim(rest), &out->size_max))
                    out->size_max = 0;
            }
    }
}

int smtp_xtext(struct buf *out, struct str s)
{
    int r = 0;

    for (size_t i = 0; i < s.n && r == 0; i++) {
        unsigned char c = (unsigned char)s.p[i];

        r = c < 33 || c > 126 || c == '+' || c == '=' ? buf_printf(out, "+%02X", c) : buf_putc(out, (char)c);
    }
    return r;
}
