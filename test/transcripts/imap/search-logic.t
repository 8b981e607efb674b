# RFC 9051 6.4.4: AND, OR, NOT and parentheses, nested                                                                                mail s1 s2 s3
C: a STORE 1 FLAGS.SILENT (\Seen)      S: a OK
C: b SEARCH NOT SEEN                   S: * SEARCH 2 3 | b OK
C: c SEARCH NOT NOT SEEN               S: * SEARCH 1 | c OK
C: d SEARCH OR SEEN 3                  S: * SEARCH 1 3 | d OK
C: e SEARCH OR SEEN OR 2 3             S: * SEARCH 1 2 3 | e OK
C: f SEARCH (SEEN)                     S: * SEARCH 1 | f OK
C: g SEARCH (SEEN 2)                   S: * SEARCH | g OK
C: h SEARCH NOT (SEEN 2)               S: * SEARCH 1 2 3 | h OK
C: i SEARCH OR (2 UNSEEN) (NOT 2:3)    S: * SEARCH 1 2 | i OK
C: j SEARCH NOT OR SEEN 3              S: * SEARCH 2 | j OK
C: k SEARCH ((((ALL))))                S: * SEARCH 1 2 3 | k OK
C: l SEARCH NOT                        S: l BAD
C: m SEARCH OR SEEN                    S: m BAD
C: n SEARCH (SEEN                      S: n BAD
C: o SEARCH ()                         S: o BAD
C: p SEARCH SEEN)                      S: p BAD
C: q SEARCH                            S: q BAD
C: r SEARCH XYZZY                      S: r BAD
C: s SEARCH KEYWORD                    S: s BAD
C: t SEARCH LARGER x                   S: t BAD
C: u SEARCH LARGER -1                  S: u BAD
C: v SEARCH \{NOT *200}SEEN            S: v …
C: w SEARCH ALL                        S: * SEARCH 1 2 3 | w OK
