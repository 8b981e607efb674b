# RFC 4469 appendix A: a new message from pieces of others, byte for byte
C: a STATUS Drafts (UIDVALIDITY)       S: * STATUS Drafts (UIDVALIDITY $v) | a OK
C: b APPEND Drafts (\Seen) {316}       S: + …
C: Subject: parts
C: Content-Type: multipart/mixed;
C:  boundary="------------030308070208000400050907"
C: \r\n--------------030308070208000400050907
C: Content-Type: text/plain
C: \r\nthe text
C: --------------030308070208000400050907
C: Content-Type: application/x-zip-compressed
C: \r\nUEsDBA==
C: --------------030308070208000400050907--
C: \r\n\c                              S: b OK [APPENDUID $v 1]
C: c APPEND Drafts {19+}\r\nA: b\r\n\r\nreplacement   S: c OK
C: A003 APPEND Drafts (\Seen \Draft $MDNSent) CATENATE (URL "/Drafts;UIDVALIDITY=$v/;UID=1/;section=HEADER" TEXT {42}
S: + …
C: \r\n--------------030308070208000400050907\r\n\c
C:  URL "/Drafts;UIDVALIDITY=$v/;UID=1/;section=1.MIME" URL "/Drafts;UIDVALIDITY=$v/;UID=1/;section=1" TEXT {42}
S: + …
C: \r\n--------------030308070208000400050907\r\n\c
C:  URL "/Drafts;UIDVALIDITY=$v/;UID=2" TEXT {44}
S: + …
C: \r\n--------------030308070208000400050907--\r\n\c
C: )                                   S: A003 OK [APPENDUID $v 3]
C: d SELECT Drafts                     S: … | d OK
C: e FETCH 3 (FLAGS BODY.PEEK[])
S: * 3 FETCH (FLAGS (\Seen \Draft \Recent $MDNSent) BODY[] {283}\r\nSubject: parts\r\nContent-Type: multipart/mixed;\r\n boundary="------------030308070208000400050907"\r\n\r\n\r\n--------------030308070208000400050907\r\nContent-Type: text/plain\r\n\r\nthe text\r\n--------------030308070208000400050907\r\nA: b\r\n\r\nreplacement\r\n--------------030308070208000400050907--\r\n) | e OK
# \Seen is not set by it
C: f FETCH 2 (FLAGS)                   S: * 2 FETCH (FLAGS (\Recent)) | f OK
# PARTIAL, a header filtered, the selected mailbox without its name, and a whole message alone
C: g APPEND INBOX CATENATE (URL "/Drafts/;UID=1/;SECTION=HEADER.FIELDS%20(subject)" URL "/Drafts/;UID=1/;PARTIAL=9.5" URL ";UID=2/;SECTION=TEXT/;PARTIAL=7")   S: g OK [APPENDUID $w 1]
C: h APPEND INBOX CATENATE (URL /Drafts/;UID=2) CATENATE (TEXT {8+}\r\nA: c\r\n\r\n URL {29+}\r\n/Drafts/;UID=2/;SECTION=TEXT ) {8+}\r\nA: d\r\n\r\n   S: h NO [BADURL /Drafts/;UID=2/;SECTION=TEXT%20]
C: i APPEND INBOX CATENATE (URL /Drafts/;UID=2) CATENATE (TEXT {8+}\r\nA: c\r\n\r\n URL {28+}\r\n/Drafts/;UID=2/;SECTION=TEXT) {8+}\r\nA: d\r\n\r\n   S: i OK [APPENDUID $w 2:4]
C: j EXAMINE INBOX                     S: … | j OK
C: k FETCH 1:4 BODY.PEEK[]
S: * 1 FETCH (BODY[] {27}\r\nSubject: parts\r\n\r\npartsment)
S: * 2 FETCH (BODY[] {19}\r\nA: b\r\n\r\nreplacement)
S: * 3 FETCH (BODY[] {19}\r\nA: c\r\n\r\nreplacement)
S: * 4 FETCH (BODY[] {8}\r\nA: d\r\n\r\n) | k OK
