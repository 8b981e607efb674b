#include "src/ctl/cmd_sending.h"
#include "src/ctl/ctl.h"
#include "src/ctl/cmd_spam.h"
#include "lib/base/log.h"
#include "src/common/version.h"
#include <sysexits.h>

static const struct command commands[] = {
    { "init", cmd_init, "init [--dir DIR] [--domain DOMAIN] [--passphrase]",
      "Make a folder with letterlock.conf, a server key and a self-signed certificate. --passphrase asks for\n"
      "one (or reads a line of standard input) and makes a copy of the server key under it." },
    { "serve", cmd_serve, "serve", "Run the service until SIGTERM or Ctrl-C." },
    { "status", cmd_status, "status [--json]", "What runs, how long, how it is confined." },
    { "domain add", cmd_domain_add, "domain add DOMAIN", "Receive mail for a domain." },
    { "domain list", cmd_domain_list, "domain list [--json]", "Domains and how many aliases they have." },
    { "domain dkim", cmd_domain_dkim, "domain dkim DOMAIN [--rotate] [--json]",
      "The records that other servers verify this domain's mail with (DKIM), as a zone file has them. --rotate makes new keys;\n"
      "the former ones sign on until the new records have had time to spread (courier.dkim_spread)." },
    { "domain webhook-key", cmd_domain_webhook_key, "domain webhook-key DOMAIN [--rotate] [--json]",
      "What X-Webhook-Signature is made with (HMAC-SHA256). --rotate: a new one, from now on." },
    { "domain bounce-webhook", cmd_domain_bounce_webhook,
      "domain bounce-webhook DOMAIN [--to URL | --none] [--json]",
      "Where what people of the domain sent and could not be delivered is told (doc/webhooks.md), signed with its key." },
    { "domain remove", cmd_domain_remove, "domain remove DOMAIN", "A domain without aliases is forgotten." },
    { "alias add", cmd_alias_add, "alias add ADDRESS",
      "A new address. It takes mail when it has a first password (alias password)." },
    { "alias list", cmd_alias_list, "alias list [--json] [--domain DOMAIN]", "All addresses." },
    { "alias show", cmd_alias_show, "alias show ADDRESS [--json]", "One address." },
    { "alias remove", cmd_alias_remove, "alias remove ADDRESS [--yes] [--json]",
      "Remove an address with its mailbox and all its backups, keys first. --json lists what was where." },
    { "alias password", cmd_alias_password,
      "alias password ADDRESS [--name LABEL] [--own] [--current]\n"
      "       letterlock alias password ADDRESS --list [--json]\n"
      "       letterlock alias password ADDRESS --revoke SLOT\n"
      "       letterlock alias password ADDRESS --rotate\n"
      "       letterlock alias password ADDRESS --start-over [--own] [--yes]",
      "Add a password, and with the first one a mailbox. A generated password is printed once. A further\n"
      "one needs an existing one, asked for on the terminal or read as a line of standard input (--current\n"
      "says so explicitly). --own: one you choose. --revoke takes one away. --rotate gives the\n"
      "mailbox a new data key under all its passwords. --start-over is for who has\n"
      "forgotten every password: a new, empty mailbox." },
    { "alias set", cmd_alias_set, "alias set ADDRESS --disabled 250|421|550 | --enabled",
      "What mail to an address is answered: 250 takes it and throws it away, 421 says \"try later\", 550 \"no\".\n"
      "--enabled takes mail again. Logging in goes on in any case." },
    { "alias target", cmd_alias_target,
      "alias target add|remove ADDRESS mailbox|TO|URL\n"
      "       letterlock alias target list ADDRESS [--json]",
      "Where mail to an address goes: its mailbox, other addresses (here or elsewhere), webhooks (https://...), in\n"
      "any mix. An address with other targets needs no password and no mailbox. A URL with #raw behind it gets the\n"
      "message's own bytes, too." },
    { "alias vacation", cmd_alias_vacation,
      "alias vacation set ADDRESS [--subject S] [--text T] [--from TIME] [--until TIME] | off|show ADDRESS [--json]",
      "What who writes to an address is answered, once in four days (RFC 3834): T, or standard input. TIME: 2026-12-24, or\n"
      "2026-12-24T18:00Z; UTC, the last day is included. The text stands in the directory, where the server can read it." },
    { "alias resolve", cmd_alias_resolve, "alias resolve ADDRESS [--sender ADDRESS] [--peer IP] [--json]",
      "Who would get mail to an address: tags, patterns, the catch-all and targets of targets followed. --sender\n"
      "(\"\" for a bounce) and --peer ask the allow and deny lists, too. Exit status 67 when nobody would." },
    { "domain set", cmd_domain_set,
      "domain set DOMAIN [--alias-of DOMAIN|none] [--catch-all ADDRESS|none] [--separators CHARACTERS|none] [--backups "
      "NAME|default]",
      "--alias-of: another name of a domain, with all its addresses. --catch-all: who gets what no alias and no\n"
      "pattern takes. --separators: each begins a tag (ann+tag is ann; \"+\" unless set).\n"
      "--backups: the place of storage.places that backups of its mailboxes go to; those that are there move with\n"
      "the next start, and what they have where they were stays good." },
    { "domain pattern", cmd_domain_pattern,
      "domain pattern add DOMAIN PATTERN TARGET [--position N]\n"
      "       letterlock domain pattern remove DOMAIN POSITION\n"
      "       letterlock domain pattern list DOMAIN [--json]",
      "Addresses by regular expression (RE2), for what no alias takes: all of the part before the @ must match, the\n"
      "lowest position first. TARGET is an address, where \\1 to \\9 are what matched in parentheses." },
    { "access", cmd_access,
      "access allow|deny|remove ADDRESS|DOMAIN WHO\n"
      "       letterlock access list ADDRESS|DOMAIN [--json]",
      "Who may write to an address or a domain of ours. WHO: an address, a domain (and all below it), a network\n"
      "(192.0.2.0/24, 2001:db8::/32), \"<>\" (bounces) or \"*\" (anyone). The most exact row decides; among equals\n"
      "the one that allows; an address's own rows before its domain's." },
    { "sending", cmd_sending,
      "sending show NAME [--account] [--json]\n"
      "       letterlock sending set NAME [--as-domain yes|no|default] [--copy yes|no|default]\n"
      "                          [--messages N|none|default] [--recipients N|none|default] [--language TAG|default]\n"
      "                          [--account] [--json]",
      "What who logs in to send may do. NAME: an address, a domain, or with --account an account; the narrower one\n"
      "decides. --as-domain: send as every address of the domain. --copy: what is sent is put into Sent. --messages,\n"
      "--recipients: limits a day (UTC), counted for address, domain and account each; default: what submission.*\n"
      "says. --language: of the reports it gets (en, de, fr, es, it, nl, pl, pt); default: what its letters say of\n"
      "themselves (Accept-Language, Content-Language), else English." },
    { "jobs run", cmd_jobs_run, "jobs run NAME [--json]",
      "Do a job of the schedule now, and wait for it. Exit status 65 when it found something, 75 when it failed." },
    { "jobs webhook-key", cmd_jobs_webhook_key, "jobs webhook-key [--rotate] [--json]",
      "The key that what jobs.notify is told is signed with, made when there is none; --rotate: a new one." },
    { "jobs", cmd_jobs, "jobs [--json]",
      "The schedule: what is done again and again, when it was and will be, how long it took, what came of it." },
    { "backup", cmd_backup, "backup FILE",
      "All that is the service's own in one file, under a passphrase (asked for, or a line of standard input):\n"
      "configuration, server key, certificate, addresses, queue. Mailboxes have backups of their own." },
    { "restore-service", cmd_restore_service, "restore-service FILE [--dir DIR]",
      "A service from such a file, on an empty machine: letterlock.conf in DIR, the rest where that says." },
    { "recover", cmd_recover, "recover [--from FOLDER | s3://BUCKET/PREFIX] [--json]",
      "Mailboxes whose files are gone, back from their newest backups, without anybody's password." },
    { "mailbox check", cmd_mailbox_check, "mailbox check ADDRESS [--json]",
      "Read all of a mailbox and say whether it is whole: pages, counts, the change log, every byte of every\n"
      "message. Asks for one of its passwords on the terminal, or reads a line of standard input. What nothing\n"
      "refers to is removed; nothing else is changed. Exit status 65 when something is wrong." },
    { "mailbox rotate", cmd_mailbox_rotate, "mailbox rotate ADDRESS",
      "Give the mailbox a new data key under all its passwords: the file is written anew, verified, and takes\n"
      "the old one's place. Sessions pause and go on. Needs as much free space as the mailbox takes, and one of\n"
      "its passwords, on the terminal or as a line of standard input." },
    { "mailbox backup", cmd_mailbox_backup, "mailbox backup ADDRESS [--json]",
      "Back up a mailbox now, if it has changed since its last backup. One that nobody is logged in to needs\n"
      "one of its passwords, on the terminal or as a line of standard input." },
    { "mailbox backups", cmd_mailbox_backups,
      "mailbox backups ADDRESS [--json]\n"
      "       letterlock mailbox backups ADDRESS --download FILE [--backup ID | --at TIME]",
      "The backups of a mailbox, the newest first. --download writes one (the newest, or the one whose ID\n"
      "begins so) to FILE and the keys that open it to FILE.keys: together with a password they are the mailbox.\n"
      "--at: the mailbox as it was then, where commits are shipped." },
    { "mailbox restore", cmd_mailbox_restore,
      "mailbox restore ADDRESS --backup ID\n"
      "       letterlock mailbox restore ADDRESS --at TIME\n"
      "       letterlock mailbox restore ADDRESS --backup ID|--at TIME --beside [--json]\n"
      "       letterlock mailbox restore ADDRESS --undo\n"
      "       letterlock mailbox restore ADDRESS --confirm [--yes]",
      "Make a mailbox what it was at a backup (the one whose ID begins so), or, where commits are shipped (store.ship), at a\n"
      "moment: 2026-11-22T10:20:30.5Z, or 2026-11-22T10:20 in local time. Who is logged in is told and comes back.\n"
      "What was there is kept until --undo brings it back or --confirm removes it. A password is asked for only\n"
      "when the data key was exchanged since. --beside changes nothing that is there: what was there then comes in below\n"
      "a folder \"Restored DATE\", each message once however often it is said; it needs a password." },
    { "mailbox search", cmd_mailbox_search,
      "mailbox search ADDRESS QUERY [--exact | --regex] [--folder NAME] [--limit N] [--json]",
      "The messages that are like QUERY, the best of every folder first, and the lines where it stands: words in\n"
      "any order, with typos, without accents. --exact: as it stands; --regex: an expression, as in RE2. Asks for\n"
      "one of the mailbox's passwords on the terminal, or reads a line of standard input. Exit status 1: nothing." },
    { "mailbox export", cmd_mailbox_export,
      "mailbox export ADDRESS --format sqlite|mbox|Maildir|eml --output FILE [--json]",
      "Everything in a mailbox, in files that other programs read: one SQLite file or one zip of .eml files,\n"
      "both under the password that you give, or a folder with mbox files or with Maildirs, in the clear.\n"
      "The password is asked for on the terminal or read as a line of standard input." },
    { "mailbox convert", cmd_mailbox_convert,
      "mailbox convert BACKUP --output FILE [--keys FILE] [--format sqlite|mbox|Maildir|eml] [--json]",
      "The same out of a backup that was downloaded (mailbox backups --download) and the keys beside it (BACKUP.keys),\n"
      "with the password and nothing else: no service, no server key. sqlite unless told otherwise." },
    { "mailbox import", cmd_mailbox_import,
      "mailbox import ADDRESS --format mbox|Maildir|eml --input FILE [--folder NAME] [--json]",
      "Bring in what export writes, or other programs: an mbox file (to --folder, else the file's name says)\n"
      "or a folder of them, a Maildir, a zip of .eml files. What is there already is not brought in again.\n"
      "The password is asked for on the terminal or read as a line of standard input." },
    { "import imap", cmd_import_imap,
      "import imap ADDRESS --host NAME --user NAME [--port N] [--starttls] [--ca FILE] [--password-file FILE]\n"
      "                  [--folder NAME] [--under NAME] [--json]",
      "Bring in what a mailbox on another server has: all folders (or one), dates, flags, keywords. Said again it brings in\n"
      "what is new there since, and nothing twice. Always under TLS (port 993, or 143 with --starttls), with a\n"
      "certificate that the system, or FILE, vouches for. Two passwords are asked for on the terminal, or are lines of\n"
      "standard input: this mailbox's, then the other server's (unless --password-file has it)." },
    { "domain limit", cmd_domain_limit, "domain limit DOMAIN SIZE|none",
      "What all mailboxes of a domain may hold together: 10G, 512M." },
    { "alias limit", cmd_alias_limit, "alias limit ADDRESS SIZE|none",
      "What one mailbox may hold: 10G, 512M." },
    { "account list", cmd_account_list, "account list [--json]",
      "Accounts, what they may hold and what they hold." },
    { "account show", cmd_account_show, "account show NAME [--json]", "One account." },
    { "account add", cmd_account_add, "account add NAME",
      "A new account: a pool of space for domains and addresses that are given to it. What is given to\n"
      "none belongs to the account \"default\"." },
    { "account give", cmd_account_give, "account give NAME DOMAIN|ADDRESS",
      "From now on a domain, or a single address, belongs to this account." },
    { "account limit", cmd_account_limit, "account limit NAME SIZE|none",
      "What all mailboxes of an account may hold together: 10G, 512M." },
    { "account remove", cmd_account_remove, "account remove NAME",
      "An account without domains and addresses is forgotten." },
    { "spam learn", cmd_spam_learn, "spam learn spam|ham FILE",
      "Shows the server's classifier what is spam and what is not: a file with one letter, or an mbox. It has to see 200\n"
      "of each before it says anything. Works beside the running service." },
    { "spam limits", cmd_spam_limits,
      "spam limits DOMAIN|ADDRESS [--header P] [--junk P] [--reject P] [--json]",
      "From how many points on mail is called spam, goes to the Junk folder, is refused: points such as 4.5, never, or\n"
      "default (what the domain or the server has set). Prints what holds then." },
    { "dns", cmd_dns, "dns NAME TYPE [--json]",
      "What the service finds out about a name: A AAAA MX TXT PTR CNAME NS SRV TLSA CAA. Asks the running service,\n"
      "so the answer may come from its cache. PTR takes an address, too. Exit status 68 when there is none, 75 when\n"
      "nobody could say." },
    { "log", cmd_log, "log ADDRESS [--day YYYY-MM-DD] [--forwards] [--json]",
      "What was decided about this address's mail, in the last days (monitor.keep), or on one day, UTC: when, from whom and\n"
      "which host, what was found out, what we said. --forwards: only what left from it to its targets, and what failed." },
    { "queue list", cmd_queue_list, "queue list [--domain DOMAIN] [--json]",
      "Messages that wait to be sent: their names, who they are from, where to, and what the other side last said." },
    { "queue show", cmd_queue_show, "queue show NAME [--json]",
      "One of them, with all it waits for and its header." },
    { "queue retry", cmd_queue_retry, "queue retry --message NAME | --domain DOMAIN | --all",
      "Try now what waits for its time." },
    { "queue hold", cmd_queue_hold, "queue hold --message NAME | --domain DOMAIN | --all",
      "Do not send it, nor give it up, until it is released." },
    { "queue release", cmd_queue_release, "queue release --message NAME | --domain DOMAIN | --all",
      "Send what was held." },
    { "queue delete", cmd_queue_delete, "queue delete --message NAME | --domain DOMAIN | --all",
      "Forget it. Nobody is told." },
    { "queue suppressed", cmd_queue_suppressed,
      "queue suppressed list [--domain DOMAIN] [--json] | add|remove ADDRESS --domain DOMAIN [--days N]",
      "Addresses that people of DOMAIN, one of ours, send nothing to any more: they refused for good (courier.suppress), or were\n"
      "added, for N days or until they are removed. Mail to them comes back at once." },
    { "queue add", cmd_queue_add, "queue add [--from ADDRESS] [--sign DOMAIN] ADDRESS,...",
      "Queue the message on standard input as it is, from the null sender unless told otherwise. Prints its name." },
    { "config", cmd_config, "config [--manual]", "The configuration in effect, with every default." },
    { "server-key copy", cmd_server_key_copy, "server-key copy FILE",
      "Make a copy of the server key under a passphrase, which is asked for or a line of standard input." },
    { "server-key recover", cmd_server_key_recover, "server-key recover FILE",
      "Make the server key from such a copy. A key that is there is not changed." },
    { "server-key rotate", cmd_server_key_rotate, "server-key rotate [--passphrase] [--json]",
      "A new server key, while the service is stopped: what the old one closes is written anew, and then the\n"
      "old one opens nothing. --passphrase asks for one (or reads a line of standard input) and renews the\n"
      "copy beside the key; other copies are stale." },
    { "demo", cmd_demo, "demo [--dir DIR]",
      "A service to try on this machine, with an address and sample mail." },
};

/* "alias" alone: the commands that begin with it. False when none does. */
static bool usage_of_group(FILE *to, const char *word)
{
    struct str first, second;
    bool any = false;

    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (str_cut(str_from(commands[i].name), ' ', &first, &second) && str_eq_z(first, word)) {
            fprintf(to, "%s letterlock %s\n", any ? "      " : "Usage:", commands[i].usage);
            any = true;
        }
    return any;
}

static int usage(FILE *to, const struct command *one)
{
    if (one) {
        fprintf(to, "Usage: letterlock %s [--config FILE]\n\n%s\n", one->usage, one->help);
        return EX_OK;
    }
    fputs("Usage: letterlock COMMAND [ARGUMENTS]\n\n", to);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        fprintf(to, "  %-16s %.*s\n", commands[i].name, (int)strcspn(commands[i].help, "\n"),
                commands[i].help);
    fputs("\nEvery command takes --config FILE and --help. letterlock --version says which this is.\n", to);
    return to == stderr ? EX_USAGE : EX_OK;
}

static bool matches(const struct command *c, int argc, char **argv, int *words_out)
{
    struct str first, second;

    *words_out = str_cut(str_from(c->name), ' ', &first, &second) ? 2 : 1;
    return argc >= *words_out && str_eq_z(first, argv[0]) && (*words_out == 1 || str_eq_z(second, argv[1]));
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

/* "--config FILE" may stand before the command, too; one behind it goes before. */
static void leading_config(int *argc, char ***argv)
{
    char **v = *argv;

    if (*argc > 1 && strcmp(v[0], "--config") == 0) {
        setenv("LETTERLOCK_CONFIG", v[1], 1);
        *argc -= 2;
        *argv += 2;
    } else if (*argc > 0 && strncmp(v[0], "--config=", 9) == 0) {
        setenv("LETTERLOCK_CONFIG", v[0] + 9, 1);
        *argc -= 1;
        *argv += 1;
    }
}

/* "help alias add" is "alias add --help". */
static void leading_help(int argc, char **argv)
{
    if (argc == 0 || strcmp(argv[0], "help") != 0)
        return;
    memmove(argv, argv + 1, (size_t)(argc - 1) * sizeof *argv);
    argv[argc - 1] = (char *)(uintptr_t) "--help";
}

int ctl_main(int argc, char **argv)
{
    int words;

    log_init("letterlock", LOG_WARN);
    leading_config(&argc, &argv);
    leading_help(argc, argv);
    if (argc == 0)
        return usage(stderr, NULL);
    if (strcmp(argv[0], "--version") == 0 || strcmp(argv[0], "version") == 0) {
        printf("letterlock %s\n", LETTERLOCK_VERSION);
        return EX_OK;
    }
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (matches(&commands[i], argc, argv, &words))
            return wants_help(argc, argv) ? usage(stdout, &commands[i])
                                          : commands[i].run(argc - words + 1, argv + words - 1);
    if (wants_help(argc, argv))
        return usage_of_group(stdout, argv[0]) ? EX_OK : usage(stdout, NULL);
    if (usage_of_group(stderr, argv[0]))
        return EX_USAGE;
    fprintf(stderr, "letterlock: no such command: %s\n\n", argv[0]);
    return usage(stderr, NULL);
}

int ctl_config(const struct args *a, struct config *c)
{
    CLEANUP(buf_release) struct buf err = { .max = KIB(4) };
    int r = config_open(c, a->config, &err);

    if (r == 0)
        return 0;
    ctl_fail(0, "%s", err.n ? buf_z(&err) : error_text(r));
    return r == E_NOTFOUND ? EX_NOINPUT : r == E_SYNTAX || r == E_RANGE ? EX_CONFIG : ctl_exit_code(r);
}
