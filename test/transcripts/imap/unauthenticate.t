# RFC 8437 3, 4.1: everything but TLS is forgotten; pipelining is allowed             messages 1, state selected
C: a ENABLE QRESYNC                    S: * ENABLED QRESYNC | * OK [HIGHESTMODSEQ $high] Highest | a OK
C: b UNAUTHENTICATE                    S: b OK
C: c SELECT INBOX                      S: c BAD
C: d UNAUTHENTICATE                    S: d BAD
C: e AUTHENTICATE PLAIN $PLAIN         S: e OK
C: f FETCH 1 (UID)                     S: f BAD
C: g ENABLE QRESYNC                    S: * ENABLED QRESYNC | g OK
C: h UNAUTHENTICATE
C: i AUTHENTICATE PLAIN $PLAIN
C: j STATUS INBOX (MESSAGES)
S: h OK | i OK | * STATUS INBOX (MESSAGES 1) | j OK
