/* The scanner calls with header bytes and body bytes in order. Header bytes are gathered to fields;
 * body bytes of text parts run through decoder, charset, HTML and fold, a kilobyte at a time, each
 * stage with its own buffer, so that no stage can grow without bound. */
#include "lib/mime/text.h"
#include "lib/mime/address.h"
#include "lib/mime/header.h"
#include "lib/mime/preview.h"
#include "lib/mime/word.h"

#define STEP      KIB(1)  /* input of one run through the stages */
#define FLUSH     KIB(16) /* text waits for so much before it goes to the sink */
#define STAGE_MAX KIB(256)

static void fail(struct mime_text *t, int r)
{
    if (t->error >= 0 && r < 0)
        t->error = r;
}

/* A space at the end stays: it is none when its line ends there. */
static void flush(struct mime_text *t)
{
    size_t n = t->out.n - (t->out.n && t->out.p[t->out.n - 1] == ' ');

    if (t->error >= 0 && n) {
        t->bytes += n;
        fail(t, t->sink(t->user, str_of(t->out.p, n)));
    }
    buf_drop(&t->out, n);
}

static void put(struct mime_text *t, struct str s)
{
    if (t->error < 0)
        return;
    fail(t, buf_puts(&t->out, s));
    if (t->out.n >= FLUSH)
        flush(t);
}

static void fold_end(struct mime_text *t)
{
    fail(t, mime_fold_finish(&t->fold, &t->out));
    if (t->out.n && t->out.p[t->out.n - 1] == ' ')
        t->out.n--;
    put(t, STR("\n"));
}

static void put_folded(struct mime_text *t, struct str s)
{
    for (; s.n && t->error >= 0; s = str_skip(s, STEP)) {
        fail(t, mime_fold_feed(&t->fold, str_slice(s, 0, STEP), &t->out));
        if (t->out.n >= FLUSH)
            flush(t);
    }
}

static bool has_addresses(struct str name)
{
    static const char *const names[] = { "from", "to", "cc", "bcc", "sender", "reply-to" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_ieq_z(name, names[i]))
            return true;
    return false;
}

/* FROM, TO, CC and BCC look at the envelope's addresses (RFC 9051 6.4.4), and "a (b) @ c" has "a@c" there: such
 * an address stands at the end of its line once more, as it is meant. */
static void addresses_put(struct mime_text *t, struct str value)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(256) };

    for (struct mime_address *m = mime_address_parse(&a, value); m; m = m->next) {
        buf_clear(&t->decoded);
        if (!m->mailbox.n || !m->host.n || buf_puts(&t->decoded, m->mailbox) < 0 ||
            buf_puts(&t->decoded, STR("@")) < 0 || buf_puts(&t->decoded, m->host) < 0 ||
            str_find(value, buf_str(&t->decoded)) >= 0)
            continue;
        put_folded(t, STR(" "));
        put_folded(t, buf_str(&t->decoded));
    }
}

static void put_plain(struct mime_text *t, struct str field, struct str text, bool end)
{
    if (t->plain_sink && t->error >= 0)
        fail(t, t->plain_sink(t->user, field, text, end));
}

/* A whole field, or one piece of a long one, lies in t->field. */
static void field_put(struct mime_text *t, bool last)
{
    struct str block = buf_str(&t->field), name = STR_NONE, value = block;
    bool whole = last && !t->continued;

    buf_clear(&t->decoded);
    if (!t->continued) {
        if (!str_cut(block, ':', &name, &value)) {
            value = block;
            name = STR("");
        } else {
            put_folded(t, str_trim(name));
            put(t, STR(": "));
            t->fold.space = true; /* no second space where the value begins */
        }
    }
    /* what does not fit its buffer is cut: it would take a crafted charset to get there */
    (void)!mime_word_decode(value, &t->decoded);
    put_folded(t, buf_str(&t->decoded));
    put_plain(t, t->continued ? STR_NONE : str_trim(name), buf_str(&t->decoded), last);
    if (whole && has_addresses(str_trim(name)))
        addresses_put(t, value);
    t->continued = !last;
    if (last)
        fold_end(t);
    else
        put_folded(t, STR(" "));
    buf_clear(&t->field);
}

static void field_end(struct mime_text *t)
{
    struct mime_field f;
    struct str block = buf_str(&t->field);

    if (!t->in_field)
        return;
    if (!t->header_bytes && !t->references.n && !t->continued && mime_header_next(&block, &f) &&
        str_ieq_z(f.name, "references") && !t->scan.cur->parent)
        fail(t, buf_puts(&t->references, f.value));
    field_put(t, true);
    t->in_field = false;
}

/* No room for another byte: decode up to the last whole line, if there is one. */
static void field_cut(struct mime_text *t)
{
    ptrdiff_t lf = str_rchr(buf_str(&t->field), '\n');
    size_t n = lf > 0 ? (size_t)lf + 1 : t->field.n, rest = t->field.n - n;
    char *keep = malloc(rest ? rest : 1);

    if (!keep) {
        fail(t, E_NOMEM);
        buf_clear(&t->field);
        return;
    }
    memcpy(keep, t->field.p + n, rest);
    t->field.n = n;
    field_put(t, false);
    fail(t, buf_append(&t->field, keep, rest));
    explicit_bzero(keep, rest);
    free(keep);
}

static void field_add(struct mime_text *t, struct str s)
{
    while (s.n && t->error >= 0) {
        size_t n = size_min(s.n, t->field.max - t->field.n);

        fail(t, buf_puts(&t->field, str_slice(s, 0, n)));
        s = str_skip(s, n);
        if (t->field.n == t->field.max)
            field_cut(t);
    }
}

static bool is_message(const struct mime_part *p)
{
    return !p->parent || p->parent->kind == MIME_MESSAGE;
}

static void on_header(void *user, const struct mime_part *p, struct str s)
{
    struct mime_text *t = user;

    if (!is_message(p))
        return; /* of a part's header only the file name is text */
    while (s.n && t->error >= 0) {
        const char *lf = memchr(s.p, '\n', s.n);
        size_t n = lf ? (size_t)(lf - s.p) + 1 : s.n;

        if (!t->mid_line && s.p[0] != ' ' && s.p[0] != '\t')
            field_end(t);
        if (t->in_field || (s.p[0] != '\r' && s.p[0] != '\n')) { /* the blank line is none */
            t->in_field = true;
            field_add(t, str_slice(s, 0, n));
        }
        t->mid_line = !lf;
        s = str_skip(s, n);
    }
}

static void on_body_begin(void *user, const struct mime_part *p)
{
    struct mime_text *t = user;

    t->active = mime_part_is_text(p);
    t->watched = t->watch != NULL;
    if (t->watched && t->watch->leaf_begin)
        t->watch->leaf_begin(t->user, p);
    if (t->active || t->watched)
        mime_decoder_init(&t->decoder, mime_encoding_of(p->encoding));
    if (!t->active)
        return;
    t->html = mime_part_is(p, "text", "html");
    t->leading = !t->preview.n && !str_ieq_z(p->disposition, "attachment") &&
                 (t->html || !mime_part_is(p, "text", NULL) || mime_part_is(p, "text", "plain"));
    t->strip = (struct mime_html){ 0 };
    put_plain(t, STR(""), STR(""), false);
    t->fold = (struct mime_fold){ .space = true }; /* white space that begins a text is none */
    mime_charset_init(&t->charset, mime_param_raw(p->params, STR("charset")));
}

static void header_end(struct mime_text *t, const struct mime_part *p)
{
    field_end(t);
    t->mid_line = false;
    if (!p->parent)
        t->header_bytes = t->bytes + t->out.n;
}

static void filename_put(struct mime_text *t, const struct mime_part *p)
{
    buf_clear(&t->decoded);
    if (mime_part_filename(p, &t->decoded) <= 0)
        return;
    put(t, STR("filename: "));
    put_plain(t, STR("filename"), buf_str(&t->decoded), true);
    t->fold = (struct mime_fold){ .space = true };
    put_folded(t, buf_str(&t->decoded));
    fold_end(t);
}

static void on_header_end(void *user, const struct mime_part *p)
{
    struct mime_text *t = user;

    if (is_message(p))
        header_end(t, p);
    filename_put(t, p);
    if (t->watch && t->watch->header_end)
        t->watch->header_end(t->user, p);
}

static void watch_leaf(struct mime_text *t)
{
    if (t->watched && t->watch->leaf && t->decoded.n)
        t->watch->leaf(t->user, buf_str(&t->decoded));
}

/* One step through charset, HTML and fold; decoded bytes are in t->decoded. */
static void stages(struct mime_text *t, bool last)
{
    struct buf *text = &t->utf8;

    buf_clear(&t->utf8);
    buf_clear(&t->plain);
    fail(t, mime_charset_feed(&t->charset, buf_str(&t->decoded), &t->utf8));
    if (last && t->error >= 0)
        fail(t, mime_charset_finish(&t->charset, &t->utf8));
    if (t->watched && t->watch->utf8 && t->utf8.n)
        t->watch->utf8(t->user, buf_str(&t->utf8));
    if (t->html && t->error >= 0) {
        text = &t->plain;
        fail(t, mime_html_feed(&t->strip, buf_str(&t->utf8), &t->plain));
        if (last && t->error >= 0)
            fail(t, mime_html_finish(&t->strip, &t->plain));
    }
    put_folded(t, buf_str(text));
    put_plain(t, STR_NONE, buf_str(text), last);
    if (t->leading && t->error >= 0)
        fail(t, buf_puts(&t->lead, str_slice(buf_str(text), 0, t->lead.max - t->lead.n)));
    buf_clear(&t->decoded);
}

static void on_body(void *user, const struct mime_part *p, struct str s)
{
    struct mime_text *t = user;

    (void)p;
    for (; (t->active || t->watched) && s.n && t->error >= 0; s = str_skip(s, STEP)) {
        buf_clear(&t->decoded);
        fail(t, mime_decoder_feed(&t->decoder, str_slice(s, 0, STEP), &t->decoded));
        watch_leaf(t);
        if (t->active)
            stages(t, false);
    }
}

static void on_part_end(void *user, const struct mime_part *p)
{
    struct mime_text *t = user;

    if (p->kind != MIME_LEAF || !(t->active || t->watched))
        return;
    buf_clear(&t->decoded);
    fail(t, mime_decoder_finish(&t->decoder, &t->decoded));
    watch_leaf(t);
    if (t->active) {
        stages(t, true);
        fold_end(t);
        mime_charset_release(&t->charset);
    }
    if (t->watched && t->watch->leaf_end)
        t->watch->leaf_end(t->user);
    t->watched = false;
    if (!t->active)
        return;
    if (t->leading && t->error >= 0)
        fail(t, mime_preview_make(buf_str(&t->lead), &t->preview));
    buf_clear(&t->lead);
    t->active = t->leading = false;
}

int mime_text_init(struct mime_text *t, struct arena *a, mime_text_sink *sink, void *user)
{
    struct mime_hooks hooks = { .user = t,
                                .header = on_header,
                                .header_end = on_header_end,
                                .body_begin = on_body_begin,
                                .body = on_body,
                                .part_end = on_part_end };

    *t = (struct mime_text){ .sink = sink, .user = user };
    t->field.max = t->references.max = MIME_TEXT_FIELD_MAX;
    t->lead.max = MIME_PREVIEW_LEAD_MAX;
    t->preview.max = MIME_PREVIEW_BYTES_MAX;
    t->decoded.max = t->utf8.max = t->plain.max = t->out.max = STAGE_MAX;
    return mime_scan_init(&t->scan, a, &hooks);
}

void mime_text_also_plain(struct mime_text *t, mime_text_plain *plain)
{
    t->plain_sink = plain;
}

void mime_text_also_watch(struct mime_text *t, const struct mime_text_watch *watch)
{
    t->watch = watch;
}

int mime_text_feed(struct mime_text *t, struct str slice)
{
    mime_scan_feed(&t->scan, slice);
    return t->error;
}

int mime_text_finish(struct mime_text *t, struct mime_part **root_out)
{
    *root_out = mime_scan_finish(&t->scan);
    flush(t);
    return t->error;
}

void mime_text_release(struct mime_text *t)
{
    struct buf *all[] = { &t->field, &t->decoded,    &t->utf8, &t->plain,
                          &t->out,   &t->references, &t->lead, &t->preview };

    if (t->active)
        mime_charset_release(&t->charset);
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        buf_release(all[i]);
    mime_scan_release(&t->scan);
}

struct str mime_text_references(const struct mime_text *t)
{
    return buf_str(&t->references);
}

struct str mime_text_preview(const struct mime_text *t)
{
    return buf_str(&t->preview);
}
