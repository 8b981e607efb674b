/* bench/search_bench.c: SEARCH in a mailbox of mail that looks real, on its own file and reader, without
 * the service around it. Prints one JSON object.
 *     search_bench FOLDER MESSAGES [ROUNDS [CASE]] */
#include "bench/mail_maker.h"
#include "lib/base/clock.h"
#include "lib/db/db.h"
#include "lib/mime/structure.h"
#include "lib/mime/text.h"
#include "src/store/index.h"
#include "src/store/search.h"
#include "src/store/searchset.h"
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define T(name) STORE__SEARCH_KEY__TYPE__##name
#define DAY_MS  INT64_C(86400000)

static const uint8_t key[DB_KEY_BYTES] = { 1, 2, 3, 4 };
static struct mail_maker maker;
static uint64_t messages, folder;
static struct mailbox *box, *reader, *helper;

static void must(int r, const char *what)
{
    if (r < 0) {
        fprintf(stderr, "%s: %s\n", what, error_text(r));
        exit(1);
    }
}

static double seconds(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- filling ---------------------------------------------------------------------------------- */

#define RING             64u    /* messages that one thread makes ahead of the other */
#define LARGE            20000u /* from so many on the mailbox is set up, not measured: see index_many */
#define MAKING_CACHE_KIB 65536u
#define CASE_SECONDS     6.0 /* a case ends after so long, once it ran CASE_LEAST times */
#define CASE_LEAST       5u

/* A message, parsed and compressed, on its way to the mailbox. */
struct made {
    struct buf message, text, structure;
    struct bytes_mem msg, mem;
    struct email_in e;
    struct email_ready ready;
};

static struct {
    struct made slot[RING];
    uint64_t made, taken;
    pthread_mutex_t lock;
    pthread_cond_t changed;
} ring = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static int take(void *user, struct str text)
{
    return buf_puts(user, text);
}

static uint64_t raw_bytes, text_bytes;

static void make_one(uint64_t n, struct made *m)
{
    struct arena a = { .max = MIB(8) };
    struct mime_part *root;
    struct mime_text t;

    m->message.max = m->text.max = m->structure.max = MIB(4);
    m->e = (struct email_in){ .message_id = STR_NONE };
    mail_make(&maker, n, &m->message);
    buf_clear(&m->text);
    must(mime_text_init(&t, &a, take, &m->text), "text");
    must(mime_text_feed(&t, buf_str(&m->message)), "text");
    must(mime_text_finish(&t, &root), "text");
    buf_clear(&m->structure);
    must(mime_structure_pack(root, &a, &m->structure), "structure");
    m->e.structure = buf_str(&m->structure);
    m->e.message = bytes_mem_init(&m->msg, buf_str(&m->message));
    m->e.text = bytes_mem_init(&m->mem, buf_str(&m->text));
    m->e.header_bytes = root->body_start;
    m->e.text_header_bytes = t.header_bytes;
    mime_text_release(&t);
    arena_release(&a);
    raw_bytes += m->message.n;
    text_bytes += m->text.n;
    must(email_prepare(&m->e, &m->ready), "prepare");
    m->e.ready = &m->ready;
}

static void *make_all(void *unused)
{
    for (uint64_t n = 0; n < messages; n++) {
        pthread_mutex_lock(&ring.lock);
        while (ring.made - ring.taken == RING)
            pthread_cond_wait(&ring.changed, &ring.lock);
        pthread_mutex_unlock(&ring.lock);
        make_one(n, &ring.slot[n % RING]);
        pthread_mutex_lock(&ring.lock);
        ring.made++;
        pthread_cond_signal(&ring.changed);
        pthread_mutex_unlock(&ring.lock);
    }
    return unused;
}

static void append(uint64_t n)
{
    Store__AppendResponse out = STORE__APPEND_RESPONSE__INIT;
    struct made *m = &ring.slot[n % RING];
    struct placement at = { .folder = STR("INBOX"),
                            .flags = n % 9 ? STORE__FLAG__SEEN : 0,
                            .internal_ms = INT64_C(1600000000000) + (int64_t)n * 600000 };

    pthread_mutex_lock(&ring.lock);
    while (ring.made == n)
        pthread_cond_wait(&ring.changed, &ring.lock);
    pthread_mutex_unlock(&ring.lock);
    must(mailbox_append(box, &m->e, &at, &out), "append");
    email_ready_release(&m->ready);
    pthread_mutex_lock(&ring.lock);
    ring.taken++;
    pthread_cond_signal(&ring.changed);
    pthread_mutex_unlock(&ring.lock);
    folder = out.folder_id;
}

static void fill(const char *path)
{
    struct mailbox_options o = { .flags = MAILBOX_CREATE, .cache_kib = MAKING_CACHE_KIB };
    struct mailbox_meta meta = { .generation = 1 };
    pthread_t thread;

    must(mailbox_open(path, key, &o, &meta, &box), "create");
    if (pthread_create(&thread, NULL, make_all, NULL) != 0)
        exit(1);
    for (uint64_t n = 0; n < messages;) {
        must(mailbox_begin(box), "begin");
        for (uint64_t end = n + 2000; n < end && n < messages; n++)
            append(n);
        must(mailbox_commit(box), "commit");
        must(db_checkpoint(mailbox_db(box), DB_PASSIVE, NULL), "checkpoint");
    }
    pthread_join(thread, NULL);
    for (size_t i = 0; i < RING; i++) {
        buf_release(&ring.slot[i].message);
        buf_release(&ring.slot[i].text);
        buf_release(&ring.slot[i].structure);
    }
}

/* 1: the file of an earlier run is there (to look at one case with a profiler). */
static bool open_old(const char *path)
{
    struct mailbox_options o = { .cache_kib = 4096 };
    int64_t id = 0;

    if (mailbox_open(path, key, &o, NULL, &box) < 0)
        return false;
    must(db_get_i64(mailbox_db(box), "SELECT id FROM folder WHERE name = 'INBOX'", &id), "folder");
    folder = (uint64_t)id;
    return true;
}

static int64_t pages_of(struct mailbox *b)
{
    int64_t n = 0;

    must(db_get_i64(mailbox_db(b), "PRAGMA page_count", &n), "pages");
    return n;
}

/* As the service does it, 50 letters a commit. */
static void index_few(void)
{
    int r = 1;

    for (int i = 0; r > 0; i++) {
        must(mailbox_begin(box), "begin");
        must(r = mailbox_index_step(box, 100000), "index");
        must(mailbox_commit(box), "commit");
        if (i % 40 == 0)
            must(db_checkpoint(mailbox_db(box), DB_PASSIVE, NULL), "checkpoint");
    }
}

static void tune(const char *const sql[3])
{
    must(mailbox_begin(box), "begin");
    for (int i = 0; i < 3; i++)
        must(db_run(mailbox_db(box), sql[i]), "tune the index");
    must(mailbox_commit(box), "commit");
}

/* 10,000 letters a commit, each of them one segment that is written once: FTS5's merging is most of what an index
 * costs. What comes of it has about as many segments to look into as one that grew. */
static void index_many(void)
{
    static const char *const bulk[] = {
        "INSERT INTO search_index (search_index, rank) VALUES ('hashsize', 268435456)",
        "INSERT INTO search_index (search_index, rank) VALUES ('automerge', 0)",
        "INSERT INTO search_index (search_index, rank) VALUES ('crisismerge', 1000)",
    };
    static const char *const usual[] = {
        "INSERT INTO search_index (search_index, rank) VALUES ('hashsize', 1048576)",
        "INSERT INTO search_index (search_index, rank) VALUES ('automerge', 4)",
        "INSERT INTO search_index (search_index, rank) VALUES ('crisismerge', 16)",
    };
    int r = 1;

    tune(bulk);
    while (r > 0) {
        must(mailbox_begin(box), "begin");
        for (int k = 0; k < 200 && r > 0; k++)
            must(r = mailbox_index_step(box, 100000), "index");
        must(mailbox_commit(box), "commit");
        must(db_checkpoint(mailbox_db(box), DB_PASSIVE, NULL), "checkpoint");
    }
    tune(usual);
}

/* CPU seconds. */
static double index_all(void)
{
    double from = seconds(CLOCK_PROCESS_CPUTIME_ID);

    if (messages < LARGE)
        index_few();
    else
        index_many();
    must(db_checkpoint(mailbox_db(box), DB_TRUNCATE, NULL), "checkpoint");
    return seconds(CLOCK_PROCESS_CPUTIME_ID) - from;
}

/* ---- questions -------------------------------------------------------------------------------- */

static struct arena arena = { .max = MIB(256) };

static Store__SearchKey *key_of(Store__SearchKey__Type type, const char *name, const char *text,
                                int64_t number)
{
    Store__SearchKey *k = ARENA_NEW(&arena, Store__SearchKey);

    store__search_key__init(k);
    k->type = type;
    k->number = number;
    k->name = str_pb(arena_dup(&arena, str_from(name ? name : "")));
    k->text = str_pb(arena_dup(&arena, str_from(text ? text : "")));
    return k;
}

static Store__SearchKey *tree(Store__SearchKey__Type type, Store__SearchKey *a, Store__SearchKey *b)
{
    Store__SearchKey *k = key_of(type, NULL, NULL, 0);

    k->children = ARENA_ARRAY(&arena, 2, Store__SearchKey *);
    k->children[0] = a;
    k->children[1] = b;
    k->n_children = b ? 2 : 1;
    return k;
}

static Store__SearchKey *text_key(const char *text)
{
    return key_of(T(TEXT), NULL, text, 0);
}

static Store__SearchKey *q_rare(void)
{
    char w[64];

    snprintf(w, sizeof w, "ref%08llx",
             (unsigned long long)(mail_rnd(&maker, (uint32_t)messages) * UINT64_C(2654435761) & 0xffffffff));
    return text_key(w);
}

static Store__SearchKey *q_rare_word(void)
{
    char w[64];

    mail_word(mail_rnd(&maker, 4), 20000 + mail_rnd(&maker, 20000), w);
    return text_key(w);
}

static Store__SearchKey *q_common(void)
{
    static const char *const common[] = { "there",  "with", "this", "your", "that",
                                          "please", "have", "will", "from", "would" };

    return text_key(common[mail_rnd(&maker, ARRAY_LEN(common))]);
}

static Store__SearchKey *q_common_body(void)
{
    Store__SearchKey *k = q_common();

    k->type = T(BODY);
    return k;
}

static Store__SearchKey *q_three(void)
{
    static const char *const common[] = { "the", "and", "you", "for", "ing", "ion", "our" };

    return text_key(common[mail_rnd(&maker, ARRAY_LEN(common))]);
}

static Store__SearchKey *q_phrase(void)
{
    CLEANUP(buf_release) struct buf b = { .max = MIB(4) };
    struct str s;
    char z[64] = "";

    mail_make(&maker, mail_rnd(&maker, (uint32_t)messages), &b);
    s = str_skip(buf_str(&b), (size_t)str_find(buf_str(&b), STR("8bit\r\n\r\n")) + 8);
    s = str_slice(s, 0, 24 + mail_rnd(&maker, 20));
    while (s.n && ((unsigned char)s.p[s.n - 1] & 0x80))
        s.n--;
    snprintf(z, sizeof z, "%.*s", STR_ARG(s));
    return text_key(z);
}

static Store__SearchKey *q_inside(void)
{
    char w[64];

    mail_word(0, 3000 + mail_rnd(&maker, 10000), w);
    w[strlen(w) - 1] = '\0';
    return text_key(w + 2);
}

static Store__SearchKey *q_two(void)
{
    char w[3] = { (char)('a' + mail_rnd(&maker, 26)), (char)('a' + mail_rnd(&maker, 26)), 0 };

    return text_key(w);
}

static Store__SearchKey *q_two_body(void)
{
    Store__SearchKey *k = q_two();

    k->type = T(BODY);
    return k;
}

static Store__SearchKey *q_one(void)
{
    char w[2] = { (char)('a' + mail_rnd(&maker, 26)), 0 };

    return text_key(w);
}

static Store__SearchKey *q_cjk(void)
{
    static const char *const two[] = { "会議", "日本", "電話", "報告", "社員", "時間", "明年" };

    return text_key(two[mail_rnd(&maker, ARRAY_LEN(two))]);
}

static Store__SearchKey *q_not_rare(void)
{
    return tree(T(NOT), q_rare(), NULL);
}

static Store__SearchKey *q_not_common(void)
{
    return tree(T(NOT), q_common(), NULL);
}

static Store__SearchKey *q_and(void)
{
    return tree(T(AND), q_common(),
                tree(T(AND), q_common(), tree(T(NOT), key_of(T(FLAGS_SET), 0, 0, STORE__FLAG__SEEN), NULL)));
}

static Store__SearchKey *q_from(void)
{
    static const char *const names[] = { "Anna", "company17.", "Viktor", "Kofi", "Yuki" };

    return key_of(T(HEADER), "from", names[mail_rnd(&maker, ARRAY_LEN(names))], 0);
}

static Store__SearchKey *q_list(void)
{
    char w[64];

    snprintf(w, sizeof w, "list%u.lists", mail_rnd(&maker, 40));
    return key_of(T(HEADER), "list-id", w, 0);
}

static Store__SearchKey *q_subject(void)
{
    char w[64];

    mail_word(0, 100 + mail_rnd(&maker, 2000), w);
    return key_of(T(HEADER), "subject", w, 0);
}

static Store__SearchKey *q_dates(void)
{
    int64_t from = INT64_C(1600000000000) + (int64_t)mail_rnd(&maker, (uint32_t)messages) * 600000;

    return tree(T(AND), key_of(T(INTERNAL_FROM), 0, 0, from),
                key_of(T(INTERNAL_BEFORE), 0, 0, from + 7 * DAY_MS));
}

static Store__SearchKey *q_dates_text(void)
{
    return tree(T(AND), q_dates(), q_common());
}

static Store__SearchKey *q_unseen(void)
{
    return tree(T(NOT), key_of(T(FLAGS_SET), 0, 0, STORE__FLAG__SEEN), NULL);
}

static Store__SearchKey *q_regex(void)
{
    return key_of(T(REGEX), "text", "ref[0-9a-f]{7}0$", 0);
}

static Store__SearchKey *q_regex_bad(void)
{
    return key_of(T(REGEX), "text", "^(a+)+$", 0);
}

static Store__SearchKey *q_regex_subject(void)
{
    return key_of(T(REGEX), "subject", "meeting|invoice", 0);
}

/* A letter too many, or two in each other's place: three words, one of them wrong. */
static Store__SearchKey *q_fuzzy(void)
{
    char w[64], z[256];
    size_t n;

    mail_word(0, 500 + mail_rnd(&maker, 5000), w);
    if ((n = strlen(w)) > 4) {
        char c = w[2];

        w[2] = w[3];
        w[3] = c;
    }
    snprintf(z, sizeof z, "please %s", w);
    return tree(T(FUZZY), text_key(z), NULL);
}

static Store__SearchKey *q_fuzzy_subject(void)
{
    Store__SearchKey *k = tree(T(FUZZY), q_subject(), NULL);

    return k;
}

static const struct {
    const char *name;
    Store__SearchKey *(*make)(void);
    unsigned rounds;
} cases[] = {
    { "rare string", q_rare, 200 },
    { "rare word", q_rare_word, 200 },
    { "common word", q_common, 20 },
    { "common word in bodies", q_common_body, 20 },
    { "three letters", q_three, 20 },
    { "phrase", q_phrase, 60 },
    { "inside a word", q_inside, 60 },
    { "two letters", q_two, 20 },
    { "two letters in bodies", q_two_body, 10 },
    { "one letter", q_one, 8 },
    { "two CJK characters", q_cjk, 20 },
    { "NOT rare", q_not_rare, 30 },
    { "NOT common", q_not_common, 10 },
    { "common, common, unseen", q_and, 20 },
    { "From", q_from, 20 },
    { "List-Id", q_list, 20 },
    { "Subject", q_subject, 20 },
    { "a week", q_dates, 60 },
    { "a week, common word", q_dates_text, 60 },
    { "unseen", q_unseen, 60 },
    { "regular expression", q_regex, 10 },
    { "^(a+)+$", q_regex_bad, 10 },
    { "expression in Subject", q_regex_subject, 10 },
    { "fuzzy, two words", q_fuzzy, 10 },
    { "fuzzy Subject", q_fuzzy_subject, 20 },
};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

struct figures {
    double wall[256], cpu[256], slice, found, decided;
};

static void *help(void *p)
{
    int r;

    do
        must(r = search_help(p, helper, 20), "help");
    while (r > 0);
    return NULL;
}

static void ask(Store__SearchKey *k, struct figures *f, unsigned i)
{
    Store__SearchRequest q = STORE__SEARCH_REQUEST__INIT;
    Store__SearchResponse out = STORE__SEARCH_RESPONSE__INIT;
    struct search *s = NULL;
    bool helped = false;
    pthread_t thread;
    double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), last = wall, t;
    int r;

    q.folder_id = folder;
    q.key = k;
    q.relevance = k->type == T(FUZZY);
    must(search_new(&q, &s), "search");
    do {
        must(r = search_step(s, reader, 20), "search");
        t = seconds(CLOCK_MONOTONIC);
        f->slice = t - last > f->slice ? t - last : f->slice;
        last = t;
        if (r > 0 && !helped && search_left(s) >= SEARCH_HELP_TEXTS)
            helped = pthread_create(&thread, NULL, help, s) == 0;
    } while (r > 0);
    if (helped)
        pthread_join(thread, NULL);
    must(search_answer(s, reader, &arena, &out), "answer");
    f->wall[i] = (seconds(CLOCK_MONOTONIC) - wall) * 1e3;
    f->cpu[i] = (seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) * 1e3;
    f->found += (double)uidset_count(out.uid_ranges, out.n_uid_ranges);
    f->decided += (double)search_decided(s);
    search_free(&s);
    arena_reset(&arena);
}

/* So much or less in 99 of 100. */
static double p99(const double *sorted, unsigned n)
{
    return sorted[(n * 99 + 99) / 100 - 1];
}

static void run_case(size_t c, unsigned rounds, bool last)
{
    struct figures f = { .slice = 0 };
    unsigned most = rounds && rounds < cases[c].rounds ? rounds : cases[c].rounds, n = 0;
    double from = seconds(CLOCK_MONOTONIC);

    for (; n < most && (n < CASE_LEAST || seconds(CLOCK_MONOTONIC) - from < CASE_SECONDS); n++)
        ask(cases[c].make(), &f, n);
    qsort(f.wall, n, sizeof f.wall[0], by_value);
    qsort(f.cpu, n, sizeof f.cpu[0], by_value);
    printf("  { \"name\": \"%s\", \"n\": %u, \"p50_ms\": %.2f, \"p99_ms\": %.2f, \"cpu_p50_ms\": %.2f, "
           "\"cpu_p99_ms\": %.2f, \"slice_ms\": %.1f, \"found\": %.0f, \"looked_at\": %.0f }%s\n",
           cases[c].name, n, f.wall[n / 2], p99(f.wall, n), f.cpu[n / 2], p99(f.cpu, n), f.slice * 1e3,
           f.found / n, f.decided / n, last ? "" : ",");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    char path[4096];
    struct mailbox_options o = { .flags = MAILBOX_READER, .cache_kib = 1024 };
    unsigned rounds = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 0;
    int64_t before, after;
    double cpu, from = seconds(CLOCK_MONOTONIC);

    if (argc < 3) {
        fprintf(stderr, "usage: search_bench FOLDER MESSAGES [ROUNDS [CASE]]\n");
        return 64;
    }
    messages = strtoull(argv[2], NULL, 10);
    snprintf(path, sizeof path, "%s/search-%llu.sqlite", argv[1], (unsigned long long)messages);
    mail_maker_init(&maker, 1);
    must(db_init(), "db");
    if (!open_old(path))
        fill(path);
    before = pages_of(box);
    cpu = index_all();
    after = pages_of(box);
    must(mailbox_open(path, key, &o, NULL, &reader), "open");
    must(mailbox_open(path, key, &o, NULL, &helper), "open");
    fprintf(stderr, "made in %.0f s (%.0f s of processor, %.0f of them the index)\n",
            seconds(CLOCK_MONOTONIC) - from, seconds(CLOCK_PROCESS_CPUTIME_ID), cpu);
    printf(
        "{ \"messages\": %llu, \"raw_mb\": %.1f, \"text_mb\": %.1f, \"file_mb\": %.1f, \"index_mb\": %.1f, "
        "\"index_share\": %.2f, \"index_cpu_ms\": %.3f, \"cases\": [\n",
        (unsigned long long)messages, (double)raw_bytes / 1e6, (double)text_bytes / 1e6,
        (double)after * 4096 / 1e6, (double)(after - before) * 4096 / 1e6,
        (double)(after - before) * 4096 / (double)text_bytes, cpu * 1e3 / (double)messages);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (argc < 5 || strcmp(argv[4], cases[i].name) == 0)
            run_case(i, rounds, argc > 4 || i + 1 == ARRAY_LEN(cases));
    printf("] }\n");
    mailbox_close(&reader);
    mailbox_close(&helper);
    mailbox_close(&box);
    mail_maker_release(&maker);
    return 0;
}
