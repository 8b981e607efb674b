/* src/ctl/cmd_sending.c: who may send as whom, and how much a day. */
#include "lib/base/errors.h"
#include "proto/directory.pb-c.h"
#include "src/common/report_words.h"
#include "src/ctl/ctl.h"
#include "src/ctl/cmd_sending.h"
#include <jansson.h>
#include <sysexits.h>

static void say_switch(const char *name, bool said, bool on)
{
    printf("  %-12s %s\n", name, !said ? "default" : on ? "yes" : "no");
}

static void say_limit(const char *name, bool said, int64_t n)
{
    if (!said || n < 0)
        printf("  %-12s %s\n", name, said ? "no limit" : "default");
    else
        printf("  %-12s %lld a day\n", name, (long long)n);
}

static json_t *switch_json(bool said, bool on)
{
    return said ? json_boolean(on) : json_null();
}

static json_t *limit_json(bool said, int64_t n)
{
    return !said ? json_null() : n < 0 ? json_string("none") : json_integer(n);
}

static void show(const struct args *a, const Directory__Sending *m)
{
    json_t *j;

    if (!a->json) {
        printf("%s\n", a->words[1]);
        say_switch("as domain", m->has_as_domain, m->as_domain);
        say_switch("copy", m->has_copy, m->copy);
        say_limit("messages", m->has_messages, m->messages);
        say_limit("recipients", m->has_recipients, m->recipients);
        printf("  %-12s %.*s\n", "language", m->language.len ? (int)m->language.len : 7,
               m->language.len ? (const char *)m->language.data : "default");
        return;
    }
    j = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "name", a->words[1], "as_domain",
                  switch_json(m->has_as_domain, m->as_domain), "copy", switch_json(m->has_copy, m->copy),
                  "messages", limit_json(m->has_messages, m->messages), "recipients",
                  limit_json(m->has_recipients, m->recipients), "language",
                  m->language.len ? json_stringn((const char *)m->language.data, m->language.len)
                                  : json_null());
    json_dumpf(j, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(j);
}

/* "yes", "no", "default": the bit of what is to be forgotten. */
static bool take_switch(const char *text, protobuf_c_boolean *has, protobuf_c_boolean *on, uint32_t bit,
                        uint32_t *forget)
{
    if (!text)
        return true;
    *has = strcmp(text, "default") != 0;
    *on = strcmp(text, "yes") == 0;
    *forget |= *has ? 0 : bit;
    return !*has || *on || strcmp(text, "no") == 0;
}

static bool take_limit(const char *text, protobuf_c_boolean *has, int64_t *n, uint32_t bit, uint32_t *forget)
{
    uint64_t v = 0;

    if (!text)
        return true;
    *has = strcmp(text, "default") != 0;
    *forget |= *has ? 0 : bit;
    if (!*has || strcmp(text, "none") == 0) {
        *n = -1;
        return true;
    }
    if (!str_to_u64(str_from(text), &v) || v > INT32_MAX)
        return false;
    *n = (int64_t)v;
    return true;
}

/* What reports are not written in is no setting. */
static bool take_language(const char *text, ProtobufCBinaryData *out, uint32_t bit, uint32_t *forget)
{
    if (!text)
        return true;
    if (strcmp(text, "default") == 0)
        *forget |= bit;
    else
        *out = str_pb(str_from(text));
    return out->len == 0 || (strchr(text, ',') == NULL && report_words_find(str_from(text)));
}

static int no_such_language(void)
{
    CLEANUP(buf_release) struct buf b = { .max = KIB(1) };

    for (size_t i = 0; report_words_at(i); i++)
        if (buf_printf(&b, " %s", report_words_at(i)->tag) < 0)
            break;
    return ctl_fail(EX_USAGE, "sending: reports are written in:%.*s; or default", STR_ARG(buf_str(&b)));
}

int cmd_sending(int argc, char **argv)
{
    Directory__SendingRequest q = DIRECTORY__SENDING_REQUEST__INIT;
    Directory__Sending set = DIRECTORY__SENDING__INIT, *m = NULL;
    const char *as_domain = NULL, *copy = NULL, *messages = NULL, *recipients = NULL, *language = NULL;
    bool account = false, change;
    struct option opts[] = { { "--as-domain", &as_domain, NULL }, { "--copy", &copy, NULL },
                             { "--messages", &messages, NULL },   { "--recipients", &recipients, NULL },
                             { "--language", &language, NULL },   { "--account", NULL, &account } };
    CLEANUP(service_close) struct service *s = NULL;
    struct args a = { .nwords = 0 };
    int r;

    if ((r = args_parse(argc, argv, opts, ARRAY_LEN(opts), 2, &a)) != 0)
        return r;
    change = as_domain || copy || messages || recipients || language;
    if (strcmp(a.words[0], change ? "set" : "show") != 0)
        return ctl_fail(EX_USAGE, "sending: show NAME, or set NAME and what (--help says it)");
    if (!take_switch(as_domain, &set.has_as_domain, &set.as_domain, 1, &q.forget) ||
        !take_switch(copy, &set.has_copy, &set.copy, 2, &q.forget))
        return ctl_fail(EX_USAGE, "sending: yes, no or default");
    if (!take_limit(messages, &set.has_messages, &set.messages, 4, &q.forget) ||
        !take_limit(recipients, &set.has_recipients, &set.recipients, 8, &q.forget))
        return ctl_fail(EX_USAGE, "sending: a number, none or default");
    if (!take_language(language, &set.language, 16, &q.forget))
        return no_such_language();
    if ((r = service_open(&a, &s)) != 0)
        return r;
    q.kind = account                           ? DIRECTORY__LEASE_SCOPE__KIND__ACCOUNT
             : strchr(a.words[1], '@') != NULL ? DIRECTORY__LEASE_SCOPE__KIND__ALIAS
                                               : DIRECTORY__LEASE_SCOPE__KIND__DOMAIN;
    q.name = str_pb(str_from(a.words[1]));
    q.set = &set;
    r = service_ask(s, ROLE_DIRECTORY, DIRECTORY__OP__SENDING_SET, &q.base, &directory__sending__descriptor,
                    &m);
    if (r == E_NOTFOUND)
        return ctl_fail(EX_NOUSER, "%s: no such %s here", a.words[1],
                        account                   ? "account"
                        : strchr(a.words[1], '@') ? "address"
                                                  : "domain");
    if (r < 0)
        return ctl_fail(ctl_exit_code(r), "%s: %s", a.words[1], error_text(r));
    show(&a, m);
    return EX_OK;
}
