/* src/ctl/cmd_queue.c: the queue of mail that leaves, for its operator. */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/hex.h"
#include "proto/courier.pb-c.h"
#include "src/ctl/ctl.h"
#include <jansson.h>
#include <sysexits.h>
#include <unistd.h>

#define NAME_BYTES 16u
#define NAME_TEXT  (2 * NAME_BYTES)
#define RCPTS_MAX  1000u

static const char *const states[] = { "ready", "waits", "under way", "held" };

static const char *state_name(uint32_t s)
{
    return s < ARRAY_LEN(states) ? states[s] : "?";
}

static void name_text(ProtobufCBinaryData name, char out[NAME_TEXT + 1])
{
    hex_encode(name.data, name.len < NAME_BYTES ? name.len : NAME_BYTES, out);
}

static bool name_read(const char *text, uint8_t out[NAME_BYTES])
{
    return strlen(text) == NAME_TEXT && hex_decode(str_from(text), out, NAME_BYTES);
}

/* ---- list, show ---- */

static json_t *message_json(const Courier__QueueMessage *m)
{
    static const char *const origins[] = { "submitted", "forwarded", "report" };
    char name[NAME_TEXT + 1], created[CLOCK_ISO_LEN + 1], expires[CLOCK_ISO_LEN + 1], due[CLOCK_ISO_LEN + 1];
    json_t *list = json_array();

    name_text(m->message, name);
    clock_iso(m->created_ms, created);
    clock_iso(m->expires_ms, expires);
    for (size_t i = 0; i < m->n_list; i++) {
        const Courier__QueueTarget *t = m->list[i];

        clock_iso(t->due_ms, due);
        json_array_append_new(list,
                              json_pack("{s:s%, s:s, s:I, s:s, s:I, s:s%}", "to", t->to.data, t->to.len,
                                        "state", state_name(t->state), "attempts", (json_int_t)t->attempts,
                                        "due", due, "code", (json_int_t)t->code, "answer",
                                        t->answer.len ? (const char *)t->answer.data : "", t->answer.len));
    }
    return json_pack("{s:s, s:s%, s:s, s:I, s:s, s:s, s:I, s:I, s:o}", "message", name, "sender",
                     m->sender.len ? (const char *)m->sender.data : "", m->sender.len, "origin",
                     (unsigned)m->origin < ARRAY_LEN(origins) ? origins[m->origin] : "?", "bytes",
                     (json_int_t)m->bytes, "created", created, "expires", expires, "targets",
                     (json_int_t)m->targets, "priority", (json_int_t)m->priority, "list", list);
}

static void print_target(const Courier__QueueTarget *t)
{
    char due[CLOCK_ISO_LEN + 1];

    clock_iso(t->due_ms, due);
    printf("    %.*s  %s", (int)t->to.len, (const char *)t->to.data, state_name(t->state));
    if (t->state == 1)
        printf(" until %.19sZ", due);
    if (t->attempts)
        printf(", %u tries", (unsigned)t->attempts);
    if (t->answer.len)
        printf(": %u %.*s", (unsigned)t->code, (int)t->answer.len, (const char *)t->answer.data);
    putchar('\n');
}

static void print_message(const Courier__QueueMessage *m)
{
    char name[NAME_TEXT + 1], created[CLOCK_ISO_LEN + 1];

    name_text(m->message, name);
    clock_iso(m->created_ms, created);
    printf("%s  %.19sZ  %llu bytes  from <%.*s>\n", name, created, (unsigned long long)m->bytes,
           (int)m->sender.len, (const char *)m->sender.data);
    for (size_t i = 0; i < m->n_list; i++)
        print_target(m->list[i]);
    if (m->targets > m->n_list)
        printf("    and %llu more\n", (unsigned long long)(m->targets - m->n_list));
}

static void print_json(json_t *j)
{
    json_dumpf(j, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(j);
}

int cmd_queue_list(int argc, char **argv)
{
    Courier__ListRequest q = COURIER__LIST_REQUEST__INIT;
    CLEANUP(service_close) struct service *s = NULL;
    Courier__ListResponse *m = NULL;
    const char *domain = NULL;
    const struct option opts[] = { { "--domain", &domain, NULL } };
    struct args a = { .nwords = 0 };
    json_t *list = NULL;
    int r;

    if ((r = args_parse(argc, argv, opts, ARRAY_LEN(opts), 0, &a)) != 0 || (r = service_open(&a, &s)) != 0)
        return r;
    q.domain = str_pb(str_from(domain));
    list = a.json ? json_array() : NULL;
    do {
        r = service_ask(s, ROLE_COURIER, COURIER__OP__QUEUE_LIST, &q.base,
                        &courier__list_response__descriptor, &m);
        for (size_t i = 0; r == 0 && i < m->n_messages; i++) {
            if (list)
                json_array_append_new(list, message_json(m->messages[i]));
            else
                print_message(m->messages[i]);
            q.after = m->messages[i]->id;
        }
    } while (r == 0 && m->more && m->n_messages > 0 && (service_forget(s), true));
    if (r < 0) {
        json_decref(list);
        return ctl_fail(ctl_exit_code(r), "%s", error_text(r));
    }
    if (list)
        print_json(list);
    return EX_OK;
}

int cmd_queue_show(int argc, char **argv)
{
    Courier__ShowRequest q = COURIER__SHOW_REQUEST__INIT;
    CLEANUP(service_close) struct service *s = NULL;
    Courier__ShowResponse *m = NULL;
    struct args a = { .nwords = 0 };
    uint8_t name[NAME_BYTES];
    int r;

    if ((r = args_parse(argc, argv, NULL, 0, 1, &a)) != 0)
        return r;
    if (!name_read(a.words[0], name))
        return ctl_fail(EX_USAGE, "%s: no name of a message; \"queue list\" shows them", a.words[0]);
    if ((r = service_open(&a, &s)) != 0)
        return r;
    q.message = str_pb(str_of(name, sizeof name));
    r = service_ask(s, ROLE_COURIER, COURIER__OP__QUEUE_SHOW, &q.base, &courier__show_response__descriptor,
                    &m);
    if (r == E_NOTFOUND)
        return ctl_fail(EX_DATAERR, "%s: not in the queue", a.words[0]);
    if (r < 0)
        return ctl_fail(ctl_exit_code(r), "%s", error_text(r));
    if (a.json) {
        json_t *j = message_json(m->message);

        json_object_set_new(j, "header", json_stringn_nocheck((const char *)m->header.data, m->header.len));
        print_json(j);
    } else {
        print_message(m->message);
        printf("\n%.*s", (int)m->header.len, (const char *)m->header.data);
    }
    return EX_OK;
}

/* ---- changes ---- */

static int change(int argc, char **argv, Courier__ChangeRequest__Action action, const char *done)
{
    Courier__ChangeRequest q = COURIER__CHANGE_REQUEST__INIT;
    CLEANUP(service_close) struct service *s = NULL;
    Courier__ChangeResponse *m = NULL;
    const char *domain = NULL, *message = NULL;
    bool all = false;
    const struct option opts[] = { { "--domain", &domain, NULL },
                                   { "--message", &message, NULL },
                                   { "--all", NULL, &all } };
    struct args a = { .nwords = 0 };
    uint8_t name[NAME_BYTES];
    ProtobufCBinaryData one = { .len = sizeof name, .data = name };
    int r;

    if ((r = args_parse(argc, argv, opts, ARRAY_LEN(opts), 0, &a)) != 0)
        return r;
    if ((message != NULL) + (domain != NULL) + all != 1)
        return ctl_fail(EX_USAGE, "which: --message NAME, --domain DOMAIN or --all");
    if (message && !name_read(message, name))
        return ctl_fail(EX_USAGE, "%s: no name of a message; \"queue list\" shows them", message);
    if ((r = service_open(&a, &s)) != 0)
        return r;
    q.action = action;
    q.messages = &one;
    q.n_messages = message != NULL;
    q.domain = str_pb(str_from(domain));
    q.all = all;
    r = service_ask(s, ROLE_COURIER, COURIER__OP__QUEUE_CHANGE, &q.base,
                    &courier__change_response__descriptor, &m);
    if (r == E_NOTFOUND)
        return ctl_fail(EX_DATAERR, "%s: not in the queue", message);
    if (r < 0)
        return ctl_fail(ctl_exit_code(r), "%s", error_text(r));
    if (a.json)
        print_json(json_pack("{s:I}", "targets", (json_int_t)m->targets));
    else
        printf("%llu %s\n", (unsigned long long)m->targets, done);
    return EX_OK;
}

int cmd_queue_retry(int argc, char **argv)
{
    return change(argc, argv, COURIER__CHANGE_REQUEST__ACTION__RETRY, "to be tried now");
}

int cmd_queue_hold(int argc, char **argv)
{
    return change(argc, argv, COURIER__CHANGE_REQUEST__ACTION__HOLD, "held");
}

int cmd_queue_release(int argc, char **argv)
{
    return change(argc, argv, COURIER__CHANGE_REQUEST__ACTION__RELEASE, "released");
}

int cmd_queue_delete(int argc, char **argv)
{
    return change(argc, argv, COURIER__CHANGE_REQUEST__ACTION__DELETE, "deleted");
}

/* ---- add ---- */

/* Standard input with CRLF line ends. */
static int64_t read_input(void *ctx, size_t max, struct buf *out)
{
    char *cr = ctx, bytes[KIB(16)];
    ssize_t n = read(STDIN_FILENO, bytes, size_min(sizeof bytes, max / 2 + 1));
    size_t before = out->n;
    int r = 0;

    if (n < 0)
        return E_IO;
    for (ssize_t i = 0; i < n && r == 0; i++) {
        if (bytes[i] == '\n' && *cr != '\r')
            r = buf_putc(out, '\r');
        if (r == 0)
            r = buf_putc(out, *cr = bytes[i]);
    }
    return r < 0 ? r : (int64_t)(out->n - before);
}

static int enqueue(struct service *s, ProtobufCBinaryData stage, const char *from, const char *signer,
                   const struct str *to, size_t n, Courier__EnqueueResponse **out)
{
    Courier__EnqueueRequest q = COURIER__ENQUEUE_REQUEST__INIT;
    Courier__Target *t = calloc(n, sizeof *t), **list = calloc(n, sizeof *list);
    int r = E_NOMEM;

    for (size_t i = 0; t && list && i < n; i++) {
        courier__target__init(&t[i]);
        t[i].to = str_pb(to[i]);
        list[i] = &t[i];
    }
    q.stage = stage;
    q.sender = str_pb(str_from(from));
    q.signer = str_pb(str_from(signer));
    q.targets = list;
    q.n_targets = n;
    if (t && list)
        r = service_ask(s, ROLE_COURIER, COURIER__OP__ENQUEUE, &q.base,
                        &courier__enqueue_response__descriptor, out);
    free(t);
    free(list);
    return r;
}

static size_t split(struct str list, struct str *out, size_t max)
{
    size_t n = 0;

    while (list.n && n < max) {
        str_cut(list, ',', &out[n], &list);
        out[n] = str_trim(out[n]);
        n += out[n].n > 0;
    }
    return n;
}

int cmd_queue_add(int argc, char **argv)
{
    Courier__StageRequest q = COURIER__STAGE_REQUEST__INIT;
    CLEANUP(service_close) struct service *s = NULL;
    Courier__EnqueueResponse *m = NULL;
    Courier__StageResponse *stage = NULL;
    const char *from = NULL, *signer = NULL;
    const struct option opts[] = { { "--from", &from, NULL }, { "--sign", &signer, NULL } };
    struct args a = { .nwords = 0 };
    char name[NAME_TEXT + 1], cr = 0;
    struct str to[RCPTS_MAX];
    size_t n;
    int r;

    if ((r = args_parse(argc, argv, opts, ARRAY_LEN(opts), 1, &a)) != 0)
        return r;
    if ((n = split(str_from(a.words[0]), to, RCPTS_MAX)) == 0)
        return ctl_fail(EX_USAGE, "nobody to send it to");
    if ((r = service_open(&a, &s)) != 0)
        return r;
    r = service_send(s, ROLE_COURIER, COURIER__OP__STAGE, &q.base, &courier__stage_response__descriptor,
                     &stage, read_input, &cr);
    if (r == 0)
        r = enqueue(s, stage->stage, from, signer, to, n, &m);
    if (r < 0)
        return ctl_fail(ctl_exit_code(r), "%s", error_text(r));
    name_text(m->message, name);
    puts(name);
    return EX_OK;
}
