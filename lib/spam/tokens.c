#include "lib/spam/tokens.h"
#include <sodium.h>

/* Only these fields are words; Received and its like say which server it was, not what it is. */
static const char *const fields[] = { "subject",  "from",       "reply-to",     "sender",  "list-id",
                                      "x-mailer", "user-agent", "content-type", "filename" };

static uint64_t hash(const struct spam_tokens *t, const void *p, size_t n)
{
    uint64_t h;

    crypto_shorthash((unsigned char *)&h, p, n, t->key);
    return h ? h : 1;
}

/* Cheap and good enough for what was hashed under a key already. */
static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t h = (a ^ (b + 0x9E3779B97F4A7C15u + (a << 6) + (a >> 2))) * 0xBF58476D1CE4E5B9u;

    h ^= h >> 29;
    return h ? h : 1;
}

static void add(struct spam_tokens *t, uint64_t h)
{
    size_t i = (size_t)h & (ARRAY_LEN(t->slots) - 1);

    if (t->n == SPAM_TOKENS_MAX)
        return;
    while (t->slots[i] && t->slots[i] != h)
        i = (i + 1) & (ARRAY_LEN(t->slots) - 1);
    if (t->slots[i])
        return;
    t->slots[i] = h;
    t->list[t->n++] = h;
}

void spam_tokens_init(struct spam_tokens *t, const uint8_t key[SPAM_KEY_BYTES])
{
    *t = (struct spam_tokens){ .in_name = true };
    memcpy(t->key, key, SPAM_KEY_BYTES);
}

static void word_end(struct spam_tokens *t)
{
    uint64_t h;

    while (t->nword && (t->word[t->nword - 1] == '-' || t->word[t->nword - 1] == '\''))
        t->nword--;
    if (t->nword < 2 || t->overlong) {
        t->nword = 0;
        t->overlong = false;
        return;
    }
    h = mix(hash(t, t->word, t->nword), t->field);
    t->nword = 0;
    add(t, h);
    for (unsigned i = 0; i < t->nwindow; i++)
        add(t, mix(t->window[i], h + i));
    memmove(t->window + 1, t->window, sizeof t->window - sizeof *t->window);
    t->window[0] = h;
    t->nwindow += t->nwindow < SPAM_WINDOW;
}

static void name_end(struct spam_tokens *t)
{
    t->ignored = true;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (str_eq_z(str_of(t->name, t->nname), fields[i]))
            t->ignored = false;
    t->field = hash(t, t->name, t->nname);
    t->nname = 0;
    t->in_name = false;
    t->nwindow = 0;
}

static bool is_word_byte(unsigned char c, size_t nword)
{
    if (c >= 0x80 || ascii_alpha((char)c) || ascii_digit((char)c) || c == '$')
        return true;
    return nword && (c == '-' || c == '\'');
}

/* Of UTF-8 beyond ASCII: E2 begins punctuation and symbols, which part words; E3 to ED begin the letters of scripts
 * that are written without spaces, where every letter is a word. */
static void word_byte(struct spam_tokens *t, unsigned char c)
{
    if (t->skip) {
        t->skip--;
        return;
    }
    if (c >= 0xE2 && c <= 0xED)
        word_end(t);
    if (c == 0xE2) {
        t->skip = 2;
        return;
    }
    if (!is_word_byte(c, t->nword)) {
        word_end(t);
        return;
    }
    if (t->nword == SPAM_WORD_MAX) {
        t->overlong = true;
        return;
    }
    t->word[t->nword++] = (char)c;
    if (t->nword == 3 && (unsigned char)t->word[0] >= 0xE3 && (unsigned char)t->word[0] <= 0xED)
        word_end(t);
}

static void header_byte(struct spam_tokens *t, unsigned char c)
{
    if (c == '\n') {
        word_end(t);
        t->in_name = true;
        t->nname = 0;
        t->ignored = false;
    } else if (t->in_name && c == ':') {
        name_end(t);
    } else if (t->in_name) {
        if (t->nname < sizeof t->name)
            t->name[t->nname++] = (char)c;
    } else if (!t->ignored) {
        word_byte(t, c);
    }
}

void spam_tokens_feed(struct spam_tokens *t, struct str text)
{
    for (size_t i = 0; i < text.n && t->n < SPAM_TOKENS_MAX; i++)
        if (t->body)
            word_byte(t, (unsigned char)text.p[i]);
        else
            header_byte(t, (unsigned char)text.p[i]);
}

void spam_tokens_body(struct spam_tokens *t)
{
    word_end(t);
    t->body = true;
    t->field = 0;
    t->nwindow = 0;
    t->skip = 0;
}

void spam_tokens_end(struct spam_tokens *t)
{
    word_end(t);
}

void spam_tokens_add(struct spam_tokens *t, const char *kind, struct str value)
{
    add(t, mix(hash(t, value.p, value.n), hash(t, kind, strlen(kind))));
}
