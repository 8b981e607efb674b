/* src/ctl/cmd_password.c: `alias password`: slots of a mailbox. The password alone goes to standard
 * output; what is said about it goes to standard error. */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/crypto/keyfile.h"
#include "lib/smtp/path.h"
#include "proto/store.pb-c.h"
#include "src/ctl/cmd_alias.h"
#include <jansson.h>
#include <sysexits.h>
#include <unistd.h>

struct request {
    struct args a;
    const char *name, *revoke;
    bool own, current, list, start_over, rotate, yes;
    struct buf current_password, own_password;
    struct service *s;
    Directory__Alias *alias;
};

static void request_release(struct request *q)
{
    buf_release(&q->current_password);
    buf_release(&q->own_password);
    service_close(&q->s);
}

static int say(const struct request *q, int e)
{
    switch (e) {
    case E_AUTH: return ctl_fail(EX_NOPERM, "that password does not open the mailbox; nothing was changed");
    case E_WEAK: return ctl_fail(EX_DATAERR, "that password is too easily guessed; nothing was changed");
    case E_LIMIT:
        return ctl_fail(
            EX_DATAERR,
            "a password has 8 to 1024 bytes, a mailbox a limited number of them; nothing was changed");
    case E_NOTFOUND: return ctl_fail(EX_DATAERR, "%s: no such password slot", q->a.words[0]);
    default: return ctl_fail(ctl_exit_code(e), "%s: %s", q->a.words[0], error_text(e));
    }
}

/* Shown on terminals and kept in the label of the slot (doc/formats.md 3). */
static int check_name(const struct request *q)
{
    struct str name = str_from(q->name ? q->name : "");

    if (name.n > KEYFILE_NAME_MAX || !smtp_utf8_clean(name))
        return ctl_fail(EX_DATAERR, "--name: at most %u bytes of UTF-8 without control characters",
                        KEYFILE_NAME_MAX);
    return 0;
}

static int read_current(struct request *q)
{
    if (secret_read("An existing password of this mailbox", &q->current_password) < 0 ||
        q->current_password.n == 0)
        return ctl_fail(EX_NOINPUT,
                        "an existing password is needed: on the terminal, or a line of standard input");
    return 0;
}

static int read_own(struct request *q)
{
    CLEANUP(buf_release) struct buf again = { .max = KIB(2) };

    if (secret_read("The new password", &q->own_password) < 0 || q->own_password.n == 0)
        return ctl_fail(EX_NOINPUT, "a password is needed: on the terminal, or a line of standard input");
    if (!isatty(STDIN_FILENO))
        return 0;
    if (secret_read("The same again", &again) < 0 || !str_eq(buf_str(&again), buf_str(&q->own_password)))
        return ctl_fail(EX_DATAERR, "the two are not the same; nothing was changed");
    return 0;
}

static void print_new(const struct request *q, const Store__KeyAddResponse *m)
{
    if (m->password.len > 0) {
        if (isatty(STDOUT_FILENO))
            fprintf(stderr, "The password of %s, slot %u. It is shown once and kept nowhere:\n\n",
                    q->a.words[0], m->slot);
        fflush(stderr);
        printf("%.*s\n", (int)m->password.len, (const char *)m->password.data);
        fflush(stdout);
        if (isatty(STDOUT_FILENO))
            fprintf(
                stderr,
                "\nWho forgets every password of a mailbox loses the mailbox: nobody can open it again.\n");
    } else {
        fprintf(stderr, "%s: slot %u opens with your password now.\n", q->a.words[0], m->slot);
    }
}

static int run_add(struct request *q)
{
    Store__KeyAddRequest k = STORE__KEY_ADD_REQUEST__INIT;
    Store__KeyAddResponse *m = NULL;
    bool first = q->alias->mailbox_id.len == 0;
    int r;

    if (first && q->current)
        return ctl_fail(EX_USAGE, "%s has no password yet: leave --current out", q->a.words[0]);
    if ((!first && (r = read_current(q)) != 0) || (q->own && (r = read_own(q)) != 0))
        return r;
    k.alias_id = q->alias->alias_id;
    k.mailbox_id = q->alias->mailbox_id;
    k.n_key_states = q->alias->n_key_states;
    k.key_states = q->alias->key_states;
    k.current_password = str_pb(buf_str(&q->current_password));
    k.own_password = str_pb(buf_str(&q->own_password));
    k.name = (char *)(uintptr_t)(q->name ? q->name : "");
    k.place = q->alias->backup_place;
    r = service_ask(q->s, ROLE_STORE, STORE__OP__KEY_ADD, &k.base, &store__key_add_response__descriptor, &m);
    if (r < 0)
        return say(q, r);
    print_new(q, m);
    return EX_OK;
}

static int run_start_over(struct request *q)
{
    Store__KeyStartOverRequest k = STORE__KEY_START_OVER_REQUEST__INIT;
    Store__KeyAddResponse *m = NULL;
    char iso[CLOCK_ISO_LEN + 1];
    int r;

    if (q->alias->mailbox_id.len == 0)
        return ctl_fail(EX_DATAERR, "%s has no mailbox yet: nothing to start over", q->a.words[0]);
    fprintf(
        stderr,
        "Starting over gives %s a new, empty mailbox and new keys. Every message that is there now can no longer\n"
        "be read by anyone, unless one of its passwords is found again: the old files are set aside for a time.\n",
        q->a.words[0]);
    if ((r = confirm(q->a.words[0], q->yes)) != 0 || (q->own && (r = read_own(q)) != 0))
        return r;
    k.alias_id = q->alias->alias_id;
    k.mailbox_id = q->alias->mailbox_id;
    k.own_password = str_pb(buf_str(&q->own_password));
    k.name = (char *)(uintptr_t)(q->name ? q->name : "");
    k.place = q->alias->backup_place;
    r = service_ask(q->s, ROLE_STORE, STORE__OP__KEY_START_OVER, &k.base,
                    &store__key_add_response__descriptor, &m);
    if (r < 0)
        return say(q, r);
    clock_iso(m->set_aside_until_ms, iso);
    fprintf(stderr, "The old files are kept until %.10s.\n", iso);
    print_new(q, m);
    return EX_OK;
}

static int run_revoke(struct request *q)
{
    Store__KeyRevokeRequest k = STORE__KEY_REVOKE_REQUEST__INIT;
    Store__KeyRevokeResponse *m = NULL;
    int r;

    if (!str_to_u32(str_from(q->revoke), &k.slot))
        return ctl_fail(EX_USAGE, "--revoke takes the number of a slot (--list shows them)");
    if ((r = read_current(q)) != 0)
        return r;
    k.mailbox_id = q->alias->mailbox_id;
    k.n_key_states = q->alias->n_key_states;
    k.key_states = q->alias->key_states;
    k.current_password = str_pb(buf_str(&q->current_password));
    r = service_ask(q->s, ROLE_STORE, STORE__OP__KEY_REVOKE, &k.base, &store__key_revoke_response__descriptor,
                    &m);
    if (r == E_BUSY || r == E_DENIED)
        return ctl_fail(EX_DATAERR, "the last password cannot be revoked: it would lose the mailbox");
    if (r < 0)
        return say(q, r);
    fprintf(
        stderr,
        "Slot %u is revoked; %u sessions were ended. Who kept both that password and an old copy of the files can\n"
        "still read that copy, and what comes later in it: letterlock alias password %s --rotate changes the key.\n",
        k.slot, m->sessions_ended, q->a.words[0]);
    return EX_OK;
}

static int run_rotate(struct request *q)
{
    Store__KeyRotateRequest k = STORE__KEY_ROTATE_REQUEST__INIT;
    Store__KeyRevokeResponse *m = NULL;
    int r;

    if ((r = read_current(q)) != 0)
        return r;
    k.mailbox_id = q->alias->mailbox_id;
    k.n_key_states = q->alias->n_key_states;
    k.key_states = q->alias->key_states;
    k.current_password = str_pb(buf_str(&q->current_password));
    service_patience(q->s, 86400000); /* the whole mailbox is written anew */
    r = service_ask(q->s, ROLE_STORE, STORE__OP__KEY_ROTATE, &k.base, &store__key_revoke_response__descriptor,
                    &m);
    if (r < 0)
        return say(q, r);
    fprintf(stderr, "%s has a new data key (generation %llu); all its passwords stay as they are.\n",
            q->a.words[0], (unsigned long long)m->generation);
    return EX_OK;
}

static int run_list(struct request *q)
{
    Store__KeyListRequest k = STORE__KEY_LIST_REQUEST__INIT;
    Store__KeyListResponse *m = NULL;
    json_t *list = q->a.json ? json_array() : NULL;
    char iso[CLOCK_ISO_LEN + 1];
    int r = 0;

    k.mailbox_id = q->alias->mailbox_id;
    k.n_key_states = q->alias->n_key_states;
    k.key_states = q->alias->key_states;
    if (k.mailbox_id.len == 0)
        fprintf(stderr, "%s has no password yet\n", q->a.words[0]);
    else
        r = service_ask(q->s, ROLE_STORE, STORE__OP__KEY_LIST, &k.base, &store__key_list_response__descriptor,
                        &m);
    for (size_t i = 0; r == 0 && m && i < m->n_slots; i++) {
        const Store__Slot *slot = m->slots[i];

        clock_iso(slot->created_ms, iso);
        if (list)
            json_array_append_new(list, json_pack("{s:i, s:s, s:s, s:s}", "slot", (int)slot->slot, "name",
                                                  slot->name, "kind", slot->own ? "own" : "generated",
                                                  "created", iso));
        else
            printf("%4u  %-10s since %.10s  %s\n", slot->slot, slot->own ? "own" : "generated", iso,
                   slot->name);
    }
    if (list && r == 0) {
        json_dumpf(list, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    json_decref(list);
    return r < 0 ? say(q, r) : EX_OK;
}

int cmd_alias_password(int argc, char **argv)
{
    CLEANUP(request_release)
    struct request q = { .current_password = { .max = KIB(2) }, .own_password = { .max = KIB(2) } };
    struct option opts[] = {
        { "--name", &q.name, NULL },
        { "--revoke", &q.revoke, NULL },
        { "--own", NULL, &q.own },
        { "--list", NULL, &q.list },
        { "--start-over", NULL, &q.start_over },
        { "--current", NULL, &q.current },
        { "--yes", NULL, &q.yes },
        { "--rotate", NULL, &q.rotate },
    };
    int r;

    if ((r = args_parse(argc, argv, opts, ARRAY_LEN(opts), 1, &q.a)) != 0)
        return r;
    if (q.list + q.start_over + q.rotate + (q.revoke != NULL) > 1)
        return ctl_fail(EX_USAGE, "one of --list, --revoke, --rotate and --start-over at a time");
    if ((r = check_name(&q)) != 0 || (r = service_open(&q.a, &q.s)) != 0 ||
        (r = alias_ask(q.s, DIRECTORY__OP__ALIAS_SHOW, q.a.words[0], &q.alias)) != 0)
        return r;
    if (q.list)
        return run_list(&q);
    if (q.start_over)
        return run_start_over(&q);
    if ((q.revoke || q.rotate) && q.alias->mailbox_id.len == 0)
        return ctl_fail(EX_DATAERR, "%s has no password yet", q.a.words[0]);
    return q.revoke ? run_revoke(&q) : q.rotate ? run_rotate(&q) : run_add(&q);
}
