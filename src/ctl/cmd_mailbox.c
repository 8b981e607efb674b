/* src/ctl/cmd_mailbox.c: `mailbox check` and `mailbox rotate`: what takes a password and a while. */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "proto/store.pb-c.h"
#include "src/ctl/cmd_alias.h"
#include <jansson.h>
#include <sysexits.h>

#define PATIENCE_MS INT64_C(86400000) /* a large mailbox takes minutes, a very large one an hour */

struct request {
    struct args a;
    struct buf password;
    struct service *s;
    Directory__Alias *alias;
};

static void request_release(struct request *q)
{
    buf_release(&q->password);
    service_close(&q->s);
}

static int say(const struct request *q, int e)
{
    const char *address = q->a.words[0];

    switch (e) {
    case E_AUTH: return ctl_fail(EX_NOPERM, "that password does not open the mailbox of %s", address);
    case E_FULL:
        return ctl_fail(EX_TEMPFAIL, "%s: a second copy of the mailbox does not fit on the disk", address);
    case E_BUSY:
        return ctl_fail(EX_TEMPFAIL, "%s: its keys or files are being changed now: try again", address);
    case E_CORRUPT: return ctl_fail(EX_DATAERR, "%s: the mailbox is damaged and cannot be opened", address);
    default: return ctl_fail(ctl_exit_code(e), "%s: %s", address, error_text(e));
    }
}

/* The address's mailbox and its password. */
static int request_take(struct request *q, int argc, char **argv)
{
    int r;

    if ((r = args_parse(argc, argv, NULL, 0, 1, &q->a)) != 0 ||
        (r = mailbox_ask(&q->a, &q->s, &q->alias)) != 0 || (r = password_read(&q->password)) != 0)
        return r;
    service_patience(q->s, PATIENCE_MS);
    return 0;
}

static int print_json(const Store__MailboxCheckResponse *m)
{
    json_t *list = json_array(), *j;

    for (size_t i = 0; i < m->n_findings; i++)
        json_array_append_new(
            list, json_pack("{s:s, s:s}", "what", m->findings[i]->what, "detail", m->findings[i]->detail));
    j = json_pack("{s:b, s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:I}", "whole", m->found == 0, "found",
                  (json_int_t)m->found, "findings", list, "folders", (json_int_t)m->folders, "messages",
                  (json_int_t)m->messages, "emails", (json_int_t)m->emails, "bytes", (json_int_t)m->bytes,
                  "swept", (json_int_t)m->swept, "took_ms", (json_int_t)m->took_ms);
    json_dumpf(j, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(j);
    return m->found ? EX_DATAERR : EX_OK;
}

static int print_text(const struct request *q, const Store__MailboxCheckResponse *m)
{
    for (size_t i = 0; i < m->n_findings; i++)
        printf("%s: %s\n", m->findings[i]->what, m->findings[i]->detail);
    if (m->found > m->n_findings)
        printf("... and %llu more\n", (unsigned long long)(m->found - m->n_findings));
    if (m->swept)
        printf("%llu rows that nothing referred to were removed\n", (unsigned long long)m->swept);
    printf("%s: %llu folders, %llu messages, %llu emails, %llu bytes read in %.1f s: %s\n", q->a.words[0],
           (unsigned long long)m->folders, (unsigned long long)m->messages, (unsigned long long)m->emails,
           (unsigned long long)m->bytes, (double)m->took_ms / 1000.0, m->found ? "DAMAGED" : "all is well");
    return m->found ? EX_DATAERR : EX_OK;
}

int cmd_mailbox_check(int argc, char **argv)
{
    CLEANUP(request_release) struct request q = { .password = { .max = KIB(2) } };
    Store__MailboxCheckRequest k = STORE__MAILBOX_CHECK_REQUEST__INIT;
    Store__MailboxCheckResponse *m = NULL;
    int64_t began = clock_mono_ms();
    int r;

    if ((r = request_take(&q, argc, argv)) != 0)
        return r;
    k.mailbox_id = q.alias->mailbox_id;
    k.n_key_states = q.alias->n_key_states;
    k.key_states = q.alias->key_states;
    k.current_password = str_pb(buf_str(&q.password));
    r = service_ask(q.s, ROLE_STORE, STORE__OP__MAILBOX_CHECK, &k.base,
                    &store__mailbox_check_response__descriptor, &m);
    if (r < 0)
        return say(&q, r);
    m->took_ms = clock_mono_ms() - began;
    return q.a.json ? print_json(m) : print_text(&q, m);
}

int cmd_mailbox_rotate(int argc, char **argv)
{
    CLEANUP(request_release) struct request q = { .password = { .max = KIB(2) } };
    Store__KeyRotateRequest k = STORE__KEY_ROTATE_REQUEST__INIT;
    Store__KeyRevokeResponse *m = NULL;
    int r;

    if ((r = request_take(&q, argc, argv)) != 0)
        return r;
    k.mailbox_id = q.alias->mailbox_id;
    k.n_key_states = q.alias->n_key_states;
    k.key_states = q.alias->key_states;
    k.current_password = str_pb(buf_str(&q.password));
    r = service_ask(q.s, ROLE_STORE, STORE__OP__KEY_ROTATE, &k.base, &store__key_revoke_response__descriptor,
                    &m);
    if (r < 0)
        return say(&q, r);
    fprintf(stderr, "%s has a new data key (generation %llu); all its passwords stay as they are.\n",
            q.a.words[0], (unsigned long long)m->generation);
    return EX_OK;
}
