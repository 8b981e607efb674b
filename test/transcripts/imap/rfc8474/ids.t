# RFC 8474: MAILBOXID, EMAILID, THREADID stay what they are                                                                                mail t1 t2
C: a SELECT INBOX              S: * OK [CLOSED] … | … | * OK [MAILBOXID ($inbox)] Forever | a OK
C: b STATUS INBOX (MAILBOXID)   S: * STATUS INBOX (MAILBOXID ($inbox)) | b OK
C: c CREATE New                S: c OK [MAILBOXID ($new)]
C: d RENAME New Newer          S: d OK
C: e STATUS Newer (MAILBOXID)   S: * STATUS Newer (MAILBOXID ($new)) | e OK
C: f FETCH 1:2 (EMAILID THREADID)   S: * 1 FETCH (EMAILID ($e1) THREADID ($t)) | * 2 FETCH (EMAILID ($e2) THREADID ($t)) | f OK
C: g MOVE 1 Newer              S: … | g OK
C: h SELECT Newer              S: … | h OK
C: i FETCH 1 (EMAILID THREADID)   S: * 1 FETCH (EMAILID ($e1) THREADID ($t)) | i OK
C: j COPY 1 INBOX              S: j OK
C: k SELECT INBOX              S: … | k OK
C: l SEARCH EMAILID $e1        S: * SEARCH 2 | l OK
C: m SEARCH THREADID $t        S: * SEARCH 1 2 | m OK
C: n SEARCH NOT EMAILID $e1    S: * SEARCH 1 | n OK
C: o SEARCH EMAILID nosuch     S: * SEARCH | o OK
C: p DELETE Newer              S: p OK
C: q CREATE Newer              S: q OK [MAILBOXID ($other)]
C: r FETCH 1:* EMAILID         S: * 1 FETCH (EMAILID ($e2)) | * 2 FETCH (EMAILID ($e1)) | r OK
