# RFC 9051 6.4.4: keys that look at flags, sizes and sets                                                                             mail s1 s2 s3
C: a STORE 1 FLAGS.SILENT (\Seen \Answered)   S: a OK
C: b STORE 2 FLAGS.SILENT (\Flagged \Draft $Label)   S: … | b OK
C: c STORE 3 FLAGS.SILENT (\Deleted)   S: c OK
C: d SEARCH ALL                        S: * SEARCH 1 2 3 | d OK
C: e SEARCH SEEN                       S: * SEARCH 1 | e OK
C: f SEARCH UNSEEN                     S: * SEARCH 2 3 | f OK
C: g SEARCH ANSWERED UNFLAGGED         S: * SEARCH 1 | g OK
C: h SEARCH FLAGGED                    S: * SEARCH 2 | h OK
C: i SEARCH DRAFT                      S: * SEARCH 2 | i OK
C: j SEARCH UNDRAFT UNDELETED          S: * SEARCH 1 | j OK
C: k SEARCH DELETED                    S: * SEARCH 3 | k OK
C: l SEARCH UNANSWERED                 S: * SEARCH 2 3 | l OK
C: m SEARCH KEYWORD $Label             S: * SEARCH 2 | m OK
C: n SEARCH UNKEYWORD $Label           S: * SEARCH 1 3 | n OK
C: o SEARCH 2:3 UNSEEN                 S: * SEARCH 2 3 | o OK
C: p SEARCH 1,3                        S: * SEARCH 1 3 | p OK
C: q SEARCH *                          S: * SEARCH 3 | q OK
C: r SEARCH UID 2:*                    S: * SEARCH 2 3 | r OK
C: s SEARCH LARGER 193                 S: * SEARCH 2 3 | s OK
C: t SEARCH SMALLER 194                S: * SEARCH 1 | t OK
C: u SEARCH LARGER 4294967295          S: * SEARCH | u OK
C: v SEARCH SMALLER 4294967295         S: * SEARCH 1 2 3 | v OK
C: w SEARCH RECENT                     S: * SEARCH 1 2 3 | w OK
C: x SEARCH NEW                        S: * SEARCH 2 3 | x OK
C: y SEARCH OLD                        S: * SEARCH | y OK
C: z UID SEARCH NOT SEEN               S: * SEARCH 2 3 | z OK
