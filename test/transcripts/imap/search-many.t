# doc/search.md: a long search runs on two threads and answers as a short one           mail s1 s2
C: a0 COPY 1:* INBOX           S: … | a0 OK
C: a1 COPY 1:* INBOX           S: … | a1 OK
C: a2 COPY 1:* INBOX           S: … | a2 OK
C: a3 COPY 1:* INBOX           S: … | a3 OK
C: a4 COPY 1:* INBOX           S: … | a4 OK
C: a5 COPY 1:* INBOX           S: … | a5 OK
C: a6 COPY 1:* INBOX           S: … | a6 OK
C: a7 COPY 1:* INBOX           S: … | a7 OK
C: a8 COPY 1:* INBOX           S: … | a8 OK
C: a9 COPY 1:* INBOX           S: … | a9 OK
C: a10 COPY 1:* INBOX           S: … | a10 OK
C: b NOOP                       S: … | b OK
C: c SEARCH RETURN (COUNT) X-REGEX BODY "weaves +[a-z]+"     S: * ESEARCH (TAG "c") COUNT 2048 | c OK
C: d SEARCH RETURN (COUNT) NOT X-REGEX TEXT "^(a+)+$"        S: * ESEARCH (TAG "d") COUNT 4096 | d OK
C: e SEARCH RETURN (MIN MAX COUNT) X-REGEX TEXT "^(a+)+$"    S: * ESEARCH (TAG "e") COUNT 0 | e OK
C: f SEARCH RETURN (MIN MAX COUNT) OR BODY "weaves alg" BODY "no such"   S: * ESEARCH (TAG "f") MIN 1 MAX 4095 COUNT 2048 | f OK
