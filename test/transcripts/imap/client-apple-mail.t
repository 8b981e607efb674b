# Apple Mail: login, folders, sync with CONDSTORE, reading in pieces, draft, copy of what was sent, junk, IDLE                    mail s1 s2 nested, state new, mx 2, clients 2, whole
C: 1.1 CAPABILITY                      S: * CAPABILITY IMAP4rev1 … | 1.1 OK
C: 2.1 AUTHENTICATE PLAIN              S: + …
C: $PLAIN                              S: 2.1 OK [CAPABILITY
C: 3.1 ID ("name" "Mac OS X Mail" "version" "16.0 (3826.700.81)" "os" "Mac OS X" "os-version" "15.6 (24G84)" "vendor" "Apple Inc.")   S: * ID ("name" "Letterlock"…) | 3.1 OK
C: 4.1 NAMESPACE                       S: * NAMESPACE (("" "/")) NIL NIL | 4.1 OK
C: 5.1 LIST "" ""                      S: * LIST (\Noselect) "/" "" | 5.1 OK
C: 6.1 LIST "" "*"
S: … | * LIST (\HasNoChildren \Drafts) "/" Drafts | … | * LIST (\HasNoChildren \Sent) "/" Sent | … | 6.1 OK
C: 7.1 LIST (SPECIAL-USE) "" "*"       S: * LIST (\HasNoChildren \Archive) "/" Archive | * LIST (\HasNoChildren \Drafts) "/" Drafts | … | 7.1 OK
C: 8.1 ENABLE CONDSTORE                S: * ENABLED CONDSTORE | 8.1 OK
C: 9.1 STATUS INBOX (MESSAGES UIDNEXT UIDVALIDITY UNSEEN HIGHESTMODSEQ)   S: * STATUS INBOX (MESSAGES 3 UIDNEXT 4 UIDVALIDITY $v UNSEEN 3 HIGHESTMODSEQ $h) | 9.1 OK
C: 10.1 SELECT INBOX (CONDSTORE)       S: … | * 3 EXISTS | … | * OK [HIGHESTMODSEQ $h] Highest | … | 10.1 OK [READ-WRITE]
C: 11.1 FETCH 1:* (FLAGS UID MODSEQ)
S: * 1 FETCH (FLAGS (\Recent) UID 1 MODSEQ ($m1)) | * 2 FETCH (FLAGS (\Recent) UID 2 MODSEQ ($m2)) | * 3 FETCH (FLAGS (\Recent) UID 3 MODSEQ ($m3)) | 11.1 OK
C: 12.1 UID FETCH 1:3 (INTERNALDATE UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (date subject from to cc message-id in-reply-to references x-priority x-uniform-type-identifier x-universally-unique-identifier list-id list-unsubscribe bimi-indicator bimi-location x-bimi-indicator-hash authentication-results dkim-signature)])
S: * 1 FETCH (INTERNALDATE … UID 1 … MODSEQ ($m1)) | * 2 FETCH (…UID 2 …) | * 3 FETCH (…UID 3 …) | 12.1 OK
C: 13.1 UID FETCH 3 (BODYSTRUCTURE BODY.PEEK[HEADER])   S: * 3 FETCH (UID 3 BODYSTRUCTURE (…) BODY[HEADER] {$n}\r\n…) | 13.1 OK
C: 14.1 UID FETCH 3 BODY.PEEK[1]<0.16384>\r\n15.1 UID FETCH 3 BODY.PEEK[2]<0.16384>   S: * 3 FETCH (UID 3 BODY[1]<0> {$a}\r\n…) | 14.1 OK | * 3 FETCH (UID 3 BODY[2]<0> {$b}\r\n…) | 15.1 OK
C: 16.1 UID STORE 3 +FLAGS.SILENT (\Seen)   S: * 3 FETCH (UID 3 MODSEQ ($m4)) | 16.1 OK
C: 17.1 UID STORE 2 +FLAGS.SILENT (\Flagged $MailFlagBit0 $MailFlagBit2)   S: … | * 2 FETCH (UID 2 MODSEQ ($m5)) | … | 17.1 OK
# a draft is written, written again, and the first one goes
C: 18.1 APPEND Drafts (\Seen \Draft $NotJunk) {62}   S: + …
C: Subject: dr\r\nX-Universally-Unique-Identifier: 1-2-3\r\n\r\ndraft\r\n   S: 18.1 OK [APPENDUID $d 1]
C: 19.1 APPEND Drafts (\Seen \Draft $NotJunk) {63}   S: + …
C: Subject: dr\r\nX-Universally-Unique-Identifier: 1-2-3\r\n\r\ndraft2\r\n   S: 19.1 OK [APPENDUID $d 2]
C: 20.1 SELECT Drafts (CONDSTORE)      S: … | * 2 EXISTS | … | 20.1 OK
C: 21.1 UID SEARCH HEADER X-Universally-Unique-Identifier 1-2-3   S: * SEARCH 1 2 | 21.1 OK
C: 22.1 UID STORE 1 +FLAGS.SILENT (\Deleted)   S: … | 22.1 OK
C: 23.1 UID EXPUNGE 1                  S: * 1 EXPUNGE | 23.1 OK
# what was sent, a folder's copy of it
C: 24.1 APPEND Sent (\Seen $NotJunk) "02-Nov-2026 11:12:13 +0100" {24}   S: + …
C: Subject: sent\r\n\r\nhello\r\n                              S: 24.1 OK [APPENDUID $s 1]
# junk
C: 25.1 SELECT INBOX (CONDSTORE)       S: … | 25.1 OK
C: 26.1 UID STORE 1 +FLAGS.SILENT ($Junk JunkRecorded)   S: … | 26.1 OK
C: 27.1 UID STORE 1 -FLAGS.SILENT ($NotJunk NotJunk)   S: … | 27.1 OK
C: 28.1 UID MOVE 1 Junk                S: * OK [COPYUID $j 1 1] … | * 1 EXPUNGE | … | 28.1 OK
# what was not seen meanwhile, then IDLE
C: 29.1 UID FETCH 1:* (FLAGS) (CHANGEDSINCE $m3)   S: * 1 FETCH (UID 2 FLAGS (\Flagged $MailFlagBit0 $MailFlagBit2) MODSEQ ($m5)) | * 2 FETCH (UID 3 FLAGS (\Seen) MODSEQ ($m4)) | 29.1 OK
C: 30.1 IDLE                           S: + …
C2: MAIL FROM:<x@example.net>          S2: 250
C2: RCPT TO:<$ADDRESS>                 S2: 250
C2: DATA                               S2: 354
C2: Subject: new\r\n\r\nnew\r\n.       S2: 250
S: * 3 EXISTS | * 1 RECENT
C: DONE                                S: 30.1 OK
C: 31.1 UID FETCH 4:* (FLAGS UID MODSEQ)   S: * 3 FETCH (FLAGS (\Recent) UID 4 MODSEQ ($m6)) | 31.1 OK
C: 32.1 CLOSE                          S: 32.1 OK
C: 33.1 LOGOUT                         S: * BYE … | 33.1 OK | EOF
