/* src/ctl/cmd_recipients.c: where mail to an address goes, and who may write to it. */
#include "src/ctl/cmd_recipients.h"
#include "lib/base/errors.h"
#include "src/ctl/cmd_backup.h"
#include <sysexits.h>

static const char *const kinds[] = { "mailbox", "address", "webhook" };

static const char *kind_name(int kind)
{
    return kind >= 0 && (size_t)kind < ARRAY_LEN(kinds) ? kinds[kind] : "?";
}

json_t *targets_json(const Directory__Alias *m)
{
    json_t *list = json_array();

    if (!m->no_mailbox && (m->mailbox_id.len || !m->n_targets))
        json_array_append_new(list, json_pack("{s:s}", "kind", "mailbox"));
    for (size_t i = 0; i < m->n_targets; i++)
        json_array_append_new(list, json_pack("{s:s, s:s%}", "kind", kind_name((int)m->targets[i]->kind),
                                              "to", m->targets[i]->to.data, m->targets[i]->to.len));
    return list;
}

void targets_print(const Directory__Alias *m)
{
    if (m->n_targets && m->mailbox_id.len && !m->no_mailbox)
        printf("    mailbox\n");
    for (size_t i = 0; i < m->n_targets; i++)
        printf("    %s %.*s\n", kind_name((int)m->targets[i]->kind), (int)m->targets[i]->to.len,
               (const char *)m->targets[i]->to.data);
}

const char *alias_state(const Directory__Alias *m)
{
    switch (m->answer) {
    case 250: return "disabled (250)";
    case 421: return "disabled (421)";
    case 550: return "disabled (550)";
    default: break;
    }
    if (m->n_targets && (m->no_mailbox || !m->mailbox_id.len))
        return "leads elsewhere";
    return m->mailbox_id.len ? "ready" : "waits for a password";
}

/* ---- alias set ---- */

int cmd_alias_set(int argc, char **argv)
{
    Directory__AliasSetRequest q = DIRECTORY__ALIAS_SET_REQUEST__INIT;
    CLEANUP(service_close) struct service *s = NULL;
    struct args a = { .nwords = 0 };
    const char *disabled = NULL;
    bool enabled = false;
    struct option opts[] = { { "--disabled", &disabled, NULL }, { "--enabled", NULL, &enabled } };
    Directory__Alias *m = NULL;
    int r;

    if ((r = args_parse(argc, argv, opts, ARRAY_LEN(opts), 1, &a)) != 0)
        return r;
    if ((disabled != NULL) == enabled)
        return ctl_fail(EX_USAGE, "alias set: one of --disabled and --enabled");
    if (disabled && !str_to_u32(str_from(disabled), &q.answer))
        q.answer = 1;
    if ((r = service_open(&a, &s)) != 0)
        return r;
    q.address = str_pb(str_from(a.words[0]));
    q.set_answer = true;
    r = service_ask(s, ROLE_DIRECTORY, DIRECTORY__OP__ALIAS_SET, &q.base, &directory__alias__descriptor, &m);
    if (r == E_RANGE)
        return ctl_fail(EX_DATAERR, "%s: an address is disabled with 250, 421 or 550", disabled);
    if (r == E_NOTFOUND)
        return ctl_fail(EX_NOUSER, "%s: no such address here", a.words[0]);
    if (r < 0)
        return ctl_fail(ctl_exit_code(r), "%s: %s", a.words[0], error_text(r));
    if (a.json)
        dump(alias_json(m));
    else
        fprintf(stderr, "%s: %s\n", a.words[0], alias_state(m));
    return EX_OK;
}

/* ---- alias target ---- */

static int target_failed(int r, const char *address, const char *to)
{
    switch (r) {
    case E_NOTFOUND:
        return ctl_fail(EX_NOUSER, "%s: no such address here, or it does not lead to %s", address, to);
    case E_EXISTS: return ctl_fail(EX_DATAERR, "%s leads to %s already", address, to);
    case E_SYNTAX:
        return ctl_fail(EX_DATAERR, "%s: neither \"mailbox\" nor an address nor a URL (https://host/path)",
                        to);
    case E_DENIED:
        return ctl_fail(EX_DATAERR, "%s: mail would leave in the clear; directory.webhook_http allows it",
                        to);
    case E_RANGE:
        return ctl_fail(EX_DATAERR, "%s: mail to %s would go in circles, or through too many addresses", to,
                        address);
    case E_LIMIT:
        return ctl_fail(EX_DATAERR, "%s has as many targets as directory.max_targets allows", address);
    default: return ctl_fail(ctl_exit_code(r), "%s: %s", address, error_text(r));
    }
}

static Directory__AliasTarget__Kind kind_of(const char *to)
{
    if (strcmp(to, "mailbox") == 0)
        return DIRECTORY__ALIAS_TARGET__KIND__MAILBOX;
    return strstr(to, "://") ? DIRECTORY__ALIAS_TARGET__KIND__WEBHOOK
                             : DIRECTORY__ALIAS_TARGET__KIND__ADDRESS;
}

int cmd_alias_target(int argc, char **argv)
{
    Directory__TargetRequest q = DIRECTORY__TARGET_REQUEST__INIT;
    Directory__AliasTarget t = DIRECTORY__ALIAS_TARGET__INIT;
    Directory__AliasRequest show = DIRECTORY__ALIAS_REQUEST__INIT;
    CLEANUP(service_close) struct service *s = NULL;
    struct args a = { .nwords = 0 };
    bool list = argc > 1 && strcmp(argv[1], "list") == 0;
    Directory__Alias *m = NULL;
    int r;

    if ((r = args_parse(argc, argv, NULL, 0, list ? 2 : 3, &a)) != 0)
        return r;
    q.remove = strcmp(a.words[0], "remove") == 0;
    if (!list && !q.remove && strcmp(a.words[0], "add") != 0)
        return ctl_fail(EX_USAGE, "alias target: add, remove or list, not %s", a.words[0]);
    if ((r = service_open(&a, &s)) != 0)
        return r;
    q.address = show.address = str_pb(str_from(a.words[1]));
    if (list) {
        r = service_ask(s, ROLE_DIRECTORY, DIRECTORY__OP__ALIAS_SHOW, &show.base,
                        &directory__alias__descriptor, &m);
    } else {
        t.kind = kind_of(a.words[2]);
        t.to = str_pb(str_from(a.words[2]));
        q.target = &t;
        r = service_ask(s, ROLE_DIRECTORY, DIRECTORY__OP__TARGET_SET, &q.base, &directory__alias__descriptor,
                        &m);
    }
    if (r < 0)
        return list ? ctl_fail(ctl_exit_code(r), "%s: %s", a.words[1], error_text(r))
                    : target_failed(r, a.words[1], a.words[2]);
    if (a.json)
        dump(list ? targets_json(m) : alias_json(m));
    else
        print_alias(m);
    return EX_OK;
}

/* ---- domain set ---- */

static ProtobufCBinaryData or_none(const char *text)
{
    return str_pb(strcmp(text, "none") == 0 ? STR("") : str_from(text));
}

int cmd_domain_set(int argc, char **argv)
{
    Directory__DomainSetRequest q = DIRECTORY__DOMAIN_SET_REQUEST__INIT;
    const char *alias_of = NULL, *catch_all = NULL, *separators = NULL, *backups = NULL;
    struct option opts[] = { { "--alias-of", &alias_of, NULL },
                             { "--backups", &backups, NULL },
                             { "--catch-all", &catch_all, NULL },
                             { "--separators", &separators, NULL } };
    CLEANUP(service_close) struct service *s = NULL;
    struct args a = { .nwords = 0 };
    int r;

    if ((r = args_parse(argc, argv, opts, ARRAY_LEN(opts), 1, &a)) != 0)
        return r;
    if (!alias_of && !catch_all && !separators && !backups)
        return ctl_fail(EX_USAGE, "domain set: nothing to set (--help says what there is)");
    if ((r = service_open(&a, &s)) != 0)
        return r;
    if (backups && (r = backup_place_exists(s, backups)) != 0)
        return r;
    q.domain = str_pb(str_from(a.words[0]));
    if ((q.set_backup_place = backups != NULL) && strcmp(backups, PLACE_DEFAULT) != 0)
        q.backup_place = str_pb(str_from(backups));
    if ((q.set_alias_of = alias_of != NULL))
        q.alias_of = or_none(alias_of);
    if ((q.set_catch_all = catch_all != NULL))
        q.catch_all = or_none(catch_all);
    if ((q.set_separators = separators != NULL))
        q.separators = or_none(separators);
    r = service_ask(s, ROLE_DIRECTORY, DIRECTORY__OP__DOMAIN_SET, &q.base, NULL, NULL);
    if (r == E_NOTFOUND)
        return ctl_fail(EX_NOHOST, "%s, or what it should lead to: not here", a.words[0]);
    if (r == E_BUSY)
        return ctl_fail(EX_DATAERR,
                        "%s has addresses, patterns, lists or other names of its own: they would be lost",
                        a.words[0]);
    if (r == E_RANGE)
        return ctl_fail(EX_DATAERR, "%s: another name of a domain that is one itself", a.words[0]);
    if (r == E_SYNTAX)
        return ctl_fail(EX_DATAERR, "%s: not a name, or not a separator", a.words[0]);
    if (r < 0)
        return ctl_fail(ctl_exit_code(r), "%s: %s", a.words[0], error_text(r));
    fprintf(stderr, "%s is set\n", a.words[0]);
    return backups ? backup_place_give(s, a.words[0], backups) : EX_OK;
}

/* ---- domain pattern ---- */

static int pattern_failed(int r, const struct args *a)
{
    switch (r) {
    case E_NOTFOUND: return ctl_fail(EX_NOHOST, "%s: no such domain here, or no such position", a->words[1]);
    case E_EXISTS: return ctl_fail(EX_DATAERR, "%s has a pattern at this position already", a->words[1]);
    case E_LIMIT:
        return ctl_fail(EX_DATAERR, "%s has as many patterns as directory.max_patterns allows", a->words[1]);
    case E_RANGE: return ctl_fail(EX_DATAERR, "%s: a position is a number up to 1000000", a->words[1]);
    default: return ctl_fail(ctl_exit_code(r), "%s: %s", a->words[1], error_text(r));
    }
}

static int pattern_list_command(struct service *s, const struct args *a)
{
    Directory__DomainRequest q = DIRECTORY__DOMAIN_REQUEST__INIT;
    json_t *list = a->json ? json_array() : NULL;
    Directory__PatternListResponse *m = NULL;
    int r;

    q.domain = str_pb(str_from(a->words[1]));
    r = service_ask(s, ROLE_DIRECTORY, DIRECTORY__OP__PATTERN_LIST, &q.base,
                    &directory__pattern_list_response__descriptor, &m);
    for (size_t i = 0; r == 0 && i < m->n_patterns; i++) {
        const Directory__Pattern *p = m->patterns[i];

        if (list)
            json_array_append_new(list, json_pack("{s:I, s:s%, s:s%}", "position", (json_int_t)p->position,
                                                  "pattern", p->pattern.data, p->pattern.len, "target",
                                                  p->target.data, p->target.len));
        else
            printf("%6u  %.*s  ->  %.*s\n", p->position, (int)p->pattern.len, (const char *)p->pattern.data,
                   (int)p->target.len, (const char *)p->target.data);
    }
    if (r == 0 && list)
        dump(list);
    else
        json_decref(list);
    return r < 0 ? pattern_failed(r, a) : EX_OK;
}

int cmd_domain_pattern(int argc, char **argv)
{
    Directory__PatternRequest q = DIRECTORY__PATTERN_REQUEST__INIT;
    Directory__Pattern p = DIRECTORY__PATTERN__INIT;
    CLEANUP(service_close) struct service *s = NULL;
    Directory__PatternResponse *m = NULL;
    struct args a = { .nwords = 0 };
    const char *verb = argc > 1 ? argv[1] : "", *position = "0";
    struct option opts[] = { { "--position", &position, NULL } };
    bool list = strcmp(verb, "list") == 0;
    int r;

    q.remove = strcmp(verb, "remove") == 0;
    if ((r = args_parse(argc, argv, opts, 1, list ? 2 : q.remove ? 3 : 4, &a)) != 0)
        return r;
    if (!list && !q.remove && strcmp(verb, "add") != 0)
        return ctl_fail(EX_USAGE, "domain pattern: add, remove or list, not %s", verb);
    if (!list && !str_to_u32(str_from(q.remove ? a.words[2] : position), &p.position))
        return pattern_failed(E_RANGE, &a);
    if ((r = service_open(&a, &s)) != 0)
        return r;
    if (list)
        return pattern_list_command(s, &a);
    q.domain = str_pb(str_from(a.words[1]));
    q.pattern = &p;
    if (!q.remove) {
        p.pattern = str_pb(str_from(a.words[2]));
        p.target = str_pb(str_from(a.words[3]));
    }
    r = service_ask(s, ROLE_DIRECTORY, DIRECTORY__OP__PATTERN_SET, &q.base,
                    &directory__pattern_response__descriptor, &m);
    if (r < 0)
        return pattern_failed(r, &a);
    if (m->why.len)
        return ctl_fail(EX_DATAERR, "%.*s", (int)m->why.len, (const char *)m->why.data);
    if (!q.remove)
        fprintf(stderr, "%s: pattern at position %u\n", a.words[1], m->position);
    return EX_OK;
}

/* ---- access ---- */

static int access_failed(int r, const struct args *a, const char *who)
{
    switch (r) {
    case E_NOTFOUND: return ctl_fail(EX_NOUSER, "%s: not here, or without such a row", a->words[1]);
    case E_EXISTS: return ctl_fail(EX_DATAERR, "%s has this row already", a->words[1]);
    case E_LIMIT:
        return ctl_fail(EX_DATAERR, "%s has as many rows as directory.max_access allows", a->words[1]);
    case E_SYNTAX:
        return ctl_fail(EX_DATAERR, "%s: not an address, a domain, a network, \"<>\" or \"*\"", who);
    case E_RANGE:
        return ctl_fail(
            EX_DATAERR,
            "%s: a prefix too long or with bits behind it, or a domain that is another name of one", who);
    default: return ctl_fail(ctl_exit_code(r), "%s: %s", a->words[1], error_text(r));
    }
}

static int access_list_command(struct service *s, const struct args *a)
{
    Directory__AccessRequest q = DIRECTORY__ACCESS_REQUEST__INIT;
    json_t *list = a->json ? json_array() : NULL;
    Directory__AccessListResponse *m = NULL;
    int r;

    q.name = str_pb(str_from(a->words[1]));
    r = service_ask(s, ROLE_DIRECTORY, DIRECTORY__OP__ACCESS_LIST, &q.base,
                    &directory__access_list_response__descriptor, &m);
    for (size_t i = 0; r == 0 && i < m->n_rules; i++) {
        const Directory__AccessRule *one = m->rules[i];

        if (list)
            json_array_append_new(
                list, json_pack("{s:s%, s:b}", "who", one->who.data, one->who.len, "allow", (int)one->allow));
        else
            printf("%-6s %.*s\n", one->allow ? "allow" : "deny", (int)one->who.len,
                   (const char *)one->who.data);
    }
    if (r == 0 && list)
        dump(list);
    else
        json_decref(list);
    return r < 0 ? access_failed(r, a, a->words[1]) : EX_OK;
}

/* Taking away does not ask which of the two it was. */
static int access_remove_command(struct service *s, Directory__AccessRequest *q)
{
    int r, any = E_NOTFOUND;

    q->remove = true;
    for (int allow = 0; allow < 2; allow++) {
        q->rule->allow = allow;
        r = service_ask(s, ROLE_DIRECTORY, DIRECTORY__OP__ACCESS_SET, &q->base, NULL, NULL);
        if (r != E_NOTFOUND)
            any = r;
    }
    return any;
}

int cmd_access(int argc, char **argv)
{
    Directory__AccessRequest q = DIRECTORY__ACCESS_REQUEST__INIT;
    Directory__AccessRule rule = DIRECTORY__ACCESS_RULE__INIT;
    CLEANUP(service_close) struct service *s = NULL;
    struct args a = { .nwords = 0 };
    const char *verb = argc > 1 ? argv[1] : "";
    bool list = strcmp(verb, "list") == 0, remove = strcmp(verb, "remove") == 0;
    int r;

    if ((r = args_parse(argc, argv, NULL, 0, list ? 2 : 3, &a)) != 0)
        return r;
    rule.allow = strcmp(verb, "allow") == 0;
    if (!list && !remove && !rule.allow && strcmp(verb, "deny") != 0)
        return ctl_fail(EX_USAGE, "access: allow, deny, remove or list, not %s", verb);
    if ((r = service_open(&a, &s)) != 0)
        return r;
    if (list)
        return access_list_command(s, &a);
    q.name = str_pb(str_from(a.words[1]));
    q.rule = &rule;
    rule.who = str_pb(str_from(a.words[2]));
    r = remove ? access_remove_command(s, &q)
               : service_ask(s, ROLE_DIRECTORY, DIRECTORY__OP__ACCESS_SET, &q.base, NULL, NULL);
    return r < 0 ? access_failed(r, &a, a.words[2]) : EX_OK;
}
