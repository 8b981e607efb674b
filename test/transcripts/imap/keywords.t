# RFC 9051 2.3.2, 7.2.6: keywords are made up by clients, kept as written, and FLAGS tells of new ones                                             clients 2, mail s1
C1: a STORE 1 +FLAGS.SILENT (Work $MDNSent a.b-c)   S1: … | a OK
C1: b FETCH 1 FLAGS                    S1: * 1 FETCH (FLAGS (\Recent …)) | b OK
C1: c SEARCH KEYWORD work              S1: * SEARCH 1 | c OK
C1: d SEARCH KEYWORD nothing           S1: * SEARCH | d OK
C1: e SEARCH UNKEYWORD $MDNSENT        S1: * SEARCH | e OK
C1: f STORE 1 -FLAGS (WORK)            S1: * 1 FETCH (FLAGS (\Recent …)) | … | f OK
C1: g SEARCH KEYWORD Work              S1: * SEARCH | g OK
C1: h STORE 1 +FLAGS (\{k*101})        S1: h BAD
C1: i STORE 1 +FLAGS (a(b)             S1: i BAD
C2: a NOOP                             S2: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft …) | * 1 FETCH (FLAGS (…)) | a OK
