# RFC 4731 3.1, RFC 9051 6.4.4: RETURN                                                                                                   mail s1 s2 s3 s4
C: a SEARCH RETURN (MIN MAX COUNT ALL) NOT 3   S: * ESEARCH (TAG "a") MIN 1 MAX 4 ALL 1:2,4 COUNT 3 | a OK
C: b SEARCH RETURN () ALL              S: * ESEARCH (TAG "b") ALL 1:4 | b OK
C: c SEARCH RETURN (COUNT) SUBJECT nothing   S: * ESEARCH (TAG "c") COUNT 0 | c OK
C: d SEARCH RETURN (MIN) SUBJECT nothing   S: * ESEARCH (TAG "d") | d OK
C: e UID SEARCH RETURN (ALL) 2:3       S: * ESEARCH (TAG "e") UID ALL 2:3 | e OK
C: f SEARCH RETURN (MAX) CHARSET UTF-8 ALL   S: * ESEARCH (TAG "f") MAX 4 | f OK
C: g SEARCH RETURN (XYZZY) ALL         S: g BAD
C: h SEARCH RETURN ALL                 S: h BAD
C: i SEARCH RETURN (MIN)               S: i BAD
