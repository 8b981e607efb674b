# RFC 3502 6.3.11: all or none; an empty literal cancels                        clients 2
C1: a APPEND INBOX {8}                 S1: + …
C1: A: b\r\n\r\n\c
C1:  {0}                               S1: a NO [CANNOT]
C1: b APPEND INBOX {8+}\r\nA: b\r\n\r\n (\Recent) {8+}\r\nA: c\r\n\r\n   S1: b BAD
C1: c APPEND INBOX {8+}\r\nA: b\r\n\r\n {8+}\r\nA: c\r\n\r\nX   S1: c BAD
# too large, and larger than any one literal: the first is not kept either
C1: d APPEND INBOX {8}                 S1: + …
C1: A: b\r\n\r\n\c
C1:  {999999999}                       S1: d NO [TOOBIG]
C1: e STATUS INBOX (MESSAGES UIDNEXT)  S1: * STATUS INBOX (MESSAGES 0 UIDNEXT 1) | e OK
# a NUL byte in the second; literal8 brings it
C1: f APPEND INBOX {8+}\r\nA: b\r\n\r\n {8+}\r\nA: \x00\r\n\r\n   S1: f NO [CANNOT]
C1: g APPEND INBOX {8+}\r\nA: b\r\n\r\n ~{8+}\r\nA: \x00\r\n\r\n   S1: * 2 EXISTS | * 2 RECENT | g OK [APPENDUID $v 1:2]
# RFC 3502: everybody hears of all of them at once
C2: h NOOP                             S2: * 2 EXISTS | * 0 RECENT | h OK
C1: i APPEND INBOX (One) {8+}\r\nA: b\r\n\r\n (Two \Flagged) {8+}\r\nA: c\r\n\r\n {8+}\r\nA: d\r\n\r\n   S1: * 5 EXISTS | * 5 RECENT | … | i OK [APPENDUID $v 3:5]
C1: j FETCH 3:5 (FLAGS BODY.PEEK[])
S1: * 3 FETCH (FLAGS (\Recent One) BODY[] {8}\r\nA: b\r\n\r\n)
S1: * 4 FETCH (FLAGS (\Flagged \Recent Two) BODY[] {8}\r\nA: c\r\n\r\n)
S1: * 5 FETCH (FLAGS (\Recent) BODY[] {8}\r\nA: d\r\n\r\n) | j OK
# the UTF8 literal of RFC 6855 is taken still
C1: k APPEND INBOX UTF8 (~{8+}\r\nA: b\r\n\r\n) {8+}\r\nA: c\r\n\r\n   S1: * 7 EXISTS | * 7 RECENT | k OK [APPENDUID $v 6:7]
