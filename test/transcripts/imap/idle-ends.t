# RFC 2177 3: IDLE ends with DONE in any case; anything else is BAD; it works without a folder                                              state auth
C: a IDLE                              S: + …
C: done                                S: a OK
C: b IDLE                              S: + …
C: c NOOP                              S: b BAD
C: d IDLE now                          S: d BAD
C: e NOOP                              S: e OK
