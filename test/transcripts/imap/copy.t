# RFC 9051 6.4.7, RFC 4315 3: COPY keeps flags and date; all or nothing; COPYUID; TRYCREATE                                                 mail s1 s2 s3
C: a STORE 2 FLAGS.SILENT (\Seen $Label)   S: … | a OK
C: b COPY 1:2 Archive                  S: b OK [COPYUID $v 1:2 1:2]
C: c UID COPY 3,1 Archive              S: c OK [COPYUID $v
C: d COPY 1 nothing                    S: d NO [TRYCREATE]
C: e COPY 9 Archive                    S: e …
C: f UID COPY 99 Archive               S: f OK
C: g COPY 1 INBOX                      S: * 4 EXISTS | * 4 RECENT | g OK [COPYUID
C: h SELECT Archive                    S: … | * 4 EXISTS | … | h OK
C: i FETCH 2 (FLAGS INTERNALDATE)      S: * 2 FETCH (FLAGS (\Seen \Recent $Label) INTERNALDATE " 2-Nov-2026 10:11:12 +0000") | i OK
C: j COPY 1                            S: j BAD
C: k COPY x INBOX                      S: k BAD
