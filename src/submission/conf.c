#include "src/submission/conf.h"
#include "src/common/front.h"

#define ROW(k, field, lo, hi, dflt, u, text)                                                       \
    {                                                                                              \
        .key = (k), .type = CONF_U64, .off = offsetof(struct submission_conf, field), .min = (lo), \
        .max = (hi), .def = (dflt), .unit = (u), .help = (text)                                    \
    }
#define MINUTES(n) ((n)*60000u)
#define A_DAY_MAX  100000000u

const struct conf_item submission_conf_items[SUBMISSION_CONF_ITEMS] = {
    ROW("submission.max_message", smtp.max_message_bytes, KIB(64), MIB(1024), MIB(50), "bytes",
        "Largest message accepted; announced as SIZE (RFC 1870)."),
    ROW("submission.max_recipients", smtp.max_recipients, 100, 1000, 100, "recipients",
        "Per message, announced as RCPTMAX (RFC 9422)."),
    ROW("submission.max_total", smtp.max_total_bytes, MIB(64), GIB(1024), GIB(1), "bytes",
        "Message size times recipients; over it the answer is 452, and fewer recipients will do."),
    ROW("submission.max_line", smtp.max_line, 998, 998000, 998, "bytes",
        "Longest line of a message, without CRLF (RFC 5321 4.5.3.1.6)."),
    ROW("submission.max_connections", max_connections, 10, 100000, 2000, "connections",
        "At once. When all are taken, the one that has been idle longest without a message makes room."),
    ROW("submission.max_connections_per_network", max_connections_per_network, 1, 100000, 100, "connections",
        "At once from one network (IPv4 /24, IPv6 /64); more are answered 421."),
    ROW("submission.max_logins", max_logins, 1, 100, 5, "logins",
        "Logins that may fail on one connection before we hang up with 421."),
    ROW("submission.max_errors", smtp.max_errors, 1, 1000, 20, "errors",
        "Commands refused before we hang up with 421."),
    ROW("submission.max_junk", smtp.max_junk, 1, 100000, 100, "commands",
        "Commands that bring no mail (NOOP, RSET, VRFY, HELP, EHLO) between two messages before we hang up."),
    ROW("submission.command_timeout", smtp.command_timeout_ms, 1000, MINUTES(60), MINUTES(5), "ms",
        "Time for the next whole command (RFC 5321 4.5.3.2.7)."),
    ROW("submission.data_timeout", smtp.data_timeout_ms, 1000, MINUTES(60), MINUTES(3), "ms",
        "Time for the next kilobyte of a message (RFC 5321 4.5.3.2.5)."),
    ROW("submission.message_timeout", smtp.message_timeout_ms, MINUTES(1), MINUTES(1440), MINUTES(60), "ms",
        "Time for all bytes of a message."),
    ROW("submission.stall_timeout", stall_timeout_ms, 1000, MINUTES(60), MINUTES(5), "ms",
        "Time that a client may leave our replies unread."),
    ROW("submission.directory_timeout", directory_timeout_ms, 1000, MINUTES(4), 30000, "ms",
        "Time for a look-up in the directory, then 451."),
    ROW("submission.commit_timeout", commit_timeout_ms, 1000, MINUTES(9), MINUTES(4), "ms",
        "Time for storing a message, then 451 (RFC 5321 4.5.3.2.6)."),
    ROW("submission.alias_messages", alias_messages, 0, A_DAY_MAX, 1000, "messages",
        "An address may send so many a day (UTC), then 450 4.7.1; 0: no limit. \"letterlock sending\" says otherwise for "
        "one."),
    ROW("submission.alias_recipients", alias_recipients, 0, A_DAY_MAX, 5000, "recipients",
        "The same, counted by recipients."),
    ROW("submission.domain_messages", domain_messages, 0, A_DAY_MAX, 0, "messages",
        "All addresses of a domain together."),
    ROW("submission.domain_recipients", domain_recipients, 0, A_DAY_MAX, 0, "recipients",
        "The same, counted by recipients."),
    ROW("submission.account_messages", account_messages, 0, A_DAY_MAX, 0, "messages",
        "All domains and addresses of an account together."),
    ROW("submission.account_recipients", account_recipients, 0, A_DAY_MAX, 0, "recipients",
        "The same, counted by recipients."),
    FRONT_PROXY_FROM("submission", struct submission_conf),
    { .key = "submission.show_client",
      .type = CONF_BOOL,
      .off = offsetof(struct submission_conf, show_client),
      .help = "Say in Received from which address somebody sent, and what his computer calls itself." },
};
