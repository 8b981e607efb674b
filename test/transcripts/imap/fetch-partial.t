# RFC 9051 6.4.5: partials: the origin is told, past the end is empty, never an error                                                        mail plain
C: a FETCH 1 BODY.PEEK[TEXT]<0.6>      S: * 1 FETCH (BODY[TEXT]<0> {6}\r\nIt can) | a OK
C: b FETCH 1 BODY.PEEK[TEXT]<3.3>      S: * 1 FETCH (BODY[TEXT]<3> {3}\r\ncan) | b OK
C: c FETCH 1 BODY.PEEK[TEXT]<57.1000>  S: * 1 FETCH (BODY[TEXT]<57> {13}\r\necond line.\r\n) | c OK
C: d FETCH 1 BODY.PEEK[TEXT]<70.10>    S: * 1 FETCH (BODY[TEXT]<70> …) | d OK
C: e FETCH 1 BODY.PEEK[TEXT]<100.10>   S: * 1 FETCH (BODY[TEXT]<100> …) | e OK
C: f FETCH 1 BODY.PEEK[]<0.4>          S: * 1 FETCH (BODY[]<0> {4}\r\nFrom) | f OK
C: g FETCH 1 BODY.PEEK[]<350.4294967295>   S: * 1 FETCH (BODY[]<350> {6}\r\nine.\r\n) | g OK
C: h FETCH 1 BODY.PEEK[]<4000000000.1>   S: * 1 FETCH (BODY[]<4000000000> …) | h OK
C: i FETCH 1 BODY.PEEK[HEADER]<6.3>    S: * 1 FETCH (BODY[HEADER]<6> {3}\r\nAda) | i OK
C: j FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT)]<9.5>   S: * 1 FETCH (BODY[HEADER.FIELDS (SUBJECT)]<9> {5}\r\nNotes) | j OK
C: k FETCH 1 BODY.PEEK[1]<3.3>         S: * 1 FETCH (BODY[1]<3> {3}\r\ncan) | k OK
C: l FETCH 1 BODY.PEEK[]<0.0>          S: l BAD
C: m FETCH 1 BODY.PEEK[]<5>            S: m BAD
C: n FETCH 1 BODY.PEEK[]<-1.5>         S: n BAD
C: o FETCH 1 BODY[]<0.1>               S: * 1 FETCH (BODY[]<0> {1}\r\nF FLAGS (\Seen \Recent)) | o OK
C: p FETCH 1 (BODY.PEEK[]<0.1> BODY.PEEK[]<1.1>)   S: * 1 FETCH (BODY[]<0> {1}\r\nF BODY[]<1> {1}\r\nr) | p OK
