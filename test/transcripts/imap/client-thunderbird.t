# Thunderbird: login, subscribed folders with their uses, quota, sync by CHANGEDSINCE, draft, copy of what was sent, junk, tags, search, IDLE                    mail s1 s2 nested, state new, clients 2, mx 2, whole
C: 1 capability                        S: * CAPABILITY IMAP4rev1 … | 1 OK
C: 2 authenticate PLAIN                S: + …
C: $PLAIN                              S: 2 OK [CAPABILITY
C: 3 ID ("name" "Thunderbird" "version" "140.5.0")   S: * ID ("name" "Letterlock"…) | 3 OK
C: 4 namespace                         S: * NAMESPACE (("" "/")) NIL NIL | 4 OK
C: 5 list (subscribed) "" "*" return (special-use)   S: … | 5 OK
C: 6 list "" "INBOX"                   S: * LIST (\HasNoChildren) "/" INBOX | 6 OK
C: 7 list (special-use) "" "*"         S: * LIST (\HasNoChildren \Archive) "/" Archive | … | 7 OK
C: 8 select "INBOX" (CONDSTORE)        S: … | * 3 EXISTS | … | * OK [HIGHESTMODSEQ $h] Highest | … | 8 OK [READ-WRITE]
C: 9 getquotaroot "INBOX"              S: * QUOTAROOT INBOX "mailbox" | * QUOTA "mailbox" (…) | 9 OK
C: 10 UID fetch 1:* (FLAGS)
S: * 1 FETCH (UID 1 FLAGS (\Recent) MODSEQ ($m1)) | * 2 FETCH (UID 2 FLAGS (\Recent) MODSEQ ($m2)) | * 3 FETCH (UID 3 FLAGS (\Recent) MODSEQ ($m3)) | 10 OK
C: 11 UID fetch 1:3 (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (From To Cc Bcc Subject Date Message-ID Priority X-Priority References Newsgroups In-Reply-To Content-Type Reply-To)])
S: * 1 FETCH (UID 1 RFC822.SIZE …) | * 2 FETCH (UID 2 …) | * 3 FETCH (UID 3 …) | 11 OK
C: 12 UID fetch 3 (UID RFC822.SIZE BODY.PEEK[])   S: * 3 FETCH (UID 3 RFC822.SIZE $n BODY[] {$n}\r\n…) | 12 OK
C: 13 uid store 3 +Flags (\Seen)       S: * 3 FETCH (UID 3 FLAGS (\Seen \Recent) MODSEQ ($m4)) | 13 OK
C: 14 uid store 2 +Flags ($label1)     S: … | * 2 FETCH (UID 2 FLAGS (\Recent $label1) MODSEQ ($m5)) | … | 14 OK
C: 15 uid store 2 -Flags ($label1)     S: … | * 2 FETCH (UID 2 FLAGS (\Recent) MODSEQ ($m6)) | … | 15 OK
C: 16 append "Drafts" (\Draft) {53+}\r\nMessage-ID: <draft-1@mozilla.org>\r\nSubject: d\r\n\r\n\r\n\r\n   S: 16 OK [APPENDUID $d 1]
C: 17 append "Sent" (\Seen) {53+}\r\nMessage-ID: <draft-1@mozilla.org>\r\nSubject: d\r\n\r\n\r\n\r\n   S: 17 OK [APPENDUID $s 1]
C: 18 select "Drafts" (CONDSTORE)      S: … | 18 OK
C: 19 uid SEARCH UNDELETED HEADER Message-ID draft-1@mozilla.org   S: * SEARCH 1 | 19 OK
C: 20 uid store 1 +FLAGS (\Deleted \Seen)   S: * 1 FETCH (UID 1 FLAGS (\Deleted \Seen \Draft \Recent) MODSEQ ($m7)) | 20 OK
C: 21 uid expunge 1                    S: * 1 EXPUNGE | 21 OK
C: 22 close                            S: 22 OK
C: 23 select "INBOX" (CONDSTORE)       S: … | 23 OK
C: 24 uid store 1 +Flags (Junk)        S: … | 24 OK
C: 25 uid store 1 -Flags (NonJunk)     S: … | 25 OK
C: 26 uid move 1 "Junk"                S: * OK [COPYUID $j 1 1] … | * 1 EXPUNGE | … | 26 OK
C: 27 UID fetch 1:* (FLAGS) (CHANGEDSINCE $m3)   S: * 1 FETCH (UID 2 FLAGS () MODSEQ ($m6)) | * 2 FETCH (UID 3 FLAGS (\Seen) MODSEQ ($m4)) | 27 OK
C: 28 UID SEARCH CHARSET UTF-8 OR SUBJECT {7+}\r\nGr\xc3\xbc\xc3\x9fe FROM nobody   S: * SEARCH 2 | 28 OK
C: 29 IDLE                             S: + …
C2: MAIL FROM:<x@example.net>          S2: 250
C2: RCPT TO:<$ADDRESS>                 S2: 250
C2: DATA                               S2: 354
C2: Subject: new\r\n\r\nnew\r\n.       S2: 250
S: * 3 EXISTS | * 1 RECENT
C: DONE                                S: 29 OK
C: 30 noop                             S: 30 OK
C: 31 UID fetch 4:* (FLAGS)            S: * 3 FETCH (UID 4 FLAGS (\Recent) MODSEQ ($m8)) | 31 OK
C: 32 close\r\n33 logout               S: 32 OK | * BYE … | 33 OK | EOF
