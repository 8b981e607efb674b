# RFC 5530 3: EXPUNGEISSUED, when somebody else expunged and it may not be told now (RFC 9051 7.5.1)                     clients 2, messages 3
C2: a STORE 2 +FLAGS.SILENT (\Deleted)   S2: a OK
C2: b EXPUNGE                          S2: * 2 EXPUNGE | b OK
C1: g STORE 3 +FLAGS.SILENT (\Seen)    S1: … | g OK [EXPUNGEISSUED]
C1: h SEARCH SEEN                      S1: * SEARCH 3 | h OK [EXPUNGEISSUED]
C1: i FETCH 3 (UID)                    S1: * 3 FETCH (UID 3) | i OK [EXPUNGEISSUED]
C1: j NOOP                             S1: * 2 EXPUNGE | j OK
C1: k FETCH 2 (UID)                    S1: * 2 FETCH (UID 3) | k OK Completed
