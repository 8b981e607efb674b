# RFC 5465 3.1, 5.2, 5.3: others' messages in folders that are not selected are told as STATUS, at any time      clients 2, state auth
C2: a CREATE Lists                       S2: a OK
C2: b CREATE Lists/Lemonade              S2: b OK
C2: c CREATE misc                        S2: c OK
C1: b notify set status (selected (MessageNew (uid body.peek[header.fields (from to subject)]) MessageExpunge)) (subtree Lists (MessageNew MessageExpunge))
S1: * STATUS Lists (MESSAGES 0 UIDNEXT 1 UIDVALIDITY $va) | * STATUS Lists/Lemonade (MESSAGES 0 UIDNEXT 1 UIDVALIDITY $vb) | b OK
C1: c select inbox                       S1: … | c OK
C2: d APPEND Lists/Lemonade {8+}\r\nA: b\r\n\r\n    S2: d OK
S1: * STATUS Lists/Lemonade (MESSAGES 1 UIDNEXT 2)
C2: e APPEND misc {8+}\r\nA: b\r\n\r\n   S2: e OK
C2: f APPEND INBOX {32+}\r\nSubject: Re: good morning\r\n\r\nx\r\n    S2: f OK
S1: * 1 EXISTS | * $r RECENT | * 1 FETCH (UID 1 BODY[HEADER.FIELDS (from to subject)] {29}\r\nSubject: Re: good morning\r\n\r\n)
C1: d STATUS misc (UIDVALIDITY UIDNEXT MESSAGES)    S1: * STATUS misc (MESSAGES 1 UIDNEXT 2 UIDVALIDITY $vc) | d OK
C1: e notify set (selected (MessageNew (uid body.peek[header.fields (from to subject)]) MessageExpunge)) (subtree Lists (MessageNew MessageExpunge)) (mailboxes misc (MessageNew MessageExpunge))
S1: e OK
C2: g SELECT Lists/Lemonade              S2: … | g OK
C2: h STORE 1 +FLAGS (\Deleted)          S2: … | h OK
C2: i EXPUNGE                            S2: * 1 EXPUNGE | i OK
S1: * STATUS Lists/Lemonade (MESSAGES 0 UIDNEXT 2)
C2: j APPEND misc {8+}\r\nA: b\r\n\r\n   S2: j OK
S1: * STATUS misc (MESSAGES 2 UIDNEXT 3)
C1: f NOTIFY NONE                        S1: f OK
C2: k APPEND misc {8+}\r\nA: b\r\n\r\n   S2: k OK
C2: l APPEND INBOX {8+}\r\nA: b\r\n\r\n  S2: l OK
C1: g NOOP                               S1: g OK
C1: h NOTIFY SET (selected (MessageNew MessageExpunge FlagChange))    S1: * 2 EXISTS | * $q RECENT | h OK
