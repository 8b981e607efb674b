# RFC 9051 6.4.5: part numbers go into messages; HEADER and TEXT of a part are those of a message in it                                         mail nested
C: a FETCH 1 BODY.PEEK[1]              S: * 1 FETCH (BODY[1] {15}\r\nGr=C3=BC=C3=9Fe) | a OK
C: b FETCH 1 BODY.PEEK[1.MIME]         S: * 1 FETCH (BODY[1.MIME] {88}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n) | b OK
C: c FETCH 1 BODY.PEEK[2.HEADER]       S: * 1 FETCH (BODY[2.HEADER] {$n}\r\nFrom: Inner Sender …boundary=alt\r\n\r\n) | c OK
C: d FETCH 1 BODY.PEEK[2.HEADER.FIELDS (Subject)]   S: * 1 FETCH (BODY[2.HEADER.FIELDS (Subject)] {18}\r\nSubject: Inner\r\n\r\n) | d OK
C: e FETCH 1 BODY.PEEK[2.1]            S: * 1 FETCH (BODY[2.1] {11}\r\ninner plain) | e OK
C: f FETCH 1 BODY.PEEK[2.2]            S: * 1 FETCH (BODY[2.2] {17}\r\n<p>inner html</p>) | f OK
C: g FETCH 1 BODY.PEEK[2.2.MIME]       S: * 1 FETCH (BODY[2.2.MIME] {45}\r\nContent-Type: text/html; charset=us-ascii\r\n\r\n) | g OK
C: h FETCH 1 BODY.PEEK[2.TEXT]         S: * 1 FETCH (BODY[2.TEXT] {$t}\r\n--alt\r\n…--alt--) | h OK
C: i FETCH 1 BODY.PEEK[2]              S: * 1 FETCH (BODY[2] {$m}\r\nFrom: Inner Sender …--alt--) | i OK
C: j FETCH 1 BODY.PEEK[3]              S: * 1 FETCH (BODY[3] {24}\r\nAAECAwQFBgcICQoLDA0ODw==) | j OK
C: k FETCH 1 BODY.PEEK[3.MIME]         S: * 1 FETCH (BODY[3.MIME] {$k}\r\nContent-Type: application/octet-stream; …IQ==\r\n\r\n) | k OK
C: l FETCH 1 BODY.PEEK[3.HEADER]       S: * 1 FETCH (BODY[3.HEADER] NIL) | l OK
C: m FETCH 1 BODY.PEEK[4]              S: * 1 FETCH (BODY[4] NIL) | m OK
C: n FETCH 1 BODY.PEEK[2.3]            S: * 1 FETCH (BODY[2.3] NIL) | n OK
C: o FETCH 1 BODY.PEEK[1.1.1.1]        S: * 1 FETCH (BODY[1.1.1.1] NIL) | o OK
C: p FETCH 1 BODY.PEEK[2.1]<6.5>       S: * 1 FETCH (BODY[2.1]<6> {5}\r\nplain) | p OK
C: q FETCH 1 (BODY.PEEK[1] BODY.PEEK[3] UID)   S: * 1 FETCH (BODY[1] {15}\r\nGr=C3=BC=C3=9Fe BODY[3] {24}\r\nAAECAwQFBgcICQoLDA0ODw== UID 1) | q OK
C: r FETCH 1 BODY.PEEK[4294967295]     S: * 1 FETCH (BODY[4294967295] NIL) | r OK
C: s FETCH 1 BODY.PEEK[4294967296]     S: s BAD
C: t FETCH 1 BODY.PEEK[TEXT]           S: * 1 FETCH (BODY[TEXT] {$x}\r\nA preamble …An epilogue.\r\n) | t OK
