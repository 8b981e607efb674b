# RFC 9051 6.3.2, 6.4.4, 7.5.2, appendix E: what ENABLE IMAP4rev2 switches      clients 2, messages 2, state auth
C: a ENABLE IMAP4rev2                    S: * ENABLED IMAP4rev2 | a OK
C: b SELECT inbox
S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft) | * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft \*)] … | * 2 EXISTS
S: * OK [UIDVALIDITY $v] … | * OK [UIDNEXT 3] … | * OK [HIGHESTMODSEQ $m] … | * OK [MAILBOXID ($i)] …
S: * LIST () "/" "INBOX" | b OK [READ-WRITE]
C: c SEARCH ALL                          S: * ESEARCH (TAG "c") ALL 1:2 | c OK
C: d UID SEARCH SEEN                     S: * ESEARCH (TAG "d") UID | d OK
C: e FETCH 1 FLAGS                       S: * 1 FETCH (FLAGS ()) | e OK
C2: a SELECT INBOX                       S2: … | a OK
C2: b STORE 2 +FLAGS (\Flagged)          S2: … | b OK
C: f NOOP                                S: * 2 FETCH (UID 2 FLAGS (\Flagged)) | f OK
C: g EXAMINE Drafts
S: * OK [CLOSED] … | * FLAGS (\Answered \Flagged \Deleted \Seen \Draft) | * OK [PERMANENTFLAGS ()] … | * 0 EXISTS
S: * OK [UIDVALIDITY $v2] … | * OK [UIDNEXT 1] … | * OK [HIGHESTMODSEQ $m2] … | * OK [MAILBOXID ($i2)] …
S: * LIST (\Drafts) "/" "Drafts" | g OK [READ-ONLY]
C: h APPEND Drafts {5+}\r\nA: b\n        S: … | h OK
C: i NOOP                                S: … | i OK
C: j STATUS INBOX (MESSAGES DELETED SIZE UNSEEN)    S: * STATUS "INBOX" (MESSAGES 2 UNSEEN 2 DELETED 0 SIZE $s) | j OK
C: k CREATE x/y                          S: k OK
C: l DELETE x                            S: l OK
C: m LIST "" x                           S: * LIST (\NonExistent \HasChildren) "/" "x" | m OK
