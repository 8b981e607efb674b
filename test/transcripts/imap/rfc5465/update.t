# RFC 5465 7, 5.2: UPDATE with items of new messages: alone before ADDTO, with those of MessageNew behind it      clients 2, messages 1
C1: a00 SEARCH RETURN (COUNT UPDATE (UID BODY[HEADER.FIELDS (SUBJECT)])) FROM "boss"    S1: * ESEARCH (TAG "a00") COUNT 0 | a00 OK
C1: a IDLE                                      S1: + …
C2: a APPEND INBOX {42+}\r\nFrom: myboss@example.org\r\nSubject: one\r\n\r\n\r\n    S2: … | a OK
S1: * 2 EXISTS | * $r RECENT | * 2 FETCH (UID 2 BODY[HEADER.FIELDS (SUBJECT)] {16}\r\nSubject: one\r\n\r\n) | * ESEARCH (TAG "a00") ADDTO (0 2)
C1: DONE                                        S1: a OK
C1: b FETCH 2 (FLAGS)                           S1: * 2 FETCH (FLAGS (\Recent)) | b OK
C1: c NOTIFY SET (selected (MessageNew (FLAGS UID) MessageExpunge FlagChange))    S1: c OK
C2: b APPEND INBOX {42+}\r\nFrom: myboss@example.org\r\nSubject: two\r\n\r\n\r\n    S2: … | b OK
S1: * 3 EXISTS | * $r2 RECENT | * ESEARCH (TAG "a00") ADDTO (0 3)
S1: * 3 FETCH (FLAGS (\Recent) UID 3 BODY[HEADER.FIELDS (SUBJECT)] {16}\r\nSubject: two\r\n\r\n)
C2: c APPEND INBOX {8+}\r\nA: b\r\n\r\n         S2: … | c OK
S1: * 4 EXISTS | * $r3 RECENT | * 4 FETCH (FLAGS (\Recent) UID 4)
# none for who comes by a flag
C1: d SEARCH RETURN (UPDATE (UID)) FLAGGED      S1: * ESEARCH (TAG "d") | d OK
C2: d STORE 4 +FLAGS.SILENT (\Flagged)          S2: … | d OK
S1: * 4 FETCH (UID 4 FLAGS (\Flagged \Recent)) | * ESEARCH (TAG "d") ADDTO (0 4)
C1: e SEARCH RETURN (UPDATE ()) ALL             S1: e BAD
C1: f SEARCH RETURN (UPDATE (FAST)) ALL         S1: f BAD
