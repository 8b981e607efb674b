# RFC 1939 5: the maildrop is what it was at login, whatever another session does       messages 3, clients 2, imap 2
C1: STAT                                S1: +OK 3 $all
C2: a STORE 2 +FLAGS.SILENT (\Deleted)  S2: a OK
C2: b EXPUNGE                           S2: * 2 EXPUNGE | b OK
C1: STAT                                S1: +OK 3 $all
C1: RETR 2                              S1: -ERR
C1: RETR 3                              S1: +OK $n octets | … | Subject: Letter number 3 | … | .
C1: DELE 2                              S1: +OK
C1: DELE 1                              S1: +OK
C1: QUIT                                S1: +OK Bye, 1 messages left | EOF
C2: c NOOP                              S2: * 1 EXPUNGE | * 1 FETCH (FLAGS (\Seen \Recent)) | c OK
