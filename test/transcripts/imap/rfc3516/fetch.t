# RFC 3516 4.2, 4.3: parts decoded, their sizes, pieces of them, and what cannot be decoded       mail encoded
C: a FETCH 1 (BINARY.SIZE[1] BINARY.SIZE[2] BINARY.SIZE[4])
S: * 1 FETCH (BINARY.SIZE[1] 13 BINARY.SIZE[2] 16 BINARY.SIZE[4] 5) | a OK
C: b FETCH 1 BINARY.PEEK[1]            S: * 1 FETCH (BINARY[1] ~{13}\r\ncaf\xc3\xa9 au lait) | b OK
C: c FETCH 1 BINARY.PEEK[2]            S: * 1 FETCH (BINARY[2] ~{16}\r\n\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f) | c OK
C: d FETCH 1 BINARY.PEEK[2]<4.5>       S: * 1 FETCH (BINARY[2]<4> ~{5}\r\n\x04\x05\x06\x07\x08) | d OK
C: e FETCH 1 BINARY.PEEK[2]<14.9>      S: * 1 FETCH (BINARY[2]<14> ~{2}\r\n\x0e\x0f) | e OK
C: f FETCH 1 BINARY.PEEK[2]<99.9>      S: * 1 FETCH (BINARY[2]<99> ~{0}\r\n) | f OK
C: g FETCH 1 BINARY.PEEK[4]<1.2>       S: * 1 FETCH (BINARY[4]<1> ~{2}\r\nla) | g OK
C: h FETCH 1 (UID BINARY.PEEK[3] BINARY.SIZE[4])
S: * 1 FETCH (UID $uid BINARY[3] NIL BINARY.SIZE[4] 5) | h NO [UNKNOWN-CTE]
C: i FETCH 1 BINARY.PEEK[9]            S: * 1 FETCH (BINARY[9] NIL) | i OK
C: j FETCH 1 BINARY.SIZE[1.HEADER]     S: j BAD
C: k FETCH 1 BINARY.SIZE[1]<0.1>       S: k BAD
C: l FETCH 1 BINARY[4]                 S: * 1 FETCH (BINARY[4] ~{5}\r\nplain FLAGS (\Seen \Recent)) | l OK
C: m FETCH 1 (BINARY.SIZE[] RFC822.SIZE)
S: * 1 FETCH (BINARY.SIZE[] $all RFC822.SIZE $all) | m OK
