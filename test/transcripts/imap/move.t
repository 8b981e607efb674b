# RFC 6851 3, 4.3: MOVE tells COPYUID before the EXPUNGEs                                                                                      mail s1 s2 s3
C: a MOVE 1,3 Archive                  S: * OK [COPYUID $v 1,3 1:2] … | * 3 EXPUNGE | * 1 EXPUNGE | a OK
C: b UID MOVE 2 Archive                S: * OK [COPYUID $v 2 3] … | * 1 EXPUNGE | b OK
C: c UID MOVE 2 Archive                S: c OK
C: d STATUS Archive (MESSAGES)         S: * STATUS Archive (MESSAGES 3) | d OK
C: e SELECT Archive                    S: … | e OK
C: f MOVE 1 nothing                    S: f NO [TRYCREATE]
C: g FETCH 1:* (UID)                   S: * 1 FETCH (UID 1) | * 2 FETCH (UID 2) | * 3 FETCH (UID 3) | g OK
C: h MOVE 2 Archive                    S: … | h OK
C: i FETCH 1:* (UID)                   S: * 1 FETCH (UID 1) | * 2 FETCH (UID 3) | * 3 FETCH (UID 4) | i OK
