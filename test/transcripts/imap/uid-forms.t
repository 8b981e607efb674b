# RFC 9051 6.4.9: UID commands take UIDs, answer with UIDs, and pass over those that are not there                                                   mail s1 s2 s3
C: a STORE 1 +FLAGS.SILENT (\Deleted)  S: a OK
C: b EXPUNGE                           S: * 1 EXPUNGE | b OK
C: c UID FETCH 1:* (FLAGS)             S: * 1 FETCH (UID 2 FLAGS (\Recent)) | * 2 FETCH (UID 3 FLAGS (\Recent)) | c OK
C: d UID FETCH 1 (FLAGS)               S: d OK
C: e UID FETCH 99:* (UID)              S: * 2 FETCH (UID 3) | e OK
C: f UID FETCH *:99 (UID)              S: * 2 FETCH (UID 3) | f OK
C: g UID SEARCH 1:*                    S: * SEARCH 2 3 | g OK
C: h UID SEARCH UID 3                  S: * SEARCH 3 | h OK
C: i SEARCH UID 3                      S: * SEARCH 2 | i OK
C: j UID FETCH 3:2,2 UID               S: * 1 FETCH (UID 2) | * 2 FETCH (UID 3) | j OK
C: k UID FETCH 4294967295 UID          S: k OK
C: l UID FETCH 4294967296 UID          S: l BAD
C: m UID FETCH 0 UID                   S: m BAD
C: n UID FETCH 1:0 UID                 S: n BAD
C: o UID FETCH 1,,2 UID                S: o BAD
C: p UID FETCH 1: UID                  S: p BAD
C: q UID XYZZY 1                       S: q BAD
