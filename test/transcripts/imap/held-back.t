# RFC 9051 7.5.1: no EXPUNGE while a command names messages by number; UID commands and NOOP may bring it                                clients 2, messages 4
C2: a STORE 2 +FLAGS.SILENT (\Deleted)   S2: a OK
C2: b EXPUNGE                          S2: * 2 EXPUNGE | b OK
C1: a FETCH 3 (UID)                    S1: * 3 FETCH (UID $three) | a OK
C1: b STORE 3 +FLAGS.SILENT (\Flagged)   S1: … | b OK
C1: c SEARCH UID $three                S1: … | * SEARCH 3 | c OK
C1: d SEARCH FLAGGED                   S1: … | * SEARCH 3 | d OK
C1: e FETCH 1:4 (UID)                  S1: * 1 FETCH (UID $one) | … | * 3 FETCH (UID $three) | * 4 FETCH (UID $four) | e …
C1: f UID SEARCH FLAGGED               S1: * SEARCH $three | * 2 EXPUNGE | … | f OK
C1: g FETCH 2 (UID)                    S1: * 2 FETCH (UID $three) | g OK
C2: c NOOP                             S2: … | c OK
C2: d UID STORE $one +FLAGS.SILENT (\Deleted)   S2: d OK
C2: e UID EXPUNGE $one                 S2: * 1 EXPUNGE | e OK
C1: h NOOP                             S1: * 1 EXPUNGE | … | h OK
