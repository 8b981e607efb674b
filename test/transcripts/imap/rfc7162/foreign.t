# RFC 9051 6.4.6: what another session changed is told though our STORE is silent, or changed nothing                                      clients 2, messages 2
C2: a STORE 1:2 +FLAGS.SILENT (\Flagged)   S2: a OK
C1: a STORE 1 +FLAGS (\Flagged)            S1: * 1 FETCH (FLAGS (\Flagged \Recent)) | * 1 FETCH (FLAGS (\Flagged \Recent)) | * 2 FETCH (FLAGS (\Flagged \Recent)) | a OK
C2: b STORE 1 +FLAGS.SILENT (\Draft)       S2: b OK
C1: b STORE 1 +FLAGS.SILENT (\Seen)        S1: * 1 FETCH (FLAGS (\Flagged \Seen \Draft \Recent)) | b OK
C1: c STORE 1 -FLAGS.SILENT (\Seen)        S1: c OK
