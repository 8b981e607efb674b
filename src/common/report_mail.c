#include "src/common/report_mail.h"
#include "lib/base/errors.h"
#include "lib/base/hex.h"
#include "lib/base/rand.h"
#include "lib/mime/date.h"
#include <sodium.h>
#include <zlib.h>

#define ASK_MS       120000
#define ADDRESS_MAX  320u
#define LINE_IN      57u /* bytes that make a line of 76 characters (RFC 2045 6.8) */
#define GZIP_WRAPPER 16  /* zlib: "add 16 to windowBits to write a simple gzip header" */

/* ---- the message ---- */

int report_mail_gzip(struct str in, struct buf *out)
{
    z_stream z = { 0 };
    size_t bound;
    void *to;
    int r;

    if (in.n > REPORT_MAIL_MAX)
        return E_LIMIT;
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, MAX_WBITS + GZIP_WRAPPER, 8,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return E_NOMEM;
    bound = deflateBound(&z, (uLong)in.n);
    if (!(to = buf_reserve(out, bound))) {
        deflateEnd(&z);
        return E_LIMIT;
    }
    z.next_in = (Bytef *)(uintptr_t)in.p;
    z.avail_in = (uInt)in.n;
    z.next_out = to;
    z.avail_out = (uInt)bound;
    r = deflate(&z, Z_FINISH);
    out->n += z.total_out;
    deflateEnd(&z);
    return r == Z_STREAM_END ? 0 : E_BUG;
}

int report_mail_base64(struct str in, struct buf *out)
{
    char line[LINE_IN * 2];
    int r = 0;

    while (in.n && r == 0) {
        size_t n = size_min(in.n, LINE_IN);

        sodium_bin2base64(line, sizeof line, (const unsigned char *)in.p, n, sodium_base64_VARIANT_ORIGINAL);
        r = buf_printf(out, "%s\r\n", line);
        in = str_skip(in, n);
    }
    return r;
}

static bool is_line(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || (unsigned char)s.p[i] > 0x7e)
            return false;
    return s.n > 0;
}

static int check(const struct report_mail *m)
{
    return is_line(m->from) && is_line(m->to) && is_line(m->subject) && is_line(m->id) &&
                   is_line(m->hostname) && is_line(m->file_name) && m->from.n <= ADDRESS_MAX &&
                   m->to.n <= ADDRESS_MAX && str_rchr(m->from, '@') > 0 && str_chr(m->file_name, '"') < 0
               ? 0
               : E_SYNTAX;
}

/* Folded at blanks: subjects of reports are long (RFC 9990 3.2). */
static int put_subject(struct str s, struct buf *out)
{
    size_t line = 9;
    struct str word;
    int r = buf_putz(out, "Subject:");

    while (s.n && r == 0) {
        str_cut(s, ' ', &word, &s);
        r = buf_putz(out, line > 9 && line + word.n > 76 ? "\r\n " : " ");
        line = line > 9 && line + word.n > 76 ? word.n + 1 : line + word.n + 1;
        if (r == 0)
            r = buf_puts(out, word);
    }
    return r < 0 ? r : buf_putz(out, "\r\n");
}

static int put_header(const struct report_mail *m, int64_t now_ms, const char *boundary, struct buf *out)
{
    int r;

    if ((r = buf_printf(out, "From: <%.*s>\r\nTo: <%.*s>\r\n", STR_ARG(m->from), STR_ARG(m->to))) < 0 ||
        (r = put_subject(m->subject, out)) < 0 || (r = buf_putz(out, "Date: ")) < 0 ||
        (r = mime_date_format((struct mime_date){ .ms = now_ms }, out)) < 0 ||
        (r = buf_printf(out, "\r\nMessage-ID: <%.*s@%.*s>\r\nAuto-Submitted: auto-generated\r\n",
                        STR_ARG(m->id), STR_ARG(m->hostname))) < 0 ||
        (r = buf_puts(out, m->fields)) < 0)
        return r;
    return buf_printf(out, "MIME-Version: 1.0\r\nContent-Type: multipart/%s%s;\r\n\tboundary=\"%s\"\r\n\r\n",
                      m->report_type ? "report; report-type=" : "mixed", m->report_type ? m->report_type : "",
                      boundary);
}

int report_mail_format(const struct report_mail *m, int64_t now_ms, struct buf *out)
{
    CLEANUP(buf_release) struct buf packed = { .max = REPORT_MAIL_MAX };
    uint8_t random[16];
    char boundary[33];
    int r = check(m);

    rand_bytes(random, sizeof random);
    hex_encode(random, sizeof random, boundary);
    if (r < 0 || (r = report_mail_gzip(m->body, &packed)) < 0 ||
        (r = put_header(m, now_ms, boundary, out)) < 0 ||
        (r = buf_printf(out,
                        "--%s\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n%.*s\r\n--%s\r\n"
                        "Content-Type: %s; name=\"%.*s\"\r\nContent-Transfer-Encoding: base64\r\n"
                        "Content-Disposition: attachment;\r\n\tfilename=\"%.*s\"\r\n\r\n",
                        boundary, STR_ARG(m->text), boundary, m->content_type, STR_ARG(m->file_name),
                        STR_ARG(m->file_name))) < 0 ||
        (r = report_mail_base64(buf_str(&packed), out)) < 0)
        return r;
    return buf_printf(out, "--%s--\r\n", boundary);
}

/* ---- to the courier ---- */

/* The same report to the same place is the same delivery. */
static void take_id(const struct report_mail *m, uint8_t out[COURIER_SEND_ID])
{
    crypto_generichash_state h;

    crypto_generichash_init(&h, NULL, 0, COURIER_SEND_ID);
    crypto_generichash_update(&h, (const unsigned char *)"report\0", 7);
    crypto_generichash_update(&h, (const unsigned char *)m->id.p, m->id.n);
    crypto_generichash_update(&h, (const unsigned char *)"\0", 1);
    crypto_generichash_update(&h, (const unsigned char *)m->to.p, m->to.n);
    crypto_generichash_final(&h, out, COURIER_SEND_ID);
}

int report_mail_send(struct rpc_link *courier, const struct report_mail *m, struct buf *message,
                     courier_send_fn *done, void *ctx)
{
    uint8_t id[COURIER_SEND_ID];
    int r = check(m);

    if (r < 0) {
        buf_release(message);
        return r;
    }
    take_id(m, id);
    return courier_send(
        courier,
        &(struct courier_send){ .to = m->to,
                                .signer = str_skip(m->from, (size_t)str_rchr(m->from, '@') + 1),
                                .never_notify = true,
                                .delivery_id = id,
                                .ask_ms = ASK_MS },
        message, done, ctx);
}
