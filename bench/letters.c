#include "bench/letters.h"
#include "lib/base/errors.h"
#include "lib/mime/structure.h"
#include "lib/mime/text.h"
#include <stdio.h>
#include <stdlib.h>

#define WORDS       4000u
#define TEXT_ALONE  KIB(24) /* larger letters carry a file */
#define TEXT_BESIDE KIB(6)
#define LINE        72u

static uint64_t seed;

int must(int r, const char *what)
{
    if (r < 0) {
        fprintf(stderr, "%s: %s\n", what, error_text(r));
        exit(1);
    }
    return r;
}

static uint32_t roll(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)((seed >> 11) % below);
}

/* The word of a rank: frequent ones are short. */
static void word_put(struct buf *out, uint32_t rank)
{
    static const char *const syllables[] = { "ka",  "ter", "mo", "lin", "sa", "ver", "do", "rin",
                                             "pel", "tu",  "na", "sch", "be", "gor", "ei", "fa" };
    uint32_t x = rank * 2654435761u;

    for (uint32_t i = 0; i < 1u + (rank > 40) + (rank > 600) + (rank & 1); i++, x >>= 4)
        must(buf_putz(out, syllables[x & 15]), "a word");
}

/* Zipf, nearly: half of all words are of the first sixty. */
static uint32_t rank(void)
{
    uint32_t top = 1 + roll(WORDS);

    return roll(1 + roll(top));
}

static void text_put(struct buf *out, size_t bytes)
{
    size_t end = out->n + bytes, line = out->n;

    while (out->n < end) {
        word_put(out, rank());
        if (out->n - line > LINE) {
            must(buf_putz(out, ".\r\n"), "a line");
            line = out->n;
        } else {
            must(buf_putc(out, ' '), "a space");
        }
    }
    must(buf_putz(out, "\r\n"), "the end");
}

static void base64_put(struct buf *out, size_t bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t lines = bytes / 78;

    for (size_t i = 0; i < lines; i++) {
        char *p = buf_reserve(out, 78);

        if (!p)
            must(E_NOMEM, "a file");
        for (size_t k = 0; k < 76; k++)
            p[k] = digits[roll(64)];
        memcpy(p + 76, "\r\n", 2);
        out->n += 78;
    }
}

static void header_put(struct buf *out, uint32_t n, bool file)
{
    static const char more[] =
        "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.net; s=k1;\r\n"
        "\th=from:to:subject:date:message-id; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\r\n"
        "\tb=Zk1u4nFq0bQeTtS8mX3mQWJ5yq1y0sT7wVZcTq9eJk7S3yFvW1mB2nH6pL0rD4gA8xUoCiEhKsNvRtYzQwXe\r\n";

    must(buf_printf(
             out,
             "Received: from mail%u.example.net (mail%u.example.net [192.0.2.%u])\r\n\tby mx.example.test "
             "with ESMTPS id %08x\r\n\tfor <anna@example.test>; Mon, 5 Oct 2026 10:%02u:%02u +0200\r\n",
             n % 7, n % 7, n % 250, n * 2654435761u, n / 60 % 60, n % 60),
         "Received");
    must(buf_putz(out, more), "DKIM-Signature");
    must(buf_printf(out,
                    "From: Person %u <person%u@example.net>\r\nTo: Anna <anna@example.test>\r\nMessage-ID: "
                    "<%08x.%u@example.net>\r\nDate: Mon, 5 Oct 2026 10:%02u:%02u +0200\r\nSubject: ",
                    n % 300, n % 300, n * 40503u, n, n / 60 % 60, n % 60),
         "From");
    for (int i = 0; i < 5; i++) {
        word_put(out, rank());
        must(buf_putc(out, i < 4 ? ' ' : '\r'), "Subject");
    }
    must(buf_printf(out, "\nMIME-Version: 1.0\r\nContent-Type: %s\r\n\r\n",
                    file ? "multipart/mixed; boundary=\"=_bench\"" : "text/plain; charset=utf-8"),
         "Content-Type");
}

void letter_make(struct letter *l, uint32_t n, size_t bytes)
{
    bool file = bytes > TEXT_ALONE;

    *l = (struct letter){ .bytes = { .max = MIB(64) },
                          .text = { .max = MIB(64) },
                          .structure = { .max = MIB(1) } };
    seed = 88172645463325252u + n * UINT64_C(7919);
    header_put(&l->bytes, n, file);
    if (!file) {
        text_put(&l->bytes, bytes > l->bytes.n ? bytes - l->bytes.n : 1);
        return;
    }
    must(buf_putz(&l->bytes, "--=_bench\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"), "a part");
    text_put(&l->bytes, TEXT_BESIDE);
    must(buf_printf(&l->bytes,
                    "--=_bench\r\nContent-Type: application/pdf; name=\"report %u.pdf\"\r\n"
                    "Content-Transfer-Encoding: base64\r\n\r\n",
                    n),
         "a part");
    base64_put(&l->bytes, bytes > l->bytes.n ? bytes - l->bytes.n : 78);
    must(buf_putz(&l->bytes, "--=_bench--\r\n"), "the end");
}

static int text_take(void *user, struct str text)
{
    return buf_puts(user, text);
}

void letter_parse(struct letter *l)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(16) };
    struct mime_part *root = NULL;
    struct mime_text *t = calloc(1, sizeof *t);

    buf_clear(&l->text);
    buf_clear(&l->structure);
    must(t ? mime_text_init(t, &a, text_take, &l->text) : E_NOMEM, "parse");
    must(mime_text_feed(t, buf_str(&l->bytes)), "parse");
    must(mime_text_finish(t, &root), "parse");
    must(mime_structure_pack(root, &a, &l->structure), "structure");
    l->header_bytes = root->body_start;
    l->text_header_bytes = t->header_bytes;
    l->sent_ms = root->envelope && root->envelope->has_sent ? root->envelope->sent.ms : 0;
    mime_text_release(t);
    free(t);
}

void letter_release(struct letter *l)
{
    buf_release(&l->bytes);
    buf_release(&l->text);
    buf_release(&l->structure);
}
