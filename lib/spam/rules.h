/* lib/spam/rules.h
 *
 * The evidence there can be, each with a name and a score: the table that doc/spam.md prints. Hundredths, so that sums
 * are exact; positive speaks for spam. What finds the evidence is elsewhere (scan.h for the letter, src/mx for
 * where it came from); here it is only added up. */
#ifndef LIB_SPAM_RULES_H
#define LIB_SPAM_RULES_H
#include "lib/base/buf.h"
#include "lib/base/errors.h"

#define SPAM_RULES_LIST(X)                                                                                   \
    /* tests that everybody agreed on */                                                                     \
    X(GTUBE, 10000, "the generic test for unsolicited bulk email")                                           \
    X(EICAR, 10000, "the anti-virus test file")                                                              \
    /* what is attached, by content, by name, inside archives too */                                         \
    X(EXE_CONTENT, 700, "a program, by its first bytes")                                                     \
    X(EXE_NAME, 500, "a file that is run when it is opened, by its name")                                    \
    X(EXE_DISGUISED, 700, "a program's name that looks like a document's")                                   \
    X(SCRIPT_CONTENT, 100, "a script, by its first line")                                                    \
    X(OFFICE_MACRO, 300, "an Office document with macros")                                                   \
    X(DISK_IMAGE, 300, "a disk image: Windows opens it and drops the mark of the Internet")                  \
    X(ARCHIVE_ENCRYPTED, 100, "an archive that nobody can look into")                                        \
    X(ARCHIVE_LIMIT, 150, "an archive that is deeper, larger or fuller than is looked at")                   \
    /* where links lead */                                                                                   \
    X(LINK_OTHER_HOST, 200, "a link that shows one host and leads to another")                               \
    X(URL_HOMOGRAPH, 500, "a link to a name written with letters of other scripts to look like a known one") \
    X(URL_LOOKALIKE, 400, "a link to a name that looks like a known one")                                    \
    X(URL_NEAR, 150, "a link to a name one letter away from a known one")                                    \
    X(URL_BRAND_INSIDE, 300, "a link to a host that begins like a known one and belongs to others")          \
    X(URL_MIXED_SCRIPT, 250, "a link to a name of several scripts")                                          \
    X(URL_IP, 150, "a link to a bare address")                                                               \
    X(URL_USERINFO, 200, "a link with something like a host before an @")                                    \
    /* who says he wrote it */                                                                               \
    X(FROM_HOMOGRAPH, 500, "From a name written with letters of other scripts to look like a known one")     \
    X(FROM_LOOKALIKE, 400, "From a name that looks like a known one, or like the recipient's own")           \
    X(FROM_NEAR, 150, "From a name one letter away from a known one, or from the recipient's own")           \
    X(FROM_NAME_ADDRESS, 200, "From: the name shown is an address elsewhere")                                \
    X(FROM_NAME_BRAND, 150, "From: the name shown is a known one, and the domain is not its own")            \
    X(REPLY_ELSEWHERE, 50, "answers go to another domain than the one in From")                              \
    /* how it is written */                                                                                  \
    X(HTML_HIDDEN_TEXT, 200, "more text that cannot be seen than text that can")                             \
    X(HTML_IMAGE_ONLY, 100, "pictures and hardly any text")                                                  \
    X(HTML_FORM, 150, "a form")                                                                              \
    X(HTML_SCRIPT, 100, "a script")                                                                          \
    X(HTML_ONLY, 30, "HTML without a text beside it")                                                        \
    X(INVISIBLE_CHARS, 150, "words broken by characters that cannot be seen")                                \
    X(SUBJECT_CAPS, 80, "a subject in capitals")                                                             \
    /* its header */                                                                                         \
    X(DUPLICATE_FIELD, 150, "a field twice that may stand once")                                             \
    X(MISSING_DATE, 100, "no Date")                                                                          \
    X(MISSING_FROM, 150, "no From")                                                                          \
    X(MISSING_MESSAGE_ID, 50, "no Message-ID")                                                               \
    X(MISSING_SUBJECT, 50, "no Subject")                                                                     \
    X(MISSING_TO, 50, "neither To nor Cc")                                                                   \
    X(DATE_ELSEWHEN, 100, "a Date days away from when it came")                                              \
    /* bulk */                                                                                               \
    X(MAILING_LIST, -50, "a mailing list that says how to post to it")                                       \
    X(BULK, 30, "says that it is bulk mail, and not how to end it")                                          \
    /* whether the sender is who he says (the MX knows) */                                                   \
    X(SPF_PASS, -10, "SPF: its server may send for that domain")                                             \
    X(SPF_FAIL, 150, "SPF: its server may not send for that domain")                                         \
    X(SPF_SOFTFAIL, 70, "SPF: its server probably may not send for that domain")                             \
    X(DKIM_PASS, -20, "DKIM: a valid signature")                                                             \
    X(DKIM_FAIL, 30, "DKIM: a signature that is not valid")                                                  \
    X(DMARC_PASS, -50, "DMARC: the domain in From proved")                                                   \
    X(DMARC_FAIL, 150, "DMARC: the domain in From not proved, and it minds")                                 \
    X(HELO_ODD, 80, "its server calls itself something that it is not")                                      \
    X(SENDER_ODD, 100, "the sender's domain takes no mail")                                                  \
    X(NO_REVERSE_NAME, 50, "no verified name of the host that sent it")                                      \
    /* what was learnt */                                                                                    \
    X(BAYES_00, -200, "words: under 1 % for spam")                                                           \
    X(BAYES_10, -80, "words: under 10 %")                                                                    \
    X(BAYES_80, 150, "words: 80 % and more for spam")                                                        \
    X(BAYES_95, 300, "words: 95 % and more")                                                                 \
    X(BAYES_99, 450, "words: 99 % and more")                                                                 \
    X(BAYES_999, 550, "words: 99.9 % and more")                                                              \
    X(BAYES_SURE, 650, "words: all but one in a million")                                                    \
    /* what others say, when they are asked */                                                               \
    X(URL_LISTED, 400, "a link to a host on a list of bad ones")                                             \
    X(CLAMAV, 10000, "ClamAV knows what is in it")                                                           \
    X(RSPAMD, 0, "what rspamd says: its score")

enum spam_rule {
#define X(name, score, text) SPAM_##name,
    SPAM_RULES_LIST(X)
#undef X
        SPAM_RULES
};

struct spam_row {
    const char *name, *text;
    int score; /* hundredths */
};
extern const struct spam_row spam_rows[SPAM_RULES];

/* Evidence of one letter: rules that hold, each once, and points without a rule of their own (rspamd). */
struct spam_hits {
    bool hit[SPAM_RULES];
    int extra; /* hundredths, of SPAM_RSPAMD */
};

void spam_hit(struct spam_hits *h, enum spam_rule r);
/* Sum in hundredths. */
int spam_score(const struct spam_hits *h);
/* The row for what a classifier said; nothing for BAYES_NONE and for the middle. */
void spam_hit_bayes(struct spam_hits *h, double p);
/* Append "GTUBE,MISSING_DATE", what counts most first; "none" without any. Errors: those of buf. */
MUST_CHECK int spam_names(const struct spam_hits *h, struct buf *out);
/* "6", "4.5", "never" (SPAM_NEVER) to hundredths, 0 to 1000 points. False: none of these. */
#define SPAM_NEVER 1000000
bool spam_points_parse(struct str s, int *out);
/* Append hundredths as "12.3" (one digit, as others print it). Errors: those of buf. */
MUST_CHECK int spam_points(int hundredths, struct buf *out);
#endif
