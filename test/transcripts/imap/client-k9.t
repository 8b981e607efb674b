# K-9 Mail and Thunderbird for Android: SASL-IR, LIST-EXTENDED, search of what is there, parts, draft, copy of what was sent, junk, IDLE                    mail s1 s2 nested, state new, clients 2, mx 2, whole
C: 1 CAPABILITY                        S: * CAPABILITY IMAP4rev1 … | 1 OK
C: 2 AUTHENTICATE PLAIN $PLAIN         S: 2 OK [CAPABILITY
C: 3 ID ("name" "K-9 Mail" "version" "8.2")   S: * ID ("name" "Letterlock"…) | 3 OK
C: 4 NAMESPACE                         S: * NAMESPACE (("" "/")) NIL NIL | 4 OK
C: 5 LIST (SUBSCRIBED) "" "*" RETURN (SPECIAL-USE)   S: … | 5 OK
C: 6 LIST "" "*" RETURN (SPECIAL-USE)  S: … | * LIST (\HasNoChildren \Drafts) "/" Drafts | … | 6 OK
C: 7 SELECT "INBOX"                    S: … | * 3 EXISTS | … | 7 OK [READ-WRITE]
C: 8 UID SEARCH 1:3 NOT DELETED        S: * SEARCH 1 2 3 | 8 OK
C: 9 UID FETCH 1,2,3 (UID FLAGS)       S: * 1 FETCH (UID 1 FLAGS (\Recent)) | * 2 FETCH (UID 2 FLAGS (\Recent)) | * 3 FETCH (UID 3 FLAGS (\Recent)) | 9 OK
C: 10 UID FETCH 1,2,3 (UID INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (date subject from content-type to cc reply-to message-id references in-reply-to list-unsubscribe sender X-K9mail-Identity)])
S: * 1 FETCH (UID 1 INTERNALDATE …) | * 2 FETCH (UID 2 …) | * 3 FETCH (UID 3 …) | 10 OK
C: 11 UID FETCH 3 (UID BODYSTRUCTURE)  S: * 3 FETCH (UID 3 BODYSTRUCTURE (…)) | 11 OK
C: 12 UID FETCH 3 (UID BODY.PEEK[1])   S: * 3 FETCH (UID 3 BODY[1] {$n}\r\n…) | 12 OK
C: 13 UID STORE 3 +FLAGS.SILENT (\Seen)   S: 13 OK
C: 14 APPEND "Drafts" (\Seen \Draft X-GOT-ALL-HEADERS) {48}   S: + …
C: Message-ID: <1@k9mail.app>\r\nSubject: draft\r\n\r\n\r\n                              S: 14 OK [APPENDUID $d 1]
C: 15 APPEND "Sent" (\Seen) {48}       S: + …
C: Message-ID: <1@k9mail.app>\r\nSubject: draft\r\n\r\n\r\n                              S: 15 OK [APPENDUID $s 1]
C: 16 SELECT "Sent"                    S: … | 16 OK
C: 17 UID SEARCH HEADER MESSAGE-ID "<1@k9mail.app>"   S: * SEARCH 1 | 17 OK
C: 18 SELECT "INBOX"                   S: … | 18 OK
C: 19 UID MOVE 1 "Junk"                S: * OK [COPYUID $j 1 1] … | * 1 EXPUNGE | 19 OK
C: 20 UID STORE 2 +FLAGS.SILENT (\Deleted)   S: 20 OK
C: 21 UID EXPUNGE 2                    S: * 1 EXPUNGE | 21 OK
C: 22 UID SEARCH CHARSET UTF-8 TEXT {2+}\r\nin NOT DELETED   S: * SEARCH… | 22 OK
C: 23 IDLE                             S: + …
C2: MAIL FROM:<x@example.net>          S2: 250
C2: RCPT TO:<$ADDRESS>                 S2: 250
C2: DATA                               S2: 354
C2: Subject: new\r\n\r\nnew\r\n.       S2: 250
S: * 2 EXISTS | * 1 RECENT
C: DONE                                S: 23 OK
C: 24 CLOSE                            S: 24 OK
C: 25 LOGOUT                           S: * BYE … | 25 OK | EOF
