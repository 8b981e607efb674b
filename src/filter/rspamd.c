/* src/filter/rspamd.c: rspamd's protocol: the message is the body of POST /checkv2, what is known of it stands in the header, the
 * answer is JSON: {"score": 6.1, "action": "add header", "symbols": {"NAME": {"score": 1.5}, …}}. */
#include "src/filter/scanner.h"
#include <jansson.h>
#include <math.h>

#define HEAD_MAX    KIB(16)
#define SYMBOLS_MAX 256u
#define PIECES_MAX  10000u

/* Header values: what could end a line is left out, whoever said it. */
static int field(struct buf *out, const char *name, ProtobufCBinaryData value)
{
    char text[330];

    if (value.len == 0)
        return 0;
    scanner_plain(str_of(value.data, value.len), text, sizeof text);
    return buf_printf(out, "%s: %s\r\n", name, text);
}

static int begin(const Filter__ScanRequest *q, struct buf *out)
{
    int r = buf_putz(
        out, "POST /checkv2 HTTP/1.1\r\nHost: rspamd\r\nUser-Agent: letterlock\r\nConnection: close\r\n"
             "Transfer-Encoding: chunked\r\n");

    if (r < 0 || (r = field(out, "Queue-Id", q->id)) < 0 || (r = field(out, "IP", q->client_ip)) < 0 ||
        (r = field(out, "Hostname", q->client_name)) < 0 || (r = field(out, "Helo", q->helo)) < 0 ||
        (r = field(out, "From", q->sender)) < 0)
        return r;
    for (size_t i = 0; i < q->n_recipients && i < 20 && r == 0; i++)
        r = field(out, "Rcpt", q->recipients[i]);
    return r < 0 ? r : buf_putz(out, "\r\n");
}

static int piece(struct str bytes, struct buf *out)
{
    int r = buf_printf(out, "%zx\r\n", bytes.n);

    if (r < 0 || (r = buf_puts(out, bytes)) < 0)
        return r;
    return buf_putz(out, "\r\n");
}

static int end(struct buf *out)
{
    return buf_putz(out, "0\r\n\r\n");
}

/* ---- HTTP ---- */

struct head {
    bool chunked, has_length;
    uint64_t length;
    size_t bytes; /* with the empty line */
};

/* 1, 0, E_SYNTAX. */
static int head_parse(struct str in, struct head *out)
{
    ptrdiff_t at = str_find(in, STR("\r\n\r\n"));
    struct str rest, line, name, value;

    if (at < 0)
        return in.n > HEAD_MAX ? E_SYNTAX : 0;
    if ((size_t)at > HEAD_MAX)
        return E_SYNTAX;
    *out = (struct head){ .bytes = (size_t)at + 4 };
    rest = str_slice(in, 0, (size_t)at);
    str_cut(rest, '\n', &line, &rest);
    if (!str_starts(line, STR("HTTP/1.")) || line.n < 12 || !str_starts(str_skip(line, 8), STR(" 200")))
        return E_SYNTAX;
    while (rest.n) {
        str_cut(rest, '\n', &line, &rest);
        if (!str_cut(line, ':', &name, &value))
            return E_SYNTAX;
        value = str_trim(value);
        if (str_ieq_z(name, "content-length") && !str_to_u64(value, &out->length))
            return E_SYNTAX;
        out->has_length |= str_ieq_z(name, "content-length");
        out->chunked |= str_ieq_z(name, "transfer-encoding") && str_ieq_z(value, "chunked");
    }
    return out->has_length && out->length > SCANNER_ANSWER_MAX ? E_SYNTAX : 1;
}

static int hex_digit(char c)
{
    char l = ascii_lower(c);

    return l >= '0' && l <= '9' ? l - '0' : l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

/* 1: all of it is in *out; 0; E_SYNTAX. */
static int unchunk(struct str in, struct buf *out)
{
    for (unsigned i = 0; i < PIECES_MAX; i++) {
        ptrdiff_t line = str_find(in, STR("\r\n"));
        size_t n = 0;

        if (line < 0)
            return in.n > 64 ? E_SYNTAX : 0;
        if (line == 0 || line > 64 || hex_digit(in.p[0]) < 0)
            return E_SYNTAX;
        for (ptrdiff_t k = 0; k < line && hex_digit(in.p[k]) >= 0; k++)
            if ((n = n * 16 + (size_t)hex_digit(in.p[k])) > SCANNER_ANSWER_MAX)
                return E_SYNTAX;
        if (n == 0)
            return 1;
        in = str_skip(in, (size_t)line + 2);
        if (in.n < n + 2)
            return 0;
        if (buf_append(out, in.p, n) < 0)
            return E_SYNTAX;
        in = str_skip(in, n + 2);
    }
    return E_SYNTAX;
}

/* ---- JSON ---- */

static int hundredths(double v)
{
    if (!isfinite(v))
        return 0;
    return v > SCANNER_SCORE_MAX / 100.0    ? SCANNER_SCORE_MAX
           : v < -SCANNER_SCORE_MAX / 100.0 ? -SCANNER_SCORE_MAX
                                            : (int)lround(v * 100);
}

/* The weightiest first, as far as there is room. */
static void take_symbols(json_t *symbols, char *out, size_t max)
{
    struct {
        const char *name;
        double weight;
        bool taken;
    } v[SYMBOLS_MAX];
    const char *name;
    json_t *one;
    size_t n = 0, at = 0;

    json_object_foreach(symbols, name, one) if (n < SYMBOLS_MAX)
    {
        double w = json_number_value(json_object_get(one, "score"));

        v[n].name = name;
        v[n].weight = isfinite(w) ? fabs(w) : 0;
        v[n++].taken = false;
    }
    out[0] = '\0';
    for (size_t k = 0; k < n; k++) {
        size_t best = SYMBOLS_MAX;
        char plain[64];

        for (size_t i = 0; i < n; i++)
            if (!v[i].taken && (best == SYMBOLS_MAX || v[i].weight > v[best].weight))
                best = i;
        v[best].taken = true;
        scanner_plain(str_from(v[best].name), plain, sizeof plain);
        if (at + strlen(plain) + 2 > max)
            return;
        at += (size_t)snprintf(out + at, max - at, "%s%s", at ? "," : "", plain);
    }
}

static int read_json(struct str text, struct scanner_said *out)
{
    json_error_t error;
    json_t *all = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, &error);
    const json_t *score = json_object_get(all, "score");
    int r = json_is_number(score) ? 1 : E_SYNTAX;

    *out = (struct scanner_said){ .score = 0 };
    if (r > 0) {
        out->score = hundredths(json_number_value(score));
        scanner_plain(str_from(json_string_value(json_object_get(all, "action"))), out->action,
                      sizeof out->action);
        take_symbols(json_object_get(all, "symbols"), out->symbols, sizeof out->symbols);
    }
    json_decref(all);
    return r;
}

static int answer(struct str in, bool closed, struct scanner_said *out)
{
    CLEANUP(buf_release) struct buf body = { .max = SCANNER_ANSWER_MAX };
    struct head h;
    int r = head_parse(in, &h);

    if (r <= 0)
        return r < 0 || closed ? E_SYNTAX : 0;
    in = str_skip(in, h.bytes);
    if (h.chunked) {
        if ((r = unchunk(in, &body)) <= 0)
            return r < 0 || closed ? E_SYNTAX : 0;
        return read_json(buf_str(&body), out);
    }
    if (h.has_length && in.n < h.length)
        return closed ? E_SYNTAX : 0;
    if (!h.has_length && !closed)
        return 0;
    return read_json(h.has_length ? str_slice(in, 0, (size_t)h.length) : in, out);
}

const struct scanner scanner_rspamd = { "rspamd", begin, piece, end, answer };
