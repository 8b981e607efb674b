#include "lib/mime/collate.h"
#include "lib/mime/charset.h"
#include "lib/mime/word.h"
#include <utf8proc.h>

#define FOLDED_MAX (MIME_COLLATE_MAX * 2) /* title case may be shorter than what it came from */

static struct str cut(struct str s, size_t max)
{
    if (s.n <= max)
        return s;
    while (max && ((unsigned char)s.p[max] & 0xc0) == 0x80)
        max--;
    return str_slice(s, 0, max);
}

static int put_title(struct str s, struct buf *out)
{
    size_t room = out->n + MIME_COLLATE_MAX;
    int r = 0;

    while (s.n && r >= 0) {
        utf8proc_int32_t cp;
        utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)s.p, (utf8proc_ssize_t)s.n, &cp);
        char u[4];
        size_t k;

        if (n <= 0)
            return E_BUG; /* fold.h gives well-formed text */
        k = mime_utf8_put((uint32_t)utf8proc_totitle(cp), u);
        if (out->n + k > room)
            return 0;
        r = buf_append(out, u, k);
        s = str_skip(s, (size_t)n);
    }
    return r;
}

int mime_collate(struct str text, struct buf *out)
{
    CLEANUP(buf_release) struct buf folded = { .max = FOLDED_MAX * MIME_FOLD_GROWTH };
    int r = mime_fold_append(cut(text, FOLDED_MAX), &folded);

    return r < 0 ? r : put_title(str_trim(buf_str(&folded)), out);
}

int mime_collate_mailbox(const struct mime_address *first, struct buf *out)
{
    return first && first->mailbox.p ? mime_collate(first->mailbox, out) : 0;
}

int mime_collate_display(const struct mime_address *first, struct buf *out)
{
    CLEANUP(buf_release) struct buf text = { .max = KIB(64) };
    struct str name = STR_NONE;
    int r = 0;

    if (!first)
        return 0;
    name = mime_address_is_group(first) ? first->mailbox : first->name;
    if (name.n) {
        r = mime_word_decode(cut(name, KIB(4)), &text);
    } else if (first->mailbox.p) {
        r = buf_puts(&text, cut(first->mailbox, KIB(4)));
        if (r >= 0 && first->host.n && (r = buf_putc(&text, '@')) >= 0)
            r = buf_puts(&text, cut(first->host, KIB(4)));
    }
    return r < 0 ? r : mime_collate(buf_str(&text), out);
}
