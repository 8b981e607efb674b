/* The person's classifier: what teaches it, that nothing counts twice, and what it says of what comes. */
#include "lib/base/test.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "src/store/check.h"
#include "src/store/junk.h"
#include <stdio.h>

static struct mailbox *box;
static struct arena arena = { .max = MIB(64) };

static int setup(void **state)
{
    (void)state;
    clock_fake(INT64_C(1787000000000));
    return mailbox_open_memory(&box);
}

static int teardown(void **state)
{
    (void)state;
    mailbox_close(&box);
    arena_release(&arena);
    clock_real();
    return 0;
}

/* Where it went. */
static Store__AppendResponse put(const char *header, const char *body, const char *id, struct placement at)
{
    Store__AppendResponse out = STORE__APPEND_RESPONSE__INIT;
    struct bytes_mem msg, text;
    struct bytes_cat whole, all;
    struct email_in e = { .header_bytes = strlen(header) + 2,
                          .structure = STR("structure"),
                          .message_id = str_from(id),
                          .text_header_bytes = strlen(header) };
    char raw[2000];

    snprintf(raw, sizeof raw, "%s\r\n", header);
    at.internal_ms = clock_wall_ms();
    e.message = bytes_cat_init(&whole, str_from(raw), bytes_mem_init(&msg, str_from(body)));
    e.text = bytes_cat_init(&all, str_from(header), bytes_mem_init(&text, str_from(body)));
    CHECK(mailbox_begin(box) == 0);
    CHECK(mailbox_append(box, &e, &at, &out) == 0);
    CHECK(mailbox_commit(box) == 0);
    return out;
}

#define HEADER "from: eve <eve@example.net>\nsubject: hello\n"

static Store__AppendResponse append(const char *folder, const char *body, const char *id)
{
    return put(HEADER, body, id, (struct placement){ .folder = str_from(folder) });
}

static Store__AppendResponse deliver(const char *header, const char *body, const char *id, int special_use)
{
    return put(header, body, id,
               (struct placement){ .folder = STR("INBOX"), .special_use = special_use, .judge = true });
}

static int64_t number(const char *sql)
{
    int64_t n = -1;

    CHECK(db_get_i64(mailbox_db(box), sql, &n) == 0);
    return n;
}

#define JUNK    number("SELECT junk FROM junk_model")
#define HAM     number("SELECT ham FROM junk_model")
#define WAITING number("SELECT count(*) FROM junk_queue")
#define SUMS    number("SELECT coalesce(sum(1000 * junk + ham), 0) FROM junk_token")

static int learn(void)
{
    int all = 0, n;

    do {
        CHECK(mailbox_begin(box) == 0);
        n = mailbox_junk_step(box, 1000);
        CHECK(n >= 0);
        CHECK(mailbox_commit(box) == 0);
        all += n;
    } while (n > 0);
    CHECK(WAITING == 0 && mailbox_junk_waiting(box) == 0);
    return all;
}

static uint64_t folder_id(const char *name)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;

    CHECK(stmt_get(mailbox_db(box), "SELECT id FROM folder WHERE name = ?1", &st) == 0);
    stmt_bind_str(st, 1, str_from(name));
    CHECK(stmt_step(st) > 0);
    return stmt_u64(st, 0);
}

static uint32_t copy(const char *from, uint32_t uid, const char *to, bool move)
{
    Store__CopyRequest q = STORE__COPY_REQUEST__INIT;
    Store__CopyResponse out = STORE__COPY_RESPONSE__INIT;
    uint32_t range[2] = { uid, uid };

    q.folder_id = folder_id(from);
    q.uid_ranges = range;
    q.n_uid_ranges = 2;
    q.to = str_pb(str_from(to));
    q.move = move;
    CHECK(mailbox_begin(box) == 0 && mailbox_copy(box, &arena, &q, &out) == 0 && mailbox_commit(box) == 0);
    CHECK(out.n_to_ranges == 2);
    return out.to_ranges[0];
}

static void store(const char *folder, uint32_t uid, Store__FlagStoreRequest__Mode mode, uint32_t flags,
                  const char *keyword)
{
    Store__FlagStoreRequest q = STORE__FLAG_STORE_REQUEST__INIT;
    Store__FlagStoreResponse out = STORE__FLAG_STORE_RESPONSE__INIT;
    char *names[1] = { (char *)(uintptr_t)keyword };
    uint32_t range[2] = { uid, uid };

    q.folder_id = folder_id(folder);
    q.uid_ranges = range;
    q.n_uid_ranges = 2;
    q.mode = mode;
    q.flags = flags;
    q.keywords = names;
    q.n_keywords = keyword ? 1 : 0;
    CHECK(mailbox_begin(box) == 0 && mailbox_flag_store(box, &arena, &q, &out) == 0 &&
          mailbox_commit(box) == 0);
}

#define ADD    STORE__FLAG_STORE_REQUEST__MODE__ADD
#define REMOVE STORE__FLAG_STORE_REQUEST__MODE__REMOVE
#define SET    STORE__FLAG_STORE_REQUEST__MODE__SET

static void sound(void)
{
    struct check *c = calloc(1, sizeof *c);

    CHECK(c && mailbox_check(box, c, 0) == 0);
    for (size_t i = 0; i < c->n; i++)
        CHECK(strcmp(c->list[i].what, "junk") != 0 && strcmp(c->list[i].what, "foreign keys") != 0);
    free(c);
}

static void test_moves(void **state)
{
    uint32_t uid = append("INBOX", "win a prize today", "<1@x>").uid;
    int64_t sums;

    (void)state;
    CHECK(WAITING == 0); /* what stays says nothing */
    uid = copy("INBOX", uid, "Junk", true);
    CHECK(WAITING == 1 && learn() == 1 && JUNK == 1 && HAM == 0);
    sums = SUMS;
    CHECK(sums > 4000);
    uid = copy("Junk", uid, "INBOX", true); /* flips: what it was is taken back */
    CHECK(learn() == 1 && JUNK == 0 && HAM == 1 && SUMS == sums / 1000);
    copy("INBOX", uid, "Archive", false); /* no opinion */
    CHECK(WAITING == 0);
    uid = copy("INBOX", uid, "Junk", true);
    uid = copy("Junk", uid, "Trash", true); /* thrown away as junk */
    CHECK(learn() == 1 && JUNK == 1 && HAM == 0 && SUMS == sums);
    sound();
}

static void test_once(void **state)
{
    uint32_t uid = append("Junk", "win a prize today", "<1@x>").uid;
    int64_t sums;

    (void)state;
    CHECK(learn() == 1 && JUNK == 1);
    sums = SUMS;
    store("Junk", uid, ADD, 0, "$Junk");
    CHECK(learn() == 1);
    uid = append("Junk", "win a prize today", "<1@x>").uid; /* the same letter, from elsewhere */
    CHECK(learn() == 1 && JUNK == 1 && SUMS == sums);
    copy("Junk", uid, "INBOX", false);
    CHECK(learn() == 1 && JUNK == 0 && HAM == 1);
    append("Junk", "win a prize today", "<2@x>"); /* the same words, another letter */
    CHECK(learn() == 1 && JUNK == 1 && HAM == 1);
    sound();
}

static void test_marks(void **state)
{
    static const struct {
        const char *name, *marks; /* + - put on and take off; = set; j J junk, n N not */
        int junk, ham;
    } cases[] = {
        { "junk", "+j", 1, 0 },
        { "Thunderbird's", "+J", 1, 0 },
        { "ham", "+n", 0, 1 },
        { "Thunderbird's ham", "+N", 0, 1 },
        { "taken back", "+j.-j", 0, 0 },
        { "taken back at once", "+j-j", 0, 0 },
        { "flipped, off first", "+j.-j+n", 0, 1 },
        { "flipped, on first", "+j.+n-j", 0, 1 },
        { "flipped, on first, learnt between", "+j.+n.-j", 0, 1 },
        { "and back", "+J.+N-J.+J-N", 1, 0 },
        { "set", "=j.=n", 0, 1 },
        { "twice", "+j.+j.+J", 1, 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        check_case = cases[i].name;
        uint32_t uid;
        char id[20];

        snprintf(id, sizeof id, "<%zu@x>", i);
        CHECK(db_run(mailbox_db(box), "UPDATE junk_model SET junk = 0, ham = 0") == 0);
        uid = append("INBOX", "some words here", id).uid;
        for (const char *m = cases[i].marks; *m; m++) {
            if (*m == '.') {
                learn();
                continue;
            }
            store("INBOX", uid,
                  m[0] == '+'   ? ADD
                  : m[0] == '-' ? REMOVE
                                : SET,
                  0,
                  m[1] == 'j'   ? "$Junk"
                  : m[1] == 'J' ? "junk"
                  : m[1] == 'n' ? "$NotJunk"
                                : "NonJunk");
            m++;
        }
        learn();
        CHECK(JUNK == cases[i].junk && HAM == cases[i].ham);
    }
}

static void test_answered(void **state)
{
    uint32_t uid = append("INBOX", "lunch on friday?", "<1@x>").uid,
             junk = append("Junk", "a prize", "<2@x>").uid;

    (void)state;
    store("INBOX", uid, ADD, STORE__FLAG__SEEN, NULL);
    CHECK(WAITING == 1);
    store("INBOX", uid, ADD, STORE__FLAG__ANSWERED, NULL);
    store("Junk", junk, ADD, STORE__FLAG__ANSWERED, NULL);
    CHECK(learn() == 2 && JUNK == 1 && HAM == 1);
    uid = copy("INBOX", uid, "Junk", true);
    store("Junk", uid, ADD, STORE__FLAG__FLAGGED, NULL);
    CHECK(learn() == 1 && JUNK == 2 && HAM == 0);
}

/* What waits goes with its letter; what was learnt stays. */
static void test_gone(void **state)
{
    Store__ExpungeRequest q = STORE__EXPUNGE_REQUEST__INIT;
    Store__ExpungeResponse out = STORE__EXPUNGE_RESPONSE__INIT;

    (void)state;
    append("Junk", "one prize", "<1@x>");
    CHECK(learn() == 1);
    append("Junk", "two prizes", "<2@x>");
    q.folder_id = folder_id("Junk");
    q.any = true;
    CHECK(mailbox_begin(box) == 0 && mailbox_expunge(box, &arena, &q, &out) == 0 && mailbox_commit(box) == 0);
    CHECK(WAITING == 0 && JUNK == 1);
    append("Junk", "one prize", "<1@x>");
    CHECK(learn() == 1 && JUNK == 1);
}

static void teach(void)
{
    char body[200], id[40];

    for (unsigned i = 0; i < PERSON_LEAST; i++) {
        snprintf(body, sizeof body, "you have won a lottery prize claim transfer number%u account%u\n", i,
                 i * 7);
        snprintf(id, sizeof id, "<j%u@x>", i);
        append("Junk", body, id);
        snprintf(body, sizeof body, "minutes of the meeting about our garden fence chapter%u page%u\n", i,
                 i * 3);
        snprintf(id, sizeof id, "<h%u@x>", i);
        put(HEADER, body, id,
            (struct placement){
                .folder = STR("INBOX"), .keywords = (char *[]){ (char *)"$NotJunk" }, .nkeywords = 1 });
    }
}

#define BAD    "claim your lottery prize: you have won, transfer to this account\n"
#define MILD   "you have won a prize, claim your account\n"
#define GOOD   "the minutes of our meeting about the garden fence\n"
#define SCORED "x-spam-score: 7.0\n" HEADER
#define HIGH   "x-spam-score: 100.0\n" HEADER

static void test_judged(void **state)
{
    uint64_t inbox = folder_id("INBOX"), junk = folder_id("Junk");
    int use = STORE__SPECIAL_USE__USE_JUNK;

    (void)state;
    teach();
    CHECK(deliver(HEADER, BAD, "<1@y>", 0).folder_id == inbox); /* nothing learnt yet */
    CHECK(number("SELECT count(*) FROM email_junk") == 0);
    CHECK(learn() == 2 * PERSON_LEAST && JUNK == PERSON_LEAST && HAM == PERSON_LEAST);
    CHECK(deliver(HEADER, BAD, "<2@y>", 0).folder_id == junk);
    CHECK(number("SELECT placed FROM email_junk") == 1 && number("SELECT score FROM email_junk") > 999900000);
    CHECK(deliver(HEADER, GOOD, "<3@y>", 0).folder_id == inbox);
    CHECK(deliver(SCORED, GOOD, "<4@y>", use).folder_id == inbox); /* the server would have it in Junk */
    CHECK(deliver(HIGH, GOOD, "<5@y>", use).folder_id == junk);    /* it is too sure */
    CHECK(deliver(HEADER, GOOD, "<6@y>", use).folder_id == junk);  /* it did not say why */
    CHECK(deliver(SCORED, "something else entirely\n", "<7@y>", use).folder_id == junk);
    CHECK(number("SELECT count(*) FROM email_junk") == 6);
    CHECK(learn() == 0);                                     /* what came by itself teaches nothing */
    CHECK(append("INBOX", BAD, "<8@y>").folder_id == inbox); /* the person put it there */
    sound();
}

static void test_written(void **state)
{
    static const char friend[] = "from: ann@example.org\nsubject: hello\n";
    static const char sent[] = "from: me@example.test\nto: ann <ann@example.org>\nsubject: hi\n";
    static const char forged[] = "x-spam-status: no, score=3.0, required=4.0, tests=dmarc_fail\n"
                                 "from: ann@example.org\nsubject: hello\n";

    (void)state;
    teach();
    learn();
    CHECK(deliver(friend, MILD, "<1@y>", 0).folder_id == folder_id("Junk"));
    put(sent, "hello ann\n", "<2@y>", (struct placement){ .special_use = STORE__SPECIAL_USE__USE_SENT });
    CHECK(learn() == 1 && number("SELECT count(*) FROM junk_sender WHERE written = 1") == 1);
    CHECK(deliver(friend, MILD, "<3@y>", 0).folder_id == folder_id("INBOX"));
    CHECK(deliver(forged, MILD, "<4@y>", 0).folder_id == folder_id("Junk"));
    sound();
}

/* Too many words: those of one letter go first, then all count half. */
static void test_room(void **state)
{
    static const char many[] =
        "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) "
        "INSERT INTO junk_token SELECT (1 << 41) + i, 2 + 4 * (i >= 199000), 1 FROM n";
    static const char rare[] =
        "INSERT INTO junk_token SELECT token + 1000000, 1, 0 FROM junk_token LIMIT 500";

    (void)state;
    CHECK(db_run(mailbox_db(box), many) == 0 && db_run(mailbox_db(box), rare) == 0);
    CHECK(db_run(mailbox_db(box), "UPDATE junk_model SET junk = 500, ham = 300, "
                                  "tokens = (SELECT count(*) FROM junk_token)") == 0);
    append("Junk", "one prize", "<1@x>");
    CHECK(learn() == 1 && JUNK == 250 && HAM == 150 && number("SELECT max(junk) FROM junk_token") == 3);
    CHECK(number("SELECT count(*) FROM junk_token") == 200001);
    append("Junk", "two prizes", "<2@x>");
    CHECK(learn() == 1 && JUNK == 251 && HAM == 150);
    CHECK(number("SELECT count(*) FROM junk_token") == 1001 &&
          number("SELECT max(junk) FROM junk_token") == 3);
    sound();
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_moves), T(test_once),   T(test_marks),   T(test_answered),
        T(test_gone),  T(test_judged), T(test_written), T(test_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
