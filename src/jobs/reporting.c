#include "src/jobs/reporting.h"
#include <sodium.h>

void reporting_hash(struct str kind, struct str domain, char hex[2 * REPORTING_HASH_BYTES + 1])
{
    crypto_generichash_state h;
    uint8_t hash[REPORTING_HASH_BYTES];
    struct str host = role_hostname(the_role());

    crypto_generichash_init(&h, NULL, 0, sizeof hash);
    crypto_generichash_update(&h, (const uint8_t *)kind.p, kind.n);
    crypto_generichash_update(&h, (const uint8_t *)host.p, host.n);
    crypto_generichash_update(&h, (const uint8_t *)"\0", 1);
    crypto_generichash_update(&h, (const uint8_t *)domain.p, domain.n);
    crypto_generichash_final(&h, hash, sizeof hash);
    sodium_bin2hex(hex, 2 * sizeof hash + 1, hash, sizeof hash);
}

int reporting_text(const char *what, const char *record, struct str domain, struct buf *out)
{
    return buf_printf(out,
                      "This is a %s for %.*s, made by a program at %.*s.\r\n"
                      "The record %s.%.*s asks for it.\r\n",
                      what, STR_ARG(domain), STR_ARG(role_hostname(the_role())), record, STR_ARG(domain));
}

void reporting_begin(struct reporting *r, struct job *j)
{
    r->job = j;
    r->sent = r->failed = 0;
}

void reporting_another(struct reporting *r)
{
    r->ntargets = r->target = 0;
    r->later = false;
}

void reporting_go_on(struct reporting *r)
{
    if (r->target < r->ntargets)
        r->to_next();
    else
        r->over();
}

void reporting_next(struct reporting *r)
{
    r->target++;
    reporting_go_on(r);
}

void reporting_not_now(struct reporting *r)
{
    r->failed++;
    r->later = true;
    reporting_next(r);
}

void reporting_sent(void *ctx, int status)
{
    struct reporting *r = ctx;

    r->sent += status == 0;
    if (status < 0) {
        log_event(LOG_WARN, r->not_sent, F_ERR(status));
        r->failed++;
        r->later |= error_is_transient(status);
    }
    reporting_next(r);
}
