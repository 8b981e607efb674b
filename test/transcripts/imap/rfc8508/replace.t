# RFC 8508 3.2, 3.3: the replacement comes and the message goes in one; APPENDUID before EXPUNGE                            clients 2
C1: a SELECT Drafts                    S1: … | a OK
C2: a SELECT Drafts                    S2: … | a OK
C1: b APPEND Drafts (\Seen) {8+}\r\nA: b\r\n\r\n {8+}\r\nA: c\r\n\r\n {8+}\r\nA: d\r\n\r\n {8+}\r\nA: e\r\n\r\n   S1: * 4 EXISTS | * 4 RECENT | b OK [APPENDUID $v 1:4]
C2: b NOOP                             S2: * 4 EXISTS | * 0 RECENT | b OK
C1: A003 REPLACE 4 Drafts (\Seen \Draft) {310}
S1: + …
C1: Date: Thu, 1 Jan 2015 00:05:00 -0500 (EST)
C1: From: Fritz Schmidt <fritz.ze@example.org>
C1: Subject: happy new year !!
C1: To: miss.mitzy@example.org
C1: Message-Id: <B238822388-0100000@example.org>
C1: MIME-Version: 1.0
C1: Content-Type: TEXT/PLAIN; CHARSET=US-ASCII
C1: \r\nJust saw the best fireworks show. Wish you were here.\r\n\c
C1: \r\n\c                             S1: * OK [APPENDUID $v 5] … | * 4 EXPUNGE | * 4 EXISTS | * 4 RECENT | A003 OK
C2: c NOOP                             S2: * 4 EXPUNGE | * 4 EXISTS | * 0 RECENT | c OK
C1: A004 UID REPLACE 5 Drafts (\Draft) {8+}\r\nA: f\r\n\r\n   S1: * OK [APPENDUID $v 6] … | * 4 EXPUNGE | * 4 EXISTS | * 4 RECENT | A004 OK
C1: d FETCH * (UID FLAGS BODY.PEEK[])   S1: * 4 FETCH (UID 6 FLAGS (\Draft \Recent) BODY[] {8}\r\nA: f\r\n\r\n) | d OK
# into another mailbox: from Drafts to Sent, once it has been sent
C1: e UID REPLACE 6 Sent (\Seen) {8+}\r\nA: g\r\n\r\n   S1: * OK [APPENDUID $w 1] … | * 4 EXPUNGE | e OK
C1: f STATUS Sent (MESSAGES)           S1: * STATUS Sent (MESSAGES 1) | f OK
C2: g NOOP                             S2: * 4 EXPUNGE | g OK
# with CATENATE, of the very message that goes (4.2)
C1: A011 UID REPLACE 3 Drafts (\Seen \Draft) CATENATE (TEXT {12+}\r\nSubject: x\r\n URL "/Drafts/;UID=3")   S1: * OK [APPENDUID $v 7] … | * 3 EXPUNGE | * 3 EXISTS | * 3 RECENT | A011 OK
C1: h FETCH 3 (UID BODY.PEEK[])        S1: * 3 FETCH (UID 7 BODY[] {20}\r\nSubject: x\r\nA: d\r\n\r\n) | h OK
