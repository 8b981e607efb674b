# RFC 5267 4.3.3, 4.3.4: who comes and goes by flags, as a new message, and by EXPUNGE      clients 2, messages 4
C1: B01 UID SEARCH RETURN (UPDATE COUNT) DELETED KEYWORD $Junk    S1: * ESEARCH (TAG "B01") UID COUNT 0 | B01 OK
C1: B02 SEARCH RETURN (UPDATE ALL) UNSEEN       S1: * ESEARCH (TAG "B02") ALL 1:4 | B02 OK
C2: a STORE 3:4 +FLAGS.SILENT (\Deleted \Seen $Junk)    S2: … | a OK
C1: a NOOP
S1: * FLAGS … | * 3 FETCH (FLAGS (\Deleted \Seen \Recent $Junk)) | * 4 FETCH (FLAGS (\Deleted \Seen \Recent $Junk))
S1: * ESEARCH (TAG "B01") UID ADDTO (0 3:4) | * ESEARCH (TAG "B02") REMOVEFROM (0 3:4) | a OK
C2: b APPEND INBOX {8+}\r\nA: b\r\n\r\n         S2: … | b OK
C2: c APPEND INBOX (\Seen) {8+}\r\nA: b\r\n\r\n    S2: … | c OK
C1: b NOOP                                      S1: * 6 EXISTS | * $r RECENT | * ESEARCH (TAG "B02") ADDTO (0 5) | b OK
# what this client does itself counts as well
C1: c STORE 2 +FLAGS.SILENT (\Seen)             S1: * ESEARCH (TAG "B02") REMOVEFROM (0 2) | c OK
C1: d APPEND INBOX {8+}\r\nA: b\r\n\r\n         S1: * 7 EXISTS | * $r2 RECENT | * ESEARCH (TAG "B02") ADDTO (0 7) | d OK
# numbers of what is expunged are told before they are no more
C2: d STORE 1 +FLAGS.SILENT (\Deleted)          S2: … | d OK
C2: e EXPUNGE                                   S2: * 4 EXPUNGE | * 3 EXPUNGE | * 1 EXPUNGE | … | e OK
C1: e FETCH 7 (UID)
S1: * 7 FETCH (UID 7) | * ESEARCH (TAG "B01") UID REMOVEFROM (0 3:4) | * ESEARCH (TAG "B02") REMOVEFROM (0 1) | … | e OK
C1: f NOOP                                      S1: … | * 4 EXPUNGE | * 3 EXPUNGE | * 1 EXPUNGE | … | f OK
C1: g IDLE                                      S1: + …
C2: f STORE 1 -FLAGS.SILENT (\Seen)             S2: … | f OK
S1: * 1 FETCH (FLAGS (\Recent)) | * ESEARCH (TAG "B02") ADDTO (0 1)
C1: DONE                                        S1: g OK
