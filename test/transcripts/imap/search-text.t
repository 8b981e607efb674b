# RFC 9051 6.4.4: substrings of decoded text without regard to case; never tokens                                                     mail s1 s2 s3 s4
C: a SEARCH SUBJECT engine             S: * SEARCH 1 | a OK
C: b SEARCH SUBJECT NGIN               S: * SEARCH 1 | b OK
C: c SEARCH BODY "ine weaves"          S: * SEARCH 1 | c OK
C: d SEARCH BODY engine                S: * SEARCH 1 | d OK
C: e SEARCH BODY analytical            S: * SEARCH | e OK
C: f SEARCH TEXT analytical            S: * SEARCH 1 | f OK
C: g SEARCH FROM carol                 S: * SEARCH 3 | g OK
C: h SEARCH FROM example.net           S: * SEARCH 1 3 | h OK
C: i SEARCH TO "the reader"            S: * SEARCH 2 | i OK
C: j SEARCH CC carol                   S: * SEARCH 2 | j OK
C: k SEARCH BCC dave@                  S: * SEARCH 3 | k OK
C: l SEARCH HEADER X-Tag alpha         S: * SEARCH 3 | l OK
C: m SEARCH HEADER x-tag ""            S: * SEARCH 3 | m OK
C: n SEARCH HEADER X-Empty-Field ""    S: * SEARCH 3 | n OK
C: o SEARCH HEADER X-Nothing ""        S: * SEARCH | o OK
C: p SEARCH HEADER Message-ID s1@      S: * SEARCH 1 | p OK
C: q SEARCH TEXT s1@                   S: * SEARCH 1 3 | q OK
C: r SEARCH BODY "split words"         S: * SEARCH 2 | r OK
C: s SEARCH BODY "base64 words"        S: * SEARCH 3 | s OK
C: t SEARCH BODY aGlkZGVu              S: * SEARCH | t OK
C: u SEARCH BODY snowman               S: * SEARCH 3 | u OK
C: v SEARCH SUBJECT ""                 S: * SEARCH 1 2 3 4 | v OK
C: w SEARCH BODY "weaves  algebraical"   S: * SEARCH … | w OK
C: x SEARCH BODY zzzz                  S: * SEARCH | x OK
C: y SEARCH NOT BODY engine            S: * SEARCH 2 3 4 | y OK
C: z SEARCH BODY e                     S: * SEARCH 1 2 3 4 | z OK
