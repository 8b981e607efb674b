# RFC 9051 6.4.4: CHARSET, literals with 8-bit, BADCHARSET                                                                              mail s1 s2 s3 s4
C: a SEARCH CHARSET UTF-8 SUBJECT {8}  S: + …
C: Gr\xc3\xbc\xc3\x9fe \c
C: \r\n\c                              S: * SEARCH 2 | a OK
C: b SEARCH CHARSET UTF-8 SUBJECT "k\xc3\xb6ln"   S: * SEARCH 2 | b OK
C: c SEARCH CHARSET UTF-8 SUBJECT "aus K\xc3\xb6"   S: * SEARCH 2 | c OK
C: d SEARCH CHARSET utf-8 BODY {5+}\r\ncaf\xc3\xa9   S: * SEARCH 2 | d OK
C: e SEARCH CHARSET ISO-8859-1 BODY {4+}\r\nCAF\xc9   S: * SEARCH 2 | e OK
C: f SEARCH CHARSET US-ASCII SUBJECT engine   S: * SEARCH 1 | f OK
C: g SEARCH CHARSET KLINGON SUBJECT engine   S: g NO [BADCHARSET (
C: h SEARCH CHARSET                    S: h BAD
C: i SEARCH CHARSET UTF-8              S: i BAD
C: j SEARCH CHARSET UTF-8 BODY "na\xc3\xafve"   S: * SEARCH 4 | j OK
C: k UID SEARCH CHARSET UTF-8 OR SUBJECT engine BODY {6+}\r\nna\xc3\xafve   S: * SEARCH 1 4 | k OK
