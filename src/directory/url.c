#include "src/directory/url.h"
#include "lib/base/errors.h"
#include "src/directory/address.h"
#include "src/directory/recipients.h"
#include <arpa/inet.h>

static bool host_valid(struct arena *a, struct str host, struct str *out)
{
    char z[64];
    uint8_t ip[16];

    if (host.n > 2 && host.n < sizeof z && host.p[0] == '[' && host.p[host.n - 1] == ']') {
        memcpy(z, host.p + 1, host.n - 2);
        z[host.n - 2] = '\0';
        *out = host;
        return inet_pton(AF_INET6, z, ip) == 1;
    }
    return address_domain(a, host, out) == 0;
}

static bool rest_valid(struct str rest)
{
    for (size_t i = 0; i < rest.n; i++)
        if (rest.p[i] <= ' ' || rest.p[i] >= 0x7f || strchr("\"<>\\^`{|}#", rest.p[i]))
            return false;
    return true;
}

int url_clean(struct arena *a, struct str text, bool http, struct str *out)
{
    static const char *const schemes[] = { "http://", "https://" };
    bool secure = str_istarts(text, STR("https://"));
    struct str host, port = STR_NONE, rest, name;
    size_t end = 0, colon;
    uint32_t number;
    bool raw; /* an option for who posts: no server sees what stands behind '#' */
    char *z;

    if (text.n > URL_MAX || (!secure && !str_istarts(text, STR("http://"))))
        return E_SYNTAX;
    if (!secure && !http)
        return E_DENIED;
    if ((raw = str_ends(text, STR("#raw"))))
        text.n -= 4;
    text = str_skip(text, secure ? 8 : 7);
    while (end < text.n && text.p[end] != '/' && text.p[end] != '?')
        end++;
    host = str_slice(text, 0, end);
    rest = str_skip(text, end);
    for (colon = host.n; colon > 0 && ascii_digit(host.p[colon - 1]); colon--)
        ;
    if (colon > 0 && host.p[colon - 1] == ':') {
        port = str_skip(host, colon);
        host.n = colon - 1;
        if (!str_to_u32(port, &number) || number == 0 || number > 65535)
            return E_SYNTAX;
    }
    if (!host_valid(a, host, &name) || !rest_valid(rest))
        return E_SYNTAX;
    z = arena_printf(a, "%s%.*s%s%.*s%s%.*s%s", schemes[secure], STR_ARG(name), port.n ? ":" : "",
                     STR_ARG(port), rest.n == 0 || rest.p[0] == '?' ? "/" : "", STR_ARG(rest),
                     raw ? "#raw" : "");
    if (!z)
        return E_NOMEM;
    *out = str_from(z);
    return 0;
}
