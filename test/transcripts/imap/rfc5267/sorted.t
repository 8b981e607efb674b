# RFC 5267 4.3.3, 4.3.4: CONTEXT=SORT: positions, from 1, each after those before it      clients 2, mail t1 t2 t3 t4 t5
C1: a UID SORT RETURN (UPDATE ALL) (DATE) UTF-8 UNSEEN    S1: * ESEARCH (TAG "a") UID ALL 3,1:2,4:5 | a OK
C1: b SORT RETURN (UPDATE COUNT) (REVERSE DATE) UTF-8 FLAGGED    S1: * ESEARCH (TAG "b") COUNT 0 | b OK
C2: a STORE 1:2,5 +FLAGS.SILENT (\Seen)         S2: … | a OK
C1: c NOOP
S1: * 1 FETCH … | * 2 FETCH … | * 5 FETCH … | * ESEARCH (TAG "a") UID REMOVEFROM (2 1:2 3 5) | c OK
C2: b STORE 1,2,5 +FLAGS.SILENT (\Flagged)      S2: … | b OK
C1: d NOOP
S1: * 1 FETCH … | * 2 FETCH … | * 5 FETCH … | * ESEARCH (TAG "b") ADDTO (1 5,2,1) | d OK
C2: c STORE 3:4 +FLAGS.SILENT (\Flagged)        S2: … | c OK
C1: e NOOP
S1: * 3 FETCH … | * 4 FETCH … | * ESEARCH (TAG "b") ADDTO (2 4 5 3) | e OK
C2: d STORE 1 -FLAGS.SILENT (\Seen)             S2: … | d OK
C2: e STORE 4 +FLAGS.SILENT (\Seen)             S2: … | e OK
C1: f NOOP
S1: * 1 FETCH … | * 4 FETCH … | * ESEARCH (TAG "a") UID REMOVEFROM (2 4) ADDTO (2 1) | f OK
C2: f STORE 2:3 +FLAGS.SILENT (\Deleted)        S2: … | f OK
C2: g EXPUNGE                                   S2: * 3 EXPUNGE | * 2 EXPUNGE | g OK
C1: g NOOP
S1: * ESEARCH (TAG "a") UID REMOVEFROM (1 3) | * ESEARCH (TAG "b") REMOVEFROM (3 2 4 3)
S1: * 3 EXPUNGE | * 2 EXPUNGE | g OK
