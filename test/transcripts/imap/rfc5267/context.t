# RFC 5267 4: CONTEXT is a hint, UPDATE may be declined with NOUPDATE, CANCELUPDATE                                        messages 3
C: a SEARCH RETURN (CONTEXT COUNT) ALL          S: * ESEARCH (TAG "a") COUNT 3 | a OK
C: b UID SEARCH RETURN (UPDATE COUNT) ALL       S: * NO [NOUPDATE "b"] … | * ESEARCH (TAG "b") UID COUNT 3 | b OK
C: c CANCELUPDATE "b" "x"                       S: c OK
C: d CANCELUPDATE                               S: d BAD
C: e CANCELUPDATE atom                          S: e BAD
