#include "lib/spam/scan.h"
#include "lib/mime/word.h"
#include "lib/spam/names.h"
#include <stdlib.h>

#define TREE_MAX   MIB(1)
#define EARLY_MS   (-10 * MIME_DAY_MS)
#define LATE_MS    (2 * MIME_DAY_MS)
#define CAPS_LEAST 10u

/* Fields that are counted; those that may stand once come first (RFC 5322 3.6). */
enum field {
    DATE,
    FROM,
    SENDER,
    REPLY_TO,
    TO,
    CC,
    MESSAGE_ID,
    SUBJECT,
    IN_REPLY_TO,
    REFERENCES,
    MIME_VERSION,
    CONTENT_TYPE,
    LIST_ID,
    LIST_POST,
    LIST_UNSUBSCRIBE,
    PRECEDENCE,
    FIELDS
};
static const char *const field_names[FIELDS] = {
    "date",       "from",      "sender",           "reply-to",   "to",           "cc",
    "message-id", "subject",   "in-reply-to",      "references", "mime-version", "content-type",
    "list-id",    "list-post", "list-unsubscribe", "precedence",
};

struct spam_scan {
    struct mime_text text;
    struct arena arena;
    struct spam_facts facts;
    struct spam_hits hits;
    struct spam_budget budget;
    struct spam_links links;
    struct spam_tokens tokens;
    struct spam_attach *attach;
    uint64_t sunk;  /* bytes of search text that went by */
    bool body;      /* of it the header is over */
    bool in_header; /* of the plain lines: the letter's own header */
    bool is_bulk, leaf_text;
    unsigned seen[FIELDS];
    enum field field; /* whose value comes; FIELDS: none of them */
    unsigned gtube;   /* bytes of it that were seen */
};

/* ---- words ---- */

static int take_folded(void *user, struct str text)
{
    struct spam_scan *s = user;
    uint64_t header = s->text.header_bytes;
    size_t n = text.n;

    if (!s->body) { /* header_bytes is known before anything behind the header comes */
        if (header && header - s->sunk < n)
            n = (size_t)(header - s->sunk);
        spam_tokens_feed(&s->tokens, str_slice(text, 0, n));
        s->sunk += n;
        if (!header || s->sunk < header)
            return 0;
        s->body = true;
        spam_tokens_body(&s->tokens);
        text = str_skip(text, n);
    }
    spam_tokens_feed(&s->tokens, text);
    return 0;
}

/* ---- lines as they are written ---- */

static void look_gtube(struct spam_scan *s, struct str text)
{
    static const char first[] =
        "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-", /* in two, or this file is one */
        rest[] = "ANTI-UBE-TEST-EMAIL*C.34X";
    unsigned whole = sizeof first + sizeof rest - 2;

    for (size_t i = 0; i < text.n && s->gtube < whole; i++) {
        char want = s->gtube < sizeof first - 1 ? first[s->gtube] : rest[s->gtube - (sizeof first - 1)];

        s->gtube = text.p[i] == want ? s->gtube + 1 : text.p[i] == first[0];
    }
    if (s->gtube == whole)
        spam_hit(&s->hits, SPAM_GTUBE);
}

static void note_field(struct spam_scan *s, struct str name)
{
    s->field = FIELDS;
    for (enum field f = 0; f < FIELDS; f++)
        if (str_ieq_z(name, field_names[f])) {
            s->seen[f]++;
            s->field = f;
        }
}

static int take_plain(void *user, struct str field, struct str text, bool end UNUSED)
{
    struct spam_scan *s = user;

    if (field.p && field.n == 0) { /* a text begins */
        s->in_header = false;
        s->gtube = s->gtube == 68 ? 68 : 0;
    }
    if (s->in_header && field.p)
        note_field(s, field);
    if (s->in_header && s->field == PRECEDENCE)
        s->is_bulk = s->is_bulk || str_ifind(text, STR("bulk")) >= 0 || str_ifind(text, STR("junk")) >= 0;
    if (!s->in_header)
        look_gtube(s, text);
    return 0;
}

/* ---- leaves ---- */

static void header_end(void *user, const struct mime_part *p UNUSED)
{
    ((struct spam_scan *)user)->in_header = false; /* the first is the letter's own */
}

static void leaf_begin(void *user, const struct mime_part *p)
{
    CLEANUP(buf_release) struct buf name = { .max = KIB(4) };
    struct spam_scan *s = user;
    bool html = mime_part_is(p, "text", "html");

    if (mime_part_filename(p, &name) < 0)
        buf_clear(&name);
    s->leaf_text = mime_part_is_text(p);
    s->attach = spam_attach_new(buf_str(&name), s->leaf_text && name.n == 0, &s->hits, &s->budget);
    if (s->leaf_text)
        spam_links_begin(&s->links, html);
}

static void leaf(void *user, struct str decoded)
{
    spam_attach_feed(((struct spam_scan *)user)->attach, decoded);
}

static void leaf_utf8(void *user, struct str text)
{
    spam_links_feed(&((struct spam_scan *)user)->links, text);
}

static void leaf_end(void *user)
{
    struct spam_scan *s = user;

    spam_attach_end(&s->attach);
    if (s->leaf_text)
        spam_links_end(&s->links);
    s->leaf_text = false;
}

static const struct mime_text_watch watch = {
    .header_end = header_end, .leaf_begin = leaf_begin, .leaf = leaf, .utf8 = leaf_utf8, .leaf_end = leaf_end
};

/* ---- the whole ---- */

struct spam_scan *spam_scan_new(const struct spam_facts *facts)
{
    struct spam_scan *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->facts = *facts;
    s->arena.max = TREE_MAX;
    s->in_header = true;
    s->field = FIELDS;
    spam_links_init(&s->links, &s->hits, facts->psl, facts->own);
    spam_tokens_init(&s->tokens, facts->key);
    if (mime_text_init(&s->text, &s->arena, take_folded, s) < 0) {
        spam_scan_free(&s);
        return NULL;
    }
    mime_text_also_plain(&s->text, take_plain);
    mime_text_also_watch(&s->text, &watch);
    return s;
}

void spam_scan_free(struct spam_scan **ps)
{
    struct spam_scan *s = *ps;

    if (!s)
        return;
    *ps = NULL;
    spam_attach_end(&s->attach);
    mime_text_release(&s->text);
    arena_release(&s->arena);
    free(s);
}

int spam_scan_feed(struct spam_scan *s, struct str bytes)
{
    return mime_text_feed(&s->text, bytes);
}

/* ---- what the header says ---- */

static void judge_presence(struct spam_scan *s)
{
    static const struct {
        enum field field;
        enum spam_rule rule;
    } wanted[] = { { DATE, SPAM_MISSING_DATE },
                   { FROM, SPAM_MISSING_FROM },
                   { SUBJECT, SPAM_MISSING_SUBJECT },
                   { MESSAGE_ID, SPAM_MISSING_MESSAGE_ID } };

    for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
        if (!s->seen[wanted[i].field])
            spam_hit(&s->hits, wanted[i].rule);
    if (!s->seen[TO] && !s->seen[CC])
        spam_hit(&s->hits, SPAM_MISSING_TO);
    for (enum field f = 0; f < LIST_ID; f++)
        if (s->seen[f] > 1)
            spam_hit(&s->hits, SPAM_DUPLICATE_FIELD);
    if (s->seen[LIST_ID] && s->seen[LIST_POST])
        spam_hit(&s->hits, SPAM_MAILING_LIST);
    else if (s->is_bulk && !s->seen[LIST_UNSUBSCRIBE])
        spam_hit(&s->hits, SPAM_BULK);
}

static void judge_date(struct spam_scan *s, const struct mime_envelope *e)
{
    int64_t ahead = e->sent.ms - s->facts.now_ms;

    if (s->facts.now_ms && e->has_sent && (ahead > LATE_MS || ahead < EARLY_MS))
        spam_hit(&s->hits, SPAM_DATE_ELSEWHEN);
}

static void judge_subject(struct spam_scan *s, struct str raw)
{
    CLEANUP(buf_release) struct buf text = { .max = KIB(2) };
    size_t upper = 0, lower = 0, words = 1;

    if (mime_word_decode(raw, &text) < 0)
        return;
    for (size_t i = 0; i < text.n; i++) {
        upper += text.p[i] >= 'A' && text.p[i] <= 'Z';
        lower += text.p[i] >= 'a' && text.p[i] <= 'z';
        words += text.p[i] == ' ';
    }
    if (upper >= CAPS_LEAST && lower == 0 && words > 1)
        spam_hit(&s->hits, SPAM_SUBJECT_CAPS);
}

/* An address in the name that is shown, of another domain. */
static bool shows_other_address(struct str shown, struct str domain, const struct psl *psl)
{
    CLEANUP(buf_release) struct buf a = { .max = 512 }, b = { .max = 512 };
    ptrdiff_t at = str_rchr(shown, '@');
    struct str host = at <= 0 ? STR("") : str_skip(shown, (size_t)at + 1);
    size_t n = 0;

    while (n < host.n &&
           (ascii_alpha(host.p[n]) || ascii_digit(host.p[n]) || host.p[n] == '-' || host.p[n] == '.'))
        n++;
    host.n = n;
    if (str_chr(host, '.') <= 0 || spam_name_base(host, psl, &a) < 0 || spam_name_base(domain, psl, &b) < 0)
        return false;
    return !str_eq(buf_str(&a), buf_str(&b));
}

static void judge_from(struct spam_scan *s, const struct mime_address *from)
{
    static const enum spam_rule rules[] = {
        [SPAM_NAME_HOMOGRAPH] = SPAM_FROM_HOMOGRAPH, [SPAM_NAME_LOOKALIKE] = SPAM_FROM_LOOKALIKE,
        [SPAM_NAME_NEAR] = SPAM_FROM_NEAR,           [SPAM_NAME_INSIDE] = SPAM_FROM_LOOKALIKE,
        [SPAM_NAME_MIXED] = SPAM_FROM_HOMOGRAPH,
    };
    CLEANUP(buf_release) struct buf shown = { .max = KIB(1) };
    enum spam_name what;

    if (!from || !from->host.n)
        return;
    if ((what = spam_name_check(from->host, s->facts.own, s->facts.psl)))
        spam_hit(&s->hits, rules[what]);
    if (mime_word_decode(from->name, &shown) < 0)
        return;
    if (s->seen[LIST_ID])
        return; /* lists write their own address under a member's name */
    if (shows_other_address(buf_str(&shown), from->host, s->facts.psl))
        spam_hit(&s->hits, SPAM_FROM_NAME_ADDRESS);
    else if (spam_name_claims(buf_str(&shown), from->host, s->facts.psl))
        spam_hit(&s->hits, SPAM_FROM_NAME_BRAND);
}

static void judge_reply(struct spam_scan *s, const struct mime_envelope *e)
{
    CLEANUP(buf_release) struct buf a = { .max = 512 }, b = { .max = 512 };

    if (!s->seen[REPLY_TO] || s->seen[LIST_ID] || !e->from || !e->reply_to || !e->from->host.n ||
        !e->reply_to->host.n)
        return;
    if (spam_name_base(e->from->host, s->facts.psl, &a) == 0 &&
        spam_name_base(e->reply_to->host, s->facts.psl, &b) == 0 && !str_eq(buf_str(&a), buf_str(&b)))
        spam_hit(&s->hits, SPAM_REPLY_ELSEWHERE);
}

int spam_scan_finish(struct spam_scan *s, struct spam_evidence *out)
{
    struct mime_part *root = NULL;
    int r = mime_text_finish(&s->text, &root);

    if (r < 0)
        return r;
    spam_tokens_end(&s->tokens);
    judge_presence(s);
    if (root && mime_part_is(root, "text", "html"))
        spam_hit(&s->hits, SPAM_HTML_ONLY);
    if (root && root->envelope) {
        judge_date(s, root->envelope);
        judge_subject(s, root->envelope->subject);
        judge_from(s, root->envelope->from);
        judge_reply(s, root->envelope);
    }
    for (size_t i = 0; i < s->links.nhosts; i++) {
        CLEANUP(buf_release) struct buf base = { .max = 512 };
        struct str host = str_of(s->links.hosts[i].text, s->links.hosts[i].n);

        spam_tokens_add(&s->tokens, "host", host);
        if (spam_name_base(host, s->facts.psl, &base) == 0 && !str_eq(buf_str(&base), host))
            spam_tokens_add(&s->tokens, "host", buf_str(&base));
    }
    *out = (struct spam_evidence){ s->hits, s->tokens.list, s->tokens.n, s->links.hosts, s->links.nhosts };
    return 0;
}
