#include "lib/dns/health.h"
#include "lib/base/clock.h"
#include "lib/base/rand.h"

#define UNKNOWN_US 20000u /* what an upstream that was never asked is taken for: worth finding out */
#define FLOOR_US   1000u  /* below that it is all the same */
#define SHARE \
    50         /* the slowest gets one question for so many of the fastest: one slow answer is not for ever */
#define PART 8 /* weight of a new time in the smoothed one, as TCP's (RFC 6298 2) */

static int64_t pause_of(uint32_t failed)
{
    int64_t ms = DNS_BACKOFF_FIRST_MS;

    for (uint32_t i = 1; i < failed && ms < DNS_BACKOFF_MAX_MS; i++)
        ms *= 2;
    return ms < DNS_BACKOFF_MAX_MS ? ms : DNS_BACKOFF_MAX_MS;
}

static uint64_t speed_of(const struct dns_health *h)
{
    uint64_t us = h->took_us ? h->took_us : UNKNOWN_US;

    us = us < FLOOR_US ? FLOOR_US : us;
    return UINT64_C(1000000000000000) / (us * us) + 1;
}

/* What it weighs in the draw; 0: it is not in it. */
static uint64_t weight_of(const struct dns_health *h, bool tried, uint64_t least)
{
    uint64_t speed = speed_of(h);

    return tried || h->failed > 0 ? 0 : speed < least ? least : speed;
}

static int pick_working(const struct dns_health *h, size_t n, uint32_t tried)
{
    uint64_t best = 0, sum = 0, at;

    for (size_t i = 0; i < n; i++) {
        uint64_t w = weight_of(&h[i], tried & BIT(i), 0);
        best = w > best ? w : best;
    }
    for (size_t i = 0; i < n; i++)
        sum += weight_of(&h[i], tried & BIT(i), best / SHARE);
    if (sum == 0)
        return -1;
    at = rand_u64() % sum;
    for (size_t i = 0; i < n; i++) {
        uint64_t w = weight_of(&h[i], tried & BIT(i), best / SHARE);
        if (at < w)
            return (int)i;
        at -= w;
    }
    return -1;
}

static int pick_first_due(const struct dns_health *h, size_t n, uint32_t tried)
{
    int best = -1;

    for (size_t i = 0; i < n; i++)
        if (!(tried & BIT(i)) && h[i].failed > 0 && (best < 0 || h[i].retry_ms < h[best].retry_ms))
            best = (int)i;
    return best;
}

int dns_health_pick(struct dns_health *h, size_t n, uint32_t tried)
{
    int due = pick_first_due(h, n, tried), at = pick_working(h, n, tried);

    if (due >= 0 && (at < 0 || h[due].retry_ms <= clock_mono_ms())) {
        /* this one request finds out; others go on elsewhere meanwhile */
        h[due].retry_ms = clock_mono_ms() + pause_of(h[due].failed);
        return due;
    }
    return at;
}

void dns_health_answered(struct dns_health *h, int64_t took_us)
{
    int64_t t = took_us < 1 ? 1 : took_us > INT32_MAX ? INT32_MAX : took_us;

    h->answers++;
    h->failed = 0;
    h->took_us = (uint32_t)(h->took_us ? ((int64_t)h->took_us * (PART - 1) + t) / PART : t);
    h->took_us = h->took_us ? h->took_us : 1;
    h->answered_ms = clock_mono_ms();
}

void dns_health_failed(struct dns_health *h)
{
    h->failures++;
    h->failed++;
    h->retry_ms = clock_mono_ms() + pause_of(h->failed);
}
