# RFC 9208 4.1.1, 4.1.2: quota roots of a mailbox that nobody limits            messages 3
C: a GETQUOTAROOT INBOX
S: * QUOTAROOT INBOX "mailbox" | * QUOTA "mailbox" (MESSAGE 3 $max MAILBOX 6 $folders) | a OK
C: b CREATE Work                       S: b OK
C: c GETQUOTA mailbox                  S: * QUOTA "mailbox" (MESSAGE 3 $max MAILBOX 7 $folders) | c OK
C: d GETQUOTA "mailbox"                S: * QUOTA "mailbox" (…) | d OK
# a root that there is not; a mailbox that there is not has the roots that it would have
C: e GETQUOTA account                  S: e NO [NONEXISTENT]
C: f GETQUOTAROOT nothing              S: * QUOTAROOT nothing "mailbox" | * QUOTA "mailbox" (…) | f OK
# limits are the operator's (no QUOTASET)
C: g SETQUOTA mailbox (STORAGE 10)     S: g BAD
C: h GETQUOTA                          S: h BAD
C: i GETQUOTAROOT                      S: i BAD
C: j GETQUOTA mailbox x                S: j BAD
# RFC 9208 4.1.4: DELETED and DELETED-STORAGE, in units of 1024 octets
C: k STATUS INBOX (DELETED DELETED-STORAGE)   S: * STATUS INBOX (DELETED 0 DELETED-STORAGE 0) | k OK
C: l STORE 1:2 FLAGS.SILENT (\Deleted)   S: l OK
C: m STATUS INBOX (DELETED DELETED-STORAGE)   S: * STATUS INBOX (DELETED 2 DELETED-STORAGE 2) | m OK
# a copy is a message, a move is none
C: n COPY 3 Work                       S: n OK
C: o GETQUOTA mailbox                  S: * QUOTA "mailbox" (MESSAGE 4 …) | o OK
C: p MOVE 3 Work                       S: * OK … | * 3 EXPUNGE | p OK
C: q GETQUOTA mailbox                  S: * QUOTA "mailbox" (MESSAGE 4 …) | q OK
