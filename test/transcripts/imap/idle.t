# RFC 2177 3: IDLE hears at once what others append, flag and expunge                                                                     clients 3, messages 1, mx 3
C1: a IDLE                             S1: + …
C2: a APPEND INBOX {8+}\r\nA: b\r\n\r\n   S2: * 2 EXISTS | … | a OK
S1: * 2 EXISTS | * $r RECENT
C2: b STORE 1 +FLAGS.SILENT (\Answered)   S2: … | b OK
S1: … | * 1 FETCH (FLAGS (\Answered \Recent))
C2: c STORE 1 +FLAGS.SILENT (\Deleted)   S2: … | c OK
S1: * 1 FETCH (FLAGS (\Answered \Deleted \Recent))
C2: d EXPUNGE                          S2: * 1 EXPUNGE | d OK
S1: * 1 EXPUNGE
C3: MAIL FROM:<someone@example.net>    S3: 250
C3: RCPT TO:<$ADDRESS>                 S3: 250
C3: DATA                               S3: 354
C3: Subject: pushed\r\n\r\nhello\r\n.  S3: 250 2.0.0
S1: * 2 EXISTS | * $r2 RECENT
C1: DONE                               S1: a OK
C1: b FETCH 2 (BODY.PEEK[HEADER.FIELDS (SUBJECT)])
S1: * 2 FETCH (BODY[HEADER.FIELDS (SUBJECT)] {19}\r\nSubject: pushed\r\n\r\n) | b OK
