#include "src/store/arrival.h"
#include "lib/base/errors.h"
#include "lib/base/hex.h"

#define HEAD_OLD 8u                  /* the date alone: INBOX, nothing on it */
#define HEAD_NEW 12u                 /* and then the keywords */
#define MARK     (UINT64_C(1) << 63) /* no date has it */

int arrival_of(const Store__Recipient *m, struct arrival *out)
{
    struct arrival a = { .special_use = (uint8_t)m->special_use, .flags = (uint8_t)(m->flags & 31u) };

    if (m->special_use < 0 || m->special_use > STORE__SPECIAL_USE__USE_IMPORTANT || m->flags > 31u)
        return E_SYNTAX;
    if (m->n_keywords > ARRIVAL_KEYWORDS_MAX)
        return E_LIMIT;
    for (size_t i = 0; i < m->n_keywords; i++) {
        size_t n = strlen(m->keywords[i]) + 1;

        if (a.keywords_bytes + n > ARRIVAL_KEYWORDS_BYTES_MAX)
            return E_LIMIT;
        memcpy(a.keywords + a.keywords_bytes, m->keywords[i], n);
        a.keywords_bytes = (uint8_t)(a.keywords_bytes + n);
        a.nkeywords++;
    }
    *out = a;
    return 0;
}

void arrival_place(const struct arrival *a, char *keywords[ARRIVAL_KEYWORDS_MAX], struct placement *at)
{
    const char *p = a->keywords;

    at->special_use = a->special_use;
    at->flags = a->flags;
    at->keywords = keywords;
    at->nkeywords = a->nkeywords;
    for (size_t i = 0; i < a->nkeywords; i++, p += strlen(p) + 1)
        keywords[i] = (char *)(uintptr_t)p;
}

size_t arrival_head_write(const struct arrival *a, int64_t received_ms, uint8_t out[ARRIVAL_HEAD_MAX])
{
    le64_put(out, (uint64_t)received_ms | MARK);
    out[8] = a->special_use;
    out[9] = a->flags;
    out[10] = a->nkeywords;
    out[11] = a->keywords_bytes;
    memcpy(out + HEAD_NEW, a->keywords, a->keywords_bytes);
    return HEAD_NEW + a->keywords_bytes;
}

int arrival_head_read(struct str in, struct arrival *out, size_t *used_out)
{
    const uint8_t *p = (const uint8_t *)in.p;
    unsigned ends = 0;

    *out = (struct arrival){ 0 };
    *used_out = HEAD_OLD;
    if (in.n < HEAD_OLD)
        return E_CORRUPT;
    if (!(le64_get(p) & MARK))
        return 0;
    if (in.n < HEAD_NEW || in.n < HEAD_NEW + p[11] || p[8] > STORE__SPECIAL_USE__USE_IMPORTANT || p[9] > 31 ||
        p[10] > ARRIVAL_KEYWORDS_MAX || (p[11] && p[HEAD_NEW + p[11] - 1] != 0))
        return E_CORRUPT;
    for (unsigned i = 0; i < p[11]; i++)
        ends += p[HEAD_NEW + i] == 0;
    if (ends != p[10])
        return E_CORRUPT;
    out->special_use = p[8];
    out->flags = p[9];
    out->nkeywords = p[10];
    out->keywords_bytes = p[11];
    memcpy(out->keywords, p + HEAD_NEW, p[11]);
    *used_out = HEAD_NEW + p[11];
    return 0;
}
