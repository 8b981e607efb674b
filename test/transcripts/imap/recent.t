# RFC 3501 2.3.2: \Recent goes to one session, and is nobody's to set                                                                     messages 1, state auth, clients 2
C1: a SELECT INBOX                     S1: … | * 1 EXISTS | * 1 RECENT | … | a OK
C2: a SELECT INBOX                     S2: … | * 1 EXISTS | * 0 RECENT | … | a OK
C1: b FETCH 1 FLAGS                    S1: * 1 FETCH (FLAGS (\Recent)) | b OK
C2: b FETCH 1 FLAGS                    S2: * 1 FETCH (FLAGS ()) | b OK
C1: c STORE 1 +FLAGS (\Recent)         S1: c BAD
C1: d SEARCH RECENT                    S1: * SEARCH 1 | d OK
C1: e SEARCH NEW                       S1: * SEARCH 1 | e OK
C1: f SEARCH OLD                       S1: * SEARCH | f OK
C2: c SEARCH OLD                       S2: * SEARCH 1 | c OK
C1: g STORE 1 FLAGS (\Seen)            S1: * 1 FETCH (FLAGS (\Seen \Recent)) | g OK
C1: h SEARCH NEW                       S1: * SEARCH | h OK
