# RFC 7162 3.1: every kind of change has a new modseq of its own                                                                             messages 2
C: a ENABLE CONDSTORE                     S: * ENABLED CONDSTORE | * OK [HIGHESTMODSEQ $high] Highest | a OK
C: b STORE 1 FLAGS (\Seen)                S: * 1 FETCH (FLAGS (\Seen \Recent) MODSEQ ($m1)) | b OK
C: c STORE 1 +FLAGS (work)                S: … | * 1 FETCH (FLAGS (\Seen \Recent work) MODSEQ ($m2)) | … | c OK
C: d STORE 1 +FLAGS (work)                S: * 1 FETCH (FLAGS (\Seen \Recent work) MODSEQ ($m2)) | d OK
C: e FETCH 2 BODY[]<0.1>                  S: * 2 FETCH (BODY[]<0> {1}… FLAGS (\Seen \Recent) MODSEQ ($m3)) | e OK
C: f APPEND INBOX {8+}\r\nA: b\r\n\r\n    S: * 3 EXISTS | … | f OK [APPENDUID …
C: g FETCH 3 MODSEQ                       S: * 3 FETCH (MODSEQ ($m4)) | g OK
C: h COPY 1 INBOX                         S: * 4 EXISTS | … | h OK [COPYUID …
C: i FETCH 4 MODSEQ                       S: * 4 FETCH (MODSEQ ($m5)) | i OK
C: j MOVE 4 Trash                         S: * OK [COPYUID … | * 4 EXPUNGE | j OK
C: k STATUS INBOX (HIGHESTMODSEQ)         S: * STATUS INBOX (HIGHESTMODSEQ $m6) | k OK
C: l STORE 3 +FLAGS.SILENT (\Deleted)     S: * 3 FETCH (MODSEQ ($m7)) | l OK
C: m EXPUNGE                              S: * 3 EXPUNGE | m OK Completed
C: n STATUS INBOX (HIGHESTMODSEQ)         S: * STATUS INBOX (HIGHESTMODSEQ $m8) | n OK
C: o SELECT INBOX                         S: … | * OK [HIGHESTMODSEQ $m8] Highest | … | o OK
