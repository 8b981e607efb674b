# RFC 7162 3.2.10, errata 1810: no VANISHED during FETCH, STORE, SEARCH; what is known is said with HIGHESTMODSEQ                           clients 2, messages 4
C1: a ENABLE QRESYNC                      S1: * ENABLED QRESYNC | * OK [HIGHESTMODSEQ $high] Highest | a OK
C2: a STORE 2 +FLAGS.SILENT (\Deleted)    S2: a OK
C1: b NOOP                                S1: * 2 FETCH (UID 2 FLAGS (\Deleted \Recent) MODSEQ ($m)) | b OK
C2: b EXPUNGE                             S2: * 2 EXPUNGE | b OK
C2: c STORE 3 +FLAGS.SILENT (\Seen)       S2: c OK
C1: c FETCH 4 (UID)                       S1: * 4 FETCH (UID 4) | * 4 FETCH (UID 4 FLAGS (\Seen \Recent) MODSEQ ($n)) | * OK [HIGHESTMODSEQ $m] Some have gone, which is not told yet | c OK
C1: d NOOP                                S1: * VANISHED 2 | d OK
C1: e NOOP                                S1: e OK
