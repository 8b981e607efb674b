# RFC 9051 6.4.5: HEADER.FIELDS and .NOT: any case, folded, repeated, missing; the blank line belongs to it                                  mail odd bare plain
C: a FETCH 1 BODY.PEEK[HEADER.FIELDS (X-FOLDED)]
S: * 1 FETCH (BODY[HEADER.FIELDS (X-FOLDED)] {48}\r\nX-Folded: one\r\n two\r\n\tthree\r\nx-folded: again\r\n\r\n) | a OK
C: b FETCH 1 BODY.PEEK[HEADER.FIELDS (x-empty)]
S: * 1 FETCH (BODY[HEADER.FIELDS (x-empty)] {12}\r\nX-Empty:\r\n\r\n) | b OK
C: c FETCH 1 BODY.PEEK[HEADER.FIELDS (nothing)]
S: * 1 FETCH (BODY[HEADER.FIELDS (nothing)] {2}\r\n\r\n) | c OK
C: d FETCH 1 BODY.PEEK[HEADER.FIELDS (From "Subject")]
S: * 1 FETCH (BODY[HEADER.FIELDS (From Subject)] {41}\r\nFrom : ada@example.net\r\nSubject : odd\r\n\r\n) | d OK
C: e FETCH 1 BODY.PEEK[HEADER.FIELDS.NOT (Received X-Folded To From Subject X-Eight)]
S: * 1 FETCH (BODY[HEADER.FIELDS.NOT (Received X-Folded To From Subject X-Eight)] {33}\r\nX-Empty:\r\nthis is not a field\r\n\r\n) | e OK
C: f FETCH 1 BODY.PEEK[HEADER.FIELDS (X-Eight)]
S: * 1 FETCH (BODY[HEADER.FIELDS (X-Eight)] {17}\r\nX-Eight: caf\xe9\r\n\r\n) | f OK
C: g FETCH 1 BODY.PEEK[HEADER.FIELDS ({4}   S: + …
C: From)]                              S: * 1 FETCH (BODY[HEADER.FIELDS (From)] {26}\r\nFrom : ada@example.net\r\n\r\n) | g OK
C: h FETCH 2 BODY.PEEK[HEADER.FIELDS (Subject)]
S: * 2 FETCH (BODY[HEADER.FIELDS (Subject)] {24}\r\nSubject: only a header\r\n) | h OK
C: i FETCH 2 BODY.PEEK[TEXT]           S: * 2 FETCH (BODY[TEXT] {0}\r\n) | i OK
C: j FETCH 2 BODY.PEEK[HEADER]         S: * 2 FETCH (BODY[HEADER] {47}\r\nSubject: only a header\r\nFrom: ada@example.net\r\n) | j OK
C: k FETCH 3 (BODY.PEEK[HEADER.FIELDS (Date)] BODY.PEEK[HEADER.FIELDS (Subject)])
S: * 3 FETCH (BODY[HEADER.FIELDS (Date)] {40}\r\nDate: Mon, 2 Nov 2026 10:11:12 +0100\r\n\r\n BODY[HEADER.FIELDS (Subject)] {32}\r\nSubject: Notes on the engine\r\n\r\n) | k OK
C: l FETCH 3 FLAGS                     S: * 3 FETCH (FLAGS (\Recent)) | l OK
C: m FETCH 3 BODY[HEADER.FIELDS (Date)]   S: * 3 FETCH (BODY[HEADER.FIELDS (Date)] {40}\r\nDate: …\r\n\r\n FLAGS (\Seen \Recent)) | m OK
