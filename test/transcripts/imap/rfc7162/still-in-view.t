# RFC 7162 3.2.6, 3.2.10.1: EARLIER names no message that the client still counts                                                            clients 2, messages 3
C1: a ENABLE QRESYNC                      S1: * ENABLED QRESYNC | * OK [HIGHESTMODSEQ $high] Highest | a OK
C1: b FETCH 3 MODSEQ                      S1: * 3 FETCH (MODSEQ ($m)) | b OK
C2: a STORE 1 +FLAGS.SILENT (\Deleted)    S2: a OK
C2: b EXPUNGE                             S2: * 1 EXPUNGE | b OK
C1: c UID FETCH 1:* (FLAGS) (CHANGEDSINCE $m VANISHED)   S1: * VANISHED 1 | c OK
C1: d UID FETCH 1:* (FLAGS) (CHANGEDSINCE $m VANISHED)   S1: * VANISHED (EARLIER) 1 | d OK
