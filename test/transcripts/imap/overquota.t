# RFC 9208 4.3.1, 5.1: OVERQUOTA at APPEND and COPY, and before that a warning; EXPUNGE makes room            state auth, limit 4K
C: a APPEND INBOX {2000+}\r\n\{x*1996}\r\n\r\n   S: a OK
C: b GETQUOTA mailbox                  S: * QUOTA "mailbox" (STORAGE 2 4 MESSAGE 1 …) | b OK
C: c SELECT INBOX                      S: … | c OK
C: d COPY 1 Archive                    S: d OK
C: e GETQUOTA mailbox                  S: * QUOTA "mailbox" (STORAGE 4 4 MESSAGE 2 …) | * NO [OVERQUOTA] More than 95 % of the space is used | e OK
C: f APPEND Drafts {200+}\r\n\{x*196}\r\n\r\n   S: f NO [OVERQUOTA]
C: g COPY 1 Archive                    S: g NO [OVERQUOTA]
# what adds nothing is never refused
C: h MOVE 1 Archive                    S: * OK … | * 1 EXPUNGE | h OK
C: i SELECT Archive                    S: … | i OK
C: j STORE 1 FLAGS.SILENT (\Deleted)   S: j OK
C: k EXPUNGE                           S: * 1 EXPUNGE | k OK
C: l APPEND Drafts {200+}\r\n\{x*196}\r\n\r\n   S: l OK
# a message that is larger than the whole limit
C: m APPEND Drafts {5000+}\r\n\{x*4996}\r\n\r\n   S: m NO [OVERQUOTA]
C: n GETQUOTAROOT Archive              S: * QUOTAROOT Archive "mailbox" | * QUOTA "mailbox" (STORAGE 3 4 MESSAGE 2 …) | n OK
