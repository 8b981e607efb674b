# RFC 8508 3.2, 3.4, 3.5: what cannot be replaced, and that nothing is lost then                            clients 2, messages 2
C1: a REPLACE 3 INBOX {8}              S1: a BAD
C1: b UID REPLACE 3 INBOX {8}          S1: b NO
C1: c REPLACE 1 nothing {8+}\r\nA: b\r\n\r\n   S1: c NO [TRYCREATE]
C1: d REPLACE 1 INBOX {999999999}      S1: d NO [TOOBIG]
C1: e REPLACE 1 INBOX {0+}\r\n         S1: e NO [CANNOT]
C1: f REPLACE 1 INBOX CATENATE (URL "/INBOX/;UID=77")   S1: f NO [BADURL /INBOX/;UID=77]
C1: g REPLACE 1 INBOX {8+}\r\nA: b\r\n\r\n {8+}\r\nA: c\r\n\r\n   S1: g BAD
C1: h REPLACE 1:2 INBOX {8+}\r\nA: b\r\n\r\n   S1: h BAD
C1: i STATUS INBOX (MESSAGES UIDNEXT)  S1: * STATUS INBOX (MESSAGES 2 UIDNEXT 3) | i OK
# somebody else was faster
C2: j UID STORE 2 +FLAGS.SILENT (\Deleted)   S2: … | j OK
C2: k EXPUNGE                          S2: * 2 EXPUNGE | k OK
C1: l REPLACE 2 INBOX {8+}\r\nA: b\r\n\r\n   S1: * 2 EXPUNGE | l NO [EXPUNGEISSUED]
C1: m REPLACE * INBOX {8+}\r\nA: b\r\n\r\n   S1: * OK [APPENDUID $v 3] … | * 1 EXPUNGE | * 1 EXISTS | * 1 RECENT | m OK
C1: n EXAMINE INBOX                    S1: … | n OK
C1: o REPLACE 1 INBOX {8+}\r\nA: b\r\n\r\n   S1: o NO [READ-ONLY]
C1: p CLOSE                            S1: p OK
C1: q REPLACE 1 INBOX {8+}\r\nA: b\r\n\r\n   S1: q BAD
