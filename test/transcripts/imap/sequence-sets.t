# RFC 9051 9: sets in any order, reversed, overlapping, with *; numbers past the last                                                                 mail s1 s2 s3
C: a FETCH 3,1 UID                     S: * 1 FETCH (UID 1) | * 3 FETCH (UID 3) | a OK
C: b FETCH 3:1 UID                     S: * 1 FETCH (UID 1) | * 2 FETCH (UID 2) | * 3 FETCH (UID 3) | b OK
C: c FETCH *:2,2:3,3 UID               S: * 2 FETCH (UID 2) | * 3 FETCH (UID 3) | c OK
C: d FETCH * UID                       S: * 3 FETCH (UID 3) | d OK
C: e FETCH *:* UID                     S: * 3 FETCH (UID 3) | e OK
C: f FETCH 4 UID                       S: f BAD
C: g FETCH 1:99999999999 UID           S: g BAD
C: h FETCH -1 UID                      S: h BAD
C: i FETCH "1" UID                     S: i BAD
C: j FETCH 1 UID                       S: * 1 FETCH (UID 1) | j OK
