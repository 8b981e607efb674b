# RFC 9051 appendix A: without ENABLE it is IMAP4rev1, and again after UNAUTHENTICATE      messages 1, state auth
C: a SELECT INBOX
S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft) | * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft \*)] … | * 1 EXISTS | * 1 RECENT | * OK [UNSEEN 1] …
S: * OK [UIDVALIDITY $v] … | * OK [UIDNEXT 2] … | * OK [HIGHESTMODSEQ $m] … | * OK [MAILBOXID ($i)] … | a OK [READ-WRITE]
C: b SEARCH ALL                          S: * SEARCH 1 | b OK
C: c ENABLE IMAP4rev2                    S: * ENABLED IMAP4rev2 | c OK
C: d SEARCH ALL                          S: * ESEARCH (TAG "d") ALL 1 | d OK
C: e UNAUTHENTICATE                      S: e OK
C: f AUTHENTICATE PLAIN $PLAIN           S: f OK
C: g LIST "" INBOX                       S: * LIST (\HasNoChildren) "/" INBOX | g OK
