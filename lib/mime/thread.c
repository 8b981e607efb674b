#include "lib/mime/thread.h"
#include "lib/mime/fold.h"
#include "lib/mime/word.h"

static struct str skip_blob(struct str s)
{
    ptrdiff_t end = s.n && s.p[0] == '[' ? str_chr(s, ']') : -1;

    if (end < 0 || (str_chr(str_skip(s, 1), '[') >= 0 && str_chr(str_skip(s, 1), '[') < end - 1))
        return s;
    return str_trim(str_skip(s, (size_t)end + 1));
}

/* subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":" ; text is folded already */
static struct str skip_refwd(struct str s)
{
    size_t n = str_starts(s, STR("re")) || str_starts(s, STR("fw")) ? 2 : 0;
    struct str rest;

    if (!n)
        return s;
    if (str_starts(s, STR("fwd")))
        n = 3;
    rest = skip_blob(str_trim(str_skip(s, n)));
    return rest.n && rest.p[0] == ':' ? str_trim(str_skip(rest, 1)) : s;
}

/* Steps (3) to (5): prefixes, until none is left. A blob that is all there is stays. */
static struct str skip_leaders(struct str s, bool *reply)
{
    for (;;) {
        struct str next = skip_refwd(s), blob = skip_blob(s);

        if (next.n != s.n) {
            *reply = true;
            s = next;
        } else if (blob.n != s.n && skip_refwd(blob).n != blob.n) {
            s = blob; /* *subj-blob subj-refwd */
        } else if (blob.n != s.n && blob.n) {
            s = blob;
        } else {
            return s;
        }
    }
}

static struct str base(struct str s, bool *reply)
{
    for (;;) {
        struct str before = s;

        s = str_trim(s);
        while (str_ends(s, STR("(fwd)"))) {
            *reply = true;
            s = str_trim(str_slice(s, 0, s.n - 5));
        }
        s = skip_leaders(s, reply);
        if (str_starts(s, STR("[fwd:")) && str_ends(s, STR("]"))) { /* step (6) */
            *reply = true;
            s = str_slice(s, 5, s.n - 1);
        }
        if (s.n == before.n)
            return s;
    }
}

int mime_subject_base(struct str subject, struct buf *out, bool *reply_out)
{
    CLEANUP(buf_release) struct buf text = { .max = subject.n * 4 + 64 };
    CLEANUP(buf_release) struct buf folded = { .max = (subject.n * 4 + 64) * MIME_FOLD_GROWTH };
    bool reply = false;
    int r;

    if ((r = mime_word_decode(subject, &text)) < 0 || (r = mime_fold_append(buf_str(&text), &folded)) < 0 ||
        (r = buf_puts(out, base(buf_str(&folded), &reply))) < 0)
        return r;
    if (reply_out)
        *reply_out = reply;
    return 0;
}

bool mime_message_id_next(struct str *value, struct str *id_out)
{
    ptrdiff_t from = str_chr(*value, '<'), to;
    struct str rest;

    if (from < 0)
        return false;
    rest = str_skip(*value, (size_t)from + 1);
    to = str_chr(rest, '>');
    if (to < 0)
        return false;
    *id_out = str_trim(str_slice(rest, 0, (size_t)to));
    *value = str_skip(rest, (size_t)to + 1);
    return true;
}
