# RFC 9051 7.5.1, RFC 2180 4: STORE, FETCH, COPY and MOVE of what another session expunged: the others are served, numbers move only when told        clients 2, messages 4
C2: a STORE 2 +FLAGS.SILENT (\Deleted)   S2: a OK
C2: b EXPUNGE                          S2: * 2 EXPUNGE | b OK
C1: a STORE 1:3 +FLAGS (\Flagged)      S1: * 1 FETCH (FLAGS (\Flagged \Recent)) | * 3 FETCH (FLAGS (\Flagged \Recent)) | a OK
C1: b STORE 2 +FLAGS (\Seen)           S1: b OK
C1: c FETCH 2 BODY[TEXT]               S1: c OK
C1: d FETCH 1:* UID                    S1: * 1 FETCH (UID 1) | * 3 FETCH (UID 3) | * 4 FETCH (UID 4) | d OK
C1: e STORE 4 FLAGS (\Answered)        S1: * 4 FETCH (FLAGS (\Answered \Recent)) | e OK
C1: f COPY 2:3 Trash                   S1: * 2 EXPUNGE | f OK [COPYUID $t 3 1]
C1: g FETCH 2 (UID FLAGS)              S1: * 2 FETCH (UID 3 FLAGS (\Flagged \Recent)) | g OK
C2: c STORE 1 +FLAGS.SILENT (\Deleted)   S2: … | c OK
C2: d EXPUNGE                          S2: * 1 EXPUNGE | d OK
C1: h UID STORE 1 +FLAGS (\Seen)       S1: * 1 EXPUNGE | h OK
C2: e UID STORE 3 +FLAGS.SILENT (\Deleted)   S2: … | e OK
C2: f EXPUNGE                          S2: * 1 EXPUNGE | f OK
C1: i MOVE 1 Trash                     S1: * 1 EXPUNGE | i OK
C1: j FETCH 1 UID                      S1: * 1 FETCH (UID 4) | j OK
