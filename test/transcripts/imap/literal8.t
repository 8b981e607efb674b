# RFC 3516 4.4: literal8 brings bytes that a literal may not hold, and they come back
C: a APPEND INBOX ~{12}                S: + …
C: A: b\r\n\r\n\x00\r\x00\n            S: … | a OK [APPENDUID
C: b FETCH 1 (RFC822.SIZE)             S: * 1 FETCH (RFC822.SIZE 12) | b OK
