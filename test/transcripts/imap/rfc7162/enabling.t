# RFC 7162 3.1: each of these enables CONDSTORE, the first tells HIGHESTMODSEQ where a folder is selected, and from then on flags come with MODSEQ                                    clients 7, messages 2
C1: a SELECT INBOX (CONDSTORE)         S1: … | a OK [READ-WRITE]
C2: a STATUS INBOX (HIGHESTMODSEQ)     S2: * OK [HIGHESTMODSEQ $high] Highest | * STATUS INBOX (HIGHESTMODSEQ $high) | … | a OK
C3: a FETCH 1 MODSEQ                   S3: * OK [HIGHESTMODSEQ $high] Highest | * 1 FETCH (MODSEQ ($m1)) | a OK
C4: a SEARCH MODSEQ 1                  S4: * OK [HIGHESTMODSEQ $high] Highest | * SEARCH 1 2 (MODSEQ $high) | a OK
C5: a FETCH 1 UID (CHANGEDSINCE 1)     S5: * OK [HIGHESTMODSEQ $high] Highest | * 1 FETCH (UID $uid MODSEQ ($m1)) | a OK
C6: a ENABLE CONDSTORE                 S6: * ENABLED CONDSTORE | * OK [HIGHESTMODSEQ $high] Highest | a OK
C7: a STORE 1 (UNCHANGEDSINCE 999) +FLAGS (\Seen)   S7: * OK [HIGHESTMODSEQ $high] Highest | * 1 FETCH (FLAGS (\Seen) MODSEQ ($m2)) | a OK
C1: b NOOP     S1: * 1 FETCH (FLAGS (\Seen) MODSEQ ($m2)) | b OK
C2: b NOOP     S2: * 1 FETCH (FLAGS (\Seen) MODSEQ ($m2)) | b OK
C3: b NOOP     S3: * 1 FETCH (FLAGS (\Seen) MODSEQ ($m2)) | b OK
C4: b NOOP     S4: * 1 FETCH (FLAGS (\Seen) MODSEQ ($m2)) | b OK
C5: b NOOP     S5: * 1 FETCH (FLAGS (\Seen) MODSEQ ($m2)) | b OK
C6: b NOOP     S6: * 1 FETCH (FLAGS (\Seen) MODSEQ ($m2)) | b OK
