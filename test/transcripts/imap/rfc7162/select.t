# RFC 7162 3.1.2.1, 3.1.8: HIGHESTMODSEQ at every SELECT, never NOMODSEQ                                                  messages 2, state auth
C: a SELECT INBOX               S: … | * OK [HIGHESTMODSEQ $high] Highest | … | a OK [READ-WRITE]
C: b EXAMINE INBOX (CONDSTORE)   S: … | * OK [HIGHESTMODSEQ $high] Highest | … | b OK [READ-ONLY]
C: c SELECT Trash (CONDSTORE)   S: … | * OK [HIGHESTMODSEQ 1] Highest | … | c OK [READ-WRITE]
C: d SELECT INBOX (XYZZY)       S: d BAD
C: e SELECT INBOX ()            S: e BAD
C: f SELECT INBOX (CONDSTORE     S: f BAD
