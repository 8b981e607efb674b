# RFC 9051 5.5: commands sent in one go are answered in order                                                      messages 1
C: a NOOP\r\nb FETCH 1 (UID)\r\nc STATUS Drafts (MESSAGES)\r\nd UNSELECT\r\ne NOOP
S: a OK | * 1 FETCH (UID $uid) | b OK | * STATUS Drafts (MESSAGES 0) | c OK | d OK | e OK
