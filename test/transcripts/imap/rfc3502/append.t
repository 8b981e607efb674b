# RFC 3502 6.3.11: the example of the RFC, with APPENDUID as many as there were messages                          state auth
C: c CREATE saved-messages             S: c OK
C: A003 APPEND saved-messages (\Seen) {329}
S: + …
C: Date: Mon, 7 Feb 1994 21:52:25 -0800 (PST)
C: From: Fred Foobar <foobar@Blurdybloop.example.COM>
C: Subject: afternoon meeting
C: To: mooch@owatagu.example.net
C: Message-Id: <B27397-0100000@Blurdybloop.example.COM>
C: MIME-Version: 1.0
C: Content-Type: TEXT/PLAIN; CHARSET=US-ASCII
C: \r\nHello Joe, do you think we can meet at 3:30 tomorrow?\r\n\c
C:  (\Seen) " 7-Feb-1994 22:43:04 -0800" {295}
S: + …
C: Date: Mon, 7 Feb 1994 22:43:04 -0800 (PST)
C: From: Joe Mooch <mooch@OWaTaGu.example.net>
C: Subject: Re: afternoon meeting
C: To: foobar@blurdybloop.example.com
C: Message-Id: <a0434793874930@OWaTaGu.example.net>
C: MIME-Version: 1.0
C: Content-Type: TEXT/PLAIN; CHARSET=US-ASCII
C: \r\n3:30 is fine with me.\r\n\c
C: \r\n\c
S: A003 OK [APPENDUID $v 1:2]
C: f EXAMINE saved-messages            S: … | f OK
C: g FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (Subject)] BODY.PEEK[TEXT])
S: * 1 FETCH (FLAGS (\Seen \Recent) INTERNALDATE … RFC822.SIZE 329 BODY[HEADER.FIELDS (Subject)] {30}\r\nSubject: afternoon meeting\r\n\r\n BODY[TEXT] {55}\r\nHello Joe, do you think we can meet at 3:30 tomorrow?\r\n)
S: * 2 FETCH (FLAGS (\Seen \Recent) INTERNALDATE " 8-Feb-1994 06:43:04 +0000" RFC822.SIZE 295 BODY[HEADER.FIELDS (Subject)] {34}\r\nSubject: Re: afternoon meeting\r\n\r\n BODY[TEXT] {23}\r\n3:30 is fine with me.\r\n) | g OK
# no such mailbox: nothing of it is anywhere
C: A004 APPEND bogusname (\Flagged) {8+}\r\nA: b\r\n\r\n {8+}\r\nA: c\r\n\r\n   S: A004 NO [TRYCREATE]
