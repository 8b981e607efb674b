# RFC 5182 2: "$" is what was saved                                                                                          messages 5
C: a SEARCH RETURN (SAVE) 2:4                  S: a OK
C: b FETCH $ UID                               S: * 2 FETCH (UID 2) | * 3 FETCH (UID 3) | * 4 FETCH (UID 4) | b OK
C: c SEARCH RETURN (COUNT) UID $               S: * ESEARCH (TAG "c") COUNT 3 | c OK
C: d SEARCH NOT $                              S: * SEARCH 1 5 | d OK
C: e SEARCH RETURN (SAVE MIN) $                S: * ESEARCH (TAG "e") MIN 2 | e OK
C: f UID STORE $ +FLAGS (\Deleted)             S: * 2 FETCH (UID 2 FLAGS (\Deleted \Recent)) | f OK
C: g SEARCH RETURN (SAVE MIN MAX COUNT) 2:5    S: * ESEARCH (TAG "g") MIN 2 MAX 5 COUNT 4 | g OK
C: h EXPUNGE                                   S: * 2 EXPUNGE | h OK
C: i UID FETCH $ FLAGS                         S: * 2 FETCH (UID 3 FLAGS (\Recent)) | * 3 FETCH (UID 4 FLAGS (\Recent)) | * 4 FETCH (UID 5 FLAGS (\Recent)) | i OK
C: j SEARCH RETURN (SAVE) CHARSET X-NO-SUCH ALL   S: j NO [BADCHARSET
C: k FETCH $ UID                               S: k OK
C: l SEARCH RETURN (SAVE MAX) ALL              S: * ESEARCH (TAG "l") MAX 4 | l OK
C: m SEARCH RETURN (SAVE XYZZY) ALL            S: m BAD
C: n COPY $ Trash                              S: n OK [COPYUID $v 5 1]
C: o SELECT INBOX                              S: … | o OK
C: p FETCH $ UID                               S: p OK
C: q SEARCH RETURN (SAVE PARTIAL -1:-2) ALL    S: * ESEARCH (TAG "q") PARTIAL (-1:-2 3:4) | q OK
C: r UID MOVE $ Trash                          S: * OK [COPYUID … | * 4 EXPUNGE | * 3 EXPUNGE | r OK
