# RFC 9051 6.4.1: CLOSE expunges nothing from a folder that was only examined                                                          state auth
C: a APPEND INBOX (\Deleted) {8+}\r\nA: b\r\n\r\n   S: a OK
C: b EXAMINE INBOX                     S: … | b OK [READ-ONLY]
C: c CLOSE                             S: c OK
C: d STATUS INBOX (MESSAGES)           S: * STATUS INBOX (MESSAGES 1) | d OK
