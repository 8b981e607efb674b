#include "lib/base/test.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/port/mbox.h"
#include "lib/port/tree.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define DATE INT64_C(1793614272000) /* 2026-11-02T10:11:12Z */

/* ---- mbox ---- */

static const struct {
    const char *name, *message, *mbox; /* behind the From line and ours */
} quoted[] = {
    { "plain", "A: b\r\n\r\nhello\r\n", "A: b\n\nhello\n\n" },
    { "from", "A: b\r\n\r\nFrom me\r\n>From you\r\n>>From us\r\n",
      "A: b\n\n>From me\n>>From you\n>>>From us\n\n" },
    { "not from", "A: b\r\n\r\nFromage\r\n> From\r\nfrom x\r\n", "A: b\n\nFromage\n> From\nfrom x\n\n" },
    { "cut short", "A: b\r\n\r\nFro", "A: b\n\nFro\n\n" },
    { "empty lines", "A: b\r\n\r\n\r\n\r\n", "A: b\n\n\n\n\n" },
    { "bare CR", "A: b\r\n\r\nx\ry\r\n", "A: b\n\nx\ry\n\n" },
};

static void encode(struct str message, size_t slice, struct buf *out)
{
    struct mbox_encoder e = { .cr = false };
    struct port_message m = { .flags = PORT_SEEN | PORT_FLAGGED, .date_ms = DATE };

    CHECK(mbox_encode_begin(&e, &m, out) == 0);
    for (size_t at = 0; at < message.n; at += slice)
        CHECK(mbox_encode(&e, str_slice(message, at, at + slice), out) == 0);
    CHECK(mbox_encode_end(&e, out) == 0);
    mbox_encoder_release(&e);
}

static void test_mbox_encode(void **state UNUSED)
{
    static const char head[] =
        "From MAILER-DAEMON Mon Nov  2 10:11:12 2026\nStatus: RO\nX-Status: F\nX-Keywords:\n";

    for (size_t i = 0; i < ARRAY_LEN(quoted); i++)
        for (size_t slice = 1; slice < 40; slice += 38) {
            CLEANUP(buf_release) struct buf out = { .max = KIB(64) };

            check_case = quoted[i].name;
            encode(str_from(quoted[i].message), slice, &out);
            CHECK(str_starts(buf_str(&out), str_from(head)));
            CHECK(str_eq_z(str_skip(buf_str(&out), strlen(head)), quoted[i].mbox));
        }
    check_case = "";
}

static void test_from_line(void **state UNUSED)
{
    static const struct {
        const char *line;
        int64_t ms;
        bool is;
    } rows[] = {
        { "From MAILER-DAEMON Mon Nov  2 10:11:12 2026\n", DATE, true },
        { "From a b@c Mon Nov  2 10:11:12 2026 +0100\n", DATE - 3600000, true },
        { "From a@b Mon Nov  2 10:11:12 +0000 2026\r\n", DATE, true },
        { "From a@b Mon Nov  2 10:11 2026\n", DATE - 12000, true },
        { "From a@b Tue Jan  5 10:11:12 1960\n", INT64_C(-315236928000), true },
        { "From a@b\n", 0, false },
        { "From the Mon Nov 99 10:11:12 2026\n", 0, false },
        { ">From a@b Mon Nov  2 10:11:12 2026\n", 0, false },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t ms = 0;

        check_case = rows[i].line;
        CHECK(mbox_from_line(str_from(rows[i].line), &ms) == rows[i].is && ms == rows[i].ms);
    }
    check_case = "";
}

/* ---- all formats: what was written is read again ---- */

static const char *const bodies[] = {
    "Subject: one\r\n\r\nFrom here on\r\n\r\nFrom MAILER-DAEMON Mon Nov  2 10:11:12 2026\r\n>From\r\n",
    "Subject: two\r\n\r\n\r\n\r\n",
    "Status: mine\r\nSubject: three\r\n\r\n",
    "\r\nno header\r\n",
};
static const char *const folders[] = { "INBOX", "Work", "Work/Sub.dotted", "Ärger/50% off: <x>" };

static char at[64];

static void write_one(struct port_writer *w, size_t k, size_t i)
{
    struct str keywords[] = { STR("$Forwarded"), STR("blue") };
    struct port_message m = { .number = i + 1,
                              .flags = (uint32_t)(k * 7 + i) & 31u,
                              .keywords = keywords,
                              .nkeywords = i % 3,
                              .date_ms = DATE + (int64_t)i * 1000,
                              .bytes = strlen(bodies[i]) };

    CHECK(w->ops->begin(w, &m) == 0);
    for (size_t b = 0; b < m.bytes; b += 5)
        CHECK(w->ops->data(w, str_slice(str_from(bodies[i]), b, b + 5)) == 0);
    CHECK(w->ops->end(w) == 0);
}

static void write_all(enum port_format f, const char *path)
{
    struct port_writer *w = NULL;

    CHECK(port_writer_open(f, path, STR("a password"), PORT_NEW, &w) == 0);
    for (size_t k = 0; k < ARRAY_LEN(folders); k++) {
        CHECK(w->ops->folder(w, str_from(folders[k])) == 0);
        for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
            write_one(w, k, i);
    }
    CHECK(w->ops->finish(w) == 0);
    port_writer_free(&w);
    CHECK(port_writer_open(f, path, STR("a password"), PORT_NEW, &w) ==
          E_EXISTS); /* never over something else */
}

static size_t folder_number(struct str name)
{
    for (size_t k = 0; k < ARRAY_LEN(folders); k++)
        if (str_eq_z(name, folders[k]))
            return k;
    CHECK(false);
    return 0;
}

static void read_all(enum port_format f, const char *path, size_t slice)
{
    bool seen[ARRAY_LEN(folders)][ARRAY_LEN(bodies)] = { { false } };
    struct port_reader *r = NULL;
    struct port_message m;
    size_t n = 0;
    int e;

    CHECK(port_reader_open(f, path, STR("a password"), STR_NONE, &r) == 0);
    for (; (e = r->ops->next(r, &m)) == 1; n++) {
        CLEANUP(buf_release) struct buf body = { .max = KIB(64) };
        size_t k = folder_number(m.folder), i = 0;
        int64_t got;

        while ((got = r->ops->read(r, slice, &body)) > 0)
            ;
        CHECK(got == 0);
        while (i < ARRAY_LEN(bodies) && !str_eq_z(buf_str(&body), bodies[i]))
            i++;
        CHECK(i < ARRAY_LEN(bodies) && !seen[k][i]);
        seen[k][i] = true;
        CHECK(m.flags == ((k * 7 + i) & 31u) && m.nkeywords == i % 3 && m.has_date &&
              m.date_ms == DATE + (int64_t)i * 1000);
        CHECK(m.nkeywords == 0 || str_eq_z(m.keywords[0], "$Forwarded"));
    }
    CHECK(e == 0 && n == ARRAY_LEN(folders) * ARRAY_LEN(bodies));
    port_reader_free(&r);
}

static void test_round(void **state UNUSED)
{
    static const struct {
        enum port_format f;
        const char *name;
    } rows[] = { { PORT_MBOX, "mbox" },
                 { PORT_MAILDIR, "maildir" },
                 { PORT_EML, "eml.zip" },
                 { PORT_SQLITE, "mail.sqlite" } };
    struct port_reader *r = NULL;
    char path[128];

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_case = rows[i].name;
        snprintf(path, sizeof path, "%s/%s", at, rows[i].name);
        write_all(rows[i].f, path);
        read_all(rows[i].f, path, KIB(16));
        read_all(rows[i].f, path, 8);
    }
    check_case = "";
    snprintf(path, sizeof path, "%s/eml.zip", at);
    CHECK(port_reader_open(PORT_EML, path, STR("another"), STR_NONE, &r) == E_AUTH);
    snprintf(path, sizeof path, "%s/mail.sqlite", at);
    CHECK(port_reader_open(PORT_SQLITE, path, STR("another"), STR_NONE, &r) == E_AUTH);
    snprintf(path, sizeof path, "%s/none.sqlite", at);
    CHECK(port_reader_open(PORT_SQLITE, path, STR("another"), STR_NONE, &r) == E_NOTFOUND);
}

static void test_cancel(void **state UNUSED)
{
    static const enum port_format formats[] = { PORT_MBOX, PORT_MAILDIR, PORT_EML };
    struct port_message m = { .number = 1, .date_ms = DATE, .bytes = 100 }, got;
    char path[128];

    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        struct port_writer *w = NULL;
        struct port_reader *r = NULL;

        m.number = 1;
        m.bytes = 100;
        snprintf(path, sizeof path, "%s/cancelled-%zu", at, i);
        CHECK(port_writer_open(formats[i], path, STR("a password"), PORT_NEW, &w) == 0 &&
              w->ops->folder(w, STR("INBOX")) == 0);
        CHECK(w->ops->begin(w, &m) == 0 && w->ops->data(w, STR("half of a mess")) == 0 &&
              w->ops->cancel(w) == 0);
        m.number = 2;
        m.bytes = 8;
        CHECK(w->ops->begin(w, &m) == 0 && w->ops->data(w, STR("A: b\r\n\r\n")) == 0 && w->ops->end(w) == 0);
        CHECK(w->ops->finish(w) == 0);
        port_writer_free(&w);
        CHECK(port_reader_open(formats[i], path, STR("a password"), STR_NONE, &r) == 0);
        CHECK(r->ops->next(r, &got) == 1 && r->ops->next(r, &got) == 0);
        port_reader_free(&r);
    }
}

/* What a write of such a file leaves when it is killed before the rename, and what only looks like it. */
static const char *const killed[] = { "maildirfolder.0123456789abcdef.tmp",
                                      "dovecot-keywords.fedcba9876543210.tmp" };
static const char *const alike[] = { "maildirfolder.0123456789abcdeg.tmp", "dovecot-keywords.0.tmp" };

static int second_folder(const char *path)
{
    char name[256];

    snprintf(name, sizeof name, "%s/.%s", path, folders[1]);
    return open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void leave(const char *path)
{
    CLEANUP(fd_close) int dir = second_folder(path);

    for (size_t i = 0; i < ARRAY_LEN(killed); i++)
        CHECK(file_replace(dir, killed[i], STR("0 half")) == 0 && file_replace(dir, alike[i], STR("")) == 0);
}

static void left(const char *path)
{
    CLEANUP(fd_close) int dir = second_folder(path);

    for (size_t i = 0; i < ARRAY_LEN(killed); i++)
        CHECK(faccessat(dir, killed[i], F_OK, 0) < 0 && file_remove(dir, alike[i]) == 0);
}

/* Broken off in the second folder, a message after the last mark, and in the middle of one more. */
static void test_resume(void **state UNUSED)
{
    static const enum port_format formats[] = { PORT_MBOX, PORT_MAILDIR, PORT_EML, PORT_SQLITE };
    struct port_message half = { .number = 4, .date_ms = DATE, .bytes = 1000 };
    char path[128];

    for (size_t f = 0; f < ARRAY_LEN(formats); f++) {
        struct port_writer *w = NULL;
        int64_t position;

        snprintf(path, sizeof path, "%s/resumed-%zu", at, f);
        CHECK(port_writer_open(formats[f], path, STR("a password"), PORT_NEW, &w) == 0);
        CHECK(w->ops->folder(w, str_from(folders[0])) == 0);
        for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
            write_one(w, 0, i);
        CHECK(w->ops->folder(w, str_from(folders[1])) == 0);
        write_one(w, 1, 0);
        write_one(w, 1, 1);
        position = w->ops->mark(w);
        CHECK(position >= 0);
        write_one(w, 1, 2);
        CHECK(w->ops->begin(w, &half) == 0 && w->ops->data(w, STR("half of a mess")) == 0);
        port_writer_free(&w);
        if (formats[f] == PORT_MAILDIR)
            leave(path);
        CHECK(port_writer_open(formats[f], path, STR("a password"), position, &w) == 0);
        /* The position says which folder, where the file's names are nobody else's business. */
        CHECK(w->ops->resume(w, formats[f] == PORT_SQLITE ? STR("another") : str_from(folders[1]), position,
                             2) == 0);
        for (size_t i = 2; i < ARRAY_LEN(bodies); i++)
            write_one(w, 1, i);
        if (formats[f] == PORT_MAILDIR)
            left(path);
        CHECK(w->ops->resume(w, str_from(folders[2]), 0, 0) == 0); /* it was not there yet */
        for (size_t k = 2; k < ARRAY_LEN(folders); k++) {
            CHECK(k == 2 || w->ops->folder(w, str_from(folders[k])) == 0);
            for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
                write_one(w, k, i);
        }
        CHECK(w->ops->finish(w) == 0);
        port_writer_free(&w);
        read_all(formats[f], path, 64);
    }
}

static int setup(void **state UNUSED)
{
    snprintf(at, sizeof at, "/tmp/port-test-XXXXXX");
    return mkdtemp(at) ? 0 : -1;
}

static int teardown(void **state UNUSED)
{
    char command[100];

    snprintf(command, sizeof command, "rm -rf %s", at);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mbox_encode), cmocka_unit_test(test_from_line), cmocka_unit_test(test_round),
        cmocka_unit_test(test_cancel),      cmocka_unit_test(test_resume),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
