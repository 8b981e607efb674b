# RFC 7162 3.2.5: SELECT with QRESYNC tells what went and what changed                                                                   clients 2, messages 6, state auth
C1: a ENABLE QRESYNC                      S1: * ENABLED QRESYNC | a OK
C1: b SELECT INBOX                        S1: … | * OK [UIDVALIDITY $v] Valid | … | * OK [HIGHESTMODSEQ $m] Highest | … | b OK
C1: c UNSELECT                            S1: c OK
C2: a SELECT INBOX                        S2: … | a OK
C2: b STORE 2,4 +FLAGS.SILENT (\Deleted)   S2: b OK
C2: c EXPUNGE                             S2: * 4 EXPUNGE | * 2 EXPUNGE | c OK
C2: d UID STORE 5 +FLAGS.SILENT (\Seen)   S2: d OK
C1: d SELECT INBOX (QRESYNC ($v $m))      S1: … | * 4 EXISTS | … | * OK [MAILBOXID … | * VANISHED (EARLIER) 2,4 | * 3 FETCH (UID 5 FLAGS (\Seen) MODSEQ ($n)) | d OK [READ-WRITE]
C1: e SELECT INBOX (QRESYNC ($v $m 1:3))   S1: * OK [CLOSED] … | … | * VANISHED (EARLIER) 2 | e OK [READ-WRITE]
C1: f SELECT INBOX (QRESYNC ($v $m 1:6 (1,3 1,3)))   S1: … | * VANISHED (EARLIER) 2,4 | * 3 FETCH (UID 5 FLAGS (\Seen) MODSEQ ($n)) | f OK [READ-WRITE]
C1: g EXAMINE INBOX (CONDSTORE QRESYNC (1 $m))   S1: * OK [CLOSED] … | … | * OK [MAILBOXID … | g OK [READ-ONLY]
C1: h SELECT INBOX (QRESYNC ($v $n))      S1: * OK [CLOSED] … | … | * OK [MAILBOXID … | h OK [READ-WRITE]
C1: i UID FETCH 1:4 (FLAGS) (CHANGEDSINCE $m VANISHED)   S1: * VANISHED (EARLIER) 2,4 | i OK
C1: j UID FETCH 3:* (FLAGS) (CHANGEDSINCE $m VANISHED)   S1: * VANISHED (EARLIER) 4 | * 3 FETCH (UID 5 FLAGS (\Seen) MODSEQ ($n)) | j OK
C1: k FETCH 1:4 (FLAGS) (CHANGEDSINCE $m VANISHED)   S1: k BAD
C1: l UID FETCH 1:4 (FLAGS) (VANISHED)   S1: l BAD
C1: m SELECT INBOX (QRESYNC ($v 0))      S1: m BAD
C1: n SELECT INBOX (QRESYNC ($v $m 1:*))   S1: n BAD
C1: o SELECT INBOX (QRESYNC ($v $m 1:3 (1 1,3)))   S1: o BAD
C2: e SELECT INBOX (QRESYNC ($v $m))     S2: e BAD
