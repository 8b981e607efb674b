#include "bench/mail_maker.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const english[] = {
    "the",     "to",     "and",    "of",     "a",       "in",          "you",     "for",     "is",
    "on",      "that",   "we",     "this",   "be",      "with",        "your",    "it",      "are",
    "have",    "as",     "will",   "not",    "from",    "at",          "or",      "our",     "can",
    "if",      "by",     "all",    "please", "an",      "me",          "was",     "but",     "would",
    "they",    "has",    "there",  "my",     "any",     "which",       "so",      "what",    "about",
    "new",     "time",   "one",    "us",     "no",      "do",          "more",    "up",      "meeting",
    "out",     "know",   "let",    "been",   "their",   "other",       "when",    "get",     "thanks",
    "message", "need",   "were",   "should", "he",      "some",        "like",    "just",    "also",
    "had",     "how",    "who",    "than",   "may",     "call",        "after",   "regards", "email",
    "work",    "next",   "week",   "today",  "contact", "information", "project", "report",  "invoice",
    "account", "order",  "team",   "could",  "see",     "into",        "only",    "them",    "please",
    "best",    "change", "number",
};
/* A syllable is an onset, a vowel and a coda; what stands first is the most frequent. */
static const char *const onsets[][28] = {
    { "",  "t",  "s",  "c",  "r", "p",  "m",  "d",  "l",  "b",  "f",  "n", "h",  "w",
      "g", "st", "pr", "tr", "v", "sh", "ch", "br", "gr", "fl", "th", "j", "qu", "cl" },
    { "",  "ge", "b", "s", "h", "sch", "v",  "w",  "f",  "d",  "st", "k",   "g",    "n",
      "r", "m",  "t", "l", "z", "tr",  "kr", "pf", "br", "gr", "fl", "spr", "schl", "str" },
    { "",   "c", "p",  "d",  "m",  "t",  "r",  "l",  "s",  "v",  "n", "f", "b",  "g",
      "qu", "j", "ch", "pr", "tr", "pl", "br", "cr", "gr", "fl", "ç", "h", "bl", "vr" },
    { "",   "п",  "в", "с", "н", "т", "к", "р", "д",  "м",  "л", "з",  "б",  "г",
      "пр", "ст", "ч", "ж", "х", "ш", "ф", "ц", "тр", "кр", "щ", "гр", "бл", "сп" },
};
static const char *const vowels[][10] = {
    { "e", "a", "i", "o", "u", "ea", "ou", "io", "ai", "y" },
    { "e", "a", "i", "u", "o", "ei", "ü", "au", "ö", "ä" },
    { "e", "a", "i", "o", "é", "u", "ou", "è", "eau", "oi" },
    { "о", "а", "е", "и", "у", "я", "ы", "ю", "ё", "э" },
};
static const char *const codas[][14] = {
    { "", "n", "r", "s", "t", "l", "ng", "d", "m", "nt", "ck", "st", "c", "x" },
    { "", "n", "r", "t", "s", "ch", "l", "ng", "st", "m", "ss", "tz", "cht", "ß" },
    { "", "r", "s", "n", "nt", "l", "t", "x", "m", "lle", "tte", "que", "c", "sse" },
    { "", "н", "т", "й", "р", "с", "л", "в", "м", "ть", "ст", "к", "х", "ш" },
};
static const char *const japanese[] = {
    "日", "本", "語", "会", "議", "報", "告", "電",     "話",   "明",   "年",         "月",
    "社", "員", "時", "間", "お", "願", "い", "します", "です", "ます", "ありがとう", "ください",
    "東", "京", "大", "学", "生", "先", "新", "聞",     "車",   "駅",   "前",         "後",
    "金", "額", "請", "求", "書", "確", "認", "送",     "付",   "件",   "名",         "返",
    "信", "予", "定", "変", "更", "連", "絡", "担",     "当",   "者",
};
static const char *const names[] = {
    "Anna",  "Boris", "Chloe", "Deniz",  "Emil",  "Farah", "Grace", "Hiro", "Ines",
    "Jonas", "Kofi",  "Lena",  "Mateo",  "Nadia", "Olga",  "Pavel", "Qing", "Rosa",
    "Sven",  "Tara",  "Uma",   "Viktor", "Wanda", "Xaver", "Yuki",  "Zoe",
};

uint32_t mail_rnd(struct mail_maker *m, uint32_t below)
{
    m->state = m->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((m->state >> 33) % below);
}

void mail_maker_init(struct mail_maker *m, uint64_t seed)
{
    double sum = 0;

    m->state = seed;
    m->zipf = malloc(MAIL_WORDS * sizeof *m->zipf);
    if (!m->zipf)
        abort();
    for (unsigned i = 0; i < MAIL_WORDS; i++)
        m->zipf[i] = sum += 1.0 / pow(i + 2.7, 1.05);
}

void mail_maker_release(struct mail_maker *m)
{
    free(m->zipf);
}

unsigned mail_rank(struct mail_maker *m)
{
    double x = mail_rnd(m, 1u << 30) / (double)(1u << 30) * m->zipf[MAIL_WORDS - 1];
    unsigned lo = 0, hi = MAIL_WORDS - 1;

    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;

        if (m->zipf[mid] < x)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Of n, small numbers more often. */
static size_t pick(uint64_t *h, size_t n)
{
    uint64_t x = *h = *h * UINT64_C(0xD6E8FEB86659FD93) + 12345;
    size_t a = (size_t)(x >> 40) % n, b = (size_t)(x >> 20) % n;

    return a < b ? a : b;
}

void mail_word(unsigned language, unsigned rank, char out[64])
{
    uint64_t h = (rank + 1) * UINT64_C(0x9E3779B97F4A7C15) + language;
    unsigned n = rank > 3000 ? 3 : rank > 30 ? 2 : 1; /* syllables */
    size_t at = 0;

    if (language == 0 && rank < ARRAY_LEN(english)) {
        snprintf(out, 64, "%s", english[rank]);
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        if (language == 4) {
            at += (size_t)snprintf(out + at, 64 - at, "%s", japanese[pick(&h, ARRAY_LEN(japanese))]);
            continue;
        }
        at += (size_t)snprintf(out + at, 64 - at, "%s", onsets[language][pick(&h, 28)]);
        at += (size_t)snprintf(out + at, 64 - at, "%s", vowels[language][pick(&h, 10)]);
        at += (size_t)snprintf(out + at, 64 - at, "%s", codas[language][pick(&h, 14)]);
    }
}

static void put(struct buf *b, const char *z)
{
    if (buf_putz(b, z) < 0)
        abort();
}

#define PUTF(b, ...)                          \
    do {                                      \
        if (buf_printf((b), __VA_ARGS__) < 0) \
            abort();                          \
    } while (0)

/* Lines of words, wrapped as people's clients do. */
static void words(struct mail_maker *m, unsigned language, uint32_t n, const char *prefix, const char *end,
                  struct buf *b)
{
    size_t line = b->n;
    char w[64];

    put(b, prefix);
    for (uint32_t i = 0; i < n; i++) {
        mail_word(mail_rnd(m, 12) ? language : 0, mail_rank(m), w);
        if (b->n - line > 68) {
            put(b, end);
            line = b->n;
            put(b, prefix);
        }
        put(b, w);
        put(b, language == 4 ? "" : i + 1 == n ? "." : mail_rnd(m, 14) ? " " : mail_rnd(m, 2) ? ", " : ". ");
    }
    put(b, end);
}

static void person(uint64_t n, char out[128])
{
    uint64_t h = n * UINT64_C(0x9E3779B97F4A7C15);
    char last[64];

    mail_word((unsigned)(h >> 60) % 3, 200 + (unsigned)(h >> 20) % 900, last);
    snprintf(out, 128, "%s %s <%s%u@company%u.example>", names[(h >> 8) % ARRAY_LEN(names)], last,
             names[(h >> 8) % ARRAY_LEN(names)], (unsigned)(n % 97), (unsigned)(h >> 33) % 300);
}

static void header(struct mail_maker *m, uint64_t n, unsigned language, struct buf *b)
{
    uint64_t thread = mail_rnd(m, 3) ? n / 7 : n;
    char from[128], to[128];

    person(mail_rank(m), from);
    person(mail_rank(m), to);
    PUTF(b, "Return-Path: <bounce-%u@company%u.example>\r\n", mail_rnd(m, 1000000), mail_rnd(m, 300));
    for (uint32_t i = 1 + mail_rnd(m, 3); i; i--)
        PUTF(
            b,
            "Received: from mx%u.company%u.example (mx%u.company%u.example [192.0.2.%u])\r\n\tby in.example.org with ESMTPS id %08x%08x;\r\n\tMon, 2 Mar 2026 10:%02u:%02u +0000\r\n",
            mail_rnd(m, 9), mail_rnd(m, 300), mail_rnd(m, 9), mail_rnd(m, 300), mail_rnd(m, 255),
            mail_rnd(m, 1u << 31), mail_rnd(m, 1u << 31), mail_rnd(m, 60), mail_rnd(m, 60));
    put(b, "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=k1;\r\n\tb=");
    for (int i = 0; i < 40; i++)
        PUTF(b, "%08x", mail_rnd(m, 1u << 31));
    PUTF(
        b,
        "\r\nMessage-ID: <%llu.mail@company.example>\r\nFrom: %s\r\nTo: %s\r\nDate: Mon, 2 Mar 2026 10:00:00 +0000\r\n",
        (unsigned long long)n, from, to);
    if (thread != n)
        PUTF(b, "In-Reply-To: <%llu.mail@company.example>\r\nReferences: <%llu.mail@company.example>\r\n",
             (unsigned long long)thread * 7, (unsigned long long)thread * 7);
    if (mail_rnd(m, 5) == 0)
        PUTF(b, "List-Id: <list%u.lists.example>\r\n", mail_rnd(m, 40));
    words(m, language, 3 + mail_rnd(m, 5), thread != n ? "Subject: Re: " : "Subject: ", "\r\n ", b);
    b->n -= 1; /* the space that would go on */
    put(b, "MIME-Version: 1.0\r\n");
}

void mail_make(struct mail_maker *m, uint64_t n, struct buf *out)
{
    static const uint32_t sizes[] = { 30, 60, 90, 120, 150, 200, 260, 400, 700, 1500 };
    unsigned language;
    uint32_t length;

    m->state = (n + 1) * UINT64_C(0x9E3779B97F4A7C15);
    language = mail_rnd(m, 10) < 6 ? 0 : 1 + mail_rnd(m, MAIL_LANGUAGES - 1);
    length = sizes[mail_rnd(m, ARRAY_LEN(sizes))];
    buf_clear(out);
    header(m, n, language, out);
    put(out, "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n");
    words(m, language, length / 2 + mail_rnd(m, length), "", "\r\n", out);
    if (mail_rnd(m, 3) == 0)
        words(m, language, length / 2, "> ", "\r\n", out);
    PUTF(out, "\r\n-- \r\nref%08llx\r\n", (unsigned long long)(n * UINT64_C(2654435761) & 0xffffffff));
}
