# RFC 9051 6.3.12, RFC 4315 3: flags, date, keywords; what is appended to the selected folder is told at once
C: a APPEND INBOX (\Seen \Draft $Forwarded) " 1-Feb-2003 04:05:06 -0700" {18}    S: + …
C: Subject: one\r\n\r\nbo              S: * 1 EXISTS | * 1 RECENT | … | a OK [APPENDUID $v $uid]
C: b FETCH 1 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])
S: * 1 FETCH (UID $uid FLAGS (\Seen \Draft \Recent $Forwarded) INTERNALDATE " 1-Feb-2003 11:05:06 +0000" RFC822.SIZE 18 BODY[] {18}\r\nSubject: one\r\n\r\nbo) | b OK
C: c APPEND INBOX {8+}\r\nA: b\r\n\r\n   S: * 2 EXISTS | * 2 RECENT | c OK [APPENDUID $v $uid2]
C: d APPEND INBOX () {8+}\r\nA: c\r\n\r\n   S: * 3 EXISTS | * 3 RECENT | d OK [APPENDUID $v $uid3]
C: e APPEND Drafts (\Draft) {8+}\r\nA: d\r\n\r\n   S: e OK [APPENDUID $w 1]
C: f STATUS Drafts (MESSAGES UNSEEN)   S: * STATUS Drafts (MESSAGES 1 UNSEEN 1) | f OK
