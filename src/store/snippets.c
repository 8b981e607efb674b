/* src/store/snippets.c: SNIPPETS. Message by message: a reader gives the beginning of it, content makes the
 * lines. What is read waits in memory, one message at a time, at most MESSAGE_MAX of it. */
#include "lib/mime/fold.h"
#include "lib/regex/fold.h"
#include "src/store/store.h"

#define UIDS_MAX      100u
#define MESSAGE_MAX   MIB(1)
#define ARENA_MAX     MIB(8)
#define DEADLINE_MS   10000
#define ALL_MS        60000
#define AGAIN_MS      50
#define ATTEMPTS_MAX  6
#define QUESTIONS_MAX 16u
#define TEXT_MAX      KIB(8)
#define DEPTH_MAX     32u
#define SLICE         KIB(64)

#define T(name) STORE__SEARCH_KEY__TYPE__##name

struct snippets {
    struct job job;
    struct rpc_req *q;
    const Store__SnippetsRequest *m;
    struct actor *actor;
    struct arena arena;
    Content__SnippetRequest ask;
    Content__SnippetRequest__Question questions[QUESTIONS_MAX], *list[QUESTIONS_MAX];
    Store__SnippetsResponse resp;
    Store__SnippetsResponse__Snippet snippet, *snippets[UIDS_MAX];
    uint32_t uids[UIDS_MAX];
    size_t nuids, at;
    struct buf message;
    size_t sent;
    struct rpc_call *call;
    struct timer again;
    int attempts;
    int64_t until_ms;
    bool reading, cancelled;
};

static void next(struct snippets *s);

static void snippets_end(struct snippets *s, int status)
{
    rpc_req_on_cancel(s->q, NULL, NULL);
    timer_release(&s->again);
    request_reply(s->q, status == E_CLOSED ? E_GONE : status, status < 0 ? NULL : &s->resp.base, NULL);
    buf_release(&s->message);
    arena_release(&s->arena);
    actor_unref(s->actor);
    free(s);
}

/* ---- questions -------------------------------------------------------------------------------- */

static int question_add(struct snippets *s, const Store__SearchKey *k, bool fuzzy)
{
    CLEANUP(buf_release) struct buf text = { .max = KIB(128) }, field = { .max = KIB(128) };
    Content__SnippetRequest__Question *to = &s->questions[s->ask.n_questions];
    bool regex = k->type == T(REGEX);
    struct str name = k->type == T(BODY) ? STR("body") : pb_str(k->name), folded, label;
    int r;

    if (s->ask.n_questions == QUESTIONS_MAX || k->text.len == 0 || k->text.len > TEXT_MAX ||
        name.n > TEXT_MAX)
        return 0;
    if ((r = (regex ? regex_fold : mime_fold_append)(pb_str(k->text), &text)) < 0 ||
        (r = mime_fold_append(name, &field)) < 0)
        return r;
    folded = arena_dup(&s->arena, buf_str(&text));
    label = arena_dup(&s->arena, field.n ? buf_str(&field) : STR(""));
    if (!folded.p || !label.p)
        return E_NOMEM;
    content__snippet_request__question__init(to);
    to->kind = regex   ? CONTENT__SNIPPET_REQUEST__QUESTION__KIND__REGEX
               : fuzzy ? CONTENT__SNIPPET_REQUEST__QUESTION__KIND__FUZZY
                       : CONTENT__SNIPPET_REQUEST__QUESTION__KIND__EXACT;
    to->text = str_pb(folded);
    to->field = str_pb(label);
    s->list[s->ask.n_questions++] = to;
    return 0;
}

/* What is below NOT is not there to be shown. */
static int questions_of(struct snippets *s, const Store__SearchKey *k, bool fuzzy, unsigned depth)
{
    int r = 0;

    if (!k || depth > DEPTH_MAX)
        return k ? E_LIMIT : E_SYNTAX;
    switch (k->type) {
    case T(HEADER):
    case T(BODY):
    case T(TEXT):
    case T(REGEX): return question_add(s, k, fuzzy);
    case T(AND):
    case T(OR):
    case T(FUZZY): break;
    default: return 0;
    }
    for (size_t i = 0; i < k->n_children && r >= 0; i++)
        r = questions_of(s, k->children[i], fuzzy || k->type == T(FUZZY), depth + 1);
    return r;
}

/* ---- content ---------------------------------------------------------------------------------- */

static int copy(struct snippets *s, ProtobufCBinaryData from, ProtobufCBinaryData *to)
{
    *to = str_pb(arena_dup(&s->arena, from.len ? pb_str(from) : STR("")));
    return to->data ? 0 : E_NOMEM;
}

static int line_take(struct snippets *s, const Content__SnippetLine *in, Store__SnippetsResponse__Line **out)
{
    Store__SnippetsResponse__Line *l = ARENA_NEW(&s->arena, Store__SnippetsResponse__Line);
    int r;

    if (!l)
        return E_NOMEM;
    store__snippets_response__line__init(*out = l);
    if (!(l->matches = ARENA_ARRAY(&s->arena, in->n_matches + 1, uint32_t)))
        return E_NOMEM;
    for (size_t i = 0; i + 1 < in->n_matches; i += 2) {
        if (in->matches[i] > in->matches[i + 1] || in->matches[i + 1] > in->text.len)
            return E_BUG;
        l->matches[l->n_matches++] = in->matches[i];
        l->matches[l->n_matches++] = in->matches[i + 1];
    }
    l->cut_before = in->cut_before;
    l->cut_after = in->cut_after;
    return (r = copy(s, in->field, &l->field)) < 0 ? r : copy(s, in->text, &l->text);
}

static int answer_take(struct snippets *s, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(1) };
    Content__SnippetResponse *m = RPC_UNPACK(&a, body, content__snippet_response);
    Store__SnippetsResponse__Snippet *to = ARENA_NEW(&s->arena, Store__SnippetsResponse__Snippet);
    int r;

    if (!m || !to)
        return m ? E_NOMEM : E_BUG;
    *to = s->snippet;
    if ((r = copy(s, m->subject, &to->subject)) < 0 || (r = copy(s, m->from, &to->from)) < 0 ||
        (r = copy(s, m->date, &to->date)) < 0)
        return r;
    if (!(to->lines = ARENA_ARRAY(&s->arena, m->n_lines + 1, Store__SnippetsResponse__Line *)))
        return E_NOMEM;
    for (; to->n_lines < m->n_lines; to->n_lines++)
        if ((r = line_take(s, m->lines[to->n_lines], &to->lines[to->n_lines])) < 0)
            return r;
    s->snippets[s->resp.n_snippets++] = to;
    return 0;
}

static void on_done(void *ctx, int status, struct str body)
{
    struct snippets *s = ctx;

    s->call = NULL;
    if ((status == E_BUSY || status == E_CLOSED || status == E_TIMEOUT) && ++s->attempts < ATTEMPTS_MAX) {
        timer_set(&s->again, AGAIN_MS * s->attempts);
        return;
    }
    if (status >= 0)
        status = answer_take(s, body);
    if (status < 0) {
        snippets_end(s, status == E_BUSY || status == E_CLOSED || status == E_TIMEOUT ? E_UNAVAIL : status);
        return;
    }
    s->at++;
    next(s);
}

static void pump(void *ctx)
{
    struct snippets *s = ctx;

    while (s->call && s->sent < s->message.n && rpc_call_room(s->call) > 0) {
        struct str slice = str_slice(buf_str(&s->message), s->sent, s->sent + SLICE);

        if (rpc_call_send(s->call, slice) < 0)
            return; /* the call fails by itself */
        s->sent += slice.n;
        if (s->sent == s->message.n)
            rpc_call_end(s->call);
    }
}

static void ask_content(struct snippets *s)
{
    struct rpc_ask ask = { .op = CONTENT__OP__SNIPPET,
                           .body = &s->ask.base,
                           .deadline_ms = DEADLINE_MS,
                           .upload = true,
                           .done = on_done,
                           .on_room = pump,
                           .ctx = s };

    s->sent = 0;
    if (!(s->call = rpc_link_ask(role_link(store.role, ROLE_CONTENT), &ask))) {
        snippets_end(s, E_NOMEM);
        return;
    }
    if (s->message.n == 0)
        rpc_call_end(s->call);
    pump(s);
}

static void ask_again(struct timer *t)
{
    struct snippets *s = CONTAINER_OF(t, struct snippets, again);

    if (store.stopping)
        snippets_end(s, E_UNAVAIL);
    else
        ask_content(s);
}

/* ---- messages --------------------------------------------------------------------------------- */

static int read_run(struct job *j, struct mailbox *box)
{
    struct snippets *s = CONTAINER_OF(j, struct snippets, job);

    store__snippets_response__snippet__init(&s->snippet);
    s->snippet.uid = s->uids[s->at];
    buf_clear(&s->message);
    return message_begin_read(box, s->m->folder_id, s->uids[s->at], MESSAGE_MAX, &s->message,
                              &s->snippet.internal_date_ms);
}

static void read_done(struct job *j)
{
    struct snippets *s = CONTAINER_OF(j, struct snippets, job);

    s->reading = false;
    if (s->cancelled) {
        snippets_end(s, E_CANCELED);
    } else if (j->status == E_GONE) {
        s->at++;
        next(s);
    } else if (j->status < 0) {
        snippets_end(s, j->status);
    } else {
        s->attempts = 0;
        ask_content(s);
    }
}

static void next(struct snippets *s)
{
    int r;

    if (s->at == s->nuids || clock_mono_ms() > s->until_ms) {
        s->resp.snippets = s->snippets;
        snippets_end(s, s->at == s->nuids ? 0 : E_TIMEOUT);
        return;
    }
    s->job = (struct job){ .kind = JOB_READ, .reader = READER_FETCH, .run = read_run, .done = read_done };
    s->reading = true;
    if ((r = actor_submit(s->actor, &s->job)) < 0) {
        s->reading = false;
        snippets_end(s, r);
    }
}

static void on_cancel(void *ctx)
{
    struct snippets *s = ctx;

    if (s->reading) {
        s->cancelled = true;
        return;
    }
    if (s->call)
        rpc_call_cancel(s->call);
    snippets_end(s, E_CANCELED);
}

static int uids_take(struct snippets *s, const Store__SnippetsRequest *m)
{
    int r = uidset_check(m->uid_ranges, m->n_uid_ranges);

    if (r < 0 || uidset_count(m->uid_ranges, m->n_uid_ranges) > UIDS_MAX)
        return r < 0 ? r : E_LIMIT;
    for (size_t i = 0; i + 1 < m->n_uid_ranges; i += 2)
        for (uint64_t uid = m->uid_ranges[i]; uid <= m->uid_ranges[i + 1]; uid++)
            s->uids[s->nuids++] = (uint32_t)uid;
    return 0;
}

int op_snippets(struct rpc_req *q, struct str body)
{
    Store__SnippetsRequest *m = RPC_UNPACK(rpc_req_arena(q), body, store__snippets_request);
    struct session *session = m ? session_of(q, pb_str(m->session)) : NULL;
    struct snippets *s;
    int r;

    if (!m || !session)
        return m ? E_GONE : E_SYNTAX;
    if (!(s = calloc(1, sizeof *s)))
        return E_NOMEM;
    *s = (struct snippets){ .q = q, .m = m, .actor = session->actor, .arena = { .max = ARENA_MAX } };
    s->message.max = MESSAGE_MAX;
    s->until_ms = clock_mono_ms() + ALL_MS;
    content__snippet_request__init(&s->ask);
    store__snippets_response__init(&s->resp);
    s->ask.questions = s->list;
    s->ask.chars_max = m->chars_max;
    s->ask.lines_max = m->lines_max;
    if ((r = uids_take(s, m)) < 0 || (r = questions_of(s, m->key, false, 0)) < 0 ||
        (r = timer_init(&s->again, store.loop, ask_again)) < 0) {
        arena_release(&s->arena);
        free(s);
        return r;
    }
    actor_ref(s->actor);
    request_begin();
    rpc_req_on_cancel(q, on_cancel, s);
    next(s);
    return 0;
}
