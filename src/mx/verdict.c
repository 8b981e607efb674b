#include "src/mx/verdict.h"

/* RFC 5321 6.3: "counting the number of Received: header fields"; why fewer than its 100: doc/smtp.md */
static const struct smtp_reply *check_loop(const struct mx_conf *conf, const struct smtp_message *m)
{
    static const struct smtp_reply loop = { 554, "5.4.6", "Too many hops: this message goes in circles" };

    return m->scan.received >= conf->smtp.max_received ? &loop : NULL;
}

/* RFC 5322 sets no limit; a block this size is made to break whoever reads it. */
static const struct smtp_reply *check_header(const struct mx_conf *conf, const struct smtp_message *m)
{
    static const struct smtp_reply size = { 552, "5.3.4", "Message refused: its header block is too large" },
                                   fields = { 550, "5.6.0", "Message refused: too many header fields" };

    if (conf->max_header_bytes && m->scan.bytes > conf->max_header_bytes)
        return &size;
    return conf->max_fields && m->scan.fields > conf->max_fields ? &fields : NULL;
}

/* RFC 5322 3.6, RFC 9989 5.4.1: whose message is it, when there are two of them? One reader would check one and
 * another would show the other. Other fields that stand there twice are an error of programs, seen in good mail. */
static const struct smtp_reply *check_from(const struct mx_conf *conf UNUSED, const struct smtp_message *m)
{
    static const struct smtp_reply from = { 550, "5.6.0",
                                            "Message refused: more than one From field (RFC 5322 3.6)" };

    return (m->scan.twice & BIT(TRACE_FROM)) && !m->of_ours ? &from : NULL;
}

/* Many copies of a large message: fewer recipients at a time will do. */
static const struct smtp_reply *check_total(const struct mx_conf *conf, const struct smtp_message *m)
{
    static const struct smtp_reply total = { 452, "4.5.3",
                                             "Too much for so many recipients: send fewer at a time" };

    return m->nrcpt && m->bytes > conf->smtp.max_total_bytes / m->nrcpt ? &total : NULL;
}

/* RFC 9989 7.4: mail that lists and forwarders handled is not refused for it (auth.c leaves it out). */
static const struct smtp_reply *check_dmarc(const struct mx_conf *conf, const struct smtp_message *m)
{
    static const struct smtp_reply dmarc = {
        550, "5.7.1",
        "The domain in From wants mail like this refused (DMARC): it is not proved to be its own"
    };

    return conf->dmarc_reject && m->dmarc_reject ? &dmarc : NULL;
}

static const struct mx_check {
    const char *name;
    const struct smtp_reply *(*run)(const struct mx_conf *conf, const struct smtp_message *m);
} checks[] = {
    { "loop", check_loop }, { "total", check_total }, { "header", check_header },
    { "from", check_from }, { "dmarc", check_dmarc },
};

const struct smtp_reply *mx_verdict(const struct mx_conf *conf, const struct smtp_message *m,
                                    const char **name_out)
{
    const struct smtp_reply *no = NULL;

    for (size_t i = 0; i < ARRAY_LEN(checks) && !no; i++) {
        no = checks[i].run(conf, m);
        *name_out = checks[i].name;
    }
    return no;
}
