# RFC 9755 3: UTF8=ACCEPT: names in UTF-8, no charset of SEARCH, and IMAP4rev1 else      messages 1, state auth
C: a ENABLE UTF8=ACCEPT                  S: * ENABLED UTF8=ACCEPT | a OK
C: b CREATE "\xc3\xbc"                   S: b OK
C: c LIST "" "\xc3\xbc"                  S: * LIST (\HasNoChildren) "/" "\xc3\xbc" | c OK
C: d APPEND "\xc3\xbc" {16+}\r\nSubject: \xc3\xb6\r\n\r\nx    S: d OK [APPENDUID
C: e SELECT "\xc3\xbc"                   S: … | e OK
C: f SEARCH SUBJECT "\xc3\x96"           S: * SEARCH 1 | f OK
C: g SEARCH CHARSET UTF-8 ALL            S: g BAD
C: h FETCH 1 ENVELOPE                    S: * 1 FETCH (ENVELOPE (NIL "\xc3\xb6" NIL NIL NIL NIL NIL NIL NIL NIL)) | h OK
