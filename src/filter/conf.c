#include "src/filter/conf.h"
#include "lib/base/errors.h"
#include "src/common/server_conf.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/un.h>

#define AT(f) offsetof(struct filter_conf, f)

const struct conf_item filter_conf_items[FILTER_CONF_ITEMS] = {
    { "mx.clamav", CONF_STR, AT(clamav), .max = 120, .help = FILTER_CLAMAV_HELP },
    { "mx.rspamd", CONF_STR, AT(rspamd), .max = 120, .help = FILTER_RSPAMD_HELP },
    { "mx.filter_timeout", CONF_U64, AT(timeout_ms), 100, 240000, 6000, .unit = "ms",
      .help = "As the mx's row says." },
};

static int unix_endpoint(struct str path, struct dial_addr *out)
{
    struct sockaddr_un *un = (struct sockaddr_un *)(void *)&out->sa;

    if (path.n >= sizeof un->sun_path || memchr(path.p, '\0', path.n))
        return E_SYNTAX;
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path.p, path.n);
    out->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.n + 1);
    return 0;
}

int filter_endpoint(struct str text, struct dial_addr *out)
{
    struct sockaddr_in *in4 = (struct sockaddr_in *)(void *)&out->sa;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)&out->sa;
    char host[INET6_ADDRSTRLEN + 1];
    struct str t = text;
    uint32_t port;
    ptrdiff_t colon;

    *out = (struct dial_addr){ .len = 0 };
    if (t.n && t.p[0] == '/')
        return unix_endpoint(t, out);
    if (str_istarts(t, STR("http://")))
        t = str_skip(t, 7);
    if (t.n && t.p[t.n - 1] == '/')
        t.n--;
    colon = str_rchr(t, ':');
    if (colon < 1 || !str_to_u32(str_skip(t, (size_t)colon + 1), &port) || port == 0 || port > 65535)
        return E_SYNTAX;
    t = str_slice(t, 0, (size_t)colon);
    if (t.n > 2 && t.p[0] == '[' && t.p[t.n - 1] == ']')
        t = str_slice(t, 1, t.n - 1);
    if (t.n >= sizeof host)
        return E_SYNTAX;
    snprintf(host, sizeof host, "%.*s", STR_ARG(t));
    if (inet_pton(AF_INET, host, &in4->sin_addr) == 1) {
        in4->sin_family = AF_INET;
        in4->sin_port = htons((uint16_t)port);
        out->len = sizeof *in4;
        return 0;
    }
    if (inet_pton(AF_INET6, host, &in6->sin6_addr) != 1)
        return E_SYNTAX;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons((uint16_t)port);
    out->len = sizeof *in6;
    return 0;
}
