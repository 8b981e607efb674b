# RFC 9051 6.3.3: EXAMINE changes nothing, and lets nothing be changed                                                        messages 2, state auth
C: a EXAMINE INBOX
S: * FLAGS (…) | * OK [PERMANENTFLAGS ()] … | * 2 EXISTS | * 2 RECENT | … | a OK [READ-ONLY]
C: b FETCH 1 BODY[TEXT]                S: * 1 FETCH (BODY[TEXT] …) | b OK
C: c FETCH 1 FLAGS                     S: * 1 FETCH (FLAGS (\Recent)) | c OK
C: d STORE 1 +FLAGS (\Deleted)         S: d NO [READ-ONLY]
C: e EXPUNGE                           S: e NO [READ-ONLY]
C: f MOVE 1 Trash                      S: f NO [READ-ONLY]
C: g COPY 1 Trash                      S: g OK [COPYUID
C: h CLOSE                             S: h OK
C: i EXAMINE INBOX                     S: … | * 2 RECENT | … | i OK [READ-ONLY]
