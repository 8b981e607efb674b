# RFC 2046 5.1.5, 5.1: a digest's parts are messages; a multipart without parts; one without an end               mail digest hollow unclosed
C: a FETCH 1 BODY
S: * 1 FETCH (BODY (("message" "rfc822" NIL NIL NIL "7bit" 49 (NIL "first" …) ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 8 0) 3)("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 13 0) "digest")) | a OK
C: b FETCH 1 BODY.PEEK[1.1]            S: * 1 FETCH (BODY[1.1] {8}\r\ntext one) | b OK
C: c FETCH 1 BODY.PEEK[1.HEADER.FIELDS (SUBJECT)]   S: * 1 FETCH (BODY[1.HEADER.FIELDS (SUBJECT)] {18}\r\nSubject: first\r\n\r\n) | c OK
C: d FETCH 2 BODY                      S: * 2 FETCH (BODY (("text" "plain" …) "mixed")) | d OK
C: e FETCH 2 BODY.PEEK[TEXT]           S: * 2 FETCH (BODY[TEXT] {18}\r\nno boundary here\r\n) | e OK
C: f FETCH 3 BODY
S: * 3 FETCH (BODY (("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 5 0)("text" "html" ("charset" "us-ascii") NIL NIL "7bit" 23 1) "mixed")) | f OK
C: g FETCH 3 BODY.PEEK[2]              S: * 3 FETCH (BODY[2] {23}\r\n<p>second, and no end\r\n) | g OK
