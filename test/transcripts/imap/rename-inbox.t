# RFC 9051 6.3.6: renaming INBOX moves its messages and leaves it, empty; its children stay                               messages 2, state auth
C: a CREATE INBOX/kept                 S: a OK
C: b RENAME INBOX moved                S: b OK
C: c STATUS INBOX (MESSAGES)           S: * STATUS INBOX (MESSAGES 0) | c OK
C: d STATUS moved (MESSAGES)           S: * STATUS moved (MESSAGES 2) | d OK
C: e LIST "" *ve*                      S: … | * LIST (\HasNoChildren) "/" moved | e OK
C: f LIST "" INBOX/%                   S: * LIST (\HasNoChildren) "/" INBOX/kept | f OK
