/* src/ctl/cmd_spam.c: what the server's classifier learns, and from which score on mail is spam. */
#include "src/ctl/cmd_spam.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/mailauth/psl.h"
#include "lib/spam/model.h"
#include "lib/spam/scan.h"
#include "proto/directory.pb-c.h"
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sysexits.h>

#define FILE_MAX   GIB(2)
#define LETTER_MAX MIB(8)

/* ---- learn ---- */

static int learn_letter(struct spam_model *m, const struct psl *psl, struct str letter, bool spam)
{
    struct spam_facts facts = { .psl = psl };
    struct spam_evidence ev;
    struct spam_scan *s;
    int r;

    memcpy(facts.key, spam_model_key(m), SPAM_KEY_BYTES);
    if (!(s = spam_scan_new(&facts)))
        return E_NOMEM;
    if ((r = spam_scan_feed(s, str_slice(letter, 0, LETTER_MAX))) == 0 && (r = spam_scan_finish(s, &ev)) == 0)
        spam_model_learn(m, ev.tokens, ev.ntokens, spam);
    spam_scan_free(&s);
    return r;
}

/* The next letter of an mbox, without its "From " line; a file that begins otherwise is one letter. */
static struct str next_letter(struct str *rest)
{
    bool mbox = str_starts(*rest, STR("From "));
    struct str all = *rest, letter;
    ptrdiff_t at;

    if (mbox) {
        at = str_chr(all, '\n');
        all = str_skip(all, at < 0 ? all.n : (size_t)at + 1);
    }
    at = mbox ? str_find(all, STR("\nFrom ")) : -1;
    letter = at < 0 ? all : str_slice(all, 0, (size_t)at + 1);
    *rest = str_skip(all, letter.n);
    return letter;
}

static int open_model(const struct args *a, struct spam_model **out)
{
    CLEANUP(fd_close) int fd = -1;
    char path[4096];
    CLEANUP(config_release) struct config c = { .conf = NULL };
    int r = ctl_config(a, &c);

    if (r != 0)
        return r;
    snprintf(path, sizeof path, "%s/spam.model", c.server.data_dir);
    if ((fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) < 0)
        return ctl_fail(EX_NOINPUT, "%s: %s", path, strerror(errno));
    if ((r = spam_model_map(fd, out)) < 0)
        return ctl_fail(EX_DATAERR, "%s: %s", path, error_text(r));
    return 0;
}

int cmd_spam_learn(int argc, char **argv)
{
    CLEANUP(buf_release) struct buf file = { .max = FILE_MAX };
    CLEANUP(spam_model_free) struct spam_model *m = NULL;
    CLEANUP(psl_close) struct psl *psl = NULL;
    struct args a = { .nwords = 0 };
    uint64_t spam, ham, n = 0;
    struct str rest;
    int r;

    if ((r = args_parse(argc, argv, NULL, 0, 2, &a)) != 0)
        return r;
    if (strcmp(a.words[0], "spam") != 0 && strcmp(a.words[0], "ham") != 0)
        return ctl_fail(EX_USAGE, "%s: say spam or ham", a.words[0]);
    if ((r = file_read(AT_FDCWD, a.words[1], &file)) < 0)
        return ctl_fail(EX_NOINPUT, "%s: %s", a.words[1], error_text(r));
    if ((r = open_model(&a, &m)) != 0)
        return r;
    (void)!psl_open(NULL, &psl); /* without, hosts are cut by their last two labels, as by the content role */
    for (rest = buf_str(&file); rest.n; n++)
        if ((r = learn_letter(m, psl, next_letter(&rest), strcmp(a.words[0], "spam") == 0)) < 0)
            return ctl_fail(ctl_exit_code(r), "%s: %s", a.words[1], error_text(r));
    spam_model_counts(m, &spam, &ham);
    fprintf(stderr, "Learnt %llu; in all %llu letters of spam and %llu of ham%s\n", (unsigned long long)n,
            (unsigned long long)spam, (unsigned long long)ham,
            spam < SPAM_MODEL_LEAST || ham < SPAM_MODEL_LEAST ? ": too few yet, 200 of each are needed" : "");
    return EX_OK;
}

/* ---- limits ---- */

static bool take_points(const char *text, uint32_t bit, uint32_t *value, Directory__SpamRequest *q)
{
    int points = 0;

    if (!text)
        return true;
    if (strcmp(text, "default") != 0 && (!spam_points_parse(str_from(text), &points) || points == 0)) {
        ctl_fail(0, "%s: points such as 4.5, or never, or default", text);
        return false;
    }
    *value = (uint32_t)points;
    q->which |= bit;
    return true;
}

static void print_one(const char *name, uint32_t points)
{
    CLEANUP(buf_release) struct buf text = { .max = 100 };

    if (points == 0)
        printf("%s default\n", name);
    else if (points == SPAM_NEVER)
        printf("%s never\n", name);
    else if (spam_points((int)points, &text) == 0)
        printf("%s %.*s\n", name, STR_ARG(buf_str(&text)));
}

static void print_points(const Directory__SpamPoints *p, bool json)
{
    if (json) {
        json_t *j = json_pack("{s:f, s:f, s:f}", "header", p->header / 100.0, "junk", p->junk / 100.0,
                              "reject", p->reject / 100.0);

        json_dumpf(j, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(j);
        return;
    }
    print_one("header", p->header);
    print_one("junk", p->junk);
    print_one("reject", p->reject);
}

int cmd_spam_limits(int argc, char **argv)
{
    const char *header = NULL, *junk = NULL, *reject = NULL;
    const struct option opts[] = { { "--header", &header, NULL },
                                   { "--junk", &junk, NULL },
                                   { "--reject", &reject, NULL } };
    Directory__SpamPoints points = DIRECTORY__SPAM_POINTS__INIT, *now = NULL;
    Directory__SpamRequest q = DIRECTORY__SPAM_REQUEST__INIT;
    CLEANUP(service_close) struct service *s = NULL;
    struct args a = { .nwords = 0 };
    int r;

    if ((r = args_parse(argc, argv, opts, ARRAY_LEN(opts), 1, &a)) != 0)
        return r;
    if (!take_points(header, 1, &points.header, &q) || !take_points(junk, 2, &points.junk, &q) ||
        !take_points(reject, 4, &points.reject, &q))
        return EX_USAGE;
    if ((r = service_open(&a, &s)) != 0)
        return r;
    q.name = str_pb(str_from(a.words[0]));
    q.points = &points;
    r = service_ask(s, ROLE_DIRECTORY, DIRECTORY__OP__SPAM_SET, &q.base, &directory__spam_points__descriptor,
                    &now);
    if (r == E_NOTFOUND)
        return ctl_fail(EX_NOUSER, "%s: no such domain or address here", a.words[0]);
    if (r < 0)
        return ctl_fail(ctl_exit_code(r), "%s: %s", a.words[0], error_text(r));
    print_points(now, a.json);
    return EX_OK;
}
