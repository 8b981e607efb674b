# RFC 3691 2: UNSELECT leaves, and expunges nothing
C: a APPEND INBOX (\Deleted) {8+}\r\nA: b\r\n\r\n   S: … | a OK
C: b UNSELECT                          S: b OK
C: c UNSELECT                          S: c BAD
C: d STATUS INBOX (MESSAGES)           S: * STATUS INBOX (MESSAGES 1) | d OK
C: e SELECT INBOX                      S: … | * 1 EXISTS | … | e OK
C: f SELECT Drafts                     S: * OK [CLOSED] … | … | f OK
C: g STATUS INBOX (MESSAGES)           S: * STATUS INBOX (MESSAGES 1) | g OK
