# Gmail app on Android: ID with much in it, search by dates, header fields, parts, draft, copy of what was sent, junk, deleting                    mail s1 s2 nested, state new
C: 1 CAPABILITY                        S: * CAPABILITY IMAP4rev1 … | 1 OK
C: 2 ID ("name" "com.google.android.gm" "os" "android" "os-version" "15; AP4A.250105.002" "vendor" "Google" "x-android-device-model" "Pixel 8" "x-android-mobile-net-operator" "Telekom.de" "AGUID" "Zm9vYmFyYmF6cXV4MTIzNA")   S: * ID ("name" "Letterlock"…) | 2 OK
C: 3 LOGIN $ADDRESS "$PASSWORD"        S: 3 OK [CAPABILITY
C: 4 CAPABILITY                        S: * CAPABILITY IMAP4rev1 … | 4 OK
C: 5 LIST "" ""                        S: * LIST (\Noselect) "/" "" | 5 OK
C: 6 LIST "" "*"                       S: … | * LIST (\HasNoChildren \Trash) "/" Trash | … | 6 OK
C: 7 NAMESPACE                         S: * NAMESPACE (("" "/")) NIL NIL | 7 OK
C: 8 SELECT "INBOX"                    S: … | * 3 EXISTS | … | 8 OK [READ-WRITE]
C: 9 UID SEARCH 1:* NOT DELETED SINCE 1-Nov-2026   S: * SEARCH 1 2 3 | 9 OK
C: 10 UID SEARCH 1:* SINCE 1-Jan-2030  S: * SEARCH | 10 OK
C: 11 UID FETCH 1,2,3 (UID FLAGS)      S: * 1 FETCH (UID 1 FLAGS (\Recent)) | * 2 FETCH (UID 2 FLAGS (\Recent)) | * 3 FETCH (UID 3 FLAGS (\Recent)) | 11 OK
C: 12 UID FETCH 3,1 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (date subject from content-type to cc message-id)])
S: * 1 FETCH (UID 1 FLAGS (\Recent) INTERNALDATE " 2-Nov-2026 10:11:12 +0000" RFC822.SIZE $n BODY[HEADER.FIELDS (date subject from content-type to cc message-id)] {$m}\r\n…) | * 3 FETCH (UID 3 …) | 12 OK
C: 13 UID FETCH 3 (UID BODYSTRUCTURE)  S: * 3 FETCH (UID 3 BODYSTRUCTURE (…)) | 13 OK
C: 14 UID FETCH 3 (UID BODY.PEEK[1.MIME] BODY.PEEK[1]<0.51200>)   S: * 3 FETCH (UID 3 BODY[1.MIME] {$p}\r\n… BODY[1]<0> {$q}\r\n…) | 14 OK
C: 15 UID STORE 3 +FLAGS.SILENT (\SEEN)   S: 15 OK
C: 16 UID STORE 3 +FLAGS.SILENT (\FLAGGED)   S: 16 OK
C: 17 CHECK                            S: 17 OK
C: 18 APPEND "Drafts" (\SEEN \DRAFT) {51}   S: + …
C: Message-ID: <draft-1@android.gm>\r\nSubject: d\r\n\r\nx\r\n   S: 18 OK [APPENDUID $d 1]
C: 19 APPEND "Sent" (\SEEN) {51}       S: + …
C: Message-ID: <draft-1@android.gm>\r\nSubject: d\r\n\r\nx\r\n   S: 19 OK [APPENDUID $s 1]
C: 20 SELECT "Drafts"                  S: … | 20 OK
C: 21 UID SEARCH HEADER MESSAGE-ID "<draft-1@android.gm>"   S: * SEARCH 1 | 21 OK
C: 22 UID STORE 1 +FLAGS.SILENT (\DELETED)   S: 22 OK
C: 23 EXPUNGE                          S: * 1 EXPUNGE | 23 OK
C: 24 SELECT "INBOX"                   S: … | 24 OK
C: 25 UID COPY 1 "Junk"                S: 25 OK [COPYUID $j 1 1]
C: 26 UID STORE 1 +FLAGS.SILENT (\DELETED)   S: 26 OK
C: 27 EXPUNGE                          S: * 1 EXPUNGE | 27 OK
C: 28 STATUS "Junk" (UIDNEXT UIDVALIDITY MESSAGES UNSEEN)   S: * STATUS Junk (MESSAGES 1 UIDNEXT 2 UIDVALIDITY $j UNSEEN 1) | 28 OK
C: 29 CLOSE                            S: 29 OK
C: 30 LOGOUT                           S: * BYE … | 30 OK | EOF
