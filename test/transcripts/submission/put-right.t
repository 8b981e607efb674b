# RFC 6409 8: Bcc, Return-Path and results in our name go; Date and Message-ID are supplied, and kept when they are there   clients 2, imap 2
C: MAIL FROM:<$ADDRESS>\r\nRCPT TO:<$ADDRESS>\r\nDATA   S: 250 | 250 | 354
C: From: $ADDRESS\r\nBcc: secret@far.example,\r\n more@far.example\r\nReturn-Path: <x@y.example>\r\nResent-bcc: again@far.example\r\nSubject: one\r\n\r\nBcc: stays\r\n.   S: 250 2.0.0
C2: a NOOP                                  S2: * 1 EXISTS | … | a OK
C2: b FETCH 1 BODY.PEEK[HEADER.FIELDS (BCC RESENT-BCC FROM SUBJECT)]
S2: * 1 FETCH (BODY[HEADER.FIELDS (BCC RESENT-BCC FROM SUBJECT)] {…}\r\nFrom: $ADDRESS\r\nSubject: one\r\n\r\n) | b OK
C2: c FETCH 1 BODY.PEEK[HEADER.FIELDS (DATE MESSAGE-ID)]
S2: * 1 FETCH (BODY[HEADER.FIELDS (DATE MESSAGE-ID)] {…}\r\nDate: …, … … 20… …:…:… +0000\r\nMessage-ID: <…@example.test>\r\n\r\n) | c OK
C2: d FETCH 1 BODY.PEEK[HEADER.FIELDS (RETURN-PATH)]
S2: * 1 FETCH (BODY[HEADER.FIELDS (RETURN-PATH)] {…}\r\nReturn-Path: <$ADDRESS>\r\n\r\n) | d OK
C2: e FETCH 1 BODY.PEEK[TEXT]               S2: * 1 FETCH (BODY[TEXT] {12}\r\nBcc: stays\r\n) | e OK
C: MAIL FROM:<$ADDRESS>\r\nRCPT TO:<$ADDRESS>\r\nDATA   S: 250 | 250 | 354
C: Date: Mon, 2 Nov 2026 10:11:12 +0000\r\nMessage-ID: <mine@client.example>\r\nFrom: $ADDRESS\r\nBCC : x@far.example\r\n\r\nx\r\n.   S: 250 2.0.0
C2: f NOOP                                  S2: * 2 EXISTS | … | f OK
C2: g FETCH 2 BODY.PEEK[HEADER.FIELDS (DATE MESSAGE-ID BCC)]
S2: * 2 FETCH (BODY[HEADER.FIELDS (DATE MESSAGE-ID BCC)] {…}\r\nDate: Mon, 2 Nov 2026 10:11:12 +0000\r\nMessage-ID: <mine@client.example>\r\n\r\n) | g OK
C: QUIT                                     S: 221 | EOF
