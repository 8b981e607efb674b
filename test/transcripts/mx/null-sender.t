# RFC 5321 4.5.5, 4.5.1: bounces come from <>; a recipient's local part is known in any case             clients 2, imap 2
S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: MAIL FROM:<>                             S: 250
C: RCPT TO:<>                               S: 501
C: RCPT TO:<$ADDRESS>                       S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: DATA                                     S: 354
C: Subject: bounce\r\n\r\nbody\r\n.         S: 250 2.0.0
C2: a NOOP                                  S2: * 1 EXISTS | … | a OK
C2: b FETCH 1 BODY.PEEK[HEADER.FIELDS (Return-Path)]
S2: * 1 FETCH (BODY[HEADER.FIELDS (Return-Path)] {19}\r\nReturn-Path: <>\r\n\r\n) | b OK
C: QUIT                                     S: 221 | EOF
