/* bench/spam_bench.c: how well the built-in scanner tells spam from ham, and what a letter costs. Learns from
 * one half of a corpus (a fixed shuffle) and judges the other. Prints one JSON object.
 *     spam_bench CORPUS [SEED [-v]] */
#include "lib/base/file.h"
#include "lib/mime/text.h"
#include "lib/mailauth/psl.h"
#include "lib/spam/model.h"
#include "lib/spam/scan.h"
#include "src/store/junk.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LETTERS_MAX 20000u

struct letter {
    char path[1024];
    bool spam, recent, hard;
    uint64_t bytes;
    int rules, points; /* rules alone; with what was learnt */
    double p;
    char names[512];
};

static struct letter *letters;
static size_t nletters;
static struct psl *psl;
static struct spam_model *model;
static double cpu_s;

static double cpu_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void find(const char *root, const char *folder, bool recent)
{
    char dir[700];
    struct dirent *e;
    DIR *d;

    snprintf(dir, sizeof dir, "%s/%s/share", root, folder);
    if (!(d = opendir(dir)))
        return;
    while ((e = readdir(d)) && nletters < LETTERS_MAX) {
        struct letter *l = &letters[nletters];

        if (e->d_name[0] == '.' ||
            (size_t)snprintf(l->path, sizeof l->path, "%s/%s", dir, e->d_name) >= sizeof l->path)
            continue;
        l->recent = recent;
        l->hard = strncmp(e->d_name, "hard", 4) == 0;
        l->spam = recent || strncmp(e->d_name, "spam", 4) == 0;
        nletters++;
    }
    closedir(d);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct letter *)a)->path, ((const struct letter *)b)->path);
}

static void shuffle(uint64_t seed)
{
    uint64_t x = seed;

    qsort(letters, nletters, sizeof *letters, by_path);
    for (size_t i = nletters; i > 1; i--) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        size_t j = (size_t)(x >> 33) % i;
        struct letter t = letters[i - 1];

        letters[i - 1] = letters[j];
        letters[j] = t;
    }
}

/* What storage put before the letter is none of it. */
static struct str without_envelope(struct str s)
{
    ptrdiff_t lf = str_starts(s, STR("From ")) ? str_chr(s, '\n') : -1;

    return lf < 0 ? s : str_skip(s, (size_t)lf + 1);
}

static void look(struct letter *l, bool learn)
{
    CLEANUP(buf_release) struct buf bytes = { .max = MIB(64) }, names = { .max = KIB(4) };
    struct spam_facts facts = { .psl = psl };
    struct spam_evidence ev;
    struct spam_scan *s;
    double began;

    memcpy(facts.key, spam_model_key(model), SPAM_KEY_BYTES);
    if (file_read(AT_FDCWD, l->path, &bytes) < 0)
        return;
    l->bytes = bytes.n;
    began = cpu_now();
    if (!(s = spam_scan_new(&facts)) || spam_scan_feed(s, without_envelope(buf_str(&bytes))) < 0 ||
        spam_scan_finish(s, &ev) < 0) {
        fprintf(stderr, "%s: not scanned\n", l->path);
        exit(1);
    }
    if (learn) {
        spam_model_learn(model, ev.tokens, ev.ntokens, l->spam);
    } else {
        l->rules = spam_score(&ev.hits);
        l->p = spam_model_score(model, ev.tokens, ev.ntokens);
        spam_hit_bayes(&ev.hits, l->p);
        l->points = spam_score(&ev.hits);
        if (spam_names(&ev.hits, &names) == 0)
            snprintf(l->names, sizeof l->names, "%.*s", STR_ARG(buf_str(&names)));
    }
    spam_scan_free(&s);
    cpu_s += cpu_now() - began;
}

struct tally {
    unsigned caught, missed, wronged, spared;
};

static void count(struct tally *t, const struct letter *l, bool called_spam)
{
    *(l->spam ? called_spam ? &t->caught : &t->missed : called_spam ? &t->wronged : &t->spared) += 1;
}

static void print_tally(const char *name, const struct tally *t)
{
    printf(
        "\"%s\": {\"caught\": %u, \"missed\": %u, \"wronged\": %u, \"spared\": %u, \"precision\": %.4f, \"recall\": %.4f}, ",
        name, t->caught, t->missed, t->wronged, t->spared,
        t->caught ? t->caught / (double)(t->caught + t->wronged) : 1.0,
        t->caught / (double)(t->caught + t->missed ? t->caught + t->missed : 1));
}

/* ---- a person's own classifier, in a mailbox in memory ------------------------------------------------ */

struct read_letter {
    struct buf text;
    struct buf id;
};

static int text_put(void *user, struct str text)
{
    struct read_letter *l = user;

    return buf_puts(&l->text, text);
}

static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "spam_bench: %s\n", what);
        exit(1);
    }
}

/* As content makes it of a letter, and as the mailbox keeps it. */
static double person_cpu_s;

static void person_look(struct mailbox *box, const struct letter *l, struct person_letter *out)
{
    CLEANUP(buf_release) struct buf bytes = { .max = MIB(64) };
    CLEANUP(arena_release) struct arena a = { .max = MIB(64) };
    struct read_letter got = { .text = { .max = MIB(64) } };
    struct mime_text *t = calloc(1, sizeof *t);
    struct mime_part *root = NULL;
    uint8_t key[SPAM_KEY_BYTES];
    struct str text;
    double began;

    must(file_read(AT_FDCWD, l->path, &bytes) >= 0 && t && mime_text_init(t, &a, text_put, &got) == 0,
         "letter");
    must(mime_text_feed(t, without_envelope(buf_str(&bytes))) == 0 && mime_text_finish(t, &root) == 0,
         "text");
    text = buf_str(&got.text);
    began = cpu_now();
    must(junk_key(box, key) == 0 &&
             person_read(key, str_slice(text, 0, (size_t)t->header_bytes),
                         str_skip(text, (size_t)t->header_bytes), str_from(l->path), out) == 0,
         "tokens");
    person_cpu_s += cpu_now() - began;
    mime_text_release(t);
    free(t);
    buf_release(&got.text);
}

/* njunk and nham letters of the first half are learnt, the other half is judged. */
static void person(const char *name, size_t njunk, size_t nham, bool verbose)
{
    struct tally t = { 0 }, h = { 0 };
    struct mailbox *box = NULL;
    struct person_letter *l = malloc(sizeof *l);
    size_t judged = nletters - nletters / 2;

    must(l && mailbox_open_memory(&box) == 0 && mailbox_begin(box) == 0, "mailbox");
    for (size_t i = 0; i < nletters / 2 && (njunk || nham); i++) {
        size_t *left = letters[i].spam ? &njunk : &nham;

        if (*left == 0)
            continue;
        (*left)--;
        person_look(box, &letters[i], l);
        must(junk_learn(box, l, letters[i].spam ? JUNK_CLASS_JUNK : JUNK_CLASS_HAM) >= 0, "learn");
    }
    must(mailbox_commit(box) == 0, "commit");
    person_cpu_s = 0;
    for (size_t i = nletters / 2; i < nletters; i++) {
        double p = 0.5, began;

        person_look(box, &letters[i], l);
        began = cpu_now();
        must(junk_score(box, l, &p) >= 0, "score");
        person_cpu_s += cpu_now() - began;
        count(&t, &letters[i], person_verdict(p, l, false) == PERSON_SAYS_JUNK);
        l->scanned = true;
        count(&h, &letters[i], person_verdict(p, l, true) != PERSON_SAYS_HAM);
        if (verbose)
            fprintf(stderr, "%s %s %.2e %.2e %zu %s\n", name,
                    letters[i].spam   ? "spam"
                    : letters[i].hard ? "hard"
                                      : "ham",
                    p, 1 - p, l->n, strrchr(letters[i].path, '/') + 1);
    }
    print_tally(name, &t);
    printf("\"%s_kept\": {\"ham\": %u, \"of\": %u, \"spam\": %u, \"cpu_us\": %.0f}, ", name, h.spared,
           h.spared + h.wronged, h.missed, person_cpu_s * 1e6 / (double)judged);
    free(l);
    mailbox_close(&box);
}

int main(int argc, char **argv)
{
    char file[] = "/tmp/letterlock-spam-XXXXXX";
    static const int thresholds[] = { 400, 600, 1500 };
    struct tally rules = { 0 }, bayes = { 0 }, at[3] = { { 0 } };
    uint64_t bytes = 0;
    bool verbose = argc > 3;
    int fd;

    if (argc < 2 || !(letters = calloc(LETTERS_MAX, sizeof *letters)) || psl_open(NULL, &psl) < 0)
        return 64;
    find(argv[1], "spam-ham-2002", false);
    find(argv[1], "cwl-spam-2020s", true);
    if ((fd = mkstemp(file)) < 0 || unlink(file) < 0 || spam_model_map(fd, &model) < 0)
        return 1;
    shuffle(argc > 2 ? strtoull(argv[2], NULL, 10) : 42);
    for (size_t i = 0; i < nletters / 2; i++)
        look(&letters[i], true);
    cpu_s = 0;
    for (size_t i = nletters / 2; i < nletters; i++) {
        struct letter *l = &letters[i];

        look(l, false);
        bytes += l->bytes;
        count(&rules, l, l->rules >= 600);
        count(&bayes, l, l->p >= 0.99);
        for (size_t j = 0; j < 3; j++)
            count(&at[j], l, l->points >= thresholds[j]);
        if (verbose)
            fprintf(stderr, "%s%s %6.1f %.4f %s %s %.2e\n", l->spam ? "spam" : "ham ",
                    l->recent ? "20"
                    : l->hard ? " H"
                              : "  ",
                    l->points / 100.0, l->p, l->names, strrchr(l->path, 47) + 1, 1 - l->p);
    }
    printf("{\"learnt\": %zu, \"judged\": %zu, ", nletters / 2, nletters - nletters / 2);
    print_tally("rules_alone_at_6", &rules);
    print_tally("words_alone_at_99", &bayes);
    print_tally("header_at_4", &at[0]);
    print_tally("junk_at_6", &at[1]);
    print_tally("reject_at_15", &at[2]);
    person("person", nletters, nletters, verbose);
    person("person_100", 100, 100, verbose);
    person("person_30", 30, 30, verbose);
    person("person_uneven", 200, 30, verbose);
    printf("\"cpu_ms_per_letter\": %.3f, \"cpu_us_per_kib\": %.1f}\n",
           cpu_s * 1e3 / (double)(nletters - nletters / 2), cpu_s * 1e6 / ((double)bytes / 1024));
    return 0;
}
