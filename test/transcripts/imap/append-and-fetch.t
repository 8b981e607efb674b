# RFC 9051 6.3.12, 6.4.5: what goes in comes out, byte for byte, without a CRLF at its end, with bytes of all kinds
C: a APPEND INBOX {33+}\r\nSubject: x\r\n\r\n\x01\x7f\x80\xff\tno end \r\n.\r\n..   S: … | a OK
C: b FETCH 1 BODY.PEEK[]               S: * 1 FETCH (BODY[] {33}\r\nSubject: x\r\n\r\n\x01\x7f\x80\xff\tno end \r\n.\r\n..) | b OK
C: c APPEND INBOX {5+}\r\nno go        S: … | c OK
C: d FETCH 2 (BODY.PEEK[] RFC822.SIZE BODY.PEEK[TEXT])   S: * 2 FETCH (BODY[] {5}\r\nno go RFC822.SIZE 5 BODY[TEXT] …) | d OK
C: e APPEND INBOX {2+}\r\n\r\n         S: … | e OK
C: f FETCH 3 (BODY.PEEK[] BODY.PEEK[HEADER] BODY.PEEK[TEXT])   S: * 3 FETCH (BODY[] {2}\r\n\r\n BODY[HEADER] {2}\r\n\r\n BODY[TEXT] {0}\r\n) | f OK
C: g FETCH 3 (ENVELOPE BODY)           S: * 3 FETCH (ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) BODY ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0)) | g OK
