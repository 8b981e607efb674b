# RFC 9051 5.1, 6.3.4, 6.3.6, 6.3.9.7: names are UTF-8 once enabled; one that is not NFC is told with OLDNAME      clients 2, state auth
C: a ENABLE IMAP4rev2                    S: * ENABLED IMAP4rev2 | a OK
C: b CREATE "Bu\xcc\x88ro"               S: * LIST () "/" "B\xc3\xbcro" ("OLDNAME" ("Bu\xcc\x88ro")) | b OK [MAILBOXID
C: c LIST "" "B*"                        S: * LIST (\HasNoChildren) "/" "B\xc3\xbcro" | c OK
C2: a LIST "" "B*"                       S2: * LIST (\HasNoChildren) "/" B&APw-ro | a OK
C: d CREATE "A&B"                        S: d OK
C2: b LIST "" "A&-*"                     S2: * LIST (\HasNoChildren) "/" A&-B | b OK
C: e RENAME "Bu\xcc\x88ro" plain         S: * LIST () "/" "plain" ("OLDNAME" ("Bu\xcc\x88ro")) | e OK
C: f RENAME plain "\xc3\xa4"             S: f OK
C: g STATUS {2+}\r\n\xc3\xa4 (MESSAGES)  S: * STATUS "\xc3\xa4" (MESSAGES 0) | g OK
C: h CREATE "\xc3"                       S: h BAD
