# RFC 9590 3: METADATA behind each LIST of a mailbox that exists; NIL for what is not set      state auth
C: a SETMETADATA INBOX (/private/vendor/x/color "#b71c1c")    S: a OK
C: b CREATE p/q                          S: b OK
C: c DELETE p                            S: c OK
C: d LIST "" (INBOX p p/q) RETURN (METADATA (/private/vendor/x/color /shared/comment))
S: * LIST (\HasNoChildren) "/" INBOX | * METADATA INBOX (/private/vendor/x/color "#b71c1c" /shared/comment NIL)
S: * LIST (\NonExistent \HasChildren) "/" p
S: * LIST (\HasNoChildren) "/" p/q | * METADATA p/q (/private/vendor/x/color NIL /shared/comment NIL) | d OK
C: e LIST "" INBOX RETURN (METADATA)     S: e BAD
C: f LIST "" INBOX RETURN (METADATA ())  S: f BAD
C: g LIST "" INBOX RETURN (STATUS (MESSAGES) METADATA (/shared/comment))
S: * LIST (\HasNoChildren) "/" INBOX | * STATUS INBOX (MESSAGES 0) | * METADATA INBOX (/shared/comment NIL) | g OK
