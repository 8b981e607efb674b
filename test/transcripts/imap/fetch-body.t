# RFC 9051 6.4.5: BODY[…] sets \Seen and tells it; BODY.PEEK and RFC822.HEADER do not                                                       mail plain plain plain plain
C: a FETCH 1 BODY.PEEK[TEXT]
S: * 1 FETCH (BODY[TEXT] {70}\r\nIt can do whatever we know how to order it to perform.\r\nSecond line.\r\n) | a OK
C: b FETCH 1 FLAGS                     S: * 1 FETCH (FLAGS (\Recent)) | b OK
C: c FETCH 1 RFC822.HEADER             S: * 1 FETCH (RFC822.HEADER {286}\r\nFrom: Ada …\r\n\r\n) | c OK
C: d FETCH 1 FLAGS                     S: * 1 FETCH (FLAGS (\Recent)) | d OK
C: e FETCH 1 BODY[TEXT]                S: * 1 FETCH (BODY[TEXT] {70}\r\nIt …\r\n FLAGS (\Seen \Recent)) | e OK
C: f FETCH 1 BODY[TEXT]                S: * 1 FETCH (BODY[TEXT] {70}\r\nIt … | f OK
C: g FETCH 2 RFC822                    S: * 2 FETCH (RFC822 {356}\r\nFrom: Ada …Second line.\r\n FLAGS (\Seen \Recent)) | g OK
C: h FETCH 3 RFC822.TEXT               S: * 3 FETCH (RFC822.TEXT {70}\r\nIt …Second line.\r\n FLAGS (\Seen \Recent)) | h OK
C: i FETCH 4 (FLAGS BODY[])            S: * 4 FETCH (FLAGS (\Seen \Recent) BODY[] {356}\r\nFrom: Ada …Second line.\r\n) | i OK
C: j FETCH 4 (BODY.PEEK[HEADER] BODY.PEEK[TEXT])   S: * 4 FETCH (BODY[HEADER] {286}\r\nFrom: …\r\n\r\n BODY[TEXT] {70}\r\nIt …\r\n) | j OK
C: k FETCH 4 BODY.PEEK[1]              S: * 4 FETCH (BODY[1] {70}\r\nIt …\r\n) | k OK
C: l FETCH 4 BODY.PEEK[2]              S: * 4 FETCH (BODY[2] NIL) | l OK
C: m FETCH 4 BODY.PEEK[1.1]            S: * 4 FETCH (BODY[1.1] NIL) | m OK
C: n FETCH 4 (BODY.PEEK[] RFC822.SIZE BODY.PEEK[])   S: * 4 FETCH (BODY[] {356}\r\nFrom: …\r\n RFC822.SIZE 356) | n OK
C: o FETCH 1:2 BODY.PEEK[]             S: * 1 FETCH (BODY[] {356}\r\n…) | * 2 FETCH (BODY[] {356}\r\n…) | o OK
