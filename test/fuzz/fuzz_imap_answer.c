/* test/fuzz/fuzz_imap_answer.c
 *
 * Laws of a server's responses: how they are cut changes nothing; no response is longer than its limit; bytes of messages
 * are neither lost nor made; what is parsed says nothing that cannot be. */
#include "lib/imap/answer.h"
#include "lib/imap/flags.h"
#include "lib/imap/mboxname.h"
#include "test/fuzz/fuzz.h"

#define LINE_MAX_BYTES KIB(8)

struct seen {
    struct buf all; /* every event, as text */
    uint64_t body;
};

static void look(struct str line, bool cut)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(1) };
    struct imap_answer r;
    struct imap_fetched f;
    struct imap_listed l;
    struct str name;

    if (imap_answer_parse(line, &r) < 0)
        return;
    if (imap_fetched_parse(&a, r.rest, cut, &f) == 0)
        LAW(f.nkeywords <= IMAP_KEYWORDS_ALL && !(f.flags & IMAP_FLAG_RECENT));
    arena_reset(&a);
    if (imap_listed_parse(&a, r.rest, &l) == 0 && imap_name_ours(&a, &l, STR("INBOX."), true, &name) == 0)
        LAW(mboxname_valid(name));
    if (imap_namespace_parse(&a, r.rest, &name) == 0)
        LAW(name.n <= line.n);
}

static int run(struct str in, size_t slice, struct seen *s)
{
    struct imap_answers a = { .line = { .max = LINE_MAX_BYTES } };
    int r = 0;

    for (size_t i = 0; i < in.n && r >= 0;) {
        struct str body = STR_NONE;
        size_t used = 0;

        r = imap_answers_feed(&a, str_slice(in, i, i + slice), &used, &body);
        LAW(used <= slice && used <= in.n - i && (used || r != IMAP_ANSWERS_MORE));
        LAW(a.line.n <= LINE_MAX_BYTES);
        i += used;
        if (r == IMAP_ANSWERS_LINE || r == IMAP_ANSWERS_BEGIN) {
            LAW(buf_printf(&s->all, "%d:%.*s|", r, STR_ARG(buf_str(&a.line))) == 0);
            look(buf_str(&a.line), r == IMAP_ANSWERS_BEGIN);
        }
        if (r == IMAP_ANSWERS_BODY) {
            s->body += body.n;
            LAW(buf_puts(&s->all, body) == 0);
        }
    }
    imap_answers_release(&a);
    return r < 0 ? r : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen whole = { .all = { .max = MIB(64) } }, bytes = { .all = { .max = MIB(64) } };
    int a = run(str_of(data, size), size, &whole), b = run(str_of(data, size), 1, &bytes);

    LAW(a == b && whole.body == bytes.body && whole.body <= size);
    LAW(str_eq(buf_str(&whole.all), buf_str(&bytes.all)));
    buf_release(&whole.all);
    buf_release(&bytes.all);
    return 0;
}
