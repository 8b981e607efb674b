# RFC 6203: FUZZY, RELEVANCY                                                                                                  mail s1 s2 s3 s4
C: a SEARCH FUZZY SUBJECT "engin anlytical"     S: * SEARCH 1 | a OK
C: b SEARCH FUZZY TEXT cafe                     S: * SEARCH 2 | b OK
C: c SEARCH FUZZY TEXT naive                    S: * SEARCH 4 | c OK
C: d SEARCH FUZZY TEXT "snowmann"               S: * SEARCH 3 | d OK
C: e SEARCH SUBJECT "engin anlytical"           S: * SEARCH | e OK
C: f SEARCH FUZZY (SUBJECT lunhc NOT SUBJECT lunch)   S: * SEARCH | f OK
C: g SEARCH FUZZY SUBJECT lunhc FROM carol@example.net   S: * SEARCH 3 | g OK
C: h SEARCH RETURN (RELEVANCY ALL) FUZZY TEXT Analitical   S: * ESEARCH (TAG "h") ALL 1 RELEVANCY (100) | h OK
C: i SEARCH RETURN (RELEVANCY) FUZZY TEXT "no such thing"   S: * ESEARCH (TAG "i") RELEVANCY () | i OK
C: j UID SEARCH RETURN (COUNT RELEVANCY MAX) FUZZY FROM carrol   S: * ESEARCH (TAG "j") UID MAX 3 COUNT 1 RELEVANCY (100) | j OK
C: k APPEND INBOX {56+}\r\nFrom: x@example.org\r\nSubject: z\r\n\r\nthe lunch of alphas\r\n   S: … | k OK
C: l SEARCH RETURN (RELEVANCY ALL) FUZZY TEXT lunch   S: * ESEARCH (TAG "l") ALL 3,5 RELEVANCY (100 $less) | l OK
C: m SORT RETURN (RELEVANCY ALL) (REVERSE RELEVANCY) UTF-8 FUZZY TEXT lunch   S: * ESEARCH (TAG "m") ALL 5,3 RELEVANCY ($less 100) | m OK
C: n SORT (RELEVANCY) UTF-8 FUZZY TEXT lunch    S: * SORT 3 5 | n OK
C: o SORT RETURN (PARTIAL 1:1 RELEVANCY) (RELEVANCY) UTF-8 FUZZY TEXT lunch   S: * ESEARCH (TAG "o") PARTIAL (1:1 3) RELEVANCY (100) | o OK
C: p SORT (RELEVANCY DATE) UTF-8 FUZZY ALL      S: * SORT 3 2 1 4 5 | p OK
C: q SEARCH FUZZY (SINCE 4-Mar-1980 LARGER 1)   S: * SEARCH 1 2 3 4 5 | q OK
# 4, 6: not without FUZZY
C: r SEARCH RETURN (RELEVANCY) TEXT lunch       S: r BAD
C: s SORT (RELEVANCY) UTF-8 TEXT lunch          S: s BAD
C: t SORT RETURN (RELEVANCY) (DATE) UTF-8 ALL   S: t BAD
C: u SEARCH FUZZY                               S: u BAD
C: v SEARCH FUZZY FUZZY SUBJECT lunhc           S: * SEARCH 3 | v OK
C: w THREAD REFS UTF-8 FUZZY SUBJECT lunhc      S: * THREAD (3) | w OK
C: x SEARCH FUZZY X-REGEX SUBJECT "lun.?h"      S: * SEARCH 3 | x OK
