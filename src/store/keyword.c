/* src/store/keyword.c: keywords (user flags), compared without case (RFC 9051 2.3.2). */
#include "src/store/mailbox_private.h"

#define KEYWORD_BYTES_MAX      255u
#define KEYWORDS_A_MESSAGE_MAX 128u

/* atom characters (RFC 9051 9): what a client may name. */
static bool keyword_char(char c)
{
    return c > 0x20 && c < 0x7f && !strchr("(){%*\"\\]", c);
}

int mailbox_keywords_check(char *const *names, size_t n)
{
    if (n > KEYWORDS_A_MESSAGE_MAX)
        return E_LIMIT;
    for (size_t i = 0; i < n; i++) {
        struct str s = str_from(names[i]);

        if (s.n == 0 || s.n > KEYWORD_BYTES_MAX)
            return s.n ? E_LIMIT : E_SYNTAX;
        for (size_t k = 0; k < s.n; k++)
            if (!keyword_char(s.p[k]))
                return E_SYNTAX;
    }
    return 0;
}

/* Registered keywords (RFC 5788, RFC 8457, RFC 9051 2.3.2) are kept as they are registered, however the first client
 * wrote them. */
static struct str spelling(struct str name)
{
    static const char *const registered[] = {
        "$Forwarded", "$Important", "$Junk",          "$MDNSent",
        "$NotJunk",   "$Phishing",  "$SubmitPending", "$Submitted",
    };

    for (size_t i = 0; i < ARRAY_LEN(registered); i++)
        if (str_ieq_z(name, registered[i]))
            return str_from(registered[i]);
    return name;
}

static int keyword_make(struct mailbox *box, struct str name, int64_t *id_out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int64_t n = 0;
    int r = db_get_i64(box->db, "SELECT count(*) FROM keyword", &n);

    if (r < 0)
        return r;
    if (n >= (int64_t)MAILBOX_KEYWORDS_MAX)
        return E_LIMIT;
    if ((r = stmt_get(box->db, "INSERT INTO keyword (name) VALUES (?1)", &st)) < 0)
        return r;
    stmt_bind_str(st, 1, spelling(name));
    if ((r = stmt_run(st)) < 0)
        return r;
    *id_out = db_last_rowid(box->db);
    return 0;
}

int keyword_id(struct mailbox *box, struct str name, bool create, int64_t *id_out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "SELECT id FROM keyword WHERE name = ?1", &st);

    if (r < 0)
        return r;
    stmt_bind_str(st, 1, name);
    if ((r = stmt_step(st)) < 0)
        return r;
    if (r == 0)
        return create ? keyword_make(box, name, id_out) : E_NOTFOUND;
    *id_out = stmt_i64(st, 0);
    return 0;
}

/* 1: it changed; 0: it was so. */
int keyword_set(struct mailbox *box, uint64_t folder_id, uint32_t uid, int64_t keyword, bool on)
{
    static const char add[] = "INSERT OR IGNORE INTO message_keyword VALUES (?1, ?2, ?3)";
    static const char del[] =
        "DELETE FROM message_keyword WHERE folder_id = ?1 AND uid = ?2 AND keyword_id = ?3";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, on ? add : del, &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, folder_id);
    stmt_bind_u64(st, 2, uid);
    stmt_bind_i64(st, 3, keyword);
    return (r = stmt_run(st)) < 0 ? r : db_changes(box->db) > 0;
}

static int names_collect(struct stmt *st, struct arena *a, char ***v_out, size_t *n_out)
{
    char *names[KEYWORDS_A_MESSAGE_MAX], **v = NULL;
    size_t n = 0, total = 0;
    int r;

    while ((r = stmt_step(st)) > 0) {
        if (n == ARRAY_LEN(names)) { /* move what is there to the arena, and go on */
            char **more = ARENA_ARRAY(a, total + n + ARRAY_LEN(names), char *);

            if (!more)
                return E_NOMEM;
            if (total)
                memcpy(more, v, total * sizeof *v);
            memcpy(more + total, names, sizeof names);
            v = more;
            total += n;
            n = 0;
        }
        if (!(names[n++] = arena_dupz(a, stmt_str(st, 0))))
            return E_NOMEM;
    }
    if (r < 0)
        return r;
    if (total == 0 && n && !(v = ARENA_ARRAY(a, n, char *)))
        return E_NOMEM;
    if (n)
        memcpy(v + total, names, n * sizeof *v);
    *v_out = total + n ? v : NULL;
    *n_out = total + n;
    return 0;
}

int keywords_of(struct mailbox *box, struct arena *a, uint64_t folder_id, uint32_t uid, char ***v_out,
                size_t *n_out)
{
    static const char sql[] = "SELECT k.name FROM message_keyword m JOIN keyword k ON k.id = m.keyword_id "
                              "WHERE m.folder_id = ?1 AND m.uid = ?2 ORDER BY k.id";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, folder_id);
    stmt_bind_u64(st, 2, uid);
    return names_collect(st, a, v_out, n_out);
}

int keywords_of_folder(struct mailbox *box, struct arena *a, uint64_t folder_id, char ***v_out, size_t *n_out)
{
    static const char sql[] = "SELECT name FROM keyword WHERE EXISTS (SELECT 1 FROM message_keyword m "
                              "WHERE m.folder_id = ?1 AND m.keyword_id = keyword.id) ORDER BY id";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, folder_id);
    return names_collect(st, a, v_out, n_out);
}
