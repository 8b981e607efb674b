/* Mail that earlier versions stored gets what it lacks, each email in a transaction that may be lost. */
#include "lib/base/errors.h"
#include "lib/mime/collate.h"
#include "lib/mime/text.h"
#include "lib/mime/thread.h"
#include "src/store/lacking.h"
#include "test/upgrade/sample.h"
#include <stdio.h>

#define LISTED_SINCE 9u /* the version whose migration lists what lacks something */

static int nowhere(void *user UNUSED, struct str text UNUSED)
{
    return 0;
}

/* As content says it, but for what is not looked at here. */
static int fill(struct mailbox *box, int64_t id, struct str message)
{
    CLEANUP(buf_release) struct buf subject = { .max = KIB(16) }, key = { .max = KIB(16) };
    CLEANUP(arena_release) struct arena a = { .max = MIB(4) };
    struct email_in e = { .sort = { .subject = STR("") } };
    struct mime_part *root = NULL;
    struct mime_text t;
    bool reply = false;
    int r;

    CHECK(mime_text_init(&t, &a, nowhere, NULL) == 0 && mime_text_feed(&t, message) == 0 &&
          mime_text_finish(&t, &root) == 0);
    if (root->envelope) {
        CHECK(mime_subject_base(root->envelope->subject, &subject, &reply) == 0 &&
              mime_collate(buf_str(&subject), &key) == 0);
        e.sort.subject = buf_str(&key);
        e.sort.reply = reply;
    }
    e.preview = mime_text_preview(&t);
    r = lacking_fill(box, id, &e);
    mime_text_release(&t);
    return r;
}

static int64_t count(struct mailbox *box, const char *sql)
{
    int64_t n = -1;

    CHECK(db_get_i64(mailbox_db(box), sql, &n) == 0);
    return n;
}

/* Returns how many lacked something. */
static int64_t catch_up(struct mailbox *box)
{
    int64_t lacked = count(box, "SELECT count(*) FROM lacking"), done = 0, id, again = 0;
    int r;

    for (bool lost = true;; lost = !lost) {
        CLEANUP(buf_release) struct buf message = { .max = MIB(1) };

        CHECK((r = lacking_next(box, MIB(1), &id, &message)) >= 0);
        if (r == 0)
            break;
        CHECK(message.n > 0 && (lost || id == again));
        CHECK(mailbox_begin(box) == 0 && fill(box, id, buf_str(&message)) >= 0);
        if (lost)
            mailbox_rollback(box); /* as a crash does */
        else
            CHECK(mailbox_commit(box) == 0);
        again = id;
        done += !lost;
    }
    CHECK(done == lacked);
    return lacked;
}

static void test_versions(void **state)
{
    const struct sample *s = &samples[0];

    (void)state;
    while (strcmp(s->name, "mailbox") != 0)
        s++;
    for (size_t v = 1; v < LISTED_SINCE; v++) {
        CLEANUP(buf_release) struct buf text = { .max = MIB(64) };
        struct mailbox_options o = { 0 };
        struct mailbox *box = NULL;
        int64_t lacked;

        if (!dump_read(s, v, &text))
            continue;
        sample_begin();
        dump_load(s->path, buf_str(&text));
        CHECK(mailbox_open(s->path, sample_key, &o, NULL, &box) == 0);
        lacked = catch_up(box);
        print_message("mailbox, version %zu: %lld emails lacked something\n", v, (long long)lacked);
        CHECK(v >= 4 || lacked == count(box, "SELECT count(*) FROM email"));
        CHECK(
            count(
                box,
                "SELECT count(*) FROM email WHERE subject IS NULL AND id NOT IN (SELECT email_id FROM email_sort)") ==
            0);
        CHECK(count(box, "SELECT (SELECT count(*) FROM email_top WHERE preview IS NULL) + "
                         "(SELECT count(*) FROM email_head WHERE preview IS NULL)") == 0);
        CHECK(v >= 4 || count(box, "SELECT count(*) FROM email_sort WHERE subject <> ''") > 0);
        CHECK(catch_up(box) == 0);
        CHECK(mailbox_close(&box) == 0);
        s->check(); /* and it is what it was */
        sample_end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_versions) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
