# RFC 9394 3: PARTIAL of SEARCH and UID FETCH                                                                               messages 6
C: a SEARCH RETURN (PARTIAL 1:2) ALL           S: * ESEARCH (TAG "a") PARTIAL (1:2 1:2) | a OK
C: b UID SEARCH RETURN (PARTIAL -1:-2 COUNT) ALL   S: * ESEARCH (TAG "b") UID PARTIAL (-1:-2 5:6) COUNT 6 | b OK
C: c SEARCH RETURN (PARTIAL 5:10) ALL          S: * ESEARCH (TAG "c") PARTIAL (5:10 5:6) | c OK
C: d SEARCH RETURN (PARTIAL 7:10) ALL          S: * ESEARCH (TAG "d") PARTIAL (7:10 NIL) | d OK
C: e SEARCH RETURN (PARTIAL 2:1) ALL           S: * ESEARCH (TAG "e") PARTIAL (2:1 1:2) | e OK
C: f SEARCH RETURN (PARTIAL 1:2 ALL) ALL       S: f BAD
C: g SEARCH RETURN (PARTIAL 1:2 PARTIAL 3:4) ALL   S: g BAD
C: h SEARCH RETURN (PARTIAL 0:2) ALL           S: h BAD
C: i SEARCH RETURN (PARTIAL 1:-2) ALL          S: i BAD
C: j UID FETCH 1:* (UID) (PARTIAL -1:-2)       S: * 5 FETCH (UID 5) | * 6 FETCH (UID 6) | j OK
C: k UID FETCH 3:6 (UID) (PARTIAL 1:1)         S: * 3 FETCH (UID 3) | k OK
C: l FETCH 3:6 (UID) (PARTIAL 1:1)             S: l BAD
