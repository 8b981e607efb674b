# RFC 5255 4.2, RFC 5051 2: SEARCH compares by i;unicode-casemap, MIME undone      state selected
C: a APPEND INBOX {78+}\r\nSubject: =?utf-8?q?=C3=84rger_=CE=A3=CE=AF=CF=83=CF=85=CF=86=CE=BF=CF=82?=\r\n\r\n    S: … | a OK
C: b SEARCH CHARSET UTF-8 SUBJECT {6+}\r\n\xc3\xa4RGER    S: * SEARCH 1 | b OK
C: c SEARCH CHARSET UTF-8 SUBJECT {7+}\r\nA\xcc\x88rger   S: * SEARCH 1 | c OK
C: d SEARCH CHARSET UTF-8 SUBJECT {14+}\r\n\xcf\x83\xce\xaf\xcf\x83\xcf\x85\xcf\x86\xce\xbf\xcf\x83   S: * SEARCH 1 | d OK
C: e SEARCH SUBJECT "arger"              S: * SEARCH | e OK
