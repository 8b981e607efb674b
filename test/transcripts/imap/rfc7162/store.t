# RFC 7162 3.1.3: STORE UNCHANGEDSINCE and MODIFIED                                                                             clients 2, messages 3
C1: a ENABLE CONDSTORE                                 S1: * ENABLED CONDSTORE | * OK [HIGHESTMODSEQ $high] Highest | a OK
C1: b FETCH 1:3 MODSEQ                                 S1: * 1 FETCH (MODSEQ ($m1)) | * 2 FETCH (MODSEQ ($m2)) | * 3 FETCH (MODSEQ ($m3)) | b OK
C2: a STORE 2 +FLAGS.SILENT (\Flagged)                 S2: a OK
C1: c STORE 1:3 (UNCHANGEDSINCE $m3) +FLAGS (\Seen)    S1: * 1 FETCH (FLAGS (\Seen \Recent) MODSEQ ($n)) | * 3 FETCH (FLAGS (\Seen \Recent) MODSEQ ($n)) | * 2 FETCH (FLAGS (\Flagged \Recent) MODSEQ ($n2)) | c OK [MODIFIED 2]
C1: d UID STORE 1:3 (UNCHANGEDSINCE 0) +FLAGS (\Draft)  S1: d OK [MODIFIED 1:3]
C1: e STORE 2 (UNCHANGEDSINCE $n2) +FLAGS.SILENT (\Seen)   S1: * 2 FETCH (MODSEQ ($n3)) | e OK Completed
C1: f STORE 2 (UNCHANGEDSINCE $n2) -FLAGS.SILENT (\Seen)   S1: f OK [MODIFIED 2]
C1: g FETCH 2 (FLAGS MODSEQ)                           S1: * 2 FETCH (FLAGS (\Flagged \Seen \Recent) MODSEQ ($n3)) | g OK
C1: h STORE 2 (UNCHANGEDSINCE) +FLAGS (\Seen)          S1: h BAD
C1: i STORE 2 (UNCHANGEDSINCE -1) +FLAGS (\Seen)       S1: i BAD
