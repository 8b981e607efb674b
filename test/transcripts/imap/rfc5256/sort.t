# RFC 5256 3: SORT                                                                                                          mail t1 t2 t3 t4 t5
C: a SORT (DATE) UTF-8 ALL             S: * SORT 3 1 2 4 5 | a OK
C: b SORT (REVERSE DATE) UTF-8 ALL     S: * SORT 5 4 2 1 3 | b OK
C: c SORT (ARRIVAL) UTF-8 ALL          S: * SORT 1 2 3 4 5 | c OK
C: d SORT (SUBJECT DATE) UTF-8 ALL     S: * SORT 4 3 1 2 5 | d OK
C: e SORT (FROM) UTF-8 ALL             S: * SORT 4 1 2 5 3 | e OK
C: f SORT (REVERSE FROM) UTF-8 ALL     S: * SORT 3 2 5 1 4 | f OK
C: g SORT (TO) UTF-8 ALL               S: * SORT 5 2 1 4 3 | g OK
C: h SORT (CC) UTF-8 ALL               S: * SORT 1 2 4 5 3 | h OK
C: i SORT (REVERSE CC SUBJECT REVERSE DATE) US-ASCII ALL   S: * SORT 3 4 5 2 1 | i OK
C: j UID SORT (REVERSE SIZE) UTF-8 1,3   S: * SORT 3 1 | j OK
C: k SORT (DATE) UTF-8 SUBJECT nothing   S: * SORT | k OK
C: l SORT (DATE) X-NO-SUCH ALL         S: l NO [BADCHARSET
C: m SORT () UTF-8 ALL                 S: m BAD
C: n SORT (REVERSE) UTF-8 ALL          S: n BAD
C: o SORT (DATE) UTF-8                 S: o BAD
C: p SORT (DATE) ALL                   S: p BAD
C: q SORT (XYZZY) UTF-8 ALL            S: q BAD
C: r SORT (DATE) UTF-8 MODSEQ 1        S: * OK [HIGHESTMODSEQ $high] Highest | * SORT 3 1 2 4 5 (MODSEQ $m) | r OK
