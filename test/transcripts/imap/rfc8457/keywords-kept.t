# RFC 9051 2.3.2, 7.1, RFC 8457 4: keywords are kept by APPEND, COPY and MOVE, and told by FLAGS and PERMANENTFLAGS            state auth
C: a APPEND INBOX ($junk $MDNSENT \Seen) {8+}\r\nA: b\r\n\r\n {8+}\r\nA: c\r\n\r\n   S: a OK [APPENDUID $v 1:2]
C: b SELECT INBOX
S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft $Junk $MDNSent) | * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft $Junk $MDNSent \*)] … | … | b OK
C: c STORE 2 +FLAGS.SILENT ($Phishing $IMPORTANT)   S: * FLAGS (…$Phishing $Important) | c OK
C: d COPY 1:2 Junk                     S: d OK [COPYUID $w 1:2 1:2]
C: e MOVE 2 Junk                       S: * OK [COPYUID $w 2 3] … | * 2 EXPUNGE | … | e OK
C: f SELECT Junk                       S: … | f OK
C: g SEARCH KEYWORD $JUNK              S: * SEARCH 1 | g OK
C: h SEARCH KEYWORD $phishing KEYWORD $important   S: * SEARCH 2 3 | h OK
C: i SEARCH OR KEYWORD $NotJunk KEYWORD $Forwarded   S: * SEARCH | i OK
C: j FETCH 1 FLAGS                     S: * 1 FETCH (FLAGS (\Seen \Recent $Junk $MDNSent)) | j OK
C: l STORE 1 -FLAGS ($JUNK)            S: * 1 FETCH (FLAGS (\Seen \Recent $MDNSent)) | … | l OK
