# RFC 5465 6.1.2: SELECTED-DELAYED: numbers stay until a command that may move them; new messages are told at once      clients 2, messages 3
C1: a NOTIFY SET (selected-delayed (MessageNew (UID) MessageExpunge FlagChange))    S1: a OK
C2: a STORE 1 +FLAGS.SILENT (\Deleted)   S2: … | a OK
S1: * 1 FETCH (UID 1 FLAGS (\Deleted \Recent))
C2: b EXPUNGE                            S2: * 1 EXPUNGE | b OK
C2: c APPEND INBOX {8+}\r\nA: b\r\n\r\n  S2: … | c OK
S1: * 4 EXISTS | * $r RECENT | * 4 FETCH (UID 4)
C1: b FETCH 2 (UID)                      S1: * 2 FETCH (UID 2) | b OK
C1: c NOOP                               S1: * 1 EXPUNGE | c OK
C1: d FETCH 2 (UID)                      S1: * 2 FETCH (UID 3) | d OK
# with QRESYNC: VANISHED, and while it is held back, a HIGHESTMODSEQ that is safe
C1: e ENABLE QRESYNC                     S1: … | e OK
C2: d STORE 1 +FLAGS.SILENT (\Deleted)   S2: … | d OK
S1: * 1 FETCH (UID 2 FLAGS (\Deleted \Recent) MODSEQ ($m))
C2: e EXPUNGE                            S2: * 1 EXPUNGE | e OK
C2: f STORE 1 +FLAGS.SILENT (\Seen)      S2: … | f OK
S1: … | * 2 FETCH (UID 3 FLAGS (\Seen \Recent) MODSEQ ($n)) | * OK [HIGHESTMODSEQ $k] …
C1: f IDLE                               S1: + … | * VANISHED 2
C1: DONE                                 S1: f OK
