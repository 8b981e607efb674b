# RFC 9586 3: after ENABLE UIDONLY no response has a message number, and no command may have one                     clients 2, messages 4, state auth
C1: 01 ENABLE UIDONLY                  S1: * ENABLED UIDONLY | 01 OK
C1: 01b ENABLE UIDONLY                 S1: * ENABLED | 01b OK
C1: 02 SELECT INBOX                    S1: * FLAGS … | * OK [PERMANENTFLAGS … | * 4 EXISTS | * 4 RECENT | * OK [UIDVALIDITY … | * OK [UIDNEXT 5] … | * OK [HIGHESTMODSEQ … | * OK [MAILBOXID … | 02 OK [READ-WRITE]
C1: 03 FETCH 1:2 (FLAGS)               S1: 03 BAD [UIDREQUIRED]
C1: 04 STORE 1 +FLAGS (\Seen)          S1: 04 BAD [UIDREQUIRED]
C1: 05 COPY 1 Sent                     S1: 05 BAD [UIDREQUIRED]
C1: 06 MOVE * Sent                     S1: 06 BAD [UIDREQUIRED]
C1: 07 SEARCH ALL                      S1: 07 BAD [UIDREQUIRED]
C1: 08 SORT (SIZE) UTF-8 ALL           S1: 08 BAD [UIDREQUIRED]
C1: 09 THREAD REFERENCES UTF-8 ALL     S1: 09 BAD [UIDREQUIRED]
C1: 10 REPLACE 1 INBOX {8+}\r\nA: b\r\n\r\n   S1: 10 BAD [UIDREQUIRED]
C1: 11 UID SEARCH NOT (OR 1 SEEN)      S1: 11 BAD [UIDREQUIRED]
C1: 12 UID SORT (SIZE) UTF-8 1:*       S1: 12 BAD [UIDREQUIRED]
C1: 13 UID SEARCH RETURN (ALL) UID 2:*   S1: * ESEARCH (TAG "13") UID ALL 2:4 | 13 OK
C1: 14 UID FETCH 1:2 (FLAGS)           S1: * 1 UIDFETCH (FLAGS (\Recent)) | * 2 UIDFETCH (FLAGS (\Recent)) | 14 OK
C1: 15 UID FETCH 3 (UID RFC822.SIZE)   S1: * 3 UIDFETCH (UID 3 RFC822.SIZE …) | 15 OK
C1: 16 UID STORE 2 +FLAGS (\Deleted)   S1: * 2 UIDFETCH (FLAGS (\Deleted \Recent)) | 16 OK
C1: 17 UID STORE 3 (UNCHANGEDSINCE 1) +FLAGS.SILENT (\Seen)   S1: … | 17 OK [MODIFIED 3]
C1: 18 UID STORE 3 +FLAGS.SILENT (\Seen)   S1: * 3 UIDFETCH (MODSEQ ($m)) | 18 OK
C1: 19 EXPUNGE                         S1: * VANISHED 2 | 19 OK
C1: 20 UID MOVE 1 Sent                 S1: * OK [COPYUID $v 1 1] … | * VANISHED 1 | 20 OK
# what others do
C2: a SELECT INBOX                     S2: … | a OK
C2: b UID STORE 3 +FLAGS.SILENT (\Flagged)   S2: b OK
C2: c UID MOVE 4 Sent                  S2: … | c OK
C1: 21 NOOP                            S1: * VANISHED 4 | * 3 UIDFETCH (FLAGS (\Flagged \Seen \Recent) MODSEQ ($n)) | 21 OK
C1: 22 UID REPLACE 3 INBOX {8+}\r\nA: b\r\n\r\n   S1: * OK [APPENDUID $w 5] … | * VANISHED 3 | * 1 EXISTS | … | 22 OK
# RFC 5161 3.1: before a mailbox is selected
C2: d ENABLE UIDONLY                   S2: … | d BAD
C2: e FETCH 1 (FLAGS)                  S2: * 1 FETCH (FLAGS ()) | e OK
