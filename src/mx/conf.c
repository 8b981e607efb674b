#include "src/mx/conf.h"
#include "src/common/front.h"

#define ROW(k, field, lo, hi, dflt, u, text)                                                            \
    {                                                                                                   \
        .key = (k), .type = CONF_U64, .off = offsetof(struct mx_conf, field), .min = (lo), .max = (hi), \
        .def = (dflt), .unit = (u), .help = (text)                                                      \
    }
#define MINUTES(n) ((n)*60000u)

const struct conf_item mx_conf_items[MX_CONF_ITEMS] = {
    { .key = "mx.listen",
      .type = CONF_ADDRS,
      .off = offsetof(struct mx_conf, listen),
      .sdef = ":25",
      .help = "Where mail comes in: addresses and ports, separated by commas." },
    ROW("mx.max_message", smtp.max_message_bytes, KIB(64), MIB(1024), MIB(50), "bytes",
        "Largest message accepted; announced as SIZE (RFC 1870)."),
    ROW("mx.max_recipients", smtp.max_recipients, 100, 1000, 100, "recipients",
        "Per message, announced as RCPTMAX (RFC 9422). RFC 5321 4.5.3.1.8 asks for at least 100."),
    ROW("mx.max_total", smtp.max_total_bytes, MIB(64), GIB(1024), GIB(1), "bytes",
        "Message size times recipients; over it the answer is 452, and fewer recipients will do."),
    ROW("mx.max_line", smtp.max_line, 998, 998000, 998, "bytes",
        "Longest line of a message, without CRLF. RFC 5321 4.5.3.1.6 allows 998, and IMAP clients rely on it."),
    ROW("mx.max_connections", max_connections, 10, 100000, 2000, "connections",
        "At once. When all are taken, the one that has been idle longest without a message makes room."),
    ROW("mx.max_connections_per_network", max_connections_per_network, 1, 100000, 100, "connections",
        "At once from one network (IPv4 /24, IPv6 /64); more are answered 421."),
    ROW("mx.max_errors", smtp.max_errors, 1, 1000, 20, "errors",
        "Commands refused before we hang up with 421."),
    ROW("mx.max_unknown", smtp.max_unknown, 1, 100000, 100, "recipients",
        "Unknown recipients before we hang up with 421."),
    ROW("mx.max_junk", smtp.max_junk, 1, 100000, 100, "commands",
        "Commands that bring no mail (NOOP, RSET, VRFY, HELP, EHLO) between two messages before we hang up."),
    ROW("mx.max_received", smtp.max_received, 30, 1000, 100, "fields",
        "Received fields that make a message a loop. RFC 5321 6.3 asks for at least 100."),
    ROW("mx.command_timeout", smtp.command_timeout_ms, 1000, MINUTES(60), MINUTES(5), "ms",
        "Time for the next whole command. RFC 5321 4.5.3.2.7 asks for 5 minutes."),
    ROW("mx.data_timeout", smtp.data_timeout_ms, 1000, MINUTES(60), MINUTES(3), "ms",
        "Time for the next kilobyte of a message (RFC 5321 4.5.3.2.5: 3 minutes)."),
    ROW("mx.message_timeout", smtp.message_timeout_ms, MINUTES(1), MINUTES(1440), MINUTES(60), "ms",
        "Time for all bytes of a message."),
    ROW("mx.stall_timeout", stall_timeout_ms, 1000, MINUTES(60), MINUTES(5), "ms",
        "Time that a client may leave our replies unread."),
    ROW("mx.directory_timeout", directory_timeout_ms, 1000, MINUTES(4), 30000, "ms",
        "Time for the look-up of a recipient, then 451; clients wait 5 minutes (RFC 5321 4.5.3.2.3)."),
    ROW("mx.commit_timeout", commit_timeout_ms, 1000, MINUTES(9), MINUTES(4), "ms",
        "Time for storing a message, then 451; clients wait 10 minutes (RFC 5321 4.5.3.2.6)."),
    { .key = "mx.postmaster",
      .type = CONF_STR,
      .off = offsetof(struct mx_conf, smtp.postmaster),
      .max = 254,
      .help =
          "The address that \"RCPT TO:<Postmaster>\" means (RFC 5321 4.5.1). Empty: postmaster@ of the first "
          "domain that has this alias; without any it is an unknown mailbox." },
    { .key = "mx.reverse_name",
      .type = CONF_BOOL,
      .off = offsetof(struct mx_conf, reverse_name),
      .help =
          "Look for the name of every host that connects. One that leads back to its address stands in Received; "
          "nothing is refused for want of one." },
    { .key = "mx.blocklists",
      .type = CONF_STR,
      .off = offsetof(struct mx_conf, blocklists),
      .max = 1024,
      .help =
          "DNS lists of addresses (RFC 5782), a comma list of at most 8, such as zen.spamhaus.org. What a host that one of "
          "them has sends is refused at RCPT with 550, naming the list. Many answer no public resolver: see "
          "resolver.upstreams." },
    { .key = "mx.allowlists",
      .type = CONF_STR,
      .off = offsetof(struct mx_conf, allowlists),
      .max = 1024,
      .help = "DNS lists of addresses that go before mx.blocklists: a host on one of them is not refused." },
    ROW("mx.lookup_timeout", lookup_timeout_ms, 100, 60000, 5000, "ms",
        "Time for finding out about the host that connects, from the connection on; the first RCPT waits for the rest "
        "of it. What is not known by then counts as nothing."),
    FRONT_PROXY_FROM("mx", struct mx_conf),
    { .key = "mx.auth_checks",
      .type = CONF_BOOL,
      .off = offsetof(struct mx_conf, auth_checks),
      .def = 1,
      .help =
          "Check who sent a message (SPF, DKIM, ARC, DMARC), say so in its header, and take forged results out." },
    { .key = "mx.dmarc_reject",
      .type = CONF_BOOL,
      .off = offsetof(struct mx_conf, dmarc_reject),
      .def = 1,
      .help =
          "Refuse (550) what the domain in From wants refused (DMARC, p=reject), but for mail of lists and forwarders." },
    ROW("mx.auth_timeout", smtp.check_timeout_ms, 100, MINUTES(4), 8000, "ms",
        "Time for what is not known about the sender after the last byte; then it is a temporary error, and the "
        "message is taken."),
    { .key = "mx.auth_exempt",
      .type = CONF_NETS,
      .off = offsetof(struct mx_conf, auth_exempt),
      .sdef = "127.0.0.0/8, ::1",
      .help =
          "Clients whose messages are not checked, and keep the results they bring: our own machine, another server of "
          "ours in front." },
};
