# RFC 5256 3: THREAD, and REFS (no subjects, newest thread last)                                                             mail t1 t2 t3 t4 t5
C: a THREAD REFERENCES UTF-8 ALL         S: * THREAD (3)(1 (2)(4)(5)) | a OK
C: b THREAD REFS UTF-8 ALL               S: * THREAD (1 (2)(4))(3)(5) | b OK
C: c THREAD ORDEREDSUBJECT UTF-8 ALL     S: * THREAD (3)(1 (2)(5))(4) | c OK
C: d THREAD REFERENCES UTF-8 2,4         S: * THREAD ((2)(4)) | d OK
C: e UID THREAD REFERENCES UTF-8 1:2     S: * THREAD (1 2) | e OK
C: f THREAD REFERENCES UTF-8 SUBJECT nothing   S: * THREAD | f OK
C: g THREAD XYZZY UTF-8 ALL              S: g BAD
C: h THREAD REFERENCES UTF-8             S: h BAD
C: i THREAD REFERENCES X-NO-SUCH ALL     S: i NO [BADCHARSET
C: j THREAD REFERENCES UTF-8 2,5         S: * THREAD ((2)(5)) | j OK
