# SEARCH X-REGEX (doc/search.md)                                                                 mail s1 s2 s3 s4
C: a SEARCH X-REGEX SUBJECT "^ana.*eng[a-z]+$"   S: * SEARCH 1 | a OK
C: b SEARCH X-REGEX X-NONE "."                S: * SEARCH | b OK
C: c SEARCH X-REGEX TEXT "^(a+)+$"            S: * SEARCH | c OK
C: d SEARCH NOT X-REGEX TEXT "^(a+)+$"        S: * SEARCH 1 2 3 4 | d OK
C: e SEARCH X-REGEX BODY "weaves +alg"        S: * SEARCH 1 | e OK
C: f SEARCH X-REGEX body "WEAVES|snowm[a]n"   S: * SEARCH 1 3 | f OK
C: g SEARCH X-REGEX BODY "("                  S: g NO [CANNOT]
C: h SEARCH X-REGEX BODY                      S: h BAD
# $ is the end of a text and of a field, whatever white space was there
C: i APPEND INBOX {27+}\r\nSubject: z \r\n\r\na tail end\r\n   S: … | i OK
C: j SEARCH X-REGEX BODY "tail end$"          S: * SEARCH 5 | j OK
C: k SEARCH X-REGEX SUBJECT "^z$"             S: * SEARCH 5 | k OK
C: l SEARCH X-REGEX BODY "^a tail$"           S: * SEARCH | l OK
