# RFC 5161 3.1: ENABLE ignores what it does not know                                                              state auth
C: a ENABLE X-NOTHING X-NO   S: * ENABLED | a OK
C: b ENABLE              S: b BAD
C: c ENABLE "quoted"     S: c BAD
