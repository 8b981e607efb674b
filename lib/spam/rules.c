#include "lib/spam/rules.h"

const struct spam_row spam_rows[SPAM_RULES] = {
#define X(name, score, text) { #name, text, score },
    SPAM_RULES_LIST(X)
#undef X
};

#define EXTRA_MAX 10000

void spam_hit(struct spam_hits *h, enum spam_rule r)
{
    if (r < SPAM_RULES)
        h->hit[r] = true;
}

static int extra(const struct spam_hits *h)
{
    return h->extra > EXTRA_MAX ? EXTRA_MAX : h->extra < -EXTRA_MAX ? -EXTRA_MAX : h->extra;
}

int spam_score(const struct spam_hits *h)
{
    int sum = extra(h);

    for (size_t i = 0; i < SPAM_RULES; i++)
        sum += h->hit[i] ? spam_rows[i].score : 0;
    return sum;
}

void spam_hit_bayes(struct spam_hits *h, double p)
{
    static const struct {
        double from;
        enum spam_rule rule;
    } above[] = { { 1 - 1e-6, SPAM_BAYES_SURE },
                  { 0.999, SPAM_BAYES_999 },
                  { 0.99, SPAM_BAYES_99 },
                  { 0.95, SPAM_BAYES_95 },
                  { 0.8, SPAM_BAYES_80 } };

    if (p < 0)
        return;
    for (size_t i = 0; i < ARRAY_LEN(above); i++)
        if (p >= above[i].from) {
            spam_hit(h, above[i].rule);
            return;
        }
    if (p < 0.1)
        spam_hit(h, p < 0.01 ? SPAM_BAYES_00 : SPAM_BAYES_10);
}

static int weight(size_t i)
{
    return spam_rows[i].score < 0 ? -spam_rows[i].score : spam_rows[i].score;
}

int spam_names(const struct spam_hits *h, struct buf *out)
{
    bool named[SPAM_RULES] = { false };
    size_t n = 0;

    for (;; n++) {
        size_t best = SPAM_RULES;
        int r;

        for (size_t i = 0; i < SPAM_RULES; i++)
            if (h->hit[i] && !named[i] && (best == SPAM_RULES || weight(i) > weight(best)))
                best = i;
        if (best == SPAM_RULES)
            return n ? 0 : buf_putz(out, "none");
        named[best] = true;
        if ((r = buf_printf(out, "%s%s", n ? "," : "", spam_rows[best].name)) < 0)
            return r;
    }
}

int spam_points(int hundredths, struct buf *out)
{
    int a = hundredths < 0 ? -hundredths : hundredths;

    return buf_printf(out, "%s%d.%d", hundredths < 0 && a >= 10 ? "-" : "", a / 100, a % 100 / 10);
}

bool spam_points_parse(struct str s, int *out)
{
    struct str whole, rest;
    uint32_t a, b = 0;

    if (str_ieq_z(s, "never")) {
        *out = SPAM_NEVER;
        return true;
    }
    if (str_cut(s, '.', &whole, &rest) && (rest.n < 1 || rest.n > 2 || !str_to_u32(rest, &b)))
        return false;
    if (!str_to_u32(whole, &a) || a > 1000)
        return false;
    *out = (int)(a * 100 + b * (rest.n == 1 ? 10 : 1));
    return true;
}
