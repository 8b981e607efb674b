# RFC 9051 6.4.5: FETCH answers each message once, in order; numbers stay those of this session                       clients 2, messages 30
C2: a STORE 10:19 +FLAGS.SILENT (\Deleted)   S2: a OK
C2: b EXPUNGE
S2: * 19 EXPUNGE | * 18 EXPUNGE | * 17 EXPUNGE | * 16 EXPUNGE | * 15 EXPUNGE | * 14 EXPUNGE | * 13 EXPUNGE | * 12 EXPUNGE | * 11 EXPUNGE | * 10 EXPUNGE | b OK
C1: a FETCH 8:9,20:21 (UID)            S1: * 8 FETCH (UID $a) | * 9 FETCH (UID $b) | * 20 FETCH (UID $c) | * 21 FETCH (UID $d) | a OK
C1: b SEARCH 20                        S1: * SEARCH 20 | b OK
C1: c NOOP                             S1: * 19 EXPUNGE | … | * 10 EXPUNGE | … | c OK
C1: d FETCH 10:11 (UID)                S1: * 10 FETCH (UID $c) | * 11 FETCH (UID $d) | d OK
C1: e FETCH 20 (UID)                   S1: * 20 FETCH (UID $z) | e OK
C1: f FETCH 21 (UID)                   S1: f BAD
