/* src/jobs/key_jobs.c: things that grow old: the certificate, and the server key. This role is told when each was made, and
 * has neither. */
#include "src/jobs/jobs.h"
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <time.h>

#define DAY_MS    INT64_C(86400000)
#define CERT_DAYS 21
#define KEY_DAYS  400

static int64_t cert_until_ms, key_made_ms;

static int64_t until_of(struct str pem)
{
    BIO *b = pem.n ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
    X509 *x = b ? PEM_read_bio_X509(b, NULL, NULL, NULL) : NULL;
    int64_t ms = 0;
    struct tm t;

    if (x && ASN1_TIME_to_tm(X509_get0_notAfter(x), &t) == 1)
        ms = (clock_days_from_civil(t.tm_year + 1900, (unsigned)t.tm_mon + 1, (unsigned)t.tm_mday) * 86400 +
              t.tm_hour * 3600 + t.tm_min * 60 + t.tm_sec) *
             1000;
    X509_free(x);
    BIO_free(b);
    return ms;
}

void key_jobs_init(struct role *r)
{
    cert_until_ms = until_of(role_credentials(r));
    key_made_ms = role_server_key_ms(r);
    role_credentials_wipe(r);
}

void job_certificate(struct job *j)
{
    CLEANUP(buf_release) struct buf text = { .max = KIB(1) };
    int64_t days = (cert_until_ms - clock_wall_ms()) / DAY_MS;
    char iso[CLOCK_ISO_LEN + 1];
    int r;

    if (!cert_until_ms) {
        job_ended(j, 0, false, STR("there is no certificate"));
        return;
    }
    clock_iso(cert_until_ms, iso);
    r = buf_printf(&text, "the certificate in use is good until %.10s (%lld days)%s", iso, (long long)days,
                   days < CERT_DAYS ? ": renew it, and restart the service" : "");
    job_ended(j, r, days < CERT_DAYS, buf_str(&text));
}

void job_server_key(struct job *j)
{
    CLEANUP(buf_release) struct buf text = { .max = KIB(1) };
    int64_t days = (clock_wall_ms() - key_made_ms) / DAY_MS;
    int r;

    if (!key_made_ms) {
        job_ended(j, 0, false, STR("the server key is in no file: its age is not known here"));
        return;
    }
    r = buf_printf(&text, "the server key is %lld days old%s", (long long)days,
                   days > KEY_DAYS ? ": letterlock server-key rotate makes another one" : "");
    job_ended(j, r, days > KEY_DAYS, buf_str(&text));
}
