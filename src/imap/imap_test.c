/* The IMAP role against a store in memory: dialogues as tables, the store's death, large messages. */
#include "lib/base/test.h"
#include "lib/base/log.h"
#include "src/imap/fake_store.h"
#include "src/imap/imap.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static const char first[] =
    "From: \"A. Nobody\" <a@example.test>\r\nTo: joe@example.test\r\nSubject: one\r\n"
    "Date: Mon, 1 Jan 2024 10:00:00 +0000\r\nMessage-ID: <1@example.test>\r\n\r\nHello\r\n";
static const char multi[] =
    "From: b@example.test\r\nSubject: two\r\nMIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\n"
    "part one\r\n--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\nX-A: 1\r\n\r\n"
    "inner text\r\n--x--\r\n";

static struct world {
    struct loop *loop;
    struct imap_server srv;
    struct fake_store store;
    int fd;
    struct watch watch;
    struct timer late;
    struct buf got;
    const char *until; /* stop the loop when `got` ends in it, or holds it as a line start */
    bool closed, read_slowly;
    int rounds;
    size_t total, taken_max;
} w;

static bool reached(void)
{
    struct str got = buf_str(&w.got), line, until = str_from(w.until);

    if (!w.until || !str_ends(got, STR("\r\n")))
        return false;
    if (strlen(w.until) > 3) /* a word of an untagged response */
        return str_find(got, until) >= 0;
    for (bool more = true; more;) {
        more = str_cut(got, '\n', &line, &got);
        if (str_starts(line, until))
            return true;
    }
    return false;
}

static void readable(struct watch *x UNUSED)
{
    char chunk[65536];
    ssize_t n = read(w.fd, chunk, sizeof chunk);

    if (n > 0) {
        CHECK(buf_append(&w.got, chunk, (size_t)n) == 0);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        w.closed = true;
        watch_pause(&w.watch);
        shutdown(w.fd, SHUT_RDWR); /* as a client does that has read BYE */
        loop_stop(w.loop);
    }
    if (reached())
        loop_stop(w.loop);
}

static void too_late(struct timer *t UNUSED)
{
    print_error("no answer: got %.*s\n", (int)size_min(w.got.n, 2000), w.got.p);
    loop_stop(w.loop);
}

/* Run until a line with `until` came. */
static void run(const char *until)
{
    w.until = until;
    timer_set(&w.late, 8000);
    if (!reached())
        loop_run(w.loop);
    timer_clear(&w.late);
}

static void enough(struct timer *t UNUSED)
{
    loop_stop(w.loop);
}

/* Let the role see that we hung up. */
static void settle(void)
{
    struct timer t;

    CHECK(timer_init(&t, w.loop, enough) == 0);
    timer_set(&t, 20);
    loop_run(w.loop);
    timer_release(&t);
}

static void settled(struct timer *t)
{
    if (++w.rounds < 8)
        timer_set(t, 0);
    else
        loop_stop(w.loop);
}

/* Some rounds of the loop, on whatever clock. */
static void settle_now(void)
{
    struct timer t;

    w.rounds = 0;
    CHECK(timer_init(&t, w.loop, settled) == 0);
    timer_set(&t, 0);
    loop_run(w.loop);
    timer_release(&t);
}

static void say(const char *text, size_t n)
{
    while (n) {
        ssize_t k = write(w.fd, text, n);

        CHECK(k > 0);
        text += k;
        n -= (size_t)k;
    }
}

static void connect_client(void)
{
    struct sockaddr_storage peer = { .ss_family = AF_UNIX };
    int sv[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0);
    imap_accept(&w.srv, sv[0], (struct sockaddr *)&peer, false);
    w.fd = sv[1];
    w.closed = false;
    w.got = (struct buf){ .max = MIB(80) };
    CHECK(fcntl(w.fd, F_SETFL, O_NONBLOCK) == 0);
    CHECK(watch_init(&w.watch, w.loop, w.fd, readable) == 0);
    run("* OK ");
    buf_clear(&w.got);
}

/* Instead of the first one: its timers began on another clock. */
static void reconnect(void)
{
    watch_release(&w.watch);
    close(w.fd);
    buf_release(&w.got);
    timer_clear(&w.late);
    for (int i = 0; i < 10 && w.srv.nconns; i++)
        settle_now();
    connect_client();
    timer_clear(&w.late);
}

static int setup(void **state UNUSED)
{
    memset(&w, 0, sizeof w);
    log_init("imap", LOG_ALARM);
    w.loop = loop_new();
    w.srv = (struct imap_server){ .loop = w.loop,
                                  .sessions = IMAP_SESSIONS,
                                  .hostname = STR("test"),
                                  .conf = { MIB(60), 1800000, 60000, 100 } };
    CHECK(timer_init(&w.late, w.loop, too_late) == 0);
    fake_start(&w.store, w.loop, &w.srv);
    fake_add(&w.store, first, sizeof first - 1, 0);
    fake_add(&w.store, multi, sizeof multi - 1, 8);
    fake_add(&w.store, first, sizeof first - 1, 4);
    connect_client();
    return 0;
}

static void brief_over(struct timer *t UNUSED)
{
    loop_stop(w.loop);
}

/* What is ready now, and what is ready within 2 ms. */
static void brief(void)
{
    struct timer t = { 0 };

    CHECK(timer_init(&t, w.loop, brief_over) == 0);
    timer_set(&t, 2);
    w.until = NULL;
    loop_run(w.loop);
    timer_release(&t);
}

static int teardown(void **state UNUSED)
{
    watch_release(&w.watch);
    close(w.fd);
    while (w.srv.nconns) /* until it notices */
        brief();
    timer_release(&w.late);
    buf_release(&w.got);
    fake_stop(&w.store);
    brief();
    loop_free(&w.loop);
    return 0;
}

static void secure(void)
{
    w.srv.conns->tls = true; /* as if; TLS itself is tested with lib/event */
}

/* Send one command, wait for its tagged reply, compare all that came. NULL: only wait. */
static void dialogue(const char *send, const char *expect)
{
    char tag[16] = "";
    size_t n = strcspn(send, " ");

    memcpy(tag, send, n);
    tag[n] = ' ';
    check_case = send;
    buf_clear(&w.got);
    say(send, strlen(send));
    run(tag);
    if (expect && !str_eq_z(buf_str(&w.got), expect))
        print_error("got:\n%.*s\nexpected:\n%s\n", STR_ARG(buf_str(&w.got)), expect);
    CHECK(!expect || str_eq_z(buf_str(&w.got), expect));
    check_case = "";
}

static void login(void)
{
    secure();
    dialogue("l LOGIN joe@example.test right\r\n", NULL);
    CHECK(str_starts(buf_str(&w.got), STR("l OK [CAPABILITY IMAP4rev1 ")));
}

static void selected(void)
{
    login();
    dialogue("s SELECT inbox\r\n", NULL);
    CHECK(str_find(buf_str(&w.got), STR("s OK [READ-WRITE]")) >= 0);
}

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

/* The loop's timers are real: the timeouts are made short instead. */
static void ended(const char *bye)
{
    w.until = NULL;
    timer_set(&w.late, 8000);
    if (!w.closed)
        loop_run(w.loop);
    CHECK(w.closed && str_ends(buf_str(&w.got), str_from(bye)));
}

static const char too_long[] = "* BYE Too long without a word from you\r\n";

static void test_silent_before_login(void **state UNUSED)
{
    w.srv.conf.login_timeout_ms = 50;
    reconnect();
    ended(too_long);
}

static void drip(struct timer *t)
{
    timer_set(t, 30);
    if (!w.closed)
        say("a NOOP\r\n", 8);
}

static void test_dripping_before_login(void **state UNUSED)
{
    struct timer t;

    w.srv.conf.login_timeout_ms = 300;
    reconnect();
    CHECK(timer_init(&t, w.loop, drip) == 0);
    timer_set(&t, 1);
    ended("* BYE Too long without a login\r\n");
    timer_release(&t);
}

static void test_silent_after_login(void **state UNUSED)
{
    w.srv.conf.login_timeout_ms = 5000;
    w.srv.conf.idle_timeout_ms = 150;
    reconnect();
    secure();
    login();
    say("i IDLE\r\n", 8); /* in IDLE too */
    ended(too_long);
}

static void test_much_before_login(void **state UNUSED)
{
    static const char noop[] = "a ID (\"name\" \"a name that is a good deal longer than it need be\")\r\n";

    for (size_t n = 0; n < KIB(70) && !w.closed; n += sizeof noop - 1) {
        say(noop, sizeof noop - 1);
        settle_now();
        if (n < KIB(63))
            CHECK(!w.closed);
    }
    for (int i = 0; i < 100 && !w.closed; i++)
        settle_now();
    CHECK(w.closed && str_ends(buf_str(&w.got), STR("* BYE [LIMIT] Too much was said before login\r\n")));
}

/* A store that cannot open the mailbox at once after its death: "try later", then all is well. */
static void test_reattach_later(void **state UNUSED)
{
    selected();
    w.store.refuse_reattach = E_BUSY;
    fake_die(&w.store);
    brief();
    dialogue("a SEARCH ALL\r\n", "a NO [UNAVAILABLE] Not available now, please try again later\r\n");
    for (int i = 0; i < 1500 && w.store.reattaches < 2; i++)
        brief();
    dialogue("b SEARCH ALL\r\n", "* SEARCH 1 2 3\r\nb OK Completed\r\n");
}

static void test_revoked(void **state UNUSED)
{
    selected();
    w.store.refuse_reattach = E_AUTH;
    fake_die(&w.store);
    buf_clear(&w.got);
    run("* BYE");
    CHECK(str_eq_z(buf_str(&w.got), "* BYE [UNAVAILABLE] The mailbox has been closed\r\n"));
}

/* A large message in bounded memory; the store dies in the middle of it, twice. */
static void large(size_t n, size_t die_after, const char *command)
{
    char *big = malloc(n);
    ptrdiff_t at;

    memset(big, 'x', n);
    memcpy(big, "Subject: big\r\n\r\n", 16);
    for (size_t i = 100; i < n; i += 997)
        big[i] = (char)('a' + i % 26);
    fake_add(&w.store, big, n, 0);
    selected();
    w.store.die_after = die_after;
    dialogue(command, NULL);
    at = str_find(buf_str(&w.got), STR("}\r\n"));
    CHECK(at > 0 && w.got.n > n && memcmp(w.got.p + at + 3, big, n) == 0);
    CHECK(w.store.deaths == (die_after ? 1 : 0) && w.store.reattaches == w.store.deaths);
    free(big);
}

static void test_large(void **state UNUSED)
{
    large(MIB(3), 0, "a FETCH 4 BODY.PEEK[]\r\n");
}

static void test_store_dies(void **state UNUSED)
{
    large(MIB(3), MIB(1), "a FETCH 4 BODY.PEEK[]\r\n");
}

static void test_store_dies_piecewise(void **state UNUSED)
{
    large(MIB(3), MIB(1), "a FETCH 4 (BODY.PEEK[] BODY.PEEK[TEXT]<0.3>)\r\n");
}

/* A client that does not read costs bounded memory. */
static void test_client_does_not_read(void **state UNUSED)
{
    size_t n = MIB(30), peak = 0;
    char *big = calloc(1, n);

    memset(big, 'z', n);
    memcpy(big, "Subject: big\r\n\r\n", 16);
    fake_add(&w.store, big, n, 0);
    selected();
    watch_pause(&w.watch);
    say("a FETCH 4 (BODY.PEEK[] UID)\r\n", 29);
    for (int i = 0; i < 30; i++) {
        brief();
        peak = size_max(peak, conn_out_pending(w.srv.conns->io));
    }
    CHECK(peak > 0 && peak <= KIB(512));
    watch_resume(&w.watch);
    buf_clear(&w.got);
    run("\na OK Completed");
    CHECK(w.got.n > n && conn_out_pending(w.srv.conns->io) == 0);
    free(big);
}

static void test_append_large(void **state UNUSED)
{
    size_t n = MIB(2), at = 0;
    char *big = malloc(n), head[60];

    memset(big, 'y', n);
    selected();
    buf_clear(&w.got);
    snprintf(head, sizeof head, "a APPEND INBOX {%zu}\r\n", n);
    say(head, strlen(head));
    run("+ ");
    while (at < n) { /* as fast as it is taken: the role pauses us when the store does not take it */
        ssize_t k = write(w.fd, big + at, n - at);

        if (k > 0)
            at += (size_t)k;
        else
            brief();
    }
    buf_clear(&w.got);
    say("\r\n", 2);
    run("a OK [APPENDUID");
    CHECK(w.store.messages[3].n == n && memcmp(w.store.messages[3].bytes, big, n) == 0);
    free(big);
}

static void say_z(const char *text)
{
    say(text, strlen(text));
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
    fake_add(&w.store, first, sizeof first - 1, 0);
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
    fake_add(&w.store, first, sizeof first - 1, 0);
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
    fake_add(&w.store, first, sizeof first - 1, 0);
    dialogue("b NOOP\r\n",
             "* ESEARCH (TAG \"a\") UID REMOVEFROM (2 2)\r\n* 2 EXPUNGE\r\n* 3 EXISTS\r\n* 0 RECENT\r\n"
             "* ESEARCH (TAG \"a\") UID ADDTO (1 4)\r\nb OK Nothing to do, done\r\n");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_before_login),
        T(test_wrong_password),
        T(test_talk),
        T(test_search_tree),
        T(test_literals_wait),
        T(test_updates),
        T(test_idle),
        T(test_large),
        T(test_silent_before_login),
        T(test_dripping_before_login),
        T(test_silent_after_login),
        T(test_much_before_login),
        T(test_store_dies),
        T(test_store_dies_piecewise),
        T(test_append_large),
        T(test_client_does_not_read),
        T(test_reattach_later),
        T(test_revoked),
        T(test_notify),
        T(test_response_codes),
        T(test_message_limit),
        T(test_in_progress),
        T(test_in_progress_numbers),
        T(test_notify_refused),
        T(test_too_many_items),
        T(test_context_race),
        T(test_sorted_context),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
