# RFC 9586 3.4, RFC 7162: with QRESYNC; sequence match data is made of numbers                    messages 3, state auth
C: a ENABLE QRESYNC UIDONLY            S: * ENABLED QRESYNC UIDONLY | a OK
C: b SELECT INBOX                      S: * FLAGS … | … | * OK [UIDVALIDITY $v] … | * OK [UIDNEXT … | * OK [HIGHESTMODSEQ $m] … | * OK [MAILBOXID … | b OK
C: c SELECT INBOX (QRESYNC ($v 1 1:3 (1:2 1:2)))   S: c BAD [UIDREQUIRED]
C: d SELECT INBOX (QRESYNC ($v 1 1:3))   S: * OK [CLOSED] … | … | * 1 UIDFETCH (FLAGS (…) MODSEQ ($x)) | * 2 UIDFETCH (FLAGS (…) MODSEQ ($y)) | * 3 UIDFETCH (FLAGS (…) MODSEQ ($z)) | d OK
C: e UID STORE 2 +FLAGS (\Deleted)     S: * 2 UIDFETCH (FLAGS (\Deleted…) MODSEQ ($n)) | e OK
C: f UID EXPUNGE 2                     S: * VANISHED 2 | f OK [HIGHESTMODSEQ $o]
C: g UID FETCH 1:* (FLAGS) (CHANGEDSINCE $n VANISHED)   S: * VANISHED (EARLIER) 2 | g OK
