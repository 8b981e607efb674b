/* test/fuzz/fuzz_imap_store.c
 *
 * A whole IMAP session against the real store: its lanes, files and keys in a folder of their own, content parsing what comes in,
 * all in this process and on one loop; only the directory is made up. Every input has a new mailbox with three letters and a
 * session that has selected INBOX; the input is what the client says before it hangs up.
 * Laws: the role ends the session by itself; what it said is a sequence of whole lines and literals, without NUL; whoever comes next
 * logs in, selects INBOX and has a row of every message that he is told of; the store finds the mailbox whole. */
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/rand.h"
#include "lib/rpc/pb.h"
#include "proto/directory.pb-c.h"
#include "proto/store.pb-c.h"
#include "src/common/role.h"
#include "src/imap/imap.h"
#include "test/fuzz/fuzz.h"
#include <fcntl.h>
#include <ftw.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAILBOX_ID_LEN 12u

#define INPUT_MAX  KIB(32)
#define SESSION_MS 20000
#define ASK_MS     20000
#define COPIES_MAX 64u /* a command: else they double, and a line of COPYs fills the disk */

static const char *const letters[] = {
    "From: a@example.test\r\nSubject: one\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; "
    "boundary=x\r\n\r\n--x\r\n\r\npart\r\n--x\r\nContent-Type: message/rfc822\r\n\r\n"
    "Subject: inner\r\n\r\ntext\r\n--x--\r\n",
    "From: b@example.test\r\nMessage-ID: <2@example.test>\r\nSubject: two\r\n\r\nsecond\r\n",
    "From: c@example.test\r\nIn-Reply-To: <2@example.test>\r\nSubject: Re: two\r\nContent-Type: text/html\r\n\r\n<b>third</b>\r\n",
};

struct role {
    struct loop *loop;
    int data_dir;
};

static struct role role;
static struct rpc_server *store_server, *content_server, *directory_server;
static struct rpc_link *to_directory, *to_content, *ctl;
static struct imap_server imap;
static char in_memory[] = "/dev/shm/fuzz-imap-store-XXXXXX", on_disk[] = "/tmp/fuzz-imap-store-XXXXXX",
            *folder;

/* The alias that there is, as the directory knows it. */
static struct {
    uint8_t mailbox[MAILBOX_ID_LEN], states[2][256];
    size_t nstates, state_n[2];
    struct buf password;
} joe;

/* ---- what a role is given ------------------------------------------------------------------------ */

struct loop *role_loop(struct role *r)
{
    return r->loop;
}

int role_data_dir(const struct role *r)
{
    return r->data_dir;
}

struct str role_places(const struct role *r)
{
    (void)r;
    return STR_NONE;
}

const uint8_t *role_subkey(const struct role *r, enum subkey_purpose purpose)
{
    static uint8_t keys[SUBKEY_PURPOSES][KEY_BYTES];

    (void)r;
    memset(keys[purpose], 1 + (int)purpose, KEY_BYTES);
    return keys[purpose];
}

const uint8_t *role_ticket_key(const struct role *r)
{
    static const uint8_t key[KEY_BYTES] = { 77 };

    (void)r;
    return key;
}

struct rpc_link *role_link(struct role *r, enum role_id server)
{
    (void)r;
    return server == ROLE_CONTENT ? to_content : to_directory;
}

void role_stopped(struct role *r)
{
    (void)r;
}

int role_spam_file(struct role *r)
{
    (void)r;
    return -1;
}

/* ---- the directory ------------------------------------------------------------------------------- */

static void state_put(size_t i, ProtobufCBinaryData s)
{
    LAW(i < 2 && s.len <= sizeof joe.states[0]);
    memcpy(joe.states[i], s.data, s.len);
    joe.state_n[i] = s.len;
    joe.nstates = i + 1;
}

static int op_resolve(struct rpc_req *q, struct str body)
{
    Directory__ResolveRequest *in = RPC_UNPACK(rpc_req_arena(q), body, directory__resolve_request);
    Directory__ResolveResponse m = DIRECTORY__RESOLVE_RESPONSE__INIT;
    ProtobufCBinaryData states[2] = { { joe.state_n[0], joe.states[0] }, { joe.state_n[1], joe.states[1] } };

    m.result = str_eq_z(pb_str(in->address), "joe@example.test")
                   ? DIRECTORY__RESOLVE_RESPONSE__RESULT__OK
                   : DIRECTORY__RESOLVE_RESPONSE__RESULT__NO_ALIAS;
    m.alias_id = 1;
    m.mailbox_id = (ProtobufCBinaryData){ sizeof joe.mailbox, joe.mailbox };
    m.key_states = states;
    m.n_key_states = joe.nstates;
    rpc_reply(q, 0, &m.base, NULL);
    return 0;
}

static int op_bind(struct rpc_req *q, struct str body)
{
    Directory__BindRequest *in = RPC_UNPACK(rpc_req_arena(q), body, directory__bind_request);

    LAW(in->mailbox_id.len == sizeof joe.mailbox);
    memcpy(joe.mailbox, in->mailbox_id.data, sizeof joe.mailbox);
    state_put(0, in->key_state);
    rpc_reply(q, 0, NULL, NULL);
    return 0;
}

static int op_prepare(struct rpc_req *q, struct str body)
{
    Directory__KeystateRequest *in = RPC_UNPACK(rpc_req_arena(q), body, directory__keystate_request);

    state_put(1, in->key_state);
    rpc_reply(q, 0, NULL, NULL);
    return 0;
}

static int op_commit(struct rpc_req *q, struct str body)
{
    Directory__KeystateRequest *in = RPC_UNPACK(rpc_req_arena(q), body, directory__keystate_request);

    state_put(0, in->key_state);
    rpc_reply(q, 0, NULL, NULL);
    return 0;
}

static int op_lease(struct rpc_req *q, struct str body)
{
    Directory__LeaseResponse m = DIRECTORY__LEASE_RESPONSE__INIT;

    (void)body;
    rpc_reply(q, 0, &m.base, NULL);
    return 0;
}

static const struct rpc_op directory_ops[] = {
    [DIRECTORY__OP__RESOLVE] = { .run = op_resolve, .from = FROM(IMAP) },
    [DIRECTORY__OP__MAILBOX_BIND] = { .run = op_bind, .from = FROM(STORE) },
    [DIRECTORY__OP__KEYSTATE_PREPARE] = { .run = op_prepare, .from = FROM(STORE) },
    [DIRECTORY__OP__KEYSTATE_COMMIT] = { .run = op_commit, .from = FROM(STORE) },
    [DIRECTORY__OP__LEASE] = { .run = op_lease, .from = FROM(STORE) },
};
static const struct rpc_service directory_service = { .name = "directory",
                                                      .ops = directory_ops,
                                                      .nops = ARRAY_LEN(directory_ops) };

/* ---- the roles, once ----------------------------------------------------------------------------- */

static void up(void *ctx, struct rpc_link *l)
{
    imap_link_up(ctx, l);
}

static void down(void *ctx, struct rpc_link *l)
{
    imap_link_down(ctx, l);
}

static void event(void *ctx, struct rpc_link *l, uint32_t e, struct str body)
{
    imap_link_event(ctx, l, e, body);
}

static const struct rpc_link_ops imap_links = { .on_up = up, .on_down = down, .on_event = event };

static struct rpc_link *connect_to(struct rpc_server *s, enum role_id server, enum role_id client,
                                   const struct rpc_link_ops *ops, void *ctx)
{
    struct rpc_link *l = rpc_link_new(role.loop, server, ops, ctx);
    int sv[2];

    LAW(l && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0);
    LAW(rpc_server_add(s, sv[0], client, 0) == 0 && rpc_link_connect(l, sv[1]) == 0);
    return l;
}

static void conf_begin(const struct role_def *def, struct str ini)
{
    static struct arena a = { .max = MIB(1) };
    CLEANUP(buf_release) struct buf err = { .max = KIB(4) };
    struct conf_table t = { def->items, def->nitems };
    struct conf *c = conf_new(&t, 1);

    LAW(c && conf_read_text(c, ini, "fuzz", &err) == 0 && conf_values(c, t.items, t.n, &a, def->conf) == 0);
    conf_free(&c);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static void clean_up(void)
{
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void begin(void)
{
    log_init("imap", LOG_ALARM);
    if (!(folder = mkdtemp(in_memory)))
        folder = mkdtemp(on_disk);
    LAW(folder && chdir(folder) == 0 && atexit(clean_up) == 0);
    role.loop = loop_new();
    role.data_dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    LAW(role.loop && role.data_dir >= 0);
    conf_begin(&content_role, STR(""));
    conf_begin(
        &store_role,
        STR("[store]\nworkers = 2\nreaders = 2\nopen_mailboxes = 64\nhandles = 64\nbackup_interval = 0\n"));
    LAW(content_role.init(&role) == 0 && store_role.init(&role) == 0);
    directory_server = rpc_server_new(role.loop, &directory_service, &role);
    content_server = rpc_server_new(role.loop, content_role.service, &role);
    store_server = rpc_server_new(role.loop, store_role.service, &role);
    LAW(directory_server && content_server && store_server);
    to_directory = connect_to(directory_server, ROLE_DIRECTORY, ROLE_STORE, store_role.links, &role);
    to_content = connect_to(content_server, ROLE_CONTENT, ROLE_STORE, store_role.links, &role);
    LAW(store_role.start(&role) == 0);
    ctl = connect_to(store_server, ROLE_STORE, ROLE_CTL, NULL, NULL);
    imap = (struct imap_server){ .loop = role.loop,
                                 .sessions = IMAP_SESSIONS,
                                 .conf = { KIB(64), 1800000, 60000, 10 } };
    imap.store = connect_to(store_server, ROLE_STORE, ROLE_IMAP, &imap_links, &imap);
    imap.directory = connect_to(directory_server, ROLE_DIRECTORY, ROLE_IMAP, &imap_links, &imap);
}

/* ---- asking the store ---------------------------------------------------------------------------- */

struct answer {
    struct arena arena;
    struct str body;
    int status;
    bool there;
};

static void answered(void *ctx, int status, struct str body)
{
    struct answer *a = ctx;

    a->status = status;
    a->body = arena_dup(&a->arena, body);
    a->there = true;
    loop_stop(role.loop);
}

static void ask(uint32_t op, const ProtobufCMessage *m, struct answer *a)
{
    struct rpc_ask what = {
        .op = op, .body = m, .deadline_ms = ASK_MS, .changes = true, .done = answered, .ctx = a
    };

    *a = (struct answer){ .arena.max = MIB(1) };
    LAW(rpc_link_ask(ctl, &what));
    while (!a->there)
        loop_run(role.loop);
}

static void mailbox_new(void)
{
    Store__KeyAddRequest m = STORE__KEY_ADD_REQUEST__INIT;
    Store__KeyAddResponse *got;
    struct answer a;

    m.alias_id = 1;
    m.name = (char *)(uintptr_t) "fuzz";
    ask(STORE__OP__KEY_ADD, &m.base, &a);
    LAW(a.status == 0 && (got = RPC_UNPACK(&a.arena, a.body, store__key_add_response)));
    joe.password.max = KIB(1);
    buf_clear(&joe.password);
    LAW(buf_puts(&joe.password, pb_str(got->password)) == 0);
    arena_release(&a.arena);
}

/* The store's own look at every table, as `letterlock mailbox check` has it. */
static void mailbox_is_whole(void)
{
    Store__MailboxCheckRequest m = STORE__MAILBOX_CHECK_REQUEST__INIT;
    ProtobufCBinaryData states[2] = { { joe.state_n[0], joe.states[0] }, { joe.state_n[1], joe.states[1] } };
    Store__MailboxCheckResponse *got;
    struct answer a;

    m.mailbox_id = (ProtobufCBinaryData){ sizeof joe.mailbox, joe.mailbox };
    m.key_states = states;
    m.n_key_states = joe.nstates;
    m.current_password = str_pb(buf_str(&joe.password));
    ask(STORE__OP__MAILBOX_CHECK, &m.base, &a);
    LAW(a.status == 0 && (got = RPC_UNPACK(&a.arena, a.body, store__mailbox_check_response)));
    for (size_t i = 0; i < got->n_findings; i++)
        fprintf(stderr, "%s: %s\n", got->findings[i]->what, got->findings[i]->detail);
    LAW(got->found == 0);
    arena_release(&a.arena);
}

static void mailbox_remove(void)
{
    Store__MailboxRemoveRequest m = STORE__MAILBOX_REMOVE_REQUEST__INIT;
    struct answer a;

    m.mailbox_id = (ProtobufCBinaryData){ sizeof joe.mailbox, joe.mailbox };
    ask(STORE__OP__MAILBOX_REMOVE, &m.base, &a);
    LAW(a.status == 0);
    arena_release(&a.arena);
}

/* ---- a client ------------------------------------------------------------------------------------ */

static struct client {
    int fd;
    struct watch watch;
    struct timer late;
    struct buf got, say;
    size_t said;
    bool closed, late_now;
} w;

static void readable(struct watch *x)
{
    char chunk[16384];
    ssize_t n = read(w.fd, chunk, sizeof chunk);

    (void)x;
    if (n > 0) {
        LAW(buf_append(&w.got, chunk, (size_t)n) == 0);
        return;
    }
    w.closed = true;
    watch_pause(&w.watch);
    loop_stop(role.loop);
}

static void too_late(struct timer *t)
{
    (void)t;
    w.late_now = true;
    loop_stop(role.loop);
}

static void say(struct str s)
{
    LAW(write(w.fd, s.p, s.n) == (ssize_t)s.n);
}

static void login(void)
{
    CLEANUP(buf_release) struct buf line = { .max = KIB(2) };
    struct sockaddr_storage peer = { .ss_family = AF_UNIX };
    int sv[2], room = (int)(4 * INPUT_MAX);

    memset(&w, 0, sizeof w);
    w.got = (struct buf){ .max = MIB(64) };
    LAW(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0);
    LAW(setsockopt(sv[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room) == 0);
    imap_accept(&imap, sv[0], (struct sockaddr *)&peer, false);
    imap.conns->tls = true; /* as if it were */
    w.fd = sv[1];
    LAW(watch_init(&w.watch, role.loop, w.fd, readable) == 0 &&
        timer_init(&w.late, role.loop, too_late) == 0);
    LAW(buf_printf(&line, "l LOGIN joe@example.test \"%.*s\"\r\n", STR_ARG(buf_str(&joe.password))) == 0);
    say(buf_str(&line));
}

/* No more is said: until the server has hung up too. */
static void finish(void)
{
    shutdown(w.fd, SHUT_WR);
    timer_set(&w.late, SESSION_MS);
    while (!w.closed && !w.late_now)
        loop_run(role.loop);
    LAW(!w.late_now);
    watch_release(&w.watch);
    timer_release(&w.late);
    close(w.fd);
}

/* Every line whole, literals as long as they say. A session cut in the middle may end in a command's
 * "+ ", never in half a line. How many lines begin with "* ", a number and `word`. */
static uint32_t check_output(struct str got, const char *word)
{
    uint32_t n = 0, number;

    while (got.n) {
        ptrdiff_t lf = str_chr(got, '\n');
        struct literal lit;
        struct str line, head, rest;
        size_t at;

        LAW(lf > 0 && got.p[lf - 1] == '\r');
        line = str_slice(got, 0, (size_t)lf - 1);
        LAW(str_chr(line, '\0') < 0);
        n += str_starts(line, STR("* ")) && str_cut(str_skip(line, 2), ' ', &head, &rest) &&
             str_to_u32(head, &number) && str_starts(rest, str_from(word));
        got = str_skip(got, (size_t)lf + 1);
        if (literal_head_at_end(line, &lit, &at) && lit.sync && !str_starts(line, STR("+"))) {
            LAW(lit.n <= got.n);
            got = str_skip(got, (size_t)lit.n);
            if (got.n && str_chr(got, '\n') < 0)
                break;
        }
    }
    return n;
}

/* "* 12 EXISTS" of SELECT */
static uint32_t exists_of(struct str got)
{
    ptrdiff_t at = str_find(got, STR(" EXISTS\r\n"));
    uint32_t n = 0, ten = 1;

    LAW(at > 0);
    for (; at > 0 && got.p[at - 1] >= '0' && got.p[at - 1] <= '9'; at--, ten *= 10)
        n += ten * (uint32_t)(got.p[at - 1] - '0');
    return n;
}

static void first_session(struct str input)
{
    CLEANUP(buf_release) struct buf line = { .max = KIB(2) };

    imap.conf.message_limit = COPIES_MAX;
    login();
    for (size_t i = 0; i < ARRAY_LEN(letters); i++) {
        buf_clear(&line);
        LAW(buf_printf(&line, "a%zu APPEND INBOX%s {%zu+}\r\n%s\r\n", i, i == 1 ? " (\\Seen red)" : "",
                       strlen(letters[i]), letters[i]) == 0);
        say(buf_str(&line));
    }
    say(STR("s SELECT INBOX\r\n"));
    say(input);
    finish();
    check_output(buf_str(&w.got), "");
    LAW(str_find(buf_str(&w.got), STR("\r\ns OK [READ-WRITE]")) > 0);
    buf_release(&w.got);
}

static void second_session(void)
{
    uint32_t exists, rows;

    imap.conf.message_limit = 0;
    login();
    say(STR("s SELECT INBOX\r\nf FETCH 1:* (UID FLAGS RFC822.SIZE MODSEQ EMAILID ENVELOPE BODYSTRUCTURE)\r\n"
            "g UID SEARCH RETURN (ALL) TEXT e\r\nh LOGOUT\r\n"));
    finish();
    rows = check_output(buf_str(&w.got), "FETCH (");
    exists = exists_of(buf_str(&w.got));
    LAW(rows == exists);
    LAW(str_find(buf_str(&w.got), exists ? STR("\r\nf OK") : STR("\r\nf BAD")) > 0);
    LAW(str_find(buf_str(&w.got), STR("\r\ng OK")) > 0 && str_find(buf_str(&w.got), STR("\r\nh OK")) > 0);
    buf_release(&w.got);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > INPUT_MAX)
        return 0;
    if (!role.loop)
        begin();
    mailbox_new();
    first_session(str_of(data, size));
    second_session();
    mailbox_is_whole();
    mailbox_remove();
    return 0;
}
