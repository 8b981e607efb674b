# RFC 5465 4, 5.2: IDLE tells exactly what NOTIFY asks for; own messages bring no FETCH      clients 2, messages 1
C1: a NOTIFY SET (selected (MessageNew (UID FLAGS) MessageExpunge)) (personal (MessageNew MessageExpunge))    S1: a OK
C1: b IDLE                               S1: + …
C2: a STORE 1 +FLAGS.SILENT (\Seen)      S2: … | a OK
C2: b APPEND Sent {8+}\r\nA: b\r\n\r\n   S2: … | b OK
S1: * STATUS Sent (MESSAGES 1 UIDNEXT 2)
C2: c APPEND INBOX {8+}\r\nA: b\r\n\r\n  S2: … | c OK
S1: * 2 EXISTS | * $r RECENT | * 2 FETCH (UID 2 FLAGS (\Recent))
C2: d STORE 1 +FLAGS.SILENT (\Deleted)   S2: … | d OK
C2: e EXPUNGE                            S2: * 1 EXPUNGE | e OK
S1: * 1 EXPUNGE
C1: DONE                                 S1: b OK
C1: c APPEND INBOX {8+}\r\nA: b\r\n\r\n  S1: * 2 EXISTS | … | c OK
C1: d COPY 1 INBOX                       S1: * 3 EXISTS | … | d OK
C1: e UID COPY 2 Sent                    S1: e OK
C1: f NOOP                               S1: f OK
C2: f APPEND INBOX {8+}\r\nA: b\r\n\r\n  S2: … | f OK
S1: * 4 EXISTS | * $r2 RECENT | * 4 FETCH (UID 5 FLAGS (\Recent))
