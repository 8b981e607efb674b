#include "lib/spam/model.h"
#include "lib/base/rand.h"
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC       UINT64_C(0x31306D7073746C6C) /* "lltspm01" */
#define SETS        65536u
#define WAYS        8u     /* a token lives in one set, at any of its places */
#define LETTERS_MAX 50000u /* of both kinds: then all counts are halved */
#define COUNT_MAX   UINT16_MAX

struct cell {
    uint32_t tag; /* 0: free */
    uint16_t spam, ham;
};

struct file {
    uint64_t magic;
    uint8_t key[SPAM_KEY_BYTES];
    uint64_t spam, ham;
    uint8_t spare[24];
    struct cell cells[SETS][WAYS];
};

struct spam_model {
    struct file *f;
};

int spam_model_map(int fd, struct spam_model **out)
{
    struct spam_model *m = calloc(1, sizeof *m);
    struct stat st;
    bool fresh;
    int r = 0;

    if (!m)
        return E_NOMEM;
    if (fstat(fd, &st) < 0 || (st.st_size == 0 && ftruncate(fd, sizeof(struct file)) < 0))
        r = error_from_errno(errno);
    else if (st.st_size != 0 && st.st_size != (off_t)sizeof(struct file))
        r = E_CORRUPT;
    if (r == 0 &&
        (m->f = mmap(NULL, sizeof(struct file), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)) == MAP_FAILED)
        r = error_from_errno(errno);
    if (r < 0) {
        free(m);
        return r;
    }
    fresh = m->f->magic == 0;
    if (fresh) {
        rand_bytes(m->f->key, sizeof m->f->key);
        m->f->magic = MAGIC; /* last: a file that is not done is begun again */
    }
    if (m->f->magic != MAGIC) {
        spam_model_free(&m);
        return E_CORRUPT;
    }
    *out = m;
    return 0;
}

void spam_model_free(struct spam_model **m)
{
    if (!*m)
        return;
    munmap((*m)->f, sizeof(struct file));
    free(*m);
    *m = NULL;
}

const uint8_t *spam_model_key(const struct spam_model *m)
{
    return m->f->key;
}

void spam_model_counts(const struct spam_model *m, uint64_t *spam_out, uint64_t *ham_out)
{
    *spam_out = m->f->spam;
    *ham_out = m->f->ham;
}

static uint32_t tag_of(uint64_t token)
{
    return (uint32_t)(token >> 32) | 1u;
}

static const struct cell *find(const struct spam_model *m, uint64_t token)
{
    const struct cell *set = m->f->cells[token & (SETS - 1)];

    for (size_t i = 0; i < WAYS; i++)
        if (set[i].tag == tag_of(token))
            return &set[i];
    return NULL;
}

/* Its place, or that of the token that was seen least, which goes. */
static struct cell *place(struct spam_model *m, uint64_t token)
{
    struct cell *set = m->f->cells[token & (SETS - 1)], *least = set;

    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].tag == tag_of(token))
            return &set[i];
        if ((uint32_t)set[i].spam + set[i].ham < (uint32_t)least->spam + least->ham)
            least = &set[i];
    }
    *least = (struct cell){ .tag = tag_of(token) };
    return least;
}

static void halve(struct spam_model *m)
{
    for (size_t i = 0; i < SETS; i++)
        for (size_t j = 0; j < WAYS; j++) {
            struct cell *c = &m->f->cells[i][j];

            c->spam /= 2;
            c->ham /= 2;
            if (c->spam + c->ham == 0)
                c->tag = 0;
        }
    m->f->spam /= 2;
    m->f->ham /= 2;
}

void spam_model_learn(struct spam_model *m, const uint64_t *tokens, size_t n, bool spam)
{
    if (m->f->spam + m->f->ham >= LETTERS_MAX)
        halve(m);
    for (size_t i = 0; i < n; i++) {
        struct cell *c = place(m, tokens[i]);
        uint16_t *count = spam ? &c->spam : &c->ham;

        if (*count < COUNT_MAX)
            (*count)++;
    }
    if (spam)
        m->f->spam++;
    else
        m->f->ham++;
}

double spam_model_score(const struct spam_model *m, const uint64_t *tokens, size_t n)
{
    struct bayes_count counts[SPAM_TOKENS_MAX];

    n = n < SPAM_TOKENS_MAX ? n : SPAM_TOKENS_MAX;
    for (size_t i = 0; i < n; i++) {
        const struct cell *c = find(m, tokens[i]);

        counts[i] = c ? (struct bayes_count){ c->spam, c->ham } : (struct bayes_count){ 0 };
    }
    return bayes_score(counts, n, m->f->spam, m->f->ham, SPAM_MODEL_LEAST);
}
