#include "lib/mailauth/canon.h"
#include "lib/mailauth/dkim_impl.h"

#define LINE_MAX_WANTED 76u
#define BASE64_LINE     73u /* with the tab before it */

/* What is worth signing (RFC 6376 5.4.1). `once`: a second one would be a forgery, so the signature says that
 * there is none (8.15). */
static const struct {
    const char *name;
    bool once;
} default_names[] = {
    { "from", true },
    { "to", true },
    { "cc", true },
    { "subject", true },
    { "date", true },
    { "message-id", true },
    { "reply-to", true },
    { "sender", true },
    { "in-reply-to", true },
    { "references", true },
    { "mime-version", true },
    { "content-type", true },
    { "content-transfer-encoding", true },
    { "list-id", false },
    { "list-unsubscribe", false },
    { "list-unsubscribe-post", false },
    { "list-post", false },
    { "auto-submitted", false },
};

int dkim_default_names(const struct mailauth_message *m, bool seal, struct buf *out)
{
    int r = 0;

    for (size_t i = 0; i < ARRAY_LEN(default_names); i++) {
        size_t n;

        (void)mailauth_field_last(m, default_names[i].name, &n);
        if (n == 0)
            continue;
        n = size_min(n, 16) + (default_names[i].once && !seal ? 1 : 0);
        for (size_t k = 0; k < n && r == 0; k++)
            r = buf_printf(out, "%s%s", out->n ? ":" : "", default_names[i].name);
    }
    return r;
}

static bool names_valid(struct str names)
{
    for (size_t i = 0; i < names.n; i++)
        if (names.p[i] <= ' ' || names.p[i] > '~' || names.p[i] == ';')
            return false;
    return names.n > 0 && names.n < KIB(4);
}

int sigtext_wrap(struct sigtext *t, struct str value)
{
    int r = 0;

    while (value.n && r == 0) {
        size_t room = t->column < BASE64_LINE ? BASE64_LINE - t->column : 0, n = size_min(room, value.n);

        if ((r = buf_append(t->out, value.p, n)) < 0)
            return r;
        t->column += n;
        value = str_skip(value, n);
        if (value.n) {
            r = buf_putz(t->out, "\r\n\t");
            t->column = 1;
        }
    }
    return r;
}

/* A list broken after colons. */
static int wrap_list(struct sigtext *t, struct str value)
{
    int r = 0;

    while (value.n && r == 0) {
        ptrdiff_t colon = str_chr(value, ':');
        size_t n = colon < 0 ? value.n : (size_t)colon + 1;

        if (t->column + n > LINE_MAX_WANTED && t->column > 10) {
            if ((r = buf_putz(t->out, "\r\n\t ")) < 0)
                return r;
            t->column = 2;
        }
        r = buf_append(t->out, value.p, n);
        t->column += n;
        value = str_skip(value, n);
    }
    return r;
}

/* "name=value;" after a space, or on a new line. */
int sigtext_tag(struct sigtext *t, const char *name, struct str value, bool last)
{
    size_t n = strlen(name) + 2 + value.n;
    bool fold = t->column + 1 + n > LINE_MAX_WANTED;
    int r;

    if ((r = buf_putz(t->out, fold ? "\r\n\t" : " ")) < 0 || (r = buf_printf(t->out, "%s=", name)) < 0)
        return r;
    t->column = (fold ? 1 : t->column + 1) + strlen(name) + 1;
    if ((r = wrap_list(t, value)) < 0 || last)
        return r;
    t->column++;
    return buf_putc(t->out, ';');
}

int dkim_signer_want(struct mailauth_message *m, bool body_simple)
{
    return mailauth_body_want(m, !body_simple, UINT64_MAX);
}

/* All tags after b, in alphabetical order. */
static int put_tail(struct sigtext *t, const struct mailauth_message *m, const struct dkim_signer *s,
                    int body, struct str names)
{
    CLEANUP(buf_release) struct buf bh = { .max = 64 };
    CLEANUP(buf_release) struct buf when = { .max = 32 };
    CLEANUP(buf_release) struct buf until = { .max = 32 };
    uint8_t hash[MAILAUTH_HASH_BYTES];
    static const char *const canons[] = { "relaxed/relaxed", "relaxed/simple", "simple/relaxed",
                                          "simple/simple" };
    const char *c = canons[(s->header_simple ? 2 : 0) + (s->body_simple ? 1 : 0)];
    uint64_t bytes;
    int r;

    if (!mailauth_body_hash(m, body, hash, &bytes))
        return E_BUG;
    if ((r = base64_put(&bh, hash, sizeof hash)) < 0 ||
        (r = buf_printf(&when, "%lld", (long long)s->now_s)) < 0 ||
        (r = buf_printf(&until, "%lld", (long long)s->expires_s)) < 0 ||
        (r = sigtext_tag(t, "bh", buf_str(&bh), false)) < 0 ||
        (r = sigtext_tag(t, "c", str_from(c), false)) < 0 ||
        (r = sigtext_tag(t, "d", s->domain, false)) < 0 || (r = sigtext_tag(t, "h", names, false)) < 0 ||
        (s->identity.n && (r = sigtext_tag(t, "i", s->identity, false)) < 0) ||
        (r = sigtext_tag(t, "s", s->selector, false)) < 0 ||
        (r = sigtext_tag(t, "t", buf_str(&when), s->expires_s == 0)) < 0)
        return r;
    return s->expires_s ? sigtext_tag(t, "x", buf_str(&until), true) : 0;
}

/* The value of b goes between head and tail, broken into lines. */
static int put_signed(struct buf *out, const struct buf *head, const struct buf *tail, const struct buf *b)
{
    ptrdiff_t lf = str_rchr(buf_str(head), '\n');
    struct sigtext t = { out, head->n - (size_t)(lf + 1) };
    int r;

    if ((r = buf_puts(out, buf_str(head))) < 0 || (r = sigtext_wrap(&t, buf_str(b))) < 0)
        return r;
    return buf_puts(out, buf_str(tail));
}

/* Sign head + tail, which is the field with an empty b. */
static int sign_field(const struct mailauth_message *m, const struct dkim_signer *s, struct str names,
                      const struct buf *head, const struct buf *tail, struct buf *out)
{
    CLEANUP(buf_release) struct buf whole = { .max = KIB(16) };
    CLEANUP(buf_release) struct buf b = { .max = KIB(2) };
    uint8_t hash[DKIM_HASH_BYTES];
    int r;

    if ((r = buf_puts(&whole, buf_str(head))) < 0 || (r = buf_puts(&whole, buf_str(tail))) < 0 ||
        (r = dkim_header_hash(m, names, buf_str(&whole), !s->header_simple, hash)) < 0 ||
        (r = dkim_private_sign(s->key, hash, &b)) < 0)
        return r;
    return put_signed(out, head, tail, &b);
}

static bool signer_valid(const struct mailauth_message *m, const struct dkim_signer *s, struct str names)
{
    struct str item, list = names;
    bool from = false;
    size_t n;

    while (tags_list_next(&list, &item))
        from = from || str_ieq_z(item, "from");
    for (size_t i = 0; i < s->identity.n; i++)
        if (s->identity.p[i] <= ' ' || s->identity.p[i] > '~' || s->identity.p[i] == ';')
            return false;
    return from && names_valid(names) && domain_is_plain(s->domain) && domain_is_plain(s->selector) &&
           mailauth_field_last(m, "From", &n) != NULL;
}

int dkim_make(struct mailauth_message *m, const struct dkim_signer *s, int body, struct buf *out)
{
    CLEANUP(buf_release) struct buf listed = { .max = KIB(4) };
    CLEANUP(buf_release) struct buf head = { .max = KIB(1) };
    CLEANUP(buf_release) struct buf tail = { .max = KIB(8) };
    struct sigtext t = { &tail, LINE_MAX_WANTED };
    struct str names = s->names;
    size_t was = out->n;
    int r;

    if (m->error)
        return m->error;
    if (!names.n) {
        if ((r = dkim_default_names(m, false, &listed)) < 0)
            return r;
        names = buf_str(&listed);
    }
    if (!signer_valid(m, s, names))
        return E_SYNTAX;
    if ((r = buf_printf(&head, "DKIM-Signature: v=1; a=%s;\r\n\tb=",
                        dkim_algorithm_name(dkim_private_algorithm(s->key)))) < 0 ||
        (r = buf_putc(&tail, ';')) < 0 || (r = put_tail(&t, m, s, body, names)) < 0 ||
        (r = buf_putz(&tail, "\r\n")) < 0 || (r = sign_field(m, s, names, &head, &tail, out)) < 0)
        out->n = was;
    return r < 0 ? r : 0;
}
