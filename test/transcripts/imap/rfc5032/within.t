# RFC 5032 3: OLDER and YOUNGER, in seconds                                                                                  mail s1, messages 1
C: a SEARCH YOUNGER 3600     S: * SEARCH $new | a OK
C: b SEARCH OLDER 3600       S: * SEARCH $old | b OK
C: c SEARCH OLDER 0          S: c BAD
C: d SEARCH YOUNGER x        S: d BAD
