/* bench/many_aliases.c: aliases with a mailbox and a generated password each, over one connection, many at once:
 * what `alias add` and `alias password` do, without two processes for each. Prints "ADDRESS PASSWORD" lines.
 *     many_aliases CONFIG PREFIX COUNT      PREFIX0@example.test, PREFIX1@example.test, ... */
#include "lib/base/errors.h"
#include "proto/directory.pb-c.h"
#include "proto/store.pb-c.h"
#include "src/ctl/ctl.h"
#include <stdlib.h>

#define AT_ONCE 16u

struct one {
    struct service_call *call;
    char address[128];
};

static void must(int r, const char *what)
{
    if (r >= 0)
        return;
    fprintf(stderr, "%s: %s\n", what, error_text(r));
    exit(1);
}

static void begin(struct service *s, struct one *o, const char *prefix, uint32_t n)
{
    Directory__AliasRequest q = DIRECTORY__ALIAS_REQUEST__INIT;
    Store__KeyAddRequest k = STORE__KEY_ADD_REQUEST__INIT;
    Directory__Alias *m = NULL;

    snprintf(o->address, sizeof o->address, "%s%u@example.test", prefix, n);
    q.address = str_pb(str_from(o->address));
    must(service_ask(s, ROLE_DIRECTORY, DIRECTORY__OP__ALIAS_ADD, &q.base, &directory__alias__descriptor, &m),
         o->address);
    k.alias_id = m->alias_id;
    k.name = (char *)(uintptr_t) "";
    must(service_begin(s, ROLE_STORE, STORE__OP__KEY_ADD, &k.base, NULL, NULL, &o->call), o->address);
}

static void end(struct one *o)
{
    Store__KeyAddResponse *m = NULL;

    if (!o->call)
        return;
    must(service_end(&o->call, &store__key_add_response__descriptor, &m), o->address);
    printf("%s %.*s\n", o->address, (int)m->password.len, (const char *)m->password.data);
}

int main(int argc, char **argv)
{
    struct args a = { .config = argc > 1 ? argv[1] : NULL };
    struct one one[AT_ONCE] = { 0 };
    struct service *s = NULL;
    uint32_t n = 0;

    if (argc != 4 || !str_to_u32(str_from(argv[3]), &n)) {
        fprintf(stderr, "usage: many_aliases CONFIG PREFIX COUNT\n");
        return 64;
    }
    if (service_open(&a, &s) != 0)
        return 1;
    service_patience(s, 600000);
    for (uint32_t i = 0; i < n; i++) {
        end(&one[i % AT_ONCE]);
        if (i % AT_ONCE == 0)
            service_forget(s);
        begin(s, &one[i % AT_ONCE], argv[2], i);
    }
    for (size_t i = 0; i < AT_ONCE; i++)
        end(&one[(n + i) % AT_ONCE]);
    service_close(&s);
    return 0;
}
