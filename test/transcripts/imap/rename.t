# RFC 9051 6.3.6: RENAME takes the children along, and makes parents                                                     state auth
C: a CREATE one/two/three              S: a OK
C: b CREATE one                        S: b NO [ALREADYEXISTS]
C: c APPEND one {15+}\r\nSubject: a\r\n\r\nb   S: c OK
C: d RENAME one un/eins                S: d OK
C: e LIST "" *n*
S: … | * LIST (\HasChildren) "/" un | * LIST (\HasChildren) "/" un/eins | * LIST (\HasChildren) "/" un/eins/two | * LIST (\HasNoChildren) "/" un/eins/two/three | e OK
C: f STATUS un/eins (MESSAGES)         S: * STATUS un/eins (MESSAGES 1) | f OK
C: g RENAME nothing new                S: g NO [NONEXISTENT]
C: h RENAME un/eins Trash              S: h NO [ALREADYEXISTS]
C: i RENAME un/eins INBOX              S: i NO
C: j RENAME un/eins un/eins/two/deeper   S: j NO
C: k RENAME un/eins                    S: k BAD
C: l LIST "" one*                      S: l OK
