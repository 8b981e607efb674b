# RFC 7162 3.2.7, 3.2.9, 3.2.10: VANISHED instead of EXPUNGE, and HIGHESTMODSEQ                                                          clients 3, messages 6
C1: a ENABLE QRESYNC                      S1: * ENABLED QRESYNC | * OK [HIGHESTMODSEQ $high] Highest | a OK
C1: b STORE 1,3,5 +FLAGS.SILENT (\Deleted)   S1: * 1 FETCH (UID 1 MODSEQ ($m1)) | * 3 FETCH (UID 3 MODSEQ ($m1)) | * 5 FETCH (UID 5 MODSEQ ($m1)) | b OK
C1: c UID EXPUNGE 1:2                     S1: * VANISHED 1 | c OK [HIGHESTMODSEQ $m2]
C1: d EXPUNGE                             S1: * VANISHED 3,5 | d OK [HIGHESTMODSEQ $m3]
C1: e EXPUNGE                             S1: e OK Completed
C2: a NOOP                                S2: * 5 EXPUNGE | * 3 EXPUNGE | * 1 EXPUNGE | a OK
C1: f MOVE 1 Trash                        S1: * OK [COPYUID $v 2 1] Moved | * VANISHED 2 | f OK [HIGHESTMODSEQ $m4]
C3: a ENABLE QRESYNC                      S3: … | a OK
C3: b NOOP                                S3: … | b OK
