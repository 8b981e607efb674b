# RFC 5957 3: SORT=DISPLAY                                                                                                   mail t1 t2 t3 t4 t5
C: a SORT (DISPLAYFROM) UTF-8 ALL          S: * SORT 4 1 2 5 3 | a OK
C: b SORT (DISPLAYTO) UTF-8 ALL            S: * SORT 5 2 1 4 3 | b OK
C: c SORT (REVERSE DISPLAYTO DATE) UTF-8 ALL   S: * SORT 3 1 4 2 5 | c OK
