# Outlook for Windows: login, LSUB, sync by UID ranges, draft, copy of what was sent, deleting, junk, IDLE                    mail s1 s2 s3, state new, clients 2, mx 2, whole
C: 0k3a CAPABILITY                     S: * CAPABILITY IMAP4rev1 … | 0k3a OK
C: 4m1w LOGIN "$ADDRESS" "$PASSWORD"   S: 4m1w OK [CAPABILITY
C: 8d2q CAPABILITY                     S: * CAPABILITY IMAP4rev1 … | 8d2q OK
C: 7jv0 ID ("name" "Microsoft Outlook" "version" "16.0")   S: * ID ("name" "Letterlock"…) | 7jv0 OK
C: q5v1 LIST "" ""                     S: * LIST (\Noselect) "/" "" | q5v1 OK
C: 3f9z LIST "" "*"                    S: … | * LIST (\HasNoChildren \Junk) "/" Junk | … | 3f9z OK
C: f8v6 LSUB "" "*"                    S: … | f8v6 OK
C: t0xn SUBSCRIBE "Sent"               S: t0xn OK
C: p0jd SELECT "INBOX"                 S: … | * 3 EXISTS | … | * OK [UIDVALIDITY $v] … | * OK [UIDNEXT 4] … | … | p0jd OK [READ-WRITE]
C: h7nx UID FETCH 1:* (UID FLAGS)
S: * 1 FETCH (UID 1 FLAGS (\Recent)) | * 2 FETCH (UID 2 FLAGS (\Recent)) | * 3 FETCH (UID 3 FLAGS (\Recent)) | h7nx OK
C: v6dp UID FETCH 1:3 (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (Date Subject From To Cc Message-ID In-Reply-To References Content-Type Content-Class X-MS-Has-Attach X-Priority Importance)])
S: * 1 FETCH (UID 1 RFC822.SIZE $n …) | * 2 FETCH (UID 2 …) | * 3 FETCH (UID 3 …) | v6dp OK
C: a4ln UID FETCH 2 (BODY.PEEK[] UID FLAGS)   S: * 2 FETCH (BODY[] {$m}\r\n… UID 2 FLAGS (\Recent)) | a4ln OK
C: 9xk2 UID STORE 2 +FLAGS (\Seen)     S: * 2 FETCH (UID 2 FLAGS (\Seen \Recent)) | 9xk2 OK
C: 2b7e UID STORE 2 +FLAGS (\Flagged)  S: * 2 FETCH (UID 2 FLAGS (\Flagged \Seen \Recent)) | 2b7e OK
C: w1rr APPEND "Drafts" (\Seen \Draft) {20}   S: + …
C: Subject: dr\r\n\r\none\r\n           S: w1rr OK [APPENDUID $d 1]
C: w2rr APPEND "Sent" (\Seen) {21}      S: + …
C: Subject: out\r\n\r\none\r\n          S: w2rr OK [APPENDUID $s 1]
# deleting: marked and crossed out; then to the folder for that
C: d1aa UID STORE 1 +FLAGS (\Deleted)  S: * 1 FETCH (UID 1 FLAGS (\Deleted \Recent)) | d1aa OK
C: d2aa UID COPY 1 "Trash"             S: d2aa OK [COPYUID $t 1 1]
C: d3aa EXPUNGE                        S: * 1 EXPUNGE | d3aa OK
C: j1aa UID COPY 3 "Junk"              S: j1aa OK [COPYUID $j 3 1]
C: j2aa UID STORE 3 +FLAGS (\Deleted \Seen)   S: * 2 FETCH (UID 3 FLAGS (\Deleted \Seen \Recent)) | j2aa OK
C: j3aa UID EXPUNGE 3                  S: * 2 EXPUNGE | j3aa OK
C: z0aa NOOP                           S: z0aa OK
C: i0aa IDLE                           S: + …
C2: MAIL FROM:<x@example.net>          S2: 250
C2: RCPT TO:<$ADDRESS>                 S2: 250
C2: DATA                               S2: 354
C2: Subject: new\r\n\r\nnew\r\n.       S2: 250
S: * 2 EXISTS | * 2 RECENT
C: DONE                                S: i0aa OK
C: i1aa UID FETCH 4:* (UID FLAGS)      S: * 2 FETCH (UID 4 FLAGS (\Recent)) | i1aa OK
C: x0aa LOGOUT                         S: * BYE … | x0aa OK | EOF
