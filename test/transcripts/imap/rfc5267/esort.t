# RFC 5267 3: ESORT: the order is kept, MIN and MAX are its ends                                                             mail t1 t2 t3 t4 t5
C: a SORT RETURN () (DATE) UTF-8 ALL            S: * ESEARCH (TAG "a") ALL 3,1:2,4:5 | a OK
C: b SORT RETURN (MIN MAX COUNT) (REVERSE DATE) UTF-8 ALL   S: * ESEARCH (TAG "b") MIN 5 MAX 3 COUNT 5 | b OK
C: c UID SORT RETURN (PARTIAL 1:2 COUNT) (DATE) UTF-8 ALL   S: * ESEARCH (TAG "c") UID PARTIAL (1:2 3,1) COUNT 5 | c OK
C: d SORT RETURN (COUNT) (DATE) UTF-8 SUBJECT nothing   S: * ESEARCH (TAG "d") COUNT 0 | d OK
C: e SORT RETURN (ALL) (DATE) UTF-8 SUBJECT nothing   S: * ESEARCH (TAG "e") | e OK
C: f SORT RETURN (XYZZY) (DATE) UTF-8 ALL       S: f BAD
