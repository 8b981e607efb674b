#include "src/mx/conf.h"
#include "src/common/front.h"
#include "src/common/server_conf.h"

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
    ROW("mx.max_received", smtp.max_received, 10, 1000, 25, "fields",
        "Received fields that make a message a loop. RFC 5321 6.3 suggests 100; real mail passes through a dozen at most, and "
        "every round of a loop costs two servers a copy."),
    ROW("mx.max_header", max_header_bytes, KIB(16), MIB(16), KIB(256), "bytes",
        "Largest header block of a message; a larger one is refused with 552."),
    ROW("mx.max_fields", max_fields, 100, 100000, 4000, "fields",
        "Fields of a header block; more are refused with 550."),
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
    { .key = "mx.dmarc_reports",
      .type = CONF_BOOL,
      .off = offsetof(struct mx_conf, dmarc_reports),
      .help = MX_DMARC_REPORTS_HELP },
    { .key = "mx.dmarc_report_from",
      .type = CONF_STR,
      .off = offsetof(struct mx_conf, dmarc_report_from),
      .max = 254,
      .help = MX_DMARC_REPORT_FROM_HELP },
    ROW("mx.dmarc_report_interval", dmarc_interval_ms, 1000, UINT64_C(86400000), UINT64_C(86400000), "ms",
        "What a report is about: such a stretch of time, counted from midnight UTC. RFC 9990 expects a day."),
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
    { .key = "mx.lmtp_socket",
      .type = CONF_PATH,
      .off = offsetof(struct mx_conf, lmtp_socket),
      .help = MX_LMTP_SOCKET_HELP },
    { .key = "mx.lmtp_checks",
      .type = CONF_BOOL,
      .off = offsetof(struct mx_conf, lmtp_checks),
      .help =
          "Check who sent what comes by LMTP, too (mx.auth_checks). SPF needs to be told the client's address with "
          "XCLIENT." },
    { .key = "mx.trusted",
      .type = CONF_NETS,
      .off = offsetof(struct mx_conf, trusted),
      .sdef = "127.0.0.0/8, ::1",
      .help = "Clients of ours: no rate, delay, greylisting, list or check of names holds for them." },
    ROW("mx.network_bits_v4", network_bits_v4, 8, 32, 24, "bits",
        "Rates and greylisting see IPv4 networks of this size, not single addresses."),
    ROW("mx.network_bits_v6", network_bits_v6, 16, 128, 56, "bits",
        "The same for IPv6, where a customer has a /56."),
    ROW("mx.connection_rate", connection_rate, 0, 1000000, 300, "connections",
        "Of one network within a minute; more are answered 421. 0: no limit. Counted in each of mx.workers by "
        "itself, like all rates."),
    ROW("mx.recipient_rate", recipient_rate, 0, 10000000, 10000, "recipients",
        "Of one network within an hour; more are answered 450. 0: no limit."),
    ROW("mx.sender_rate", sender_rate, 0, 10000000, 0, "messages",
        "Under one domain in MAIL FROM within an hour; more are answered 450. 0: no limit, which is the default "
        "since anybody can use up what is another's by writing his domain."),
    ROW("mx.greet_delay", greet_delay_ms, 0, 60000, 1000, "ms",
        "Time until the greeting. Who speaks before it (RFC 5321 4.3.1: a client waits) is refused with 554; programs "
        "that send junk are in a hurry."),
    ROW("mx.error_delay", error_delay_ms, 0, 60000, 1000, "ms",
        "After three errors or unknown recipients of a connection every further one costs this time."),
    { .key = "mx.helo_check",
      .type = CONF_ENUM,
      .off = offsetof(struct mx_conf, helo_check),
      .sdef = "own",
      .choices = "off|note|own|syntax|resolve",
      .help =
          "What a client may call itself in EHLO, each value with what stands before it: note refuses nobody; own "
          "refuses our own name and address; syntax what is neither a domain nor an address literal; resolve names that "
          "have no address in the DNS. RFC 5321 4.1.4 forbids refusing for a name that does not match the client, which "
          "is never done." },
    { .key = "mx.sender_check",
      .type = CONF_ENUM,
      .off = offsetof(struct mx_conf, sender_check),
      .sdef = "known",
      .choices = "off|note|known|strict",
      .help =
          "The domain in MAIL FROM: known refuses with 550 what the DNS says does not exist or takes no mail (RFC 7505), "
          "and accepts when the DNS says nothing; strict answers 450 then, so that no mail comes in while names cannot "
          "be looked up; note refuses nothing." },
    { .key = "mx.greylist",
      .type = CONF_BOOL,
      .off = offsetof(struct mx_conf, greylist),
      .help =
          "Ask strangers (a network, a sender and a domain of ours that have not met) to come again with 450. Off unless "
          "set: it delays first letters, such as a code one waits for, by minutes; and what is remembered is in "
          "memory, so a restart delays all once more." },
    ROW("mx.greylist_delay", greylist_delay_ms, 0, MINUTES(1440), MINUTES(5), "ms",
        "How long a stranger has to wait until he is taken."),
    ROW("mx.greylist_window", greylist_window_ms, MINUTES(10), MINUTES(1440 * 10), MINUTES(1440 * 2), "ms",
        "A first attempt is forgotten after this time."),
    ROW("mx.greylist_keep", greylist_keep_ms, MINUTES(60), UINT64_C(86400000) * 365, UINT64_C(86400000) * 36,
        "ms",
        "Who came again is known for so long from his last message on; 36 days, so that monthly letters pass."),
    { .key = "mx.greylist_known",
      .type = CONF_STR,
      .off = offsetof(struct mx_conf, greylist_known),
      .max = 1024,
      .help =
          "Domains that are known from the start, a comma list of at most 8: hosts whose verified name (mx.reverse_name) "
          "lies in one, and senders of one that SPF or DKIM proves." },
    { .key = "mx.xclient_from",
      .type = CONF_NETS,
      .off = offsetof(struct mx_conf, xclient_from),
      .help =
          "Hosts that may say with XCLIENT for whom they speak: a mail server in front of this one, or its tests. It is "
          "offered to nobody else." },
    { .key = "mx.spam",
      .type = CONF_BOOL,
      .off = offsetof(struct mx_conf, spam),
      .def = 1,
      .help = "Look at what comes in for spam, and say in its header what was found (doc/spam.md)." },
    { .key = "mx.spam_exempt",
      .type = CONF_NETS,
      .off = offsetof(struct mx_conf, spam_exempt),
      .sdef = "127.0.0.0/8, ::1",
      .help =
          "Clients whose messages are not looked at for spam, and keep what they say of it: our own machine, another "
          "server of ours in front." },
    { .key = "mx.spam_header",
      .type = CONF_STR,
      .off = offsetof(struct mx_conf, spam_header),
      .sdef = "4",
      .max = 8,
      .help =
          "The score from which on X-Spam-Status says Yes, for domains and addresses that set none of their own: "
          "points such as 4.5, or never." },
    { .key = "mx.spam_junk",
      .type = CONF_STR,
      .off = offsetof(struct mx_conf, spam_junk),
      .sdef = "6",
      .max = 8,
      .help = "The score from which on a message goes to the Junk folder." },
    { .key = "mx.spam_reject",
      .type = CONF_STR,
      .off = offsetof(struct mx_conf, spam_reject),
      .sdef = "15",
      .max = 8,
      .help =
          "The score from which on a message is refused (550), when all its recipients would; else it goes to the "
          "Junk folder of those who would. High on purpose: what is refused is lost to whoever wanted it." },
    { .key = "mx.spam_url_lists",
      .type = CONF_STR,
      .off = offsetof(struct mx_conf, spam_url_lists),
      .max = 1024,
      .help =
          "DNS lists of bad host names (RFC 5782 2.3), a comma list of at most 8: the hosts that a message links to "
          "are looked for in them. They hear which hosts letters name." },
    { .key = "mx.spam_traps",
      .type = CONF_STR,
      .off = offsetof(struct mx_conf, spam_traps),
      .max = 4000,
      .help =
          "Addresses that only spammers know, a comma list: the classifier learns from what comes to one. They "
          "should be aliases that are disabled and answer 250." },
    ROW("mx.spam_scan_max", spam_scan_bytes, KIB(64), MIB(1024), MIB(8), "bytes",
        "So much of a message is looked at for spam."),
    ROW("mx.spam_timeout", spam_timeout_ms, 100, MINUTES(4), 5000, "ms",
        "How long the scanner may hold a message up; then it is taken without, and its header says so."),
    { .key = "mx.clamav",
      .type = CONF_STR,
      .off = offsetof(struct mx_conf, clamav),
      .max = 120,
      .help = FILTER_CLAMAV_HELP },
    { .key = "mx.clamav_action",
      .type = CONF_ENUM,
      .off = offsetof(struct mx_conf, clamav_action),
      .sdef = "reject",
      .choices = "reject|junk|note",
      .help =
          "What becomes of a message that ClamAV finds something in: refused with 550, the Junk folder, or only "
          "said in its header." },
    { .key = "mx.rspamd",
      .type = CONF_STR,
      .off = offsetof(struct mx_conf, rspamd),
      .max = 120,
      .help = FILTER_RSPAMD_HELP },
    ROW("mx.rspamd_weight", rspamd_weight, 0, 1000, 100, "percent",
        "How much of rspamd's score is added to ours. 0: it is asked, and logged, and counts for nothing."),
    ROW("mx.filter_max", filter_bytes, KIB(64), MIB(1024), MIB(20), "bytes",
        "So much of a message is shown to ClamAV and rspamd; clamd's StreamMaxLength must not be less."),
    ROW("mx.filter_timeout", filter_timeout_ms, 100, MINUTES(4), 6000, "ms",
        "How long ClamAV or rspamd may take no byte, or owe the answer after the last; then the message is taken "
        "without. mx.auth_timeout bounds it, too."),
};
