/* The IMAP role against a store in memory: dialogues as tables, updates, NOTIFY, limits. */
#include "src/imap/dialogue.h"

static void test_before_login(void **state UNUSED)
{
    dialogue(
        "a CAPABILITY\r\n",
        "* CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE LANGUAGE LOGINDISABLED\r\na OK That is all for now\r\n");
    dialogue("b LOGIN joe@example.test right\r\n", "b NO [PRIVACYREQUIRED] Start TLS first\r\n");
    dialogue("c SELECT INBOX\r\n", "c BAD [CLIENTBUG] Log in first\r\n");
    dialogue("d NOOP x\r\n", "d BAD Expected the end of the command at character 7\r\n");
    dialogue("e XYZZY\r\n", "e BAD Unknown command\r\n");
    dialogue("f ID (\"name\" \"x\" \"version\" NIL)\r\n",
             "* ID (\"name\" \"Letterlock\")\r\nf OK Pleased to meet you\r\n");
    dialogue("g NOOP\n", "g BAD [CLIENTBUG] A line feed without a carriage return\r\n");
    dialogue("h APPEND INBOX {3+}\r\nabc\r\ni NOOP\r\n", NULL);
    run("i OK");
    dialogue("j STARTTLS\r\n", "j NO [CONTACTADMIN] No certificate is configured\r\n");
    secure();
    dialogue("k AUTHENTICATE PLAIN =\r\n", "k BAD Expected the base64 of PLAIN's answer\r\n");
    dialogue("l AUTHENTICATE PLAIN AGpvZUBleGFtcGxlLnRlc3QAcmlnaHQ=\r\n", NULL);
    CHECK(str_starts(buf_str(&w.got), STR("l OK ")));
    dialogue("m LOGOUT\r\n", "* BYE See you later\r\nm OK Logged out\r\n");
    run("never");
    settle();
    CHECK(w.closed && w.srv.nconns == 0);
}

static void test_wrong_password(void **state UNUSED)
{
    secure();
    dialogue("a LOGIN joe@example.test wrong\r\n",
             "a NO [AUTHENTICATIONFAILED] Wrong address or password\r\n");
    dialogue("b LOGIN nobody@example.test right\r\n",
             "b NO [AUTHENTICATIONFAILED] Wrong address or password\r\n");
    buf_clear(&w.got);
    say("c AUTHENTICATE PLAIN\r\n", 22);
    run("+ ");
    say("*\r\n", 3);
    run("c BAD Cancelled");
    buf_clear(&w.got);
    say("d AUTHENTICATE PLAIN\r\n", 22);
    run("+ ");
    say("AGpvZUBleGFtcGxlLnRlc3QAcmlnaHQ=\r\n", 34);
    run("d OK");
}

static const char *const talk[][2] = {
    { "a SELECT nowhere\r\n", "a NO [NONEXISTENT] There is no such mailbox\r\n" },
    { "b LIST \"\" \"\"\r\n", "* LIST (\\Noselect) \"/\" \"\"\r\nb OK Completed\r\n" },
    { "c LIST \"\" %\r\n",
      "* LIST (\\HasNoChildren) \"/\" INBOX\r\n* LIST (\\HasNoChildren \\Sent) \"/\" Sent\r\n"
      "* LIST (\\HasChildren) \"/\" a\r\n* LIST (\\HasNoChildren) \"/\" &AOk-\r\nc OK Completed\r\n" },
    { "d LSUB \"\" %\r\n",
      "* LSUB () \"/\" INBOX\r\n* LSUB (\\Noselect) \"/\" a\r\n* LSUB () \"/\" &AOk-\r\nd OK Completed\r\n" },
    { "e LIST (SPECIAL-USE) \"\" *\r\n", "* LIST (\\HasNoChildren \\Sent) \"/\" Sent\r\ne OK Completed\r\n" },
    { "f STATUS INBOX (MESSAGES UIDNEXT)\r\n",
      "* STATUS INBOX (MESSAGES 3 UIDNEXT 4)\r\nf OK Completed\r\n" },
    { "g STATUS nowhere (MESSAGES)\r\n", "g NO [NONEXISTENT] There is no such mailbox\r\n" },
    { "h FETCH 1 FLAGS\r\n", "h BAD [CLIENTBUG] Not now: see the state of this session\r\n" },
    { "i CREATE new/x\r\n", "i OK [MAILBOXID (F1)] Completed\r\n" },
    { "j CREATE a//b\r\n", "j NO [CANNOT] A mailbox cannot be called so\r\n" },
    { "k DELETE INBOX\r\n", "k NO [CANNOT] INBOX stays\r\n" },
    { "l NAMESPACE\r\n", "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\nl OK Completed\r\n" },
    { "m SELECT INBOX\r\n",
      "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted "
      "\\Seen \\Draft \\*)] Keywords may be made up\r\n* 3 EXISTS\r\n* 0 RECENT\r\n* OK [UIDVALIDITY 99] Valid\r\n"
      "* OK [UIDNEXT 4] Next\r\n* OK [HIGHESTMODSEQ 4] Highest\r\n* OK [MAILBOXID (F1)] Forever\r\nm OK [READ-WRITE] Selected\r\n" },
    { "n FETCH 1:* (UID FLAGS)\r\n", "* 1 FETCH (UID 1 FLAGS ())\r\n* 2 FETCH (UID 2 FLAGS (\\Seen))\r\n"
                                     "* 3 FETCH (UID 3 FLAGS (\\Deleted))\r\nn OK Completed\r\n" },
    { "o FETCH 4 FLAGS\r\n", "o BAD Expected numbers of messages that there are at character 9\r\n" },
    { "p UID FETCH 99:* FLAGS\r\n", "* 3 FETCH (UID 3 FLAGS (\\Deleted))\r\np OK Completed\r\n" },
    { "q FETCH 1 BODY.PEEK[HEADER.FIELDS (Subject)]\r\n",
      "* 1 FETCH (BODY[HEADER.FIELDS (Subject)] {16}\r\nSubject: one\r\n\r\n)\r\nq OK Completed\r\n" },
    { "r FETCH 1 BODY.PEEK[]<0.4>\r\n", "* 1 FETCH (BODY[]<0> {4}\r\nFrom)\r\nr OK Completed\r\n" },
    { "s FETCH 1 BODY[TEXT]\r\n",
      "* 1 FETCH (BODY[TEXT] {7}\r\nHello\r\n FLAGS (\\Seen))\r\ns OK Completed\r\n" },
    { "t FETCH 2 (BODY.PEEK[1] BODY.PEEK[2.HEADER.FIELDS (subject)] BODY.PEEK[2.1]<2.3> BODY.PEEK[3])\r\n",
      "* 2 FETCH (BODY[1] {8}\r\npart one BODY[2.HEADER.FIELDS (subject)] {18}\r\nSubject: inner\r\n\r\n "
      "BODY[2.1]<2> {3}\r\nner BODY[3] NIL)\r\nt OK Completed\r\n" },
    { "u UID FETCH 1 (ENVELOPE RFC822.SIZE INTERNALDATE)\r\n",
      "* 1 FETCH (UID 1 ENVELOPE (\"Mon, 1 Jan 2024 10:00:00 +0000\" \"one\" ((\"A. Nobody\" NIL \"a\" \"example.test\")) "
      "((\"A. Nobody\" NIL \"a\" \"example.test\")) ((\"A. Nobody\" NIL \"a\" \"example.test\")) ((NIL NIL \"joe\" "
      "\"example.test\")) NIL NIL NIL \"<1@example.test>\") RFC822.SIZE 149 INTERNALDATE \"17-Jul-1996 09:44:25 "
      "+0000\")\r\nu OK Completed\r\n" },
    { "v STORE 1 +FLAGS (\\Flagged $Todo)\r\n",
      "* 1 FETCH (FLAGS (\\Flagged \\Seen $Todo))\r\nv OK Completed\r\n" },
    { "w STORE 1 -FLAGS.SILENT (\\Flagged)\r\n", "w OK Completed\r\n" },
    { "x UID STORE 1 FLAGS ()\r\n", "* 1 FETCH (UID 1 FLAGS ($Todo))\r\nx OK Completed\r\n" },
    { "y SEARCH UNSEEN 2:9 FROM \"x y\"\r\n", "* SEARCH 1 2 3\r\ny OK Completed\r\n" },
    { "z UID SEARCH RETURN (MIN COUNT ALL) ALL\r\n",
      "* ESEARCH (TAG \"z\") UID MIN 1 ALL 1:3 COUNT 3\r\nz OK Completed\r\n" },
    { "A SEARCH CHARSET X-NO-SUCH TEXT x\r\n",
      "A NO [BADCHARSET (US-ASCII UTF-8)] That charset is not known\r\n" },
    { "B COPY 1 nowhere\r\n", "B NO [TRYCREATE] There is no such mailbox\r\n" },
    { "C COPY 1:2 Sent\r\n", "C OK [COPYUID 12 1:2 500:501] Completed\r\n" },
    { "D EXPUNGE\r\n", "* 3 EXPUNGE\r\nD OK Completed\r\n" },
    { "E UID MOVE 1 Sent\r\n", "* OK [COPYUID 12 1 500:501] Moved\r\n* 1 EXPUNGE\r\nE OK Completed\r\n" },
    { "F APPEND INBOX (\\Seen) {5+}\r\nabc\r\n\r\n",
      "* 2 EXISTS\r\n* 0 RECENT\r\nF OK [APPENDUID 99 4] Kept\r\n" },
    { "G APPEND nowhere {3+}\r\nabc\r\n", "G NO [TRYCREATE] There is no such mailbox\r\n" },
    { "H APPEND INBOX {3+}\r\nabc {3+}\r\ndef\r\n",
      "* 4 EXISTS\r\n* 0 RECENT\r\nH OK [APPENDUID 99 5:6] Kept\r\n" },
    { "H2 UID FETCH 5:6 BODY.PEEK[]\r\n",
      "* 3 FETCH (UID 5 BODY[] {3}\r\nabc)\r\n* 4 FETCH (UID 6 BODY[] {3}\r\ndef)\r\nH2 OK Completed\r\n" },
    { "H3 REPLACE 4 INBOX CATENATE (URL /INBOX/;UID=5 TEXT {2+}\r\nxy URL \"/INBOX/;UID=6/;PARTIAL=1\")\r\n",
      "* OK [APPENDUID 99 7] Replacement message ready\r\n* 4 EXPUNGE\r\n* 4 EXISTS\r\n* 0 RECENT\r\nH3 OK "
      "Replaced\r\n" },
    { "H4 FETCH 4 BODY.PEEK[]\r\n", "* 4 FETCH (BODY[] {7}\r\nabcxyef)\r\nH4 OK Completed\r\n" },
    { "H5 UID STORE 5,7 FLAGS.SILENT (\\Deleted)\r\n", "H5 OK Completed\r\n" },
    { "H6 EXPUNGE\r\n", "* 4 EXPUNGE\r\n* 3 EXPUNGE\r\nH6 OK Completed\r\n" },
    { "I APPEND INBOX foo {3+}\r\nabc\r\n", "I BAD Expected a message literal at character 16\r\n" },
    { "J FETCH 1:2 UID\r\n", "* 1 FETCH (UID 2)\r\n* 2 FETCH (UID 4)\r\nJ OK Completed\r\n" },
    { "K FETCH 1 BINARY[1]\r\n",
      "* 1 FETCH (BINARY[1] ~{8}\r\npart one FLAGS (\\Seen))\r\nK OK Completed\r\n" },
    { "L CHECK\r\n", "L OK Nothing to do, done\r\n" },
    { "M UID EXPUNGE 1:*\r\n", "M OK Completed\r\n" },
    { "N UNSELECT\r\n", "N OK Completed\r\n" },
    { "O EXAMINE INBOX\r\n", NULL },
    { "P STORE 1 FLAGS ()\r\n", "P NO [READ-ONLY] The mailbox is open for reading only\r\n" },
    { "Q CLOSE\r\n", "Q OK Completed\r\n" },
    { "R ENABLE X Y\r\n", "* ENABLED\r\nR OK Completed\r\n" },
    { "S RENAME a b\r\n", "S OK Completed\r\n" },
    { "T SUBSCRIBE a\r\n", "T OK Completed\r\n" },
};

static void test_talk(void **state UNUSED)
{
    login();
    for (size_t i = 0; i < ARRAY_LEN(talk); i++)
        dialogue(talk[i][0], talk[i][1]);
}

static void test_search_tree(void **state UNUSED)
{
    selected();
    dialogue("a SEARCH UNSEEN 2:9 FROM \"X y\" ON 2-Jan-1970 RECENT\r\n", NULL);
    CHECK(str_eq_z(buf_str(&w.store.search),
                   "(1(3(5 8))(4 2 3)(13 from: X y)(1(9 86400000)(10 172800000))(21))"));
    dialogue("b SEARCH CHARSET ISO-8859-1 SUBJECT {1+}\r\n\xe9\r\n", NULL);
    CHECK(str_eq_z(buf_str(&w.store.search), "(13 subject: \xc3\xa9)"));
}

static void test_literals_wait(void **state UNUSED)
{
    login();
    buf_clear(&w.got);
    say("a APPEND {5}\r\n", 14);
    run("+ ");
    buf_clear(&w.got);
    say("INBOX {3}\r\n", 11);
    run("+ ");
    buf_clear(&w.got);
    say("abc\r\n", 5);
    run("a OK [APPENDUID 99 4]");
    buf_clear(&w.got);
    say("b APPEND INBOX {3+}\r\na\0c\r\n", 26);
    run("b NO [CANNOT]");
    say("c APPEND INBOX ~{3+}\r\na\0c\r\n", 27);
    run("c OK [APPENDUID 99 5]");
}

/* RFC 9051 7.5.1: no EXPUNGE during FETCH; what others did is told before the tagged reply. */
static void test_updates(void **state UNUSED)
{
    selected();
    w.store.messages[0].gone_at = ++w.store.modseq;
    w.store.messages[1].flags = 1;
    w.store.messages[1].modseq = ++w.store.modseq;
    fake_add(&w.store, first, 20, 0);
    fake_changed(&w.store);
    dialogue("a CAPABILITY\r\n", NULL); /* the event has come by now, or comes with it */
    CHECK(str_find(buf_str(&w.got), STR("a OK")) >= 0);
    dialogue("b NOOP\r\n", NULL);
    CHECK(uidranges_count(&w.srv.conns->view->uids) == 3);
    w.store.messages[2].gone_at = ++w.store.modseq;
    w.srv.conns->view->stale = true;
    dialogue("c FETCH 3 UID\r\n", "* 3 FETCH (UID 4)\r\nc OK [EXPUNGEISSUED] Completed\r\n");
    dialogue("d NOOP\r\n", "* 2 EXPUNGE\r\nd OK Nothing to do, done\r\n");
}

static void test_idle(void **state UNUSED)
{
    selected();
    buf_clear(&w.got);
    say("a IDLE\r\n", 8);
    run("+ ");
    fake_add(&w.store, first, 20, 0);
    w.store.messages[0].gone_at = ++w.store.modseq;
    fake_changed(&w.store);
    buf_clear(&w.got);
    run("RECENT");
    CHECK(str_eq_z(buf_str(&w.got), "* 1 EXPUNGE\r\n* 3 EXISTS\r\n* 0 RECENT\r\n"));
    fake_die(&w.store);
    fake_add(&w.store, first, 20, 0);
    buf_clear(&w.got);
    run("RECENT");
    CHECK(str_eq_z(buf_str(&w.got), "* 4 EXISTS\r\n* 0 RECENT\r\n") && w.store.reattaches == 1);
    buf_clear(&w.got);
    say("DONE\r\n", 6);
    run("a OK");
}

/* RFC 5465: told between commands; the store's death loses nothing; what is too much is said to be. */
static void test_notify(void **state UNUSED)
{
    char name[900], head[8];

    selected();
    buf_clear(&w.got);
    say_z("a NOTIFY SET (selected (MessageNew (UID) MessageExpunge)) "
          "(personal (MailboxName MessageNew MessageExpunge))\r\n");
    run("a OK");
    buf_clear(&w.got);
    w.store.elsewhere++;
    fake_changed_elsewhere(&w.store, 8);
    run("* STATUS Sent (MESSAGES 1 UIDNEXT");
    buf_clear(&w.got);
    w.store.elsewhere++;
    w.store.modseq++;
    fake_die(&w.store);
    run("* STATUS a/b (MESSAGES 2 UIDNEXT");
    CHECK(str_find(buf_str(&w.got), STR("* STATUS Sent (MESSAGES 2")) >= 0);
    fake_add(&w.store, first, strlen(first), 0);
    fake_changed(&w.store);
    run("* 4 FETCH (UID 4)");
    buf_clear(&w.got);
    memset(name, 'n', sizeof name);
    for (int i = 0; i < 200; i++) {
        snprintf(head, sizeof head, "%d", 1000 + i);
        memcpy(name, head, 4);
        fake_created(&w.store, str_of(name, sizeof name));
    }
    run("* OK [NOTIFICATIONOVERFLOW]");
    fake_created(&w.store, STR("quiet"));
    say_z("b NOOP\r\n");
    run("b OK");
    CHECK(str_find(buf_str(&w.got), STR("quiet")) < 0);
}

/* RFC 5530 3: what the store answers becomes a code that says what to do. */
static void test_response_codes(void **state UNUSED)
{
    static const struct {
        int status;
        const char *code;
    } some[] = {
        { E_BUG, "SERVERBUG" },    { E_CORRUPT, "CORRUPTION" },  { E_VERSION, "CONTACTADMIN" },
        { E_QUOTA, "OVERQUOTA" },  { E_DENIED, "NOPERM" },       { E_LIMIT, "LIMIT" },
        { E_BUSY, "UNAVAILABLE" }, { E_UNAVAIL, "UNAVAILABLE" }, { E_FULL, "UNAVAILABLE" },
        { E_IO, "UNAVAILABLE" },   { E_NOTFOUND, "TRYCREATE" },
    };

    selected();
    for (size_t i = 0; i < ARRAY_LEN(some); i++) {
        CLEANUP(buf_release) struct buf want = { .max = KIB(1) };

        w.store.fail_copy = some[i].status;
        dialogue("a COPY 1 Sent\r\n", NULL);
        check_case = some[i].code;
        CHECK(buf_printf(&want, "a NO [%s] ", some[i].code) == 0);
        CHECK(str_starts(buf_str(&w.got), buf_str(&want)));
    }
    check_case = "";
}

/* RFC 9738 3.1: the newest so many, and where to go on; what is all or nothing is refused. */
static void test_message_limit(void **state UNUSED)
{
    w.srv.conf.message_limit = 2;
    selected();
    dialogue(
        "a FETCH 1:3 UID\r\n",
        "* 2 FETCH (UID 2)\r\n* 3 FETCH (UID 3)\r\na OK [MESSAGELIMIT 2 2] Some of it, go on below that UID\r\n");
    dialogue("b UID FETCH 1 FLAGS\r\n", "* 1 FETCH (UID 1 FLAGS ())\r\nb OK Completed\r\n");
    dialogue("c SEARCH ALL\r\n", NULL);
    CHECK(str_find(buf_str(&w.got), STR("c OK [MESSAGELIMIT 2 2] ")) >= 0);
    CHECK(str_find(buf_str(&w.store.search), STR(" 2 3")) >= 0);
    dialogue("d STORE 1:* +FLAGS.SILENT (\\Deleted)\r\n",
             "d OK [MESSAGELIMIT 2 2] Some of it, go on below that UID\r\n");
    dialogue("e COPY 1:* Sent\r\n",
             "e NO [MESSAGELIMIT 2] Too many messages for one command, try some of them\r\n");
    dialogue("f MOVE 1:3 Sent\r\n",
             "f NO [MESSAGELIMIT 2] Too many messages for one command, try some of them\r\n");
    dialogue("g APPEND INBOX {1+}\r\nx {1+}\r\nx {1+}\r\nx\r\n",
             "g NO [MESSAGELIMIT 2] Too many messages for one command, try some of them\r\n");
    dialogue("h UID EXPUNGE 1:*\r\n",
             "* 3 EXPUNGE\r\n* 2 EXPUNGE\r\nh OK [MESSAGELIMIT 2 2] Some of it, go on below that UID\r\n");
}

/* RFC 9585: a command that waits says so, again and again; one that is over does not. */
static void test_in_progress(void **state UNUSED)
{
    w.srv.progress_ms = 20;
    selected();
    w.store.hold = true;
    for (int i = 0; i < 2; i++) {
        buf_clear(&w.got);
        if (i == 0)
            say("a SEARCH TEXT x\r\n", 17);
        run("* OK [INPROGRESS (\"a\" NIL NIL)] Still at it");
    }
    w.store.hold = false;
    fake_let_go(&w.store);
    run("a OK");
    buf_clear(&w.got);
    settle();
    settle();
    CHECK(w.got.n == 0);
}

/* RFC 9585 4: a tag that would end the code is left out; what the goal is known of has numbers. */
static void test_in_progress_numbers(void **state UNUSED)
{
    w.srv.progress_ms = 20;
    selected();
    w.store.hold = true;
    buf_clear(&w.got);
    say_z("a] SEARCH TEXT x\r\n");
    run("* OK [INPROGRESS] Still at it");
    fake_let_go(&w.store);
    run("a] OK");
    buf_clear(&w.got);
    say_z("b ESEARCH IN (personal) TEXT x\r\n");
    run("* OK [INPROGRESS (\"b\" 0 5)] Still at it");
    fake_let_go(&w.store);
    run("* OK [INPROGRESS (\"b\" 1 5)] Still at it");
    w.store.hold = false;
    fake_let_go(&w.store);
    run("b OK");
}

/* RFC 5465 3.1: what was asked for lasts until the next successful NOTIFY. */
static void test_notify_refused(void **state UNUSED)
{
    const uint32_t all =
        STORE__WATCH__WATCH_MESSAGES | STORE__WATCH__WATCH_NAMES | STORE__WATCH__WATCH_SUBSCRIPTIONS;

    selected();
    dialogue("a NOTIFY SET (personal (MailboxName MessageNew MessageExpunge))\r\n", "a OK Completed\r\n");
    CHECK(w.store.watch == all);
    w.store.refuse_folders = true;
    dialogue("b NOTIFY SET (personal (MessageNew MessageExpunge))\r\n",
             "b NO [NOTIFICATIONOVERFLOW] That is more than can be watched\r\n");
    w.store.refuse_folders = false;
    dialogue("c NOTIFY SET (personal (SubscriptionChange) (\r\n", NULL);
    CHECK(str_starts(buf_str(&w.got), STR("c BAD ")) && w.store.watch == all);
    buf_clear(&w.got);
    fake_created(&w.store, STR("new"));
    run("* LIST ");
    buf_clear(&w.got);
    w.store.elsewhere++;
    fake_changed_elsewhere(&w.store, 8);
    run("* STATUS Sent (MESSAGES 1 UIDNEXT");
}

/* A line that names so many different items, from `from` on. */
static void say_items(const char *before, unsigned from, const char *after, const char *until)
{
    CLEANUP(buf_release) struct buf line = { .max = KIB(16) };
    int r = buf_puts(&line, str_from(before));

    for (unsigned i = 0; i < 130 && r == 0; i++)
        r = buf_printf(&line, "%sBODY.PEEK[%u]", i ? " " : "(", from + i);
    if (r == 0)
        r = buf_puts(&line, str_from(after));
    CHECK(r == 0);
    buf_clear(&w.got);
    say((const char *)line.p, line.n);
    run(until);
}

/* What one new message would have to be told of is more than one FETCH may ask for: who asks for the last of it hears so. */
static void test_too_many_items(void **state UNUSED)
{
    selected();
    say_items("a NOTIFY SET (selected (MessageNew ", 1, ") MessageExpunge))\r\n", "a OK");
    say_items("b SEARCH RETURN (UPDATE ", 131, ")) ALL\r\n", "b OK");
    CHECK(str_find(buf_str(&w.got), STR("* NO [NOUPDATE \"b\"]")) >= 0);
    say_items("c SEARCH RETURN (UPDATE ", 121, ")) ALL\r\n", "c OK");
    CHECK(str_find(buf_str(&w.got), STR("NOUPDATE")) < 0);
    say_items("d NOTIFY SET (selected (MessageNew ", 300, ") MessageExpunge))\r\n",
              "d NO [NOTIFICATIONOVERFLOW]");
}

/* RFC 5267 4.3.3: what went while it was searched is not added, and has no number to be added by. */
static void test_context_race(void **state UNUSED)
{
    selected();
    dialogue("a SEARCH RETURN (UPDATE ALL) ALL\r\n", "* ESEARCH (TAG \"a\") ALL 1:3\r\na OK Completed\r\n");
    w.store.hold = true;
    buf_clear(&w.got);
    say_z("b IDLE\r\n");
    run("+ ");
    fake_add(&w.store, first, strlen(first), 0);
    fake_changed(&w.store);
    run("RECENT");
    settle_now();
    CHECK(w.store.held);
    buf_clear(&w.got);
    w.store.hold = false;
    w.store.modseq++;
    fake_changed(&w.store);
    fake_let_go(&w.store);
    w.store.messages[3].gone_at = w.store.modseq;
    run("* 4 EXPUNGE");
    say_z("DONE\r\n");
    run("b OK");
    CHECK(str_find(buf_str(&w.got), STR("ESEARCH")) < 0);
}

/* RFC 5267 4.3.3, 4.3.4: by positions, and what went is told before it goes. */
static void test_sorted_context(void **state UNUSED)
{
    selected();
    dialogue("a UID SORT RETURN (UPDATE ALL) (REVERSE ARRIVAL) UTF-8 ALL\r\n",
             "* ESEARCH (TAG \"a\") UID ALL 3,2,1\r\na OK Completed\r\n");
    w.store.messages[1].gone_at = ++w.store.modseq;
    fake_add(&w.store, first, strlen(first), 0);
    dialogue("b NOOP\r\n",
             "* ESEARCH (TAG \"a\") UID REMOVEFROM (2 2)\r\n* 2 EXPUNGE\r\n* 3 EXISTS\r\n* 0 RECENT\r\n"
             "* ESEARCH (TAG \"a\") UID ADDTO (1 4)\r\nb OK Nothing to do, done\r\n");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_before_login),   T(test_wrong_password), T(test_talk),         T(test_search_tree),
        T(test_literals_wait),  T(test_updates),        T(test_idle),         T(test_notify),
        T(test_response_codes), T(test_message_limit),  T(test_in_progress),  T(test_in_progress_numbers),
        T(test_notify_refused), T(test_too_many_items), T(test_context_race), T(test_sorted_context),
    };

    return cmocka_run_group_tests_name("imap", tests, NULL, NULL);
}
