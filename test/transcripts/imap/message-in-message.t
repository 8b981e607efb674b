# RFC 9051 6.4.5.1: a message that is only a message: its numbers go on inside                                   mail forward
C: a FETCH 1 BODY.PEEK[1]              S: * 1 FETCH (BODY[1] {$n}\r\nFrom: middle@example.net\r\n…the very inside\r\n) | a OK
C: b FETCH 1 BODY.PEEK[1.HEADER]       S: * 1 FETCH (BODY[1.HEADER] {75}\r\nFrom: middle@example.net\r\nSubject: middle\r\nContent-Type: message/rfc822\r\n\r\n) | b OK
C: c FETCH 1 BODY.PEEK[1.1.HEADER]     S: * 1 FETCH (BODY[1.1.HEADER] {47}\r\nFrom: inner@example.net\r\nSubject: innermost\r\n\r\n) | c OK
C: d FETCH 1 BODY.PEEK[1.1.TEXT]       S: * 1 FETCH (BODY[1.1.TEXT] {17}\r\nthe very inside\r\n) | d OK
C: e FETCH 1 BODY.PEEK[1.1.1]          S: * 1 FETCH (BODY[1.1.1] {17}\r\nthe very inside\r\n) | e OK
C: f FETCH 1 BODY.PEEK[1.TEXT]         S: * 1 FETCH (BODY[1.TEXT] {64}\r\nFrom: inner@example.net\r\n…the very inside\r\n) | f OK
C: g FETCH 1 BODY.PEEK[1.MIME]         S: * 1 FETCH (BODY[1.MIME] {$m}\r\nFrom: outer@example.net\r\n…Content-Type: message/rfc822\r\n\r\n) | g OK
C: h FETCH 1 BODY.PEEK[2]              S: * 1 FETCH (BODY[2] NIL) | h OK
C: i FETCH 1 BODY
S: * 1 FETCH (BODY ("message" "rfc822" NIL NIL NIL "7bit" 139 (NIL "middle" …) ("message" "rfc822" NIL NIL NIL "7bit" 64 (NIL "innermost" …) ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 17 1) 4) 8)) | i OK
C: j SEARCH BODY innermost             S: * SEARCH 1 | j OK
C: k SEARCH BODY "very inside"         S: * SEARCH 1 | k OK
C: l SEARCH SUBJECT innermost          S: * SEARCH | l OK
