/* Laws: what a page lists has keys and is as long as it says; reading again says the same; a code is a word. */
#include "lib/base/errors.h"
#include "lib/s3/answer.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str xml = str_of(data, size);
    char code[S3_CODE_MAX];

    for (int kind = S3_OBJECTS; kind <= S3_UPLOADS; kind++) {
        CLEANUP(arena_release) struct arena a = { .max = MIB(1) }, b = { .max = MIB(1) };
        struct s3_page p = { .n = 0 }, q = { .n = 0 };
        int r = s3_page_parse(xml, (enum s3_listed)kind, &a, &p);
        size_t n = 0;

        assert(s3_page_parse(xml, (enum s3_listed)kind, &b, &q) == r && p.n == q.n && p.more == q.more);
        for (const struct s3_entry *e = p.list, *f = q.list; e; e = e->next, f = f->next, n++)
            assert(e->key.n > 0 && str_eq(e->key, f->key) && str_eq(e->version, f->version));
        assert(r < 0 || (n == p.n && (!p.more || p.next.n > 0)));
    }
    s3_error_code(xml, code);
    for (const char *c = code; *c; c++)
        assert(ascii_alpha(*c) || ascii_digit(*c));
    return 0;
}
