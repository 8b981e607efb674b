#include "src/pop3/conf.h"
#include "src/common/front.h"

#define ROW(k, field, lo, hi, dflt, u, text)                                                              \
    {                                                                                                     \
        .key = (k), .type = CONF_U64, .off = offsetof(struct pop3_conf, field), .min = (lo), .max = (hi), \
        .def = (dflt), .unit = (u), .help = (text)                                                        \
    }

const struct conf_item pop3_conf_items[POP3_CONF_ITEMS] = {
    ROW("pop3.max_connections", max_connections, 10, 1000000, 5000, "connections",
        "Connections at once, of one POP3 process."),
    ROW("pop3.max_connections_per_network", max_connections_per_network, 1, 1000000, 200, "connections",
        "At once from one network (IPv4 /24, IPv6 /64), of one POP3 process. Connections from this machine are not "
        "counted."),
    ROW("pop3.login_timeout", login_timeout_ms, 1000, 600000, 60000, "ms",
        "Time for all of the login before we hang up."),
    ROW("pop3.idle_timeout", idle_timeout_ms, 600000, 86400000, 600000, "ms",
        "Silence after login before we hang up, without deleting anything. RFC 1939 3 asks for 10 minutes at "
        "least."),
    ROW("pop3.max_messages", max_messages, 1000, 10000000, 1000000, "messages",
        "Largest INBOX that is listed; a larger one is refused at login, never shown in part."),
    ROW("pop3.login_delay", login_delay_ms, 0, 86400000, 0, "ms",
        "Least time between two logins of one mailbox over POP3 (RFC 2449 6.5, LOGIN-DELAY). 0: none."),
    FRONT_PROXY_FROM("pop3", struct pop3_conf),
    { .key = "pop3.delete",
      .type = CONF_ENUM,
      .off = offsetof(struct pop3_conf, delete_to),
      .sdef = "forever",
      .choices = "forever|trash",
      .help = "What DELE does at QUIT: forever removes the message, trash moves it to the folder for that." },
};
