#include "src/mx/verdict.h"

/* RFC 5321 6.3: "counting the number of Received: header fields ... 100" */
static const struct smtp_reply *check_loop(const struct mx_conf *conf, const struct mx_message *m)
{
    static const struct smtp_reply loop = { 554, "5.4.6", "Too many hops: this message goes in circles" };

    return m->scan.received >= conf->smtp.max_received ? &loop : NULL;
}

/* Many copies of a large message: fewer recipients at a time will do. */
static const struct smtp_reply *check_total(const struct mx_conf *conf, const struct mx_message *m)
{
    static const struct smtp_reply total = { 452, "4.5.3",
                                             "Too much for so many recipients: send fewer at a time" };

    return m->nrcpt && m->bytes > conf->smtp.max_total_bytes / m->nrcpt ? &total : NULL;
}

/* RFC 9989 7.4: mail that lists and forwarders handled is not refused for it (auth.c leaves it out). */
static const struct smtp_reply *check_dmarc(const struct mx_conf *conf, const struct mx_message *m)
{
    static const struct smtp_reply dmarc = {
        550, "5.7.1",
        "The domain in From wants mail like this refused (DMARC): it is not proved to be its own"
    };

    return conf->dmarc_reject && m->dmarc_reject ? &dmarc : NULL;
}

static const struct mx_check {
    const char *name;
    const struct smtp_reply *(*run)(const struct mx_conf *conf, const struct mx_message *m);
} checks[] = {
    { "loop", check_loop },
    { "total", check_total },
    { "dmarc", check_dmarc },
};

const struct smtp_reply *mx_verdict(const struct mx_conf *conf, const struct mx_message *m,
                                    const char **name_out)
{
    const struct smtp_reply *no = NULL;

    for (size_t i = 0; i < ARRAY_LEN(checks) && !no; i++) {
        no = checks[i].run(conf, m);
        *name_out = checks[i].name;
    }
    return no;
}
