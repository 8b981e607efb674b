# RFC 2449 6.6: RETR sent together, of what is gone, of no number, backwards       messages 5, clients 2, imap 2, whole
C2: a STORE 2 +FLAGS.SILENT (\Deleted)  S2: a OK
C2: b EXPUNGE                           S2: * 2 EXPUNGE | b OK
C1: RETR 1\r\nRETR 2\r\nRETR 3\r\nretr 4\r\nRETR 9\r\nRETR 5\r\nTOP 1 0\r\nRETR 3\r\nRETR 2\r\nNOOP
S1: +OK $one octets | … | Subject: Letter number 1 | … | .
S1: -ERR
S1: +OK $three octets | … | Subject: Letter number 3 | … | .
S1: +OK $four octets | … | Subject: Letter number 4 | … | .
S1: -ERR
S1: +OK $five octets | … | Subject: Letter number 5 | … | .
S1: +OK $one octets | … | Subject: Letter number 1 | … | .
S1: +OK $three octets | … | Subject: Letter number 3 | … | .
S1: -ERR
S1: +OK
C1: DELE 1\r\nRETR 3\r\nRETR 4\r\nQUIT
S1: +OK
S1: +OK $three octets | … | Subject: Letter number 3 | … | .
S1: +OK $four octets | … | Subject: Letter number 4 | … | .
S1: +OK Bye, 4 messages left | EOF
C2: c NOOP                              S2: * 1 EXPUNGE | * 1 FETCH (FLAGS (\Seen \Recent)) | * 2 FETCH (FLAGS (\Seen \Recent)) | * 3 FETCH (FLAGS (\Seen \Recent)) | c OK
