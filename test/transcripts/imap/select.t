# RFC 9051 6.3.2, 7.3, RFC 3501 6.3.1: what SELECT tells                                                                     messages 2, state auth
C: a SELECT INBOX
S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft \*)] …
S: * 2 EXISTS | * 2 RECENT | * OK [UNSEEN 1] … | * OK [UIDVALIDITY $v] … | * OK [UIDNEXT $n] … | …
S: a OK [READ-WRITE]
C: b STORE 1 +FLAGS.SILENT (\Seen $Forwarded)   S: … | b OK
C: c SELECT INBOX
S: * OK [CLOSED] …
S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft $Forwarded)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft $Forwarded \*)] …
S: * 2 EXISTS | * 0 RECENT | * OK [UNSEEN 2] … | * OK [UIDVALIDITY $v] … | * OK [UIDNEXT $n] … | …
S: c OK [READ-WRITE]
C: d SELECT Drafts
S: * OK [CLOSED] … | … | * 0 EXISTS | * 0 RECENT | * OK [UIDVALIDITY $w] … | * OK [UIDNEXT 1] … | … | d OK [READ-WRITE]
C: e SELECT nothing                    S: * OK [CLOSED] … | e NO [NONEXISTENT]
C: f FETCH 1 FLAGS                     S: f BAD
C: g SELECT inbox extra                S: g BAD
