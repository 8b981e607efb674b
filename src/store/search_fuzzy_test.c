/* src/store/search_fuzzy_test.c: FUZZY over a mailbox, by its index and without: what the index leaves out, the
 * text would not have been like. */
#include "lib/base/test.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/hex.h"
#include "lib/match/fuzzy.h"
#include "lib/mime/fold.h"
#include "src/store/index.h"
#include "src/store/search.h"
#include <stdio.h>

#define T(name) STORE__SEARCH_KEY__TYPE__##name
#define MANY    300u

static struct mailbox *box;
static struct arena arena = { .max = MIB(64) };
static uint64_t folder, state = 7;

static uint32_t rnd(uint32_t below)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((state >> 33) % below);
}

static const char *const words[] = {
    "invoice", "quarterly", "report",  "meeting", "garden",    "elephant", "résumé",   "Straße", "payment",
    "friday",  "kitchen",   "penguin", "weather", "ticket",    "holiday",  "database", "the",    "for",
    "and",     "with",      "battery", "license", "insurance", "proposal", "会議室",   "日本語",
};

static void append(const char *subject, const char *from, const char *text, int64_t days_ago)
{
    CLEANUP(buf_release) struct buf head = { .max = KIB(64) }, body = { .max = KIB(64) };
    Store__AppendResponse out = STORE__APPEND_RESPONSE__INIT;
    struct bytes_mem msg, mem;
    struct bytes_cat all;
    struct placement at = { .folder = STR("INBOX"), .internal_ms = clock_wall_ms() - days_ago * 86400000 };
    struct email_in e = { .structure = STR("s") };

    CHECK(buf_putz(&head, "subject: ") == 0 && mime_fold_append(str_from(subject), &head) == 0);
    CHECK(buf_putz(&head, "\nfrom: ") == 0 && mime_fold_append(str_from(from), &head) == 0);
    CHECK(buf_putc(&head, '\n') == 0 && mime_fold_append(str_from(text), &body) == 0 &&
          buf_putc(&body, '\n') == 0);
    e.message = bytes_mem_init(&msg, STR("0123456789"));
    e.text = bytes_cat_init(&all, buf_str(&head), bytes_mem_init(&mem, buf_str(&body)));
    e.text_header_bytes = head.n;
    CHECK(mailbox_begin(box) == 0 && mailbox_append(box, &e, &at, &out) == 0 && mailbox_commit(box) == 0);
    folder = out.folder_id;
}

static void index_all(void)
{
    int r = 1;

    while (r > 0) {
        CHECK(mailbox_begin(box) == 0 && (r = mailbox_index_step(box, 1000)) >= 0 &&
              mailbox_commit(box) == 0);
    }
}

static Store__SearchKey *key_of(Store__SearchKey__Type type, const char *name, const char *text)
{
    Store__SearchKey *k = ARENA_NEW(&arena, Store__SearchKey);

    store__search_key__init(k);
    k->type = type;
    k->name = str_pb(arena_dup(&arena, str_from(name)));
    k->text = str_pb(arena_dup(&arena, str_from(text)));
    return k;
}

static Store__SearchKey *parent(Store__SearchKey__Type type, Store__SearchKey *a, Store__SearchKey *b)
{
    Store__SearchKey *k = key_of(type, "", "");

    k->children = ARENA_ARRAY(&arena, 2, Store__SearchKey *);
    k->children[0] = a;
    k->children[1] = b;
    k->n_children = b ? 2 : 1;
    return k;
}

static Store__SearchKey *fuzzy(Store__SearchKey *k)
{
    return parent(T(FUZZY), k, NULL);
}

static Store__SearchResponse ask(Store__SearchKey *k)
{
    Store__SearchRequest q = STORE__SEARCH_REQUEST__INIT;
    Store__SearchResponse out = STORE__SEARCH_RESPONSE__INIT;
    uint64_t found;
    uint32_t best = 0;

    q.folder_id = folder;
    q.key = k;
    q.relevance = true;
    CHECK(mailbox_search(box, &arena, &q, &out) == 0);
    found = uidset_count(out.uid_ranges, out.n_uid_ranges);
    CHECK(out.n_relevance == found);
    for (size_t i = 0; i < out.n_relevance; i++) {
        CHECK(out.relevance[i] >= 1 && out.relevance[i] <= 10000);
        best = out.relevance[i] > best ? out.relevance[i] : best;
    }
    CHECK(found == 0 || best == 10000);
    return out;
}

/* UIDs by relevance, "3 1 2". */
static const char *order(Store__SearchKey *k)
{
    static char text[1000];
    Store__SortRequest q = STORE__SORT_REQUEST__INIT;
    Store__SortRequest__Criterion c = STORE__SORT_REQUEST__CRITERION__INIT, *list[1] = { &c };
    Store__OrderResponse resp = STORE__ORDER_RESPONSE__INIT;
    CLEANUP(buf_release) struct buf out = { .max = MIB(1) };
    Store__SearchResponse found = ask(k);
    int n = 0;

    c.key = STORE__SORT_REQUEST__KEY__RELEVANCE;
    q.folder_id = folder;
    q.key = k;
    q.n_criteria = 1;
    q.criteria = list;
    CHECK(mailbox_sort(box, &q, &found, &out, &resp) == 0);
    text[0] = '\0';
    for (size_t i = 0; i < out.n && i < 40; i += 4)
        n += snprintf(text + n, sizeof text - (size_t)n, "%s%u", i ? " " : "",
                      le32_get((const uint8_t *)out.p + i));
    return text;
}

static void open_box(void)
{
    mailbox_close(&box);
    CHECK(mailbox_open_memory(&box) == 0);
}

static void check_order(Store__SearchKey *k, const char *want)
{
    const char *got = order(k);

    check_case = got;
    CHECK(strcmp(got, want) == 0);
    check_case = "";
}

static void test_order(void **st)
{
    (void)st;
    open_box();
    append("Lunch", "Anna <anna@example.org>", "did you see the invoice of last week?", 50);
    append("Your invoice", "Billing <billing@example.net>", "please find it attached", 40);
    append("Re: invocie", "Bert <bert@example.org>", "typing on a telephone", 30);
    append("Holiday", "Carla <carla@example.org>", "sea and sun", 20);
    append("invoices, invoices", "Billing <billing@example.net>", "invoice one, invoice two", 10);
    for (int indexed = 0; indexed < 2; indexed++) {
        check_order(fuzzy(key_of(T(TEXT), "", "invoice")), "5 2 3 1");
        check_order(fuzzy(key_of(T(TEXT), "", "invioce")), "2 5 1");
        check_order(fuzzy(key_of(T(HEADER), "subject", "INVOICE")), "2 5 3");
        check_order(fuzzy(key_of(T(HEADER), "from", "anna exmaple")), "1");
        check_order(fuzzy(key_of(T(BODY), "", "sun sea")), "4");
        check_order(fuzzy(key_of(T(TEXT), "", "elephant")), "");
        check_order(fuzzy(key_of(T(TEXT), "", "?!")), "");
        /* NOT is exact, and has no relevance of its own */
        check_order(fuzzy(parent(T(AND), key_of(T(TEXT), "", "invoice"),
                                 parent(T(NOT), key_of(T(TEXT), "", "invocie"), NULL))),
                    "5 2 1");
        check_order(
            parent(T(AND), fuzzy(key_of(T(TEXT), "", "billling")), key_of(T(HEADER), "subject", "your")),
            "2");
        check_order(parent(T(OR), fuzzy(key_of(T(HEADER), "subject", "hoilday")), key_of(T(BODY), "", "sun")),
                    "4");
        index_all();
    }
}

/* Dates and sizes: near is found too, and less so. */
static void test_near(void **st)
{
    Store__SearchKey *from = key_of(T(INTERNAL_FROM), "", ""), *before = key_of(T(INTERNAL_BEFORE), "", "");

    (void)st;
    open_box();
    for (int days = 0; days < 30; days += 3)
        append("Same", "a@example.org", "same", days); /* UID = days / 3 + 1 */
    from->number = clock_wall_ms() - 16 * INT64_C(86400000);
    before->number = clock_wall_ms() - 14 * INT64_C(86400000);
    check_order(fuzzy(parent(T(AND), from, before)), "6 5 7 4 8");
    check_order(parent(T(AND), from, before), "6");
}

static bool all_there(const struct fuzzy *f, struct str text)
{
    struct fuzzy_tally t = { .phrase = false };

    fuzzy_look(f, text, 1, &t);
    for (unsigned i = 0; i < f->n; i++)
        if (t.like[i] < 1)
            return false;
    return true;
}

/* What the index finds is like the question, and no message that has all its words is missing. */
static void test_index(void **st)
{
    static struct buf texts[MANY + 1];

    (void)st;
    open_box();
    for (uint32_t uid = 1; uid <= MANY; uid++) {
        CLEANUP(buf_release) struct buf text = { .max = KIB(64) };

        for (uint32_t n = 1 + rnd(12); n; n--)
            CHECK(buf_putz(&text, words[rnd(ARRAY_LEN(words))]) == 0 &&
                  buf_putz(&text, rnd(4) ? " " : ", ") == 0);
        append("x", "y@example.org", buf_z(&text), rnd(100));
        texts[uid] = (struct buf){ .max = KIB(64) };
        CHECK(mime_fold_append(buf_str(&text), &texts[uid]) == 0);
        if (uid == MANY - 20)
            index_all();
    }
    for (int round = 0; round < 200; round++) {
        CLEANUP(buf_release) struct buf asked = { .max = KIB(1) }, folded = { .max = KIB(1) };
        Store__SearchResponse out;
        struct fuzzy f;

        for (uint32_t n = 1 + rnd(3); n; n--)
            CHECK(buf_putz(&asked, words[rnd(ARRAY_LEN(words))]) == 0 && buf_putc(&asked, ' ') == 0);
        CHECK(mime_fold_append(buf_str(&asked), &folded) == 0);
        fuzzy_init(&f, buf_str(&folded));
        check_case = buf_z(&asked);
        out = ask(fuzzy(key_of(T(BODY), "", check_case)));
        for (uint32_t uid = 1; uid <= MANY; uid++) {
            struct fuzzy_tally t = { .phrase = false };
            bool found = uidset_has(out.uid_ranges, out.n_uid_ranges, uid);

            fuzzy_look(&f, buf_str(&texts[uid]), 1, &t);
            CHECK(!found || fuzzy_score(&f, &t) > 0);
            CHECK(found || !all_there(&f, buf_str(&texts[uid])));
        }
        arena_reset(&arena);
    }
    check_case = "";
    for (uint32_t uid = 1; uid <= MANY; uid++)
        buf_release(&texts[uid]);
}

/* What is asked for wrongly is refused. */
static void test_refused(void **st)
{
    Store__SearchRequest q = STORE__SEARCH_REQUEST__INIT;
    Store__SearchResponse out = STORE__SEARCH_RESPONSE__INIT;

    (void)st;
    q.folder_id = folder;
    q.key = key_of(T(FUZZY), "", "no child");
    CHECK(mailbox_search(box, &arena, &q, &out) == E_SYNTAX);
    mailbox_close(&box);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_near),
        cmocka_unit_test(test_index),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
