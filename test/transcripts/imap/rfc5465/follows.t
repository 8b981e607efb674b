# RFC 5465 6.4, 3.1: folders that come, are subscribed or renamed are watched; one that is left is no longer selected      clients 2, messages 1, state auth
C1: a NOTIFY SET (subscribed (MessageNew MessageExpunge)) (subtree Lists (MessageNew MessageExpunge))    S1: a OK
C2: a CREATE Lists/x                     S2: a OK
C2: b APPEND Lists/x {8+}\r\nA: b\r\n\r\n    S2: b OK
S1: * STATUS Lists/x (MESSAGES 1 UIDNEXT 2)
C2: c CREATE y                           S2: c OK
C2: d APPEND y {8+}\r\nA: b\r\n\r\n      S2: d OK
C2: e SUBSCRIBE y                        S2: e OK
C2: f APPEND y {8+}\r\nA: b\r\n\r\n      S2: f OK
S1: * STATUS y (MESSAGES 2 UIDNEXT 3)
C2: g RENAME Lists/x z                   S2: g OK
C2: h APPEND z {8+}\r\nA: b\r\n\r\n      S2: h OK
C1: b CREATE Lists/w                     S1: b OK
C1: c APPEND Lists/w {8+}\r\nA: b\r\n\r\n    S1: c OK
C1: d NOOP                               S1: d OK
C1: e SELECT y                           S1: … | e OK
C2: i APPEND y {8+}\r\nA: b\r\n\r\n      S2: i OK
C1: f NOOP                               S1: f OK
C1: g UNSELECT                           S1: * STATUS y (MESSAGES 3 UIDNEXT 4) | g OK
C2: j APPEND y {8+}\r\nA: b\r\n\r\n      S2: j OK
S1: * STATUS y (MESSAGES 4 UIDNEXT 5)
