# RFC 9051 6.4.5: ALL, FAST, FULL stand alone; items in any case, in the order asked                                                      mail plain
C: a FETCH 1 FAST                      S: * 1 FETCH (FLAGS (\Recent) INTERNALDATE " 2-Nov-2026 10:11:12 +0000" RFC822.SIZE 356) | a OK
C: b FETCH 1 ALL                       S: * 1 FETCH (FLAGS (\Recent) INTERNALDATE " 2-Nov-2026 10:11:12 +0000" RFC822.SIZE 356 ENVELOPE (…)) | b OK
C: c FETCH 1 FULL                      S: * 1 FETCH (FLAGS (\Recent) INTERNALDATE " 2-Nov-2026 10:11:12 +0000" RFC822.SIZE 356 ENVELOPE (…) BODY ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 70 2)) | c OK
C: d FETCH 1 (FAST)                    S: d BAD
C: e FETCH 1 (uid flags)               S: * 1 FETCH (UID 1 FLAGS (\Recent)) | e OK
C: f FETCH 1 (UID UID)                 S: * 1 FETCH (UID 1) | f OK
C: g FETCH 1 ()                        S: g BAD
C: h FETCH 1 XYZZY                     S: h BAD
C: i FETCH 1 (UID                      S: i BAD
C: j FETCH 1 BODY[                     S: j BAD
C: k FETCH 1 BODY[XYZZY]               S: k BAD
C: l FETCH 1 BODY[MIME]                S: l BAD
C: m FETCH 1 BODY[0]                   S: m BAD
C: n FETCH 1 BODY[1.]                  S: n BAD
C: o FETCH 1 BODY[HEADER.FIELDS ()]    S: o BAD
C: p FETCH 1                           S: p BAD
C: q FETCH 1 BODYSTRUCTURE
S: * 1 FETCH (BODYSTRUCTURE ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 70 2 NIL NIL NIL NIL)) | q OK
