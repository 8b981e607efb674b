/* src/ctl/cmd_resolve.c: who would get mail to an address. */
#include "lib/base/errors.h"
#include "src/ctl/cmd_recipients.h"
#include <sysexits.h>

static const struct {
    Directory__ResolveResponse__Result result;
    const char *name, *text;
} results[] = {
    { DIRECTORY__RESOLVE_RESPONSE__RESULT__NO_DOMAIN, "no-domain", "that domain is not ours" },
    { DIRECTORY__RESOLVE_RESPONSE__RESULT__NO_ALIAS, "no-alias", "nobody takes it" },
    { DIRECTORY__RESOLVE_RESPONSE__RESULT__NOT_READY, "not-ready", "it waits for a first password" },
    { DIRECTORY__RESOLVE_RESPONSE__RESULT__DISABLED, "disabled", "it is disabled" },
    { DIRECTORY__RESOLVE_RESPONSE__RESULT__REFUSED, "refused", "this sender is not let in" },
    { DIRECTORY__RESOLVE_RESPONSE__RESULT__LOOP, "loop",
      "it goes in circles, or through too many addresses" },
};

static void one_json(json_t *list, const char *kind, ProtobufCBinaryData to, ProtobufCBinaryData alias)
{
    json_t *j = json_pack("{s:s, s:s%}", "kind", kind, "to", to.data, to.len);

    if (alias.len)
        json_object_set_new(j, "alias", json_stringn((const char *)alias.data, alias.len));
    json_array_append_new(list, j);
}

static json_t *found_json(const Directory__ResolveResponse *m)
{
    json_t *list = json_array();

    if (m->mailbox_id.len)
        one_json(list, "mailbox", m->address, (ProtobufCBinaryData){ 0 });
    for (size_t i = 0; i < m->n_more; i++)
        one_json(list, "mailbox", m->more[i]->address, (ProtobufCBinaryData){ 0 });
    for (size_t i = 0; i < m->n_forwards; i++)
        one_json(list, m->forwards[i]->kind == DIRECTORY__ALIAS_TARGET__KIND__WEBHOOK ? "webhook" : "address",
                 m->forwards[i]->to, m->forwards[i]->alias);
    return list;
}

static int show(const struct args *a, const Directory__ResolveResponse *m)
{
    const char *name = "ok", *text = NULL;
    json_t *list = found_json(m), *one;
    size_t i;

    for (size_t k = 0; k < ARRAY_LEN(results); k++)
        if (results[k].result == m->result) {
            name = results[k].name;
            text = results[k].text;
        }
    if (a->json) {
        dump(json_pack("{s:s, s:o, s:o}", "result", name, "answer",
                       m->answer ? json_integer(m->answer) : json_null(), "targets", list));
        return text ? EX_NOUSER : EX_OK;
    }
    json_array_foreach(list, i, one)
    {
        json_t *alias = json_object_get(one, "alias");

        printf("%s %s%s%s\n", json_string_value(json_object_get(one, "kind")),
               json_string_value(json_object_get(one, "to")), alias ? " by " : "",
               alias ? json_string_value(alias) : "");
    }
    json_decref(list);
    return text ? ctl_fail(EX_NOUSER, "%s: %s", a->words[0], text) : EX_OK;
}

int cmd_alias_resolve(int argc, char **argv)
{
    Directory__ResolveRequest q = DIRECTORY__RESOLVE_REQUEST__INIT;
    const char *sender = NULL, *peer = NULL;
    struct option opts[] = { { "--sender", &sender, NULL }, { "--peer", &peer, NULL } };
    CLEANUP(service_close) struct service *s = NULL;
    Directory__ResolveResponse *m = NULL;
    struct args a = { .nwords = 0 };
    int r;

    if ((r = args_parse(argc, argv, opts, ARRAY_LEN(opts), 1, &a)) != 0 || (r = service_open(&a, &s)) != 0)
        return r;
    q.address = str_pb(str_from(a.words[0]));
    q.purpose = DIRECTORY__RESOLVE_REQUEST__PURPOSE__DELIVER;
    q.has_sender = sender || peer;
    q.sender = str_pb(str_from(sender ? sender : ""));
    q.peer_ip = str_pb(str_from(peer ? peer : ""));
    r = service_ask(s, ROLE_DIRECTORY, DIRECTORY__OP__RESOLVE, &q.base,
                    &directory__resolve_response__descriptor, &m);
    return r < 0 ? ctl_fail(ctl_exit_code(r), "%s: %s", a.words[0], error_text(r)) : show(&a, m);
}
