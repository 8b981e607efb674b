/* Real and odd mail from a folder beside the project (LETTERLOCK_CORPUS), where it is there: slicing
 * changes no tree and no text, and the answers agree with those that other programs gave: byte ranges
 * (mail-parser), fetched sections (stalwart-imap), decoded leaves (GMime, where it is installed).
 * Where they may differ is written down here, with the reason, and counted. */
#include "lib/base/test.h"
#include "lib/base/buf.h"
#include "lib/mime/decode.h"
#include "lib/mime/header.h"
#include "lib/mime/imap_format.h"
#include "lib/mime/section.h"
#include "lib/mime/structure.h"
#include "lib/mime/text.h"
#include <ftw.h>
#include <jansson.h>
#include <unistd.h>
#if defined(HAVE_GMIME)
#include <gmime/gmime.h>
#endif

static char root_path[4096];
static bool verbose;

static bool corpus_find(void)
{
    const char *env = getenv("LETTERLOCK_CORPUS"), *src = getenv("SRCDIR");

    verbose = getenv("VERBOSE") != NULL;
    if (env)
        snprintf(root_path, sizeof root_path, "%s", env);
    else
        snprintf(root_path, sizeof root_path, "%s/../shared/corpus", src ? src : ".");
    if (access(root_path, R_OK) == 0)
        return true;
    print_message("SKIPPED: no mail corpus at %s (set LETTERLOCK_CORPUS)\n", root_path);
    return false;
}

static bool read_file(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rb");
    size_t n = 1;

    if (!f)
        return false;
    buf_clear(out);
    while (n) {
        char *at = buf_reserve(out, KIB(64));

        n = at ? fread(at, 1, KIB(64), f) : 0;
        out->n += n;
    }
    fclose(f);
    return true;
}

/* Each regular file of …/share, read, to the function at hand. */
static void (*visit)(const char *path, struct str bytes);
static unsigned visited;

static int on_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    CLEANUP(buf_release) struct buf in = { .max = MIB(64) };

    (void)st;
    (void)ftw;
    if (type == FTW_F && strstr(path, "/share/") && read_file(path, &in)) {
        visit(path, buf_str(&in));
        visited++;
    }
    return 0;
}

static void each_file(const char *folder, void (*fn)(const char *, struct str))
{
    char path[4200];

    snprintf(path, sizeof path, "%s%s", root_path, folder);
    visit = fn;
    visited = 0;
    nftw(path, on_file, 16, FTW_PHYS);
}

static int collect(void *user, struct str text)
{
    return buf_puts(user, text);
}

static void extract(struct str in, size_t slice, struct buf *out)
{
    struct arena a = { .max = MIB(4) };
    struct mime_text t;
    struct mime_part *root;

    CHECK(mime_text_init(&t, &a, collect, out) == 0);
    for (size_t at = 0; at < in.n; at += slice)
        CHECK(mime_text_feed(&t, str_slice(in, at, at + slice)) == 0);
    CHECK(mime_text_finish(&t, &root) == 0);
    CHECK(mime_imap_body(root, true, true, out) == 0 && mime_imap_envelope(root->envelope, true, out) == 0);
    for (const struct mime_part *p = root; p; p = mime_part_next(p))
        CHECK(buf_printf(out, " %llu-%llu-%llu", (unsigned long long)p->header_start,
                         (unsigned long long)p->body_start, (unsigned long long)p->body_end) == 0);
    mime_text_release(&t);
    arena_release(&a);
}

static void visit_slices(const char *path, struct str in)
{
    static const size_t slices[] = { 1, 7, 4096 };
    CLEANUP(buf_release) struct buf want = { .max = MIB(64) };

    check_case = path;
    extract(in, in.n + 1, &want);
    for (size_t i = 0; i < ARRAY_LEN(slices); i++) {
        CLEANUP(buf_release) struct buf got = { .max = MIB(64) };

        extract(in, slices[i], &got);
        CHECK(str_eq(buf_str(&want), buf_str(&got)));
    }
    check_case = "";
}

static void test_slices(void **state)
{
    (void)state;
    if (!corpus_find())
        return;
    each_file("", visit_slices);
    print_message("slices: %u files\n", visited);
}

/* mail-parser: "parts" with offset_body and offset_end; multiparts and messages hold others. */
static unsigned agree, differ;

static void check_leaf(const struct mime_part *root, json_t *part, const char *path)
{
    uint64_t from = (uint64_t)json_integer_value(json_object_get(part, "offset_body"));
    uint64_t to = (uint64_t)json_integer_value(json_object_get(part, "offset_end"));

    for (const struct mime_part *p = root; p; p = mime_part_next(p))
        if (p->body_start == from && p->body_end == to) {
            agree++;
            return;
        }
    differ++;
    if (verbose)
        print_message("ranges: %s has no %llu-%llu\n", path, (unsigned long long)from,
                      (unsigned long long)to);
}

static void check_ranges(const struct mime_part *root, json_t *message, const char *path)
{
    json_t *part;
    size_t i;

    json_array_foreach(json_object_get(message, "parts"), i, part)
    {
        json_t *body = json_object_get(part, "body");

        if (json_object_get(body, "Message"))
            check_ranges(root, json_object_get(body, "Message"), path);
        else if (!json_object_get(body, "Multipart"))
            check_leaf(root, part, path);
    }
}

/* The same message with LF, or with CRLF, at every line's end: the answers exist for both. */
static void line_ends(struct str in, const char *eol, struct buf *out)
{
    struct str line;

    for (bool more = true; more;) {
        more = str_cut(in, '\n', &line, &in);
        if (more && str_ends(line, STR("\r")))
            line.n--;
        CHECK(buf_puts(out, line) == 0 && (!more || buf_putz(out, eol) == 0));
    }
}

static void visit_ranges(const char *path, struct str in)
{
    static const struct {
        const char *eol, *suffix;
    } forms[] = { { "\n", "json" }, { "\r\n", "crlf.json" } };
    size_t n = strlen(path);

    for (size_t i = 0; i < ARRAY_LEN(forms) && n > 4 && strcmp(path + n - 4, ".eml") == 0; i++) {
        CLEANUP(buf_release) struct buf form = { .max = MIB(8) };
        struct arena a = { .max = MIB(4) };
        char other[4300];
        json_t *doc;

        line_ends(in, forms[i].eol, &form);
        snprintf(other, sizeof other, "%.*s.%s", (int)(n - 4), path, forms[i].suffix);
        if ((doc = json_load_file(other, 0, NULL))) {
            check_ranges(mime_scan_all(&a, buf_str(&form)), doc, path);
            json_decref(doc);
        }
        arena_release(&a);
    }
}

/* mail-parser lets a part run over the delimiter of an outer multipart, and does not take a boundary at
 * the beginning of a longer line (RFC 2046 5.1.1 says otherwise to both): malformed 1, 7, 9, 16, 22. */
static void test_ranges(void **state)
{
    (void)state;
    if (!corpus_find())
        return;
    agree = differ = 0;
    each_file("/mail-parser", visit_ranges);
    print_message("ranges: %u agree, %u differ\n", agree, differ);
    CHECK(agree + differ == 0 || agree > 15 * differ);
}

/* stalwart-imap: FETCH answers in "NAME] {n}\r\n<n bytes>". */
static bool section_parse(struct str s, struct mime_section *out, uint32_t *path)
{
    struct str word;

    *out = (struct mime_section){ .path = path };
    for (bool more = s.n > 0; more;) {
        more = str_cut(s, '.', &word, &s);
        if (out->n < 8 && str_to_u32(word, &path[out->n]))
            out->n++;
        else if (str_eq_z(word, "HEADER"))
            out->kind = MIME_SECTION_HEADER;
        else if (str_eq_z(word, "TEXT"))
            out->kind = MIME_SECTION_TEXT;
        else if (str_eq_z(word, "MIME"))
            out->kind = MIME_SECTION_MIME;
        else
            return false;
    }
    return true;
}

/* Stalwart answers HEADER and TEXT for parts that are no messages, MIME without a number, "1.1" of a
 * part that has none, and gives MIME headers a line break more: RFC 9051 6.4.5.1 gives NIL there. */
static bool is_comparable(const struct mime_part *root, const struct mime_section *s)
{
    struct mime_range range;

    return s->kind != MIME_SECTION_MIME && mime_section_find(root, s, &range) == 1;
}

static void check_sections(const struct mime_part *root, struct str message, struct str answers,
                           const char *path)
{
    static const struct str mark = STR("\nBODY[");

    for (ptrdiff_t at; (at = str_find(answers, mark)) >= 0;) {
        struct str name, rest, size, literal;
        struct mime_section s;
        struct mime_range range;
        uint32_t numbers[8];
        uint64_t n;

        answers = str_skip(answers, (size_t)at + mark.n);
        if (!str_cut(answers, ']', &name, &rest) || !str_starts(rest, STR(" {")) ||
            !str_cut(str_skip(rest, 2), '}', &size, &literal) || !str_to_u64(size, &n))
            continue;
        literal = str_slice(literal, 2, 2 + n);
        if (!section_parse(name, &s, numbers) || !is_comparable(root, &s) ||
            !mime_section_find(root, &s, &range))
            continue;
        if (str_eq(str_slice(message, range.offset, range.offset + range.bytes), literal)) {
            agree++;
        } else {
            differ++;
            if (verbose)
                print_message("sections: %s %.*s: %llu bytes, %llu wanted\n", path, STR_ARG(name),
                              (unsigned long long)range.bytes, (unsigned long long)n);
        }
    }
}

static void visit_sections(const char *path, struct str answers)
{
    CLEANUP(buf_release) struct buf message = { .max = MIB(1) };
    struct arena a = { .max = MIB(1) };
    char other[4300];
    size_t n = strlen(path);

    if (n < 5 || strcmp(path + n - 5, ".imap") != 0)
        return;
    snprintf(other, sizeof other, "%.*s.txt", (int)(n - 5), path);
    if (read_file(other, &message))
        check_sections(mime_scan_all(&a, buf_str(&message)), buf_str(&message), answers, path);
    arena_release(&a);
}

static void test_sections(void **state)
{
    (void)state;
    if (!corpus_find())
        return;
    agree = differ = 0;
    each_file("/stalwart-imap", visit_sections);
    print_message("sections: %u agree, %u differ\n", agree, differ);
    CHECK(agree + differ == 0 || agree > 10 * differ);
}

#if defined(HAVE_GMIME)
struct leaves {
    struct buf bytes;
    size_t n, end[MIME_PARTS_MAX];
};

static void leaf_end(struct leaves *l)
{
    if (l->n < MIME_PARTS_MAX)
        l->end[l->n++] = l->bytes.n;
}

static struct str leaf_at(const struct leaves *l, size_t i)
{
    size_t from = i ? l->end[i - 1] : 0;

    return str_slice(buf_str(&l->bytes), from, l->end[i]);
}

static void gmime_walk(GMimeObject *o, struct leaves *l)
{
    if (GMIME_IS_MULTIPART(o)) {
        for (int i = 0; i < g_mime_multipart_get_count(GMIME_MULTIPART(o)); i++)
            gmime_walk(g_mime_multipart_get_part(GMIME_MULTIPART(o), i), l);
    } else if (GMIME_IS_MESSAGE_PART(o)) {
        GMimeMessage *m = g_mime_message_part_get_message(GMIME_MESSAGE_PART(o));

        if (m && g_mime_message_get_mime_part(m))
            gmime_walk(g_mime_message_get_mime_part(m), l);
    } else if (GMIME_IS_PART(o)) {
        GMimeDataWrapper *w = g_mime_part_get_content(GMIME_PART(o));
        GMimeStream *mem = g_mime_stream_mem_new();

        if (w)
            g_mime_data_wrapper_write_to_stream(w, mem);
        GByteArray *bytes = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(mem));
        CHECK(buf_append(&l->bytes, bytes->data, bytes->len) == 0);
        leaf_end(l);
        g_object_unref(mem);
    }
}

static void gmime_leaves(struct str in, struct leaves *l)
{
    GMimeStream *stream = g_mime_stream_mem_new_with_buffer(in.p, in.n);
    GMimeParser *parser = g_mime_parser_new_with_stream(stream);
    GMimeMessage *m = g_mime_parser_construct_message(parser, NULL);

    if (m && g_mime_message_get_mime_part(m))
        gmime_walk(g_mime_message_get_mime_part(m), l);
    if (m)
        g_object_unref(m);
    g_object_unref(parser);
    g_object_unref(stream);
}

static void our_leaves(struct str in, struct leaves *l)
{
    struct arena a = { .max = MIB(4) };

    for (const struct mime_part *p = mime_scan_all(&a, in); p; p = mime_part_next(p)) {
        struct mime_decoder d;

        if (p->kind != MIME_LEAF)
            continue;
        mime_decoder_init(&d, mime_encoding_of(p->encoding));
        CHECK(mime_decoder_feed(&d, str_slice(in, p->body_start, p->body_end), &l->bytes) == 0);
        CHECK(mime_decoder_finish(&d, &l->bytes) == 0);
        leaf_end(l);
    }
    arena_release(&a);
}

/* Where GMime differs, as read out of the list that VERBOSE=1 prints:
 *   - it makes no leaf of a file without header or body, or of an empty part, and its own of mbox files;
 *   - it takes message/global and encoded messages otherwise (RFC 6532 3.7, RFC 2046 5.2.1);
 *   - it wants the whole delimiter line to match, with the trailing spaces of a boundary parameter, and
 *     knows none over its own limit; we follow RFC 2046 5.1.1 (a boundary at the line's beginning);
 *   - of several Content-Type fields it takes the last, we the first;
 *   - of base64 that ends inside a group, and of "==3D" in quoted-printable, it keeps other bytes. */
static unsigned messages_agree, messages_differ;

static bool same_but_spaces(struct str a, struct str b)
{
    size_t i = 0, k = 0;

    for (;;) {
        while (i < a.n && (a.p[i] == ' ' || a.p[i] == '\t' || a.p[i] == '\r' || a.p[i] == '\n'))
            i++;
        while (k < b.n && (b.p[k] == ' ' || b.p[k] == '\t' || b.p[k] == '\r' || b.p[k] == '\n'))
            k++;
        if (i == a.n || k == b.n)
            return i == a.n && k == b.n;
        if (a.p[i++] != b.p[k++])
            return false;
    }
}

static bool is_message_file(const char *path)
{
    static const char *const others[] = { ".json", ".xml", ".out", ".imap", ".golden",
                                          ".key",  ".yml", ".js",  ".mbox", ".pem" };

    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (str_ends(str_from(path), str_from(others[i])))
            return false;
    return !strstr(path, "/vectors/");
}

static void visit_gmime(const char *path, struct str in)
{
    static struct leaves ours, theirs;
    bool same, spaces = true;

    if (!is_message_file(path))
        return;
    ours.bytes.max = theirs.bytes.max = MIB(64);
    ours.n = theirs.n = 0;
    buf_clear(&ours.bytes);
    buf_clear(&theirs.bytes);
    our_leaves(in, &ours);
    gmime_leaves(in, &theirs);
    same = ours.n == theirs.n;
    for (size_t i = 0; same && i < ours.n; i++) {
        bool equal = str_eq(leaf_at(&ours, i), leaf_at(&theirs, i));

        same = equal || same_but_spaces(leaf_at(&ours, i), leaf_at(&theirs, i));
        spaces = spaces && equal;
    }
    messages_agree += same;
    messages_differ += !same;
    differ += same && !spaces;
    if (!same && verbose)
        print_message("gmime: %s: %zu leaves, GMime %zu; %zu bytes, %zu\n", path, ours.n, theirs.n,
                      ours.bytes.n, theirs.bytes.n);
}

static void test_gmime(void **state)
{
    (void)state;
    if (!corpus_find())
        return;
    g_mime_init();
    differ = messages_agree = messages_differ = 0;
    each_file("", visit_gmime);
    print_message("gmime: leaves of %u files agree (%u of them but for white space), %u differ\n",
                  messages_agree, differ, messages_differ);
    CHECK(messages_agree + messages_differ == 0 || messages_agree > 40 * messages_differ);
    g_mime_shutdown();
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slices),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_sections),
#if defined(HAVE_GMIME)
        cmocka_unit_test(test_gmime),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
